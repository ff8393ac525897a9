"""The stage ``compile``: the pipeline of a model and an export, as a file for an orchestrator."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os

from fsspec.implementations.local import LocalFileSystem

from goldlake_core.contracts import registry
from goldlake_core.contracts.errors import UsageError
from goldlake_core.documents.compiling import Compiled, CompileRequest, Parameter
from goldlake_core.stages import Emit, require_same_contract
from goldlake_core.storage.files import read_bytes, write_atomic
from goldlake_core.storage.home import Home
from tfx_pipeline.baseline import drift_statistics
from tfx_pipeline.kubeflow import compile_for_kubeflow
from tfx_pipeline.portable import places_of, require_no_paths, require_no_secrets, secrets_of
from tfx_pipeline.stages import asked_spec


def compile_pipeline(request: CompileRequest, emit: Emit) -> Compiled:
    """Writes the file; changes nothing in the home. A file with the same bytes is left alone.

    Args:
        request: The model, the export and the file to write.
        emit: Takes progress events.

    Raises:
        UsageError: The model has no profile, or asks for what the orchestrator cannot do.
        PermanentError: The file would hold a path of this machine or a secret.
        StoreError: The export was changed or made under another contract, or the disk is full.
    """
    home = Home.at(request.home)
    usecase = registry.load_usecase(request.usecase)
    model = usecase.models[request.model]
    require_same_contract(request, usecase, f"gold.{model.table}", f"model.{model.name}.")
    profile = model.kubeflow
    if profile is None:
        raise UsageError(
            f"{usecase.name}.{model.name} has no profile for Kubeflow", valid="the key kubeflow"
        )
    spec = asked_spec(request, home, usecase, model)
    emit("progress", "Starting TFX and kfp", done=0, total=1)
    statistics = drift_statistics(home, spec) if home.is_local else ""
    made = compile_for_kubeflow(spec, profile, baseline_statistics=statistics)
    require_no_paths(made.unprofiled, places_of(home, usecase))
    require_no_secrets(made.text, secrets_of(usecase, os.environ))
    data, disk = made.text.encode(), LocalFileSystem()
    is_changed = read_bytes(disk, request.out) != data
    if is_changed:
        write_atomic(disk, request.out, data)
    return Compiled(
        pipeline=made.name,
        file=request.out,
        bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        is_changed=is_changed,
        steps=made.steps,
        images=tuple(sorted({profile.step(step).image for step in made.steps})),
        home=profile.home,
        parameters=tuple(
            Parameter(name=name, default=value) for name, value in made.parameters.items()
        ),
        baseline_version=spec.compared_version,
        kfp=importlib.metadata.version("kfp"),
    )
