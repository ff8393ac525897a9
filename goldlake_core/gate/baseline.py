"""A baseline: the levels, bins and dependencies that every period is counted by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property

import msgspec
import numpy as np

from goldlake_core.gate.batch import Array, Batch, Coded, coded_pair
from goldlake_core.gate.layout import Layout, PeriodKind

LEVELS, COARSE_LEVELS = 50, 12
BINS, COARSE_BINS = 10, 5
MOST_VALUES = 5_000
"""Most distinct values of a column whose values are remembered one by one."""
FEW_VALUES = 200
"""Up to so many distinct values, a whole number is a code and not a quantity."""
UNIQUE = 0.9
"""Share of distinct values from which a column identifies rows."""
PURE, PURER = 0.97, 0.25
OUTSIDE = 0.02
OTHER, MISSING = 0, 1
LOW, HIGH = 2, 3
_TEXT_SLOTS, _NUMBER_SLOTS = 2, 4


class Coding(msgspec.Struct, frozen=True, kw_only=True):
    """How the values of one column are coded.

    Slot 0 is another value, slot 1 a missing one; then come the levels or, for numbers, what lies
    below and above the known span, and the bins between the edges.

    Attributes:
        levels: Frequent values, the most frequent first; none for numbers.
        edges: Inner bounds of the bins of a number; none for texts.
        coarse_edges: The same for pairs of columns, with fewer bins.
        low: Number from which downwards a value is outside.
        high: Number from which upwards a value is outside.
        is_number: Whether the column is a quantity.
        is_tracked: Whether its values are remembered one by one.
        is_identifier: Whether nearly every row has its own value.
        longest: Greatest length of a text.
        mean: Mean of a number.
        deviation: Standard deviation of a number.
        kurtosis: Fourth moment of a number about its mean, in deviations; 3 of a normal one.
    """

    levels: tuple[str, ...] = ()
    edges: tuple[float, ...] = ()
    coarse_edges: tuple[float, ...] = ()
    low: float = 0.0
    high: float = 0.0
    is_number: bool = False
    is_tracked: bool = False
    is_identifier: bool = False
    longest: int = 0
    mean: float = 0.0
    deviation: float = 1.0
    kurtosis: float = 3.0

    @property
    def size(self) -> int:
        """Number of slots."""
        if self.is_number:
            return _NUMBER_SLOTS + len(self.edges) + 1
        return _TEXT_SLOTS + len(self.levels)

    @property
    def coarse_size(self) -> int:
        """Number of slots in a pair of columns."""
        if self.is_number:
            return _NUMBER_SLOTS + len(self.coarse_edges) + 1
        return _TEXT_SLOTS + min(len(self.levels), COARSE_LEVELS)

    def slot_names(self, *, coarse: bool = False) -> list[str]:
        """What each slot holds, for people."""
        if not self.is_number:
            levels = self.levels[:COARSE_LEVELS] if coarse else self.levels
            return ["another value", "missing", *levels]
        edges = [f"{edge:g}" for edge in (self.coarse_edges if coarse else self.edges)]
        bounds = zip(["", *edges], [*edges, ""], strict=True)
        bins = [f"{low} to {high}".strip() for low, high in bounds]
        return ["another value", "missing", f"below {self.low:g}", f"above {self.high:g}", *bins]

    def slots(self, coded: Coded | None, numbers: Array | None, *, coarse: bool = False) -> Array:
        """int32 per row: the slot of its value."""
        if not self.is_number:
            levels = self.levels[:COARSE_LEVELS] if coarse else self.levels
            places = {level: place + _TEXT_SLOTS for place, level in enumerate(levels)}
            assert coded is not None
            return coded.translated(places, OTHER, MISSING)
        assert numbers is not None
        edges = np.asarray(self.coarse_edges if coarse else self.edges)
        slots: Array = np.digitize(numbers, edges).astype(np.int32)
        slots += _NUMBER_SLOTS
        slots[numbers < self.low] = LOW
        slots[numbers > self.high] = HIGH
        slots[np.isnan(numbers)] = MISSING
        return slots


class Baseline(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """What all counts of a table have in common.

    Attributes:
        number: Number of the baseline, from 1. Counts of two baselines cannot be added.
        period: Length of a period.
        fitted_on: Names of the periods whose rows it was learned from.
        reason: Why it was learned.
        columns: Coding of each judged column.
        dependencies: Pairs of columns of which the first decides the second.
    """

    number: int
    period: PeriodKind
    fitted_on: tuple[str, ...]
    reason: str = ""
    columns: Mapping[str, Coding]
    dependencies: tuple[tuple[str, str], ...] = ()

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The judged columns that say more than which row it is."""
        return tuple(name for name, each in self.columns.items() if not each.is_identifier)

    @cached_property
    def offsets(self) -> Array:
        """Where the slots of each column begin among those of all."""
        sizes = [self.columns[name].size for name in self.names]
        return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)

    @cached_property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """Every pair of columns that have more than one slot for their values."""
        some = [name for name in self.names if self.columns[name].coarse_size > _TEXT_SLOTS]
        return tuple((a, b) for place, a in enumerate(some) for b in some[place + 1 :])

    @cached_property
    def pair_offsets(self) -> Array:
        """Where the cells of each pair begin among those of all."""
        sizes = [self.columns[a].coarse_size * self.columns[b].coarse_size for a, b in self.pairs]
        return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)

    @cached_property
    def identifiers(self) -> frozenset[str]:
        """Columns that tell rows apart."""
        return frozenset(name for name, each in self.columns.items() if each.is_identifier)


