"""The recorded documents, typed, for tests of the command line."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
from typing import TypeVar

import msgspec

from goldlake_core.documents import codec
from goldlake_core.documents.examples import Difference, ExampleResult, ExamplesReport
from goldlake_core.documents.history import HistoryView, RunRow
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


def history_view() -> HistoryView:
    """Two runs, one that went well and one that did not."""
    began = datetime(2026, 4, 1, 9, 30, tzinfo=timezone.utc)
    good = RunRow(
        run_id="20260401-093000-7f3a",
        usecase="toy",
        command="ingest",
        status="ok",
        began_at=began,
        ended_at=began,
        seconds=12.34,
        exit_code=0,
        steps={"land": 1.5},
        source={"kind": "files"},
        landed=1000,
        inserted=990,
        quarantined=10,
        reasons={"ward.range": 10},
        tables={"toy.silver.calls": 3},
        limits={"source": {"page_rows": 200}},
    )
    bad = RunRow(
        run_id="20260401-103000-1b2c",
        usecase="toy",
        command="ingest",
        status="failed",
        began_at=began.replace(hour=10),
        ended_at=began.replace(hour=10),
        seconds=0.5,
        exit_code=1,
        error="land: The source does not answer",
    )
    return HistoryView(total=3, runs=(bad, good))


def examples_report() -> ExamplesReport:
    """Two examples, one of which differs in every way."""
    place, file = "toy/examples/late.yaml:9", "toy/examples/late.yaml"
    differences = (
        Difference(place=place, table="silver", row="1", column="ward", expected="3", found="null"),
        Difference(place=place, table="gold.calls", row="2", expected="id: 2"),
        Difference(place=file, table="gold.calls", row="7", found="id: 7"),
        Difference(place=file, table="rejected", row="4", found="ward.range"),
    )
    late = ExampleResult(name="late", about="What is late.", is_ok=False, differences=differences)
    broken = ExampleResult(name="new", about="What is new.", is_ok=False, problem="No such column")
    good = ExampleResult(name="old", about="What is old.", is_ok=True)
    return ExamplesReport(usecase="toy", passed=1, failed=2, examples=(late, broken, good))


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
