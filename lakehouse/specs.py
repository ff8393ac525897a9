"""The tables of a use case: location, columns, comments, constraints. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from goldlake_core.contracts import gold_rules, sql_rules
from goldlake_core.contracts.column_types import COLUMN_TYPES
from goldlake_core.contracts.hashing import functions_hash, section_hash
from goldlake_core.contracts.keys import keys_of
from goldlake_core.contracts.sections import Cluster, Column, GoldTable, Section, UseCase
from goldlake_core.contracts.sql_rules import quoted
from goldlake_core.storage.home import Home
from goldlake_core.storage.landing import LandingZone
from lakehouse import lookups
from lakehouse.epochs import table_folder

CONTRACT_PROPERTY = "goldlake.contract"
LOOKUPS_PROPERTY = "goldlake.lookups"
STATISTICS = "delta.dataSkippingStatsColumns"

CONTENT_HASH, FILE, LINE, SEQUENCE = "_content_hash", "_file", "_line", "_sequence"
KNOWN_FROM, SOURCE_UPDATED, IS_MARKED = "_known_from", "_source_updated", "_newest_is_quarantined"
KEY, FATE, REASONS, KIND = "_key", "_fate", "_reasons", "_kind"
RECORD_HASH, REPLACED_HASH = "_record_hash", "_replaced_hash"

FATES = ("inserted", "amended", "unchanged", "stale", "quarantined", "deleted")
VERSIONS = "_versions"

# Commits say what they were made from, so the log is kept until `maintain` shortens it.
_KEPT_LOG = {"delta.logRetentionDuration": "interval 36500 days"}
# Besides the contract's types, goldlake's own columns hold line numbers, which are short.
_DELTA_TYPES = {names.spark: names.delta for names in COLUMN_TYPES.values()} | {"int": "integer"}


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
        partition: Column that divides the table's files, or None.
    """

    id: str
    uri: str
    comment: str
    fields: tuple[Field, ...]
    constraints: Mapping[str, str] = field(default_factory=dict)
    properties: Mapping[str, str] = field(default_factory=dict)
    partition: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Column names in table order."""
        return tuple(f.name for f in self.fields)

    @property
    def all_properties(self) -> dict[str, str]:
        """The table properties, with the columns of which the log keeps least and greatest values.

        Texts are left out. Their bounds rarely tell files apart, and finding them is a sixth of the
        cost of writing a table again.
        """
        counted = [quoted(f.name) for f in self.fields if f.type in _ORDERED]
        return {**({STATISTICS: ",".join(counted)} if counted else {}), **self.properties}


_ORDERED = ("bigint", "int", "double", "timestamp", "date")


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
            Field("sequence", "bigint", "Number of the page in the order of landing.", False),
            Field("file", "string", "Page of the landing zone that holds the record.", False),
            Field("line", "int", "Line in that page, the first is 1.", False),
            Field("value", "string", "The record as it came, as text.", False),
            Field("landed_at", "timestamp", "When the page was landed.", False),
        ),
        properties=_KEPT_LOG,
    )


def versions(usecase: UseCase, home: Home, epoch: int) -> TableSpec:
    """Every landed record with its typed values and its fate."""
    contract = usecase.silver
    return TableSpec(
        f"{usecase.name}.silver.{contract.table}{VERSIONS}",
        home.table(usecase.name, "silver", table_folder(contract.table + VERSIONS, epoch)),
        "Every landed record once, with what it says and what became of it, append only.",
        (
            Field(SEQUENCE, "bigint", "Number of its page in the order of landing.", False),
            Field(LINE, "int", "Line in that page.", False),
            Field(FILE, "string", "Page of the landing zone that holds the record.", False),
            Field(KEY, "string", "Silver key as text, or null where the record has none."),
            Field(FATE, "string", "What became of it: " + ", ".join(FATES) + ".", False),
            Field(REASONS, "array<string>", "Reason codes of a quarantined record."),
            *(replace(contract_field(column), nullable=True) for column in contract.columns),
            Field(CONTENT_HASH, "bigint", "Hash of the typed columns.", False),
            Field(REPLACED_HASH, "bigint", "Hash of the version that an amendment replaced."),
            Field(RECORD_HASH, "bigint", "Hash of the line number and the record's text.", False),
            Field(SOURCE_UPDATED, "string", "The source's own update time, as it wrote it."),
            Field(KNOWN_FROM, "timestamp", "When its page was landed.", False),
            Field(KIND, "string", "valid, quarantined or deleted; divides the files.", False),
        ),
        properties=_KEPT_LOG,
        partition=KIND,
    )


def silver(usecase: UseCase, home: Home, epoch: int) -> TableSpec:
    """One typed row per key."""
    contract = usecase.silver
    return TableSpec(
        f"{usecase.name}.silver.{contract.table}",
        home.table(usecase.name, "silver", table_folder(contract.table, epoch)),
        contract.comment,
        (
            *(contract_field(column) for column in contract.columns),
            Field(CONTENT_HASH, "bigint", "Hash of the row's typed columns.", False),
            Field(SEQUENCE, "bigint", "Number of the page that holds the row's record.", False),
            Field(FILE, "string", "Page that holds the record this row comes from.", False),
            Field(LINE, "int", "Line in that page.", False),
            Field(SOURCE_UPDATED, "string", "The source's own update time, as it wrote it."),
            Field(KNOWN_FROM, "timestamp", "When this version of the row became known.", False),
            Field(IS_MARKED, "boolean", "Whether a newer version is in quarantine.", False),
        ),
        sql_rules.constraints(contract.columns, contract.checks),
        _KEPT_LOG,
    )


def gold(usecase: UseCase, home: Home, table: GoldTable) -> TableSpec:
    """A gold table as its contract declares it."""
    properties = {CONTRACT_PROPERTY: gold_hash(usecase, table), **_KEPT_LOG}
    if table.lookups:
        properties[LOOKUPS_PROPERTY] = json.dumps(digests(usecase, table))
    return TableSpec(
        f"{usecase.name}.gold.{table.name}",
        home.table(usecase.name, "gold", table.name),
        table.comment,
        tuple(contract_field(column) for column in table.columns),
        sql_rules.constraints(table.columns),
        properties,
    )


def all_tables(usecase: UseCase, home: Home, epoch: int) -> tuple[TableSpec, ...]:
    """Every table of a use case, in the order in which data flows."""
    return (
        bronze(usecase, home),
        versions(usecase, home, epoch),
        silver(usecase, home, epoch),
        *(gold(usecase, home, table) for table in usecase.gold.values()),
    )


def gold_hash(usecase: UseCase, table: GoldTable) -> str:
    """Hash of all that decides a gold table's rows: its shape, rules, lookups and functions.

    Comments do not enter it: an edited one makes no new rows, and so trains no new model.
    """
    columns = [(c.name, c.type, c.nullable, c.domain, c.range, c.pattern) for c in table.columns]
    made_of: list[object] = [table.mode, table.build, table.key, columns]
    if table.build:
        made_of.append(functions_hash(usecase, table.build))
    computed = [(c.name, c.expr) for c in table.columns if c.expr]
    if computed:
        made_of.append(["expr", computed, table.per, table.order, table.windows])
    if table.lookups:
        made_of.append(["lookups", table.lookups, digests(usecase, table)])
    if table.clusters:
        made_of.append(["clusters", [cluster_hash(usecase, table, c) for c in table.clusters]])
    if is_reaching(table):
        made_of.append([table.reach, table.reach_order, table.reach_before, table.reach_after])
    return section_hash(made_of)


def cluster_hash(usecase: UseCase, table: GoldTable, cluster: Cluster) -> str:
    """Hash of all that decides what a cluster's numbers mean: itself and what its columns are.

    Other columns of the table do not enter it, so that the fits outlast a change of them.
    """
    of_lookups = {c.name: lookup for lookup in table.lookups for c in lookup.columns}
    own = {column.name: column for column in table.columns if column.expr}
    known = {c.name: c for c in usecase.silver.columns} | own
    reads = gold_rules.origins(known.values(), table.windows)
    is_windowed = any(name in reads.windowed for name in cluster.columns)
    units = tuple(column.name for column in table.computed_units) if is_windowed else ()
    named = (*cluster.columns, cluster.time, *table.key, *units)
    found: list[object] = []
    for name in sorted(frozenset[str]().union(*map(reads.made_of, named))):
        if name in known:
            found.append([name, _meaning(known[name])])
        elif name in of_lookups:
            found.append([name, digests(usecase, table)[of_lookups[name].name]])
    if table.build:
        found.append([table.build, functions_hash(usecase, table.build)])
    if is_windowed:
        found.append([table.per, table.order, table.windows])
    return section_hash([_meaning(cluster), found])


def _meaning(section: Section) -> dict[str, object]:
    """The keys of a section that decide values, where they are not at their default."""
    return {
        key.name: getattr(section, key.attribute)
        for key in keys_of(type(section))
        if key.key.change == "rebuild" and getattr(section, key.attribute) != key.default
    }


def digests(usecase: UseCase, table: GoldTable) -> dict[str, str]:
    """sha256 of the file of each lookup of a table. Read-only.

    Raises:
        UsageError: There is no such file.
    """
    return {lookup.name: lookups.digest(usecase, lookup) for lookup in table.lookups}


def is_reaching(table: GoldTable) -> bool:
    """Whether rows of a table of mode ``rows`` are made of more than their own silver row."""
    return bool(table.reach or table.reach_order)


def landing(usecase: UseCase, home: Home) -> LandingZone:
    """The landing zone of a use case's source."""
    return LandingZone(home, usecase.name, usecase.source.dataset or usecase.name)
