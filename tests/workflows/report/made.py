"""A home without tables, with a model version and a look at its answers, for the report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timezone
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np

from goldlake.workflows import model_views
from goldlake.workflows.data_views import Area, AreasView, DataView
from goldlake.workflows.model_views import Statistics, Training
from goldlake.workflows.report.gathered import GatheredModel
from goldlake_core.documents import codec
from goldlake_core.documents.examining import (
    BinaryAnswers,
    CalibrationBin,
    Dependence,
    Examined,
    Importance,
    Interval,
    Mistake,
    OperatingPoint,
    SliceErrors,
)
from goldlake_core.documents.gate import GateValue, PeriodVerdict
from goldlake_core.documents.history import RunRow
from goldlake_core.documents.lakehouse import QuarantineView, Rejected, TableEntry
from goldlake_core.documents.monitoring import (
    LabelAccount,
    LogAccount,
    MonitorReport,
    Unjudged,
)
from goldlake_core.documents.reports import UseCaseTables
from goldlake_core.documents.stages import Failed, StageError, TrainRequest
from goldlake_core.documents.training import (
    Anomaly,
    Bound,
    Distance,
    PushedVersion,
    SliceReport,
    Trained,
)
from goldlake_core.documents.tuning import Trial, Tuned, TuneRequest
from goldlake_core.storage.home import Home
from tfx_pipeline.examining.registry import look_at
from tfx_pipeline.statistics import Bucket, ColumnStatistics

MODEL = "chicago_crime.arrest"
EXPORT = "chicago_crime/arrest/1-aaaa"
EVIL = "<script>alert('x')</script>&\"{braces}"
"""A text that a source may send; it has to be shown as it is."""

POINT = OperatingPoint(
    threshold=0.5, true_positives=6, false_positives=2, false_negatives=4, true_negatives=8
)


def interval(value: float) -> Interval:
    return Interval(value=value, low=value / 2, high=(1 + value) / 2)


def examined(export_id: str = EXPORT) -> Examined:
    return Examined(
        export_id=export_id,
        rows=20,
        examined=20,
        answers=binary_answers(),
        importance_by="auc",
        importance=(Importance(column="hour", drop=0.1, spread=0.01),),
        followed=("probability",),
        dependence=(
            Dependence(column="hour", is_number=True, points=(("0", (0.1,)), ("23", (0.4,)))),
        ),
        mistakes=(
            Mistake(
                answered=True, label=False, probability=0.99, row={"id": "1", "description": EVIL}
            ),
        ),
    )


def binary_answers() -> BinaryAnswers:
    return BinaryAnswers(
        positives=10,
        auc=0.75,
        average_precision=0.7,
        brier=0.2,
        chosen=POINT,
        is_chosen=False,
        roc=((0.0, 0.0), (0.2, 0.6), (1.0, 1.0)),
        precision_recall=((0.6, 0.75), (1.0, 0.5)),
        calibration=(CalibrationBin(rows=20, predicted=0.4, observed=interval(0.5)),),
        table=(POINT,),
        slices=(
            SliceErrors(
                column="primary_type",
                value=EVIL,
                rows=20,
                positives=10,
                found=6,
                wrong=Interval(value=0.9, low=0.8, high=1.0),
            ),
        ),
    )


def number_examined(
    kind: Literal["regression", "count"], *, has_exposure: bool = False
) -> Examined:
    """A look at 600 numbers; an exposure is the column ``population``."""
    random = np.random.default_rng(2)
    exposures = random.lognormal(3, 1.5, 600) if has_exposure else np.ones(600)
    rates = random.gamma(2, 3, 600)
    labels = random.poisson(rates * exposures).astype("float64")
    look = look_at(kind)
    outputs = {"value": rates * exposures * 1.2}
    outputs |= {"rate": rates * 1.2} if has_exposure else {}
    kept = look.kept(outputs, labels)
    answered = kept["value"]
    return Examined(
        export_id=EXPORT,
        rows=600,
        examined=600,
        answers=look.answers(labels, kept, {}),
        importance_by=look.importance_by,
        importance=(Importance(column="hour", drop=3.5, spread=0.01),),
        followed=look.followed(kept),
        dependence=(
            Dependence(column="hour", is_number=True, points=(("0", (1.0,)), ("23", (4.0,)))),
            Dependence(column="place", is_number=False, points=((EVIL, (3.0,)), ("b", (2.0,)))),
        ),
        mistakes=(
            Mistake(
                answered=float(answered[0]),
                label=float(labels[0]),
                probability=None,
                row={"id": "1", "description": EVIL},
            ),
        ),
    )


def class_examined(names: Sequence[str] = ("theft", "arson", EVIL)) -> Examined:
    """A look at 600 classes."""
    random = np.random.default_rng(2)
    scores = random.dirichlet(np.linspace(3, 0.5, len(names)), 600).astype("float32")
    labels = np.array([random.choice(names, p=row / row.sum()) for row in scores], object)
    classes = np.tile(np.array([name.encode() for name in names], object), (600, 1))
    look = look_at("multiclass")
    kept = look.kept({"classes": classes, "scores": scores}, labels)
    means = look.means(kept)
    return Examined(
        export_id=EXPORT,
        rows=900,
        examined=600,
        answers=look.answers(labels, kept, {}),
        importance_by=look.importance_by,
        importance=(Importance(column="hour", drop=0.1, spread=0.01),),
        followed=look.followed(kept),
        dependence=(
            Dependence(column="hour", is_number=True, points=(("0", means), ("23", means))),
            Dependence(column="place", is_number=False, points=((EVIL, means), ("b", means))),
        ),
        mistakes=tuple(
            Mistake(
                answered=each.answered,
                label=each.label,
                probability=each.probability,
                row={"id": str(each.row), "description": EVIL},
            )
            for each in look.errors(labels, kept, 3)
        ),
    )


def trained(version: int | None, *, is_blessed: bool = True) -> Trained:
    value = 0.86 if is_blessed else 0.7
    return Trained(
        run_id="20260101-000000-aaaa",
        blessed=is_blessed,
        serving_problem=None,
        pushed=version is not None,
        model_version=version,
        model_uri=None,
        verdict="passed",
        anomalies=(
            Anomaly(column="hour", split="test", kind="x", severity="warning", description=EVIL),
        ),
        distances=(
            Distance(column="hour", compare="drift", measure="l_infty", value=0.1, limit=0.2),
        ),
        metrics={"auc": value, "recall": 0.6, "example_count": 20.0},
        thresholds=(
            Bound(metric="auc", kind="minimum", value=value, bound=0.75, ok=is_blessed),
            Bound(metric="example_count", kind="minimum", value=20, bound=20, ok=True),
            Bound(metric="example_count", kind="maximum", value=20, bound=20, ok=True),
        ),
        baseline_version=None,
        cached=(),
        nodes=(),
        tensorboard="/old/pipelines/chicago_crime.arrest/Trainer/model_run/9",
    )


def pushed(version: int) -> PushedVersion:
    return PushedVersion(
        usecase="chicago_crime",
        model="arrest",
        version=version,
        export_id=EXPORT,
        table="chicago_crime.gold.arrest_features",
        table_version=1,
        metrics={"auc": 0.86},
        model_sha256="ab" * 32,
        pushed_at="2026-01-01T00:00:00Z",
    )


def refused() -> Failed:
    """The result of a training whose data the gate refused."""
    found = Anomaly(column="hour", split="test", kind="x", severity="error", description=EVIL)
    return Failed(
        error=StageError(
            type="DataRefused",
            message=f"The gate refused the data: {EVIL}",
            exit_code=3,
            anomalies=(found,),
            verdict="refused",
        )
    )


def put_run(home: Home, number: int, result: Trained | Failed) -> None:
    """A training run on record; a larger number is newer."""
    folder = Path(home.run(f"20260101-00000{number}-aaaa"))
    folder.mkdir(parents=True)
    request = TrainRequest(
        usecase="chicago_crime",
        home=home.root,
        run_id=folder.name,
        contract={},
        model="arrest",
        export_id=EXPORT,
    )
    (folder / "train.request.json").write_bytes(codec.encode(request))
    (folder / "train.result.json").write_bytes(codec.encode(result))


def tuned(best: int = 2) -> Tuned:
    """A search of three trials; the last has no result."""
    results = (0.8, 0.82, None)
    return Tuned(
        metric="val_auc",
        is_better_high=True,
        trials=tuple(
            Trial(
                number=number,
                parameters={"hidden_units": [64, 32], "learning_rate": 0.001 * number},
                result=result,
                epochs=3,
                is_stopped=result is None,
                seconds=4.2,
            )
            for number, result in enumerate(results, 1)
        ),
        best=best,
        logs="/old/pipelines/chicago_crime.arrest/tune/aaaa",
    )


def put_search(home: Home, number: int, export_id: str = EXPORT) -> None:
    """A search for parameters on record; a larger number is newer."""
    folder = Path(home.run(f"20260102-00000{number}-aaaa"))
    folder.mkdir(parents=True)
    request = TuneRequest(
        usecase="chicago_crime",
        home=home.root,
        run_id=folder.name,
        contract={},
        model="arrest",
        export_id=export_id,
        trials=3,
    )
    (folder / "tune.request.json").write_bytes(codec.encode(request))
    (folder / "tune.result.json").write_bytes(codec.encode(tuned()))


def put_version(home: Home, version: int) -> None:
    """A pushed version with its training run, and a look at its answers that is kept."""
    folder = Path(home.model("chicago_crime", "arrest", str(version)))
    folder.mkdir(parents=True)
    (folder / "saved_model.pb").touch()
    (folder / "goldlake.json").write_bytes(codec.encode(pushed(version)))
    put_run(home, version, trained(version))
    kept = Path(home.path("examined", MODEL, f"{version}.json"))
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_bytes(codec.encode(examined()))


def refused_run() -> RunRow:
    return RunRow(
        run_id="s",
        usecase="chicago_crime",
        command="train",
        status="refused",
        began_at=datetime(2026, 1, 2, tzinfo=timezone.utc),
        error=f"the gate says {EVIL}",
    )


def data_view() -> DataView:
    return DataView(
        newest=refused_run(),
        tables=UseCaseTables(
            landed=100,
            inserted=80,
            amended=5,
            unchanged=0,
            stale=0,
            quarantined=15,
            deleted=0,
            silver=80,
            tables=(
                TableEntry(
                    id="chicago_crime.silver.crimes",
                    uri="/x",
                    rows=80,
                    version=1,
                    bytes=1,
                    committed_at="2026-01-01T00:00:00Z",
                    as_of=None,
                ),
            ),
        ),
        runs=(
            RunRow(
                run_id="r",
                usecase="chicago_crime",
                command="ingest",
                status="ok",
                began_at=datetime(2026, 1, 1, tzinfo=timezone.utc),
                landed=100,
                source={"kind": EVIL},
            ),
        ),
        newest_event="2026-01-01T00:00+00:00",
        days=((date(2025, 1, 1), 3), (date(2025, 1, 3), 4)),
        quarantine=QuarantineView(
            usecase="chicago_crime",
            total=15,
            reasons={"id.missing": 15},
            records=(
                Rejected(record="p:1", key=None, reasons=("id.missing",), landed_at="", value=EVIL),
            ),
        ),
    )


def areas_view() -> AreasView:
    square = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 0.0))
    places = [("1", EVIL, 50, 10), ("2", "Empty", 0, 0)]
    found = tuple(
        Area(value=value, name=name, rows=rows, positives=positives, rings=(square,))
        for value, name, rows, positives in places
    )
    # An address has no place to break at, and is wider than a phone.
    source = f"{EVIL} https://example.org/{'terms_of_use/' * 8}"
    return AreasView(
        column="community_area", label="arrest", areas=found, elsewhere=3, source=source
    )


def statistics() -> Statistics:
    texts = ColumnStatistics(
        name="description", rows=20, missing=1, values=((EVIL, 12.0),), distinct=3
    )
    numbers = ColumnStatistics(
        name="hour", rows=20, missing=0, buckets=(Bucket(low=0, high=23, count=20),), mean=3
    )
    columns = {"description": texts, "hour": numbers}
    return Statistics(splits={"train": columns, "test": columns})


def live(*alarms: str) -> MonitorReport:
    """A month of answers, too many of them wrong."""

    def report(rows: int, auc: float, **key: str) -> SliceReport:
        ends = {"auc": (auc - 0.05, auc + 0.05)}
        metrics = {"auc": auc, "example_count": float(rows)}
        return SliceReport(
            slice=key, rows=rows, positives=9, is_judged=True, metrics=metrics, intervals=ends
        )

    value = GateValue(
        statistic="jensen_shannon",
        columns=(EVIL,),
        value=0.4,
        low=None,
        high=0.1,
        strain=4.0,
        stops=True,
        detail=EVIL,
    )
    period = PeriodVerdict(
        period="2024-05", rows=900, is_closed=True, has_limits=True, earlier=3, values=(value,)
    )
    return MonitorReport(
        model=f"{MODEL}@1",
        log=LogAccount(
            folder=EVIL,
            files=2,
            lines=900,
            first_at="2024-05-01T00:00:00.000Z",
            last_at="2024-05-30T00:00:00.000Z",
            refused=0,
            others=0,
            damaged=0,
            is_cut=False,
        ),
        labels=LabelAccount(scored=800, unripe=100),
        table="chicago_crime.gold.arrest_features@2",
        total=report(800, 0.61),
        weeks=(report(400, 0.62, week="2024-W18"), report(400, 0.6, week="2024-W19")),
        slices=(report(300, 0.55, primary_type=EVIL), report(500, 0.7, primary_type="THEFT")),
        calibration=(CalibrationBin(rows=80, predicted=0.4, observed=interval(0.5)),),
        tested={"auc": 0.9},
        learned="chicago_crime.gold.arrest_features@1",
        drift=(period,),
        unjudged=(Unjudged(what=EVIL, why=EVIL),),
        alarms=alarms,
    )


def gathered(home: Home, name: str = MODEL) -> GatheredModel:
    """What a report shows, with `EVIL` wherever data or people decide a text."""
    subject = model_views.subject(name, home)
    model = msgspec.structs.replace(subject.model, description=EVIL, title=EVIL)
    usecase = msgspec.structs.replace(
        subject.usecase, description=EVIL, licence=EVIL, models={"arrest": model}
    )
    return GatheredModel(
        home=home,
        usecase=usecase,
        data=data_view(),
        areas=areas_view(),
        subject=replace(subject, usecase=usecase, model=model),
        manifest=None,
        training=Training(train={"loss": ((0, 0.5), (1, 0.4))}, eval={"auc": ((0, 0.7), (1, 0.8))}),
        statistics=statistics(),
        examined=examined(),
        slices=(),
        lineage=None,
        live=live(),
        against=None,
        against_examined="there is no other version",
    )
