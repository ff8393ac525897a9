"""The page of data sets is what the record says."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from benchmarks import usecases
from benchmarks.usecase_records import Record, recorded
from goldlake_core.contracts.errors import UsageError
from tests.usecases.datasets import MADE, REAL
from tests.usecases.figures import whole
from tests.usecases.whole import CASES


def test_the_page_is_that_of_the_record() -> None:
    record = recorded()
    assert usecases.PAGE.read_text(encoding="utf-8") == usecases.page(record)
    heads = {each.name: each.head for each in (*MADE, *REAL)}
    assert {row.name: row.head for row in record.looked_at} == heads
    assert {run.name for run in record.whole} == {case.name for case in CASES}


def test_a_verdict_is_that_of_the_figures() -> None:
    run = whole(
        head="binary",
        metric="auc",
        value=0.8,
        constant=0.5,
        boosting=0.9,
        answer={"probability": 0.25, "classes": ["x"]},
    )
    page = usecases.page(Record(whole=(run,)), {"a": "It has ten rows."})
    assert "| `a` | made by the tests | 0 | 1.0 | 10 | 10 inserted | `b` |" in page
    assert "`probability: 0.25` |" in page
    assert "| 6, 2, 2 | auc | 0.8 | 0.5 | 0.9 | -0.2 to -0.1 | below |" in page
    assert "- `a`: It has ten rows." in page
    with pytest.raises(UsageError, match="a: below gradient boosting, and nothing says why"):
        usecases.page(Record(whole=(run,)), {})
    verdicts = {
        "near": replace(run, boosting=0.81),
        "may be equal": replace(run, better=(-0.2, 0.1)),
    }
    for verdict, other in verdicts.items():
        assert f"| {verdict} |" in usecases.page(Record(whole=(other,)))
    error = replace(run, metric="rmse", value=1.03, boosting=1.0)
    assert (error.is_near, replace(error, value=1.02).is_near) == (False, True)
