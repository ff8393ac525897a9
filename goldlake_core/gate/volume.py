"""How many rows there are, when, and where there are none."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from goldlake_core.gate.baseline import Baseline
from goldlake_core.gate.batch import MINUTES_A_DAY, Batch
from goldlake_core.gate.counts import Counts
from goldlake_core.gate.statistic import Family, Measure, Statistic, scalar, scalars

ROWS, LEAST_DAY, MOST_DAY = "rows_a_day", "least_day", "most_day"
LEAST_3_DAYS, MOST_3_DAYS, HOLE, CLOCK = "least_3_days", "most_3_days", "hole_h", "time_of_day_h"
STATISTICS = (
    Statistic(ROWS, "logarithm of the rows a day", "both", 0.15),
    Statistic(LEAST_DAY, "logarithm of the rows of the thinnest day", "both", 0.35),
    Statistic(MOST_DAY, "logarithm of the rows of the fullest day", "both", 0.35),
    Statistic(LEAST_3_DAYS, "three days against the median day, the lowest", "both", 0.12),
    Statistic(MOST_3_DAYS, "three days against the median day, the highest", "both", 0.12),
    Statistic(HOLE, "longest time without an event, in hours", "up", 6.0),
    Statistic(CLOCK, "circular mean of the time of day, in hours", "both", 0.25),
)
_FEWEST_A_DAY = 20.0
"""Rows a day below which single days and holes say little."""


def count(batch: Batch, baseline: Baseline, into: Counts) -> None:
    """Measures the period; an open one as far as its last whole day."""
    del baseline
    days = np.bincount(batch.days, minlength=batch.period.days) * float(batch.step)
    if not batch.is_closed:
        days = days[: int(batch.days.max())] if batch.rows else days[:0]
    into.arrays["hours"] = np.bincount(batch.minutes % MINUTES_A_DAY // 60, minlength=24)
    if not batch.rows or not days.size:
        return
    values = {ROWS: float(np.log(max(days.mean(), 0.5)))}
    if days.mean() >= _FEWEST_A_DAY:
        values |= _of_days(days)
        values[HOLE] = _hole(batch)
    angle = batch.minutes % MINUTES_A_DAY / MINUTES_A_DAY * 2 * np.pi
    mean = np.exp(1j * angle).mean()
    if abs(mean) > 1e-3:  # else the events lie all around the clock, and have no mean
        values[CLOCK] = float(np.angle(mean) / (2 * np.pi) * 24 % 24)
    into.scalars |= {scalar(name): value for name, value in values.items()}


def _of_days(days: np.ndarray) -> dict[str, float]:  # type: ignore[type-arg]
    logs = np.log(np.maximum(days, 0.5))
    values = {LEAST_DAY: float(logs.min()), MOST_DAY: float(logs.max())}
    if days.size >= 3:
        against = np.log(np.maximum(days, 0.5) / max(float(np.median(days)), 0.5))
        threes = np.convolve(against, np.ones(3) / 3, "valid")
        values |= {LEAST_3_DAYS: float(threes.min()), MOST_3_DAYS: float(threes.max())}
    return values


def _hole(batch: Batch) -> float:
    minutes = np.sort(batch.minutes)
    if batch.is_closed:
        minutes = np.concatenate([[0], minutes, [batch.period.days * MINUTES_A_DAY]])
    return float(np.diff(minutes).max(initial=0) / 60)


def measure(own: Counts, rest: Counts, baseline: Baseline) -> Iterator[Measure]:
    """The scalars; the time of day as the way round the clock from the other periods."""
    del baseline
    for each in scalars(own, STATISTICS):
        if each.statistic == CLOCK:
            away = (each.value - _mean_hour(rest) + 12) % 24 - 12
            yield each._replace(value=float(away), spread=4.0)
        elif each.statistic == ROWS:
            yield each._replace(spread=1.0)
        else:
            yield each


def _mean_hour(rest: Counts) -> float:
    hours = rest.arrays["hours"]
    angles = (np.arange(24) + 0.5) / 24 * 2 * np.pi
    return float(np.angle((hours * np.exp(1j * angles)).sum()) / (2 * np.pi) * 24 % 24)


FAMILY = Family("volume", STATISTICS, count, measure)
