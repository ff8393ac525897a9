"""The recorded documents, typed, for tests of the command line."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
from typing import TypeVar

import msgspec

from goldlake_core.documents import codec
from goldlake_core.documents.examples import Difference, ExampleResult, ExamplesReport
from goldlake_core.documents.history import HistoryView, RunRow
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
