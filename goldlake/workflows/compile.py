"""The pipeline of a model for an orchestrator: export where needed, then the file."""

from __future__ import annotations

from pathlib import Path

from goldlake.workflows.exports import exported
from goldlake.workflows.history import recorded
from goldlake.workflows.ingest import usecase_reference
from goldlake.workflows.kfp_env import KfpEnvironment, kfp_environment
from goldlake.workflows.names import load_model, require_table
from goldlake.workflows.processes import OnEvent, Run, StageFailed
from goldlake_core.contracts.errors import PermanentError, UsageError
from goldlake_core.contracts.ids import TableId
from goldlake_core.contracts.loader import MODELS
from goldlake_core.contracts.sections import Model, UseCase
from goldlake_core.documents.compiling import Compiled, CompileReport, CompileRequest
from goldlake_core.storage.home import Home

# The first words of each file that the stage writes; `tfx_pipeline.kubeflow` would import TFX's.
_MARK = b"# Compiled by `goldlake compile`"
_BROKEN = frozenset({"StageFailed", "ImportError", "ModuleNotFoundError", "AttributeError"})


@recorded("compile")
def compile_model(
    model: str, target: str, out: str | None, home: Home, on_event: OnEvent
) -> CompileReport:
    """Writes the pipeline of a model on its newest export for an orchestrator.

    Args:
        model: Such as ``city_bikes.is_late``.
        target: The orchestrator, ``kubeflow``.
        out: File to write, or None for ``MODEL.TARGET.yaml`` in the working directory.
        home: Where everything is kept.
        on_event: Called with the stages' events.

    Raises:
        UsageError: There is no such model, profile, gold table or folder, the file holds something
            else, or the model asks for what the orchestrator cannot do.
        PermanentError: The environment with kfp is missing, damaged or of other versions.
        StageFailed: A stage ended with an error; exit code 3 when the validation gate said no.
    """
    usecase, contract = load_model(model)
    require_profile(usecase, contract)
    file = output_file(out or f"{usecase.name}.{contract.name}.{target}.yaml")
    require_table(TableId(usecase.name, "gold", contract.table), home)
    environment = kfp_environment()
    reference = usecase_reference(model, usecase.name)
    run = Run.new(home)
    export = exported(run, reference, usecase, contract, on_event)
    asked = run.request(
        CompileRequest,
        reference,
        usecase,
        model=contract.name,
        export_id=export.export_id,
        manifest_sha256=export.manifest_sha256,
        out=str(file),
    )
    return CompileReport(
        run_id=run.run_id,
        logs=str(run.logs),
        model=f"{usecase.name}.{contract.name}",
        target=target,
        export=export,
        compile=_compiled(run, asked, environment, on_event),
    )


def require_profile(usecase: UseCase, model: Model) -> None:
    """Refuses a model whose file says nothing of containers. Pure.

    Raises:
        UsageError: The key ``kubeflow`` is missing; the text says what to write.
    """
    if model.kubeflow is None:
        file = usecase.folder / MODELS / f"{model.name}.yaml"
        raise UsageError(
            f"{file} has no key kubeflow, so that no image is known for the containers",
            valid="kubeflow: {image: registry.example.com/goldlake:1.0, home: gs://BUCKET/goldlake}",
            hint=f"add it to {file}, then the same command again",
        )


def output_file(text: str) -> Path:
    """The file to write, as an absolute path. Read-only.

    Raises:
        UsageError: It is not a YAML file in a folder that exists, or holds something else than a
            compiled pipeline.
    """
    file = Path(text).expanduser().absolute()
    if file.suffix not in (".yaml", ".yml"):
        raise UsageError(
            f"Kubeflow Pipelines does not take a file called {file.name}",
            valid="a name that ends in .yaml",
        )
    if not file.parent.is_dir():
        raise UsageError(f"There is no folder {file.parent}", hint=f"mkdir -p {file.parent}")
    if file.is_dir():
        raise UsageError(f"{file} is a folder", valid="a file that is not there yet")
    if file.exists():
        with file.open("rb") as opened:
            begin = opened.read(len(_MARK))
        if begin and begin != _MARK:
            raise UsageError(
                f"{file} holds something that goldlake compile did not write, and stays as it is",
                valid="a new file, or one of an earlier goldlake compile",
            )
    return file


def _compiled(
    run: Run, request: CompileRequest, environment: KfpEnvironment, on_event: OnEvent
) -> Compiled:
    try:
        results = run.stages("tfx_pipeline", [request], on_event, program=environment.program)
    except StageFailed as failed:
        if failed.error.type not in _BROKEN:
            raise
        raise PermanentError(
            f"The environment of {environment.python} is damaged: {failed.message}",
            hint=f"{environment.repair}; then the same command again",
        ) from failed
    compiled: Compiled = results["compile"]
    return compiled
