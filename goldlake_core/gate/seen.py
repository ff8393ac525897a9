"""Values that no other period has, and rows that break what one column says about another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np

from goldlake_core.gate.baseline import Baseline
from goldlake_core.gate.batch import Batch, coded_pair
from goldlake_core.gate.counts import Counts
from goldlake_core.gate.statistic import Family, Measure, Statistic

NEW, BROKEN = "never_seen", "dependency"
STATISTICS = (
    Statistic(NEW, "share of rows with a value that no other period has", "up", 0.004),
    Statistic(BROKEN, "share of rows that break a dependency between two columns", "up", 0.002),
)


def count(batch: Batch, baseline: Baseline, into: Counts) -> None:
    """Counts the values of tracked columns, and the pairs of values of dependencies."""
    for name, coding in baseline.columns.items():
        coded = batch.coded.get(name)
        if coding.is_tracked and coded is not None:
            found = zip(coded.values, coded.counts.tolist(), strict=True)
            into.values[name] = Counter({value: number for value, number in found if number})
    for a, b in baseline.dependencies:
        one, two = batch.coded[a], batch.coded[b]
        cells, counts = coded_pair(one, two)
        into.values[f"{a}\t{b}"] = Counter(
            {
                f"{one.values[cell // len(two.values)]}\t{two.values[cell % len(two.values)]}": n
                for cell, n in zip(cells.tolist(), counts.tolist(), strict=True)
            }
        )


def measure(own: Counts, rest: Counts, baseline: Baseline) -> Iterator[Measure]:
    """Shares of new values, and of rows that break a dependency of the other periods."""
    if not own.rows:
        return
    for name, coding in baseline.columns.items():
        if coding.is_tracked and rest.values.get(name):
            known = rest.values[name]
            new = {v: n for v, n in own.values.get(name, Counter()).items() if v not in known}
            share = sum(new.values()) / own.rows
            often = max(new, key=lambda value: new[value], default="")
            yield Measure(NEW, (name,), share, float(np.sqrt(share * (1 - share))), often)
    for a, b in baseline.dependencies:
        both = f"{a}\t{b}"
        decided = _decided(rest.values.get(both, Counter()))
        wrong: Counter[str] = Counter()
        for value, number in own.values.get(both, Counter()).items():
            first, second = value.split("\t", 1)
            if decided.get(first, second) != second:
                wrong[value] += number
        share = wrong.total() / own.rows
        often = wrong.most_common(1)[0][0].replace("\t", " with ") if wrong else ""
        yield Measure(BROKEN, (a, b), share, float(np.sqrt(share * (1 - share))), often)


def _decided(pairs: Counter[str]) -> dict[str, str]:
    """The most frequent second value of each first one."""
    best: dict[str, tuple[int, str]] = {}
    for value, number in pairs.items():
        first, second = value.split("\t", 1)
        if number > best.get(first, (0, ""))[0]:
            best[first] = (number, second)
    return {first: second for first, (_, second) in best.items()}


FAMILY = Family("seen", STATISTICS, count, measure)
