"""Compares a gold table with what its build function makes, by key."""

from __future__ import annotations

import posixpath
import zlib
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from functools import reduce
from typing import TYPE_CHECKING

from goldlake_core.contracts.sql_rules import quoted
from goldlake_core.instants import utc_text
from goldlake_core.storage.deltalog import Snapshot
from lakehouse import delta
from lakehouse.specs import TableSpec

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, Row, SparkSession

NAMED = 5
# Sums of floating-point numbers differ in their last digits with the order of the rows: more so
# between a part of the rows and all than between two builds of the same rows.
NEAR, NEARER = 1e-9, 1e-12


def differences(
    wanted: DataFrame,
    found: DataFrame,
    spec: TableSpec,
    key: Sequence[str],
    tolerance: float = NEAR,
) -> list[str]:
    """How the rows of a table differ from those of a build, the first few by key.

    Args:
        wanted: Rows as a build makes them, with the table's columns.
        found: Rows of the table.
        spec: The declaration of the table.
        key: Columns that identify a row.
        tolerance: Share of a fractional number by which another one equals it.

    Returns:
        A sentence per key, at most `NAMED`; empty where all rows are equal.
    """
    from pyspark.sql import functions as F

    sides = [
        rows.groupBy(*map(quoted, key)).agg(
            F.first(F.struct(*map(quoted, spec.names))).alias(name),
            F.count("*").alias(f"{name}_rows"),
        )
        for name, rows in (("_wanted", wanted), ("_found", found))
    ]
    both = sides[0].join(sides[1], list(key), "full_outer")
    is_equal = reduce(
        lambda a, b: a & b, (_is_equal(f.name, f.type, tolerance) for f in spec.fields)
    )
    numbers = F.coalesce("_wanted_rows", F.lit(0)) == F.coalesce("_found_rows", F.lit(0))
    wrong = both.where(~(numbers & is_equal)).orderBy(*map(quoted, key)).limit(NAMED)
    return [_told(row, spec, key, tolerance) for row in wrong.collect()]


def sampled(
    spark: SparkSession,
    snapshot: Snapshot,
    key: Sequence[str],
    rows: int,
    new: frozenset[str] = frozenset(),
) -> DataFrame:
    """Up to a number of rows of one of a table's files: the same ones for the same version.

    Args:
        spark: The Spark session.
        snapshot: The version of the table.
        key: Columns that identify a row.
        rows: The most rows to take.
        new: Files that a batch added. Another one is taken where there is one; else the largest,
            because a file that was written again has rows of before.

    Returns:
        The rows, with the table's columns.
    """
    from pyspark.sql import functions as F

    whole = delta.read(spark, snapshot.uri, snapshot.version)
    if not snapshot.files:
        return whole.limit(0)
    old = sorted(file.path for file in snapshot.files if file.path not in new)
    number = zlib.crc32(f"{snapshot.uuid}:{snapshot.version}".encode())
    largest = max(snapshot.files, key=lambda file: (file.rows, file.path)).path
    chosen = old[number % len(old)] if old else largest
    reader = spark.read.format("parquet").schema(whole.schema).option("__globPaths__", "false")
    some = reader.load([posixpath.join(snapshot.uri, chosen)])
    # In a struct, the number stays out of the code that Spark generates.
    salt = F.struct(F.lit(snapshot.version))
    return some.orderBy(F.xxhash64(*map(quoted, key), salt)).limit(rows)


def box(keys: Sequence[Row], key: Sequence[str]) -> Column:
    """A condition that some keys meet, and perhaps others; Spark takes it down to the files."""
    from pyspark.sql import functions as F

    parts = [F.col(quoted(name)).isin(sorted({row[name] for row in keys})) for name in key]
    return reduce(lambda a, b: a & b, parts)


def _is_equal(name: str, kind: str, tolerance: float) -> Column:
    from pyspark.sql import functions as F

    wanted, found = (F.col(f"{side}.{quoted(name)}") for side in ("_wanted", "_found"))
    same = wanted.eqNullSafe(found)
    if kind != "double":
        return same
    near = F.abs(wanted - found) <= tolerance * F.greatest(F.abs(wanted), F.abs(found))
    return same | F.coalesce(near, F.lit(False))


def _told(row: Row, spec: TableSpec, key: Sequence[str], tolerance: float) -> str:
    name = ", ".join(f"{each}={_text(row[each])}" for each in key)
    wanted: Mapping[str, object] | None = row["_wanted"] and row["_wanted"].asDict()
    found: Mapping[str, object] | None = row["_found"] and row["_found"].asDict()
    if wanted is None:
        return f"{name} does not belong there"
    if found is None:
        return f"{name} is missing"
    if row["_wanted_rows"] != row["_found_rows"]:
        times = [
            f"{n:,} time{'s' if n > 1 else ''}" for n in (row["_found_rows"], row["_wanted_rows"])
        ]
        return f"{name} is there {times[0]}, and a rebuild makes it {times[1]}"
    column = next(n for n in spec.names if not _is_near(wanted[n], found[n], tolerance))
    return (
        f"{name}: {column} is {_text(found[column])}, and a rebuild makes {_text(wanted[column])}"
    )


def _is_near(one: object, other: object, tolerance: float) -> bool:
    if isinstance(one, float) and isinstance(other, float) and one == one:
        return abs(one - other) <= tolerance * max(abs(one), abs(other))
    return one == other or (one != one and other != other)


def _text(value: object) -> str:
    if isinstance(value, datetime):
        return utc_text(value.astimezone(timezone.utc), "microseconds")
    return "null" if value is None else str(value)
