"""Lineage of a model version: from the answer to the pages. Read-only, no JVM, no TensorFlow."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Callable, Mapping

import msgspec

from goldlake_core.contracts.errors import StoreError, UsageError
from goldlake_core.contracts.ids import ModelId, TableId
from goldlake_core.documents import codec
from goldlake_core.documents.evaluation import EvaluationReport
from goldlake_core.documents.export import ExportManifest
from goldlake_core.documents.gate import TableVerdict
from goldlake_core.documents.history import RunBegan
from goldlake_core.documents.lineage import (
    Accepted,
    EvaluationStep,
    ExportStep,
    LandedPages,
    ModelLineage,
    RequestStep,
    RunStep,
    TableStep,
    VerdictStep,
)
from goldlake_core.documents.provenance import Environment
from goldlake_core.documents.reports import Lineage
from goldlake_core.documents.training import PushedVersion
from goldlake_core.instants import utc_text
from goldlake_core.storage.files import list_names, read_bytes
from goldlake_core.storage.gatefiles import GateFiles
from goldlake_core.storage.home import Home
from goldlake_core.storage.model_versions import EVALUATION_FILE, pushed_versions
from lakehouse import steps
from metadata import lineage as recorded
from metadata import stages
from metadata.database import Names
from metadata.store import Context, Store
from serving import config, logged
from tfx_pipeline.exports import read_manifest

MOST_PAGES = 10
_RUN = re.compile(r"\d{8}-\d{6}-[0-9a-f]{4}")


def of_request(
    model: ModelId,
    request_id: str,
    home: Home,
    *,
    folder: str | None = None,
    most: int | None = MOST_PAGES,
) -> ModelLineage:
    """From an answer of the request log back to the pages; see `of_model`.

    Args:
        model: The model that was asked.
        request_id: The header ``X-Request-Id`` of the answer.
        home: Home that holds both.
        folder: Folder of the log where the server was given another one.
        most: Most pages to show, or None for all.

    Raises:
        UsageError: The log does not have the request, or no version answered it.
    """
    request = logged.find(str(model.at(None)), request_id, home, folder)
    if request.version is None:
        raise UsageError(
            f"No version answered the request {request_id!r}: {request.status}",
            valid="the id of a request that was answered",
        )
    return of_model(home, model.at(request.version), most=most, request=request)


def of_model(
    home: Home,
    model: ModelId,
    *,
    most: int | None = MOST_PAGES,
    request: RequestStep | None = None,
) -> ModelLineage:
    """From a model version back to the pages.

    Args:
        home: Where everything is kept.
        model: The model, at a version or at its newest pushed one.
        most: Most pages to show, or None for all.
        request: The request that led to it, or None.

    Raises:
        UsageError: No such version is on record.
    """
    graph = recorded.lineage(home, str(model))
    version = ModelId.parse(graph.id)
    about = pushed_versions(home, version.usecase, version.name).get(version.version or 0)
    served = config.read_or_empty(home.models_config)
    labels = served.model(str(version.at(None)))
    missing: list[str] = []
    store = Store(home)
    run = _run(home, version, graph, store, missing)
    export, manifest = _export(home, about, graph, missing)
    tables, landed = _tables(home, version.usecase, export, most, store, missing)
    return ModelLineage(
        **{name: getattr(graph, name) for name in Lineage.__struct_fields__},
        request=request,
        serves=config.served_version(served, str(version.at(None))) == version.version,
        labels=tuple(sorted(k for k, v in labels.labels.items() if v == version.version))
        if labels
        else (),
        pushed_at=about.pushed_at if about else None,
        model_sha256=about.model_sha256 if about else None,
        run=run,
        verdicts=_verdicts(home, graph, run, tables, missing),
        evaluation=_evaluation(home, version, about),
        export=export,
        tables=tables,
        landed=landed,
        not_recorded=tuple(missing),
    )


def _run(
    home: Home, model: ModelId, graph: Lineage, store: Store, missing: list[str]
) -> RunStep | None:
    """The run in which the model was trained."""
    trainers = [each.id for each in graph.executions if each.type.endswith(".Trainer")]
    contexts = [c for each in trainers[-1:] for c in store.contexts(each)]
    pipeline = next((c for c in contexts if c.type == stages.PIPELINE_RUN), None)
    run_id = stages.run_of(pipeline.name) if pipeline else ""
    if not _RUN.fullmatch(run_id):
        # TFX's own name of the run, of an earlier version of goldlake.
        run_id = _run_of_documents(home, model)
    if not run_id:
        missing.append("The run that trained it is not on record.")
        return None
    began = _began(home, run_id)
    environment = _environment(pipeline)
    if environment is None:
        missing.append(
            "Commit, lock file and packages of the training are not on record: an earlier version "
            "of goldlake trained it."
        )
    contract = _contract(pipeline) or (began.contract if began else {})
    mine = (f"model.{model.name}.", "source", "silver", "gold.")
    return RunStep(
        run_id=run_id,
        command=began.command if began else None,
        began_at=utc_text(began.began_at) if began else None,
        pipeline_run=pipeline.name if pipeline else None,
        contract={k: v for k, v in contract.items() if k.startswith(mine)},
        environment=environment,
    )


def _environment(context: Context | None) -> Environment | None:
    if context is None or "code_sha256" not in context.properties:
        return None
    names = Environment.__struct_fields__
    found = {k: str(v) for k, v in context.properties.items() if k in names}
    return Environment(**found)


def _contract(context: Context | None) -> dict[str, str]:
    text = context.properties.get("contract") if context else None
    return json.loads(str(text)) if text else {}


def _began(home: Home, run_id: str) -> RunBegan | None:
    data = read_bytes(home.fs, home.run(run_id, "run.json"))
    try:
        return codec.decode(data, RunBegan, run_id, is_strict=False) if data else None
    except StoreError:  # a damaged document says nothing here; `goldlake history` tells
        return None


class _Result(msgspec.Struct):
    """What is read of a training's result."""

    model_version: int | None = None
    cached: tuple[str, ...] = ()


