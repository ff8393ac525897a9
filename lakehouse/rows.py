"""Rows of a Delta table at a version, without a JVM: Polars reads the version's Parquet files."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from goldlake_core.contracts.column_types import COLUMN_TYPES
from goldlake_core.contracts.errors import StoreError, UsageError
from goldlake_core.contracts.ids import TableId
from goldlake_core.contracts.names import nearest
from goldlake_core.storage.deltalog import ArrayType, DataFile, DeltaLog, FieldType, Snapshot
from goldlake_core.storage.home import Home
from lakehouse import catalog

if TYPE_CHECKING:
    import polars as pl

# Table features under which a data file alone does not say what its rows are.
UNREADABLE = {"deletionVectors", "columnMapping"}


@dataclass(frozen=True)
class Rows:
    """Rows of a table.

    Attributes:
        table: Id and version, such as ``city_bikes.silver.rentals@3``.
        columns: Names in table order.
        rows: Values in the order of ``columns``; a missing value is None.
        total: How many rows match in all.
    """

    table: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    total: int


@dataclass(frozen=True)
class TableVersion:
    """One version of a table, as its log has it. Later commits change nothing in it.

    Attributes:
        id: The table and the version.
        log: Log of the table.
        snapshot: Columns, properties and files of the version.
    """

    id: TableId
    log: DeltaLog
    snapshot: Snapshot

    @property
    def loss(self) -> str | None:
        """What is lost of it, for people, or None where all of its files are there."""
        files = [posixpath.join(self.log.root, file.path) for file in self.snapshot.files]
        gone = sum(not self.log.fs.exists(file) for file in files)
        many = f"{gone} of its {len(files)} files are gone"
        return f"{self.id} cannot be read any more: {many}" if gone else None

    def frame(self) -> pl.LazyFrame:
        """All rows; a file is read when a part of it is asked for.

        Raises:
            StoreError: The table uses a feature that is not read here, or a file is gone or
                damaged.
        """
        import polars as pl

        _refuse_unreadable(self.id, self.snapshot)
        try:
            return _frame(self.log, self.snapshot)
        except (OSError, pl.exceptions.PolarsError) as error:
            raise self.unreadable(error) from error

    def unreadable(self, error: Exception) -> StoreError:
        """The error for a version whose files cannot be read: some are gone, or one is damaged."""
        if (loss := self.loss) is not None:
            return StoreError(loss, valid="a newer version", hint="goldlake tables")
        problem = str(error).partition("\n")[0]
        return StoreError(
            f"A file of {self.id} cannot be read: {problem}", hint="goldlake doctor --deep"
        )


def open_version(table: TableId, home: Home) -> TableVersion:
    """A table at a version, or at its newest one. Reads the log and no rows.

    Args:
        table: The table, at a version or at its newest.
        home: The home that holds it.

    Raises:
        UsageError: There is no such table.
        StoreError: There is no such version.
    """
    log = _log(table, home)
    snapshot = log.snapshot(table.version)
    return TableVersion(table.at(snapshot.version), log, snapshot)


def read_rows(
    table: TableId,
    home: Home,
    *,
    where: str | None = None,
    columns: tuple[str, ...] = (),
    limit: int = 20,
) -> Rows:
    """Some rows of a table. Read-only.

    Args:
        table: The table, at a version or at its newest.
        home: The home that holds it.
        where: An SQL condition over its columns, or None for all rows.
        columns: The columns wanted; none: all.
        limit: Most rows to return.

    Raises:
        UsageError: There is no such table or column, or the condition does not hold.
        StoreError: There is no such version, or the table uses a feature that is not read here.
    """
    found = open_version(table, home)
    return chosen(str(found.id), found.frame(), where=where, columns=columns, limit=limit)


def all_rows(table: TableId, home: Home) -> tuple[pl.LazyFrame, int]:
    """All rows of a table, and the version that they are of. Read-only.

    Args:
        table: The table, at a version or at its newest.
        home: The home that holds it.

    Raises:
        UsageError: There is no such table.
        StoreError: There is no such version, or the table uses a feature that is not read here.
    """
    found = open_version(table, home)
    return found.frame(), found.snapshot.version


def chosen(
    table: str, frame: pl.LazyFrame, *, where: str | None, columns: tuple[str, ...], limit: int
) -> Rows:
    """Some rows of a frame.

    Args:
        table: What the rows are called, such as ``city_bikes.silver.rentals@3``.
        frame: All rows of the table.
        where: An SQL condition over the columns, or None for all rows.
        columns: The columns wanted; none: all.
        limit: Most rows to return.

    Raises:
        UsageError: There is no such column, or the condition does not hold.
    """
    import polars as pl

    some = selected(table, frame, where=where, columns=columns)
    names = frame.collect_schema().names()
    if where is not None:
        frame = frame.filter(pl.sql_expr(where))
    try:
        total = int(frame.select(pl.len()).collect().item())
        found = some.head(limit).collect()
    except (pl.exceptions.PolarsError, ValueError) as error:
        raise unusable(where, names, error) from error
    return Rows(table, tuple(found.columns), tuple(found.iter_rows()), total)


def rows_of(
    table: TableVersion, *, where: str | None, columns: tuple[str, ...], limit: int | None
) -> pl.DataFrame:
    """Rows of a version. Read-only.

    Args:
        table: The version that has them.
        where: An SQL condition over its columns, or None for all rows.
        columns: The columns wanted; none: all.
        limit: Most rows to read, or None for all.

    Raises:
        UsageError: There is no such column, or the condition does not hold.
        StoreError: The table uses a feature that is not read here, or a file is gone or damaged.
    """
    import polars as pl

    frame = table.frame()
    some = selected(str(table.id), frame, where=where, columns=columns)
    try:
        return (some if limit is None else some.head(limit)).collect()
    except (OSError, pl.exceptions.PolarsError) as error:
        if where is None or isinstance(error, OSError) or table.loss:
            raise table.unreadable(error) from error
        raise unusable(where, frame.collect_schema().names(), error) from error


def selected(
    table: str, frame: pl.LazyFrame, *, where: str | None, columns: tuple[str, ...]
) -> pl.LazyFrame:
    """The rows and columns of a frame that are asked for; nothing is read.

    Args:
        table: What the rows are called, such as ``city_bikes.silver.rentals@3``.
        frame: All rows of the table.
        where: An SQL condition over the columns, or None for all rows.
        columns: The columns wanted; none: all.

    Raises:
        UsageError: There is no such column, or the condition cannot be read. That it compares what
            cannot be compared shows when the rows are read; see `unusable`.
    """
    import polars as pl

    names = frame.collect_schema().names()
    for column in columns:
        if column not in names:
            raise UsageError(f"{table} has no column {column!r}", valid=nearest(column, names))
    if where is None:
        return frame.select(columns or names)
    try:
        return frame.filter(pl.sql_expr(where)).select(columns or names)
    except (pl.exceptions.PolarsError, ValueError) as error:
        raise unusable(where, names, error) from error


def unusable(where: object, columns: Sequence[str], error: Exception) -> UsageError:
    """The error for a condition that does not hold for the columns."""
    return UsageError(
        f"The condition {where!r} cannot be used: {str(error).splitlines()[0]}",
        valid=f"SQL over the columns {', '.join(columns)}",
    )


def frame(uri: str, version: int | None = None) -> pl.LazyFrame:
    """All rows of the table at a location, at a version or at its newest."""
    log = DeltaLog(uri)
    return _frame(log, log.snapshot(version))


def _log(table: TableId, home: Home) -> DeltaLog:
    log = DeltaLog(catalog.location(home, table.usecase, table.layer, table.name))
    if not log.exists():
        known = [entry.id for entry in catalog.tables(None, home)]
        raise UsageError(
            f"There is no table {str(table.at(None))!r} in the home {home.root}",
            valid=nearest(str(table.at(None)), known),
            hint="goldlake tables",
        )
    return log


def _refuse_unreadable(table: TableId, snapshot: Snapshot) -> None:
    features = set(snapshot.reader_features) & UNREADABLE
    if snapshot.properties.get("delta.columnMapping.mode", "none") != "none":
        features.add("columnMapping")
    if features:
        raise StoreError(
            f"{table} uses {', '.join(sorted(features))}, which only Spark reads",
            hint="read it with Spark, or turn the feature off and run OPTIMIZE",
        )


def _frame(log: DeltaLog, snapshot: Snapshot) -> pl.LazyFrame:
    """The version's rows; a column that an older file does not have is null there."""
    import polars as pl

    schema = {field.name: _type(field.type) for field in snapshot.schema}
    if not snapshot.files:
        return pl.LazyFrame(schema=schema)
    parts = [_part(log, snapshot.uri, file) for file in snapshot.files]
    return pl.concat(_declared(part, schema) for part in parts)


