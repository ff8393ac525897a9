"""A lost or doubled record makes the run fail and is named."""

from __future__ import annotations

from typing import Any

import pytest

from goldlake.contracts.errors import StoreError
from goldlake.contracts.usecase import UseCase
from goldlake.storage.home import Home
from lakehouse import audit, delta, specs, stages
from lakehouse.deltalog import DeltaLog
from tests.lakehouse.records import crime, land, silent

pytestmark = pytest.mark.spark


def refine(spark: Any, usecase: UseCase, home: Home) -> dict[str, Any]:
    return stages.refine(spark, usecase, home, "run", silent)


def forget(spark: Any, uri: str, page: str, line: int) -> None:
    from delta.tables import DeltaTable

    DeltaTable.forPath(spark, uri).delete(f"file = '{page}' and line = {line}")


def test_a_lost_record_is_named_in_bronze_and_in_the_fates(
    spark: Any, usecase: UseCase, home: Home
):
    page = land(home, usecase, "one", [crime(key) for key in range(1, 6)])
    other = land(home, usecase, "two", [crime(key) for key in range(6, 9)])
    assert refine(spark, usecase, home)["new_records"] == 8
    fates = specs.fates(usecase, home).uri
    row = delta.read(spark, fates).where(f"file = '{page}' and line = 4").limit(1).persist()
    row.count()
    forget(spark, fates, page, 4)
    with pytest.raises(StoreError, match=rf"the fates .* 1 page \(missing: {page}:4\)"):
        refine(spark, usecase, home)
    delta.append(row, fates)
    assert refine(spark, usecase, home)["totals"]["landed"] == 8
    delta.append(row, fates)
    with pytest.raises(StoreError, match=f"more than once: {page}:4"):
        refine(spark, usecase, home)
    row.unpersist()
    forget(spark, specs.bronze(usecase, home).uri, other, 2)
    with pytest.raises(StoreError, match=rf"bronze .*missing: {other}:2"):
        refine(spark, usecase, home)


def test_one_lost_and_one_doubled_do_not_cancel_out(spark: Any, usecase: UseCase, home: Home):
    page = land(home, usecase, "one", [crime(key) for key in range(1, 4)])
    refine(spark, usecase, home)
    fates = specs.fates(usecase, home).uri
    doubled = delta.read(spark, fates).where("line = 1")
    delta.append(doubled, fates)
    forget(spark, fates, page, 3)
    assert delta.read(spark, fates).count() == 3
    with pytest.raises(StoreError, match=rf"missing: {page}:3; more than once: {page}:1"):
        audit.check(spark, usecase, home, silent)


def test_a_row_missing_in_silver_is_found(spark: Any, usecase: UseCase, home: Home):
    from delta.tables import DeltaTable

    land(home, usecase, "one", [crime(1), crime(2)])
    refine(spark, usecase, home)
    DeltaTable.forPath(spark, specs.silver(usecase, home).uri).delete("id = 1")
    with pytest.raises(StoreError, match="silver has 1 rows and 2 records were inserted"):
        refine(spark, usecase, home)


def test_the_second_run_does_nothing_and_says_so(spark: Any, usecase: UseCase, home: Home):
    assert refine(spark, usecase, home)["new_records"] == 0
    land(home, usecase, "one", [crime(1), b"junk", crime(3, community_area="99", ward="51")])
    first = refine(spark, usecase, home)
    assert first["fates"]["quarantined"] == 2
    assert first["reasons"] == {"community_area.range": 1, "json.invalid": 1, "ward.range": 1}
    uris = [spec.uri for spec in specs.all_tables(usecase, home)]
    before = [DeltaLog(uri).latest() for uri in uris]
    said: list[str] = []
    second = stages.refine(
        spark, usecase, home, "again", lambda kind, message, **_: said.append(message)
    )
    assert (second["new_records"], second["fates"]["landed"]) == (0, 0)
    assert second["totals"] == first["totals"]
    assert [DeltaLog(uri).latest() for uri in uris] == before
    assert said == ["chicago_crime: nothing new; 1 rows in silver"]


def test_an_interrupted_landing_is_told_and_loses_nothing(spark: Any, usecase: UseCase, home: Home):
    page = land(home, usecase, "one", [crime(1)])
    other = land(home, usecase, "two", [crime(2)])
    zone = specs.landing(usecase, home)
    entry = zone.entry(other)
    assert entry is not None
    home.fs.rm(f"{zone.manifest_uri}/{other}.json")
    said: list[str] = []
    stages.refine(spark, usecase, home, "run", lambda kind, message, **_: said.append(message))
    assert any(f"no manifest line yet, {other}" in message for message in said)
    zone.write_manifest(entry)
    assert refine(spark, usecase, home)["totals"]["landed"] == 2
    assert page != other
