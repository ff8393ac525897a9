"""The recorded documents, typed, for tests of the command line."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import msgspec

from goldlake_core.documents import codec
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
