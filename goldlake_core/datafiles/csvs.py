"""Reads CSV line by line and tells ``""`` from nothing, which Python's own reader cannot."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator
from functools import cached_property

from goldlake_core.contracts.sections import Format

MAX_ROW_CHARS = 16 * 2**20
"""Most characters of a row: a quote that is not closed within them does not begin a field."""
_ENDS = "\r\n"


class Dialect:
    """How the rows of a CSV text are written.

    Args:
        written: The format that the contract declares.
    """

    def __init__(self, written: Format) -> None:
        names = {"tab": "\t", "blanks": " "}
        self.is_blanks = written.delimiter == "blanks"
        self.delimiter = names.get(written.delimiter, written.delimiter)
        self.quote = written.quote

    @cached_property
    def plain(self) -> re.Pattern[str]:
        """What a field without quotes matches."""
        return re.compile(f"[^{re.escape(self.delimiter)}\r\n]*")

    @cached_property
    def quoted(self) -> re.Pattern[str]:
        """What a field in quotes matches.

        A quote that another one follows is never the last: the field goes on in the next line.
        """
        mark = re.escape(self.quote)
        return re.compile(f"{mark}([^{mark}]*(?:{mark}{mark}[^{mark}]*)*){mark}(?!{mark})")


COMMAS = Dialect(Format())


def rows(lines: Iterable[str], dialect: Dialect = COMMAS) -> Iterator[tuple[str, list[str | None]]]:
    """The rows of a CSV text; empty lines are left out.

    A quote that no other one closes does not swallow the rest of the text: its line is one row
    with one field.

    Args:
        lines: The lines with their ends: CR LF, LF or CR.
        dialect: How the rows are written.

    Yields:
        The row as it is written, and its fields: None for nothing at all, "" for ``""``.
    """
    source, waiting = iter(lines), deque[str]()
    while True:
        line = waiting.popleft() if waiting else next(source, None)
        if line is None:
            return
        text = line.rstrip(_ENDS)
        if dialect.is_blanks:
            fields: list[str | None] = list(text.split())
            if fields:
                yield text, fields
        elif not dialect.quote or dialect.quote not in text:
            if text:
                yield text, [field or None for field in text.split(dialect.delimiter)]
        else:
            yield _quoted_row(line, waiting, source, dialect)


def _quoted_row(
    line: str, waiting: deque[str], source: Iterator[str], dialect: Dialect
) -> tuple[str, list[str | None]]:
    """A row that holds a quote, with as many further lines as its quotes need.

    Lines that were read and are not part of it go back to those that wait.
    """
    taken, wanted, size = [line], 1, len(line)
    while True:
        text = "".join(taken)
        row = _fields(text, dialect)
        if row is not None:
            fields, end = row
            rest = text[end:]
            if rest.lstrip(_ENDS):
                waiting.extendleft(reversed(re.findall(r"[^\r\n]*(?:\r\n|\n|\r|\Z)", rest)[:-1]))
            return text[:end], fields
        # Twice as many lines each time: a long field is not looked at once per line.
        before = len(taken)
        for _ in range(wanted):
            more = waiting.popleft() if waiting else next(source, None)
            if more is None and len(taken) > before:
                break  # The text ends with fewer lines than were asked for; they may do.
            if more is None or size > MAX_ROW_CHARS:
                waiting.extendleft(reversed(taken[1:] + ([more] if more else [])))
                text = line.rstrip(_ENDS)
                return text, [text]
            taken.append(more)
            size += len(more)
        wanted = len(taken)


def _fields(text: str, dialect: Dialect) -> tuple[list[str | None], int] | None:
    """The fields of the first row of a text, and where it ends; None if a quote is not closed."""
    fields: list[str | None] = []
    at = 0
    while True:
        value = ""
        is_quoted = text.startswith(dialect.quote, at)
        if is_quoted:
            match = dialect.quoted.match(text, at)
            if match is None:
                return None
            value, at = match[1].replace(dialect.quote * 2, dialect.quote), match.end()
        rest = dialect.plain.match(text, at)
        assert rest is not None  # it matches nothing, too
        value, at = value + rest[0], rest.end()
        fields.append(value if value or is_quoted else None)
        if not text.startswith(dialect.delimiter, at):
            return fields, at
        at += len(dialect.delimiter)
