"""Compiles the pipeline for Kubeflow Pipelines; needs the environment of `make kfp-env`.

TFX writes the PipelineSpec (schema 2.1.0) of the very definition that runs on this machine. What
TFX leaves out is added here: values of run-time parameters, resources, flags of executors, and the
variables by which executors find the home. The proto is described in
https://github.com/kubeflow/pipelines/blob/master/api/v2alpha1/pipeline_spec.proto.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from goldlake_core.contracts.errors import PermanentError, UsageError
from goldlake_core.contracts.keys import keys_of
from goldlake_core.contracts.sections import STEPS, Kubeflow, Training
from tfx_pipeline.modules.run_time import KEYS
from tfx_pipeline.spec import USECASE_PATH, PipelineSpec

MARK = "# Compiled by `goldlake compile`"
"""Begin of the first line of every compiled file."""
MOST_BYTES = 128_000
"""Linux takes 131,072 bytes in one argument, and a step gets all of its input in one."""
_LEFT_FOR_ARTIFACTS = 16_000
_DEFAULT_IMAGE = "default_image_path"
# The working directory of a container is the image's, so that it may be on Python's path.
_COMMAND = ("python", "-m", "tfx_pipeline.kubeflow_step")


@dataclass(frozen=True)
class KubeflowPipeline:
    """A compiled pipeline.

    Attributes:
        name: Its name, as Kubeflow allows it.
        text: The file: YAML with a comment on top.
        unprofiled: The same without what the profile says of the containers.
        steps: Names of the steps, in the order of the data.
        parameters: Default by run-time parameter.
    """

    name: str
    text: str
    unprofiled: str
    steps: tuple[str, ...]
    parameters: Mapping[str, float]


def compile_for_kubeflow(
    spec: PipelineSpec, profile: Kubeflow, *, baseline_statistics: str = ""
) -> KubeflowPipeline:
    """The pipeline as a PipelineSpec of Kubeflow Pipelines. Pure, and equal for equal arguments.

    Args:
        spec: The model and the export to train it on.
        profile: What the containers get.
        baseline_statistics: Folder to measure drift against; see `ValidationVerdictGen`.

    Raises:
        UsageError: The model asks for what Kubeflow Pipelines cannot do.
        PermanentError: kfp is not installed here, or does not read what was written.
    """
    require_possible(spec)
    try:
        from kfp.pipeline_spec import pipeline_spec_pb2
        from tfx.orchestration.data_types import RuntimeParameter
        from tfx.orchestration.kubeflow.v2 import kubeflow_v2_dag_runner as kubeflow
    except ImportError as error:
        raise PermanentError(f"Kubeflow's compiler cannot be imported: {error}") from error

    from tfx_pipeline.components.data_snapshot import DataSnapshot
    from tfx_pipeline.components.validation_verdict import ValidationVerdict
    from tfx_pipeline.pipeline import create_pipeline

    defaults = _defaults(spec, profile)
    run_time = {
        name: RuntimeParameter(name=name, ptype=KEYS[name].type, default=value)
        for name, value in defaults.items()
    }
    # Kubeflow allows lower-case letters, digits and dashes.
    name = re.sub(r"[^a-z0-9]+", "-", spec.model_id.lower())
    with _as_kubeflow_types(DataSnapshot, ValidationVerdict):
        pipeline = create_pipeline(
            spec,
            pipeline_root=profile.pipeline_root,
            name=name,
            baseline_statistics=baseline_statistics,
            run_time=run_time,
        )
        steps = tuple(sorted((node.id for node in pipeline.components), key=STEPS.index))
        for node in pipeline.components:
            node.with_platform_config(_resources(profile, node.id, pipeline_spec_pb2))
        images = {step: profile.step(step).image for step in steps}
        runner = kubeflow.KubeflowV2DagRunner(
            config=kubeflow.KubeflowV2DagRunnerConfig(
                default_image={**images, _DEFAULT_IMAGE: profile.image},
                default_commands=list(_COMMAND),
                use_pipeline_spec_2_1=True,
            )
        )
        document = runner.run(pipeline, write_out=False)["pipelineSpec"]
    _add_flags(document, pipeline.components)
    _require_short_arguments(document)
    _set_defaults(document, defaults)
    unprofiled = _yaml(document)
    _set_places(document, profile)
    head = f"{MARK} from {spec.model_id} on the export {spec.export_id}. Change the model's file,\n"
    text = f"{head}# not this one, and compile again.\n{_yaml(document)}"
    _require_readable(text)
    return KubeflowPipeline(name, text, unprofiled, steps, defaults)


def require_possible(spec: PipelineSpec) -> None:
    """Refuses what Kubeflow Pipelines cannot do. Pure.

    Raises:
        UsageError: Names the key, and what to write in its place.
    """
    if spec.handoff == "csv_example_gen":
        # The driver of CsvExampleGen is a hook before the cache is asked (lifecycle), which only
        # Vertex AI calls, and TFX names the step that it reads the folder from wrongly.
        raise UsageError(
            f"{spec.model_id} has handoff: csv_example_gen, whose driver Kubeflow Pipelines does "
            "not run",
            valid="handoff: snapshot_example_gen, which reads the same export",
        )


def _defaults(spec: PipelineSpec, profile: Kubeflow) -> dict[str, float]:
    """The contract's value of each run-time parameter, as it is for this number of rows."""
    sized = spec.training.training.sized(spec.rows["train"])
    known = {key.name: getattr(sized, key.attribute) for key in keys_of(Training)}
    return {name: KEYS[name].type(known[name]) for name in sorted(profile.parameters)}


