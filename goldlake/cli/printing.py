"""What data is before it reaches a terminal: printable, never markup, cut to the width."""

from __future__ import annotations

import os
import sys
import unicodedata
from datetime import date, datetime
from typing import Any

from rich.console import Console

NO_TERMINAL_WIDTH = 100


def console(*, is_error: bool = False) -> Console:
    """The console of a command: colors only on a terminal and without ``NO_COLOR``."""
    stream = sys.stderr if is_error else sys.stdout
    is_terminal = stream.isatty()
    width = None if is_terminal or os.environ.get("COLUMNS") else NO_TERMINAL_WIDTH
    return Console(stderr=is_error, highlight=False, width=width)


def printable(text: str) -> str:
    """A text whose control characters are escaped: data cannot move a terminal's cursor."""
    if text.isprintable():
        return text
    return "".join(
        repr(c)[1:-1] if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") else c
        for c in text
    )


def value_text(value: Any) -> str:
    """A value of a table as text; a missing one is "", as in CSV."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(plain(value))


def plain(value: Any) -> Any:
    """A value of a table as JSON has it; instants are ISO 8601 in UTC."""
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float) and value != value:
        return "NaN"
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value
