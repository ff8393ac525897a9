"""The stage ``train``: one run of the pipeline on this machine, and what came of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from goldlake_core.contracts import functions_hash, registry
from goldlake_core.contracts.errors import GateRefused, StoreError, UsageError
from goldlake_core.contracts.ids import TableId
from goldlake_core.contracts.sections import Model, UseCase
from goldlake_core.documents import codec
from goldlake_core.documents.export import ExportedColumn, ExportManifest
from goldlake_core.documents.provenance import export_name
from goldlake_core.documents.stages import Request, TrainRequest
from goldlake_core.documents.training import NodeReport, Trained
from goldlake_core.environment import environment
from goldlake_core.garbage import kept_for_good
from goldlake_core.stages import DataRefused, Emit, require_same_contract
from goldlake_core.storage.gatefindings import findings
from goldlake_core.storage.home import Home
from metadata import stages as recorded
from serving import config
from tfx_pipeline import recorded as on_record
from tfx_pipeline.baseline import baseline_version, drift_statistics, not_compared
from tfx_pipeline.exports import read_manifest
from tfx_pipeline.parts.named import encoders_hash, part_hashes
from tfx_pipeline.spec import USECASE_PATH, PipelineSpec, SearchSpec, pipeline_spec

if TYPE_CHECKING:
    from tfx_pipeline.local_runner import NodeRun
    from tfx_pipeline.pipeline import Last

MOST_FINDINGS = 100
"""Findings of the gate that enter a verdict, the worst first; `goldlake validate` has all."""


def train(request: TrainRequest, emit: Emit) -> Trained:
    """Runs the pipeline for one model on one export; promotes nothing.

    Where nothing changed since the last training, its recorded answer is the result.

    Args:
        request: The model and the export to train it on.
        emit: Takes progress events.

    Returns:
        The result; ``blessed`` false is a result, not an error.

    Raises:
        DataRefused: The validation gate stopped the run.
        UsageError: The home is not on this machine's disk, the model does not exist, or its
            contract changed since the run began.
        StoreError: The export was changed or made under another contract, or rows were lost.
    """
    home = Home.at(request.home)
    if not home.is_local:
        raise UsageError(
            f"The pipeline cannot run in the home {home.root}: SQLite needs a file on a disk",
            valid="a home in a folder",
        )
    usecase = registry.load_usecase(request.usecase)
    model = usecase.models.get(request.model)
    if model is None:
        raise UsageError(
            f"{usecase.name} has no model {request.model!r}", valid=", ".join(usecase.models)
        )
    require_same_contract(request, usecase, f"gold.{model.table}", f"model.{model.name}.")
    spec = asked_spec(request, home, usecase, model)
    key = on_record.key_of(spec)
    found = on_record.read(home, spec)
    is_known = found is not None and found.key == key
    damaged = on_record.damage(home, found) if found is not None and is_known else None
    if found is not None and is_known and damaged is None:
        emit("progress", f"nothing changed since run {found.result.run_id}: its recorded answer")
        return on_record.answer(home, found, request.run_id)
    if damaged is not None:
        emit("progress", f"{damaged} is gone or changed: everything is made again")
    emit("progress", "Starting TensorFlow and TFX", done=0, total=1)

    def on_start(node_id: str, number: int, total: int) -> None:
        emit("progress", node_id, done=number - 1, total=total)

    nodes, error = run_pipeline(home, spec, request, on_start, is_cached=damaged is None)
    made = _result(home, spec, nodes, error, request.run_id, emit)
    outputs = [uri for node in nodes.values() for uris in node.outputs.values() for uri in uris]
    on_record.write(home, spec, key, outputs, made)
    return made


def asked_spec(request: TrainRequest, home: Home, usecase: UseCase, model: Model) -> PipelineSpec:
    """What the pipeline needs to know of the export that a stage is asked for.

    Also sets what executors read.

    Args:
        request: What the stage is asked.
        home: The home with the export.
        usecase: The use case.
        model: The model contract.

    Raises:
        StoreError: The export was changed, or made under another contract.
    """
    set_environment(home, usecase)
    manifest, sha256 = read_manifest(request.export_id, request.manifest_sha256, home)
    require_same_sections(manifest, usecase, model, request.export_id)
    return spec_of(home, usecase, model, request.export_id, manifest, sha256)


def set_environment(home: Home, usecase: UseCase) -> None:
    """What executors read; set before TensorFlow is imported."""
    os.environ["GOLDLAKE_HOME"] = home.root
    os.environ[USECASE_PATH] = str(usecase.folder.resolve())
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")


def require_same_sections(
    manifest: ExportManifest, usecase: UseCase, model: Model, export_id: str
) -> None:
    """Refuses an export that was made under other sections of the contract. Pure.

    Raises:
        StoreError: The hash of a section differs; names the keys that do.
    """
    changed = [name for name, made in manifest.sections.items() if usecase.hashes.get(name) != made]
    if not changed:
        return
    keys = ", ".join(_changed_keys(manifest, usecase, model))
    raise StoreError(
        f"The export {export_id} was made under another contract: {keys} of "
        f"{usecase.name}.{model.name} changed since ({', '.join(changed)})",
        hint=f"goldlake train {usecase.name}.{model.name}",
    )


def _changed_keys(manifest: ExportManifest, usecase: UseCase, model: Model) -> list[str]:
    table = usecase.gold[model.table]
    columns = tuple(
        ExportedColumn(name=c.name, type=c.type, nullable=c.nullable)
        for c in model.export_columns(table)
    )
    pairs = {
        "table": (manifest.table, f"{usecase.name}.gold.{table.name}"),
        "key": (manifest.key, tuple(table.key)),
        "label": (manifest.label, model.label),
        "event_time": (manifest.event_time, model.event_time),
        "maturity_days": (manifest.maturity_days, model.maturity_days),
        "features (columns)": (manifest.columns, columns),
    }
    # A manifest holds the instants of its split, not the keys they came from: what is left is it.
    return [key for key, (made, now) in pairs.items() if made != now] or ["split"]


def spec_of(
    home: Home,
    usecase: UseCase,
    model: Model,
    export_id: str,
    manifest: ExportManifest,
    sha256: str,
) -> PipelineSpec:
    """What the pipeline needs to know of a model and an export, compared with what serves."""
    model_id = f"{usecase.name}.{model.name}"
    own = model.preprocessing
    spec = pipeline_spec(
        usecase,
        model,
        manifest,
        export_id=export_id,
        manifest_sha256=sha256,
        preprocessing_hash=functions_hash(usecase, own) if own else "",
        part_hashes=part_hashes(usecase, model),
        encoders_hash=encoders_hash(usecase, model),
    )
    served = config.served_version(config.read_or_empty(home.models_config), model_id)
    spec = msgspec.structs.replace(
        spec,
        baseline_version=baseline_version(home, spec, served),
        gate=findings(home, TableId.parse(manifest.table))[:MOST_FINDINGS],
    )
    return msgspec.structs.replace(spec, not_compared=not_compared(home, spec))


def tuned(home: Home, spec: PipelineSpec, request: Request, search: SearchSpec) -> None:
    """Runs the pipeline up to the Tuner; nodes before it come from the cache where they can.

    Args:
        home: The home whose pipeline runs.
        spec: The model and the export.
        request: What the stage was asked, which names the run.
        search: What is searched, and where it is kept.

    Raises:
        DataRefused: The validation gate stopped the run.
    """
    nodes, refused = run_pipeline(
        home, spec, request, lambda name, number, total: None, search=search
    )
    raise_refusal(spec, nodes, refused)


def raise_refusal(
    spec: PipelineSpec, nodes: Mapping[str, NodeRun], refused: GateRefused | None
) -> None:
    """Raises DataRefused with the verdict's anomalies, if the gate ended a run."""
    from tfx_pipeline.components.validation_verdict import read_verdict

    if refused is None:
        return
    verdict = read_verdict(nodes["ValidationVerdictGen"].outputs["verdict"][0])
    hint = f"goldlake tables {spec.usecase}"
    raise DataRefused(refused.problem, verdict.anomalies, hint=hint) from refused


