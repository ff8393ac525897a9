"""Every fault of the list is survived, and the server is as before."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.serving import table
from tests.faults.serving.catalog import Fault, all_faults
from tests.faults.serving.lab import place


@pytest.mark.parametrize("fault", all_faults(), ids=lambda fault: fault.id)
def test_the_server_survives(fault: Fault, tmp_path: Path) -> None:
    with place(tmp_path, **fault.settings) as here:
        fault.run(here)
        if not fault.is_end:
            here.check()


def test_ids_are_told_apart() -> None:
    ids = [fault.id for fault in all_faults()]
    assert len(set(ids)) == len(ids)


def test_the_table_in_the_book_lists_them_all() -> None:
    message = "run: python -m tests.faults.serving.table"
    assert table.PAGE.read_text(encoding="utf-8") == table.page(), message
