"""Any table: init, check, land and type, with nothing edited in between and without Spark.

The whole runs are in `tests/end_to_end/test_any_label.py`, a long part.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import msgspec
import pytest

from benchmarks.usecase_records import Row
from goldlake.workflows.check import check_usecase
from goldlake.workflows.drafting.draft import draft
from goldlake_core.contracts.loader import load_contract
from goldlake_core.storage.home import Home
from lakehouse import specs
from lakehouse.sources.land import land
from tests.lakehouse.records import silent
from tests.usecases.datasets import MADE, REAL, DataSet

MOST_LANDED = 40_000
"""Records of a data set that is landed in these tests; larger ones are looked at only."""
RECORD = "GOLDLAKE_RECORD"
"""Variable with a folder in which each data set leaves what came of it, for the book's page."""


def came_of(each: DataSet, folder: Path, real: Path | None) -> Row:
    """Drafts, checks, lands and types a data set; nothing is edited."""
    where = each.at(folder, real)
    begun = time.process_time()
    draft(str(folder / each.name), where, each.label or None)
    report = check_usecase(str(folder / each.name), has_data=True)
    seconds = time.process_time() - begun
    assert [found.message for found in report.findings if found.severity == "error"] == []
    assert report.trial is not None
    usecase = load_contract(folder / each.name)
    landed = None
    if each.records <= MOST_LANDED:
        home = Home.at(folder / "home")
        for run in ("one", "two"):  # done twice is done once
            land(usecase, home, "live", None, None, run, silent)
        landed = sum(page.rows for page in specs.landing(usecase, home).manifest())
    heads = [model.head.kind for model in usecase.models.values()]
    return Row(
        name=each.name,
        place=each.place or each.file,
        records=report.trial.records,
        rejected=report.trial.rejected,
        landed=landed,
        columns=report.columns,
        head=heads[0] if heads else "",
        seconds=round(seconds, 1),
    )


def required(each: DataSet, came: Row) -> None:
    """What has to hold for every data set."""
    kept = os.environ.get(RECORD)
    if kept:
        (Path(kept) / f"{each.name}.json").write_bytes(msgspec.json.encode(came))
    assert came.records == min(each.records, 20_000)
    assert came.landed in (None, each.records)
    assert came.head == each.head
    assert came.seconds < 30  # of CPU; 10 on a quiet machine


@pytest.mark.parametrize("each", MADE, ids=lambda each: each.name)
def test_a_made_table_becomes_a_use_case(tmp_path: Path, each: DataSet) -> None:
    came = came_of(each, tmp_path, None)
    required(each, came)
    assert came.rejected == 0


@pytest.mark.parametrize("each", REAL, ids=lambda each: each.name)
def test_a_real_table_becomes_a_use_case(tmp_path: Path, test_data: Path, each: DataSet) -> None:
    came = came_of(each, tmp_path, test_data)
    required(each, came)
    # Of the export that was cut off, the last line is no record.
    assert came.rejected == (1 if each.name == "cut" else 0)
