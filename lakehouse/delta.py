"""All of Spark's reads and writes of Delta tables. Reading versions and files: see `deltalog`."""

from __future__ import annotations

import json
import posixpath
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from functools import reduce
from typing import TYPE_CHECKING

from goldlake_core.contracts.errors import StoreError
from goldlake_core.contracts.sql_rules import literal, quoted
from goldlake_core.storage.deltalog import CommitMetadata, DataFile, DeltaLog, Field, Snapshot
from lakehouse import files, transaction
from lakehouse.specs import STATISTICS, TableSpec
from lakehouse.transaction import Txn

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

DELETED = "_deleted"
ROWS_PER_FILE = 200_000
# All files of a table with up to this many rows are written again: asking which of them hold a key
# costs as much.
SMALL_TABLE_ROWS = 2 * ROWS_PER_FILE
# So many small files of a table are written into one, where others are written again anyway.
SMALL_FILES, SMALL_FILE_ROWS = 8, 10_000


def create(spark: SparkSession, spec: TableSpec) -> bool:
    """Creates a table that is not there, with comments, NOT NULL and CHECK constraints.

    Returns:
        Whether it was created.
    """
    log = DeltaLog(spec.uri)
    if log.exists():
        return False
    log.clear_unborn()
    from delta.tables import DeltaTable

    builder = DeltaTable.createIfNotExists(spark).location(spec.uri).comment(spec.comment)
    for field in spec.fields:
        builder = builder.addColumn(
            field.name, field.type, nullable=field.nullable, comment=field.comment
        )
    for name, value in spec.all_properties.items():
        builder = builder.property(name, value)
    for name, expression in spec.constraints.items():
        builder = builder.property(f"delta.constraints.{name}", expression)
    if spec.partition:
        builder = builder.partitionedBy(spec.partition)
    builder.execute()
    return True


def read(
    spark: SparkSession,
    uri: str,
    version: int | None = None,
    *,
    within: tuple[str, int, int] | None = None,
) -> DataFrame:
    """The rows of a table at a version; default the newest, fixed when this is called.

    Args:
        spark: The Spark session.
        uri: Location of the table.
        version: Number of the version.
        within: An integer column, and the least and greatest of its values to read; or None.
            Files without any of them are not read.
    """
    from pyspark.sql import functions as F

    snapshot = DeltaLog(uri).snapshot(version)
    if within is None:
        return files.rows_of(spark, snapshot)
    column, low, high = within
    chosen = None
    if files.is_plain(snapshot):
        chosen = [file for file in snapshot.files if file.may_hold(column, low, high)]
    rows = files.rows_of(spark, snapshot, chosen)
    # In a struct, the bounds stay out of the code that Spark generates: it is compiled once for the
    # reads of all batches.
    bounds = (F.struct(F.lit(bound).cast("bigint")) for bound in (low, high))
    return rows.where(F.struct(F.col(quoted(column)).cast("bigint")).between(*bounds))


def append(
    rows: DataFrame,
    uri: str,
    *,
    txn: Txn | None = None,
    metadata: CommitMetadata | None = None,
) -> None:
    """Appends rows, in one commit."""
    transaction.write(rows, DeltaLog(uri).snapshot(), txn=txn, metadata=metadata)


def merge(
    rows: DataFrame,
    uri: str,
    key: Sequence[str],
    *,
    txn: Txn | None = None,
    metadata: CommitMetadata | None = None,
) -> None:
    """Upserts rows by key, in one commit: files that hold one of the keys are written again.

    Of a small table, all files are.

    Args:
        rows: At most one row per key, with the table's columns. A boolean column ``_deleted``
            may be there: rows where it is true are removed from the table. They are computed
            more than once, so that they should be persisted.
        uri: Location of the table.
        key: Columns that identify a row.
        txn: Makes the write happen once.
        metadata: JSON object stored with the commit.
    """
    from pyspark.sql import functions as F

    spark, snapshot = rows.sparkSession, DeltaLog(uri).snapshot()
    keys = rows.select(*(F.col(quoted(name)).alias(f"_key_{name}") for name in key))
    is_same = reduce(
        lambda one, other: one & other,
        (F.col(quoted(name)).eqNullSafe(F.col(quoted(f"_key_{name}"))) for name in key),
    )
    replaced = _holding(files.rows_of(spark, snapshot), snapshot, keys, is_same)
    kept = files.rows_of(spark, snapshot, replaced).join(keys, is_same, "left_anti")
    new = rows.where(f"not {DELETED}").drop(DELETED) if DELETED in rows.columns else rows
    written = kept.unionByName(new) if replaced else new
    if replaced:
        held = sum(file.rows for file in replaced)
        written = written.coalesce(max(1, round(held / ROWS_PER_FILE)))
    transaction.write(written, snapshot, replaced=replaced, txn=txn, metadata=metadata)


def _holding(
    table: DataFrame, snapshot: Snapshot, keys: DataFrame, is_same: Column
) -> list[DataFile]:
    """The files of a version that have to be written again: those that hold one of some keys.

    Where many small ones were appended, they go with them.
    """
    from pyspark.sql import functions as F

    if snapshot.rows <= SMALL_TABLE_ROWS:
        return list(snapshot.files)
    names = {posixpath.basename(file.path): file for file in snapshot.files}
    placed = table.withColumn("_held_in", F.col("_metadata.file_name"))
    found = placed.join(keys, is_same, "left_semi").select("_held_in").distinct().collect()
    holding = [names[row["_held_in"]] for row in found]
    small = [f for f in snapshot.files if f.rows < SMALL_FILE_ROWS and f not in holding]
    return holding + (small if len(small) >= SMALL_FILES else [])


