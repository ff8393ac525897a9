"""The keys that a source holds, typed as silver types them, without a JVM.

`lakehouse.parsing` says what a text of the source means; these are the same rules in Polars.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from goldlake_core.contracts.column_types import NUMBERS
from goldlake_core.contracts.errors import UsageError
from goldlake_core.contracts.sections import Column, Silver

if TYPE_CHECKING:
    import polars as pl

_BLANK = "[ \\t\\n\\x0B\\f\\r]*"
_INTEGER = rf"^{_BLANK}[+-]?[0-9]+(\.0*)?{_BLANK}$"
_NUMBER = rf"^{_BLANK}[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?{_BLANK}$"
# Of a Spark datetime pattern, its parts and what Polars calls them.
_TIME_PART = re.compile(r"'([^']*)'|\.S{1,9}|([a-zA-Z])\2*|[^a-zA-Z']")
_DIGITS = {"yyyy": "%Y", "MM": "%m", "dd": "%d", "HH": "%H", "hh": "%I", "mm": "%M", "ss": "%S"}
_TIME_NAMES = {**_DIGITS, "a": "%p", "MMM": "%b", "MMMM": "%B"}


def typed(texts: Mapping[str, Sequence[str | None]], silver: Silver) -> pl.DataFrame:
    """Texts of key columns with silver's types; rows whose key does not parse are left out.

    Args:
        texts: The texts by key column.
        silver: The contract of the silver table.

    Raises:
        UsageError: A time of the key has a format that only Spark reads.
    """
    import polars as pl

    frame = pl.DataFrame({name: pl.Series(texts[name], dtype=pl.String) for name in silver.key})
    columns = [_typed(silver.column(name)).alias(name) for name in silver.key]
    return frame.select(columns).drop_nulls().unique()


def _typed(column: Column) -> pl.Expr:
    import polars as pl

    text = pl.col(column.name)
    if column.null_values:
        is_missing = text.is_in(list(column.null_values))
        if column.type in NUMBERS:
            numbers = [float(v) for v in column.null_values if re.fullmatch(_NUMBER, v)]
            is_equal = text.cast(pl.Float64, strict=False).is_in(numbers).fill_null(value=False)
            is_missing = is_missing | is_equal
        text = pl.when(~is_missing).then(text)
    if column.replace:
        text = text.replace(dict(column.replace))
    if column.pad is not None:
        text = text.str.strip_chars_start("0").str.pad_start(column.pad, "0")
    return _value(column, text)


def _value(column: Column, text: pl.Expr) -> pl.Expr:
    import polars as pl

    plain = text.str.strip_chars(" \t\n\x0b\f\r").str.strip_prefix("+")
    match column.type:
        case "string":
            return text
        case "long":
            digits = plain.str.replace(r"\.0*$", "").cast(pl.Int64, strict=False)
            return pl.when(text.str.contains(_INTEGER)).then(digits)
        case "double":
            number = plain.cast(pl.Float64, strict=False)
            return pl.when(text.str.contains(_NUMBER) & number.is_finite()).then(number)
        case "boolean":
            lower = text.str.to_lowercase()
            return pl.when(lower.is_in(["true", "false"])).then(lower == "true")
        case "date" | "timestamp":
            return _time(column, text)


def _time(column: Column, text: pl.Expr) -> pl.Expr:
    """A local time is the earlier of two; one that does not exist moves on by the missing hour."""
    import polars as pl

    name, shape = _time_format(column)
    is_shaped = text.str.contains(shape)
    local = text.str.to_datetime(name, time_unit="us", strict=False)
    local = pl.when(is_shaped).then(local)
    if column.type == "date":
        return local.dt.date()
    zone = column.time_zone or "UTC"

    def instant(time: pl.Expr) -> pl.Expr:
        there = time.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
        return there.dt.convert_time_zone("UTC")

    hour = pl.duration(hours=1)
    return pl.coalesce(instant(local), instant(local - hour) + hour)


def _time_format(column: Column) -> tuple[str, str]:
    """What Polars calls a Spark datetime pattern, and the shape that its texts must have."""
    found, shape = "", ""
    for part in _TIME_PART.finditer(column.format or ""):
        word = part[0]
        if word.startswith("'") or not (word[0].isalpha() or word.startswith(".S")):
            text = part[1] or "'" if word.startswith("'") else word
            found, shape = found + text.replace("%", "%%"), shape + re.escape(text)
        elif word.startswith(".S") and len(word) - 1 in (3, 6, 9):
            found += f"%.{len(word) - 1}f"
            shape += rf"\.[0-9]{{{len(word) - 1}}}"
        elif word in _TIME_NAMES:
            found += _TIME_NAMES[word]
            shape += f"[0-9]{{{len(word)}}}" if word in _DIGITS else r"\p{L}+"
        else:
            raise UsageError(
                f"The key column {column.name} has the format {column.format!r}, and keys with "
                f"{word!r} can only be read with Spark",
                valid=f"a format of {', '.join(_TIME_NAMES)} and fractions of 3, 6 or 9 digits",
            )
    return found, f"^{shape}$"
