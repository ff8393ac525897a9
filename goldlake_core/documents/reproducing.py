"""What a model was made with, and what came of making it again."""

from __future__ import annotations

from typing import Literal

import msgspec

from goldlake_core.documents.codec import FORMAT
from goldlake_core.documents.stages import Request

DataStep = Literal["bronze", "silver", "gold", "export"]
"""A step from the landed pages to the rows that a model learns from."""


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


class RemakeRequest(Request, frozen=True, kw_only=True):
    """The request of the stage ``remake``.

    Attributes:
        model: Name of the model, without its use case.
        place: Home in which the landed pages are refined again; it holds them and no table.
        export_id: The export that the model learned from, ``usecase/model/EXPORT``.
        manifest_sha256: The sha256 of that export's manifest.
        epoch: Epoch of silver that the export's gold version was made from.
        through: Number of the last page that the gold version holds.
    """

    model: str
    place: str
    export_id: str
    manifest_sha256: str
    epoch: int
    through: int


class RowsCompared(msgspec.Struct, frozen=True, kw_only=True):
    """What a step made of the landed pages then and now.

    Attributes:
        step: The step that made the rows.
        state: ``not compared`` where what the step made then is gone.
        then: Number of rows that it made then, or null where that is not known.
        now: Number of rows that it made now.
        only_then: Rows that only the first has, or null where they cannot be counted.
        only_now: Rows that only the second has, or null where they cannot be counted.
        files: Files of the export whose bytes differ, by path; none for the other steps.
        note: Why rows were not compared or cannot be counted; "" otherwise.
    """

    step: DataStep
    state: Literal["equal", "differs", "not compared"]
    then: int | None
    now: int
    only_then: int | None = None
    only_now: int | None = None
    files: tuple[str, ...] = ()
    note: str = ""


class Remade(msgspec.Struct, frozen=True, kw_only=True, tag_field="status", tag="ok"):
    """The result of the stage ``remake``.

    Attributes:
        format: Format version of the file.
        pages: Number of landed pages that were refined again.
        records: Number of their records.
        export_id: The export that was made, in the other home.
        manifest_sha256: The sha256 of its manifest.
        steps: What each step made then and now, in the order of the data.
        causes: What is not as it was, one sentence each; empty where nothing on record is.
        has_same_columns: Whether the export has the columns that the model learned from.
    """

    format: int = FORMAT
    pages: int
    records: int
    export_id: str
    manifest_sha256: str
    steps: tuple[RowsCompared, ...]
    causes: tuple[str, ...]
    has_same_columns: bool

    @property
    def is_equal(self) -> bool:
        """Whether no step that could be compared made anything else."""
        return all(each.state != "differs" for each in self.steps)


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


Step = DataStep | Literal["transform", "variables", "answers"]
"""A step from the landed pages to what a client is answered."""


class ReproduceReport(msgspec.Struct, frozen=True, kw_only=True):
    """The report of `goldlake reproduce`.

    Attributes:
        format: Format version of the document.
        run_id: Id of the run that made it.
        logs: Folder with the logs of the run.
        model: The model that was made again, such as ``bikes.is_late@7``.
        parts: Files of the export that were compared with those the model learned from.
        place: Home in which it was made again, or null where that is gone.
        remade: What came of the landed pages, or null where the rows of the export were taken.
        reproduced: What came of the training, or null where nothing could be trained on the rows
            that were made from the pages, because they are other ones.
        problem: Why nothing could be trained; "" otherwise.
        begins: The first step whose results differ, or null where all are equal.
    """

    format: int = FORMAT
    run_id: str
    logs: str
    model: str
    parts: int
    place: str | None
    remade: Remade | None = None
    reproduced: Reproduced | None
    problem: str = ""
    begins: Step | None = None

    @property
    def is_equal(self) -> bool:
        """Whether nothing that could be compared differs."""
        return self.begins is None and self.reproduced is not None