def delete(spark: SparkSession, uri: str, condition: str, metadata: CommitMetadata) -> None:
    """Deletes the rows that meet a condition, in one commit."""
    from delta.tables import DeltaTable

    with with_metadata(spark, metadata):
        DeltaTable.forPath(spark, uri).delete(condition)


def with_metadata(spark: SparkSession, metadata: CommitMetadata) -> AbstractContextManager[None]:
    """A block whose commits store a JSON object."""
    return transaction.session_confs(spark, {transaction.METADATA: json.dumps(metadata)})


def overwrite(rows: DataFrame, spec: TableSpec, metadata: CommitMetadata) -> None:
    """Replaces a table's rows in one commit; follows a changed schema, constraints and comments.

    The contract property is written last, so that an interrupted change is done again.

    Raises:
        StoreError: A row breaks a rule that is new; nothing was written.
    """
    spark = rows.sparkSession
    snapshot = DeltaLog(spec.uri).snapshot()
    writer = (
        rows.write.format("delta")
        .mode("overwrite")
        .option("userMetadata", json.dumps(metadata))
        .option("overwriteSchema", "true")
    )
    has_same_shape = is_same_shape(spec, snapshot.schema)
    if has_same_shape:
        writer = writer.option("overwriteSchema", "false")
    changed = constraint_changes(spec, snapshot.properties)
    _require_rules(rows, spec, changed["add"])
    for name in changed["drop"]:
        spark.sql(f"ALTER TABLE {_sql(spec.uri)} DROP CONSTRAINT {quoted(name)}")
    if not has_same_shape and STATISTICS in snapshot.properties:
        # Delta refuses a schema that lacks a column which is named there.
        spark.sql(f"ALTER TABLE {_sql(spec.uri)} UNSET TBLPROPERTIES ({literal(STATISTICS)})")
    with transaction.about(spec.uri):
        writer.save(spec.uri)
    add_constraints(spark, spec, changed["add"])
    set_comments(spark, spec)
    set_properties(spark, spec)


def _require_rules(rows: DataFrame, spec: TableSpec, names: list[str]) -> None:
    """Checks rows by rules that the table gets after them; raises StoreError for a broken one."""
    for name in names:
        broken = rows.where(f"not ({spec.constraints[name]})").limit(1).collect()
        if broken:
            raise StoreError(
                f"A row breaks the rule {name} of {spec.id} ({broken[0].asDict()}); nothing was "
                "written",
                hint="correct the function that makes the rows, or the rule in contract.yaml",
            )


def is_same_shape(spec: TableSpec, schema: tuple[Field, ...]) -> bool:
    """Whether a table has the declared columns, types and order."""
    declared = [(f.name, f.delta_type) for f in spec.fields]
    return declared == [(f.name, f.type) for f in schema]


def constraint_changes(spec: TableSpec, properties: Mapping[str, str]) -> dict[str, list[str]]:
    """Names of constraints to drop and to add; a changed one is in both."""
    prefix = "delta.constraints."
    present = {k[len(prefix) :]: v for k, v in properties.items() if k.startswith(prefix)}
    declared = {name.lower(): (name, sql) for name, sql in spec.constraints.items()}
    lower = {name.lower(): (name, sql) for name, sql in present.items()}
    return {
        "drop": [v[0] for k, v in lower.items() if k not in declared or declared[k][1] != v[1]],
        "add": [v[0] for k, v in declared.items() if k not in lower or lower[k][1] != v[1]],
    }


def add_constraints(spark: SparkSession, spec: TableSpec, names: list[str]) -> None:
    """Adds CHECK constraints; Delta refuses one that stored rows break."""
    for name in names:
        expression = spec.constraints[name]
        spark.sql(
            f"ALTER TABLE {_sql(spec.uri)} ADD CONSTRAINT {quoted(name)} CHECK ({expression})"
        )


def set_comments(spark: SparkSession, spec: TableSpec) -> None:
    """Brings the column comments up to the contract's."""
    schema = DeltaLog(spec.uri).snapshot().schema
    present = {f.name: f.comment for f in schema}
    for field in spec.fields:
        if present.get(field.name) != field.comment:
            spark.sql(
                f"ALTER TABLE {_sql(spec.uri)} ALTER COLUMN {quoted(field.name)} "
                f"COMMENT {literal(field.comment)}"
            )


def set_properties(spark: SparkSession, spec: TableSpec) -> None:
    """Sets the declared table properties that differ."""
    present = DeltaLog(spec.uri).snapshot().properties
    differing = {k: v for k, v in spec.all_properties.items() if present.get(k) != v}
    if differing:
        pairs = ", ".join(f"{literal(k)} = {literal(v)}" for k, v in differing.items())
        spark.sql(f"ALTER TABLE {_sql(spec.uri)} SET TBLPROPERTIES ({pairs})")


def _sql(uri: str) -> str:
    return f"delta.{quoted(uri)}"
