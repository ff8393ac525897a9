"""Silver's change data feed to gold tables; each commit stores the silver version it reflects."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import datetime, time, timedelta, timezone, tzinfo
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import msgspec

from goldlake_core.contracts.column_types import TIMES
from goldlake_core.contracts.errors import PermanentError
from goldlake_core.contracts.registry import resolve
from goldlake_core.contracts.sections import GoldTable, UseCase
from goldlake_core.contracts.sql_rules import quoted
from goldlake_core.instants import utc_text
from goldlake_core.stages import Emit
from goldlake_core.storage.deltalog import Commit, DeltaLog, Snapshot
from goldlake_core.storage.home import Home
from lakehouse import delta, specs

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

SILVER_VERSION = "silver_version"
CHANGE = "_change_type"


@dataclass(frozen=True)
class Basis:
    """The state of silver that a gold version reflects; stored with its commit.

    Attributes:
        silver_version: Version of the silver table that it was made from.
        silver_uuid: Delta id of that table.
        as_of: Newest change at the source that silver holds (ISO 8601, UTC).
        event_end: Midnight after the newest event, by the publisher's clock (ISO 8601, UTC).
        run_id: Run that made it.
    """

    silver_version: int
    silver_uuid: str
    as_of: str
    event_end: str
    run_id: str


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
        PermanentError: A build function returns other columns than the contract declares.
    """
    silver = DeltaLog(specs.silver(usecase, home, epoch).uri).snapshot()
    basis: Basis | None = None
    changed = {}
    for table in usecase.gold.values():
        spec = specs.gold(usecase, home, table)
        delta.create(spark, spec)
        last = _last_commit(spec, silver)
        if last and basis_of(last).silver_version == silver.version:
            delta.set_comments(spark, spec)
            changed[table.name] = False
            continue
        basis = basis or _basis(spark, usecase, silver, run_id)
        reflected = basis or _basis_of_empty(spec, silver, run_id)
        if reflected is None:  # nothing was ever in silver
            changed[table.name] = False
            continue
        step = _Step(spark, usecase, table, spec, silver, reflected)
        changed[table.name] = step.increment(last) if last else step.rebuild()
        delta.set_comments(spark, spec)
        rows = DeltaLog(spec.uri).snapshot().rows
        emit("progress", f"gold: {spec.id}: {rows:,} rows")
    return changed


def _last_commit(spec: specs.TableSpec, silver: Snapshot) -> Commit | None:
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
    needed = set(range(basis.silver_version + 1, silver.version + 1))
    return commit if needed <= set(DeltaLog(silver.uri).versions()) else None


def _basis(spark: SparkSession, usecase: UseCase, silver: Snapshot, run_id: str) -> Basis | None:
    from pyspark.sql import functions as F

    contract = usecase.silver
    known = F.max(specs.KNOWN_FROM)
    # A version that lies ahead of the clock says nothing about the state of knowledge. If the
    # version column is a counter, use the time at which the version became known.
    is_time = contract.column(contract.version).type in TIMES
    newest = F.max(F.col(quoted(contract.version)).cast("timestamp")) if is_time else known
    event = F.max(F.col(quoted(contract.event_time)).cast("timestamp"))
    micros = (F.unix_micros(F.least(newest, known)), F.unix_micros(event))
    as_of, event = delta.read(spark, silver.uri, silver.version).agg(*micros).collect()[0]
    if event is None:
        return None
    zone = event_zone(usecase)
    next_day = instant(event).astimezone(zone).date() + timedelta(days=1)
    event_end = datetime.combine(next_day, time.min, tzinfo=zone)
    return Basis(
        silver.version,
        silver.uuid,
        utc_text(instant(as_of), "microseconds"),
        utc_text(event_end, "microseconds"),
        run_id,
    )


def _basis_of_empty(spec: specs.TableSpec, silver: Snapshot, run_id: str) -> Basis | None:
    """The basis where silver lost its last row: the times are those of what gold holds.

    Returns:
        The basis, or None where gold never held a row.
    """
    commit = DeltaLog(spec.uri).last_commit_with(SILVER_VERSION)
    if commit is None:
        return None
    return replace(
        basis_of(commit), silver_version=silver.version, silver_uuid=silver.uuid, run_id=run_id
    )


def event_zone(usecase: UseCase) -> tzinfo:
    """Time zone that event times are published in; UTC if the contract does not name one."""
    return ZoneInfo(usecase.silver.column(usecase.silver.event_time).time_zone or "UTC")


def instant(micros: int) -> datetime:
    """A UTC time from microseconds since 1970, exactly."""
    return datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(microseconds=micros)


