"""The recorded documents, typed, for tests of the command line."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import msgspec

from goldlake_core.documents import codec
from goldlake_core.documents.lakehouse import CursorState
from goldlake_core.documents.maintain import (
    MaintainedPart,
    MaintainReport,
    PinnedExport,
    ReadableVersions,
    RestoreReport,
)
from goldlake_core.documents.planning import ChangedKey, IngestPlan, Outlook, Reconciled
from goldlake_core.documents.reports import IngestReport, RebuildReport, RunReport, TrainReport

RECORDED = Path(__file__).parent / "recorded"
MODEL = "chicago_crime.arrest"
T = TypeVar("T")


def recorded(name: str, kind: type[T]) -> T:
    """One recorded document."""
    return codec.decode((RECORDED / f"{name}.json").read_bytes(), kind, name)


def ingest_report() -> IngestReport:
    """What `goldlake ingest` would have said of the recorded run."""
    run = recorded("run", RunReport)
    return IngestReport(
        run_id=run.run_id,
        home=run.home,
        logs=run.logs,
        usecase=run.usecase,
        land=run.land,
        refine=run.refine,
    )


def rebuild_report() -> RebuildReport:
    """What `goldlake rebuild` would have said of the recorded run."""
    run = recorded("run", RunReport)
    return RebuildReport(
        run_id=run.run_id, home=run.home, logs=run.logs, usecase=run.usecase, refine=run.refine
    )


def maintain_report() -> MaintainReport:
    """What `goldlake maintain` would say of a home."""
    part = MaintainedPart(
        part="chicago_crime.bronze.crimes",
        files_before=31,
        files_after=5,
        bytes_before=9_000_000,
        bytes_after=4_000_000,
        done=("12 small files become larger ones",),
    )
    return MaintainReport(
        run_id="20260401-093000-7f3a",
        home="/home/you/lake",
        usecase="chicago_crime",
        dry_run=False,
        keep_days=30.0,
        parts=(part,),
        readable=(
            ReadableVersions(
                table="chicago_crime.bronze.crimes",
                oldest=12,
                oldest_at="2026-03-01T00:00:00.000Z",
                newest=40,
            ),
        ),
        pinned=(
            PinnedExport(
                export_id="chicago_crime/arrest/3-0a1b2c3d4e5f",
                models=(f"{MODEL}@2",),
                labels=("stable",),
            ),
        ),
        orphans=("/home/you/lake/tables/chicago_crime/gold/old",),
    )


def restore_report(**changes: object) -> RestoreReport:
    """What `goldlake restore` would say of the recorded run.

    Args:
        **changes: Fields of the report that differ.
    """
    report = RestoreReport(
        run_id="20260401-093000-7f3a",
        home="/home/you/lake",
        usecase="chicago_crime",
        dry_run=False,
        to="20260301-093000-1c2d",
        pages=3,
        records=4_000,
        leaving_pages=2,
        leaving_records=700,
        coming_pages=1,
        coming_records=20,
        models=(f"{MODEL}@2",),
        refine=recorded("run", RunReport).refine,
    )
    return msgspec.structs.replace(report, **changes)


def planned() -> IngestPlan:
    """What `goldlake ingest --plan` says of a home whose contract was edited."""
    change = ChangedKey(key="silver.columns.a.type", before="1", after="2", consequence="rebuild")
    return IngestPlan(
        usecase="toy",
        outlook=Outlook(
            home="/lake",
            epoch=2,
            is_new=True,
            why="rows that are stored cannot follow",
            changes=(change,),
            is_refused=False,
        ),
        identity={"kind": "x", "dataset": "d"},
        address="http://x",
        since=None,
        until=None,
        begins=CursorState(value="2024-01-01", tiebreak="1"),
        told="landed pages are missing",
        parts=("a.csv",),
        records=None,
        pages=None,
        restored=1,
        unrefined=2,
        bytes=3,
        free=2,
    )


def reconciled() -> Reconciled:
    """What `goldlake reconcile` says of three deletions."""
    return Reconciled(
        run_id="run",
        home="/lake",
        usecase="toy",
        dry_run=False,
        identity={"kind": "x"},
        address="http://x",
        source_keys=1_000,
        silver_rows=1_002,
        deleted=3,
        keys=("C00001", "C00002"),
        never_landed=1,
        returned=2,
        unreadable=4,
        requests=2,
        bytes=99,
        refine=ingest_report().refine,
    )


def train_report(**changes: object) -> TrainReport:
    """What `goldlake train` would have said of the recorded run.

    Args:
        **changes: Fields of the result of the training that differ.
    """
    run = recorded("run", RunReport)
    model = run.models[MODEL]
    assert model.train is not None
    return TrainReport(
        run_id=run.run_id,
        logs=run.logs,
        model=MODEL,
        export=model.export,
        train=msgspec.structs.replace(model.train, **changes),
    )
