"""The rows of one period as NumPy arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from goldlake_core.gate.layout import Layout, PeriodKind
from goldlake_core.gate.periods import Period

if TYPE_CHECKING:
    import polars as pl

Array: TypeAlias = "np.ndarray[Any, Any]"
MINUTES_A_DAY = 1440
CODED = ("string", "boolean", "long")
"""Types whose values are looked at one by one. Whole numbers with many values are bins as well."""


@dataclass(frozen=True)
class Span:
    """Several periods together, for learning a baseline.

    Attributes:
        first: First day of the first one.
        kind: Length of a period.
        days: Number of days in all.
        parts: A span is not divided.
    """

    first: date
    kind: PeriodKind
    days: int
    parts: int = 1

    def part_of(self, day: int) -> int:
        """The one part."""
        del day
        return 0


@dataclass(frozen=True)
class Coded:
    """A column by the codes of its distinct values.

    Attributes:
        codes: int32 per row; -1 where the value is missing.
        values: The distinct values as text, by code.
    """

    codes: Array
    values: tuple[str, ...]

    @cached_property
    def counts(self) -> Array:
        """Number of rows of each value."""
        return np.bincount(self.codes[self.codes >= 0], minlength=len(self.values))

    def translated(self, places: Mapping[str, int], other: int, missing: int) -> Array:
        """int32 per row: the place of its value, ``other`` if it has none, ``missing`` if null."""
        table = np.fromiter(
            (places.get(value, other) for value in self.values), np.int32, len(self.values)
        )
        return np.append(table, np.int32(missing))[self.codes]


@dataclass(frozen=True)
class Account:
    """What became of the records of a period before silver.

    Attributes:
        landed: Number of records.
        quarantined: Number of them with a reason.
        unchanged: Number of them that had been landed before with the same content.
    """

    landed: int
    quarantined: int
    unchanged: int


@dataclass(frozen=True)
class Batch:
    """The rows of a period.

    Attributes:
        period: The period, or a span of several.
        rows: Number of rows.
        minutes: int64 per row: minutes from the start of the period, on the publisher's clock.
        coded: Columns of texts, codes and flags.
        numbers: float64 per row and column; NaN where the value is missing.
        ripe: Mask of the rows whose label is trusted, by label.
        is_closed: Whether the period is over.
        account: What became of its records before silver; None where the table does not say.
        repeats: Share of rows that are in the period twice, and that were in the one before.
        step: Of so many rows of the period these are one.
    """

    period: Period | Span
    rows: int
    minutes: Array
    coded: Mapping[str, Coded]
    numbers: Mapping[str, Array]
    ripe: Mapping[str, Array] = field(default_factory=dict)
    is_closed: bool = True
    account: Account | None = None
    repeats: tuple[float, float] | None = None
    step: int = 1

    @property
    def days(self) -> Array:
        """int64 per row: the day, from 0."""
        return self.minutes // MINUTES_A_DAY

    @property
    def parts(self) -> Array:
        """int64 per row: the part of the period."""
        table = [self.period.part_of(day) for day in range(self.period.days)]
        return np.asarray(table, np.int64)[self.days]


def batch_of(
    frame: pl.DataFrame,
    layout: Layout,
    period: Period | Span,
    *,
    ripe_before: Mapping[str, float] | None = None,
    is_closed: bool = True,
    account: Account | None = None,
    repeats: tuple[float, float] | None = None,
    step: int = 1,
) -> Batch:
    """The rows of a period; rows of a frame whose event lies outside of it are left out.

    Args:
        frame: Rows with the columns of the layout. The event time is a timestamp or a date.
        layout: How the table is seen.
        period: The period to take, or a span of several.
        ripe_before: By label, the instant (seconds since 1970) before which events are mature;
            None: all are.
        is_closed: Whether the period is over.
        account: What became of its records before silver.
        repeats: As in `Batch`.
        step: Of so many rows of the period the frame has one.
    """
    import polars as pl

    minutes: np.ndarray = local_minutes(frame, layout) - _start_minute(period)
    inside = (minutes >= 0) & (minutes < period.days * MINUTES_A_DAY)
    if not inside.all():
        frame, minutes = frame.filter(pl.Series(inside)), minutes[inside]
    instants = frame[layout.event_time].cast(pl.Datetime("us")).dt.timestamp("us").to_numpy() / 1e6
    coded, numbers = {}, {}
    for column in layout.columns:
        series = frame[column.name]
        if column.type in CODED:
            coded[column.name] = coded_series(series)
        if column.type in ("double", "long"):
            numbers[column.name] = series.cast(pl.Float64).fill_null(np.nan).to_numpy()
        if column.type in ("timestamp", "date"):
            other = series.cast(pl.Datetime("us")).dt.timestamp("us").cast(pl.Float64)
            numbers[column.name] = (other.fill_null(np.nan).to_numpy() / 1e6 - instants) / 3600
    before = ripe_before or {}
    return Batch(
        period=period,
        rows=frame.height,
        minutes=minutes,
        coded=coded,
        numbers=numbers,
        ripe={name: instants < before.get(name, np.inf) for name in layout.labels},
        is_closed=is_closed,
        account=account,
        repeats=repeats,
        step=step,
    )


def coded_series(series: pl.Series) -> Coded:
    """A column of texts, whole numbers or flags by its distinct values, in their order."""
    import polars as pl

    texts = series.cast(pl.String)
    values = texts.drop_nulls().unique().sort()
    codes = texts.cast(pl.Enum(values)).to_physical().cast(pl.Int32).fill_null(-1)
    return Coded(codes.to_numpy(), tuple(values.to_list()))


def local_minutes(frame: pl.DataFrame, layout: Layout) -> Array:
    """int64 per row: minutes of the publisher's clock since 1970."""
    import polars as pl

    times = frame[layout.event_time]
    if times.dtype == pl.Date:
        return times.cast(pl.Int64).to_numpy() * MINUTES_A_DAY
    if times.dtype.time_zone is None:  # type: ignore[attr-defined]
        times = times.dt.replace_time_zone("UTC")
    local = times.dt.convert_time_zone(layout.zone).dt.replace_time_zone(None)
    return local.cast(pl.Datetime("us")).dt.timestamp("us").to_numpy() // 60_000_000


