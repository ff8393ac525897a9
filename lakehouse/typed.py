"""Texts of the source with silver's types, without a JVM: `lakehouse.parsing` in Polars."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from goldlake_core.contracts.column_types import NUMBERS
from goldlake_core.contracts.errors import UsageError
from goldlake_core.contracts.rules import tells_instant
from goldlake_core.contracts.sections import Column
from lakehouse import texts

if TYPE_CHECKING:
    import polars as pl

_MONTHS = (
    *("january", "february", "march", "april", "may", "june", "july"),
    *("august", "september", "october", "november", "december"),
)
# Of a Spark datetime pattern: a quoted text, a run of one letter, or another character.
_PART = re.compile(r"'((?:[^']|'')*)'|([a-zA-Z])\2*|[^a-zA-Z']")
_OFFSET = "Z|[+-][0-9]{2}(?::?[0-9]{2})?"
# What a run of letters matches, and what it is.
_RUNS: dict[str, tuple[str, str]] = {
    "yyyy": ("year", "[0-9]{4}"),
    "yy": ("short_year", "[0-9]{2}"),
    "MM": ("month", "[0-9]{2}"),
    "M": ("month", "[0-9]{1,2}"),
    "MMM": ("name", "[A-Za-z]{3}"),
    "MMMM": ("name", "[A-Za-z]{3,9}"),
    "dd": ("day", "[0-9]{2}"),
    "d": ("day", "[0-9]{1,2}"),
    "HH": ("hour", "[0-9]{2}"),
    "H": ("hour", "[0-9]{1,2}"),
    "hh": ("half_day_hour", "[0-9]{2}"),
    "h": ("half_day_hour", "[0-9]{1,2}"),
    "mm": ("minute", "[0-9]{2}"),
    "m": ("minute", "[0-9]{1,2}"),
    "ss": ("second", "[0-9]{2}"),
    "s": ("second", "[0-9]{1,2}"),
    "a": ("half", "[AaPp][Mm]"),
    **{"X" * count: ("offset", _OFFSET) for count in (1, 2, 3)},
    **{"S" * count: ("fraction", f"[0-9]{{{count}}}") for count in range(1, 7)},
}
_LOWEST = {"year": "1970", "month": "01", "day": "01", "hour": "00", "minute": "00", "second": "00"}


def source_text(column: Column, text: pl.Expr) -> pl.Expr:
    """The source's text of a column: missing spellings are null, replaced and padded."""
    import polars as pl

    if column.file is not None:
        text = text.str.extract(column.file, 1)
        text = pl.when(text != "").then(text)
    if column.null_values:
        is_missing = text.is_in(list(column.null_values))
        if column.type in NUMBERS:
            numbers = [float(v) for v in column.null_values if texts.is_number(v)]
            is_equal = text.cast(pl.Float64, strict=False).is_in(numbers).fill_null(value=False)
            is_missing = is_missing | is_equal
        text = pl.when(~is_missing).then(text)
    if column.replace:
        text = text.replace(dict(column.replace))
    if column.pad is not None:
        text = text.str.strip_chars_start("0").str.pad_start(column.pad, "0")
    return text


def value(column: Column, text: pl.Expr) -> pl.Expr:
    """A text, as `source_text` gives it, with the column's type; null where it does not parse.

    Raises:
        UsageError: A time has a format that only Spark reads.
    """
    import polars as pl

    match column.type:
        case "string":
            return text
        case "long":
            number = _plain_number(column, text)
            digits = _stripped(number).str.replace(r"\.0*$", "").cast(pl.Int64, strict=False)
            return pl.when(number.str.contains(texts.INTEGER)).then(digits)
        case "double":
            number = _plain_number(column, text)
            parsed = _stripped(number).cast(pl.Float64, strict=False)
            is_number = number.str.contains(texts.NUMBER) & parsed.is_finite()
            return pl.when(is_number).then(parsed)
        case "boolean":
            lower = text.str.to_lowercase()
            is_true = lower.is_in(list(texts.TRUE))
            return pl.when(is_true | lower.is_in(list(texts.FALSE))).then(is_true)
        case "date":
            return _first(column, lambda each: _day(each, column, text))
        case "timestamp":
            return _first(column, lambda each: _instant(each, column, text))


