"""Rows that are there twice, and what became of the records before silver."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from goldlake_core.gate.baseline import Baseline
from goldlake_core.gate.batch import Batch
from goldlake_core.gate.counts import Counts
from goldlake_core.gate.statistic import Family, Measure, Statistic, scalar, scalars

TWICE, AGAIN = "repeated", "repeated_of_last"
QUARANTINED, UNCHANGED = "quarantined", "unchanged"
STATISTICS = (
    Statistic(TWICE, "share of rows that are in the period twice", "up", 0.02),
    Statistic(AGAIN, "share of rows that were in the period before", "up", 0.02),
    Statistic(QUARANTINED, "log10 of the share of quarantined records", "up", 0.5),
    # What is sent again as it was changes no row.
    Statistic(UNCHANGED, "log10 of the share of records that were sent again", "up", 0.5, False),
)
_LEAST, _CHANCE, _LANDED = 1e-4, 3.0, "landed"
FEWEST_RECORDS = 100
"""Rows, or records, below which these shares say little."""


def count(batch: Batch, baseline: Baseline, into: Counts) -> None:
    """Measures repeats and the account."""
    del baseline
    if batch.repeats is not None and batch.rows >= FEWEST_RECORDS:
        within, again = batch.repeats
        into.scalars |= {scalar(TWICE): within, scalar(AGAIN): again}
    account = batch.account
    if account is not None and account.landed >= FEWEST_RECORDS:
        into.scalars[scalar(_LANDED)] = float(account.landed)
        for name in (QUARANTINED, UNCHANGED):
            into.scalars[scalar(name)] = _logarithm(getattr(account, name), account.landed)


def measure(own: Counts, rest: Counts, baseline: Baseline) -> Iterator[Measure]:
    """The scalars. A handful of records more than before is chance."""
    del rest, baseline
    landed = own.scalars.get(scalar(_LANDED), 0.0)
    for each in scalars(own, STATISTICS):
        if each.statistic in (QUARANTINED, UNCHANGED):
            records = (10**each.value - _LEAST) * landed
            sure = max(records - _CHANCE * np.sqrt(max(records, 0.0)) - 2, 0.0)
            each = each._replace(sure=_logarithm(sure, landed))
        yield each


def _logarithm(records: float, landed: float) -> float:
    return float(np.log10(records / landed + _LEAST))


FAMILY = Family("records", STATISTICS, count, measure)