def _resources(profile: Kubeflow, step: str, messages: Any) -> Any:
    """Kubeflow's ResourceSpec of a step; memory in GB. 0 means no limit."""
    wanted = profile.step(step)
    kind = messages.PipelineDeploymentConfig.PipelineContainerSpec.ResourceSpec
    resources = kind(cpu_limit=wanted.cpu or 0, memory_limit=wanted.memory_gb or 0)
    if wanted.accelerator:
        resources.accelerator.type = wanted.accelerator
        resources.accelerator.count = wanted.accelerators
    return resources


def _set_defaults(document: dict[str, Any], defaults: Mapping[str, float]) -> None:
    """Run-time parameters with the contract's values; TFX writes them without."""
    for name, value in defaults.items():
        parameter = document["root"]["inputDefinitions"]["parameters"][name]
        parameter["defaultValue"] = value
        parameter["isOptional"] = True
        parameter["description"] = KEYS[name].key.about


def _add_flags(document: dict[str, Any], nodes: Iterable[Any]) -> None:
    """Adds the flags of each executor to its arguments.

    TFX leaves them out. The hash of the code is one (`add_to_cache_key`), and Kubeflow's cache key
    covers the arguments.
    """
    for node in nodes:
        label = document["components"][node.id]["executorLabel"]
        container = document["deploymentSpec"]["executors"][label]["container"]
        container["args"] += node.executor_spec.extra_flags


def _set_places(document: dict[str, Any], profile: Kubeflow) -> None:
    """Where the containers find the home and the use case, and where artifacts go."""
    variables = {"GOLDLAKE_HOME": profile.home, "TF_CPP_MIN_LOG_LEVEL": "2"}
    if profile.usecase:
        variables[USECASE_PATH] = profile.usecase
    env = [{"name": name, "value": value} for name, value in sorted(variables.items())]
    for executor in document["deploymentSpec"]["executors"].values():
        executor["container"]["env"] = env
    if profile.pipeline_root:
        document["defaultPipelineRoot"] = profile.pipeline_root


def _require_short_arguments(document: Mapping[str, Any]) -> None:
    for name, task in document["root"]["dag"]["tasks"].items():
        given = task.get("inputs", {}).get("parameters", {})
        size = len(json.dumps(given)) + _LEFT_FOR_ARTIFACTS
        if size > MOST_BYTES:
            key, _ = max(given.items(), key=lambda item: len(json.dumps(item[1])))
            raise UsageError(
                f"The step {name} would get {size:,} bytes in one argument, most of them in {key}, "
                "and a container takes fewer",
                valid=f"at most {MOST_BYTES:,} bytes: shorter domains and fewer features, or "
                "`goldlake train` on this machine",
            )


def _require_readable(text: str) -> None:
    """Has kfp's own loader read the file."""
    from kfp.components import load_component_from_text

    try:
        load_component_from_text(text)
    except Exception as error:
        raise PermanentError(
            f"kfp does not read the pipeline that TFX wrote: {type(error).__name__}: {error}",
            hint="make kfp-env, where versions of both go together",
        ) from error


class _Plain(yaml.SafeDumper):
    """Writes each value where it is used, without anchors."""

    def ignore_aliases(self, data: Any) -> bool:
        """Never makes an alias."""
        return True


def _yaml(document: Mapping[str, Any]) -> str:
    return yaml.dump(document, Dumper=_Plain, sort_keys=True, width=1000, allow_unicode=True)


@contextlib.contextmanager
def _as_kubeflow_types(*artifact_types: Any) -> Iterator[None]:
    """Gives artifact types the form that Kubeflow accepts while the definition is written.

    Its compiler refuses type names without a package (its containers import the type by that name)
    and typed properties. ML Metadata on this machine keeps the plain names and the properties.
    """
    plain = [(kind, kind.TYPE_NAME, kind.PROPERTIES) for kind in artifact_types]
    try:
        for kind, name, _ in plain:
            kind.TYPE_NAME, kind.PROPERTIES = f"{__package__}.{name}", None
        yield
    finally:
        for kind, name, properties in plain:
            kind.TYPE_NAME, kind.PROPERTIES = name, properties
