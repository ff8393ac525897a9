"""What a row must satisfy, said once: the same SQL rejects a record and guards the table."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from goldlake.contracts.usecase import Check, Column

JSON_INVALID = "json.invalid"


@dataclass(frozen=True)
class Rule:
    """A condition on a typed row.

    Attributes:
        code: Reason code of a row that breaks it.
        expect: Spark SQL over the table's column names; true or null passes.
    """

    code: str
    expect: str

    @property
    def constraint(self) -> tuple[str, str]:
        """Name and expression of the CHECK constraint (Delta refuses null, a rule lets it pass)."""
        return re.sub(r"\W", "_", self.code), f"coalesce({self.expect}, true)"


def column_rules(column: Column) -> tuple[Rule, ...]:
    """Rules of one column: domain, range and pattern. Missing and unparsable are parsing's."""
    name = quoted(column.name)
    rules = []
    if column.domain is not None:
        values = ", ".join(literal(value) for value in column.domain)
        rules.append(Rule(f"{column.name}.domain", f"cast({name} as string) in ({values})"))
    if column.range is not None:
        low, high = (number(end, column.type) for end in column.range)
        ends = [f"{name} >= {low}"] if low else []
        ends += [f"{name} <= {high}"] if high else []
        if ends:
            rules.append(Rule(f"{column.name}.range", " and ".join(ends)))
    if column.pattern is not None:
        whole = literal(rf"\A(?:{column.pattern})\z")
        rules.append(Rule(f"{column.name}.pattern", f"{name} rlike {whole}"))
    return tuple(rules)


def row_rules(columns: Iterable[Column], checks: Iterable[Check] = ()) -> tuple[Rule, ...]:
    """Every rule of a table, columns first, in the contract's order."""
    rules = [rule for column in columns for rule in column_rules(column)]
    return (*rules, *(Rule(check.code, f"({check.expect})") for check in checks))


def constraints(columns: Iterable[Column], checks: Iterable[Check] = ()) -> dict[str, str]:
    """CHECK constraints by name, for Delta: NOT NULL columns included."""
    columns = tuple(columns)
    missing = {
        f"{column.name}_missing": f"{quoted(column.name)} is not null"
        for column in columns
        if not column.nullable
    }
    return missing | dict(rule.constraint for rule in row_rules(columns, checks))


def quoted(name: str) -> str:
    """A column name as SQL."""
    return "`" + name.replace("`", "``") + "`"


def literal(text: str) -> str:
    """A text as an SQL string literal."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def number(value: float | None, column_type: str) -> str | None:
    """A bound as an SQL literal of the column's type, or None."""
    if value is None:
        return None
    if column_type == "long" and float(value).is_integer():
        return f"{int(value)}L"
    return f"{float(value)!r}D"
