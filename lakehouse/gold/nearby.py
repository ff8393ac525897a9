"""The silver rows that changes reach: those of the same unit, and of some time before and after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from goldlake_core.contracts.durations import seconds_of
from goldlake_core.contracts.sql_rules import quoted
from lakehouse import changefeed, computed
from lakehouse.changefeed import CHANGE
from lakehouse.gold.build import Build

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame


@dataclass(frozen=True)
class Nearby:
    """Finds the silver rows that a gold table's ``reach`` brings together with changed ones."""

    build: Build

    def units(self, feed: DataFrame) -> DataFrame:
        """Per unit that changes touch, before or after, from where to where they lie."""
        from pyspark.sql import functions as F

        table = self.build.table
        units = [quoted(name) for name in table.reach]
        place = _micros(table.reach_order) if table.reach_order else F.lit(0)
        # Other names than silver's, so that they can be compared without ambiguity.
        return (
            computed.with_units(feed, table)
            .select(*units, place.alias("_place"))
            .groupBy(*units)
            .agg(F.min("_place").alias("_low"), F.max("_place").alias("_high"))
            .withColumnsRenamed({name: f"_unit_{name}" for name in table.reach})
        )

    def rows(self, near: DataFrame, *, is_wide: bool) -> DataFrame:
        """Silver rows that changes reach; with ``is_wide`` those too of which they are made."""
        from pyspark.sql import functions as F

        table = self.build.table
        back, ahead = (_micros_of(text) for text in (table.reach_before, table.reach_after))
        # A change at an instant is seen from as far after it as rows look back.
        low, high = (back + ahead, back + ahead) if is_wide else (ahead, back)
        rows = computed.with_units(self.build.silver_rows(), table)
        beside = rows.join(F.broadcast(near), self.is_beside(low, high), "left_semi")
        return beside.select(*self.build.columns)

    def is_beside(self, low: int, high: int) -> Column:
        """Whether a row is of a unit of `units`, up to so many microseconds before or after."""
        from pyspark.sql import functions as F

        table = self.build.table
        condition = F.lit(True)
        for name in table.reach:
            condition &= F.col(quoted(name)).eqNullSafe(F.col(quoted(f"_unit_{name}")))
        if table.reach_order:
            place = _micros(table.reach_order)
            condition &= place.between(F.col("_low") - low, F.col("_high") + high)
        return condition


def _micros(column: str) -> Column:
    """A timestamp or date as microseconds since 1970."""
    from pyspark.sql import functions as F

    return F.unix_micros(F.col(quoted(column)).cast("timestamp"))


def _micros_of(duration: str) -> int:
    return int(seconds_of(duration) * 1_000_000)


def last_changes(feed: DataFrame) -> DataFrame:
    """The change of each key: a delete, or the row as it is after the feed."""
    from pyspark.sql import functions as F

    return feed.where(F.col(CHANGE) != changefeed.BEFORE)


def present(last: DataFrame, columns: Sequence[str]) -> DataFrame:
    """The silver rows among the newest changes of keys."""
    from pyspark.sql import functions as F

    return last.where(F.col(CHANGE) != changefeed.DELETE).select(*columns)
