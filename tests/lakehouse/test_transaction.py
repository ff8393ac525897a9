"""A write by Delta's transaction keeps what Delta's own commands promise, for one job."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from goldlake_core.contracts.errors import RetryableError, StoreError
from goldlake_core.storage.deltalog import DeltaLog
from lakehouse import delta, files, specs, transaction
from lakehouse.transaction import Txn

pytestmark = pytest.mark.spark

SCHEMA = "id bigint, name string, n double"


@pytest.fixture
def spec(spark: Any, tmp_path: Path) -> specs.TableSpec:
    fields = (
        specs.Field("id", "bigint", "The key.", False),
        specs.Field("name", "string", "A name; it isn't needed."),
        specs.Field("n", "double", "A number."),
    )
    folder = tmp_path / "with space and %20 = é"
    made = specs.TableSpec(
        "a.silver.b", str(folder), "A table.", fields, {"small": "n is null or n < 100"}
    )
    delta.create(spark, made)
    return made


def jobs_of(spark: Any, work: Callable[[], object]) -> int:
    scheduler = spark.sparkContext._jsc.sc().dagScheduler()
    before = scheduler.numTotalJobs()
    work()
    return int(scheduler.numTotalJobs() - before)


def test_delta_reads_what_was_written_and_nothing_else(spark: Any, spec: specs.TableSpec):
    rows = spark.createDataFrame([(1, "a", 1.0), (2, None, None)], SCHEMA)
    assert jobs_of(spark, lambda: delta.append(rows, spec.uri, metadata={"through": 1})) == 1
    more = spark.createDataFrame([(2.5, 3, "c")], "n double, id int, name string")
    delta.append(more, spec.uri)  # in another order and of another type
    table = spark.read.format("delta").load(spec.uri)
    wanted = [(1, "a", 1.0), (2, None, None), (3, "c", 2.5)]
    assert sorted(map(tuple, table.collect())) == wanted
    assert sorted(map(tuple, delta.read(spark, spec.uri).collect())) == wanted
    assert [f.metadata["comment"] for f in files.schema_of(DeltaLog(spec.uri).snapshot())] == [
        "The key.",
        "A name; it isn't needed.",
        "A number.",
    ]
    snapshot = DeltaLog(spec.uri).snapshot()
    assert snapshot.rows == 3
    assert [f.may_hold("id", 3, 9) for f in snapshot.files] == [False, True]
    assert DeltaLog(spec.uri).commit(1).metadata == {"through": 1}
    assert sorted(r["id"] for r in delta.read(spark, spec.uri, within=("id", 2, 9)).collect()) == [
        2,
        3,
    ]


def test_rules_hold(spark: Any, spec: specs.TableSpec):
    for row, rule in (((None, "a", 1.0), "NOT NULL"), ((1, "a", 100.0), "small")):
        with pytest.raises(Exception, match=rule) as raised:
            delta.append(spark.createDataFrame([row], SCHEMA), spec.uri)
        assert raised.value.about == spec.uri  # type: ignore[attr-defined]
    assert DeltaLog(spec.uri).latest() == 0


def test_of_two_writers_with_one_number_one_is_refused(
    spark: Any, spec: specs.TableSpec, monkeypatch: pytest.MonkeyPatch
):
    row, txn = spark.createDataFrame([(1, "a", 1.0)], SCHEMA), Txn("app", 1)
    old = DeltaLog(spec.uri).snapshot()
    # The other one commits when the files of this one have been written.
    whole = transaction._actions

    def late(*given: Any) -> Any:
        monkeypatch.setattr(transaction, "_actions", whole)
        delta.append(row, spec.uri, txn=txn)
        return whole(*given)

    monkeypatch.setattr(transaction, "_actions", late)
    with pytest.raises(Exception, match="CONCURRENT_TRANSACTION"):
        delta.append(row, spec.uri, txn=txn)
    assert DeltaLog(spec.uri).snapshot().rows == 1
    with pytest.raises(RetryableError, match="Another program wrote the table at .* at the same"):
        transaction.write(row, old, txn=txn)
    assert DeltaLog(spec.uri).snapshot().rows == 1


def test_a_merge_writes_only_the_files_that_hold_a_key(
    spark: Any, spec: specs.TableSpec, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(delta, "SMALL_TABLE_ROWS", 0)
    for first in (0, 10, 20):
        delta.append(
            spark.createDataFrame([(first + k, "old", 1.0) for k in range(5)], SCHEMA), spec.uri
        )
    before = {f.path for f in DeltaLog(spec.uri).snapshot().files}
    changes = spark.createDataFrame(
        [(11, "new", 2.0, False), (12, None, None, True), (40, "new", 3.0, False)],
        f"{SCHEMA}, {delta.DELETED} boolean",
    ).persist()
    delta.merge(changes, spec.uri, ["id"], metadata={"through": 2})
    after = {f.path for f in DeltaLog(spec.uri).snapshot().files}
    assert (len(before & after), len(after)) == (2, 3)
    held = {r["id"]: r["name"] for r in spark.read.format("delta").load(spec.uri).collect()}
    old = {first + k for first in (0, 10, 20) for k in range(5)} - {11, 12}
    assert held == {**dict.fromkeys(old, "old"), 11: "new", 40: "new"}
    nothing = changes.where("false")
    delta.merge(nothing, spec.uri, ["id"], metadata={"through": 3})
    assert DeltaLog(spec.uri).last_commit_with("through").metadata == {"through": 3}  # type: ignore[union-attr]
    assert DeltaLog(spec.uri).snapshot().rows == 15


def test_many_small_files_go_with_those_that_are_written_again(spark: Any, spec: specs.TableSpec):
    for key in range(delta.SMALL_FILES + 1):
        delta.append(spark.createDataFrame([(key, "old", 1.0)], SCHEMA), spec.uri)
    change = spark.createDataFrame([(0, "new", 1.0)], SCHEMA).persist()
    delta.merge(change, spec.uri, ["id"])
    snapshot = DeltaLog(spec.uri).snapshot()
    assert (len(snapshot.files), snapshot.rows) == (1, delta.SMALL_FILES + 1)


def test_all_files_of_a_small_table_are_written_again(spark: Any, spec: specs.TableSpec):
    for first in (0, 10):
        delta.append(spark.createDataFrame([(first, "old", 1.0)], SCHEMA), spec.uri)
    change = spark.createDataFrame([(10, "new", 1.0)], SCHEMA).persist()
    change.count()
    number = jobs_of(spark, lambda: delta.merge(change, spec.uri, ["id"]))
    snapshot = DeltaLog(spec.uri).snapshot()
    assert (len(snapshot.files), snapshot.rows, number) == (1, 2, 2)


def test_a_table_with_features_of_others_is_read_whole_and_not_written(
    spark: Any, spec: specs.TableSpec
):
    rows = spark.createDataFrame([(key, "a", 1.0) for key in range(20)], SCHEMA)
    delta.append(rows.coalesce(1), spec.uri)
    table = f"delta.`{spec.uri}`"
    spark.sql(f"ALTER TABLE {table} SET TBLPROPERTIES ('delta.enableDeletionVectors' = 'true')")
    spark.sql(f"DELETE FROM {table} WHERE id = 7")
    assert DeltaLog(spec.uri).snapshot().reader_features
    assert delta.read(spark, spec.uri).count() == 19
    assert delta.read(spark, spec.uri, within=("id", 5, 8)).count() == 3
    change = spark.createDataFrame([(8, "b", 1.0)], SCHEMA).persist()
    with pytest.raises(StoreError, match="features of Delta .*deletionVectors.*goldlake rebuild"):
        delta.merge(change, spec.uri, ["id"])
    assert delta.read(spark, spec.uri).count() == 19
