"""The gold rows that changes of silver make, and those that they delete."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, reduce
from typing import TYPE_CHECKING

from goldlake_core.contracts.sql_rules import quoted
from lakehouse import changefeed, computed, delta, fates, specs
from lakehouse.changefeed import CHANGE
from lakehouse.gold.basis import Basis
from lakehouse.gold.build import Build
from lakehouse.gold.nearby import Nearby, last_changes, present

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


@dataclass(frozen=True)
class Changed:
    """What changed in silver, and the rows of one gold table that it makes.

    Attributes:
        build: How rows are made.
        versions: Silver's table of versions.
    """

    build: Build
    versions: specs.TableSpec

    def feed(self, last: Basis) -> DataFrame:
        """What changed in silver since the version that the table reflects."""
        from pyspark.sql import functions as F

        build = self.build
        first, key = last.silver_version + 1, build.usecase.silver.key
        touched = None
        through = changefeed.taken_in(build.silver.uri, first, build.silver.version, last.through)
        if through is not None:
            place = (specs.SEQUENCE, last.through + 1, through)
            versions = delta.read(build.spark, self.versions.uri, within=place)
            touched = versions.where(F.col(specs.FATE).isin(*fates.WINNERS))
            touched = touched.select(*map(quoted, key)).distinct()
        columns = build.usecase.silver.names
        return changefeed.between(
            build.spark,
            build.silver.uri,
            first,
            build.silver.version,
            key,
            columns,
            touched,
        )

    def rows(self, feed: DataFrame) -> DataFrame:
        """The rows that changes of silver make, and those to delete."""
        return self._changed_rows(feed) if self.build.table.mode == "rows" else self._cells(feed)

    def _changed_rows(self, feed: DataFrame) -> DataFrame:
        """Mode ``rows``: what the changes reach, built; what is not built any more is deleted."""
        build = self.build
        if self._windowed.columns:
            return self._not_held(self._windowed_rows(feed))
        last, key = last_changes(feed), list(build.table.key)
        if not specs.is_reaching(build.table):
            built = build.declared(build.numbered(present(last, build.columns)))
            return self._written(built, last.join(built.select(*build.key), key, "left_anti"))
        near = self._nearby.units(feed)
        reached = self._nearby.rows(near, is_wide=False).select(*build.key)
        built = build.declared(build.numbered(self._nearby.rows(near, is_wide=True)))
        built = built.join(reached, key, "left_semi")
        touched = last.select(*build.key).unionByName(reached).distinct()
        gone = touched.join(built.select(*build.key), key, "left_anti")
        return self._not_held(self._written(built, gone))

    def _windowed_rows(self, feed: DataFrame) -> DataFrame:
        """The rows whose windows the changes reach, and the others that changed.

        The contract makes a row of each silver row, so that those to delete are the deleted ones.
        Without windows by time, all rows of a unit are reached: silver is read once.
        """
        from pyspark.sql import functions as F

        build = self.build
        key = list(build.table.key)
        moved, kept = self._parted(feed)
        near = self._nearby.units(moved)
        built = build.declared(build.numbered(self._nearby.rows(near, is_wide=True)))
        if build.table.reach_order:
            reached = self._nearby.rows(near, is_wide=False).select(*build.key)
            built = built.join(reached, key, "left_semi")
            alone = kept.join(reached, key, "left_anti")
        else:
            units = computed.with_units(kept, build.table)
            alone = units.join(F.broadcast(near), self._nearby.is_beside(0, 0), "left_anti")
        made = build.groups.assigned(build.made(alone, held=self._windowed.columns))
        gone = last_changes(feed).where(F.col(CHANGE) == changefeed.DELETE)
        return self._written(built.unionByName(build.declared(made)), gone)

    def _written(self, built: DataFrame, gone: DataFrame) -> DataFrame:
        """Rows to write, and rows with the keys to delete, as one frame."""
        from pyspark.sql import functions as F

        deleted = gone.select(
            *(
                (F.col(quoted(f.name)) if f.name in self.build.table.key else F.lit(None))
                .cast(f.type)
                .alias(f.name)
                for f in self.build.spec.fields
            ),
            F.lit(True).alias(delta.DELETED),
        )
        return built.withColumn(delta.DELETED, F.lit(False)).unionByName(deleted)

    def _parted(self, feed: DataFrame) -> tuple[DataFrame, DataFrame]:
        """The changes that windows see, and the rows whose windows are what they were.

        An amendment of what no window reads makes its own row again, not its unit. Its windows are
        taken from gold. Rows that gold lacks are among the changes.
        """
        from pyspark.sql import functions as F

        build = self.build
        key = list(build.table.key)
        reads = F.struct(*map(quoted, self._windowed.reads))
        held = [quoted(name) for name in self._windowed.columns]
        gold = delta.read(build.spark, build.spec.uri).select(*build.key, *held)
        was = feed.where(F.col(CHANGE) == changefeed.BEFORE).select(*build.key, reads.alias("_was"))
        now = feed.where(F.col(CHANGE) == changefeed.AFTER).select(*build.columns)
        kept = now.join(was, key).where(F.col("_was").eqNullSafe(reads)).drop("_was")
        kept = kept.join(gold, key)
        return feed.join(kept.select(*build.key), key, "left_anti"), kept

    @cached_property
    def _nearby(self) -> Nearby:
        return Nearby(self.build)

    @cached_property
    def _windowed(self) -> computed.Windowed:
        return computed.Windowed.of(self.build.usecase, self.build.table)

    def _cells(self, feed: DataFrame) -> DataFrame:
        """Mode ``aggregate``: what the build function returns and gold does not hold already."""
        from pyspark.sql import functions as F

        build = self.build
        changes = feed.select(*build.columns, CHANGE)
        built = build.numbered(
            build.silver_rows(), changes, delta.read(build.spark, build.spec.uri)
        )
        if delta.DELETED not in built.columns:
            built = built.withColumn(delta.DELETED, F.lit(False))
        return self._not_held(build.declared(built, delta.DELETED))

    def _not_held(self, rows: DataFrame) -> DataFrame:
        """The rows that gold does not hold as they are; every batch would rewrite the others."""
        build = self.build
        # Null-safe, because null = null is null: by plain equality a cell with a null in it
        # (a rate of no rows) would never count as held. A row to delete is never held: it passes,
        # and the write removes it.
        gold = delta.read(build.spark, build.spec.uri)
        same = [rows[quoted(n)].eqNullSafe(gold[quoted(n)]) for n in build.spec.names]
        is_held = reduce(lambda one, other: one & other, same)
        return rows.join(gold, is_held & ~rows[delta.DELETED], "left_anti")
