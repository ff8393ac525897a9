"""Compiles the pipeline for Kubeflow Pipelines; needs the environment of `make kfp-env`."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from typing import Any

from goldlake_core.contracts.errors import PermanentError
from tfx_pipeline.spec import PipelineSpec


def compile_for_kubeflow(
    spec: PipelineSpec, output: str | os.PathLike[str], *, pipeline_root: str, image: str
) -> None:
    """Writes the pipeline's definition as the JSON that Kubeflow Pipelines takes.

    The containers find the home by the environment variable GOLDLAKE_HOME of their image; nothing
    of this machine is in the definition.

    Args:
        spec: The model and the export to train it on.
        output: File to write.
        pipeline_root: Where the orchestrator keeps artifacts, such as ``gs://bucket/pipelines``.
        image: Container image with goldlake installed.

    Raises:
        PermanentError: kfp is not installed here.
    """
    try:
        from tfx.orchestration.kubeflow.v2 import kubeflow_v2_dag_runner as kubeflow
    except ImportError as error:
        raise PermanentError(
            f"Kubeflow's compiler cannot be imported: {error}", hint="make kfp-env"
        ) from error

    from tfx_pipeline.components.data_snapshot import DataSnapshot
    from tfx_pipeline.components.validation_verdict import ValidationVerdict
    from tfx_pipeline.pipeline import create_pipeline

    runner = kubeflow.KubeflowV2DagRunner(
        config=kubeflow.KubeflowV2DagRunnerConfig(default_image=image),
        output_dir=os.path.dirname(os.path.abspath(output)),
        output_filename=os.path.basename(output),
    )
    # Kubeflow allows lower-case letters, digits and dashes.
    name = re.sub(r"[^a-z0-9]+", "-", spec.model_id.lower())
    with _as_kubeflow_types(DataSnapshot, ValidationVerdict):
        runner.run(create_pipeline(spec, pipeline_root=pipeline_root, name=name))


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
