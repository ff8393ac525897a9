"""Shares of a column's values: in the whole period, and in each part of it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from goldlake_core.gate.baseline import Baseline
from goldlake_core.gate.batch import Array, Batch
from goldlake_core.gate.counts import Counts
from goldlake_core.gate.statistic import Family, Measure, Statistic

JENSEN_SHANNON, INFINITY_NORM, PART_Z = "jensen_shannon", "infinity_norm", "part_z"
FEWEST = 5.0
"""Rows of a level in a part, expected or seen, from which its share is looked at."""
STATISTICS = (
    Statistic(JENSEN_SHANNON, "Jensen-Shannon distance of the shares", "up", 0.01),
    Statistic(INFINITY_NORM, "largest change of a share", "up", 0.01),
    Statistic(PART_Z, "largest binomial z of a share in a part of the period", "up", 4.0),
)


def count(batch: Batch, baseline: Baseline, into: Counts) -> None:
    """Counts slots by part: int64 (parts, slots of all columns)."""
    offsets = baseline.offsets
    table: np.ndarray = np.zeros((batch.period.parts, int(offsets[-1])), np.int64)
    for place, name in enumerate(baseline.names):
        coding = baseline.columns[name]
        slots = coding.slots(batch.coded.get(name), batch.numbers.get(name))
        parts = batch.parts
        if name in batch.ripe:
            slots, parts = slots[batch.ripe[name]], parts[batch.ripe[name]]
        cells = np.bincount(parts * coding.size + slots, minlength=table.shape[0] * coding.size)
        table[:, offsets[place] : offsets[place + 1]] = cells.reshape(-1, coding.size)
    into.arrays["shares"] = table


def measure(own: Counts, rest: Counts, baseline: Baseline) -> Iterator[Measure]:
    """Distances of each column from the other periods."""
    parts, others = own.arrays["shares"], rest.arrays["shares"].sum(axis=0)
    starts = baseline.offsets[:-1]
    if not starts.size:
        return
    counted = parts.sum(axis=0)
    rows, other_rows = np.add.reduceat(counted, starts), np.add.reduceat(others, starts)
    distance, norm, cells = distances(counted, others, baseline.offsets)
    z, place = _part_z(parts, others, baseline)
    moved = most_moved(counted, others, baseline.offsets)
    p = np.maximum.reduceat(others, starts) / np.maximum(other_rows, 1)
    for index, name in enumerate(baseline.names):
        if not rows[index] or not other_rows[index]:
            continue
        names = baseline.columns[name].slot_names()
        level = names[int(moved[index])]
        chance = float(np.sqrt(cells[index] / 8)), float(np.sqrt(p[index] * (1 - p[index])))
        yield Measure(JENSEN_SHANNON, (name,), float(distance[index]), chance[0], level)
        yield Measure(INFINITY_NORM, (name,), float(norm[index]), chance[1], level)
        yield Measure(PART_Z, (name,), float(z[index]), 0.0, names[int(place[index])])


def distances(own: Array, others: Array, offsets: Array) -> tuple[Array, Array, Array]:
    """Jensen-Shannon distance (nats), L-infinity and degrees of freedom of each segment.

    Args:
        own: Counts of all segments, one after the other.
        others: Counts to compare with.
        offsets: Where the segments begin, and the end of the last one.
    """
    starts, lengths = offsets[:-1], np.diff(offsets)
    p = own / np.repeat(np.maximum(np.add.reduceat(own, starts), 1), lengths)
    q = others / np.repeat(np.maximum(np.add.reduceat(others, starts), 1), lengths)
    half = (p + q) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(p > 0, p * np.log(p / half), 0) + np.where(q > 0, q * np.log(q / half), 0)
    divergence = np.maximum(np.add.reduceat(terms, starts) / 2, 0)
    norm = np.maximum.reduceat(np.abs(p - q), starts)
    return np.sqrt(divergence), norm, np.maximum(np.add.reduceat(half > 0, starts) - 1, 0)


def most_moved(own: Array, others: Array, offsets: Array) -> list[int]:
    """The slot of each segment whose share changed most; see `distances`."""
    starts, lengths = offsets[:-1], np.diff(offsets)
    p = own / np.repeat(np.maximum(np.add.reduceat(own, starts), 1), lengths)
    q = others / np.repeat(np.maximum(np.add.reduceat(others, starts), 1), lengths)
    change = np.abs(p - q)
    bounds = zip(offsets[:-1], offsets[1:], strict=True)
    return [int(np.argmax(change[begin:end])) for begin, end in bounds]


def _part_z(parts: Array, others: Array, baseline: Baseline) -> tuple[Array, Array]:
    """Per column the largest z of a slot in a part, and which slot that is."""
    offsets = baseline.offsets
    starts, lengths = offsets[:-1], np.diff(offsets)
    totals = np.maximum(np.add.reduceat(others, starts), 1)
    p = np.maximum(others, 0.5) / np.repeat(totals, lengths)
    rows = np.repeat(np.add.reduceat(parts, starts, axis=1), lengths, axis=1)
    expected = rows * p
    z = np.abs(parts - expected) / np.sqrt(np.maximum(expected * np.maximum(1 - p, 1e-9), 1e-12))
    z = np.where(np.maximum(parts, expected) >= FEWEST, z, 0).max(axis=0)
    segments = [slice(offsets[k], offsets[k + 1]) for k in range(len(starts))]
    return (
        np.maximum.reduceat(z, starts),
        np.array([int(np.argmax(z[segment])) for segment in segments]),
    )


FAMILY = Family("shares", STATISTICS, count, measure)
