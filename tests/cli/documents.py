"""The recorded documents, typed, for tests of the command line."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import msgspec

from goldlake_core.documents import codec
from goldlake_core.documents.lakehouse import CursorState
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
