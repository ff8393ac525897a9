"""What data is before it reaches a terminal: printable, never markup, cut to the width.

All that commands print goes through here. Texts are made of parts that are escaped one by one, so
that data can neither move the cursor nor set a color.
"""

from __future__ import annotations

import json
import os
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

NO_TERMINAL_WIDTH = 100
LEAST_COLUMN = 8
"""Characters that a column keeps, however narrow the terminal is."""

Part: TypeAlias = "str | tuple[str, str] | Text"
"""A text, or a text and its style, or a text of parts."""


def console(*, is_error: bool = False) -> Console:
    """The console of a command: colors only on a terminal and without ``NO_COLOR``."""
    from rich.console import Console

    stream = sys.stderr if is_error else sys.stdout
    is_terminal = stream.isatty()
    width = None if is_terminal or os.environ.get("COLUMNS") else NO_TERMINAL_WIDTH
    return Console(stderr=is_error, highlight=False, width=width)


def printable(text: str) -> str:
    """A text whose control characters are escaped: data cannot move a terminal's cursor."""
    if text.isprintable():
        return text
    return "".join(repr(c)[1:-1] if _is_control(c) else c for c in text)


def styled(*parts: Part) -> Text:
    """A text of parts, each with or without a style. What they hold is never markup."""
    from rich.text import Text

    def escaped(part: Part) -> Text:
        if isinstance(part, Text):
            return part
        text, style = (part, "") if isinstance(part, str) else part
        return Text(printable(text), style=style)

    return Text().join(map(escaped, parts))


def say(*parts: Part, is_error: bool = False) -> None:
    """Prints one line, of any length, on standard output or standard error."""
    say_all([styled(*parts)], is_error=is_error)


def say_all(lines: Iterable[Text], *, is_error: bool = False) -> None:
    """Prints lines; the terminal wraps what is longer than it is wide."""
    out = console(is_error=is_error)
    for line in lines:
        out.print(line, soft_wrap=True)


def say_lines(text: str, *, is_error: bool = False) -> None:
    """Prints lines as they are, for texts whose line ends are goldlake's own."""
    say_all(map(styled, text.split("\n")), is_error=is_error)


def say_wrapped(*parts: Part, is_error: bool = False, indent: int = 2) -> None:
    """Prints one line, wrapped at the width of the terminal; see `wrapped`."""
    say_all(wrapped(styled(*parts), console().width, indent), is_error=is_error)


def wrapped(text: Text, width: int, indent: int = 2) -> list[Text]:
    """A text as lines of a width; lines after the first are indented further than it."""
    from rich.text import Text

    if text.cell_len <= width:
        return [text]
    lead = len(text.plain) - len(text.plain.lstrip(" "))
    body = text[lead:]
    lines = body.wrap(console(), max(width - lead - indent, LEAST_COLUMN), overflow="fold")
    for line in lines:
        line.rstrip()
    leads = [lead, *[lead + indent] * (len(lines) - 1)]
    return [Text(" " * n).append_text(line) for n, line in zip(leads, lines, strict=True)]


def aligned(rows: Sequence[Sequence[Part]], sides: str, width: int) -> list[Text]:
    """Rows of cells as lines. Where they are too wide, the widest column is cut with ``…``.

    Args:
        rows: Cells by row; all rows have as many.
        sides: Per column ``l`` or ``r``: the side at which its cells stand.
        width: Most characters of a line.
    """
    from rich.text import Text

    texts = [[styled(cell) for cell in row] for row in rows]
    widths = [
        min(width, max((row[index].cell_len for row in texts), default=0))
        for index in range(len(sides))
    ]
    while sum(widths) + 2 * len(widths) > width and max(widths) > LEAST_COLUMN:
        widths[widths.index(max(widths))] -= 1
    lines = []
    for row in texts:
        for cell, side, wide in zip(row, sides, widths, strict=True):
            cell.truncate(wide, overflow="ellipsis")
            cell.align("right" if side == "r" else "left", wide)
        line = Text("  ").append_text(Text("  ").join(row))
        line.rstrip()
        lines.append(line)
    return lines


def say_json_lines(documents: Iterable[Any]) -> None:
    """Prints each document on a line, as it comes: unbroken and in ASCII, for the next program."""
    out = sys.stdout.buffer
    for document in documents:
        out.write(json.dumps(document).encode("ascii") + b"\n")
    out.flush()


def say_json(document: Any, indent: int | None = 2) -> None:
    """Prints one JSON document, however wide; only control characters are escaped.

    Args:
        document: A typed document.
        indent: Spaces per level; None: all on one line.
    """
    import msgspec

    plain = msgspec.to_builtins(document)
    text = json.dumps(plain, ensure_ascii=False, indent=indent, default=str)
    if not text.replace("\n", "").isprintable():
        # JSON's own line ends are the only control characters outside of its texts.
        text = "".join(json.dumps(c)[1:-1] if c != "\n" and _is_control(c) else c for c in text)
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _is_control(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp")


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
