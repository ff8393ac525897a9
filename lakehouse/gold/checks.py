"""Whether a gold table is what a rebuild would make, asked before it is written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from goldlake_core.contracts.errors import PermanentError
from goldlake_core.storage.deltalog import DeltaLog
from lakehouse import changefeed, delta, reach, rebuilt, specs
from lakehouse.gold.basis import Basis
from lakehouse.gold.build import Build
from lakehouse.gold.nearby import Nearby, last_changes, present

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, Row

_IS_ASKED = "_is_asked"
# Rows of the batch, and rows that it does not touch, of which the sampled rebuild is made.
SAMPLED_ROWS, SAMPLED_CELLS, SAMPLED_UNITS = 100, 10, 5


@dataclass(frozen=True)
class Checks:
    """Checks of one gold table; each raises, and none writes."""

    build: Build

    def require_lawful(self, built: DataFrame) -> reach.Calls:
        """Checks the plan of a build of all of silver, and returns what it calls.

        Raises:
            PermanentError: It calls a function that differs each time, or it brings rows together
                that the contract does not put into one unit.
        """
        build = self.build
        calls = reach.calls(built)
        if calls.unstable:
            listed = ", ".join(calls.unstable)
            raise PermanentError(
                f"{build.made_by} of {build.spec.id} calls {listed}, which gives "
                "another value each time: a row made again would differ from the one that is there",
                valid="functions of the silver row's own values",
                hint=f"correct {build.made_by}",
            )
        if build.table.mode != "rows":
            return calls
        units = [build.table.key]
        if specs.is_reaching(build.table):
            units.append(build.table.reach)
        own = [column.name for column in build.table.computed_units]
        step = reach.meeting(built, build.silver_rows(), units, own)
        if step:
            declared = ", ".join(build.table.reach) or "its own silver row"
            raise self._beyond(
                f"{build.made_by} of {build.spec.id} looks further than {declared}: it has {step}"
            )
        return calls

    def require_unique(self, rows: DataFrame) -> int:
        """Checks that each key is there once; returns the number of rows."""
        from pyspark.sql import functions as F

        build = self.build
        keys = rows.groupBy(*build.key).count()
        number, most = keys.agg(F.sum("count"), F.max("count")).collect()[0]
        if most is not None and most > 1:
            doubled = keys.where(F.col("count") > 1).limit(1).collect()[0]
            name = ", ".join(f"{each}={doubled[each]}" for each in build.table.key)
            raise PermanentError(
                f"{build.made_by} of {build.spec.id} returns {doubled['count']} rows with the "
                f"key {name}",
                valid="one row per key",
                hint=f"correct {build.made_by} or gold.{build.table.name}.key in the contract",
            )
        return number or 0

    def require_as_rebuilt(self, feed: DataFrame, rows: DataFrame, last: Basis) -> None:
        """Compares what the increment would leave with a rebuild, for a sample of keys.

        Args:
            feed: The changes of silver.
            rows: The rows that the increment writes.
            last: What the table reflects so far. Where it names no contract of gold, the plan of
                the build has not been judged yet.

        Raises:
            PermanentError: They differ; nothing was written.
        """
        build = self.build
        if not last.gold_contract:
            self.require_lawful(build.whole())
        with self._sampled(feed, last.silver_version) as sampled:
            keys = self._asked(rows, sampled)
            if not keys:
                return
            inside = rebuilt.box(keys, build.table.key)
            wanted = build.whole() if sampled is None else build.of(sampled.drop(_IS_ASKED))
            gold = delta.read(build.spark, build.spec.uri).where(inside)
            kept = gold.join(rows.select(*build.key), list(build.table.key), "left_anti")
            made = rows.where(inside & ~rows[delta.DELETED]).drop(delta.DELETED)
            self.require_same(wanted.where(inside), kept.unionByName(made))

    @contextmanager
    def _sampled(self, feed: DataFrame, since: int) -> Iterator[DataFrame | None]:
        """Silver rows of which a build makes the same gold rows as of all of silver.

        A build that keeps to its reach does, so that the sample does not grow with silver: it has
        rows that the batch changed or that its changes reach, and others. Those that are compared
        are marked. In mode ``aggregate`` there is none.
        """
        from pyspark.sql import functions as F

        build = self.build
        if build.table.mode != "rows":
            yield None
            return
        key = list(build.usecase.silver.key)
        is_reaching = specs.is_reaching(build.table)
        new = changefeed.added(build.silver.uri, since + 1, build.silver.version)
        others = rebuilt.sampled(build.spark, build.silver, key, SAMPLED_ROWS, new)
        others = others.select(*build.columns, F.lit(not is_reaching).alias(_IS_ASKED))
        # Persisted, because a limit may pick other rows each time.
        near = self._nearby.units(feed).limit(SAMPLED_UNITS).persist()
        persisted = [near]
        if is_reaching:
            wide = self._nearby.rows(near, is_wide=True).persist()
            persisted.append(wide)
            # Without an order, a row is made of all that the changes reach.
            reached = self._nearby.rows(near, is_wide=False) if build.table.reach_order else wide
            asked = reached.limit(SAMPLED_ROWS).select(*build.key)
            asked = asked.withColumn(_IS_ASKED, F.lit(True))
            own = wide.join(F.broadcast(asked), key, "left")
            own = own.select(*build.columns, F.coalesce(_IS_ASKED, F.lit(False)).alias(_IS_ASKED))
            taken = own
        else:
            taken = last_changes(feed)
            own = (
                present(taken, build.columns).limit(SAMPLED_ROWS).withColumn(_IS_ASKED, F.lit(True))
            )
        others = others.join(taken.select(*build.key), key, "left_anti")
        sampled = own.unionByName(others).persist()
        persisted.append(sampled)
        try:
            yield sampled
        finally:
            for each in persisted:
                each.unpersist()

    def _asked(self, rows: DataFrame, sampled: DataFrame | None) -> list[Row]:
        """The keys that are compared."""
        from pyspark.sql import functions as F

        build = self.build
        if sampled is not None:
            return sampled.where(F.col(_IS_ASKED)).select(*build.key).collect()
        gold = DeltaLog(build.spec.uri).snapshot()
        others = rebuilt.sampled(build.spark, gold, build.table.key, SAMPLED_CELLS)
        new, old = (each.select(*build.key).limit(SAMPLED_CELLS) for each in (rows, others))
        return new.unionByName(old).collect()

    def require_same(
        self, wanted: DataFrame, found: DataFrame, tolerance: float = rebuilt.NEAR
    ) -> None:
        """Compares rows with those of a rebuild.

        Args:
            wanted: Rows of the rebuild.
            found: Rows that the table would have.
            tolerance: Relative difference of numbers that counts as none.

        Raises:
            PermanentError: They differ; nothing was written.
        """
        build = self.build
        wrong = rebuilt.differences(wanted, found, build.spec, build.table.key, tolerance)
        if wrong:
            raise self._beyond(
                f"{build.spec.id} would differ from a rebuild of it ({'; '.join(wrong)}): "
                f"{build.made_by} depends on more than the rows that changed, or gives other "
                "values each time; nothing was written"
            )

    def _beyond(self, problem: str) -> PermanentError:
        build = self.build
        name = build.table.name
        if build.table.mode != "rows":
            return PermanentError(
                problem,
                valid="all rows that a change touches, from build(silver, changes, gold)",
                hint=f"correct {build.made_by}",
            )
        return PermanentError(
            problem,
            valid=f"gold.{name}.reach: the silver columns that form the unit that it looks at",
            hint=f"write reach: [COLUMN] at gold.{name} in {build.usecase.folder}/contract.yaml, "
            f"or correct {build.made_by}",
        )

    @cached_property
    def _nearby(self) -> Nearby:
        return Nearby(self.build)
