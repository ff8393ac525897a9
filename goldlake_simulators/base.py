"""What every simulator of an API is to the rest of goldlake, and how one is found.

A package adds a simulator with an entry point in the group ``goldlake.simulators`` whose name is
the kind of source and whose object is a `Simulator`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path

from goldlake_core.asgi import Application
from goldlake_core.contracts.errors import UsageError
from goldlake_core.contracts.sections import UseCase

GROUP = "goldlake.simulators"

_OURS = {
    "police_uk": "goldlake_simulators.police_uk.simulator:api",
    "socrata": "goldlake_simulators.socrata.simulator:portal",
}


@dataclass(frozen=True)
class SimulatorOptions:
    """What a simulator serves and how.

    Attributes:
        data: Exports to replay; empty: generated rows.
        rows: Number of rows to generate.
        seed: Seed of generated rows and of faults.
        faults: ``KIND:SHARE,…``, or None.
        speed: Seconds that pass at the source in one second, or None: everything is visible.
        start: The source's instant at the start (ISO 8601) with ``speed``, or None: its first row.
        warn: Called with one line for each part of the data that is skipped.
    """

    data: tuple[Path, ...] = ()
    rows: int = 20_000
    seed: int = 7
    faults: str | None = None
    speed: float | None = None
    start: str | None = None
    warn: Callable[[str], None] = field(default=lambda message: None)


Simulator = Callable[[UseCase, SimulatorOptions], Application]
"""Makes the ASGI application that serves a use case's source."""


def simulator(kind: str) -> Simulator:
    """The simulator of a kind of source.

    Raises:
        UsageError: There is none.
    """
    if kind in _OURS:
        module, _, name = _OURS[kind].partition(":")
        found = getattr(import_module(module), name)
    else:
        entries = [entry for entry in entry_points(group=GROUP) if entry.name == kind]
        if not entries:
            raise UsageError(
                f"A source of kind {kind!r} has no simulator",
                hint="goldlake run USECASE, which writes files where the source is one of files",
            )
        found = entries[0].load()
    if not callable(found):
        raise UsageError(
            f"The entry point {kind!r} of {GROUP} gives {found!r}", valid="a simulator function"
        )
    return found  # type: ignore[no-any-return]
