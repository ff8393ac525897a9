"""Numbers: decimals, the commonest value, mean, deviation, distinct values."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from goldlake_core.gate.baseline import Baseline
from goldlake_core.gate.batch import Batch
from goldlake_core.gate.counts import Counts
from goldlake_core.gate.statistic import Family, Measure, Statistic, scalar, scalars

DECIMALS_3, DECIMALS_4, MODE = "at_most_3_decimals", "at_most_4_decimals", "commonest_value"
MEAN, DEVIATION, DISTINCT = "mean", "deviation", "distinct_values"
STATISTICS = (
    Statistic(DECIMALS_3, "share of numbers with 3 decimals or fewer", "both", 0.01),
    Statistic(DECIMALS_4, "share of numbers with 4 decimals or fewer", "both", 0.01),
    Statistic(MODE, "share of the commonest number", "up", 0.01),
    Statistic(MEAN, "mean, in deviations of the baseline", "both", 0.05),
    Statistic(DEVIATION, "deviation, in deviations of the baseline", "both", 0.05),
    Statistic(DISTINCT, "logarithm of the number of distinct values", "both", 0.15),
)
_DECIMALS = {DECIMALS_3: 1e3, DECIMALS_4: 1e4}


def count(batch: Batch, baseline: Baseline, into: Counts) -> None:
    """Measures the numbers, and how many distinct values every column has."""
    for name, coding in baseline.columns.items():
        numbers = batch.numbers.get(name)
        if coding.is_number and numbers is not None:
            known = numbers[~np.isnan(numbers)]
            if known.size:
                _count_number(name, known, coding.mean, coding.deviation, into)
        elif name in batch.coded and not coding.is_identifier:
            distinct = max(len(batch.coded[name].values), 1)
            into.scalars[scalar(DISTINCT, name)] = float(np.log(distinct))


def _count_number(
    name: str,
    known: np.ndarray,  # type: ignore[type-arg]
    mean: float,
    deviation: float,
    into: Counts,
) -> None:
    for statistic, scale in _DECIMALS.items():
        scaled = known * scale
        is_short = np.abs(scaled - np.round(scaled)) < 1e-4
        into.scalars[scalar(statistic, name)] = float(is_short.mean())
    distinct, counts = np.unique(known, return_counts=True)
    into.scalars[scalar(MODE, name)] = float(counts.max() / known.size)
    into.scalars[scalar(MEAN, name)] = float((known.mean() - mean) / deviation)
    into.scalars[scalar(DEVIATION, name)] = float(known.std() / deviation)
    into.scalars[scalar(DISTINCT, name)] = float(np.log(distinct.size))


def measure(own: Counts, rest: Counts, baseline: Baseline) -> Iterator[Measure]:
    """The scalars; the number of distinct values only of periods that are over."""
    del rest
    for each in scalars(own, STATISTICS):
        if each.statistic == DISTINCT:
            if own.is_closed:
                yield each
        elif each.statistic == MEAN:
            yield each._replace(spread=1.0)
        elif each.statistic == DEVIATION:
            yield each._replace(
                spread=_spread_of_deviation(baseline.columns[each.columns[0]].kurtosis)
            )
        else:
            yield each._replace(spread=float(np.sqrt(each.value * (1 - each.value))))


def _spread_of_deviation(kurtosis: float) -> float:
    """How much chance adds to a deviation at one row, in deviations.

    The standard error of a deviation of n rows is about sqrt((kurtosis - 1) / (4 n)) of it (Cramér,
    Mathematical Methods of Statistics, 28.4). A few rows far away, as in places, make it several
    times that of a normal number. The kurtosis is that of the baseline: a period with a fault must
    not widen its own limits.
    """
    return max(1.0, float(np.sqrt(max(kurtosis - 1, 0.0) / 4)))


FAMILY = Family("quantities", STATISTICS, count, measure)
