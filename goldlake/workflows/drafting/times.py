"""Which formats the times of a column have, by the rules that silver reads them with."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from goldlake_core.contracts.sections import Column
from lakehouse.texts import ISO
from lakehouse.typed import shape_of, value

if TYPE_CHECKING:
    import polars as pl

MOST_FORMATS = 3
"""Formats that one column may mix."""
_DAYS = (
    *("yyyy-MM-dd", "dd/MM/yyyy", "MM/dd/yyyy", "dd.MM.yyyy", "dd-MM-yyyy", "MM-dd-yyyy"),
    *("yyyy/MM/dd", "yyyy.MM.dd", "d/M/yyyy", "M/d/yyyy", "d.M.yyyy", "d-M-yyyy", "M-d-yyyy"),
    *("dd/MM/yy", "MM/dd/yy", "dd.MM.yy", "d/M/yy", "M/d/yy", "d MMM yyyy", "dd-MMM-yyyy"),
    *("dd-MMM-yy", "MMM d, yyyy", "MMMM d, yyyy", "d MMMM yyyy", "MMM d yyyy", "MMMM d yyyy"),
    *("d-MMM-yyyy", "d-MMM-yy", "dd/MMM/yyyy"),
)
_MONTHS = ("yyyy-MM", "MM/yyyy", "MMM yyyy", "MMM-yy")
_CLOCKS = ("HH:mm:ss", "HH:mm", "hh:mm:ss a", "hh:mm a", "H:mm:ss", "H:mm", "h:mm:ss a", "h:mm a")
_DIGITS = "yyyyMMdd"
_DAY_FIRST = re.compile(r"d{1,2}[/.-]M{1,2}[/.-]")
_NAME_OF_TIME = re.compile(
    r"(^|_)(date|time|timestamp|stamp|day|datetime|ts|at|on|created|updated|modified|epoch)(_|$)"
)
_EPOCHS = {"epoch_s": (10**8, 4 * 10**9), "epoch_ms": (10**11, 4 * 10**12)}
"""Numbers that are plausible as times: from 1973 to 2096."""


@dataclass(frozen=True)
class Times:
    """The formats of a column.

    Attributes:
        type: ``date``, or ``timestamp`` where the texts have a clock.
        formats: Formats to try in order.
        others: Formats that read all texts as well, and as other days.
        is_guessed: Whether only the column's name says that the numbers are times.
        has_offset: Whether each text tells its offset from UTC.
    """

    type: str
    formats: tuple[str, ...]
    others: tuple[str, ...] = ()
    is_guessed: bool = False
    has_offset: bool = False


def times_of(name: str, texts: pl.Series, most_odd: int) -> Times | None:
    """The formats that read nearly all texts of a column, or None.

    Args:
        name: The column's name, which tells times from other numbers.
        texts: Different texts of the column, without missing ones.
        most_odd: How many of them need not be times.
    """
    if not len(texts):
        return None
    numbers = _of_numbers(name, texts)
    if numbers is not None:
        return numbers
    if not texts.str.contains(r"[0-9]").all() or texts.str.contains(r"^[0-9]+$").any():
        return None
    candidates = _candidates(texts)
    fits = {each: _fits(each, texts) for each in candidates}
    total = len(texts)
    whole = [each for each, fit in fits.items() if total - fit.sum() <= most_odd]
    if whole:
        first = whole[0]
        different = [first]
        for each in whole[1:]:
            if all(_is_other_day(known, each, texts) for known in different):
                different.append(each)
        return _times((first,), texts, tuple(different[1:]))
    mixed = _mixed(fits, total, most_odd)
    return _times(mixed, texts) if mixed else None


def _times(formats: tuple[str, ...], texts: pl.Series, others: tuple[str, ...] = ()) -> Times:
    has_clock = any("H" in each or "h" in each for each in formats)
    has_offset = False
    if formats == ("iso",):
        has_clock = bool(texts.str.contains("[T ]").any())
        has_offset = bool(texts.str.contains(r"[T ].*(Z|[+-][0-9]{2}:[0-9]{2})$").all())
    return Times("timestamp" if has_clock else "date", formats, others, has_offset=has_offset)


def _of_numbers(name: str, texts: pl.Series) -> Times | None:
    import polars as pl

    if not _NAME_OF_TIME.search(name) or not texts.str.contains(r"^[0-9]+(\.0+)?$").all():
        return None
    numbers = texts.str.replace(r"\.0+$", "").cast(pl.Int64, strict=False)
    if numbers.null_count():
        return None
    if texts.str.len_chars().eq(8).all() and _fits(_DIGITS, texts).all():
        return Times("date", (_DIGITS,), is_guessed=True)
    for format, (low, high) in _EPOCHS.items():
        if numbers.is_between(low, high).all():
            return Times("timestamp", (format,), is_guessed=True, has_offset=True)
    return None


def _candidates(texts: pl.Series) -> list[str]:
    """The formats that read one of the first texts, plainest first."""
    some = list(texts.head(200))
    return [name for name, shape in _shapes().items() if any(map(shape.match, some))]


@cache
def _shapes() -> dict[str, re.Pattern[str]]:
    """The shape of each format's texts."""
    every = ["yyyy-MM-dd'T'HH:mm:ss", *_DAYS, *_MONTHS]
    every += [f"{day} {clock}" for day in _DAYS for clock in _CLOCKS]
    shapes = {"iso": ISO, **{each: shape_of(each) for each in every}}
    return {name: re.compile(shape.replace(r"\z", r"\Z")) for name, shape in shapes.items()}


def _fits(format: str, texts: pl.Series) -> pl.Series:
    """Which texts a format reads."""
    import polars as pl

    column = Column(name="c", type="timestamp", format=format, time_zone="UTC")
    read = pl.DataFrame({"c": texts}).select(value(column, pl.col("c")).is_not_null())
    return read.to_series()


def _is_other_day(one: str, other: str, texts: pl.Series) -> bool:
    """Whether two formats that read the same texts make different days of them."""
    import polars as pl

    columns = [Column(name="c", type="date", format=each) for each in (one, other)]
    days = pl.DataFrame({"c": texts}).select(
        value(column, pl.col("c")).alias(str(n)) for n, column in enumerate(columns)
    )
    return bool((days["0"] != days["1"]).any())


def _mixed(fits: dict[str, pl.Series], total: int, most_odd: int) -> tuple[str, ...]:
    """Formats that read nearly all texts together; () where a day and a month may be swapped."""
    import polars as pl

    taken: list[str] = []
    left = pl.Series([True] * total)
    while left.sum() > most_odd and len(taken) < MOST_FORMATS:
        best = max(fits, key=lambda each: int((fits[each] & left).sum()), default=None)
        if best is None or not (fits[best] & left).any():
            return ()
        taken.append(best)
        left = left & ~fits[best]
    if left.sum() > most_odd or _swaps(taken):
        return ()
    return tuple(taken)


def _swaps(formats: list[str]) -> bool:
    """Whether some formats have the day first and some the month, between the same marks."""
    shapes = [re.sub(r"[dM]+", "x", each) for each in formats]
    return any(
        shapes[i] == shapes[j] and bool(_DAY_FIRST.match(a)) != bool(_DAY_FIRST.match(b))
        for i, a in enumerate(formats)
        for j, b in enumerate(formats)
        if i < j
    )
