"""A lost or doubled record makes the run fail and is named."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from msgspec.structs import replace

from goldlake_core.contracts.errors import StoreError, UsageError
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


@contextmanager
def planted(spark: Any, uri: str, delete: str = "", double: str = "") -> Iterator[None]:
    """Deletes and doubles rows of a table; takes it back afterwards."""
    from delta.tables import DeltaTable

    table, before = DeltaTable.forPath(spark, uri), DeltaLog(uri).latest()
    if double:
        delta.append(delta.read(spark, uri).where(double), uri)
    if delete:
        table.delete(delete)
    yield
    table.restoreToVersion(before)


def test_a_lost_record_stops_the_run_and_is_named(
    spark: Any, usecase: UseCase, module_home: Home, pages: list[str]
):
    versions = specs.versions(usecase, module_home, 1).uri
    with (
        planted(spark, versions, delete=f"_file = '{pages[0]}' and _line = 4"),
        pytest.raises(StoreError, match=rf"the versions .* 1 page \(missing: {pages[0]}:4\)"),
    ):
        stages.refine(spark, usecase, module_home, "lost", silent)


def test_one_lost_and_one_doubled_do_not_cancel_out(
    spark: Any, usecase: UseCase, module_home: Home, pages: list[str]
):
    versions = specs.versions(usecase, module_home, 1).uri
    lost, doubled = (f"_file = '{pages[0]}' and _line = {line}" for line in (3, 1))
    message = rf"missing: {pages[0]}:3; more than once: {pages[0]}:1"
    with (
        planted(spark, versions, delete=lost, double=doubled),
        pytest.raises(StoreError, match=message),
    ):
        audit.deep(spark, usecase, module_home, 1, silent)


def test_a_row_missing_in_silver_is_found(
    spark: Any, usecase: UseCase, module_home: Home, pages: list[str]
):
    uri = specs.silver(usecase, module_home, 1).uri
    with (
        planted(spark, uri, delete="id = 1"),
        pytest.raises(StoreError, match="has 5 rows and 6 records were inserted"),
    ):
        audit.check(spark, usecase, module_home, 1, silent)


@pytest.mark.parametrize(
    ("layer", "change", "message"),
    [
        ("silver", "arrest = true", r"silver differs .*{page}:2 has other values than its record"),
        ("bronze", "value = replace(value, 'THEFT', 'ARSON')", r"bronze .*another text in: {page}"),
    ],
)
def test_a_changed_value_is_found(
    spark: Any,
    usecase: UseCase,
    module_home: Home,
    pages: list[str],
    layer: str,
    change: str,
    message: str,
):
    from delta.tables import DeltaTable

    spec = specs.silver(usecase, module_home, 1) if layer == "silver" else None
    uri = spec.uri if spec else specs.bronze(usecase, module_home).uri
    audit.deep(spark, usecase, module_home, 1, silent)
    column, value = change.split(" = ")
    where = "id = 2" if layer == "silver" else f"file = '{pages[0]}' and line = 2"
    with planted(spark, uri):
        DeltaTable.forPath(spark, uri).update(where, {column: value})
        with pytest.raises(StoreError, match=message.format(page=pages[0])):
            audit.deep(spark, usecase, module_home, 1, silent)


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


def test_a_record_missing_in_bronze_stops_the_run_and_is_named(
    spark: Any, usecase: UseCase, module_home: Home, pages: list[str]
):
    bronze = specs.bronze(usecase, module_home).uri
    with (
        planted(spark, bronze, delete=f"file = '{pages[1]}' and line = 2"),
        pytest.raises(StoreError, match=rf"bronze .*missing: {pages[1]}:2"),
    ):
        stages.refine(spark, usecase, module_home, "lost", silent)


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