def _first(column: Column, read: Callable[[str], pl.Expr]) -> pl.Expr:
    import polars as pl

    return pl.coalesce(*(read(each) for each in column.formats))


def _stripped(text: pl.Expr) -> pl.Expr:
    return text.str.strip_chars(" \t\n\x0b\f\r").str.strip_prefix("+")


def _plain_number(column: Column, text: pl.Expr) -> pl.Expr:
    """A text of a number with Python's marks; null where its marks are not the column's."""
    import polars as pl

    decimal, thousands = column.decimal, column.thousands
    if thousands:
        is_grouped = text.str.contains(texts.grouped(decimal, thousands))
        bare = text.str.replace_all(thousands, "", literal=True)
        text = pl.when(is_grouped).then(bare).otherwise(text)
    if decimal != ".":
        has_point = text.str.contains(".", literal=True)
        text = pl.when(~has_point).then(text.str.replace_all(decimal, ".", literal=True))
    return text


def _day(format: str, column: Column, text: pl.Expr) -> pl.Expr:
    """The day in a text as it is written there."""
    import polars as pl

    if format == "iso":
        day = text.str.slice(0, 10).str.to_date("%Y-%m-%d", strict=False)
        return pl.when(text.str.contains(texts.ISO)).then(day)
    local, offset = _local(format, column, text)
    return (local if offset is None else local - offset).dt.date()


def _instant(format: str, column: Column, text: pl.Expr) -> pl.Expr:
    """A local time is the earlier of two; one that does not exist moves on by the missing hour."""
    import polars as pl

    local, offset = _local(format, column, text)
    exact = (local if offset is None else local - offset).dt.replace_time_zone("UTC")
    if not column.time_zone or (format != "iso" and tells_instant(format)):
        return exact
    zone = column.time_zone

    def instant(time: pl.Expr) -> pl.Expr:
        there = time.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
        return there.dt.convert_time_zone("UTC")

    hour = pl.duration(hours=1)
    here = pl.coalesce(instant(local), instant(local - hour) + hour)
    if format == "iso":
        return pl.when(text.str.contains(texts.HAS_OFFSET)).then(exact).otherwise(here)
    return here


def _local(format: str, column: Column, text: pl.Expr) -> tuple[pl.Expr, pl.Expr | None]:
    """The time as it is written, without a zone, and its offset where the format has one."""
    import polars as pl

    if format in texts.EPOCHS:
        return _since_1970(format, text), None
    if format == "iso":
        parts = {
            "year": text.str.slice(0, 4),
            "month": text.str.slice(5, 2),
            "day": text.str.slice(8, 2),
            "hour": text.str.extract(r"^.{10}[T ]([0-9]{2})"),
            "minute": text.str.extract(r"^.{10}[T ][0-9]{2}:([0-9]{2})"),
            "second": text.str.extract(r"^.{10}[T ][0-9]{2}:[0-9]{2}:([0-9]{2})"),
            "fraction": text.str.extract(r"\.([0-9]{1,6})"),
            # A day without a clock ends like an offset: 2016-01-31.
            "offset": text.str.extract(rf"^.{{11,}}[0-9]({_OFFSET})$").fill_null("Z"),
        }
        is_shaped = text.str.contains(texts.ISO)
    else:
        names, shape = _pattern(format, column)
        parts = {name: text.str.extract(shape, place) for place, name in enumerate(names, 1)}
        is_shaped = text.str.contains(shape)
    written = _written(parts)
    time = written.str.to_datetime("%Y-%m-%d %H:%M:%S%.6f", time_unit="us", strict=False)
    return pl.when(is_shaped).then(time), _offset(parts.get("offset"))


