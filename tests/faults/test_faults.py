"""Every fault of the list is survived."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults import table
from tests.faults.catalog import Fault, all_faults
from tests.faults.lab import lab

BUILT = [fault for fault in all_faults() if fault.run]


@pytest.mark.parametrize("fault", BUILT, ids=lambda fault: fault.id)
def test_it_is_survived(fault: Fault, tmp_path: Path) -> None:
    assert fault.run is not None
    with lab(tmp_path) as place:
        fault.run(place)


def test_ids_are_told_apart() -> None:
    ids = [fault.id for fault in all_faults()]
    assert len(set(ids)) == len(ids)


def test_the_table_in_the_book_lists_them_all() -> None:
    """It was written by a run in which each was survived: `python -m tests.faults.table`."""
    survived = {fault.id: True for fault in BUILT}
    assert table.PAGE.read_text(encoding="utf-8") == table.page(survived)
