"""Entry point of each container of a compiled pipeline: readies the arguments, then TFX's own runs.

TFX's entry point takes the type of every input artifact from the orchestrator. Vertex AI sends it,
open-source Kubeflow Pipelines does not (https://github.com/tensorflow/tfx/issues/7768). The step's
arguments hold the types too, so they are filled in from there.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

TFX_MAIN = "tfx.orchestration.kubeflow.v2.container.kubeflow_v2_run_executor"
INPUT = "--json_serialized_invocation_args"
TYPES = "--json_serialized_inputs_spec_args"
CODE_HASH = "--code_hash="
"""Begin of the argument that only enters Kubeflow's cache key, as no executor reads it."""


def tfx_arguments(arguments: Sequence[str]) -> list[str]:
    """The arguments for TFX's entry point. Pure.

    Args:
        arguments: Those of the container, as the orchestrator resolved them.
    """
    known = [each for each in arguments if not each.startswith(CODE_HASH)]
    if INPUT in known and TYPES in known:
        place = known.index(INPUT) + 1
        known[place] = with_types(known[place], known[known.index(TYPES) + 1])
    return known


def with_types(executor_input: str, inputs_spec: str) -> str:
    """The input of a step with the type of every input artifact. Pure.

    Args:
        executor_input: Kubeflow's ExecutorInput as JSON.
        inputs_spec: The component's ComponentInputsSpec as JSON. It has the types.

    Returns:
        The ExecutorInput as JSON. A type that the orchestrator sent is left as it is.
    """
    from google.protobuf import json_format
    from kfp.pipeline_spec import pipeline_spec_pb2

    given, spec = pipeline_spec_pb2.ExecutorInput(), pipeline_spec_pb2.ComponentInputsSpec()
    json_format.Parse(executor_input, given, ignore_unknown_fields=True)
    json_format.Parse(inputs_spec, spec, ignore_unknown_fields=True)
    for name, artifacts in given.inputs.artifacts.items():
        for artifact in artifacts.artifacts:
            if name in spec.artifacts and artifact.type.WhichOneof("kind") is None:
                artifact.type.CopyFrom(spec.artifacts[name].artifact_type)
    text: str = json_format.MessageToJson(given, indent=None)
    return text


if __name__ == "__main__":
    import runpy

    sys.argv[1:] = tfx_arguments(sys.argv[1:])
    runpy.run_module(TFX_MAIN, run_name="__main__", alter_sys=True)
