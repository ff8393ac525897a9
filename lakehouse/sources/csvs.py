"""Reads CSV text and tells ``""`` from nothing, which Python's own reader does before 3.12 not."""

from __future__ import annotations

import re
from collections.abc import Iterator

_BREAK = re.compile(r"\r\n|\n|\r")
_QUOTED = re.compile(r'"([^"]*(?:""[^"]*)*)"')


def rows(text: str, delimiter: str = ",") -> Iterator[tuple[str, list[str | None]]]:
    """The rows of a CSV text; empty lines are left out.

    A quote that no other one closes does not swallow the rest of the text: its line is one row
    with one field.

    Args:
        text: The whole text. Lines end with CR LF, LF or CR.
        delimiter: The character between two fields.

    Yields:
        The row as it is written, and its fields: None for nothing at all, "" for ``""``.
    """
    plain = re.compile(f"[^{re.escape(delimiter)}\r\n]*")
    at = 0
    while at < len(text):
        found = _BREAK.search(text, at)
        stop, after = found.span() if found else (len(text), len(text))
        line = text[at:stop]
        if '"' in line:
            fields, stop = _fields(text, at, stop, delimiter, plain)
            line = text[at:stop]
            found = _BREAK.match(text, stop)
            after = found.end() if found else stop
        else:
            fields = [field or None for field in line.split(delimiter)]
        if line:
            yield line, fields
        at = after


def _fields(
    text: str, at: int, line_end: int, delimiter: str, plain: re.Pattern[str]
) -> tuple[list[str | None], int]:
    """The fields of a row that holds a quote, and where the row ends."""
    fields: list[str | None] = []
    begin = at
    while True:
        value = ""
        is_quoted = text.startswith('"', at)
        if is_quoted:
            match = _QUOTED.match(text, at)
            if match is None:
                stop = max(line_end, at)
                return [text[begin:stop]], stop
            value, at = match[1].replace('""', '"'), match.end()
        rest = plain.match(text, at)
        assert rest is not None  # it matches nothing, too
        value, at = value + rest[0], rest.end()
        fields.append(value if value or is_quoted else None)
        if not text.startswith(delimiter, at):
            return fields, at
        at += len(delimiter)
