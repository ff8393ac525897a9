"""The pipeline's wiring: which node reads what. It holds no logic and no path of a machine.

    DataSnapshotGen → SnapshotExampleGen → StatisticsGen → SchemaGen, CuratedSchema
    → ExampleValidator → ValidationVerdictGen → ValidationStop
    → Transform → Trainer → Evaluator → Blessing → ServingCheck → Pusher

With ``handoff: csv_example_gen``, CsvExampleGen and ContractTypes replace SnapshotExampleGen.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import msgspec
from tfx import types
from tfx.components import (
    CsvExampleGen,
    ExampleValidator,
    SchemaGen,
    StatisticsGen,
    Transform,
)
from tfx.dsl.components.base.base_node import BaseNode
from tfx.orchestration.pipeline import Pipeline
from tfx.proto import example_gen_pb2, transform_pb2

from goldlake_core.contracts.sections import SPLITS
from tfx_pipeline.codehash import code_hash
from tfx_pipeline.components.base import add_to_cache_key
from tfx_pipeline.components.contract_types import ContractTypes
from tfx_pipeline.components.curated_schema import CuratedSchema
from tfx_pipeline.components.data_snapshot import DataSnapshotGen
from tfx_pipeline.components.snapshot_example_gen import SnapshotExampleGen
from tfx_pipeline.components.validation_stop import ValidationStop
from tfx_pipeline.components.validation_verdict import ValidationVerdictGen
from tfx_pipeline.model_nodes import model_nodes, tuner
from tfx_pipeline.spec import PipelineSpec, SearchSpec

_PREPROCESSING = "tfx_pipeline.modules.preprocessing"
PREPROCESSING_FN = f"{_PREPROCESSING}.preprocessing_fn"
Last = Literal["Trainer", "Pusher"]
"""Nodes that may be a pipeline's last one."""
BEAM_RUNNER = "apache_beam.runners.portability.fn_api_runner.fn_runner.FnApiRunner"
BEAM_ARGS = (f"--runner={BEAM_RUNNER}", "--direct_running_mode=in_memory", "--direct_num_workers=1")
"""One process: on two cores a second one gains nothing, and nothing is lost between processes.

The runner is named because DirectRunner has changed in newer Beam: from 2.68 on it first tries to
download Prism.
"""
# Where no image is named, TFX builds a package of itself for the workers, once per node.
IN_PROCESS_ARGS = (
    "--runner=tfx_pipeline.beam_runner.InProcessRunner",
    "--sdk_container_image=none",
)
MOST_IN_PROCESS_ROWS = 5_000_000
"""Rows of an export up to which `tfx_pipeline.beam_runner` runs the nodes that use Beam."""


@dataclass(frozen=True)
class DataNodes:
    """Nodes that bring the data in.

    Attributes:
        nodes: All nodes of this group.
        snapshot: Channel of the DataSnapshot.
        examples: Channel of the Examples that everything else reads.
    """

    nodes: list[BaseNode]
    snapshot: types.BaseChannel
    examples: types.BaseChannel


@dataclass(frozen=True)
class ValidationNodes:
    """Nodes that decide whether the data may train a model.

    Attributes:
        nodes: All nodes of this group.
        schema: Channel of the curated schema.
        verdict: Channel of the gate's verdict.
        stop: Node that every later node waits for.
    """

    nodes: list[BaseNode]
    schema: types.BaseChannel
    verdict: types.BaseChannel
    stop: BaseNode


def create_pipeline(
    spec: PipelineSpec,
    *,
    pipeline_root: str,
    name: str | None = None,
    metadata_connection_config: Any = None,
    baseline_statistics: str = "",
    enable_cache: bool = True,
    search: SearchSpec | None = None,
    run_time: Mapping[str, Any] | None = None,
    last: Last = "Pusher",
) -> Pipeline:
    """Returns the pipeline of one model on one export.

    Args:
        spec: The model and the export to train it on.
        pipeline_root: Where artifacts go; the orchestrator sets it, and it is not part of any node.
        name: Pipeline name, or None for the model's id.
        metadata_connection_config: ML Metadata's connection, for a local run.
        baseline_statistics: Folder to measure drift against; see `ValidationVerdictGen`.
        enable_cache: Whether unchanged nodes are taken from earlier runs.
        search: Ends with a search for training parameters in place of a model.
        run_time: TFX's RuntimeParameter by key of ``training``, where an orchestrator gives the
            values to each run.
        last: The node that ends it, with all that it needs.
    """
    data = data_nodes(spec)
    validation = validation_nodes(spec, data, baseline_statistics)
    transform = transform_node(spec, data, validation)
    graph = transform.outputs["transform_graph"]
    if search is not None:
        models = [tuner(spec, search, data.examples, graph, validation.schema)]
    else:
        models = model_nodes(
            spec,
            examples=data.examples,
            schema=validation.schema,
            transform_graph=graph,
            verdict=validation.verdict,
            stop=validation.stop,
            run_time=run_time or {},
        )
    if last == "Trainer":
        models = models[:1]
    return Pipeline(
        pipeline_name=name or spec.model_id,
        pipeline_root=pipeline_root,
        components=[*data.nodes, *validation.nodes, transform, *models],
        metadata_connection_config=metadata_connection_config,
        enable_cache=enable_cache,
        beam_pipeline_args=list(beam_args(sum(spec.rows.values()))),
    )


