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
    Statistic(UNCHANGED, "log10 of the share of records that were sent again", "up", 0.5),
)
_LEAST = 1e-4
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
        for name in (QUARANTINED, UNCHANGED):
            share = getattr(account, name) / account.landed
            into.scalars[scalar(name)] = float(np.log10(share + _LEAST))


def measure(own: Counts, rest: Counts, baseline: Baseline) -> Iterator[Measure]:
    """The scalars."""
    del rest, baseline
    yield from scalars(own, STATISTICS)


FAMILY = Family("records", STATISTICS, count, measure)
