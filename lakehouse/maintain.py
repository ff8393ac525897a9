"""What Spark does in maintenance: small files become larger ones, files of old versions go.

What a commit was made from is carried on to later commits, so that it can still be read when the
log before them is gone. A gold table follows the versions of silver that changed no row.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

from goldlake_core.contracts.registry import load_usecase
from goldlake_core.contracts.sections import UseCase
from goldlake_core.documents.maintain import Maintained
from goldlake_core.documents.stages import MaintainRequest
from goldlake_core.stages import Emit
from goldlake_core.storage.deltalog import Commit, CommitMetadata, DeltaLog, Snapshot
from goldlake_core.storage.home import Home
from goldlake_core.storage.locks import StoreLock
from lakehouse import commits, delta, epochs, session, specs, transaction
from lakehouse.gold.basis import ROWS_OF, SILVER_VERSION

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

SMALL_BYTES = 64 << 20
TARGET_BYTES = 2 * SMALL_BYTES
"""Any two small files fit into one, so that at most one is left."""

_OF_A_BATCH = ("batch", "reasons", commits.AFTER)


def maintain_stage(request: MaintainRequest, emit: Emit) -> Maintained:
    """Compacts the tables of a use case and removes files of old versions; idempotent."""
    usecase, home = load_usecase(request.usecase), Home.at(request.home)
    with StoreLock(home, usecase.name):
        emit("progress", "starting Spark")
        return maintain(session.spark_session(), usecase, home, request.keep_hours, emit)


def maintain(
    spark: SparkSession, usecase: UseCase, home: Home, keep_hours: float, emit: Emit
) -> Maintained:
    """As `maintain_stage`; the caller holds the store's lock.

    Args:
        spark: The Spark session.
        usecase: The use case.
        home: Where everything is kept.
        keep_hours: Hours for which the files of earlier versions are kept.
        emit: Called with progress events.

    Returns:
        What was compacted, and why the old versions of a table were kept.
    """
    tables = existing(usecase, home)
    compacted = {}
    for done, spec in enumerate(tables, start=1):
        emit("progress", f"compacting {spec.id}", done=done, total=2 * len(tables))
        compacted[spec.id] = _compact(spark, usecase, home, spec)
        if metadata := lagging(usecase, home, spec):
            rows = delta.read(spark, spec.uri).limit(0)
            delta.append(rows, spec.uri, metadata=metadata)
    kept = {}
    for done, spec in enumerate(tables, start=len(tables) + 1):
        why = needed(usecase, home, spec)
        if why:
            kept[spec.id] = why
            emit("info", f"{spec.id}: {why}")
            continue
        emit("progress", f"removing old files of {spec.id}", done=done, total=2 * len(tables))
        _vacuum(spark, spec.uri, keep_hours)
    return Maintained(compacted=compacted, kept=kept)


def existing(usecase: UseCase, home: Home) -> list[specs.TableSpec]:
    """The tables of a use case that answer, where they are there."""
    epoch = epochs.current(home, usecase.name)
    tables = specs.all_tables(usecase, home, epoch)
    return [spec for spec in tables if DeltaLog(spec.uri).exists()]


def small_files(snapshot: Snapshot) -> int:
    """How many files of a version would be written into larger ones."""
    parts = Counter(f.partition for f in snapshot.files if f.size < SMALL_BYTES)
    return sum(count for count in parts.values() if count > 1)


def ours(usecase: UseCase, spec: specs.TableSpec) -> Commit | None:
    """The newest commit of a table that says what it was made from."""
    key = SILVER_VERSION if _is_gold(usecase, spec) else commits.THROUGH
    return DeltaLog(spec.uri).last_commit_with(key)


def lagging(usecase: UseCase, home: Home, spec: specs.TableSpec) -> CommitMetadata | None:
    """What a gold table has to say that holds all rows of silver and names an old version."""
    commit = ours(usecase, spec)
    if commit is None or not _is_gold(usecase, spec):
        return None
    metadata = _carried(usecase, home, spec)
    return metadata if metadata[SILVER_VERSION] != commit.metadata[SILVER_VERSION] else None


def needed(usecase: UseCase, home: Home, spec: specs.TableSpec) -> str:
    """Why old versions of a table cannot go: gold follows silver's history. Else ""."""
    if spec.uri != _silver(usecase, home).uri:
        return ""
    behind = [
        gold.id
        for gold in existing(usecase, home)
        if _is_gold(usecase, gold) and _is_behind(usecase, home, gold)
    ]
    hint = f"goldlake ingest or goldlake rebuild {usecase.name}"
    return f"{', '.join(behind)} has yet to follow it; next: {hint}" if behind else ""


