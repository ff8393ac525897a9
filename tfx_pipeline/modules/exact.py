"""Statistics of numbers for TFX Transform that do not depend on the order in which Beam adds.

Transform's own mean, variance and quantiles are sums and sketches of floats: two orders of the same
rows give two results, and so two models. Here everything that is added up is an integer. A float32
is an integer times a power of two, so that sums of values and of their squares are exact, and so is
a count of equal values. Importing this module imports Beam.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from fractions import Fraction
from typing import Any, NamedTuple

import apache_beam as beam
import numpy as np

_MANTISSA_BITS = 24
_LEAST_EXPONENT = -148
"""Exponent of the smallest float32 above 0, in the terms of `numpy.frexp`."""
_EXPONENTS = 128 - _LEAST_EXPONENT + 1
_LOW = (1 << _MANTISSA_BITS) - 1
_COUNT, _SUM, _SQUARES_HIGH, _SQUARES_LOW = range(4)

MOST_DISTINCT = 1 << 20
"""Different numbers that are counted one by one. Of more, neighbors are counted together."""
_PENDING_ROWS = 1 << 18


def center_and_scale(values: Any, name: str) -> Any:
    """Mean and standard deviation of a column over the train split.

    Args:
        values: float32 tensor [n]; NaN and infinity are left out.
        name: Scope of the analyzer in the graph.

    Returns:
        float32 tensor [2]. The deviation of equal values, or of none, is 1.
    """
    return _analyzed(values, beam.CombineGlobally(Moments()), 2, name)


def quantiles(values: Any, buckets: int, name: str) -> Any:
    """The boundaries that divide a column into parts of about equally many rows.

    Args:
        values: float32 tensor [n]; NaN and infinity are left out.
        buckets: Number of parts.
        name: Scope of the analyzer in the graph.

    Returns:
        float32 tensor [1, buckets - 1], ascending; zeros where there is no value.
    """
    import tensorflow as tf

    edges = _analyzed(values, beam.CombineGlobally(Quantiles(buckets)), buckets - 1, name)
    return tf.expand_dims(edges, 0)


def _analyzed(values: Any, combined: Any, width: int, name: str) -> Any:
    import tensorflow as tf
    import tensorflow_transform as tft

    [found] = tft.experimental.ptransform_analyzer(
        inputs=[values],
        ptransform=combined,
        output_dtypes=[tf.float32],
        output_shapes=[[width]],
        name=name,
    )
    return found


def _finite(batch: tuple[Any, ...]) -> np.ndarray:
    values = np.asarray(batch[0], np.float32).reshape(-1)
    return values[np.isfinite(values)]


class Moments(beam.CombineFn):
    """Mean and standard deviation from exact sums, rounded once at the end.

    The accumulator is int64 [4, exponents]: number of values, sum of their mantissas, and the
    higher and lower half of the sum of the squared mantissas, by exponent. It holds 2**38 values.
    """

    def create_accumulator(self) -> np.ndarray:
        """No value."""
        return np.zeros((4, _EXPONENTS), np.int64)

    def add_input(self, accumulator: np.ndarray, batch: tuple[Any, ...]) -> np.ndarray:
        """Adds a batch, a tuple of one array; changes the accumulator."""
        fractions, exponents = np.frexp(_finite(batch))
        mantissas = np.ldexp(fractions, _MANTISSA_BITS).astype(np.int64)
        squares = mantissas * mantissas
        place = exponents - _LEAST_EXPONENT
        np.add.at(accumulator[_COUNT], place, 1)
        np.add.at(accumulator[_SUM], place, mantissas)
        np.add.at(accumulator[_SQUARES_HIGH], place, squares >> _MANTISSA_BITS)
        np.add.at(accumulator[_SQUARES_LOW], place, squares & _LOW)
        return accumulator

    def merge_accumulators(self, accumulators: Iterable[np.ndarray]) -> np.ndarray:
        """The sum of accumulators."""
        return sum(accumulators, self.create_accumulator())

    def extract_output(self, accumulator: np.ndarray) -> np.ndarray:
        """Mean and standard deviation, float32 [2]."""
        count = int(accumulator[_COUNT].sum())
        if not count:
            return np.array([0, 1], np.float32)
        total = squares = Fraction(0)
        for place in np.flatnonzero(accumulator[_COUNT]).tolist():
            _, added, high, low = (int(each) for each in accumulator[:, place])
            unit = Fraction(2) ** (place + _LEAST_EXPONENT - _MANTISSA_BITS)
            total += added * unit
            squares += ((high << _MANTISSA_BITS) + low) * unit * unit
        mean = total / count
        deviation = math.sqrt(squares / count - mean * mean)
        return np.array([float(mean), deviation or 1.0], np.float32)


class Counts(NamedTuple):
    """How often each number occurs.

    Attributes:
        codes: Numbers as integers that have their order, int64 [k], ascending; see `_codes`.
        rows: Number of rows of each, int64 [k].
        level: How many of the lowest bits of a code are left out.
        pending: Codes that are not counted yet.
    """

    codes: np.ndarray
    rows: np.ndarray
    level: int
    pending: list[np.ndarray]


class Quantiles(beam.CombineFn):
    """Quantiles from counts of all numbers.

    Of more than `MOST_DISTINCT` different numbers, those that share their highest bits are counted
    together. How many bits that takes depends on the numbers alone, and not on their order: a part
    of them never takes more than the whole.
    """

    def __init__(self, buckets: int, most: int = MOST_DISTINCT) -> None:
        """Divides into so many parts, by counts of at most so many numbers."""
        self._buckets = buckets
        self._most = most

    def create_accumulator(self) -> Counts:
        """No number."""
        return Counts(np.zeros(0, np.int64), np.zeros(0, np.int64), 0, [])

    def add_input(self, accumulator: Counts, batch: tuple[Any, ...]) -> Counts:
        """Adds a batch, a tuple of one array; changes the accumulator."""
        accumulator.pending.append(_codes(_finite(batch)))
        if sum(map(len, accumulator.pending)) < _PENDING_ROWS:
            return accumulator
        return self.compact(accumulator)

    def merge_accumulators(self, accumulators: Iterable[Counts]) -> Counts:
        """The counts of all accumulators."""
        merged = self.create_accumulator()
        for each in map(self.compact, accumulators):
            level = max(merged.level, each.level)
            parts = [codes >> (level - own) for codes, _, own, _ in (merged, each)]
            merged = self._counted(parts, [merged.rows, each.rows], level)
        return merged

    def compact(self, accumulator: Counts) -> Counts:
        """The same with everything counted."""
        codes, rows, level, pending = accumulator
        if not pending:
            return accumulator
        parts = [codes, *(each >> level for each in pending)]
        return self._counted(parts, [rows, *(np.ones(len(e), np.int64) for e in pending)], level)

    def _counted(self, codes: list[np.ndarray], rows: list[np.ndarray], level: int) -> Counts:
        found, counts = _grouped(np.concatenate(codes), np.concatenate(rows))
        while len(found) > self._most:
            found, counts = _grouped(found >> 1, counts)
            level += 1
        return Counts(found, counts, level, [])

    def extract_output(self, accumulator: Counts) -> np.ndarray:
        """The boundaries, float32 [buckets - 1]."""
        codes, rows, level, _ = self.compact(accumulator)
        if not len(codes):
            return np.zeros(self._buckets - 1, np.float32)
        ranks = np.cumsum(rows)
        # A boundary is the first number of the part above it.
        wanted = [int(ranks[-1]) * part // self._buckets for part in range(1, self._buckets)]
        place = np.searchsorted(ranks, wanted, side="right")
        return _numbers(codes[np.minimum(place, len(codes) - 1)] << level)


def _grouped(codes: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Different codes in ascending order, and the rows of each."""
    order = np.argsort(codes, kind="stable")
    codes, rows = codes[order], rows[order]
    first = np.flatnonzero(np.diff(codes, prepend=codes[:1] - 1))
    return codes[first], np.add.reduceat(rows, first) if len(first) else rows


def _codes(values: np.ndarray) -> np.ndarray:
    """float32 as int64 in the same order: the bits, with those of negative numbers turned round."""
    bits = (values + np.float32(0)).view(np.int32).astype(np.int64)
    return np.where(bits < 0, -(bits & 0x7FFFFFFF), bits)


def _numbers(codes: np.ndarray) -> np.ndarray:
    """The float32 of codes."""
    bits = np.where(codes < 0, (-codes) | 0x80000000, codes).astype(np.uint32)
    return bits.view(np.float32)
