"""What a fault of the model server is, and the list of all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from tests.faults.serving.lab import Place

GROUPS = {
    "W": "The wire: HTTP/1.1 as RFC 9112 has it",
    "B": "Bounds",
    "T": "Clients that take their time",
    "Q": "Batches",
    "A": "Who may ask",
    "E": "The end of the server",
}

Run = Callable[[Place], None]


@dataclass(frozen=True)
class Fault:
    """One fault.

    Attributes:
        id: Letter of the group, and a number.
        made: How the fault is made.
        holds: What must hold.
        run: Makes it at a server and asserts what must hold.
        settings: Of the server.
        is_end: Whether it ends the server.
    """

    id: str
    made: str
    holds: str
    run: Run
    settings: Mapping[str, Any] = field(default_factory=dict)
    is_end: bool = False


FAULTS: list[Fault] = []


def fault(
    id: str, made: str, holds: str, *, is_end: bool = False, **settings: Any
) -> Callable[[Run], Run]:
    """Declares the decorated function as the run of a fault."""

    def declare(run: Run) -> Run:
        FAULTS.append(Fault(id, made, holds, run, settings, is_end))
        return run

    return declare


def all_faults() -> list[Fault]:
    """Every declared fault, in the order of the modules' names."""
    for file in sorted(Path(__file__).parent.glob("faults_*.py")):
        import_module(f"tests.faults.serving.{file.stem}")
    return FAULTS
