"""The one table of families of statistics."""

from __future__ import annotations

from collections.abc import Iterator

from goldlake_core.gate import labels, pairs, quantities, records, seen, shares, texts, volume
from goldlake_core.gate.baseline import Baseline
from goldlake_core.gate.batch import Batch
from goldlake_core.gate.counts import Counts
from goldlake_core.gate.statistic import Family, Measure, Statistic

FAMILIES: tuple[Family, ...] = (
    shares.FAMILY,
    pairs.FAMILY,
    seen.FAMILY,
    volume.FAMILY,
    labels.FAMILY,
    records.FAMILY,
    texts.FAMILY,
    quantities.FAMILY,
)
DAYS_OF_A_WEEK = 7
STATISTICS: dict[str, Statistic] = {
    each.name: each for family in FAMILIES for each in family.statistics
}


def counted(batch: Batch, baseline: Baseline) -> Counts:
    """All counts of a period. Pure."""
    has_week = batch.is_closed or (batch.rows > 0 and int(batch.days.max()) >= DAYS_OF_A_WEEK - 1)
    counts = Counts(rows=batch.rows, is_closed=batch.is_closed, has_week=has_week)
    for family in FAMILIES:
        family.count(batch, baseline, counts)
    return counts


def measured(own: Counts, rest: Counts, baseline: Baseline) -> Iterator[Measure]:
    """Every value of a period against other periods."""
    for family in FAMILIES:
        yield from family.measure(own, rest, baseline)
