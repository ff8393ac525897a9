"""What a contract means in SQL: rules, constraints, reason codes, quoting. Pure Python.

A rule is said once: the same SQL rejects a record (as its reason code) and guards the table (as its
CHECK constraint).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from goldlake_core.contracts.column_types import TIMES
from goldlake_core.contracts.sections import Check, Column, Silver

JSON_INVALID = "json.invalid"
"""Reason code of a line that is not one JSON object."""
ERASED = "record.erased"
"""Reason code of the line that replaces an erased record."""


@dataclass(frozen=True)
class Rule:
    """A condition on a typed row.

    Attributes:
        code: Reason code of a row that breaks it: ``COLUMN.domain``, ``COLUMN.range``,
            ``COLUMN.pattern``, or a check's own code.
        expect: Spark SQL over the table's column names; true or null passes.
        comment: One sentence for people.
        column: The column, or None for a rule over several.
    """

    code: str
    expect: str
    comment: str = ""
    column: str | None = None

    @property
    def constraint(self) -> tuple[str, str]:
        """Name and expression of the CHECK constraint (Delta refuses null, a rule does not)."""
        return re.sub(r"\W", "_", self.code), f"coalesce({self.expect}, true)"


def quoted(name: str) -> str:
    """A column name as Spark SQL."""
    return "`" + name.replace("`", "``") + "`"


def literal(text: str) -> str:
    """A text as a Spark SQL string literal, with Spark's default escapes."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return "'" + escaped.replace("\n", "\\n").replace("\r", "\\r") + "'"


def number(value: float, column: Column) -> str:
    """A bound as a Spark SQL literal of the column's type.

    A bare 41.5 is a DECIMAL to Spark, and the comparison would go through decimals.
    """
    return f"{int(value)}L" if column.type == "long" else f"{float(value)!r}D"


def comment_text(column: Column) -> str:
    """The Delta column comment: the contract's sentence and, where there is one, the unit."""
    comment = column.comment or f"Field {column.field or column.name} of the source."
    return f"{comment} Unit: {column.unit}." if column.unit else comment


def column_rules(column: Column) -> tuple[Rule, ...]:
    """The rules of one column: domain, range and pattern. Missing and unparsable are parsing's."""
    name = quoted(column.name)
    rules: list[tuple[str, str, str]] = []
    if column.domain is not None:
        values = ", ".join(literal(value) for value in column.domain)
        rules.append(("domain", f"{name} in ({values})", f"is {_values(column.domain)}"))
    if column.range is not None:
        low, high = column.range
        ends = [f"{name} >= {number(low, column)}"] if low is not None else []
        ends += [f"{name} <= {number(high, column)}"] if high is not None else []
        if column.type == "double" and high is None:
            # Spark orders NaN above every number, so only an upper bound would keep it out.
            ends.append(f"not isnan({name})")
        rules.append(("range", " and ".join(ends), f"is {range_text(column)}"))
    if column.pattern is not None:
        # \z, for $ would also match before a line break at the end.
        whole = literal(rf"\A(?:{column.pattern})\z")
        rules.append(("pattern", f"{name} rlike {whole}", f"matches {column.pattern}"))
    return tuple(
        Rule(f"{column.name}.{rule}", sql, f"{column.name} {text}.", column.name)
        for rule, sql, text in rules
    )


def row_rules(columns: Iterable[Column], checks: Iterable[Check] = ()) -> tuple[Rule, ...]:
    """Every rule of a table, columns first, in the contract's order."""
    of_columns = [rule for column in columns for rule in column_rules(column)]
    return (*of_columns, *(Rule(c.code, f"({c.expect})", c.comment) for c in checks))


def constraints(columns: Iterable[Column], checks: Iterable[Check] = ()) -> dict[str, str]:
    """CHECK constraints by name, for Delta; ``COLUMN_missing`` where a null is not allowed."""
    columns = tuple(columns)
    missing = {
        f"{c.name}_missing": f"{quoted(c.name)} is not null" for c in columns if not c.nullable
    }
    return missing | dict(rule.constraint for rule in row_rules(columns, checks))


def reasons(silver: Silver) -> dict[str, str]:
    """Every reason code for which a landed record can be quarantined, each with its sentence."""
    codes = {
        JSON_INVALID: "The line is one JSON object.",
        ERASED: "The record was not erased.",
    }
    for column in silver.columns:
        if not column.nullable:
            codes[f"{column.name}.missing"] = f"{column.name} has a value."
        codes[f"{column.name}.unparsable"] = f"{column.name} reads as {column.type}."
    for name in times(silver):
        codes[f"{name}.future"] = f"{name} is at most a day after the record was landed."
    return codes | {r.code: r.comment for r in row_rules(silver.columns, silver.checks)}


def times(silver: Silver) -> tuple[str, ...]:
    """The columns among version and event time that are times, each once."""
    names = dict.fromkeys(name for name in (silver.version, silver.event_time) if name)
    return tuple(name for name in names if silver.column(name).type in TIMES)


def range_text(column: Column) -> str:
    """The range in words, such as ``1 to 77`` or ``0 or more``; "" without one."""
    if column.range is None:
        return ""
    low, high = (
        "" if end is None else str(int(end)) if float(end).is_integer() else repr(end)
        for end in column.range
    )
    if not high:
        return f"{low} or more"
    return f"{low} to {high}" if low else f"{high} or less"


def _values(values: tuple[str, ...]) -> str:
    if len(values) > 6:
        return f"one of {len(values)} known values"
    return "one of " + ", ".join(values)
