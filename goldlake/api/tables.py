"""Tables of a home: which there are, and the rows of one version."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING

from goldlake.api.listing import Listing
from goldlake.api.markup import shown
from goldlake.workflows import views
from goldlake.workflows.report.markup import html, paragraph
from goldlake_core.contracts.errors import GoldlakeError, UsageError
from goldlake_core.contracts.ids import TableId
from goldlake_core.documents.lakehouse import TableEntry
from goldlake_core.instants import of_text
from goldlake_core.storage.deltalog import ArrayType, FieldType
from goldlake_core.storage.home import Home

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

    from lakehouse.rows import TableVersion

SHOWN_ROWS = 5
_MEGABYTE = 2**20


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        name: Name of the column.
        type: Delta's type of its values, such as ``long`` or ``array<string>``.
        is_nullable: Whether a value may be missing.
        comment: What the column means, or "".
    """

    name: str
    type: str
    is_nullable: bool
    comment: str


class Schema(Mapping[str, Column]):
    """The columns of a table by name, in their order.

    Args:
        name: The table that has them.
        columns: The columns in their order.
    """

    def __init__(self, name: str, columns: Sequence[Column]) -> None:
        self._name = name
        self._columns = {column.name: column for column in columns}

    def __getitem__(self, name: str) -> Column:
        return self._columns[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)

    def __repr__(self) -> str:
        return "\n".join(f"{each.name}: {each.type}" for each in self.values())

    def _repr_html_(self) -> str:
        rows = [
            (c.name, c.type, "may be missing" if c.is_nullable else "", c.comment)
            for c in self.values()
        ]
        return str(shown(f"Columns of {self._name}", ("column", "type", "", "comment"), rows))


class Table:
    """One version of a table. What it says stays the same, whatever is written meanwhile.

    A home makes it: ``home.tables["city_bikes.gold.trips"]`` is the newest version at that moment,
    ``…@3`` version 3. Rows are read when they are asked for, from the files that the version has,
    without Spark. Tables with deletion vectors or renamed columns are refused.

    Example:
        >>> home = goldlake.open("var/demo")
        >>> trips = home.tables["city_bikes.gold.trips"]
        >>> trips
        Table('city_bikes.gold.trips@2', 3 rows, 3 columns)
        >>> trips.to_polars(columns=["station", "minutes"], where="minutes > 15", limit=10).rows()
        [('MARKET', 20), ('HARBOUR', 31)]
        >>> trips.at(1).rows
        2
    """

    def __init__(self, home: Home, found: TableVersion) -> None:
        self._home = home
        self._found = found

    @property
    def id(self) -> str:
        """The table and the version, such as ``city_bikes.gold.trips@3``."""
        return str(self._found.id)

    @property
    def name(self) -> str:
        """The table without a version, such as ``city_bikes.gold.trips``."""
        return str(self._found.id.at(None))

    @property
    def version(self) -> int:
        """Number of the version."""
        return self._found.snapshot.version

    @property
    def uri(self) -> str:
        """Folder of the Delta table."""
        return self._found.log.uri

    @property
    def rows(self) -> int:
        """Number of rows, by the statistics in the log."""
        return self._found.snapshot.rows

    @property
    def bytes(self) -> int:
        """Size of the version's files."""
        return self._found.snapshot.bytes

    @property
    def columns(self) -> list[str]:
        """Names of the columns in their order."""
        return [field.name for field in self._found.snapshot.schema]

    @property
    def schema(self) -> Schema:
        """Types and comments of the columns, by name."""
        fields = self._found.snapshot.schema
        columns = [Column(f.name, _type(f.type), f.nullable, f.comment or "") for f in fields]
        return Schema(self.id, columns)

    @property
    def committed_at(self) -> datetime:
        """Instant of the commit that made the version, in UTC."""
        return of_text(self._entry.committed_at)

    @property
    def as_of(self) -> datetime | None:
        """Newest change at the source that a gold table holds; None for tables of other layers."""
        return of_text(self._entry.as_of) if self._entry.as_of else None

    @cached_property
    def metadata(self) -> Mapping[str, object]:
        """What goldlake stored with the commit that made the rows, such as ``silver_version``."""
        log = self._found.log
        for version in reversed([each for each in log.versions() if each <= self.version]):
            if metadata := log.commit(version).metadata:
                return metadata
        return {}

    @property
    def versions(self) -> list[int]:
        """Versions in the log, the oldest first. Those from before a vacuum cannot be read."""
        return self._found.log.versions()

    def at(self, version: int) -> Table:
        """Another version of the table.

        Args:
            version: Number of the version.

        Raises:
            UsageError: There is no such version.
            StoreError: Its files are gone: it is older than the last vacuum.
        """
        return Tables(self._home)[f"{self.name}@{version}"]

    def scan(self, as_of: str | datetime | None = None) -> pl.LazyFrame:
        """All rows as a lazy frame of Polars: what is not asked for is not read.

        Filters and columns reach the Parquet files, so that a table larger than the memory can be
        filtered and aggregated.

        Args:
            as_of: Instant, in UTC if it has no zone. The rows of silver that were known then,
                whatever the version of this object; of another table the version that existed
                then. None reads this version.

        Raises:
            StoreError: The files of the version are gone or damaged, or the table has a feature
                that is not read here.
            UsageError: The instant cannot be read, or there was no such table yet.

        Example:
            >>> import polars as pl
            >>> trips = goldlake.open("var/demo").tables["city_bikes.gold.trips"]
            >>> market = trips.scan().filter(pl.col("station") == "MARKET")
            >>> market.select(pl.col("minutes").mean()).collect().item()
            16.0
        """
        if as_of is None:
            return self._found.frame()
        instant = as_of.isoformat() if isinstance(as_of, datetime) else as_of
        return views.scan(self.name, self._home, instant)[1]

    def to_polars(
        self,
        columns: Sequence[str] | None = None,
        *,
        where: str | None = None,
        limit: int | None = None,
    ) -> pl.DataFrame:
        """The rows as a frame of Polars.

        Args:
            columns: Columns to read, or None for all.
            where: An SQL condition over the columns, or None for all rows.
            limit: Most rows to read, or None for all.

        Raises:
            UsageError: There is no such column, or the condition does not hold.
            StoreError: The files of the version are gone or damaged.

        Example:
            >>> trips = goldlake.open("var/demo").tables["city_bikes.gold.trips"]
            >>> trips.to_polars(columns=["minutes"], where="station = 'MARKET'").rows()
            [(12,), (20,)]
        """
        from lakehouse.rows import rows_of

        wanted = (columns,) if isinstance(columns, str) else tuple(columns or ())
        if limit is not None and limit < 0:
            raise UsageError(f"limit={limit} is not a number of rows", valid="0 or more")
        return rows_of(self._found, where=where, columns=wanted, limit=limit)

    def to_arrow(
        self,
        columns: Sequence[str] | None = None,
        *,
        where: str | None = None,
        limit: int | None = None,
    ) -> pa.Table:
        """The rows as a table of pyarrow; arguments and errors are those of `to_polars`."""
        return self.to_polars(columns, where=where, limit=limit).to_arrow()

    def to_pandas(
        self,
        columns: Sequence[str] | None = None,
        *,
        where: str | None = None,
        limit: int | None = None,
    ) -> pd.DataFrame:
        """The rows as a frame of pandas; arguments and errors are those of `to_polars`.

        As pandas has it, a column of whole numbers with a missing value becomes ``float64``, and
        one of true and false ``object``.
        """
        return self.to_polars(columns, where=where, limit=limit).to_pandas()

    def head(self, rows: int = SHOWN_ROWS) -> pl.DataFrame:
        """The first rows as a frame of Polars."""
        return self.to_polars(limit=rows)

    def __len__(self) -> int:
        return self.rows

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Table) and (self.uri, self.version) == (other.uri, other.version)

    def __hash__(self) -> int:
        return hash((self.uri, self.version))

    def __repr__(self) -> str:
        return f"Table({self.id!r}, {self.rows:,} rows, {len(self.columns)} columns)"

    def _repr_html_(self) -> str:
        size = f"{self.rows:,} rows, {self.bytes / _MEGABYTE:,.1f} MiB"
        caption = f"{self.id}: {size}, {self.committed_at:%Y-%m-%d %H:%M} UTC"
        try:
            frame = self.head()
        except GoldlakeError as error:
            return str(paragraph(caption) + paragraph(error.message))
        numbers = [n for n, dtype in enumerate(frame.dtypes) if dtype.is_numeric()]
        cells = [[_cell(value) for value in row] for row in frame.iter_rows()]
        rest = self.rows - frame.height
        more = html("<p>and {rest:,} more rows</p>", rest=rest) if rest > 0 else ""
        return str(shown(caption, frame.columns, cells, numbers) + more)

    @cached_property
    def _entry(self) -> TableEntry:
        from lakehouse import catalog

        return catalog.entry(self._found.id, self._found.log, self._found.snapshot)


