"""What changed in silver to gold tables; each commit stores the silver version it reflects."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, time, timedelta, tzinfo
from functools import cached_property, reduce
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import msgspec

from goldlake_core.contracts.column_types import TIMES
from goldlake_core.contracts.durations import seconds_of
from goldlake_core.contracts.errors import PermanentError, StoreError
from goldlake_core.contracts.hashing import section_hash
from goldlake_core.contracts.registry import resolve
from goldlake_core.contracts.sections import GoldTable, UseCase
from goldlake_core.contracts.sql_rules import quoted
from goldlake_core.instants import of_micros, utc_text
from goldlake_core.stages import Emit
from goldlake_core.storage.deltalog import Commit, DeltaLog, Snapshot
from goldlake_core.storage.files import list_names
from goldlake_core.storage.home import Home
from lakehouse import (
    changefeed,
    commits,
    computed,
    delta,
    fates,
    lookups,
    reach,
    rebuilt,
    specs,
)
from lakehouse.changefeed import CHANGE
from lakehouse.clusters import Clusters
from lakehouse.commits import SilverCommit

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, Row, SparkSession

SILVER_VERSION = "silver_version"
# In a commit that changed no row: the version that the rows have had since.
ROWS_OF = "rows_of"
_IS_ASKED = "_is_asked"
# Rows of the batch, and rows that it does not touch, of which the sampled rebuild is made.
SAMPLED_ROWS, SAMPLED_CELLS, SAMPLED_UNITS = 100, 10, 5


@dataclass(frozen=True)
class Basis:
    """The state of silver that a gold version reflects; stored with its commit.

    Attributes:
        silver_version: Version of the silver table that it was made from.
        silver_uuid: Delta id of that table.
        as_of: Newest change at the source that silver holds (ISO 8601, UTC).
        event_end: Midnight after the newest event, by the publisher's clock (ISO 8601, UTC).
        run_id: Run that made it.
        epoch: Epoch of that silver table; 0 in commits of earlier versions of goldlake.
        through: Sequence of the last page whose records silver holds.
        silver_contract: Hash of the contract's section ``silver``.
        gold_contract: Hash of what decides the table's rows; see `specs.gold_hash`.
        clusters: By cluster of the table what names the fits that numbered its rows.
    """

    silver_version: int
    silver_uuid: str
    as_of: str
    event_end: str
    run_id: str
    epoch: int = 0
    through: int = 0
    silver_contract: str = ""
    gold_contract: str = ""
    clusters: Mapping[str, str] = field(default_factory=dict)

    @property
    def metadata(self) -> dict[str, object]:
        """What is stored with a commit; a table without clusters says nothing of them."""
        return {name: value for name, value in asdict(self).items() if value != {}}


def basis_of(commit: Commit) -> Basis:
    """The basis stored with a gold commit."""
    return msgspec.convert(commit.metadata, Basis)


def refine(
    spark: SparkSession, usecase: UseCase, home: Home, epoch: int, run_id: str, emit: Emit
) -> dict[str, bool]:
    """Brings every gold table up to silver. Writes; idempotent.

    Returns:
        By table name, whether it got a new version.

    Raises:
        PermanentError: A build function returns other columns than the contract declares, a key
            twice, other rows each time, or rows that depend on more than the contract says.
        StoreError: Another writer changed a gold table; its wrong rows are named. Or what a cluster
            was fitted to is damaged.
    """
    silver = DeltaLog(specs.silver(usecase, home, epoch).uri).snapshot()
    versions = specs.versions(usecase, home, epoch)
    basis: Basis | None = None
    changed = {}
    for table in usecase.gold.values():
        spec = specs.gold(usecase, home, table)
        delta.create(spark, spec)
        groups = Clusters.of(usecase, home, table)
        last = _last_commit(spec, silver, groups)
        if last and _is_foreign(spec, last):
            require_rebuilt(spark, usecase, home, epoch, table)
        if last and basis_of(last).silver_version == silver.version:
            delta.set_comments(spark, spec)
            changed[table.name] = False
            continue
        basis = basis or _basis(spark, usecase, silver, epoch, run_id)
        reflected = basis or _basis_of_empty(spec, usecase, silver, epoch, run_id)
        if reflected is None:  # nothing was ever in silver
            changed[table.name] = False
            continue
        own = replace(reflected, gold_contract=spec.properties[specs.CONTRACT_PROPERTY])
        groups.prepare(emit)
        step = _Step(spark, usecase, table, spec, silver, versions, own, groups)
        changed[table.name] = step.increment(last, emit) if last else step.rebuild(emit)
        delta.set_comments(spark, spec)
        rows = DeltaLog(spec.uri).snapshot().rows
        emit("progress", f"gold: {spec.id}: {rows:,} rows")
    return changed


def left_over(usecase: UseCase, home: Home) -> list[str]:
    """Ids of gold tables that are there and that the contract does not have any more."""
    return [
        f"{usecase.name}.gold.{name}"
        for name in list_names(home.fs, home.path("tables", usecase.name, "gold"))
        if name not in usecase.gold and not name.startswith("_")
    ]


def follows(usecase: UseCase, home: Home, table: GoldTable, silver: Snapshot) -> bool:
    """Whether a gold table can be brought up to silver by the changes since its newest commit."""
    spec = specs.gold(usecase, home, table)
    groups = Clusters.of(usecase, home, table)
    return DeltaLog(spec.uri).exists() and _last_commit(spec, silver, groups) is not None


def reflects(usecase: UseCase, home: Home, table: GoldTable, silver: Snapshot) -> bool:
    """Whether a gold table holds what its build makes of silver, as far as the logs say."""
    spec = specs.gold(usecase, home, table)
    last = _last_commit(spec, silver, Clusters.of(usecase, home, table))
    return (
        last is not None
        and basis_of(last).silver_version == silver.version
        and not _is_foreign(spec, last)
    )


def require_rebuilt(
    spark: SparkSession, usecase: UseCase, home: Home, epoch: int, table: GoldTable
) -> None:
    """Compares a whole gold table with what its build makes of silver. Read-only.

    Raises:
        StoreError: The table is not up to silver or to the contract, or rows of it are missing,
            doubled, changed or foreign; they are named by key.
    """
    spec = specs.gold(usecase, home, table)
    log = DeltaLog(spec.uri)
    if not log.exists():
        raise StoreError(f"{spec.id} is missing", hint=f"goldlake rebuild {usecase.name}")
    silver = DeltaLog(specs.silver(usecase, home, epoch).uri).snapshot()
    groups = Clusters.of(usecase, home, table)
    last = _last_commit(spec, silver, groups)
    if last is None and silver.rows == log.snapshot().rows == 0:
        return
    if last is None:
        raise StoreError(
            f"{spec.id} was made from another silver table or under another contract",
            hint=f"goldlake ingest {usecase.name}: it makes the table again",
        )
    basis = basis_of(last)
    made_from = DeltaLog(silver.uri).snapshot(basis.silver_version)
    versions = specs.versions(usecase, home, epoch)
    step = _Step(spark, usecase, table, spec, made_from, versions, basis, groups)
    wrong = rebuilt.differences(step.whole(), delta.read(spark, spec.uri), spec, table.key)
    if wrong:
        more = ", and perhaps more" if len(wrong) == rebuilt.NAMED else ""
        raise StoreError(
            f"The account of {usecase.name} does not balance: {spec.id} differs from a rebuild out "
            f"of silver ({'; '.join(wrong)}{more})",
            hint=f"goldlake rebuild {usecase.name}",
        )


def _is_foreign(spec: specs.TableSpec, last: Commit) -> bool:
    """Whether rows were changed after the newest commit of ours."""
    log = DeltaLog(spec.uri)
    later = (version for version in log.versions() if version > last.version)
    return any(log.changes_rows(version) for version in later)


def _last_commit(spec: specs.TableSpec, silver: Snapshot, groups: Clusters) -> Commit | None:
    """The commit to continue from; None where the table has to be built from all of silver."""
    log = DeltaLog(spec.uri)
    if (
        log.snapshot().properties.get(specs.CONTRACT_PROPERTY)
        != spec.properties[specs.CONTRACT_PROPERTY]
    ):
        return None
    commit = log.last_commit_with(SILVER_VERSION)
    if commit is None:
        return None
    basis = basis_of(commit)
    # A silver table that was restored from a copy may stand at an earlier version than gold knows.
    if basis.silver_uuid != silver.uuid or basis.silver_version > silver.version:
        return None
    if not groups.hold(basis.clusters):
        return None
    can_follow = changefeed.can_follow(silver.uri, basis.silver_version + 1, silver.version)
    return commit if can_follow else None


def _basis(
    spark: SparkSession, usecase: UseCase, silver: Snapshot, epoch: int, run_id: str
) -> Basis | None:
    from pyspark.sql import functions as F

    contract = usecase.silver
    known = F.max(specs.KNOWN_FROM)
    # A version that lies ahead of the clock says nothing about the state of knowledge. If the
    # version column is a counter, use the time at which the version became known.
    is_time = bool(contract.version) and contract.column(contract.version).type in TIMES
    newest = F.max(F.col(quoted(contract.version)).cast("timestamp")) if is_time else known
    # What has no event time is as old as its landing.
    event = F.max(F.col(quoted(contract.event_time or specs.KNOWN_FROM)).cast("timestamp"))
    micros = (F.unix_micros(F.least(newest, known)), F.unix_micros(event))
    as_of, event = delta.read(spark, silver.uri, silver.version).agg(*micros).collect()[0]
    if event is None:
        return None
    zone = event_zone(usecase)
    next_day = of_micros(event).astimezone(zone).date() + timedelta(days=1)
    event_end = datetime.combine(next_day, time.min, tzinfo=zone)
    return Basis(
        silver.version,
        silver.uuid,
        utc_text(of_micros(as_of), "microseconds"),
        utc_text(event_end, "microseconds"),
        run_id,
        epoch,
        commits.newest(silver.uri, SilverCommit).through,
        section_hash(contract),
    )


def _basis_of_empty(
    spec: specs.TableSpec, usecase: UseCase, silver: Snapshot, epoch: int, run_id: str
) -> Basis | None:
    """The basis where silver lost its last row: the times are those of what gold holds.

    Returns:
        The basis, or None where gold never held a row.
    """
    commit = DeltaLog(spec.uri).last_commit_with(SILVER_VERSION)
    if commit is None:
        return None
    return replace(
        basis_of(commit),
        silver_version=silver.version,
        silver_uuid=silver.uuid,
        run_id=run_id,
        epoch=epoch,
        through=commits.newest(silver.uri, SilverCommit).through,
        silver_contract=section_hash(usecase.silver),
    )


def event_zone(usecase: UseCase) -> tzinfo:
    """Time zone that event times are published in; UTC if the contract does not name one."""
    event_time = usecase.silver.event_time
    return ZoneInfo(usecase.silver.column(event_time).time_zone or "UTC" if event_time else "UTC")


@dataclass(frozen=True)
class _Step:
    """Brings one gold table to one silver version."""

    spark: SparkSession
    usecase: UseCase
    table: GoldTable
    spec: specs.TableSpec
    silver: Snapshot
    versions: specs.TableSpec
    basis: Basis
    groups: Clusters

    def whole(self) -> DataFrame:
        """The table as all of silver makes it."""
        return self._made_of(self._silver())

    def _made_of(self, silver: DataFrame) -> DataFrame:
        return self._declared(self._build(silver))

    def rebuild(self, emit: Emit) -> bool:
        if self.table.clusters:
            self._complete(self._unnumbered(), emit)
        rows = self.whole()
        calls = self._require_lawful(rows)
        again = self.whole()
        if calls.has_python or not rows.sameSemantics(again):
            keys = rows.select(*self._key).limit(SAMPLED_ROWS).collect()
            if keys:
                one, other = (each.where(self._box(keys)) for each in (again, rows))
                # In one plan, Spark computes what looks alike once: nothing would differ.
                one = self.spark.createDataFrame(one.collect(), one.schema)
                self._require_same(one, other, rebuilt.NEARER)
        self._require_unique(rows)
        delta.overwrite(rows, self.spec, self._metadata)
        self._tell_missing(self._silver(), emit)
        return True

    def increment(self, last: Commit, emit: Emit) -> bool:
        first = basis_of(last).silver_version + 1
        if not changefeed.differs(self.silver.uri, first, self.silver.version):
            return False
        feed = self._feed(basis_of(last)).persist()
        try:
            rows = self._touched(feed).persist()
            if self._complete(rows, emit):
                rows.unpersist()
                rows = self._touched(feed).persist()
            try:
                number = self._require_unique(rows)
                self._require_as_rebuilt(feed, rows, basis_of(last))
                metadata = self._metadata
                if number:
                    delta.merge(rows, self.spec.uri, self.table.key, metadata=metadata)
                else:  # the basis has moved on
                    delta.append(rows.drop(delta.DELETED), self.spec.uri, metadata=metadata)
                self._tell_missing(self._present(last_changes(feed)), emit)
            finally:
                rows.unpersist()
        finally:
            feed.unpersist()
        return True

    def _feed(self, last: Basis) -> DataFrame:
        """What changed in silver since the version that the table reflects."""
        from pyspark.sql import functions as F

        first, key = last.silver_version + 1, self.usecase.silver.key
        touched = None
        through = changefeed.taken_in(self.silver.uri, first, self.silver.version, last.through)
        if through is not None:
            place = (specs.SEQUENCE, last.through + 1, through)
            versions = delta.read(self.spark, self.versions.uri, within=place)
            touched = versions.where(F.col(specs.FATE).isin(*fates.WINNERS))
            touched = touched.select(*map(quoted, key)).distinct()
        columns = self.usecase.silver.names
        return changefeed.between(
            self.spark, self.silver.uri, first, self.silver.version, key, columns, touched
        )

    def _touched(self, feed: DataFrame) -> DataFrame:
        """The rows that changes of silver make, and those to delete."""
        return self._changed_rows(feed) if self.table.mode == "rows" else self._cells(feed)

    def _complete(self, rows: DataFrame, emit: Emit) -> bool:
        """Fits the clusters of intervals that have no fit; whether there was any."""
        basis = self.basis
        return self.groups.complete(rows, self._unnumbered, basis.through, basis.run_id, emit)

    def _unnumbered(self) -> DataFrame:
        """The table as all of silver makes it, without clusters."""
        return self._made(self._silver())

    def _changed_rows(self, feed: DataFrame) -> DataFrame:
        """Mode ``rows``: what the changes reach, built; what is not built any more is deleted."""
        if self._windowed.columns:
            return self._not_held(self._windowed_rows(feed))
        last, key = last_changes(feed), list(self.table.key)
        if not specs.is_reaching(self.table):
            built = self._declared(self._build(self._present(last)))
            return self._written(built, last.join(built.select(*self._key), key, "left_anti"))
        near = self._near(feed)
        reached = self._reached(near, is_wide=False).select(*self._key)
        built = self._declared(self._build(self._reached(near, is_wide=True)))
        built = built.join(reached, key, "left_semi")
        touched = last.select(*self._key).unionByName(reached).distinct()
        gone = touched.join(built.select(*self._key), key, "left_anti")
        return self._not_held(self._written(built, gone))

    def _windowed_rows(self, feed: DataFrame) -> DataFrame:
        """The rows whose windows the changes reach, and the others that changed.

        The contract makes a row of each silver row, so that those to delete are the deleted ones.
        Without windows by time, all rows of a unit are reached: silver is read once.
        """
        from pyspark.sql import functions as F

        key = list(self.table.key)
        moved, kept = self._parted(feed)
        near = self._near(moved)
        built = self._declared(self._build(self._reached(near, is_wide=True)))
        if self.table.reach_order:
            reached = self._reached(near, is_wide=False).select(*self._key)
            built = built.join(reached, key, "left_semi")
            alone = kept.join(reached, key, "left_anti")
        else:
            units = computed.with_units(kept, self.table)
            alone = units.join(F.broadcast(near), self._is_beside(0, 0), "left_anti")
        made = self.groups.assigned(self._made(alone, held=self._windowed.columns))
        gone = last_changes(feed).where(F.col(CHANGE) == changefeed.DELETE)
        return self._written(built.unionByName(self._declared(made)), gone)

    def _written(self, built: DataFrame, gone: DataFrame) -> DataFrame:
        """Rows to write, and rows with the keys to delete, as one frame."""
        from pyspark.sql import functions as F

        deleted = gone.select(
            *(
                (F.col(quoted(f.name)) if f.name in self.table.key else F.lit(None))
                .cast(f.type)
                .alias(f.name)
                for f in self.spec.fields
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

        key = list(self.table.key)
        reads = F.struct(*map(quoted, self._windowed.reads))
        held = [quoted(name) for name in self._windowed.columns]
        gold = delta.read(self.spark, self.spec.uri).select(*self._key, *held)
        was = feed.where(F.col(CHANGE) == changefeed.BEFORE).select(*self._key, reads.alias("_was"))
        now = feed.where(F.col(CHANGE) == changefeed.AFTER).select(*self._columns)
        kept = now.join(was, key).where(F.col("_was").eqNullSafe(reads)).drop("_was")
        kept = kept.join(gold, key)
        return feed.join(kept.select(*self._key), key, "left_anti"), kept

    @cached_property
    def _windowed(self) -> computed.Windowed:
        return computed.Windowed.of(self.usecase, self.table)

    def _present(self, last: DataFrame) -> DataFrame:
        """The silver rows among the newest changes of keys."""
        from pyspark.sql import functions as F

        return last.where(F.col(CHANGE) != "delete").select(*self._columns)

    def _near(self, feed: DataFrame) -> DataFrame:
        """Per unit that changes touch, before or after, from where to where they lie."""
        from pyspark.sql import functions as F

        units = [quoted(name) for name in self.table.reach]
        place = _micros(self.table.reach_order) if self.table.reach_order else F.lit(0)
        # Other names than silver's, so that they can be compared without ambiguity.
        return (
            computed.with_units(feed, self.table)
            .select(*units, place.alias("_place"))
            .groupBy(*units)
            .agg(F.min("_place").alias("_low"), F.max("_place").alias("_high"))
            .withColumnsRenamed({name: f"_unit_{name}" for name in self.table.reach})
        )

    def _reached(self, near: DataFrame, *, is_wide: bool) -> DataFrame:
        """Silver rows that changes reach; with ``is_wide`` those too of which they are made."""
        from pyspark.sql import functions as F

        table = self.table
        back, ahead = (_micros_of(text) for text in (table.reach_before, table.reach_after))
        # A change at an instant is seen from as far after it as rows look back.
        low, high = (back + ahead, back + ahead) if is_wide else (ahead, back)
        rows = computed.with_units(self._silver(), self.table)
        beside = rows.join(F.broadcast(near), self._is_beside(low, high), "left_semi")
        return beside.select(*self._columns)

    def _is_beside(self, low: int, high: int) -> Column:
        """Whether a row is of a unit of `_near`, up to so many microseconds before or after."""
        from pyspark.sql import functions as F

        condition = F.lit(True)
        for name in self.table.reach:
            condition &= F.col(quoted(name)).eqNullSafe(F.col(quoted(f"_unit_{name}")))
        if self.table.reach_order:
            place = _micros(self.table.reach_order)
            condition &= place.between(F.col("_low") - low, F.col("_high") + high)
        return condition

    def _cells(self, feed: DataFrame) -> DataFrame:
        """Mode ``aggregate``: what the build function returns and gold does not hold already."""
        from pyspark.sql import functions as F

        changes = feed.select(*self._columns, CHANGE)
        built = self._build(self._silver(), changes, delta.read(self.spark, self.spec.uri))
        if delta.DELETED not in built.columns:
            built = built.withColumn(delta.DELETED, F.lit(False))
        return self._not_held(self._declared(built, delta.DELETED))

    def _not_held(self, rows: DataFrame) -> DataFrame:
        """The rows that gold does not hold as they are; every batch would rewrite the others."""
        # Null-safe, because null = null is null: by plain equality a cell with a null in it
        # (a rate of no rows) would never count as held. A row to delete is never held: it passes,
        # and the write removes it.
        gold = delta.read(self.spark, self.spec.uri)
        same = [rows[quoted(n)].eqNullSafe(gold[quoted(n)]) for n in self.spec.names]
        is_held = reduce(lambda one, other: one & other, same)
        return rows.join(gold, is_held & ~rows[delta.DELETED], "left_anti")

    def _require_lawful(self, built: DataFrame) -> reach.Calls:
        """Checks the plan of a build of all of silver, and returns what it calls.

        Raises:
            PermanentError: It calls a function that differs each time, or it brings rows together
                that the contract does not put into one unit.
        """
        calls = reach.calls(built)
        if calls.unstable:
            listed = ", ".join(calls.unstable)
            raise PermanentError(
                f"{self._made_by} of {self.spec.id} calls {listed}, which gives "
                "another value each time: a row made again would differ from the one that is there",
                valid="functions of the silver row's own values",
                hint=f"correct {self._made_by}",
            )
        if self.table.mode != "rows":
            return calls
        units = [self.table.key]
        if specs.is_reaching(self.table):
            units.append(self.table.reach)
        own = [column.name for column in self.table.computed_units]
        step = reach.meeting(built, self._silver(), units, own)
        if step:
            declared = ", ".join(self.table.reach) or "its own silver row"
            raise self._beyond(
                f"{self._made_by} of {self.spec.id} looks further than {declared}: it has {step}"
            )
        return calls

    def _require_unique(self, rows: DataFrame) -> int:
        """Checks that each key is there once; returns the number of rows."""
        from pyspark.sql import functions as F

        keys = rows.groupBy(*self._key).count()
        number, most = keys.agg(F.sum("count"), F.max("count")).collect()[0]
        if most is not None and most > 1:
            doubled = keys.where(F.col("count") > 1).limit(1).collect()[0]
            name = ", ".join(f"{each}={doubled[each]}" for each in self.table.key)
            raise PermanentError(
                f"{self._made_by} of {self.spec.id} returns {doubled['count']} rows with the "
                f"key {name}",
                valid="one row per key",
                hint=f"correct {self._made_by} or gold.{self.table.name}.key in the contract",
            )
        return number or 0

    def _require_as_rebuilt(self, feed: DataFrame, rows: DataFrame, last: Basis) -> None:
        """Compares what the increment would leave with a rebuild, for a sample of keys.

        Args:
            feed: The changes of silver.
            rows: The rows that the increment writes.
            last: What the table reflects so far. Where it names no contract of gold, the plan of
                the build has not been judged yet.

        Raises:
            PermanentError: They differ; nothing was written.
        """
        if not last.gold_contract:
            self._require_lawful(self.whole())
        with self._sampled(feed, last.silver_version) as sampled:
            keys = self._asked(rows, sampled)
            if not keys:
                return
            inside = self._box(keys)
            wanted = self.whole() if sampled is None else self._made_of(sampled.drop(_IS_ASKED))
            gold = delta.read(self.spark, self.spec.uri).where(inside)
            kept = gold.join(rows.select(*self._key), list(self.table.key), "left_anti")
            made = rows.where(inside & ~rows[delta.DELETED]).drop(delta.DELETED)
            self._require_same(wanted.where(inside), kept.unionByName(made))

    @contextmanager
    def _sampled(self, feed: DataFrame, since: int) -> Iterator[DataFrame | None]:
        """Silver rows of which a build makes the same gold rows as of all of silver.

        A build that keeps to its reach does, so that the sample does not grow with silver: it has
        rows that the batch changed or that its changes reach, and others. Those that are compared
        are marked. In mode ``aggregate`` there is none.
        """
        from pyspark.sql import functions as F

        if self.table.mode != "rows":
            yield None
            return
        key = list(self.usecase.silver.key)
        is_reaching = specs.is_reaching(self.table)
        new = changefeed.added(self.silver.uri, since + 1, self.silver.version)
        others = rebuilt.sampled(self.spark, self.silver, key, SAMPLED_ROWS, new)
        others = others.select(*self._columns, F.lit(not is_reaching).alias(_IS_ASKED))
        # Persisted, because a limit may pick other rows each time.
        near = self._near(feed).limit(SAMPLED_UNITS).persist()
        persisted = [near]
        if is_reaching:
            wide = self._reached(near, is_wide=True).persist()
            persisted.append(wide)
            # Without an order, a row is made of all that the changes reach.
            reached = self._reached(near, is_wide=False) if self.table.reach_order else wide
            asked = reached.limit(SAMPLED_ROWS).select(*self._key)
            asked = asked.withColumn(_IS_ASKED, F.lit(True))
            own = wide.join(F.broadcast(asked), key, "left")
            own = own.select(*self._columns, F.coalesce(_IS_ASKED, F.lit(False)).alias(_IS_ASKED))
            taken = own
        else:
            taken = last_changes(feed)
            own = self._present(taken).limit(SAMPLED_ROWS).withColumn(_IS_ASKED, F.lit(True))
        others = others.join(taken.select(*self._key), key, "left_anti")
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

        if sampled is not None:
            return sampled.where(F.col(_IS_ASKED)).select(*self._key).collect()
        gold = DeltaLog(self.spec.uri).snapshot()
        others = rebuilt.sampled(self.spark, gold, self.table.key, SAMPLED_CELLS)
        new, old = (each.select(*self._key).limit(SAMPLED_CELLS) for each in (rows, others))
        return new.unionByName(old).collect()

    def _require_same(
        self, wanted: DataFrame, found: DataFrame, tolerance: float = rebuilt.NEAR
    ) -> None:
        wrong = rebuilt.differences(wanted, found, self.spec, self.table.key, tolerance)
        if wrong:
            raise self._beyond(
                f"{self.spec.id} would differ from a rebuild of it ({'; '.join(wrong)}): "
                f"{self._made_by} depends on more than the rows that changed, or gives other "
                "values each time; nothing was written"
            )

    def _beyond(self, problem: str) -> PermanentError:
        name = self.table.name
        if self.table.mode != "rows":
            return PermanentError(
                problem,
                valid="all rows that a change touches, from build(silver, changes, gold)",
                hint=f"correct {self._made_by}",
            )
        return PermanentError(
            problem,
            valid=f"gold.{name}.reach: the silver columns that form the unit that it looks at",
            hint=f"write reach: [COLUMN] at gold.{name} in {self.usecase.folder}/contract.yaml, or "
            f"correct {self._made_by}",
        )

    def _box(self, keys: Sequence[Row]) -> Column:
        return rebuilt.box(keys, self.table.key)

    def _tell_missing(self, silver: DataFrame, emit: Emit) -> None:
        """Tells which of these silver rows have a key that a lookup lacks."""
        if self.table.lookups:
            for each in lookups.missing(silver, self.table.lookups, self._looked_up):
                emit("info", f"gold: {self.spec.id}: {each}")

    @cached_property
    def _looked_up(self) -> list[DataFrame]:
        return lookups.frames(self.spark, self.usecase, self.table.lookups)

    @property
    def _made_by(self) -> str:
        return self.table.build or f"gold.{self.table.name}.columns"

    @property
    def _metadata(self) -> dict[str, object]:
        return replace(self.basis, clusters=self.groups.pins).metadata

    @property
    def _key(self) -> list[str]:
        return [quoted(name) for name in self.table.key]

    @property
    def _columns(self) -> list[str]:
        return [quoted(name) for name in self.usecase.silver.names]

    def _silver(self) -> DataFrame:
        rows = delta.read(self.spark, self.silver.uri, self.silver.version)
        return rows.select(*self._columns)

    def _build(
        self, silver: DataFrame, changes: DataFrame | None = None, gold: DataFrame | None = None
    ) -> DataFrame:
        return self.groups.assigned(self._made(silver, changes, gold))

    def _made(
        self,
        silver: DataFrame,
        changes: DataFrame | None = None,
        gold: DataFrame | None = None,
        held: Sequence[str] = (),
    ) -> DataFrame:
        """What the function or the contract makes, without clusters.

        Args:
            silver: Rows of silver, with the columns ``held``.
            changes: For a build of mode ``aggregate``.
            gold: For a build of mode ``aggregate``.
            held: Computed columns that the rows have already.
        """
        if self.table.lookups:
            silver = lookups.with_lookups(silver, self.table.lookups, self._looked_up)
        if not self.table.build:
            return computed.with_computed(silver, self.table, held)
        function: Callable[..., Any] = resolve(
            self.usecase, self.table.build, f"gold.{self.table.name}.build"
        )
        built = function(silver) if self.table.mode == "rows" else function(silver, changes, gold)
        return built  # type: ignore[no-any-return]

    def _declared(self, rows: DataFrame, *more: str) -> DataFrame:
        """The declared columns in order, types and comments."""
        from pyspark.sql import functions as F

        missing = [name for name in self.spec.names if name not in rows.columns]
        if missing:
            raise PermanentError(
                f"{self._made_by} of {self.spec.id} returns {', '.join(rows.columns)} and lacks "
                f"{', '.join(missing)}",
                valid=f"the contract's columns: {', '.join(self.spec.names)}",
                hint=f"correct {self._made_by} or gold.{self.table.name} in the contract",
            )
        columns = [
            F.col(quoted(f.name)).cast(f.type).alias(f.name, metadata={"comment": f.comment})
            for f in self.spec.fields
        ]
        return rows.select(*columns, *more)


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
