"""Landed records in Polars: their texts, their typed values and the rules that they break."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from goldlake_core.contracts.fields import CONTENT_FIELD, content_id, value_at
from goldlake_core.contracts.sections import Column
from lakehouse.typed import source_text, value

if TYPE_CHECKING:
    import polars as pl

NESTED = "\0nested"
"""Text of a value that is an object or a list, which no text of a source is."""


def decoded(line: bytes) -> dict[str, object] | None:
    """A landed record, or None where it is not a JSON object."""
    try:
        return msgspec.json.decode(line, type=dict[str, object])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def text_of(line: bytes, record: Mapping[str, Any], field: str) -> str | None:
    """The source's text of a field of a record; `NESTED` for an object or a list."""
    found = content_id(line) if field == CONTENT_FIELD else value_at(record, field)
    if found is None or isinstance(found, str):
        return found
    if isinstance(found, bool):
        return "true" if found else "false"
    return NESTED if isinstance(found, dict | list) else str(found)


def typed_frames(
    columns: Sequence[Column], texts: Mapping[str, Sequence[str | None]]
) -> dict[str, pl.DataFrame]:
    """Per column the texts of its field, what they mean, and the typed values.

    Args:
        columns: The columns of a table.
        texts: The source's texts by column, one per record.

    Returns:
        By column, a frame with ``source``, ``text`` and ``value``.

    Raises:
        UsageError: A time has a format that only Spark reads.
    """
    import polars as pl

    frames = {}
    for column in columns:
        frame = pl.DataFrame({"source": texts[column.name]}, schema={"source": pl.String})
        text = source_text(column, pl.col("source"))
        frames[column.name] = frame.select(
            "source", text.alias("text"), value(column, text).alias("value")
        )
    return frames


def broken_rows(column: Column, typed: pl.DataFrame) -> Iterator[tuple[str, pl.Series]]:
    """Reason codes of a column, each with the records that have it."""
    text, found = typed["text"], typed["value"]
    if not column.nullable:
        yield f"{column.name}.missing", text.is_null()
    if column.type == "string":
        yield f"{column.name}.unparsable", (text == NESTED).fill_null(value=False)
    else:
        yield f"{column.name}.unparsable", text.is_not_null() & found.is_null()
    if column.domain is not None:
        is_in = found.is_in(list(column.domain)).fill_null(value=True)
        yield f"{column.name}.domain", ~is_in
    if column.range is not None:
        low, high = column.range
        is_low = found < low if low is not None else found != found
        is_high = found > high if high is not None else found != found
        yield f"{column.name}.range", (is_low | is_high).fill_null(value=False)
    if column.pattern is not None:
        yield f"{column.name}.pattern", ~_matches(found, column.pattern)


def _matches(texts: pl.Series, pattern: str) -> pl.Series:
    """Which texts match a pattern; all where only Java reads it."""
    import polars as pl

    try:
        return texts.str.contains(rf"\A(?:{pattern})\z").fill_null(value=True)
    except pl.exceptions.ComputeError:
        return pl.repeat(value=True, n=len(texts), eager=True)
