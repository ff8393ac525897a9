"""Pairs of columns: how their values go together."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from goldlake_core.gate.baseline import Baseline
from goldlake_core.gate.batch import Batch
from goldlake_core.gate.counts import Counts
from goldlake_core.gate.shares import distances, most_moved
from goldlake_core.gate.statistic import Family, Measure, Statistic

PAIR = "pair_jensen_shannon"
STATISTICS = (
    Statistic(PAIR, "Jensen-Shannon distance of the joint shares of two columns", "up", 0.008),
)


def count(batch: Batch, baseline: Baseline, into: Counts) -> None:
    """Counts the cells of every pair, one after the other: int64 (cells of all pairs)."""
    names = {name for pair in baseline.pairs for name in pair}
    slots = {
        name: baseline.columns[name].slots(
            batch.coded.get(name), batch.numbers.get(name), coarse=True
        )
        for name in names
    }
    offsets = baseline.pair_offsets
    table: np.ndarray = np.zeros(int(offsets[-1]), np.int64)
    for place, (a, b) in enumerate(baseline.pairs):
        width = baseline.columns[b].coarse_size
        cells = slots[a] * np.int32(width) + slots[b]
        for label in {a, b} & batch.ripe.keys():
            cells = cells[batch.ripe[label]] if cells.size == batch.rows else cells
        begin, end = int(offsets[place]), int(offsets[place + 1])
        table[begin:end] = np.bincount(cells, minlength=end - begin)
    into.arrays["pairs"] = table


def measure(own: Counts, rest: Counts, baseline: Baseline) -> Iterator[Measure]:
    """The distance of each pair from the other periods."""
    if not baseline.pairs:
        return
    counted, others, offsets = own.arrays["pairs"], rest.arrays["pairs"], baseline.pair_offsets
    starts = offsets[:-1]
    rows, other_rows = np.add.reduceat(counted, starts), np.add.reduceat(others, starts)
    distance, _, cells = distances(counted, others, offsets)
    moved = most_moved(counted, others, offsets)
    names = {each: baseline.columns[each].slot_names(coarse=True) for each in baseline.names}
    for index, (a, b) in enumerate(baseline.pairs):
        if rows[index] and other_rows[index]:
            first, second = divmod(moved[index], len(names[b]))
            chance = float(np.sqrt(cells[index] / 8))
            detail = f"{names[a][first]} with {names[b][second]}"
            yield Measure(PAIR, (a, b), float(distance[index]), chance, detail)


FAMILY = Family("pairs", STATISTICS, count, measure)