def run_pipeline(
    home: Home,
    spec: PipelineSpec,
    request: Request,
    on_start: Callable[[str, int, int], None],
    *,
    search: SearchSpec | None = None,
    is_cached: bool = True,
    last: Last = "Pusher",
) -> tuple[dict[str, NodeRun], GateRefused | None]:
    """Runs the pipeline up to a node.

    Returns:
        The nodes that ran, and the gate's refusal if that ended the run.
    """
    with kept_for_good():
        from tfx.orchestration.metadata import sqlite_metadata_connection_config

        from tfx_pipeline.local_runner import LocalRunner
        from tfx_pipeline.pipeline import create_pipeline
        from tfx_pipeline.remembered import remembered

    Path(home.mlmd).parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite_metadata_connection_config(home.mlmd)
    statistics = drift_statistics(home, spec)
    pipeline = create_pipeline(
        spec,
        pipeline_root=home.pipeline(spec.usecase, spec.model),
        metadata_connection_config=connection,
        baseline_statistics=statistics,
        enable_cache=is_cached,
        search=search,
        last=last,
    )
    run = recorded.pipeline_run(home, request.run_id)
    runner = LocalRunner(run, on_start)
    try:
        with remembered():
            runner.run(pipeline)
    except GateRefused as refused:
        return runner.nodes, refused
    finally:
        _record(home, run, spec, request, runner.nodes)
    return runner.nodes, None