def first_needed(usecase: UseCase, home: Home, spec: specs.TableSpec) -> int:
    """The first version whose log entry has to stay; 0 where all have to."""
    commit = ours(usecase, spec)
    if commit is None or needed(usecase, home, spec):
        return 0
    found = [commit.version]
    if spec.uri == _silver(usecase, home).uri:
        golds = [ours(usecase, gold) for gold in existing(usecase, home) if _is_gold(usecase, gold)]
        found += [_silver_version(gold) + 1 for gold in golds if gold is not None]
    return min(found)


def _compact(spark: SparkSession, usecase: UseCase, home: Home, spec: specs.TableSpec) -> int:
    from delta.tables import DeltaTable

    log = DeltaLog(spec.uri)
    before = log.snapshot()
    if not small_files(before):
        return 0
    sizes = {"minFileSize": SMALL_BYTES, "maxFileSize": TARGET_BYTES}
    confs = {f"spark.databricks.delta.optimize.{k}": str(v) for k, v in sizes.items()}
    with contextlib.ExitStack() as stack:
        stack.enter_context(transaction.session_confs(spark, confs))
        if ours(usecase, spec) is not None:
            stack.enter_context(delta.with_metadata(spark, _carried(usecase, home, spec)))
        DeltaTable.forPath(spark, spec.uri).optimize().executeCompaction()
    later = [version for version in log.versions() if version > before.version]
    return sum(1 for v in later for action in log.actions(v) if action.remove)


def _vacuum(spark: SparkSession, uri: str, keep_hours: float) -> None:
    from delta.tables import DeltaTable

    confs = {
        # The command has refused a time that is too short, unless a flag allowed it.
        "spark.databricks.delta.retentionDurationCheck.enabled": "false",
        "spark.databricks.delta.vacuum.logging.enabled": "false",
    }
    with transaction.session_confs(spark, confs):
        DeltaTable.forPath(spark, uri).vacuum(keep_hours)


def _carried(usecase: UseCase, home: Home, spec: specs.TableSpec) -> dict[str, object]:
    """What the newest commit of ours says, for a later one that changes no row."""
    commit = ours(usecase, spec)
    assert commit is not None
    metadata = {k: v for k, v in commit.metadata.items() if k not in _OF_A_BATCH}
    if _is_gold(usecase, spec):
        metadata[ROWS_OF] = commit.metadata.get(ROWS_OF, commit.version)
        if not _is_behind(usecase, home, spec):
            newest = DeltaLog(_silver(usecase, home).uri).latest()
            metadata[SILVER_VERSION] = _silver_version(commit) if newest is None else newest
    return metadata


def _is_behind(usecase: UseCase, home: Home, gold: specs.TableSpec) -> bool:
    """Whether silver's rows changed since the version that a gold table reflects."""
    commit, log = ours(usecase, gold), DeltaLog(_silver(usecase, home).uri)
    if commit is None or not log.exists():
        return False
    if commit.metadata.get("silver_uuid") != log.snapshot().uuid:
        return True
    later = [v for v in log.versions() if v > _silver_version(commit)]
    return any(_changes_rows(log, version) for version in later)


def _changes_rows(log: DeltaLog, version: int) -> bool:
    if log.commit(version).operation == "OPTIMIZE":
        return False
    return any(action.add or action.remove for action in log.actions(version))


def _silver_version(commit: Commit) -> int:
    metadata: Mapping[str, object] = commit.metadata
    return int(str(metadata[SILVER_VERSION]))


def _silver(usecase: UseCase, home: Home) -> specs.TableSpec:
    return specs.silver(usecase, home, epochs.current(home, usecase.name))


def _is_gold(usecase: UseCase, spec: specs.TableSpec) -> bool:
    return spec.id.startswith(f"{usecase.name}.gold.")
