"""Where a use case can be ingested from: choices, so that nobody types a path into the page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from goldlake.workflows.jobs.work import GENERATED
from goldlake_core.contracts.errors import UsageError
from goldlake_core.contracts.sections import UseCase
from goldlake_core.documents.history import RunRow

FIRST_ROWS, SEED = 20_000, 7


@dataclass(frozen=True)
class Choice:
    """A source.

    Attributes:
        id: Name of the choice in a form.
        title: What people read.
        options: Options of the job.
    """

    id: str
    title: str
    options: dict[str, str]


def choices(usecase: UseCase, runs: Sequence[RunRow], landed: Sequence[RunRow]) -> list[Choice]:
    """The sources that fit what a home holds of a use case, the likeliest first.

    A home that began with generated rows takes only those; another takes the contract's own address
    and those that earlier runs asked.

    Args:
        usecase: The use case.
        runs: Its runs, the newest first.
        landed: Those that landed something, the newest first.
    """
    newest = next(iter(landed), None)
    if newest is not None and newest.source.get("kind") == GENERATED:
        rows = max((run.source_count or 0 for run in landed), default=0) or FIRST_ROWS
        return [_generated(rows, str(newest.source.get("seed", SEED)))]
    found = []
    addresses = dict.fromkeys(run.address for run in runs if run.address and run.landed is not None)
    found.append(Choice("live", "live: the address of the contract", {"source": "live"}))
    found += [Choice(each, each, {"source": each}) for each in addresses]
    if newest is None and usecase.source.generator:
        found.insert(0, _generated(FIRST_ROWS, str(SEED)))
    return found


def chosen(wanted: str, among: Iterable[Choice]) -> Choice:
    """The choice of a form.

    Raises:
        UsageError: There is none of that name.
    """
    held = list(among)
    for each in held:
        if each.id == wanted:
            return each
    raise UsageError(
        f"There is no source {wanted!r} to choose", valid=", ".join(each.id for each in held)
    )


def _generated(rows: int, seed: str) -> Choice:
    options = {"source": GENERATED, "rows": str(rows), "seed": seed}
    return Choice(f"{GENERATED}-{rows}-{seed}", f"{rows:,} generated rows, seed {seed}", options)
