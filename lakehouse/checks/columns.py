"""Rules of single columns that are valid and leave nothing to tell or to allow."""

from __future__ import annotations

import re
from collections.abc import Iterator

from goldlake_core.contracts.findings import Remark, warning
from goldlake_core.contracts.sections import Column


def column_remarks(column: Column) -> Iterator[tuple[str, Remark]]:
    """What is probably not intended, each with the key of the column that says it.

    Args:
        column: A silver column, or one that a gold table declares.
    """
    domain = column.domain or ()
    if len(domain) == 1 and not column.nullable:
        yield (
            "domain",
            warning(f"{domain[0]!r} is the only value the column can have", "two values"),
        )
    if column.range is not None and column.range[0] == column.range[1]:
        problem = f"{column.range[0]} is the only value the column can have"
        yield "range", warning(problem, "lowest < highest")
    missing = [value for value in domain if value in column.null_values]
    if missing:
        problem = f"{missing[0]!r} of the domain is read as missing (null_values)"
        yield "domain", warning(problem, "one of the two")
    unreadable = [value for value in domain if _is_refused(value, column.pattern)]
    if unreadable:
        problem = f"{unreadable[0]!r} of the domain does not match the pattern {column.pattern!r}"
        yield "domain", warning(problem, "values that match the pattern")


def _is_refused(value: str, pattern: str | None) -> bool:
    """Whether a pattern that means the same to Java and Python refuses a value."""
    if pattern is None or not re.fullmatch(r"[\w\s.,:/|()\[\]{}*+?-]*", pattern, re.ASCII):
        return False
    try:
        return re.fullmatch(pattern, value) is None
    except re.error:
        return False
