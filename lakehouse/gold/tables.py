"""Gold tables follow silver: built of all of it, or kept up by what changed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from goldlake_core.contracts.errors import StoreError
from goldlake_core.contracts.sections import GoldTable, UseCase
from goldlake_core.stages import Emit
from goldlake_core.storage.deltalog import Commit, DeltaLog, Snapshot
from goldlake_core.storage.files import list_names
from goldlake_core.storage.home import Home
from lakehouse import changefeed, delta, rebuilt, specs
from lakehouse.clusters import Clusters
from lakehouse.gold.basis import (
    SILVER_VERSION,
    Basis,
    basis_of,
    basis_of_empty,
    basis_of_silver,
)
from lakehouse.gold.build import Build
from lakehouse.gold.changed import Changed
from lakehouse.gold.checks import SAMPLED_ROWS, Checks
from lakehouse.gold.nearby import last_changes, present

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


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
        basis = basis or basis_of_silver(spark, usecase, silver, epoch, run_id)
        reflected = basis or basis_of_empty(spec, usecase, silver, epoch, run_id)
        if reflected is None:  # nothing was ever in silver
            changed[table.name] = False
            continue
        own = replace(reflected, gold_contract=spec.properties[specs.CONTRACT_PROPERTY])
        groups.prepare(emit)
        build = Build(spark, usecase, table, spec, silver, groups)
        step = _Step(build, Changed(build, versions), own)
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
    whole = Build(spark, usecase, table, spec, made_from, groups).whole()
    wrong = rebuilt.differences(whole, delta.read(spark, spec.uri), spec, table.key)
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


@dataclass(frozen=True)
class _Step:
    """Brings one gold table to one silver version."""

    build: Build
    changed: Changed
    basis: Basis

    def rebuild(self, emit: Emit) -> bool:
        build = self.build
        if build.table.clusters:
            self._complete(build.unnumbered(), emit)
        rows = build.whole()
        calls = self._checks.require_lawful(rows)
        again = build.whole()
        if calls.has_python or not rows.sameSemantics(again):
            keys = rows.select(*build.key).limit(SAMPLED_ROWS).collect()
            if keys:
                one, other = (
                    each.where(rebuilt.box(keys, build.table.key)) for each in (again, rows)
                )
                # In one plan, Spark computes what looks alike once: nothing would differ.
                one = build.spark.createDataFrame(one.collect(), one.schema)
                self._checks.require_same(one, other, rebuilt.NEARER)
        self._checks.require_unique(rows)
        delta.overwrite(rows, build.spec, self._metadata)
        build.tell_missing(build.silver_rows(), emit)
        return True

    def increment(self, last: Commit, emit: Emit) -> bool:
        build = self.build
        first = basis_of(last).silver_version + 1
        if not changefeed.differs(build.silver.uri, first, build.silver.version):
            return False
        feed = self.changed.feed(basis_of(last)).persist()
        try:
            rows = self.changed.rows(feed).persist()
            if self._complete(rows, emit):
                rows.unpersist()
                rows = self.changed.rows(feed).persist()
            try:
                number = self._checks.require_unique(rows)
                self._checks.require_as_rebuilt(feed, rows, basis_of(last))
                metadata = self._metadata
                if number:
                    delta.merge(rows, build.spec.uri, build.table.key, metadata=metadata)
                else:  # the basis has moved on
                    delta.append(rows.drop(delta.DELETED), build.spec.uri, metadata=metadata)
                build.tell_missing(present(last_changes(feed), build.columns), emit)
            finally:
                rows.unpersist()
        finally:
            feed.unpersist()
        return True

    def _complete(self, rows: DataFrame, emit: Emit) -> bool:
        """Fits the clusters of intervals that have no fit; whether there was any."""
        basis = self.basis
        return self.build.groups.complete(
            rows, self.build.unnumbered, basis.through, basis.run_id, emit
        )

    @property
    def _metadata(self) -> dict[str, object]:
        return replace(self.basis, clusters=self.build.groups.pins).metadata

    @cached_property
    def _checks(self) -> Checks:
        return Checks(self.build)
