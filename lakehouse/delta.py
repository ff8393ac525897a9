"""All of Spark's reads and writes of Delta tables. Reading versions and files: see `deltalog`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from goldlake_core.contracts.errors import StoreError
from goldlake_core.contracts.sql_rules import literal, quoted
from goldlake_core.storage.deltalog import CommitMetadata, DeltaLog, Field
from lakehouse.specs import TableSpec

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

DELETED = "_deleted"
_METADATA = "spark.databricks.delta.commitInfo.userMetadata"


@dataclass(frozen=True)
class Txn:
    """Makes a write idempotent: Delta skips a write whose number an application has reached.

    Attributes:
        app: Application id; here one per stream and table.
        version: Number of the write, growing.
    """

    app: str
    version: int


def create(spark: SparkSession, spec: TableSpec) -> bool:
    """Creates a table that is not there, with comments, NOT NULL and CHECK constraints.

    Returns:
        Whether it was created.
    """
    if DeltaLog(spec.uri).exists():
        return False
    from delta.tables import DeltaTable

    builder = DeltaTable.createIfNotExists(spark).location(spec.uri).comment(spec.comment)
    for field in spec.fields:
        builder = builder.addColumn(
            field.name, field.type, nullable=field.nullable, comment=field.comment
        )
    for name, value in spec.properties.items():
        builder = builder.property(name, value)
    for name, expression in spec.constraints.items():
        builder = builder.property(f"delta.constraints.{name}", expression)
    if spec.partition:
        builder = builder.partitionedBy(spec.partition)
    builder.execute()
    return True


def read(spark: SparkSession, uri: str, version: int | None = None) -> DataFrame:
    """The rows of a table at a version; default the newest, fixed when this is called."""
    pinned = DeltaLog(uri).latest() if version is None else version
    return spark.read.format("delta").option("versionAsOf", str(pinned)).load(uri)


def changes(spark: SparkSession, uri: str, first: int, last: int) -> DataFrame:
    """The change data feed of versions ``first`` to ``last``, both included.

    Columns: the table's, ``_change_type`` (insert, update_preimage, update_postimage, delete),
    ``_commit_version`` and ``_commit_timestamp``.
    """
    return (
        spark.read.format("delta")
        .option("readChangeFeed", "true")
        .option("startingVersion", str(first))
        .option("endingVersion", str(last))
        .load(uri)
    )


def append(
    rows: DataFrame,
    uri: str,
    *,
    txn: Txn | None = None,
    metadata: CommitMetadata | None = None,
) -> None:
    """Appends rows; with a ``txn`` at most once."""
    writer = rows.write.format("delta").mode("append")
    if txn:
        writer = writer.option("txnAppId", txn.app).option("txnVersion", str(txn.version))
    if metadata:
        writer = writer.option("userMetadata", json.dumps(metadata))
    with _about(uri):
        writer.save(uri)


def merge(
    rows: DataFrame,
    uri: str,
    key: tuple[str, ...],
    *,
    txn: Txn | None = None,
    metadata: CommitMetadata | None = None,
) -> None:
    """Upserts rows by key; with a ``txn`` at most once.

    Args:
        rows: At most one row per key, with the table's columns. A boolean column ``_deleted``
            may be there: rows where it is true are removed from the table.
        uri: Location of the table.
        key: Columns that identify a row.
        txn: Makes the write idempotent.
        metadata: JSON object stored with the commit.
    """
    from delta.tables import DeltaTable

    spark = rows.sparkSession
    table = DeltaTable.forPath(spark, uri)
    nullable = {f.name: f.nullable for f in DeltaLog(uri).snapshot().schema}
    on = " and ".join(f"t.{quoted(k)} {'<=>' if nullable[k] else '='} s.{quoted(k)}" for k in key)
    columns = [name for name in rows.columns if name != DELETED]
    values = {quoted(name): f"s.{quoted(name)}" for name in columns}
    merging = table.alias("t").merge(rows.alias("s"), on)
    if DELETED in rows.columns:
        merging = (
            merging.whenMatchedDelete(f"s.{DELETED}")
            .whenMatchedUpdate(set=values)
            .whenNotMatchedInsert(f"not s.{DELETED}", values)
        )
    else:
        merging = merging.whenMatchedUpdate(set=values).whenNotMatchedInsert(values=values)
    confs = {}
    if txn:
        confs["spark.databricks.delta.write.txnAppId"] = txn.app
        confs["spark.databricks.delta.write.txnVersion"] = str(txn.version)
    if metadata:
        confs[_METADATA] = json.dumps(metadata)
    with session_confs(spark, confs), _about(uri):
        merging.execute()


def delete(spark: SparkSession, uri: str, condition: str, metadata: CommitMetadata) -> None:
    """Deletes the rows that meet a condition, in one commit."""
    from delta.tables import DeltaTable

    with with_metadata(spark, metadata):
        DeltaTable.forPath(spark, uri).delete(condition)


def with_metadata(spark: SparkSession, metadata: CommitMetadata) -> AbstractContextManager[None]:
    """A block whose commits store a JSON object."""
    return session_confs(spark, {_METADATA: json.dumps(metadata)})


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
    if is_same_shape(spec, snapshot.schema):
        writer = writer.option("overwriteSchema", "false")
    changed = constraint_changes(spec, snapshot.properties)
    _require_rules(rows, spec, changed["add"])
    for name in changed["drop"]:
        spark.sql(f"ALTER TABLE {_sql(spec.uri)} DROP CONSTRAINT {quoted(name)}")
    with _about(spec.uri):
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
    differing = {k: v for k, v in spec.properties.items() if present.get(k) != v}
    if differing:
        pairs = ", ".join(f"{literal(k)} = {literal(v)}" for k, v in differing.items())
        spark.sql(f"ALTER TABLE {_sql(spec.uri)} SET TBLPROPERTIES ({pairs})")


@contextmanager
def _about(uri: str) -> Iterator[None]:
    """Notes on what Spark raises which table was written: its messages often do not say."""
    try:
        yield
    except Exception as error:
        error.about = uri  # type: ignore[attr-defined]
        raise


@contextmanager
def session_confs(spark: SparkSession, confs: Mapping[str, str]) -> Iterator[None]:
    """Sets session settings and unsets them afterwards, or the next write would be skipped."""
    before = {name: spark.conf.get(name, None) for name in confs}
    for name, value in confs.items():
        spark.conf.set(name, value)
    try:
        yield
    finally:
        for name, earlier in before.items():
            if earlier is None:
                spark.conf.unset(name)
            else:
                spark.conf.set(name, earlier)


def _sql(uri: str) -> str:
    return f"delta.{quoted(uri)}"
