"""The tables of a use case: location, columns, comments, constraints. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from goldlake_core.contracts.column_types import COLUMN_TYPES
from goldlake_core.contracts.hashing import functions_hash, section_hash
from goldlake_core.contracts.sections import Column, GoldTable, UseCase
from goldlake_core.storage.home import Home
from lakehouse import sql_rules
from lakehouse.landing import LandingZone

CONTRACT_PROPERTY = "goldlake.contract"

# Besides the contract's types, goldlake's own columns hold line numbers, which are short.
_DELTA_TYPES = {names.spark: names.delta for names in COLUMN_TYPES.values()} | {"int": "integer"}
CONTENT_HASH, FILE, LINE, KNOWN_AT = "_content_hash", "_file", "_line", "_known_at"


@dataclass(frozen=True)
class Field:
    """One column of a Delta table; ``type`` is Spark SQL's name of it."""

    name: str
    type: str
    comment: str
    nullable: bool = True

    @property
    def delta_type(self) -> str:
        """The type as the schema in Delta's log names it."""
        return _DELTA_TYPES.get(self.type, self.type)


@dataclass(frozen=True)
class TableSpec:
    """What a table is created from.

    Attributes:
        id: Name of the table, such as ``usecase.silver.name``.
        uri: Location of the table.
        comment: Comment of the table, one sentence.
        fields: Columns in table order.
        constraints: CHECK constraints by name.
        properties: Further table properties.
    """

    id: str
    uri: str
    comment: str
    fields: tuple[Field, ...]
    constraints: Mapping[str, str] = field(default_factory=dict)
    properties: Mapping[str, str] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """Column names in table order."""
        return tuple(f.name for f in self.fields)


def contract_field(column: Column) -> Field:
    """The Delta column of a contract column."""
    comment = sql_rules.comment_text(column)
    return Field(column.name, COLUMN_TYPES[column.type].spark, comment, column.nullable)


def bronze(usecase: UseCase, home: Home) -> TableSpec:
    """One row per landed record, as text."""
    return TableSpec(
        f"{usecase.name}.bronze.{usecase.silver.table}",
        home.table(usecase.name, "bronze", usecase.silver.table),
        "Records as they were landed, one row each, append only.",
        (
            Field("file", "string", "Page of the landing zone that holds the record.", False),
            Field("line", "int", "Line in that page, the first is 1.", False),
            Field("value", "string", "The record as it came, as text.", False),
            Field("landed_at", "timestamp", "When the page was written.", False),
            Field("ingested_at", "timestamp", "When the record was read from the page.", False),
            Field("batch_id", "bigint", "Micro-batch of the bronze stream.", False),
        ),
    )


def silver(usecase: UseCase, home: Home) -> TableSpec:
    """One typed row per key."""
    contract = usecase.silver
    return TableSpec(
        f"{usecase.name}.silver.{contract.table}",
        home.table(usecase.name, "silver", contract.table),
        contract.comment,
        (
            *(contract_field(column) for column in contract.columns),
            Field(CONTENT_HASH, "bigint", "Hash of the row's typed columns.", False),
            Field(FILE, "string", "Page that holds the record this row comes from.", False),
            Field(LINE, "int", "Line in that page.", False),
            Field(KNOWN_AT, "timestamp", "When this version of the row became known here.", False),
        ),
        sql_rules.constraints(contract.columns, contract.checks),
        {"delta.enableChangeDataFeed": "true", CONTRACT_PROPERTY: usecase.hashes["silver"]},
    )


def gold(usecase: UseCase, home: Home, table: GoldTable) -> TableSpec:
    """A gold table as its contract declares it."""
    return TableSpec(
        f"{usecase.name}.gold.{table.name}",
        home.table(usecase.name, "gold", table.name),
        table.comment,
        tuple(contract_field(column) for column in table.columns),
        sql_rules.constraints(table.columns),
        {CONTRACT_PROPERTY: gold_hash(usecase, table)},
    )


def all_tables(usecase: UseCase, home: Home) -> tuple[TableSpec, ...]:
    """Every table of a use case, in the order in which data flows."""
    return (
        bronze(usecase, home),
        silver(usecase, home),
        *(gold(usecase, home, table) for table in usecase.gold.values()),
        fates(usecase, home),
        quarantine(usecase, home),
    )


def gold_hash(usecase: UseCase, table: GoldTable) -> str:
    """Hash of all that decides a gold table's rows: its shape, rules and build function's module.

    Comments do not enter it: an edited one makes no new rows, and so trains no new model.
    """
    columns = [(c.name, c.type, c.nullable, c.domain, c.range, c.pattern) for c in table.columns]
    return section_hash(
        [table.mode, table.build, table.key, columns, functions_hash(usecase, table.build)]
    )


def landing(usecase: UseCase, home: Home) -> LandingZone:
    """The landing zone of a use case's source."""
    return LandingZone(home, usecase.name, usecase.source.dataset or usecase.name)


def fates(usecase: UseCase, home: Home) -> TableSpec:
    """What became of each landed record."""
    return TableSpec(
        f"{usecase.name}.audit.fates",
        home.table(usecase.name, "audit", "fates"),
        "What became of each landed record, exactly one row each.",
        (
            *_RECORD,
            Field("fate", "string", "inserted, amended, unchanged, stale or quarantined.", False),
            Field("reasons", "array<string>", "Reason codes of a quarantined record."),
            *_DECISION,
        ),
    )


def quarantine(usecase: UseCase, home: Home) -> TableSpec:
    """Rejected records with their reasons."""
    return TableSpec(
        f"{usecase.name}.audit.quarantine",
        home.table(usecase.name, "audit", "quarantine"),
        "Records that the contract rejects, with the reasons.",
        (
            *_RECORD,
            Field("value", "string", "The record as it came.", False),
            Field("reasons", "array<string>", "Reason codes.", False),
            *_DECISION,
        ),
    )


_RECORD = (
    Field("file", "string", "Page of the landing zone.", False),
    Field("line", "int", "Line in that page.", False),
    Field("record_id", "string", "FILE:LINE, the record's name.", False),
    Field("key", "string", "Silver key as text, or null where the record has none."),
)
_DECISION = (
    Field("batch_id", "bigint", "Micro-batch of the silver stream.", False),
    Field("run_id", "string", "Run that decided.", False),
    Field("decided_at", "timestamp", "When it was decided.", False),
)