def _start_minute(period: Period | Span) -> int:
    return int(np.datetime64(period.first, "m").astype(np.int64))


def repeats_of(
    frame: pl.DataFrame, before: pl.DataFrame | None, layout: Layout, left_out: frozenset[str]
) -> tuple[float, float]:
    """Share of rows that are there twice, and of rows that were in the period before.

    Two rows are the same if all judged columns and the time of day are; the day may differ.

    Args:
        frame: The rows of the period.
        before: The rows of the period before it, or None.
        layout: How the table is seen.
        left_out: Columns that tell rows apart, such as identifiers.
    """
    import polars as pl

    if not frame.height:
        return 0.0, 0.0
    names = [
        each.name
        for each in layout.columns
        if each.name not in left_out and each.name not in layout.labels and each.type != "timestamp"
    ]
    time = pl.lit(0)
    if frame.schema[layout.event_time] != pl.Date:
        time = pl.col(layout.event_time).dt.epoch("s") % 86_400

    def marks(rows: pl.DataFrame) -> pl.Series:
        return rows.select(pl.struct(*names, time.alias("_time")).hash()).to_series()

    own = marks(frame)
    within = 1 - own.n_unique() / frame.height
    if before is None or not before.height:
        return within, 0.0
    return within, float(own.is_in(marks(before).unique().implode()).mean() or 0.0)


def coded_pair(one: Coded, two: Coded) -> tuple[Array, Array]:
    """The pairs of values that rows have, as ``code of one * values of two + code of two``.

    Returns:
        The pairs, and the number of rows of each; rows that miss a value are left out.
    """
    both = (one.codes >= 0) & (two.codes >= 0)
    cells = one.codes[both].astype(np.int64) * len(two.values) + two.codes[both]
    found, counts = np.unique(cells, return_counts=True)
    return found, counts