def _record(
    home: Home, run: str, spec: PipelineSpec, request: Request, nodes: Mapping[str, NodeRun]
) -> None:
    """Adds to ML Metadata what TFX does not know of the run that ended now."""
    snapshot = nodes.get("DataSnapshotGen")
    if snapshot is not None and snapshot.execution is not None:
        about = codec.plain(environment()) | {
            "run_id": request.run_id,
            "usecase": spec.usecase,
            "contract": msgspec.json.encode(request.contract).decode(),
        }
        name = export_name(spec.export_id, spec.manifest_sha256)
        recorded.complete(home, run, snapshot.execution, name, about)


def _result(
    home: Home,
    spec: PipelineSpec,
    nodes: Mapping[str, NodeRun],
    refused: GateRefused | None,
    run_id: str,
    emit: Emit,
) -> Trained:
    from tfx_pipeline.components.blessing import REPORT_FILE, read_report
    from tfx_pipeline.components.validation_verdict import read_verdict
    from tfx_pipeline.evaluation.blessing import worst
    from tfx_pipeline.evaluation.evaluation import read_evaluation

    verdict = read_verdict(nodes["ValidationVerdictGen"].outputs["verdict"][0])
    emit("gate", f"validation {verdict.verdict}")
    if refused is not None:
        raise DataRefused(
            refused.problem,
            verdict.anomalies,
            hint=f"look at {nodes['ExampleValidator'].outputs['anomalies'][0]}, or at the table: "
            f"goldlake tables {spec.usecase}",
        ) from refused
    evaluation = read_evaluation(nodes["Evaluator"].outputs["evaluation"][0])
    folder = nodes["Blessing"].outputs["blessing"][0]
    report = read_report(folder)
    check = nodes["ServingCheck"].properties["blessing"]
    pushed = nodes["Pusher"].properties["pushed_model"]
    is_pushed = bool(pushed.get("pushed"))
    version = int(pushed["version"]) if is_pushed else None
    emit("gate", "blessed" if report.blessed else "not blessed")
    return Trained(
        run_id=run_id,
        blessed=report.blessed and bool(check.get("blessed")),
        serving_problem=str(check.get("problem") or "") or None,
        pushed=is_pushed,
        model_version=version,
        model_uri=home.model(spec.usecase, spec.model, str(version)) if is_pushed else None,
        verdict=verdict.verdict,
        anomalies=verdict.anomalies,
        distances=verdict.distances,
        metrics=evaluation.metrics,
        thresholds=report.thresholds,
        baseline_version=spec.compared_version,
        not_compared=report.not_compared,
        cached=tuple(node.id for node in nodes.values() if node.state == "cached"),
        nodes=tuple(
            NodeReport(id=node.id, state=node.state, seconds=node.seconds)
            for node in nodes.values()
        ),
        tensorboard=nodes["Trainer"].outputs["model_run"][0],
        reasons=report.reasons,
        worst_slices=worst(report.slices),
        evaluation=os.path.join(folder, REPORT_FILE),
        decision=report.decision,
    )