class Tables(Listing[Table]):
    """Tables of a home by name; ``tables["NAME@3"]`` is version 3 of one.

    Args:
        home: The home that holds them.
        usecase: Name of the use case that has the tables, or None for all.

    Example:
        >>> home = goldlake.open("var/demo")
        >>> home.tables
        Tables(city_bikes.silver.rentals, city_bikes.gold.trips)
        >>> home.tables["city_bikes.gold.trip"]
        Traceback (most recent call last):
            ...
        goldlake_core.contracts.errors.UsageError: There is no table ...
    """

    _numbers = (1, 2, 3)

    def __init__(self, home: Home, usecase: str | None = None) -> None:
        self._home = home
        self._usecase = usecase

    def __getitem__(self, name: str) -> Table:
        wanted = TableId.parse(name)
        if self._usecase not in (None, wanted.usecase):
            raise UsageError(
                f"{name!r} is a table of another use case", valid=f"{self._usecase}.LAYER.NAME"
            )
        return Table(self._home, views.table_version(name, self._home))

    def _names(self) -> list[str]:
        """Names of the tables, by use case and layer."""
        return [entry.id for entry in self._entries()]

    def _title(self) -> str:
        """What the table of them is called."""
        return f"Tables of {self._usecase or self._home.root}"

    def _head(self) -> Sequence[str]:
        """Headings of the table, that of the name first."""
        return ("table", "rows", "version", "MiB", "committed", "as of")

    def _rows(self) -> list[Sequence[object]]:
        """Cells of the table, one row for each name."""
        return [
            (
                entry.id,
                f"{entry.rows:,}",
                f"@{entry.version}",
                f"{entry.bytes / _MEGABYTE:,.1f}",
                entry.committed_at[:16].replace("T", " "),
                (entry.as_of or "")[:16].replace("T", " "),
            )
            for entry in self._entries()
        ]

    def _entries(self) -> list[TableEntry]:
        found = views.tables(None, self._home)
        return [
            entry
            for name, usecase in found.items()
            if self._usecase in (None, name)
            for entry in usecase.tables
        ]


def _type(delta_type: FieldType) -> str:
    if isinstance(delta_type, ArrayType):
        return f"array<{_type(delta_type.element_type)}>"
    return delta_type


def _cell(value: object) -> str:
    # An empty text and a missing value are two things.
    return "null" if value is None else str(value)