def _written(parts: dict[str, pl.Expr]) -> pl.Expr:
    """The parts of a time as one text that Polars reads."""
    import polars as pl

    found = {name: pl.lit(lowest) for name, lowest in _LOWEST.items()}
    found |= {name: part.str.pad_start(2, "0") for name, part in parts.items() if name in _LOWEST}
    found = {name: pl.coalesce(part, pl.lit(_LOWEST[name])) for name, part in found.items()}
    if "short_year" in parts:
        found["year"] = pl.concat_str(pl.lit("20"), parts["short_year"])
    if "name" in parts:
        found["month"] = _month(parts["name"])
    if "half_day_hour" in parts:
        found["hour"] = _hour(parts["half_day_hour"], parts.get("half"))
    fraction = parts.get("fraction", pl.lit("0"))
    fraction = pl.coalesce(fraction, pl.lit("0")).str.pad_end(6, "0")
    day = pl.concat_str(found["year"], found["month"], found["day"], separator="-")
    clock = pl.concat_str(found["hour"], found["minute"], found["second"], separator=":")
    return pl.concat_str(day, pl.lit(" "), clock, pl.lit("."), fraction)


def _month(name: pl.Expr) -> pl.Expr:
    numbers = {month: f"{number:02}" for number, month in enumerate(_MONTHS, 1)}
    numbers |= {month[:3]: number for month, number in numbers.items()}
    return name.str.to_lowercase().replace_strict(numbers, default=None)


def _hour(text: pl.Expr, half: pl.Expr | None) -> pl.Expr:
    """The hour of the day from the hour of its half; without a half, of the first."""
    import polars as pl

    hour = text.cast(pl.Int64, strict=False)
    hour = pl.when(hour.is_between(1, 12)).then(hour % 12)
    if half is not None:
        hour = hour + pl.when(half.str.to_lowercase() == "pm").then(12).otherwise(0)
    return hour.cast(pl.String).str.pad_start(2, "0")


def _offset(text: pl.Expr | None) -> pl.Expr | None:
    import polars as pl

    if text is None:
        return None
    hours = text.str.slice(1, 2).cast(pl.Int64, strict=False).fill_null(0)
    minutes = text.str.extract(r"^.{3}:?([0-9]{2})$").cast(pl.Int64, strict=False).fill_null(0)
    sign = pl.when(text.str.starts_with("-")).then(-1).otherwise(1)
    return pl.duration(minutes=sign * (hours * 60 + minutes))


def _since_1970(format: str, text: pl.Expr) -> pl.Expr:
    import polars as pl

    unit = texts.EPOCHS[format]
    bare = _stripped(text)
    whole = bare.str.extract(r"^-?([0-9]+)").cast(pl.Int64, strict=False)
    digits = len(str(unit)) - 1
    fraction = bare.str.extract(r"\.([0-9]+)$").fill_null("0").str.pad_end(digits, "0")
    micros = whole * unit + fraction.cast(pl.Int64, strict=False)
    micros = pl.when(bare.str.starts_with("-")).then(-micros).otherwise(micros)
    is_shaped = text.str.contains(texts.EPOCH_SHAPES[format])
    is_inside = micros.is_between(*texts.MICROS)
    return pl.when(is_shaped & is_inside).then(micros).cast(pl.Datetime("us"))


def shape_of(format: str) -> str:
    """The shape of texts that have a Spark datetime pattern, as a regular expression.

    Raises:
        UsageError: Only Spark reads the pattern.
    """
    return _pattern(format, Column(name="c", type="timestamp", format=format))[1]


def _pattern(format: str, column: Column) -> tuple[list[str], str]:
    """The parts of a Spark datetime pattern, and the shape that its texts have, a group each."""
    names: list[str] = []
    shapes: list[str] = []
    for part in _PART.finditer(format):
        run = part[0]
        if part[2] is None:
            literal = (part[1] or "'").replace("''", "'") if run.startswith("'") else run
            shapes.append(re.escape(literal))
        elif run in _RUNS and _RUNS[run][0] not in names:
            names.append(_RUNS[run][0])
            shapes.append(f"({_RUNS[run][1]})")
        else:
            raise UsageError(
                f"The column {column.name} has the format {format!r}, and texts with {run!r} can "
                "only be read with Spark",
                valid=f"a format of {', '.join(_RUNS)}",
            )
    return names, "".join([r"\A", *shapes, r"\z"])