def _declared(part: pl.LazyFrame, schema: Mapping[str, pl.DataType]) -> pl.LazyFrame:
    """The columns of the table; writers differ in how they store a time."""
    import polars as pl

    present = part.collect_schema()

    def column(name: str, kind: pl.DataType) -> pl.Expr:
        if name not in present:
            return pl.lit(None, kind).alias(name)
        # Without a cast, a condition can skip what the statistics of a file rule out.
        return pl.col(name) if present[name] == kind else pl.col(name).cast(kind)

    return part.select(column(name, kind) for name, kind in schema.items())


def _part(log: DeltaLog, root: str, file: DataFile) -> pl.LazyFrame:
    """One file: scanned where it is local, so that only what is asked for is read, else fetched."""
    import polars as pl

    uri = posixpath.join(root, file.path)
    values = [pl.lit(value, pl.String()).alias(name) for name, value in file.partition]
    if "://" not in uri:
        return pl.scan_parquet(uri, glob=False, hive_partitioning=False).with_columns(values)
    with log.fs.open(uri, "rb") as content:
        return pl.read_parquet(content.read()).lazy().with_columns(values)


def _type(delta_type: FieldType) -> pl.DataType:
    import polars as pl

    if isinstance(delta_type, ArrayType):
        return pl.List(_type(delta_type.element_type))
    known: dict[str, Any] = {
        names.delta: getattr(pl, names.polars)() for names in COLUMN_TYPES.values()
    }
    known |= {"timestamp": pl.Datetime("us", "UTC"), "integer": pl.Int32()}
    if delta_type not in known:
        raise StoreError(f"A column has the type {delta_type}", valid=", ".join(known))
    return known[delta_type]
