"""What a break is: a fault of one month of a feed, as a function over the month's raw rows."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, get_args

import numpy as np
import polars as pl

Family = Literal[
    "shares",
    "weeks",
    "pairs",
    "new values",
    "dependencies",
    "volume",
    "holes",
    "time of day",
    "label",
    "repeats",
    "account",
    "text form",
    "numbers",
]
FAMILIES: tuple[Family, ...] = get_args(Family)


class Month(NamedTuple):
    """The raw rows of a month and of the month before it.

    Attributes:
        rows: One row per record, every column a text or null, by the time of the event.
        before: The rows of the month before.
    """

    rows: pl.DataFrame
    before: pl.DataFrame


Fault = Callable[[Month, float], pl.DataFrame]


@dataclass(frozen=True)
class Break:
    """One fault of a feed.

    Attributes:
        name: Name of the fault.
        about: What happened to the feed, in a sentence.
        family: The statistic that it is meant for; another may see it, too.
        severities: How hard it hits, each a share. The first is the size at which the fault
            usually comes, and the one that counts; the others look for the smallest that is seen.
        fault: Makes the rows of the broken month. Pure.
    """

    name: str
    about: str
    family: Family
    severities: tuple[float, ...]
    fault: Fault = field(repr=False)


class Breaks(list[Break]):
    """A list of breaks that grows by decoration."""

    def of(self, family: Family, *severities: float) -> Callable[[Fault], Fault]:
        """Adds the decorated function under its name; its docstring says what happened."""

        def add(fault: Fault) -> Fault:
            about = " ".join((fault.__doc__ or "").split())
            self.append(Break(fault.__name__, about, family, severities, fault))
            return fault

        return add


def some(rows: pl.DataFrame, share: float, among: pl.Expr | None = None) -> pl.Series:
    """A mask of a share of the rows, the same in every call.

    Args:
        rows: The rows to choose from.
        share: Share of the rows that match ``among``.
        among: The rows that may be chosen; None for all.
    """
    seed = zlib.crc32(f"{rows.height}".encode())
    drawn = pl.Series(np.random.default_rng(seed).random(rows.height) < share)
    if among is None:
        return drawn
    return drawn & rows.select(among.fill_null(False)).to_series()


def changed(rows: pl.DataFrame, mask: pl.Series, **values: pl.Expr | str | None) -> pl.DataFrame:
    """The rows with new values where a mask is true."""
    where = pl.lit(mask)
    return rows.with_columns(
        pl.when(where)
        .then(value if isinstance(value, pl.Expr) else pl.lit(value, pl.String))
        .otherwise(pl.col(name))
        .alias(name)
        for name, value in values.items()
    )


def shuffled(rows: pl.DataFrame, mask: pl.Series, *names: str) -> pl.DataFrame:
    """The rows with columns that are permuted together among those where a mask is true."""
    places = np.flatnonzero(mask.to_numpy())
    order = np.arange(rows.height)
    order[places] = np.random.default_rng(5).permutation(places)
    return rows.with_columns(rows[name].gather(order) for name in names)


def renumbered(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows under ids and case numbers that nothing else has."""
    count = pl.int_range(pl.len()).cast(pl.String)
    return rows.with_columns(
        (pl.lit("9") + count.str.zfill(8)).alias("id"), (pl.lit("ZZ") + count).alias("case_number")
    )


DATE = "%Y-%m-%dT%H:%M:%S%.3f"


def event() -> pl.Expr:
    """The event time as a datetime on the publisher's clock."""
    return pl.col("date").str.to_datetime(DATE)


def written(time: pl.Expr) -> pl.Expr:
    """A datetime as the feed writes it."""
    return time.dt.strftime(DATE)


def day_of_month() -> pl.Expr:
    """The day of the month, from 1."""
    return event().dt.day()
