"""The stage ``train``: one run of the pipeline on this machine, and what came of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from goldlake_core.contracts import functions_hash, registry
from goldlake_core.contracts.errors import GateRefused, UsageError
from goldlake_core.contracts.ids import ModelId
from goldlake_core.contracts.sections import Model, UseCase
from goldlake_core.storage.exports import read_manifest
from goldlake_core.storage.home import Home
from serving import config
from tfx_pipeline.baseline import baseline_version, statistics_folder
from tfx_pipeline.spec import USECASE_PATH, PipelineSpec, pipeline_spec

if TYPE_CHECKING:
    from tfx_pipeline.local_runner import NodeRun

Emit = Callable[..., None]


class DataRefused(GateRefused):
    """The validation gate said no; the verdict is on record in ML Metadata.

    Attributes:
        details: ``{"anomalies": […], "verdict": "refused"}`` for the stage's error document.
    """

    def __init__(self, problem: str, anomalies: list[dict[str, Any]], hint: str) -> None:
        self.details = {"anomalies": anomalies, "verdict": "refused"}
        super().__init__(problem, hint=hint)


def train(request: Mapping[str, Any], emit: Emit) -> dict[str, Any]:
    """Runs the pipeline for one model on one export; promotes nothing.

    Args:
        request: ``{"usecase", "model", "home", "export": <result of the stage export>, "run_id"}``.
        emit: Takes progress events.

    Returns:
        The result document; ``blessed`` false is a result, not an error.

    Raises:
        DataRefused: The validation gate stopped the run.
        UsageError: The home is not on this machine's disk, or the model does not exist.
        StoreError: The export was changed, or rows were lost on the way.
    """
    home = Home.at(request["home"])
    if not home.is_local:
        raise UsageError(
            f"The pipeline cannot run in the home {home.root}: SQLite needs a file on a disk",
            valid="a home in a folder",
        )
    usecase = registry.load_usecase(request["usecase"])
    model = usecase.models[request["model"]]
    _set_environment(home, usecase)
    spec = _spec(home, usecase, model, request["export"]["export_id"])
    emit("progress", "Starting TensorFlow and TFX", done=0, total=1)

    def on_start(node_id: str, number: int, total: int) -> None:
        emit("progress", node_id, done=number - 1, total=total)

    nodes, error = _run(home, spec, on_start)
    return _result(home, spec, nodes, error, str(request["run_id"]), emit)


def _set_environment(home: Home, usecase: UseCase) -> None:
    """What executors read; set before TensorFlow is imported."""
    os.environ["GOLDLAKE_HOME"] = home.root
    os.environ[USECASE_PATH] = str(usecase.folder.resolve())
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")


def _spec(home: Home, usecase: UseCase, model: Model, export_id: str) -> PipelineSpec:
    manifest, sha256 = read_manifest(export_id, home=home)
    model_id = f"{usecase.name}.{model.name}"
    own = model.preprocessing
    spec = pipeline_spec(
        usecase,
        model,
        manifest,
        export_id=export_id,
        manifest_sha256=sha256,
        preprocessing_hash=functions_hash(usecase, own) if own else "",
    )
    served = config.served_version(config.read_or_empty(home.models_config), model_id)
    return msgspec.structs.replace(spec, baseline_version=baseline_version(home, spec, served))


def _run(
    home: Home, spec: PipelineSpec, on_start: Callable[[str, int, int], None]
) -> tuple[dict[str, NodeRun], GateRefused | None]:
    """The nodes that ran, and the gate's refusal if that ended the run."""
    from tfx.orchestration.metadata import sqlite_metadata_connection_config

    from tfx_pipeline.local_runner import LocalRunner
    from tfx_pipeline.pipeline import create_pipeline

    Path(home.mlmd).parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite_metadata_connection_config(home.mlmd)
    compared_with = ModelId(spec.usecase, spec.model, spec.baseline_version)
    statistics = statistics_folder(home, compared_with)
    pipeline = create_pipeline(
        spec,
        pipeline_root=home.pipeline(spec.usecase, spec.model),
        metadata_connection_config=connection,
        baseline_statistics=statistics,
    )
    runner = LocalRunner(on_start)
    try:
        runner.run(pipeline)
    except GateRefused as refused:
        return runner.nodes, refused
    return runner.nodes, None


def _result(
    home: Home,
    spec: PipelineSpec,
    nodes: Mapping[str, NodeRun],
    refused: GateRefused | None,
    run_id: str,
    emit: Emit,
) -> dict[str, Any]:
    from tfx_pipeline.components.validation_verdict import read_verdict
    from tfx_pipeline.evaluation.evaluation import read_evaluation

    verdict = read_verdict(nodes["ValidationVerdictGen"].outputs["verdict"][0])
    emit("gate", f"validation {verdict['verdict']}", anomalies=len(verdict["anomalies"]))
    if refused is not None:
        raise DataRefused(
            refused.problem,
            verdict["anomalies"],
            hint=f"look at {nodes['ExampleValidator'].outputs['anomalies'][0]}, or at the table: "
            f"goldlake tables {spec.usecase}",
        ) from refused
    evaluation = read_evaluation(nodes["Evaluator"].outputs["evaluation"][0], spec.evaluation)
    check = nodes["ServingCheck"].properties["blessing"]
    pushed = nodes["Pusher"].properties["pushed_model"]
    is_blessed = bool(nodes["Evaluator"].properties["blessing"].get("blessed"))
    is_pushed = bool(pushed.get("pushed"))
    version = int(pushed["version"]) if is_pushed else None
    emit("gate", "blessed" if is_blessed else "not blessed", metrics=evaluation["metrics"])
    return {
        "run_id": run_id,
        "blessed": is_blessed and bool(check.get("blessed")),
        "serving_problem": check.get("problem") or None,
        "pushed": is_pushed,
        "model_version": version,
        "model_uri": home.model(spec.usecase, spec.model, str(version)) if is_pushed else None,
        "verdict": verdict["verdict"],
        "anomalies": verdict["anomalies"],
        "distances": verdict["distances"],
        "metrics": evaluation["metrics"],
        "thresholds": evaluation["thresholds"],
        "baseline_version": spec.baseline_version,
        "cached": [node.id for node in nodes.values() if node.state == "cached"],
        "nodes": [
            {"id": node.id, "state": node.state, "seconds": node.seconds} for node in nodes.values()
        ],
        "tensorboard": nodes["Trainer"].outputs["model_run"][0],
    }
