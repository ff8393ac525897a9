"""Spark's reads of a table by the files that its log names: no state of the table is rebuilt."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from goldlake_core.contracts.errors import StoreError
from goldlake_core.storage.deltalog import DataFile, Snapshot

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.types import StructType

_MAPPED = "delta.columnMapping.mode"


def schema_of(snapshot: Snapshot) -> StructType:
    """The columns of a version, comments included."""
    from pyspark.sql.types import StructType

    fields = msgspec.to_builtins(snapshot.schema)
    return StructType.fromJson({"type": "struct", "fields": fields})


def is_plain(snapshot: Snapshot) -> bool:
    """Whether the rows of a version are those of its files, column by column."""
    return not snapshot.reader_features and snapshot.properties.get(_MAPPED, "none") == "none"


def rows_of(
    spark: SparkSession, snapshot: Snapshot, chosen: Sequence[DataFile] | None = None
) -> DataFrame:
    """The rows of a version, or those of some files of it or of an earlier version.

    A table to which another program gave features of Delta that change how files are read (deletion
    vectors, other names of columns) is read by Delta, and only whole.

    Returns:
        The table's columns in their order; where there are files, Spark's hidden column
        ``_metadata`` too.

    Raises:
        StoreError: Some files of such a table are asked for.
    """
    from pyspark.sql import functions as F

    if not is_plain(snapshot):
        if chosen is not None:
            raise StoreError(
                f"The table at {snapshot.uri} got features of Delta that goldlake does not write "
                f"({', '.join(snapshot.reader_features) or _MAPPED})",
                hint="goldlake rebuild makes the tables again without them",
            )
        reader = spark.read.format("delta").option("versionAsOf", str(snapshot.version))
        return reader.load(snapshot.uri)
    schema = schema_of(snapshot)
    wanted = snapshot.files if chosen is None else chosen
    if not wanted:
        none = (F.lit(None).cast(f.dataType).alias(f.name, metadata=f.metadata) for f in schema)
        return spark.range(0).select(*none)
    # Partition columns are in the names of the folders below the table's.
    reader = spark.read.schema(schema).option("__globPaths__", "false")
    reader = reader.option("basePath", snapshot.uri)
    rows = reader.parquet(*(posixpath.join(snapshot.uri, file.path) for file in wanted))
    return rows.select(*schema.names) if any(file.partition for file in wanted) else rows
