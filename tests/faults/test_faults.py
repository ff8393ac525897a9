"""Every fault of the list is survived, or fails as the list says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.faults import table
from tests.faults.catalog import Fault, all_faults
from tests.faults.lab import lab
from tests.faults.store import Ready


def _params(faults: list[Fault]) -> list[Any]:
    """One parameter per fault, with the marks of its test; those of every run come first."""
    found = []
    for fault in sorted(faults, key=lambda fault: not fault.is_short):
        marks = [] if fault.is_short else [pytest.mark.long]
        if fault.missing:
            marks.append(pytest.mark.xfail(reason=fault.missing, raises=AssertionError))
        found.append(pytest.param(fault, id=fault.id, marks=marks))
    return found


@pytest.mark.parametrize("fault", _params([f for f in all_faults() if f.landing]))
def test_landing_survives(fault: Fault, tmp_path: Path) -> None:
    assert fault.landing is not None
    with lab(tmp_path) as place:
        fault.landing(place)


@pytest.mark.spark
@pytest.mark.parametrize("fault", _params([f for f in all_faults() if f.tables]))
def test_tables_survive(fault: Fault, ready: Ready, tmp_path: Path) -> None:
    assert fault.tables is not None
    fault.tables(ready.copy(tmp_path))


def test_ids_are_told_apart() -> None:
    ids = [fault.id for fault in all_faults()]
    assert len(set(ids)) == len(ids)


def test_each_is_made_in_one_place() -> None:
    assert [f.id for f in all_faults() if (f.landing is None) == (f.tables is None)] == []


def test_the_table_in_the_book_lists_them_all() -> None:
    message = "run: python -m tests.faults.table"
    assert table.PAGE.read_text(encoding="utf-8") == table.page(), message
