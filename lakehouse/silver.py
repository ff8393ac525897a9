"""Bronze to versions, and versions to silver: one commit each per batch of pages.

A batch is decided once and stored whole in the table of versions. Silver derives from that table:
per key the version that is current. Either commit says through which page it stands, so a batch
that was interrupted between the two is taken up where it ended.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

from goldlake_core.contracts.errors import GateRefused
from goldlake_core.contracts.sections import Silver, UseCase
from goldlake_core.contracts.sql_rules import quoted
from goldlake_core.documents.lakehouse import Fates
from goldlake_core.stages import Emit
from goldlake_core.storage.deltalog import DeltaLog
from goldlake_core.storage.home import Home
from goldlake_core.storage.landing import PageEntry
from goldlake_core.storage.restores import Restores
from lakehouse import account, commits, delta, fates, specs
from lakehouse.account import NAMED
from lakehouse.commits import NO_RECORDS, BronzeCommit, SilverCommit, VersionsCommit
from lakehouse.parsing import parsed
from lakehouse.sources.plugins import source_kind
from lakehouse.specs import (
    FATE,
    FILE,
    IS_MARKED,
    KIND,
    KNOWN_FROM,
    LINE,
    REASONS,
    RECORD_HASH,
    SEQUENCE,
    SOURCE_UPDATED,
)

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

# About a million records of 700 characters each.
RECORDS_PER_COMMIT = 1_000_000
# A batch of up to this many records is kept between counting and writing; a larger one is joined
# twice.
KEPT_ROWS = 20_000
# So many rejected records never stop a run: one of three records says nothing about a share.
ALWAYS_ACCEPTED = 5
EXAMPLES, SHOWN = 3, 200


def refine(
    spark: SparkSession,
    usecase: UseCase,
    home: Home,
    epoch: int,
    run_id: str,
    emit: Emit,
    *,
    is_current: bool = True,
    accept_rejected: bool = False,
) -> list[VersionsCommit]:
    """Brings the tables of an epoch up to bronze. Writes; idempotent.

    Args:
        spark: The Spark session.
        usecase: The use case.
        home: Where everything is kept.
        epoch: Number of the epoch.
        run_id: The run that refines.
        emit: Takes the progress.
        is_current: Whether the epoch answers. Of one that does not yet, all records count for the
            share of rejected records, whichever run decided them.
        accept_rejected: Whether any share of rejected records is accepted.

    Returns:
        The commits of the table of versions that this call made.

    Raises:
        GateRefused: More records would be rejected than the contract accepts; nothing was written.
        StoreError: A record of a page is lost, doubled or changed in bronze; nothing of its batch
            was written.
    """
    step = _Step(spark, usecase, home, epoch, run_id)
    for spec in (step.versions, step.silver):
        if not delta.create(spark, spec):
            delta.set_comments(spark, spec)
    step.derive()
    done = commits.newest(step.versions.uri, VersionsCommit)
    bronze = commits.newest(specs.bronze(usecase, home).uri, BronzeCommit)
    pages = _pages(spark, usecase, home, done.through, bronze.through)
    made = []
    groups = list(_groups(pages))
    gate = None if accept_rejected else _Gate(step, NO_RECORDS if is_current else done.totals)
    if gate and len(groups) > 1:
        # All of the run is counted before any of it is written.
        gate.require_all(pages)
        gate = None
    for group in groups:
        done = step.commit(group, done, gate)
        step.derive()
        made.append(done)
        told = ", ".join(
            f"{n:,} {fate}" for fate in specs.FATES if (n := getattr(done.batch, fate))
        )
        emit("progress", f"silver: {told}", done=done.through, total=bronze.through)
    return made


def follow(spark: SparkSession, usecase: UseCase, home: Home, epoch: int, run_id: str) -> None:
    """Takes out of an epoch what a restore of the landing zone went back before; see `_Step`."""
    restores = specs.landing(usecase, home).restores()
    _Step(spark, usecase, home, epoch, run_id).follow(restores)


def _pages(
    spark: SparkSession, usecase: UseCase, home: Home, after: int, through: int
) -> list[PageEntry]:
    """The pages that bronze holds and the versions do not, in the order of landing."""
    from pyspark.sql import functions as F

    zone = specs.landing(usecase, home)
    pages = [page for page in zone.manifest(after) if page.sequence <= through]
    aside = [page for page in zone.aside() if after < page.sequence <= through]
    if aside:
        bronze = delta.read(spark, specs.bronze(usecase, home).uri)
        names = bronze.where(F.col("sequence") > after).select("file").distinct().collect()
        held = {row["file"] for row in names}
        pages += [page for page in aside if page.name in held]
    return sorted(pages, key=lambda page: page.sequence)


def _groups(pages: Sequence[PageEntry]) -> Iterator[list[PageEntry]]:
    group: list[PageEntry] = []
    for page in pages:
        if group and sum(p.rows for p in group) + page.rows > RECORDS_PER_COMMIT:
            yield group
            group = []
        group.append(page)
    if group:
        yield group


@dataclass(frozen=True)
class _Gate:
    """Stops a run that would reject too many records.

    Attributes:
        step: The step that decides.
        before: The records that count besides those of the run.
    """

    step: _Step
    before: Fates

    def require_all(self, pages: list[PageEntry]) -> None:
        """Parses the records of all pages and checks them; raises GateRefused."""
        from pyspark.sql import functions as F

        rejected = self.step.parsed(pages).where(F.size(REASONS) > 0)
        rejected = rejected.withColumn(FATE, F.lit("quarantined"))
        self.require(rejected, sum(page.rows for page in pages), rejected.count())

    def require(self, rejected: DataFrame, landed: int, number: int) -> None:
        """Checks the share of rejected records.

        Args:
            rejected: The rejected records of the run.
            landed: Number of records of the run.
            number: Number of the rejected ones.

        Raises:
            GateRefused: It is above the contract's limit.
        """
        landed, number = landed + self.before.landed, number + self.before.quarantined
        limit = self.step.contract.most_rejected
        if number <= max(ALWAYS_ACCEPTED, limit * landed):
            return
        reasons = account.reasons(rejected)
        listed = ", ".join(f"{code} {count:,}" for code, count in list(reasons.items())[:NAMED])
        raise GateRefused(
            f"{number:,} of {landed:,} records ({number / landed:.1%}) would be rejected "
            f"({listed}), such as {'; '.join(self._examples(rejected))}; nothing was refined",
            valid=f"silver.most_rejected of {self.step.usecase.name}: at most {limit:.1%}",
            hint="correct the contract or the source, or raise silver.most_rejected, or the same "
            "command with --accept-rejected",
        )

    def _examples(self, rejected: DataFrame) -> list[str]:
        from pyspark.sql import functions as F

        some = (
            rejected.select(FILE, LINE, SEQUENCE, REASONS).orderBy(SEQUENCE, LINE).limit(EXAMPLES)
        )
        bronze = delta.read(self.step.spark, self.step.bronze.uri)
        found = some.join(
            bronze.select("file", "line", F.substring("value", 1, SHOWN).alias("value")),
            (F.col(FILE) == F.col("file")) & (F.col(LINE) == F.col("line")),
        )
        rows = found.orderBy(SEQUENCE, LINE).collect()
        return [f"{r[FILE]}:{r[LINE]} ({', '.join(r[REASONS])}) {r['value']}" for r in rows]


class _Step:
    """The two writes of a batch, for one epoch."""

    def __init__(
        self, spark: SparkSession, usecase: UseCase, home: Home, epoch: int, run_id: str
    ) -> None:
        self.spark = spark
        self.usecase = usecase
        self.contract: Silver = usecase.silver
        self.bronze = specs.bronze(usecase, home)
        self.versions = specs.versions(usecase, home, epoch)
        self.silver = specs.silver(usecase, home, epoch)
        self.run_id = run_id
        self.restore = specs.landing(usecase, home).restores().newest.run_id

    def commit(
        self, pages: list[PageEntry], before: VersionsCommit, gate: _Gate | None
    ) -> VersionsCommit:
        """Decides the records of some pages and appends them to the table of versions."""
        from pyspark.sql import functions as F

        rows = self.parsed(pages).persist()
        decision = self._decision(rows, has_deletions=before.totals.deleted > 0).persist()
        batch = self._decided(rows, decision)
        if sum(page.rows for page in pages) <= KEPT_ROWS:
            batch = batch.persist()
        try:
            counted = account.of_batch(batch)
            account.require_whole(self.usecase.name, pages, counted.pages)
            if gate:
                rejected = batch.where(F.col(FATE) == "quarantined")
                gate.require(rejected, counted.fates.landed, counted.fates.quarantined)
            made = VersionsCommit(
                through=pages[-1].sequence,
                run_id=self.run_id,
                restore=self.restore,
                bronze=DeltaLog(self.bronze.uri).snapshot().uuid,
                totals=commits.added(before.totals, counted.fates),
                batch=counted.fates,
                reasons=dict(counted.reasons),
            )
            app = commits.application(DeltaLog(self.versions.uri).snapshot(), "versions")
            txn = delta.Txn(app, made.through)
            delta.append(batch, self.versions.uri, txn=txn, metadata=commits.metadata(made))
        finally:
            for each in (batch, decision, rows):
                each.unpersist()
        return made

    def parsed(self, pages: list[PageEntry]) -> DataFrame:
        """The records of some pages, typed, with reasons and without fates."""
        from pyspark.sql import functions as F

        place = ("sequence", pages[0].sequence, pages[-1].sequence)
        bronze = delta.read(self.spark, self.bronze.uri, within=place)
        updated = source_kind(self.usecase.source.kind).updated_field
        return (
            parsed(bronze, self.contract, updated)
            .withColumnsRenamed(
                {"sequence": SEQUENCE, "line": LINE, "file": FILE, "landed_at": KNOWN_FROM}
            )
            .withColumn(RECORD_HASH, F.xxhash64(LINE, "value"))
            .drop("value")
        )

    def _decision(self, rows: DataFrame, *, has_deletions: bool) -> DataFrame:
        """A fate per record; see `fates.decided`."""
        from pyspark.sql import functions as F

        deletions = None
        if has_deletions:
            deletions = delta.read(self.spark, self.versions.uri).where(F.col(KIND) == "deleted")
        known = delta.read(self.spark, self.silver.uri)
        return fates.decided(rows, known, deletions, self.contract)

    def _decided(self, rows: DataFrame, decision: DataFrame) -> DataFrame:
        """The records with their fates, as rows of the table of versions."""
        from pyspark.sql import functions as F

        kind = F.when(F.col(FATE) == "quarantined", "quarantined").when(
            F.col(FATE) == "deleted", "deleted"
        )
        version = self.contract.version
        names = {fates.DECIDED_UPDATED: SOURCE_UPDATED}
        if version:
            names[fates.DECIDED_VERSION] = version
        else:
            decision = decision.drop(fates.DECIDED_VERSION)
        return (
            rows.drop(*names.values())
            .join(decision, [SEQUENCE, LINE])
            .withColumnsRenamed(names)
            .withColumn(KIND, F.coalesce(kind, F.lit("valid")))
        )

    def derive(self) -> None:
        """Brings silver up to the table of versions. Writes; idempotent.

        Where that table was lost, or was restored from an older copy than silver, silver is made
        again from it, in one commit.

        Raises:
            StoreError: Silver has more or fewer rows than its versions make.
        """
        from pyspark.sql import functions as F

        wanted = commits.newest(self.versions.uri, VersionsCommit)
        done = commits.newest(self.silver.uri, SilverCommit)
        versions_uuid = DeltaLog(self.versions.uri).snapshot().uuid
        is_foreign = done.versions not in ("", versions_uuid) or done.through > wanted.through
        if is_foreign:
            done = SilverCommit()
        elif done.through >= wanted.through or not has_changes(done.totals, wanted.totals):
            return
        versions = delta.read(self.spark, self.versions.uri)
        place = (SEQUENCE, done.through + 1, wanted.through)
        changes = delta.read(self.spark, self.versions.uri, within=place)
        rows, is_append = self._upserts(
            changes, versions, done.totals, wanted.totals, is_whole=is_foreign
        )
        made = SilverCommit(
            through=wanted.through,
            run_id=self.run_id,
            restore=self.restore,
            versions=versions_uuid,
            totals=wanted.totals,
            after=None if is_foreign else done.through,
        )
        txn = delta.Txn(
            commits.application(DeltaLog(self.silver.uri).snapshot(), "silver"), made.through
        )
        metadata = commits.metadata(made)
        if is_foreign:
            kept = rows.where(~F.col(delta.DELETED)).drop(delta.DELETED)
            delta.overwrite(kept, self.silver, metadata)
        elif is_append:
            delta.append(rows.drop(delta.DELETED), self.silver.uri, txn=txn, metadata=metadata)
        else:
            rows = rows.persist()
            delta.merge(rows, self.silver.uri, self.contract.key, txn=txn, metadata=metadata)
            rows.unpersist()
        account.require_silver(self.silver, wanted.totals)

    def follow(self, restores: Restores) -> None:
        """Takes out of the epoch what a restore went back before. Writes; idempotent.

        Silver is first: the table of versions says which keys of it change.
        """
        if not DeltaLog(self.versions.uri).exists():
            return
        held = commits.newest(self.versions.uri, VersionsCommit)
        silver = commits.newest(self.silver.uri, SilverCommit)
        through = restores.agreed(silver.restore, silver.through)
        if through < silver.through:
            self._silver_back(through)
        through = restores.agreed(held.restore, held.through)
        if through < held.through:
            delta.delete(
                self.spark,
                self.versions.uri,
                f"{SEQUENCE} > {through}",
                commits.metadata(
                    VersionsCommit(
                        through=through,
                        run_id=self.run_id,
                        restore=self.restore,
                        bronze=held.bronze,
                        totals=self._fates(through),
                    )
                ),
            )

    def _fates(self, through: int) -> Fates:
        """Records of the epoch by fate, through a page."""
        from pyspark.sql import functions as F

        rows = delta.read(self.spark, self.versions.uri).where(F.col(SEQUENCE) <= through)
        return account.of_batch(rows).fates

    def _silver_back(self, through: int) -> None:
        """Gives each key that has later records the row that it had through a page, or none."""
        from pyspark.sql import functions as F

        key = list(self.contract.key)
        versions = delta.read(self.spark, self.versions.uri)
        touched = versions.where(F.col(SEQUENCE) > through).select(*map(quoted, key)).distinct()
        kept = versions.where(F.col(SEQUENCE) <= through)
        winners = fates.current(kept.join(touched, key, "left_semi"), self.contract).withColumn(
            delta.DELETED, F.col(FATE) == "deleted"
        )
        wanted = list(map(quoted, [*self.silver.names, delta.DELETED]))
        rejected = kept.where(F.col(KIND) == "quarantined")
        rows = self._marked(winners, rejected).select(*wanted)
        gone = (
            delta.read(self.spark, self.silver.uri)
            .join(touched, key, "left_semi")
            .join(winners.select(*map(quoted, key)), key, "left_anti")
            .withColumn(delta.DELETED, F.lit(True))
        )
        rows = rows.unionByName(gone.select(*wanted)).persist()
        metadata = commits.metadata(
            SilverCommit(
                through=through,
                run_id=self.run_id,
                restore=self.restore,
                versions=DeltaLog(self.versions.uri).snapshot().uuid,
                totals=self._fates(through),
            )
        )
        try:
            delta.merge(rows, self.silver.uri, self.contract.key, metadata=metadata)
        finally:
            rows.unpersist()

    def _upserts(
        self,
        changes: DataFrame,
        versions: DataFrame,
        before: Fates,
        after: Fates,
        *,
        is_whole: bool,
    ) -> tuple[DataFrame, bool]:
        """Rows to write to silver, and whether all of them have new keys.

        Where the changes are the whole table of versions, no row of silver stays.
        """
        from pyspark.sql import functions as F

        key = [quoted(name) for name in self.contract.key]
        winners = fates.current(changes, self.contract).withColumn(
            delta.DELETED, F.col(FATE) == "deleted"
        )
        wanted = [*self.silver.names, delta.DELETED]
        if not after.quarantined:
            rows = winners.withColumn(IS_MARKED, F.lit(False)).select(*map(quoted, wanted))
            return rows, not _has_old_keys(before, after)
        rejected = versions.where(F.col(KIND) == "quarantined")
        rows = self._marked(winners, rejected).select(*map(quoted, wanted))
        if is_whole or after.quarantined == before.quarantined:
            return rows, not _has_old_keys(before, after)
        touched = changes.where(F.col(KIND) == "quarantined").select(*key).distinct()
        current = delta.read(self.spark, self.silver.uri)
        others = (
            current.where(~F.col(IS_MARKED))
            .join(touched, list(self.contract.key), "left_semi")
            .join(winners.select(*key), list(self.contract.key), "left_anti")
            .withColumn(delta.DELETED, F.lit(False))
        )
        newly = self._marked(others, rejected).where(IS_MARKED).select(*map(quoted, wanted))
        return rows.unionByName(newly), False

    def _marked(self, rows: DataFrame, rejected: DataFrame) -> DataFrame:
        """Rows with whether a version in quarantine is newer than they are.

        A rejected record whose version does not parse counts as newer when it was landed later.
        """
        from pyspark.sql import functions as F

        key, version = list(self.contract.key), self.contract.version

        def place(name: str) -> Column:
            return F.struct(f"{name}.{SEQUENCE}", f"{name}.{LINE}")

        def version_of(name: str) -> Column:
            return F.col(f"{name}.{quoted(version)}") if version else F.lit(None)

        def order(name: str) -> Column:
            return F.struct(version_of(name), f"{name}.{SOURCE_UPDATED}", place(name))

        columns = [*map(quoted, key), SEQUENCE, LINE, SOURCE_UPDATED]
        if version and version not in key:
            columns.append(quoted(version))
        mine, theirs = rows.select(*columns).alias("m"), rejected.select(*columns).alias("q")
        same = [F.col(f"m.{quoted(name)}") == F.col(f"q.{quoted(name)}") for name in key]
        is_newer = F.when(version_of("q").isNull(), place("q") > place("m")).otherwise(
            order("q") > order("m")
        )
        marked = (
            mine.join(theirs, reduce(lambda a, b: a & b, same))
            .where(is_newer)
            .select(*(F.col(f"m.{quoted(name)}") for name in key))
            .distinct()
            .withColumn("_mark", F.lit(True))
        )
        return (
            rows.drop(IS_MARKED)
            .join(marked, key, "left")
            .withColumn(IS_MARKED, F.coalesce("_mark", F.lit(False)))
            .drop("_mark")
        )


def has_changes(before: Fates, after: Fates) -> bool:
    """Whether records came that may change silver."""
    names = (*fates.WINNERS, "quarantined")
    return any(getattr(before, name) != getattr(after, name) for name in names)


def _has_old_keys(before: Fates, after: Fates) -> bool:
    """Whether a record came that replaces or removes another."""
    return before.amended != after.amended or before.deleted != after.deleted
