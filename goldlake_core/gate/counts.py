"""The counts of periods: they are added and subtracted, and kept as one file each."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np

from goldlake_core.contracts.errors import StoreError
from goldlake_core.gate.batch import Array

_META = "meta"


@dataclass
class Counts:
    """What is known of a period, or of several together.

    Attributes:
        rows: Number of rows.
        arrays: Counts that can be added, by family.
        values: Number of rows of each value, or of each pair of values, by column or columns.
        scalars: What is true of the one period only, by statistic and columns.
        is_closed: Whether the period was over.
        mark: Digest of the rows that were counted.
        has_week: Whether it was over, or held every day of a week: days of a week differ.
    """

    rows: int = 0
    arrays: dict[str, Array] = field(default_factory=dict)
    values: dict[str, Counter[str]] = field(default_factory=dict)
    scalars: dict[str, float] = field(default_factory=dict)
    is_closed: bool = True
    has_week: bool = True
    mark: str = ""

    def plus(self, other: Counts, sign: int = 1) -> Counts:
        """The counts of both together; scalars are left out.

        Args:
            other: Counts under the same baseline.
            sign: -1 takes the other ones away.
        """
        arrays = {
            name: self.arrays[name] + sign * other.arrays[name]
            if name in self.arrays
            else sign * other.arrays[name]
            for name in other.arrays
        }
        values = {}
        for name in self.values.keys() | other.values.keys():
            together = Counter(self.values.get(name, {}))
            for value, count in other.values.get(name, {}).items():
                together[value] += sign * count
            values[name] = +together
        return Counts(self.rows + sign * other.rows, arrays, values)

    def minus(self, other: Counts) -> Counts:
        """The counts without those of a period that was added before."""
        return self.plus(other, -1)

    def to_bytes(self) -> bytes:
        """The counts as a compressed NumPy archive."""
        meta = {
            "rows": self.rows,
            "values": self.values,
            "scalars": self.scalars,
            "is_closed": self.is_closed,
            "has_week": self.has_week,
            "mark": self.mark,
        }
        packed = np.frombuffer(msgspec.json.encode(meta), np.uint8)
        target = io.BytesIO()
        named: Any = {**self.arrays, _META: packed}
        np.savez_compressed(target, **named)
        return target.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes, name: str) -> Counts:
        """The counts that `to_bytes` gave.

        Raises:
            StoreError: The bytes are damaged.
        """
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as archive:
                arrays = {key: archive[key] for key in archive.files}
            meta = msgspec.json.decode(arrays.pop(_META).tobytes())
            values = {key: Counter(each) for key, each in meta["values"].items()}
            return cls(
                meta["rows"],
                arrays,
                values,
                meta["scalars"],
                meta["is_closed"],
                meta["has_week"],
                meta["mark"],
            )
        except Exception as error:  # of zip, NumPy or JSON, by where the damage is
            raise StoreError(
                f"{name} does not hold counts of the gate: {error}",
                hint="remove it; it is made again",
            ) from error


def pooled(some: Iterable[Counts]) -> Counts:
    """The counts of several periods together."""
    total = Counts()
    for each in some:
        total = total.plus(each)
    return total
