"""The share of each label, in the period and in its parts. Only ripe rows count."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from goldlake_core.gate.baseline import Baseline
from goldlake_core.gate.batch import Array, Batch
from goldlake_core.gate.counts import Counts
from goldlake_core.gate.statistic import Family, Measure, Statistic, scalar, scalars

ODDS, LOWEST, HIGHEST = "label_odds", "lowest_label_odds", "highest_label_odds"
STATISTICS = (
    Statistic(ODDS, "log odds of the label", "both", 0.15),
    Statistic(LOWEST, "log odds of the label in the lowest part", "both", 0.15),
    Statistic(HIGHEST, "log odds of the label in the highest part", "both", 0.15),
)
TRUE = "true"
_FEWEST = 100
"""Ripe rows of a part below which its odds say little."""


def count(batch: Batch, baseline: Baseline, into: Counts) -> None:
    """Measures the labels that are flags."""
    del baseline
    for name, ripe in batch.ripe.items():
        coded = batch.coded.get(name)
        if coded is None or TRUE not in coded.values and set(coded.values) - {"false"}:
            continue
        place = coded.values.index(TRUE) if TRUE in coded.values else len(coded.values)
        is_true = coded.codes == place
        rows = np.bincount(batch.parts[ripe], minlength=batch.period.parts)
        true = np.bincount(batch.parts[ripe & is_true], minlength=batch.period.parts)
        enough = rows >= _FEWEST
        if rows.sum() >= _FEWEST:
            into.scalars[scalar(ODDS, name)] = float(_odds(true.sum(), rows.sum()))
        if enough.any():
            odds = _odds(true[enough], rows[enough])
            into.scalars[scalar(LOWEST, name)] = float(odds.min())
            into.scalars[scalar(HIGHEST, name)] = float(odds.max())


def _odds(true: Array, rows: Array) -> Array:
    return np.log((true + 0.5) / (rows - true + 0.5))


def measure(own: Counts, rest: Counts, baseline: Baseline) -> Iterator[Measure]:
    """The log odds."""
    del rest, baseline
    for each in scalars(own, STATISTICS):
        yield each._replace(spread=2.0)


FAMILY = Family("labels", STATISTICS, count, measure)
