"""A lost or doubled record makes the run fail and is named."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from goldlake_core.contracts.errors import UsageError
from goldlake_core.contracts.sections import UseCase
from goldlake_core.storage.deltalog import DeltaLog
from goldlake_core.storage.home import Home
from lakehouse import audit, delta, epochs, specs, stages
from lakehouse.quarantine import rejected
from tests.lakehouse.records import crime, land, silent

pytestmark = pytest.mark.spark

DIRTY: list[dict[str, Any] | bytes] = [b"junk", crime(6, community_area="99", ward="51")]


@pytest.fixture(scope="module")
def pages(spark: Any, usecase: UseCase, module_home: Home) -> list[str]:
    """Names of two pages that went the whole way: five clean records; one clean, two dirty ones."""
    assert stages.refine(spark, usecase, module_home, "none", silent).new_records == 0
    clean = land(module_home, usecase, "clean", [crime(key) for key in range(1, 6)])
    mixed = land(module_home, usecase, "mixed", [*DIRTY, crime(7)])
    result = stages.refine(spark, usecase, module_home, "first", silent)
    assert (result.new_records, result.totals.silver) == (8, 6)
    assert result.fates.quarantined == 2
    assert result.reasons == {"community_area.range": 1, "json.invalid": 1, "ward.range": 1}
    return [clean, mixed]


def test_the_second_run_does_nothing_and_says_so(spark: Any, usecase: UseCase, home: Home):
    land(home, usecase, "one", [crime(1), b"junk"])
    first = stages.refine(spark, usecase, home, "first", silent)
    uris = [spec.uri for spec in specs.all_tables(usecase, home, 1)]
    before = [DeltaLog(uri).latest() for uri in uris]
    said: list[str] = []
    second = stages.refine(
        spark, usecase, home, "again", lambda kind, message, **_: said.append(message)
    )
    assert (second.new_records, second.fates.landed) == (0, 0)
    assert second.totals == first.totals
    assert [DeltaLog(uri).latest() for uri in uris] == before
    assert said == ["chicago_crime: nothing new; 1 rows in silver"]


def test_rejected_records_are_listed_with_their_text(
    spark: Any, usecase: UseCase, module_home: Home, pages: list[str]
):
    found = rejected(usecase.name, module_home, limit=1)
    assert (found.total, found.reasons) == (
        2,
        {"community_area.range": 1, "json.invalid": 1, "ward.range": 1},
    )
    [newest] = found.records
    assert (newest.record, newest.key) == (f"{pages[1]}:2", "6")
    assert newest.reasons == ("ward.range", "community_area.range")
    assert '"ward": "51"' in newest.value
    junk = rejected(usecase.name, module_home, reason="json.invalid", limit=9)
    assert [record.value for record in junk.records] == ["junk"]
    assert rejected(usecase.name, module_home, record=f"{pages[1]}:1", limit=1).records == (
        junk.records
    )
    with pytest.raises(
        UsageError, match=r"No record .* was rejected for 'ward\.rang'.*ward\.range"
    ):
        rejected(usecase.name, module_home, reason="ward.rang", limit=1)
    with pytest.raises(UsageError, match="is not in quarantine"):
        rejected(usecase.name, module_home, record=f"{pages[0]}:1", limit=1)
    with pytest.raises(UsageError, match="No records of nobody were refined"):
        rejected("nobody", module_home, limit=1)


def test_a_rebuild_makes_the_same_rows_as_a_new_epoch(
    spark: Any, usecase: UseCase, module_home: Home, pages: list[str]
):
    plain = replace(usecase, gold={})
    before = delta.read(spark, specs.silver(usecase, module_home, 1).uri)
    result = stages.refine(spark, plain, module_home, "rebuild", silent, is_rebuild=True)
    assert (result.new_records, result.totals.silver) == (8, 6)
    assert epochs.current(module_home, usecase.name) == 2
    after = delta.read(spark, specs.silver(usecase, module_home, 2).uri)
    assert after.exceptAll(before).count() == before.exceptAll(after).count() == 0
    audit.deep(spark, plain, module_home, 2, silent)
