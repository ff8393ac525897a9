"""Runs a pipeline on this machine, node by node, and reports the outcome of each node."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from ml_metadata.proto import metadata_store_pb2
from tfx.dsl.compiler import constants
from tfx.orchestration import metadata
from tfx.orchestration.local import runner_utils
from tfx.orchestration.portable import launcher, runtime_parameter_utils, tfx_runner
from tfx.proto.orchestration import pipeline_pb2

from goldlake_core.contracts.errors import PermanentError

CACHED, COMPLETE, FAILED = "cached", "complete", "failed"
_STATES = {
    metadata_store_pb2.Execution.CACHED: CACHED,
    metadata_store_pb2.Execution.COMPLETE: COMPLETE,
}

Properties: TypeAlias = dict[str, int | float | str]
"""An artifact's properties and custom properties by name, as ML Metadata holds them."""


@dataclass
class NodeRun:
    """One node of one run.

    Attributes:
        id: Id of the node.
        state: ``cached``, ``complete`` or ``failed``.
        seconds: Wall time in seconds.
        execution: Id of its execution in ML Metadata, or None where it failed.
        outputs: URIs of the output artifacts by output key.
        properties: Properties of the first artifact by output key, plain values.
    """

    id: str
    state: str = FAILED
    seconds: float = 0.0
    execution: int | None = None
    outputs: Mapping[str, list[str]] = field(default_factory=dict)
    properties: Mapping[str, Properties] = field(default_factory=dict)


class LocalRunner(tfx_runner.IrBasedRunner):
    """TFX's LocalDagRunner, which reports every node.

    It also stops when a node's inputs cannot be resolved, which LocalDagRunner lets pass.

    Attributes:
        nodes: What ran so far, in order; complete after `run`, or up to the node that failed.
    """

    def __init__(
        self, run_id: str, on_start: Callable[[str, int, int], None] | None = None
    ) -> None:
        """Args:

        run_id: Name of this run of the pipeline in ML Metadata; see
            `metadata.stages.pipeline_run`.
        on_start: Called with node id, its number from 1, and the number of nodes.
        """
        self.nodes: dict[str, NodeRun] = {}
        self._run_id = run_id
        self._on_start = on_start

    def run_with_ir(
        self,
        pipeline: pipeline_pb2.Pipeline,
        run_options: pipeline_pb2.RunOptions | None = None,
        **kwargs: Any,
    ) -> None:
        """Runs all nodes in topological order.

        Raises:
            PermanentError: A node did not run because its inputs were not there.
            Exception: Whatever an executor raised.
        """
        runtime_parameter_utils.substitute_runtime_parameter(
            pipeline, {constants.PIPELINE_RUN_ID_PARAMETER_NAME: self._run_id}
        )
        config = runner_utils.extract_local_deployment_config(pipeline)
        which = config.metadata_connection_config.WhichOneof("connection_config")
        connection = getattr(config.metadata_connection_config, which)
        for number, node in enumerate(pipeline.nodes, start=1):
            node_id = node.pipeline_node.node_info.id
            if self._on_start is not None:
                self._on_start(node_id, number, len(pipeline.nodes))
            run = self.nodes[node_id] = NodeRun(node_id)
            started = time.monotonic()
            try:
                info = launcher.Launcher(
                    pipeline_node=node.pipeline_node,
                    mlmd_connection=metadata.Metadata(connection),
                    pipeline_info=pipeline.pipeline_info,
                    pipeline_runtime_spec=pipeline.runtime_spec,
                    executor_spec=runner_utils.extract_executor_spec(config, node_id),
                    custom_driver_spec=runner_utils.extract_custom_driver_spec(config, node_id),
                ).launch()
            finally:
                run.seconds = round(time.monotonic() - started, 2)
            with metadata.Metadata(connection) as store:
                _note_outcome(run, info, store.store)


def _note_outcome(run: NodeRun, info: Any, store: Any) -> None:
    if info is None or info.execution_id is None:
        raise PermanentError(f"The node {run.id} did not run: its inputs are not there")
    [execution] = store.get_executions_by_id([info.execution_id])
    if execution.last_known_state not in _STATES:
        name = metadata_store_pb2.Execution.State.Name(execution.last_known_state)
        raise PermanentError(f"The node {run.id} ended in state {name}: its inputs are not there")
    run.state, run.execution = _STATES[execution.last_known_state], execution.id
    events = [
        event
        for event in store.get_events_by_execution_ids([info.execution_id])
        if event.type == metadata_store_pb2.Event.OUTPUT
    ]
    artifacts = {a.id: a for a in store.get_artifacts_by_id([e.artifact_id for e in events])}
    outputs: dict[str, list[str]] = {}
    properties: dict[str, Properties] = {}
    for event in events:
        key = event.path.steps[0].key
        artifact = artifacts[event.artifact_id]
        outputs.setdefault(key, []).append(artifact.uri)
        properties.setdefault(key, _plain_properties(artifact))
    run.outputs, run.properties = outputs, properties


def _plain_properties(artifact: Any) -> Properties:
    plain: Properties = {}
    for source in (artifact.properties, artifact.custom_properties):
        for name, value in source.items():
            plain[name] = getattr(value, value.WhichOneof("value"))
    return plain