@dataclass(frozen=True)
class _Step:
    """Brings one gold table to one silver version."""

    spark: SparkSession
    usecase: UseCase
    table: GoldTable
    spec: specs.TableSpec
    silver: Snapshot
    basis: Basis

    def rebuild(self) -> bool:
        rows = self._build(self._silver())
        delta.overwrite(self._declared(rows), self.spec, asdict(self.basis))
        return True

    def increment(self, last: Commit) -> bool:
        first = basis_of(last).silver_version + 1
        feed = delta.changes(self.spark, self.silver.uri, first, self.silver.version)
        feed = feed.persist()
        try:
            if feed.isEmpty():  # silver's new versions changed no rows
                return False
            rows = self._changed_rows(feed) if self.table.mode == "rows" else self._cells(feed)
            rows = rows.persist()
            try:
                if rows.isEmpty():
                    # Delta makes no commit of an empty MERGE, and the basis has moved on.
                    rows = rows.drop(delta.DELETED)
                    delta.append(rows, self.spec.uri, metadata=asdict(self.basis))
                else:
                    delta.merge(rows, self.spec.uri, self.table.key, metadata=asdict(self.basis))
            finally:
                rows.unpersist()
        finally:
            feed.unpersist()
        return True

    def _changed_rows(self, feed: DataFrame) -> DataFrame:
        """Mode ``rows``: the last change per key, built; what is not built any more is deleted."""
        from pyspark.sql import functions as F

        last = last_changes(feed, self.usecase.silver.key)
        names = [quoted(name) for name in self.usecase.silver.names]
        built = self._declared(self._build(last.where(F.col(CHANGE) != "delete").select(*names)))
        built = built.withColumn(delta.DELETED, F.lit(False))
        key = [quoted(name) for name in self.table.key]
        gone = last.join(built.select(*key), list(self.table.key), "left_anti").select(
            *(
                (F.col(quoted(f.name)) if f.name in self.table.key else F.lit(None))
                .cast(f.type)
                .alias(f.name)
                for f in self.spec.fields
            ),
            F.lit(True).alias(delta.DELETED),
        )
        return built.unionByName(gone)

    def _cells(self, feed: DataFrame) -> DataFrame:
        """Mode ``aggregate``: what the build function returns and gold does not hold already."""
        from pyspark.sql import functions as F

        changes = feed.select(*(quoted(n) for n in self.usecase.silver.names), CHANGE)
        gold = delta.read(self.spark, self.spec.uri)
        built = self._build(self._silver(), changes, gold)
        if delta.DELETED not in built.columns:
            built = built.withColumn(delta.DELETED, F.lit(False))
        rows = self._declared(built, delta.DELETED)
        # A cell that gold already holds is left out, or every batch would rewrite rows that did not
        # change. Null-safe, because null = null is null: by plain equality a cell with a null in it
        # (a rate of no rows) would never count as held. A row to delete is never held: it passes,
        # and the MERGE removes it.
        same = [rows[quoted(n)].eqNullSafe(gold[quoted(n)]) for n in self.spec.names]
        is_held = same[0]
        for condition in same[1:]:
            is_held = is_held & condition
        return rows.join(gold, is_held & ~rows[delta.DELETED], "left_anti")

    def _silver(self) -> DataFrame:
        rows = delta.read(self.spark, self.silver.uri, self.silver.version)
        return rows.select(*(quoted(name) for name in self.usecase.silver.names))

    def _build(
        self, silver: DataFrame, changes: DataFrame | None = None, gold: DataFrame | None = None
    ) -> DataFrame:
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
                f"{self.table.build} of {self.spec.id} returns {', '.join(rows.columns)} and lacks "
                f"{', '.join(missing)}",
                valid=f"the contract's columns: {', '.join(self.spec.names)}",
                hint=f"correct {self.table.build} or gold.{self.table.name} in the contract",
            )
        columns = [
            F.col(quoted(f.name)).cast(f.type).alias(f.name, metadata={"comment": f.comment})
            for f in self.spec.fields
        ]
        return rows.select(*columns, *more)


def last_changes(feed: DataFrame, key: tuple[str, ...]) -> DataFrame:
    """The newest change of each key: a delete, or the row as it is after the feed."""
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    newest = Window.partitionBy(*(quoted(k) for k in key)).orderBy(
        F.col("_commit_version").desc(), F.when(F.col(CHANGE) == "delete", 1).otherwise(0)
    )
    return (
        feed.where(F.col(CHANGE) != "update_preimage")
        .withColumn("_newest", F.row_number().over(newest))
        .where("_newest = 1")
        .drop("_newest")
    )
