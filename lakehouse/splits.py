"""Which split a row of a gold version belongs to, and which part of it, as Spark columns. Pure.

Rows that are in no split are counted by the reason: they are younger than the label's maturity,
outside of the split, in a gap between two splits, or without a label. All follows from the version
alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING

from goldlake_core.contracts.sections import SPLITS, GoldTable, Model
from goldlake_core.contracts.sql_rules import quoted
from lakehouse.boundaries import Boundaries, mature_until, split_boundaries
from lakehouse.gold.basis import Basis

if TYPE_CHECKING:
    from pyspark.sql import Column as SparkColumn

IMMATURE, OUTSIDE, GAP, UNLABELED = "immature", "outside", "gap", "unlabeled"
PART_ROWS = 250_000
"""Rows of a part, about, where there are no months to divide by."""
_STEPS = 100_000
"""Steps in which a share of hashes is counted."""


@dataclass(frozen=True)
class Division:
    """How the rows of one gold version are divided.

    Attributes:
        model: Model whose contract divides them.
        table: Its gold table.
        boundaries: The instants between the splits, or None where time does not decide.
        mature_until: Rows from here on are too young, or None.
        parts: Number of parts of a split, or None for a part per month.
    """

    model: Model
    table: GoldTable
    boundaries: Boundaries | None
    mature_until: datetime | None
    parts: int | None

    @classmethod
    def of(cls, model: Model, table: GoldTable, basis: Basis, zone: tzinfo, rows: int) -> Division:
        """The division of a version.

        Args:
            model: The model whose rows are divided.
            table: Its gold table.
            basis: The state of silver that the version reflects.
            zone: Time zone of the publisher's clock.
            rows: Number of rows of the version.
        """
        boundaries = None
        if model.split.is_by_time:
            boundaries = split_boundaries(model.split, model.maturity_days, basis, zone)
        limit = mature_until(model.maturity_days, basis) if model.event_time else None
        parts = None if model.event_time else 1 + rows // PART_ROWS
        return cls(model, table, boundaries, limit, parts)

    def split(self) -> SparkColumn:
        """Name of the split of a row, or why it is in none."""
        from pyspark.sql import functions as F

        own = {"hash": self._by_hash, "column": self._by_column}
        column = own.get(self.model.split.kind, self._by_time)()
        labeled = F.when(column.isin(*SPLITS) & ~self._is_learnable(), UNLABELED).otherwise(column)
        if self.mature_until is None:
            return labeled
        time = F.col(quoted(self.model.event_time))
        return F.when(time >= _at(self.mature_until), IMMATURE).otherwise(labeled)

    def part(self) -> SparkColumn:
        """The part of its split that a row is in: a month, or a number of seven digits."""
        from pyspark.sql import functions as F

        if self.parts is None:
            return F.date_format(quoted(self.model.event_time), "yyyy-MM")
        number = F.pmod(_hash(self.table.key, "part"), F.lit(self.parts))
        return F.lpad(number.cast("string"), 7, "0")

    def order(self) -> list[str]:
        """Columns by which the rows of a part are sorted."""
        time = [self.model.event_time] if self.model.event_time else []
        return [quoted(name) for name in (*time, *self.table.key)]

    def totals(self, counts: Mapping[tuple[str, str], int]) -> dict[str, int]:
        """Rows by split and by reason, from rows by split and part.

        Rows in a gap or without a label are only named where there are some, so that the manifest
        of an export that was made before there could be any comes out the same.
        """
        totals = dict.fromkeys((*SPLITS, IMMATURE, OUTSIDE), 0)
        for (split, _), rows in counts.items():
            totals[split] = totals.get(split, 0) + rows
        return totals

    def keys(self) -> str:
        """The keys of the contract that decide how many rows a split has, in words."""
        windows = {
            "relative": "split.test_days, split.eval_days, split.train_days",
            "fixed": "split.eval_from, split.test_from, split.until",
        }
        if self.model.split.kind in windows:
            gap = ", split.gap_days" if self.model.split.gap_days else ""
            return f"{windows[self.model.split.kind]}{gap} or maturity_days"
        return {
            "hash": "split.eval, split.test or split.by",
            "column": f"the values of {self.model.split.column}, or split.column",
        }[self.model.split.kind]

    def _by_time(self) -> SparkColumn:
        from pyspark.sql import functions as F

        assert self.boundaries is not None
        bounds = self.boundaries
        time = F.col(quoted(self.model.event_time))
        column = F.when(time >= _at(bounds.until), OUTSIDE)
        if bounds.train_from:
            column = column.when(time < _at(bounds.train_from), OUTSIDE)
        return (
            column.when(time < _at(bounds.train_until), "train")
            .when(time < _at(bounds.eval_from), GAP)
            .when(time < _at(bounds.eval_until), "eval")
            .when(time < _at(bounds.test_from), GAP)
            .otherwise("test")
        )

    def _by_hash(self) -> SparkColumn:
        from pyspark.sql import functions as F

        split = self.model.split
        place = F.pmod(_hash(split.by or self.table.key, "split"), F.lit(_STEPS))
        test = round(split.test * _STEPS)
        return (
            F.when(place < test, "test")
            .when(place < test + round(split.eval * _STEPS), "eval")
            .otherwise("train")
        )

    def _by_column(self) -> SparkColumn:
        from pyspark.sql import functions as F

        column = F.col(quoted(self.model.split.column))
        return F.when(column.isin(*SPLITS), column).otherwise(OUTSIDE)

    def _is_learnable(self) -> SparkColumn:
        """Whether a row has a label, and an exposure above 0 where there are exposures."""
        from pyspark.sql import functions as F

        label, exposure = self.model.label, self.model.head.exposure
        column = F.col(quoted(label))
        has_label = column.isNotNull()
        if self.table.column(label).type == "double":
            has_label &= ~F.isnan(column) & (F.abs(column) != float("inf"))
        return has_label & (F.col(quoted(exposure)) > 0) if exposure else has_label


def _hash(names: tuple[str, ...], purpose: str) -> SparkColumn:
    """A number of 64 bits that depends on the values alone; another one per purpose."""
    from pyspark.sql import functions as F

    texts = (F.col(quoted(name)).cast("string") for name in names)
    return F.xxhash64(F.lit(purpose), *texts)


def _at(value: datetime) -> SparkColumn:
    from pyspark.sql import functions as F

    return F.timestamp_micros(F.lit(int(value.timestamp()) * 1_000_000 + value.microsecond))
