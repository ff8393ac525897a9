"""What a fault is, and the list of all of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from tests.faults.lab import Lab

GROUPS = {
    "S": "Protocol of the source",
    "L": "Files of the landing zone",
    "O": "Operations",
    "H": "Homes",
    "F": "Files as a source",
    "I": "Identity of the source",
    "P": "Fields of the source",
    "R": "Records that come again",
    "X": "Scale",
}


Run = Callable[[Lab], None]


@dataclass(frozen=True)
class Fault:
    """One fault.

    Attributes:
        id: Letter of the group, and a number.
        made: How the fault is made.
        holds: What must hold.
        run: Makes it and asserts what must hold; None where it is not built yet.
    """

    id: str
    made: str
    holds: str
    run: Run | None

    @property
    def group(self) -> str:
        """The group's title."""
        return GROUPS[self.id[0]]


FAULTS: list[Fault] = []


def fault(
    id: str, made: str, holds: str
) -> Callable[[Callable[[Lab], None]], Callable[[Lab], None]]:
    """Declares the decorated function as the run of a fault."""

    def declare(run: Callable[[Lab], None]) -> Callable[[Lab], None]:
        FAULTS.append(Fault(id, made, holds, run))
        return run

    return declare


def not_built(id: str, made: str, holds: str) -> None:
    """Declares a fault that nothing meets yet; the table says so."""
    FAULTS.append(Fault(id, made, holds, None))


def all_faults() -> list[Fault]:
    """Every declared fault, in the order of the modules' names."""
    for file in sorted(Path(__file__).parent.glob("faults_*.py")):
        import_module(f"tests.faults.{file.stem}")
    return FAULTS
