"""What a fault is, and the list of all of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from tests.faults.lab import Lab
from tests.faults.store import Store

GROUPS = {
    "S": "Protocol of the source",
    "L": "Files of the landing zone",
    "O": "Operations",
    "H": "Homes",
    "F": "Files as a source",
    "I": "Identity of the source",
    "P": "Fields and values",
    "C": "Changes of the contract",
    "T": "Time and versions",
    "D": "The account: lost, doubled, swapped and changed rows",
    "G": "Gold",
    "K": "A process that dies",
    "E": "Exports",
    "R": "What only the code showed",
    "X": "Scale",
}

Run = Callable[[Lab], None]
StoreRun = Callable[[Store], None]


@dataclass(frozen=True)
class Fault:
    """One fault.

    Attributes:
        id: Letter of the group, and a number.
        made: How the fault is made.
        holds: What must hold.
        landing: Makes it in a landing zone and asserts what must hold; None for one of tables.
        tables: Makes it in a home with tables, by Spark, and asserts; None for one of landing.
        is_short: Whether every run of the tests makes it; the others are made by the long tests.
        missing: What must still be built before it holds; "" where it does.
    """

    id: str
    made: str
    holds: str
    landing: Run | None = None
    tables: StoreRun | None = None
    is_short: bool = True
    missing: str = ""


FAULTS: list[Fault] = []


def fault(
    id: str, made: str, holds: str, *, short: bool = True, missing: str = ""
) -> Callable[[Run], Run]:
    """Declares the decorated function as the run of a fault of landing."""

    def declare(run: Run) -> Run:
        FAULTS.append(Fault(id, made, holds, landing=run, is_short=short, missing=missing))
        return run

    return declare


def table_fault(
    id: str, made: str, holds: str, *, short: bool = False, missing: str = ""
) -> Callable[[StoreRun], StoreRun]:
    """Declares the decorated function as the run of a fault of tables."""

    def declare(run: StoreRun) -> StoreRun:
        FAULTS.append(Fault(id, made, holds, tables=run, is_short=short, missing=missing))
        return run

    return declare


def all_faults() -> list[Fault]:
    """Every declared fault, in the order of the modules' names."""
    for file in sorted(Path(__file__).parent.glob("faults_*.py")):
        import_module(f"tests.faults.{file.stem}")
    return FAULTS