def beam_args(rows: int) -> tuple[str, ...]:
    """How Beam runs the nodes that use it.

    Args:
        rows: Rows of the export.
    """
    return IN_PROCESS_ARGS if rows <= MOST_IN_PROCESS_ROWS else BEAM_ARGS


def data_nodes(spec: PipelineSpec) -> DataNodes:
    """The snapshot, followed by the hand-off component that the contract names."""
    snapshot = DataSnapshotGen(
        export_id=spec.export_id,
        manifest_sha256=spec.manifest_sha256,
        code_hash=_hash("data_snapshot"),
    )
    channel = snapshot.outputs["snapshot"]
    if spec.handoff == "snapshot_example_gen":
        example_gen = SnapshotExampleGen(snapshot=channel, code_hash=_hash("snapshot_example_gen"))
        return DataNodes([snapshot, example_gen], channel, example_gen.outputs["examples"])
    csv = CsvExampleGen(
        input_base=snapshot.outputs["export_uri"].future()[0].value,
        input_config=example_gen_pb2.Input(
            splits=[
                example_gen_pb2.Input.Split(name=split, pattern=f"{split}/*.csv")
                for split in SPLITS
            ]
        ),
    )
    add_to_cache_key(csv, code_hash())
    typed = ContractTypes(
        examples=csv.outputs["examples"],
        snapshot=channel,
        columns=json.dumps(spec.to_json()["columns"]),
        code_hash=_hash("contract_types"),
    )
    return DataNodes([snapshot, csv, typed], channel, typed.outputs["typed_examples"])


def validation_nodes(
    spec: PipelineSpec, data: DataNodes, baseline_statistics: str
) -> ValidationNodes:
    """Statistics, the inferred and the curated schema, the reviewer's anomalies, verdict, stop."""
    statistics_gen = StatisticsGen(examples=data.examples)
    statistics = statistics_gen.outputs["statistics"]
    schema_gen = SchemaGen(
        statistics=statistics, infer_feature_shape=True, exclude_splits=["eval", "test"]
    )
    curated = CuratedSchema(
        validation=json.dumps(spec.validation.to_json()),
        code_hash=_hash("curated_schema"),
    )
    validator = ExampleValidator(statistics=statistics, schema=curated.outputs["schema"])
    verdict = ValidationVerdictGen(
        statistics=statistics,
        schema=curated.outputs["schema"],
        snapshot=data.snapshot,
        baseline_statistics=baseline_statistics,
        gate=msgspec.json.encode(spec.gate).decode(),
        code_hash=_hash("validation_verdict"),
    )
    stop = ValidationStop(
        verdict=verdict.outputs["verdict"],
        code_hash=_hash("validation_stop"),
    )
    stop.add_upstream_nodes([schema_gen, validator])
    for stock in (statistics_gen, schema_gen, validator):
        add_to_cache_key(stock, code_hash())
    return ValidationNodes(
        [statistics_gen, schema_gen, curated, validator, verdict, stop],
        curated.outputs["schema"],
        verdict.outputs["verdict"],
        stop,
    )


def transform_node(spec: PipelineSpec, data: DataNodes, validation: ValidationNodes) -> BaseNode:
    """Transform, which only analyzes the train split: the trainer transforms inside tf.data."""
    transform = Transform(
        examples=data.examples,
        schema=validation.schema,
        preprocessing_fn=PREPROCESSING_FN,
        splits_config=transform_pb2.SplitsConfig(analyze=["train"]),
        materialize=False,
        disable_statistics=True,
        # It would hold counts for a later run with more data. A run reads a whole export anew.
        disable_analyzer_cache=True,
        custom_config={
            **spec.features.to_json(),
            "code_hash": code_hash(_PREPROCESSING),
        },
    )
    transform.add_upstream_node(validation.stop)
    return transform


def _hash(component: str) -> str:
    return code_hash(f"tfx_pipeline.components.{component}")
