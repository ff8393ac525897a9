"""End to end: API to bronze, silver, gold, export, TFX, promotion and a served answer."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from goldlake.workflows import planning, served_answers
from goldlake.workflows.history import recorded
from goldlake.workflows.names import unknown
from goldlake.workflows.processes import OnEvent, Run, StageEnded, StageFailed
from goldlake.workflows.promote import promote_and_ask
from goldlake.workflows.servers import embedded_source
from goldlake_core.contracts.errors import UsageError
from goldlake_core.contracts.registry import load_usecase
from goldlake_core.contracts.sections import Model, UseCase
from goldlake_core.documents.lakehouse import Exported, Landed, Refined
from goldlake_core.documents.reports import ModelReport, RunReport, SourceStarted
from goldlake_core.documents.stages import (
    ExportRequest,
    LandRequest,
    RefineRequest,
    Request,
    TrainRequest,
)
from goldlake_core.stages import event_now
from goldlake_core.storage.home import Home

EMBEDDED = "embedded"
GATE_EXIT_CODE = 3


@dataclass(frozen=True)
class RunRequest:
    """What `goldlake run` was asked to do.

    Attributes:
        usecase: Name or path of the use case.
        source: ``embedded``, ``live`` or a URL.
        rows: Rows the embedded source generates.
        seed: Seed of the embedded source's generator.
        models: Names of the models to train; empty: all of the use case.
        since: First day wanted from the source, or None.
        until: First day no longer wanted, or None.
        accept_rejected: Whether any share of rejected records is accepted.
    """

    usecase: str
    source: str = EMBEDDED
    rows: int = 20_000
    seed: int = 7
    models: tuple[str, ...] = ()
    since: str | None = None
    until: str | None = None
    accept_rejected: bool = False


def default_source(usecase: str) -> str:
    """Where a run takes its data from unless it says it: a generator's rows, or the live source.

    Args:
        usecase: Name or path of the use case.
    """
    return EMBEDDED if load_usecase(usecase).source.generator else "live"


@recorded("run")
def run_whole(request: RunRequest, home: Home, on_event: OnEvent) -> RunReport:
    """Runs everything once and returns the report of it.

    Args:
        request: What to run.
        home: Where everything is kept.
        on_event: Called with every stage's events.

    Returns:
        What was done; ``exit_code`` is 3 when a gate refused a model.

    Raises:
        UsageError: An unknown model, or the home cannot follow the contract.
        StageFailed: A stage failed for another reason than a gate.
    """
    started = time.monotonic()
    usecase = load_usecase(request.usecase)
    models = _models(usecase, request.models)
    planning.tell(usecase, home, on_event, "land")
    run = Run.new(home)
    landed, refined, exports = _lakehouse(run, request, usecase, models, on_event)
    reports = {
        f"{usecase.name}.{model.name}": _model(
            run, request, usecase, model, exports[model.name], on_event
        )
        for model in models
    }
    return RunReport(
        run_id=run.run_id,
        home=home.root,
        logs=str(run.logs),
        usecase=usecase.name,
        source=request.source,
        models=reports,
        exit_code=exit_code(reports),
        land=landed,
        refine=refined,
        seconds=round(time.monotonic() - started, 1),
    )


def exit_code(reports: Mapping[str, ModelReport]) -> int:
    """Exit code of a run: 3 when a gate refused a model, or a server did not confirm one.

    Args:
        reports: What was done for each model.
    """
    promotions = [report.promotion for report in reports.values()]
    is_served = all(made is not None and made.is_confirmed for made in promotions)
    return 0 if is_served else GATE_EXIT_CODE


def _models(usecase: UseCase, names: tuple[str, ...]) -> list[Model]:
    wrong = [name for name in names if name not in usecase.models]
    if wrong:
        problem = f"The use case {usecase.name} has no model {wrong[0]!r}"
        raise unknown(problem, wrong[0], usecase.models, hint=f"goldlake check {usecase.name}")
    return [usecase.models[name] for name in names or usecase.models]


def _lakehouse(
    run: Run, request: RunRequest, usecase: UseCase, models: list[Model], on_event: OnEvent
) -> tuple[Landed, Refined, dict[str, Exported]]:
    def export_of(model: Model) -> ExportRequest:
        return run.request(ExportRequest, request.usecase, usecase, model=model.name)

    with _source(request, run, on_event) as source:
        land = run.request(
            LandRequest,
            request.usecase,
            usecase,
            source=source,
            since=request.since,
            until=request.until,
        )
        refine = run.request(
            RefineRequest, request.usecase, usecase, accept_rejected=request.accept_rejected
        )
        requests: list[Request] = [land, refine]
        # The first export shares the Spark session of the refinement.
        requests += [export_of(model) for model in models[:1]]
        results = run.stages("lakehouse", requests, on_event)
    exports = {model.name: results["export"] for model in models[:1]}
    for model in models[1:]:
        exports[model.name] = run.stages("lakehouse", [export_of(model)], on_event)["export"]
    return results["land"], results["refine"], exports


@contextlib.contextmanager
def _source(request: RunRequest, run: Run, on_event: OnEvent) -> Iterator[str]:
    if request.source != EMBEDDED:
        yield request.source
        return
    on_event(event_now("source", "begin"))
    usecase = load_usecase(request.usecase)
    if usecase.source.kind == "files":
        folder = _generated(usecase, request, run.home)
        on_event(
            StageEnded("source", SourceStarted(url=folder, rows=request.rows, seed=request.seed))
        )
        yield folder
        return
    log = run.logs / "source.log"
    with embedded_source(request.usecase, request.rows, request.seed, log) as url:
        started = SourceStarted(url=url, rows=request.rows, seed=request.seed)
        on_event(StageEnded("source", started))
        yield url


def _generated(usecase: UseCase, request: RunRequest, home: Home) -> str:
    """The folder of a use case's generated files, in the home.

    Raises:
        UsageError: The home is not on this machine.
    """
    from goldlake_simulators.files import generated_files

    if "://" in home.root:
        raise UsageError(
            f"Generated files have no place in {home.root}", valid="a home on this machine"
        )
    above = Path(home.path("generated", usecase.name))
    return str(generated_files(usecase, request.rows, request.seed, above))


def _model(
    run: Run,
    request: RunRequest,
    usecase: UseCase,
    model: Model,
    export: Exported,
    on_event: OnEvent,
) -> ModelReport:
    training = run.request(
        TrainRequest,
        request.usecase,
        usecase,
        model=model.name,
        export_id=export.export_id,
        manifest_sha256=export.manifest_sha256,
    )
    try:
        trained = run.stages("tfx_pipeline", [training], on_event)["train"]
    except StageFailed as error:
        if error.exit_code != GATE_EXIT_CODE:
            raise
        return ModelReport(export=export, refused=error.error)
    if not trained.blessed:
        return ModelReport(export=export, train=trained)
    on_event(event_now("promote", "begin"))
    version = trained.model_version
    assert version is not None, "what is blessed was pushed"
    known = None
    if trained.recorded is not None:
        known = served_answers.recorded(run, usecase, model, version, on_event)
    if known is not None:
        promotion, record = known
        answers = record.answers
    else:
        promotion, answers = promote_and_ask(run, usecase, model, version, on_event)
        served_answers.write(run, usecase, model, version, answers)
    on_event(StageEnded("promote", promotion))
    return ModelReport(
        export=export,
        train=trained,
        promotion=promotion,
        answers=answers,
        answers_recorded=known and known[1].run_id,
    )
