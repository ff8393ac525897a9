"""Lookups: files of this machine that gold tables join to silver by key.

A lookup is small and kept by hand, so that each record of it has to hold: one without a key, with
one that is there already, or with a value that has another type is refused with its number.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from goldlake_core.contracts.column_types import COLUMN_TYPES
from goldlake_core.contracts.durations import seconds_of
from goldlake_core.contracts.errors import PermanentError, UsageError
from goldlake_core.contracts.fields import RECORD_FIELD
from goldlake_core.contracts.sections import Column, Format, Lookup, UseCase
from goldlake_core.contracts.sql_rules import quoted
from goldlake_core.datafiles.opened import SourceFile
from lakehouse.sources.file_records import Wanted, reading
from lakehouse.typed_records import broken_rows, decoded, text_of, typed_frames

if TYPE_CHECKING:
    import polars as pl
    from pyspark.sql import DataFrame, SparkSession

MOST_ROWS = 200_000
_NAMED = 3
_FOUND, _SPAN = "_found", "_span"


@dataclass(frozen=True)
class Missing:
    """Silver rows whose key is not in a lookup.

    Attributes:
        lookup: Name of the lookup.
        rows: Number of such rows.
        keys: Some of their keys, as texts.
    """

    lookup: str
    rows: int
    keys: tuple[str, ...]

    def __str__(self) -> str:
        """One sentence for people."""
        what = "row has a key" if self.rows == 1 else "rows have keys"
        return f"{self.rows:,} {what} that lookup {self.lookup} lacks ({', '.join(self.keys)})"


def place(usecase: UseCase, lookup: Lookup) -> Path:
    """Where the file of a lookup lies."""
    return usecase.folder / lookup.path


def digest(usecase: UseCase, lookup: Lookup) -> str:
    """sha256 of a lookup's file. Read-only.

    Raises:
        UsageError: There is no such file.
    """
    path = place(usecase, lookup)
    try:
        state = path.stat()
        return _digest(path, state.st_mtime_ns, state.st_size)
    except OSError as error:
        raise UsageError(
            f"The file {path} of the lookup {lookup.name!r} cannot be read ({error.strerror})",
            valid="a file, relative to the folder of the use case",
            hint=f"put it there, or correct lookups.{lookup.name}.path",
        ) from error


@lru_cache(maxsize=64)
def _digest(path: Path, changed_ns: int, size: int) -> str:
    found = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(1 << 20):
            found.update(part)
    return found.hexdigest()


def table(usecase: UseCase, lookup: Lookup) -> pl.DataFrame:
    """The typed records of a lookup. Read-only; starts no JVM.

    Raises:
        UsageError: There is no such file.
        PermanentError: It is not what the contract says, a key is there twice or missing, a value
            does not have its type or breaks a rule, or there are more than 200,000 records.
    """
    digest(usecase, lookup)
    file = SourceFile(Path(lookup.path).name, str(place(usecase, lookup)))
    fields = tuple(c.field for c in lookup.columns if not c.field.startswith("$"))
    wanted = Wanted(
        format=lookup.format or Format(),
        keys=f"lookups.{lookup.name}.format.",
        fields=tuple(name for name in fields if name != RECORD_FIELD),
        has_file=any(column.file is not None for column in lookup.columns),
    )
    with reading(file, wanted) as records:
        lines = list(islice(records.lines, MOST_ROWS + 1))
    if len(lines) > MOST_ROWS:
        raise PermanentError(
            f"{file.place} has more than {MOST_ROWS:,} records, and lookup {lookup.name} holds all "
            "of them in memory",
            valid="a smaller file, or a separate use case",
        )
    found: list[dict[str, object]] = []
    for number, line in enumerate(lines, 1):
        record = decoded(line)
        if record is None:
            shown = line[:60].decode("utf-8", "replace")
            raise _refused(lookup, file, number, f"is not one record: {shown!r}")
        found.append({RECORD_FIELD: number, **record})
    texts = {
        column.name: [text_of(b"", record, column.field) for record in found]
        for column in lookup.columns
    }
    typed = typed_frames(lookup.columns, texts)
    for column in lookup.columns:
        must = _needed(column) if column.name in (*lookup.key, lookup.at) else column
        for code, is_broken in broken_rows(must, typed[column.name]):
            if is_broken.any():
                number = int(is_broken.arg_max() or 0)
                text = texts[column.name][number]
                what = "has no value" if text is None else f"has {text[:40]!r}"
                reason = f"{what} for {column.name} ({code.rpartition('.')[2]})"
                raise _refused(lookup, file, number + 1, reason)
    rows = _frame(lookup.columns, typed)
    named = [*lookup.key, lookup.at] if lookup.at else [*lookup.key]
    twice = rows.select(named).is_duplicated()
    if twice.any():
        first = rows.select(named).filter(twice).row(0)
        key = ", ".join(f"{n}={v}" for n, v in zip(named, first, strict=True))
        count = rows.select(named).rows().count(first)
        raise PermanentError(
            f"{file.place} has the key {key} {count} times",
            valid="each key once",
            hint=f"correct the file, or lookups.{lookup.name}.key in the contract",
        )
    return rows


def _needed(column: Column) -> Column:
    return msgspec.structs.replace(column, nullable=False)


def _refused(lookup: Lookup, file: SourceFile, number: int, reason: str) -> PermanentError:
    return PermanentError(
        f"Record {number:,} of {file.place} {reason}",
        valid="records that have the types of the contract",
        hint=f"correct the file, or lookups.{lookup.name}.columns in the contract",
    )


def _frame(columns: Sequence[Column], typed: dict[str, pl.DataFrame]) -> pl.DataFrame:
    import polars as pl

    return pl.DataFrame({column.name: typed[column.name]["value"] for column in columns})


def frames(spark: SparkSession, usecase: UseCase, lookups: Sequence[Lookup]) -> list[DataFrame]:
    """The records of lookups as Spark has them, in their order."""
    from pyspark.sql import functions as F

    found = []
    for lookup in lookups:
        rows = table(usecase, lookup)
        fields = ", ".join(
            f"{quoted(c.name)} {'bigint' if _is_time(c) else COLUMN_TYPES[c.type].spark}"
            for c in lookup.columns
        )
        frame = spark.createDataFrame(_plain(lookup.columns, rows), fields)
        times = {
            c.name: F.timestamp_micros(F.col(quoted(c.name))) for c in lookup.columns if _is_time(c)
        }
        found.append(frame.withColumns(times) if times else frame)
    return found


def _is_time(column: Column) -> bool:
    return column.type == "timestamp"


def _plain(columns: Sequence[Column], rows: pl.DataFrame) -> list[tuple[Any, ...]]:
    """Rows for Spark; instants as microseconds, which no zone of Python's can shift."""
    import polars as pl

    times = [pl.col(c.name).dt.epoch("us") for c in columns if _is_time(c)]
    return rows.with_columns(times).rows()