def _run_of_documents(home: Home, model: ModelId) -> str:
    """The first run whose documents say that it pushed the version, or ""."""
    runs = home.path("runs")
    names = sorted(p for p in home.fs.ls(runs, detail=False)) if home.fs.exists(runs) else []
    prefix = f"{model.usecase}/{model.name}/"
    for folder in names:
        data = read_bytes(home.fs, posixpath.join(folder, "train.result.json"))
        asked = read_bytes(home.fs, posixpath.join(folder, "train.request.json"))
        if data is None or asked is None or f'"{prefix}'.encode() not in asked:
            continue
        try:
            result = msgspec.json.decode(data, type=_Result)
        except msgspec.MsgspecError:
            continue
        if result.model_version == model.version and "Trainer" not in result.cached:
            return posixpath.basename(folder.rstrip("/"))
    return ""


def _export(
    home: Home, about: PushedVersion | None, graph: Lineage, missing: list[str]
) -> tuple[ExportStep | None, ExportManifest | None]:
    snapshot = graph.snapshots[-1] if graph.snapshots else None
    export_id = about.export_id if about else snapshot.export_id if snapshot else None
    sha256 = about.manifest_sha256 if about else snapshot.manifest_sha256 if snapshot else None
    if export_id is None or sha256 is None:
        missing.append("The export that it learned from is not on record.")
        return None, None
    manifest = None
    try:
        manifest, _ = read_manifest(export_id, sha256, home)
    except StoreError as error:
        missing.append(f"Rows of the export: {error.problem}.")
    table = about.table if about else snapshot.table if snapshot else None
    version = about.table_version if about else snapshot.version if snapshot else None
    return (
        ExportStep(
            export_id=export_id,
            manifest_sha256=sha256,
            table=f"{table}@{version}",
            content_hash=str((about or snapshot).content_hash),  # type: ignore[union-attr]
            as_of=str((about or snapshot).as_of),  # type: ignore[union-attr]
            rows=dict(manifest.rows) if manifest else {},
        ),
        manifest,
    )


def stored(store: Store | None) -> Callable[[str, str], Mapping[str, object] | None]:
    """Reads properties of artifacts of ML Metadata, where there is one."""

    def read(kind: str, name: str) -> Mapping[str, object] | None:
        found = store.named(kind, name) if store is not None else None
        return found.properties if found is not None else None

    return read


