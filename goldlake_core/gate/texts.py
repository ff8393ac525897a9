"""The form of texts: characters, blanks, case, length."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from goldlake_core.gate.baseline import Baseline
from goldlake_core.gate.batch import Batch
from goldlake_core.gate.counts import Counts
from goldlake_core.gate.statistic import Family, Measure, Statistic, scalar, scalars

NOT_ASCII, BLANKS, EMPTY = "not_ascii", "outer_blanks", "empty_text"
LOWER, LONGEST, LENGTH = "lower_case", "longest_text", "text_length"
STATISTICS = (
    Statistic(NOT_ASCII, "share of texts with characters beyond ASCII", "both", 0.02),
    Statistic(BLANKS, "share of texts with a blank at an end", "both", 0.02),
    Statistic(EMPTY, "share of empty texts", "both", 0.02),
    Statistic(LOWER, "share of texts with a lower-case letter", "both", 0.02),
    Statistic(LONGEST, "share of texts of the greatest length", "up", 0.02),
    Statistic(LENGTH, "mean length of the texts", "both", 0.5),
)


def count(batch: Batch, baseline: Baseline, into: Counts) -> None:
    """Measures the texts; every distinct one is looked at once."""
    for name in baseline.columns:
        coded = batch.coded.get(name)
        if coded is None or name in batch.numbers or set(coded.values) <= {"true", "false"}:
            continue
        rows = int(coded.counts.sum())
        if not rows:
            continue
        lengths = np.fromiter(map(len, coded.values), np.int64, len(coded.values))
        masks = {
            NOT_ASCII: [not value.isascii() for value in coded.values],
            BLANKS: [value != value.strip() for value in coded.values],
            EMPTY: [not value for value in coded.values],
            LOWER: [value != value.upper() for value in coded.values],
            LONGEST: lengths == lengths.max(),
        }
        for statistic, mask in masks.items():
            share = coded.counts[np.asarray(mask, bool)].sum() / rows
            into.scalars[scalar(statistic, name)] = float(share)
        into.scalars[scalar(LENGTH, name)] = float((lengths * coded.counts).sum() / rows)


def measure(own: Counts, rest: Counts, baseline: Baseline) -> Iterator[Measure]:
    """The scalars."""
    del rest
    for each in scalars(own, STATISTICS):
        if each.statistic == LENGTH:
            spread = float(baseline.columns[each.columns[0]].longest) / 4
        else:
            spread = float(np.sqrt(each.value * (1 - each.value)))
        yield each._replace(spread=spread)


FAMILY = Family("texts", STATISTICS, count, measure)