def with_lookups(
    silver: DataFrame, lookups: Sequence[Lookup], frames: Sequence[DataFrame]
) -> DataFrame:
    """Silver rows with the columns of lookups; null where a key is not there."""
    from pyspark.sql import functions as F

    for lookup, frame in zip(lookups, frames, strict=True):
        if lookup.at:
            silver = _with_newest(silver, lookup, frame)
            silver = silver.select("*", f"{_FOUND}.values.*").drop(_FOUND)
            continue
        names = {name: f"_{lookup.name}_{name}" for name in lookup.key}
        other = F.broadcast(frame.withColumnsRenamed(names))
        same = [F.col(quoted(name)) == F.col(quoted(new)) for name, new in names.items()]
        silver = silver.join(other, same, "left").drop(*names.values())
    return silver


def _with_newest(silver: DataFrame, lookup: Lookup, frame: DataFrame) -> DataFrame:
    """Silver rows with the newest record of a lookup at or before their time, as a struct.

    Time is divided into spans as long as a record may be old, so that a row meets the records of
    two spans and no others.
    """
    from pyspark.sql import functions as F

    width = int(seconds_of(lookup.within) * 1_000_000)
    at, time = (
        F.unix_micros(F.col(quoted(name)).cast("timestamp")) for name in (lookup.at, lookup.of)
    )
    values = [c.name for c in lookup.columns if c.name not in (*lookup.key, lookup.at)]
    names = {name: f"_{lookup.name}_{name}" for name in lookup.key}
    found = F.struct(at.alias("at"), F.struct(*map(quoted, values)).alias("values"))
    span = F.floor(at / width)
    other = frame.select(
        *(F.col(quoted(name)).alias(new) for name, new in names.items()),
        found.alias(_FOUND),
        F.explode(F.array(span, span + 1)).alias(_SPAN),
    )
    same = F.floor(time / width) == F.col(_SPAN)
    same &= F.col(f"{_FOUND}.at").between(time - width + 1, time)
    for name, new in names.items():
        same &= F.col(quoted(name)) == F.col(quoted(new))
    met = silver.join(F.broadcast(other), same, "left")
    # The key is among silver's columns, so that a group is a row.
    return met.groupBy(*map(quoted, silver.columns)).agg(F.max(_FOUND).alias(_FOUND))


def missing(
    silver: DataFrame, lookups: Sequence[Lookup], frames: Sequence[DataFrame]
) -> list[Missing]:
    """Keys of silver rows that lookups lack; a row without a key has nothing to look up."""
    from pyspark.sql import functions as F

    found = []
    for lookup, frame in zip(lookups, frames, strict=True):
        if lookup.at:
            of = F.col(quoted(lookup.of))
            lacking = _with_newest(silver, lookup, frame).where(f"{_FOUND} is null")
            number, low, high = lacking.agg(F.count(of), F.min(of), F.max(of)).collect()[0]
            if number:
                times = f"{low}" if low == high else f"{low} to {high}"
                found.append(Missing(lookup.name, number, (times,)))
            continue
        key = [quoted(name) for name in lookup.key]
        keys = silver.select(*key).dropna(how="any").groupBy(*key).count()
        lacking = keys.join(F.broadcast(frame), list(lookup.key), "left_anti")
        rows = lacking.orderBy(F.desc("count"), *key).limit(_NAMED).collect()
        if rows:
            number = lacking.agg(F.sum("count")).collect()[0][0]
            shown = tuple(", ".join(str(row[name]) for name in lookup.key) for row in rows)
            found.append(Missing(lookup.name, number, shown))
    return found