def fitted(
    batch: Batch, layout: Layout, number: int, periods: tuple[str, ...], reason: str
) -> Baseline:
    """The baseline that some rows give.

    Args:
        batch: The rows of all the periods together.
        layout: How the table is seen.
        number: Number of the baseline.
        periods: Names of the periods.
        reason: Why it is learned, in some words.
    """
    columns = {column.name: _coding(batch, column.name) for column in layout.columns}
    return Baseline(
        number=number,
        period=batch.period.kind,
        fitted_on=periods,
        reason=reason,
        columns=columns,
        dependencies=tuple(_dependencies(batch, columns, layout)),
    )


def _coding(batch: Batch, name: str) -> Coding:
    coded, numbers = batch.coded.get(name), batch.numbers.get(name)
    if coded is not None and (numbers is None or len(coded.values) <= FEW_VALUES):
        order = np.argsort(-coded.counts, kind="stable")
        present = int((coded.codes >= 0).sum())
        is_identifier = present > FEW_VALUES and len(coded.values) > UNIQUE * present
        # A level that is rare says little in its own slot.
        often = [int(code) for code in order[:LEVELS] if coded.counts[code] >= 1 + present // 5000]
        return Coding(
            levels=() if is_identifier else tuple(coded.values[code] for code in often),
            is_tracked=len(coded.values) <= MOST_VALUES and not is_identifier,
            is_identifier=is_identifier,
            longest=max(map(len, coded.values), default=0),
        )
    assert numbers is not None
    known = numbers[~np.isnan(numbers)]
    if not known.size:
        return Coding(is_number=True)
    span = float(known.max() - known.min())
    mean, deviation = float(known.mean()), float(known.std()) or 1.0
    return Coding(
        edges=_edges(known, BINS),
        coarse_edges=_edges(known, COARSE_BINS),
        low=float(known.min()) - OUTSIDE * span,
        high=float(known.max()) + OUTSIDE * span,
        is_number=True,
        mean=mean,
        deviation=deviation,
        kurtosis=float((((known - mean) / deviation) ** 4).mean()),
    )


def _edges(known: Array, bins: int) -> tuple[float, ...]:
    inner = np.quantile(known, np.arange(1, bins) / bins)
    return tuple(float(edge) for edge in np.unique(inner))


def _dependencies(
    batch: Batch, columns: Mapping[str, Coding], layout: Layout
) -> Iterator[tuple[str, str]]:
    """Pairs whose first column nearly decides the second, and clearly better than a guess."""
    tracked = [
        name
        for name, each in columns.items()
        if each.is_tracked and name in batch.coded and name not in layout.labels
    ]
    for a in tracked:
        for b in tracked:
            one, two = batch.coded[a], batch.coded[b]
            if a == b or len(two.values) < 2 or len(one.values) < 2:
                continue
            cells, counts = coded_pair(one, two)
            total = int(counts.sum())
            if not total:
                continue
            best: np.ndarray = np.zeros(len(one.values), np.int64)
            np.maximum.at(best, cells // len(two.values), counts)
            wrong = 1 - best.sum() / total
            if wrong < 1 - PURE and wrong < PURER * (1 - two.counts.max() / two.counts.sum()):
                yield a, b
