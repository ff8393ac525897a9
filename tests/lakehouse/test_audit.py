"""A lost or doubled record makes the run fail and is named."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from goldlake_core.contracts.errors import StoreError
from goldlake_core.contracts.sections import UseCase
from goldlake_core.storage.home import Home
from lakehouse import audit, delta, specs, stages
from lakehouse.deltalog import DeltaLog
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
    fates = specs.fates(usecase, module_home).uri
    with (
        planted(spark, fates, delete=f"file = '{pages[0]}' and line = 4"),
        pytest.raises(StoreError, match=rf"the fates .* 1 page \(missing: {pages[0]}:4\)"),
    ):
        stages.refine(spark, usecase, module_home, "lost", silent)


def test_one_lost_and_one_doubled_do_not_cancel_out(
    spark: Any, usecase: UseCase, module_home: Home, pages: list[str]
):
    fates = specs.fates(usecase, module_home).uri
    lost, doubled = (f"file = '{pages[0]}' and line = {line}" for line in (3, 1))
    message = rf"missing: {pages[0]}:3; more than once: {pages[0]}:1"
    with (
        planted(spark, fates, delete=lost, double=doubled),
        pytest.raises(StoreError, match=message),
    ):
        audit.check(spark, usecase, module_home, silent)


@pytest.mark.parametrize(
    ("layer", "delete", "message"),
    [
        ("silver", "id = 1", "silver has 5 rows and 6 records were inserted"),
        ("quarantine", "line = 1", "quarantine has 1 rows and 2 records were quarantined"),
    ],
)
def test_a_row_missing_further_on_is_found(
    spark: Any,
    usecase: UseCase,
    module_home: Home,
    pages: list[str],
    layer: str,
    delete: str,
    message: str,
):
    uri = getattr(specs, layer)(usecase, module_home).uri
    with planted(spark, uri, delete=delete), pytest.raises(StoreError, match=message):
        audit.check(spark, usecase, module_home, silent)


def test_an_interrupted_landing_is_told(
    spark: Any, usecase: UseCase, module_home: Home, pages: list[str]
):
    zone = specs.landing(usecase, module_home)
    entry = next(entry for entry in zone.manifest() if entry.name == pages[1])
    module_home.fs.rm(f"{zone.manifest_uri}/{pages[1]}.json")
    said: list[str] = []
    audit.check(spark, usecase, module_home, lambda kind, message, **_: said.append(message))
    zone.write_manifest(entry)
    assert len(said) == 1
    assert f"no manifest line yet, {pages[1]}" in said[0]


def test_the_second_run_does_nothing_and_says_so(spark: Any, usecase: UseCase, home: Home):
    land(home, usecase, "one", [crime(1), b"junk"])
    first = stages.refine(spark, usecase, home, "first", silent)
    uris = [spec.uri for spec in specs.all_tables(usecase, home)]
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
