"""The data engineer's contract: source, tables, columns, checks. Frozen; made by `loader`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

ColumnType = Literal["string", "long", "double", "boolean", "timestamp", "date"]
WireNullKind = Literal["nan", "text", "flag"]


@dataclass(frozen=True)
class WireNull:
    """How a missing value of a column travels in JSON, where TF Serving's row format has no null.

    Attributes:
        kind: ``nan`` (the bare token NaN; double only), ``text`` (a reserved string) or ``flag``
            (a boolean input of its own, true when the value is present).
        token: The reserved string (kind ``text``) or the flag's input name (kind ``flag``).
    """

    kind: WireNullKind
    token: str = ""


@dataclass(frozen=True)
class Column:
    """One column of a table, with what is needed to parse, check, describe and serve it.

    Attributes:
        name: Column name in the table.
        type: Type in the table. Timestamps are stored in UTC.
        comment: One sentence; becomes the Delta column comment and the data catalogue's text.
        field: Dotted field of the source's record, or of the API's row (silver columns only).
        nullable: Whether a missing value is allowed; a missing value elsewhere is quarantined.
        format: Spark datetime pattern of the source's text (timestamp and date only).
        time_zone: IANA zone of the source's clock (timestamp only); values are converted to UTC.
        pad: Width to which a code is left-padded with zeros after its own zeros are stripped.
        replace: Spellings of the source and what they become.
        null_values: Texts of the source that mean "missing".
        domain: The values allowed, or None.
        range: Lowest and highest value allowed, each end may be None.
        pattern: Java regular expression the whole text must match.
        wire_null: How a missing value travels to a served model, or None (not servable as null).
        unit: Unit of measurement, for documentation.
    """

    name: str
    type: ColumnType
    comment: str
    field: str = ""
    nullable: bool = True
    format: str | None = None
    time_zone: str | None = None
    pad: int | None = None
    replace: Mapping[str, str] = dataclasses.field(default_factory=dict)
    null_values: tuple[str, ...] = ()
    domain: tuple[str, ...] | None = None
    range: tuple[float | None, float | None] | None = None
    pattern: str | None = None
    wire_null: WireNull | None = None
    unit: str | None = None


@dataclass(frozen=True)
class Check:
    """A rule over several columns of one silver row.

    Attributes:
        code: Reason code stored with a quarantined row; also the CHECK constraint's name.
        expect: Spark SQL over silver column names; a row passes when it is true or null.
        comment: One sentence for people.
    """

    code: str
    expect: str
    comment: str


@dataclass(frozen=True)
class Source:
    """Where records come from.

    Attributes:
        kind: Connector plug-in, such as ``files``.
        address: Base URL of the live API ("" for files).
        dataset: The data set's id at that address.
        page_rows: Rows asked for per page.
        time_field: Field of the record that ``--since`` and ``--until`` limit.
        generator: Dotted function of the use-case folder that yields rows for the simulator, such
            as ``generate.rows``, or None.
        options: What only this connector understands (checked by the connector).
    """

    kind: str
    address: str = ""
    dataset: str = ""
    page_rows: int = 10_000
    time_field: str = ""
    generator: str | None = None
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclass(frozen=True)
class Silver:
    """The typed, deduplicated table: one row per key, the newest version.

    Attributes:
        table: Table name, the last part of ``usecase.silver.NAME``.
        comment: One sentence.
        key: Columns that identify a row.
        version: Column whose larger value is the newer version of a row.
        event_time: Column that says when the fact happened (timestamp or date).
        columns: In table order.
        checks: Rules over several columns.
    """

    table: str
    comment: str
    key: tuple[str, ...]
    version: str
    event_time: str
    columns: tuple[Column, ...]
    checks: tuple[Check, ...] = ()

    def column(self, name: str) -> Column:
        """The column called ``name``; raises KeyError."""
        return _column(self.columns, name)

    @property
    def names(self) -> tuple[str, ...]:
        """Column names in table order."""
        return tuple(c.name for c in self.columns)


@dataclass(frozen=True)
class GoldTable:
    """A table that is maintained from silver's change data feed.

    Attributes:
        name: Table name, the last part of ``usecase.gold.NAME``.
        comment: One sentence.
        mode: ``rows``: one gold row per silver row with the same key, ``build(silver_rows)``.
            ``aggregate``: ``build(silver, changes, gold)`` returns the rows to upsert, and those to
            remove with a true column ``_deleted``; changes and gold are missing when all rows are
            wanted.
        build: Dotted function of the use-case folder, such as ``tables.area_day``.
        key: Columns that identify a row.
        columns: In table order; those named under ``keep`` are silver's own declarations.
    """

    name: str
    comment: str
    mode: Literal["rows", "aggregate"]
    build: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]

    def column(self, name: str) -> Column:
        """The column called ``name``; raises KeyError."""
        return _column(self.columns, name)

    @property
    def names(self) -> tuple[str, ...]:
        """Column names in table order."""
        return tuple(c.name for c in self.columns)


@dataclass(frozen=True)
class UseCase:
    """A whole use case: its contract and the folder that its functions live in.

    Attributes:
        name: Such as ``city_bikes``; the folder's name.
        title: For headings.
        description: A paragraph for the catalogue.
        licence: Terms of the data.
        folder: Folder that holds ``contract.yaml``.
        source: Where records come from.
        silver: The silver table.
        gold: Gold tables by name.
        models: Model contracts by name (see `goldlake_core.contracts.model`).
        hashes: sha256 per section: ``source``, ``silver``, ``gold.NAME``, ``model.NAME.SECTION``.
            Comments of columns do not enter ``model.*`` hashes: an edited comment retrains nothing.
    """

    name: str
    title: str
    description: str
    licence: str
    folder: Path
    source: Source
    silver: Silver
    gold: Mapping[str, GoldTable]
    models: Mapping[str, Any]
    hashes: Mapping[str, str]


def _column(columns: tuple[Column, ...], name: str) -> Column:
    for column in columns:
        if column.name == name:
            return column
    raise KeyError(name)
