"""What compiling a pipeline for an orchestrator is asked, and what it wrote."""

from __future__ import annotations

import msgspec

from goldlake_core.documents.codec import FORMAT
from goldlake_core.documents.lakehouse import Exported
from goldlake_core.documents.stages import TrainRequest


class CompileRequest(TrainRequest, frozen=True, kw_only=True):
    """The request of the stage ``compile``.

    Attributes:
        out: File to write; an absolute path.
    """

    out: str


class Parameter(msgspec.Struct, frozen=True, kw_only=True):
    """A value that each run may be given another value for.

    Attributes:
        name: Key of ``training``.
        default: Value of a run that gives none.
    """

    name: str
    default: float


class Compiled(msgspec.Struct, frozen=True, kw_only=True, tag_field="status", tag="ok"):
    """The result of the stage ``compile``.

    Attributes:
        format: Format version of the file.
        pipeline: Name of the pipeline, as Kubeflow allows it.
        file: The file that was written.
        bytes: Size of the file.
        sha256: Its sha256; the same definition gives the same bytes.
        is_changed: Whether the file was written; false where it had these bytes already.
        steps: Names of the steps, in the order of the data.
        images: Container images, sorted.
        home: The home as the containers see it.
        parameters: The run-time parameters.
        baseline_version: Version that a candidate is compared with, or null.
        kfp: Version of kfp whose loader read the file.
    """

    format: int = FORMAT
    pipeline: str
    file: str
    bytes: int
    sha256: str
    is_changed: bool
    steps: tuple[str, ...]
    images: tuple[str, ...]
    home: str
    parameters: tuple[Parameter, ...]
    baseline_version: int | None
    kfp: str


class CompileReport(msgspec.Struct, frozen=True, kw_only=True):
    """The report of `goldlake compile`.

    Attributes:
        run_id: Id of the run.
        logs: Folder of its log files.
        model: The model, such as ``bikes.is_late``.
        target: The orchestrator, such as ``kubeflow``.
        export: The export that the pipeline trains on.
        compile: Result of compiling.
    """

    run_id: str
    logs: str
    model: str
    target: str
    export: Exported
    compile: Compiled
