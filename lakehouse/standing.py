"""Whether the tables are what the landing zone and the contract make of them, without a JVM.

Read from the manifest and the logs of the tables. Whatever is in doubt is a no: then Spark looks.
"""

from __future__ import annotations

from goldlake_core.contracts.errors import StoreError
from goldlake_core.contracts.sections import UseCase
from goldlake_core.documents.lakehouse import Totals
from goldlake_core.storage.deltalog import DeltaLog
from goldlake_core.storage.home import Home
from lakehouse import audit, commits, epochs, silver, specs
from lakehouse.commits import BronzeCommit, Commit, SilverCommit, VersionsCommit
from lakehouse.gold import tables as gold


def unchanged(usecase: UseCase, home: Home, plan: epochs.Plan) -> Totals | None:
    """The account of tables that a refinement would leave as they are. Read-only.

    Args:
        usecase: The use case as its contract is now.
        home: Where everything is kept.
        plan: Which epoch the rows belong to.

    Returns:
        Records by fate over all time and the rows of silver, or None where there may be something
        to do.
    """
    if plan.is_new or not plan.is_current or plan.changes:
        return None
    try:
        is_done = _is_refined(usecase, home, plan.epoch) and _is_built(usecase, home, plan.epoch)
        return audit.counted(usecase, home, plan.epoch) if is_done else None
    except StoreError:  # something is damaged: what Spark does then says which, and mends it
        return None


def pending_rows(usecase: UseCase, home: Home, *, is_rebuild: bool) -> int | None:
    """Records that a refinement has to take in, of landed pages or of silver; None if unknown."""
    try:
        pages = specs.landing(usecase, home).manifest()
        landed = sum(page.rows for page in pages)
        epoch = epochs.current(home, usecase.name)
        source = specs.silver(usecase, home, epoch)
        if is_rebuild or not DeltaLog(source.uri).exists():
            return landed
        plan = epochs.plan(usecase, home, has_tables_of_before=True)
        if plan.is_new or not plan.is_current:
            return landed
        silver_now = DeltaLog(source.uri).snapshot()
        built = [gold.follows(usecase, home, each, silver_now) for each in usecase.gold.values()]
        if not all(built):
            return landed
        done = (
            commits.newest(specs.bronze(usecase, home).uri, BronzeCommit),
            commits.newest(specs.versions(usecase, home, epoch).uri, VersionsCommit),
        )
        through = min(commit.through for commit in done)
        return sum(page.rows for page in pages if page.sequence > through)
    except StoreError:
        return None


def _is_refined(usecase: UseCase, home: Home, epoch: int) -> bool:
    """Whether bronze, versions and silver hold the landed pages, and nothing else."""
    zone = specs.landing(usecase, home)
    pages, restores = zone.manifest(), zone.restores()
    tables = specs.all_tables(usecase, home, epoch)
    if not pages or not all(_is_as_declared(spec) for spec in tables):
        return False
    bronze = commits.newest(specs.bronze(usecase, home).uri, BronzeCommit)
    versions = commits.newest(specs.versions(usecase, home, epoch).uri, VersionsCommit)
    held = commits.newest(specs.silver(usecase, home, epoch).uri, SilverCommit)

    def is_agreed(commit: Commit) -> bool:
        return restores.agreed(commit.restore, commit.through) == commit.through

    is_derived = held.through == versions.through or not silver.has_changes(
        held.totals, versions.totals
    )
    return (
        bronze.through == versions.through == pages[-1].sequence
        and held.versions == DeltaLog(specs.versions(usecase, home, epoch).uri).snapshot().uuid
        and is_derived
        and all(is_agreed(commit) for commit in (bronze, versions, held))
    )


def _is_as_declared(spec: specs.TableSpec) -> bool:
    """Whether a table is there with the columns and comments that the contract declares."""
    log = DeltaLog(spec.uri)
    if not log.exists():
        return False
    schema = [(each.name, each.comment) for each in log.snapshot().schema]
    return schema == [(each.name, each.comment) for each in spec.fields]


def _is_built(usecase: UseCase, home: Home, epoch: int) -> bool:
    """Whether every gold table reflects silver as it is."""
    source = DeltaLog(specs.silver(usecase, home, epoch).uri).snapshot()
    return all(gold.reflects(usecase, home, table, source) for table in usecase.gold.values())
