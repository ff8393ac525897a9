"""A run that would reject too many records stops before silver changes."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from goldlake_core.contracts.errors import GateRefused
from goldlake_core.contracts.sections import UseCase
from goldlake_core.storage.deltalog import DeltaLog
from goldlake_core.storage.home import Home
from lakehouse import audit, epochs, silver, specs, stages
from tests.lakehouse.records import crime, land, silent

pytestmark = pytest.mark.spark


@pytest.fixture
def plain(usecase: UseCase) -> UseCase:
    """Without gold, which does not matter here."""
    return replace(usecase, gold={})


def _versions(usecase: UseCase, home: Home, epoch: int = 1) -> list[int | None]:
    tables = (specs.versions(usecase, home, epoch), specs.silver(usecase, home, epoch))
    return [DeltaLog(spec.uri).latest() for spec in tables]


def test_a_share_above_the_limit_stops_before_silver_changes(
    spark: Any, plain: UseCase, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Five never stop a run, whatever their share.
    few = [crime(1), *(crime(key, ward="51") for key in range(2, 7))]
    page = land(home, plain, "one", few)
    assert stages.refine(spark, plain, home, "few", silent).fates.quarantined == 5
    before = _versions(plain, home)
    many = [crime(key, ward="51" if key % 9 == 0 else "1") for key in range(10, 70)]
    page = land(home, plain, "two", many)
    words = (
        rf"6 of 60 records \(10\.0%\) would be rejected \(ward\.range 6\), such as {page}:9 "
        r"\(ward\.range\) \{\"id\": \"18\".*; nothing was refined\. Valid: silver\.most_rejected "
        r"of chicago_crime: at most 5\.0%\. Next: .*the same command with --accept-rejected"
    )
    for _ in range(2):  # the same records have the same answer
        with pytest.raises(GateRefused, match=words) as caught:
            stages.refine(spark, plain, home, "many", silent)
        assert caught.value.exit_code == 3
        assert _versions(plain, home) == before
    # Cut into several commits, all of the run is counted before the first.
    land(home, plain, "three", [crime(key) for key in range(80, 90)])
    with monkeypatch.context() as patch:
        patch.setattr(silver, "RECORDS_PER_COMMIT", 10)
        with pytest.raises(GateRefused, match=r"6 of 70 records \(8\.6%\)"):
            stages.refine(spark, plain, home, "groups", silent)
        assert _versions(plain, home) == before
        # Until it is refined, nothing is lost.
        audit.check(spark, plain, home, 1, silent)
        audit.deep(spark, plain, home, 1, silent)
        patched = replace(plain, silver=replace(plain.silver, most_rejected=0.1))
        result = stages.refine(spark, patched, home, "raised", silent)
    assert (result.fates.quarantined, result.totals.landed) == (6, 76)


def test_an_edit_that_rejects_history_stops_before_the_new_epoch_answers(
    spark: Any, plain: UseCase, home: Home
) -> None:
    land(home, plain, "one", [crime(key, ward=str(key)) for key in range(1, 21)])
    stages.refine(spark, plain, home, "first", silent)
    columns = tuple(
        replace(column, range=(1, 10)) if column.name == "ward" else column
        for column in plain.silver.columns
    )
    narrow = replace(plain, silver=replace(plain.silver, columns=columns))
    for _ in range(2):
        with pytest.raises(GateRefused, match=r"10 of 20 records \(50\.0%\)"):
            stages.refine(spark, narrow, home, "narrow", silent)
        assert epochs.current(home, plain.name) == 1
    assert stages.refine(spark, plain, home, "undone", silent).new_records == 0
    accepted = stages.refine(spark, narrow, home, "accepted", silent, accept_rejected=True)
    assert (epochs.current(home, plain.name), accepted.totals.silver) == (2, 10)
    # What was accepted stays accepted: only records of a run count in an epoch that answers.
    land(home, plain, "two", [crime(30, ward="3")])
    assert stages.refine(spark, narrow, home, "next", silent).fates.inserted == 1
