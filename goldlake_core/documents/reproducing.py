"""What a model was made with, and what came of making it again."""

from __future__ import annotations

import msgspec

from goldlake_core.documents.codec import FORMAT
from goldlake_core.documents.stages import Request


class Environment(msgspec.Struct, frozen=True, kw_only=True):
    """The machine and the packages that a model's numbers depend on.

    Attributes:
        format: Format version of the file.
        python: Version of Python.
        packages: Version by package.
        machine: Architecture, such as ``x86_64``.
        cpu: Name of the processor.
        instructions: Its vector instructions that TensorFlow has other code for.
        intra_op_threads: Threads that work on one operation.
        inter_op_threads: Operations that run at once.
    """

    format: int = FORMAT
    python: str
    packages: dict[str, str]
    machine: str
    cpu: str
    instructions: tuple[str, ...]
    intra_op_threads: int
    inter_op_threads: int


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """All parameters of the pipeline that made a model; the file ``recipe.json`` beside it.

    Attributes:
        format: Format version of the file.
        spec: The pipeline's description of the model and of its export.
        code: Digest of goldlake's code by the step that ran it.
    """

    format: int = FORMAT
    spec: dict[str, object]
    code: dict[str, str]


class ReproduceRequest(Request, frozen=True, kw_only=True):
    """The request of the stage ``reproduce``.

    Attributes:
        model: Name of the model, without its use case.
        model_version: Version to make again.
        place: Home in which it is made; it holds the export.
        export_id: The export there, ``usecase/model/EXPORT``.
        manifest_sha256: The sha256 of that export's manifest.
    """

    model: str
    model_version: int
    place: str
    export_id: str
    manifest_sha256: str


class VariableCompared(msgspec.Struct, frozen=True, kw_only=True):
    """One variable of both models.

    Attributes:
        name: Name of the variable.
        numbers: How many numbers it holds.
        differing: How many of them differ in any bit.
        largest: The largest difference, or null where shape or type differ.
    """

    name: str
    numbers: int
    differing: int
    largest: float | None


class StepCompared(msgspec.Struct, frozen=True, kw_only=True):
    """One output of both models for the same rows of the test split.

    Attributes:
        step: ``transform`` for what the network reads, ``answers`` for what a client gets.
        output: Name of the output.
        differing: How many of its numbers differ in any bit.
        largest: The largest difference, or null where shape or type differ.
    """

    step: str
    output: str
    differing: int
    largest: float | None


class Reproduced(msgspec.Struct, frozen=True, kw_only=True, tag_field="status", tag="ok"):
    """The result of the stage ``reproduce``.

    Attributes:
        format: Format version of the file.
        is_equal: Whether all variables, files of words and answers are equal to the bit.
        variables: All variables of the model.
        outputs: Outputs that differ.
        rows: Rows of the test split whose outputs were compared.
        assets: Files of words that differ or that one of the models lacks.
        causes: What differs in the way the two were made; empty where nothing on record does.
        environment: What it was made with now.
        model_uri: Folder of the model that was made now.
    """

    format: int = FORMAT
    is_equal: bool
    variables: tuple[VariableCompared, ...]
    outputs: tuple[StepCompared, ...]
    rows: int
    assets: tuple[str, ...]
    causes: tuple[str, ...]
    environment: Environment
    model_uri: str


class ReproduceReport(msgspec.Struct, frozen=True, kw_only=True):
    """The report of `goldlake reproduce`.

    Attributes:
        format: Format version of the document.
        run_id: Id of the run that made it.
        logs: Folder with the logs of the run.
        model: The model that was made again, such as ``bikes.is_late@7``.
        parts: Files of the export that were compared with those the model learned from.
        place: Home in which it was made again, or null where that is gone.
        reproduced: What came of it.
    """

    format: int = FORMAT
    run_id: str
    logs: str
    model: str
    parts: int
    place: str | None
    reproduced: Reproduced
