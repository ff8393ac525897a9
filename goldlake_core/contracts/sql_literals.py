"""Spark SQL without its text literals: what looks like syntax inside of them is text."""

from __future__ import annotations

import re

_LITERAL = re.compile(
    r"""
    \b[rR]'[^']*' | \b[rR]"[^"]*"        # raw: a backslash is a backslash
    | '(?:[^'\\]|\\.)*' | "(?:[^"\\]|\\.)*"
    | `[^`]*`                            # a quoted name
    """,
    re.VERBOSE | re.DOTALL,
)


def without_literals(sql: str) -> str:
    """The text with ``''`` in place of every literal; names in backquotes lose their quotes."""
    return _LITERAL.sub(lambda m: m[0][1:-1] if m[0].startswith("`") else "''", sql)


def blanked(sql: str) -> str:
    """The text with blanks in place of each literal's letters: every place stays where it is."""
    return _LITERAL.sub(lambda m: m[0] if m[0].startswith("`") else " " * len(m[0]), sql)