def _tables(
    home: Home,
    usecase: str,
    export: ExportStep | None,
    most: int | None,
    store: Store,
    missing: list[str],
) -> tuple[tuple[TableStep, ...], LandedPages]:
    if export is None:
        return (), LandedPages()
    gold = TableId.parse(export.table)
    with Names(home) as names:
        found = steps.steps(home, gold, names, stored(store))
    if not found:
        missing.append(f"What {gold} was made from is not on record.")
        return (), LandedPages()
    unrecorded = [each.table for each in found if not each.recorded]
    if unrecorded:
        missing.append(
            f"{', '.join(unrecorded)}: not in ML Metadata; read from the logs of the tables."
        )
    if len(found) < 4:
        missing.append(
            f"Of the tables before {gold}, only {', '.join(s.table for s in found[1:]) or 'none'} "
            "still have the commits that it was made from."
        )
    through = found[0].through
    if through is None:
        missing.append(f"Which pages {gold} holds is not on record.")
        return tuple(found), LandedPages()
    return tuple(found), steps.pages(usecase, home, through, most)


def _verdicts(
    home: Home,
    graph: Lineage,
    run: RunStep | None,
    tables: tuple[TableStep, ...],
    missing: list[str],
) -> tuple[VerdictStep, ...]:
    found = []
    artifacts = [a for a in graph.artifacts if a.type == "ValidationVerdict"]
    trainers = {each.id for each in graph.executions if each.type.endswith(".Trainer")}
    inputs = {i for step in graph.steps if step.execution in trainers for i in step.inputs}
    for artifact in artifacts:
        found.append(
            VerdictStep(
                gate="tfdv",
                subject=f"ValidationVerdict {artifact.id}",
                verdict=str(artifact.properties.get("verdict")),
                findings=int(artifact.properties.get("anomalies") or 0),
                is_input=artifact.id in inputs,
            )
        )
    if not artifacts:
        missing.append(
            "The verdict on its data is not an input of its training: an earlier version of "
            "goldlake trained it."
        )
    for table in tables:
        verdict = _judged(home, table, run)
        if verdict is not None:
            found.append(_of_periods(verdict))
    return tuple(found)


def _judged(home: Home, table: TableStep, run: RunStep | None) -> TableVerdict | None:
    """What the gate said of a table version: in the run that made it or trained on it."""
    files = GateFiles(home, TableId.parse(table.table))
    names = list_names(home.fs, files.path("verdicts"), ".json")
    last = max(run.run_id if run else "", table.run_id)
    runs = [name.removesuffix(".json") for name in names]
    for name in sorted((r for r in runs if r <= last), reverse=True):
        verdict = files.verdict(name)
        if verdict is not None and verdict.version <= table.version:
            return verdict
    return None


def _of_periods(verdict: TableVerdict) -> VerdictStep:
    return VerdictStep(
        gate="periods",
        subject=f"{verdict.table}@{verdict.version}",
        verdict="refused" if verdict.refused else "passed",
        findings=sum(len(period.beyond) for period in verdict.periods),
        run_id=verdict.run_id,
        periods=len(verdict.periods),
        accepted=tuple(
            Accepted(
                table=each.table,
                column=each.column,
                periods=each.periods,
                because=each.because,
                who=each.who,
                at=each.at,
            )
            for each in verdict.accepted
        ),
    )


def report_of(home: Home, model: ModelId) -> EvaluationReport | None:
    """The evaluation of a pushed version with all its slices, or None where there is none."""
    file = home.model(model.usecase, model.name, str(model.version), EVALUATION_FILE)
    data = read_bytes(home.fs, file)
    return codec.decode(data, EvaluationReport, file) if data else None


def _evaluation(home: Home, model: ModelId, about: PushedVersion | None) -> EvaluationStep | None:
    if about is None:
        return None
    report = report_of(home, model)
    file = home.model(model.usecase, model.name, str(model.version), EVALUATION_FILE)
    return EvaluationStep(
        why=about.why,
        baseline_version=report.baseline_version if report else about.baseline_version,
        metrics=about.metrics,
        slices=len(report.slices) if report else 0,
        file=posixpath.relpath(file, home.root) if report else None,
    )
