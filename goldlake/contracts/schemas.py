"""What a contract means in SQL and CSV: types, constraints, reason codes, headers. Pure Python."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from goldlake.contracts.model import Model
from goldlake.contracts.usecase import Check, Column, GoldTable, Silver

SPARK_TYPES = {
    "string": "STRING",
    "long": "BIGINT",
    "double": "DOUBLE",
    "boolean": "BOOLEAN",
    "timestamp": "TIMESTAMP",
    "date": "DATE",
}
PARSE_RULES = ("missing", "type")
"""Reasons that a column's own parsing gives, before its constraints are looked at."""


@dataclass(frozen=True)
class Constraint:
    """A rule that every stored row keeps, and the reason code of a row that does not.

    Attributes:
        name: CHECK constraint and reason code: ``COLUMN_domain``, ``COLUMN_range``,
            ``COLUMN_pattern``, or a check's own code.
        sql: Spark SQL that is never null: true where the row passes. Delta takes a null for a
            violation, so a missing value is let through by name; NOT NULL is the schema's part.
        comment: One sentence for people.
        column: The column, or None for a rule over several.
    """

    name: str
    sql: str
    comment: str
    column: str | None = None


def spark_type(column: Column) -> str:
    """The column's type in Spark SQL DDL, such as ``BIGINT``."""
    return SPARK_TYPES[column.type]


def text_literal(text: str) -> str:
    """A Spark SQL string literal, with Spark's default escapes."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return "'" + escaped.replace("\n", "\\n").replace("\r", "\\r") + "'"


def comment_text(column: Column) -> str:
    """The Delta column comment: the contract's sentence and, where there is one, the unit."""
    return f"{column.comment} Unit: {column.unit}." if column.unit else column.comment


def ddl(columns: Iterable[Column]) -> str:
    """The columns as Spark SQL DDL, as CREATE TABLE and ``StructType.fromDDL`` take it."""
    return ", ".join(
        f"`{c.name}` {spark_type(c)}{'' if c.nullable else ' NOT NULL'}"
        f" COMMENT {text_literal(comment_text(c))}"
        for c in columns
    )


def column_constraints(column: Column) -> tuple[Constraint, ...]:
    """The rules of one column, from its domain, range and pattern."""
    name = f"`{column.name}`"
    rules: list[tuple[str, str, str]] = []
    if column.domain is not None:
        allowed = ", ".join(text_literal(value) for value in column.domain)
        rules.append(
            ("domain", f"{name} IN ({allowed})", f"one of {len(column.domain)} known values")
        )
    if column.range is not None:
        low, high = column.range
        parts = [f"{name} >= {_number(low, column)}"] if low is not None else []
        parts += [f"{name} <= {_number(high, column)}"] if high is not None else []
        # Spark orders NaN above every number, so only an upper bound would keep it out.
        parts += [f"NOT isnan({name})"] if column.type == "double" and high is None else []
        rules.append(("range", " AND ".join(parts), range_text(column)))
    if column.pattern is not None:
        # \z, for $ would also match before a line break at the end.
        literal = text_literal(rf"\A(?:{column.pattern})\z")
        rules.append(("pattern", f"{name} RLIKE {literal}", f"matches {column.pattern}"))
    return tuple(
        Constraint(
            f"{column.name}_{rule}",
            f"({name} IS NULL OR ({sql}))",
            f"{column.name}: {text}.",
            column.name,
        )
        for rule, sql, text in rules
    )


def check_constraint(check: Check) -> Constraint:
    """A check over several columns; a null result passes."""
    return Constraint(check.code, f"coalesce(({check.expect}), true)", check.comment)


def constraints(table: Silver | GoldTable) -> tuple[Constraint, ...]:
    """All CHECK constraints of a table: those of its columns, then silver's checks."""
    of_columns = [c for column in table.columns for c in column_constraints(column)]
    checks = table.checks if isinstance(table, Silver) else ()
    return (*of_columns, *(check_constraint(c) for c in checks))


def reasons(silver: Silver) -> dict[str, str]:
    """Every reason code for which a record of the source can be quarantined, with its sentence."""
    codes: dict[str, str] = {}
    for column in silver.columns:
        if not column.nullable:
            codes[f"{column.name}_missing"] = f"{column.name}: a value is required."
        if column.type != "string":
            codes[f"{column.name}_type"] = f"{column.name}: the text is no {column.type}."
    return codes | {c.name: c.comment for c in constraints(silver)}


def range_text(column: Column) -> str:
    """The range in words, such as ``1 to 77`` or ``0 or more``; "" without one."""
    if column.range is None:
        return ""
    low, high = (
        None if end is None else f"{end:g}" if abs(end) < 1e6 else str(end) for end in column.range
    )
    if high is None:
        return f"{low} or more"
    return f"{high} or less" if low is None else f"{low} to {high}"


def export_columns(table: GoldTable, model: Model) -> tuple[Column, ...]:
    """The columns of the CSV hand-off: key, event time, label and features, in table order."""
    wanted = {*table.key, model.event_time, model.label, *model.feature_columns}
    return tuple(c for c in table.columns if c.name in wanted)


def csv_header(columns: Sequence[Column]) -> str:
    """First line of a CSV part, without its line break. Names need no quotes."""
    return ",".join(c.name for c in columns)


def _number(value: float, column: Column) -> str:
    # A bare 41.5 is a DECIMAL to Spark, and the comparison would go through decimals.
    return str(int(value)) if column.type == "long" else f"{value!r}D"
