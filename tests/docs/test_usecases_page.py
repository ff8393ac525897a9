"""The page of data sets is what the record says."""

from __future__ import annotations

from benchmarks import usecases
from tests.usecases.datasets import MADE, REAL


def test_the_page_is_that_of_the_record() -> None:
    rows = usecases.recorded()
    assert usecases.PAGE.read_text(encoding="utf-8") == usecases.page(rows)
    assert {row.name for row in rows} == {each.name for each in (*MADE, *REAL)}
    heads = {each.name: each.head for each in (*MADE, *REAL)}
    assert {row.name: row.head for row in rows} == heads
