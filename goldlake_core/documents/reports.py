"""What commands print: reports of what was done and views of what a home holds."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import msgspec

from goldlake_core.documents.lakehouse import (
    Exported,
    Followed,
    Landed,
    Refined,
    TableEntry,
    Totals,
)
from goldlake_core.documents.stages import StageError
from goldlake_core.documents.training import Metrics, Trained

Scalar = int | float | str | bool
Row = dict[str, Scalar | tuple[Scalar | None, ...] | None]
"""A row by column or input; a missing value is null."""


class SourceStarted(msgspec.Struct, frozen=True, kw_only=True):
    """The embedded source of a run.

    Attributes:
        url: Address of the source.
        rows: Number of generated rows.
        seed: Seed of the generator.
    """

    url: str
    rows: int
    seed: int


class ServerAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What a server answered when it was asked for a label.

    Attributes:
        url: Base URL of the server.
        version: Version that answers for the label there, or null where the server did not say.
        problem: Why the promotion is not confirmed there, or empty where it is.
    """

    url: str
    version: int | None
    problem: str = ""


class Promotion(msgspec.Struct, frozen=True, kw_only=True):
    """The report of `goldlake promote` and `goldlake rollback`.

    Attributes:
        model: The model, such as ``bikes.is_late``.
        version: Version that has the label now in ``models.config``.
        label: The label that was moved.
        before: Version that had the label before, or null.
        servers: What each server of the home answers, empty where none is running.
        notes: What was left by interrupted promotions and is settled now.
        is_dry_run: Whether nothing was changed, and this is what would be done.
    """

    model: str
    version: int
    label: str
    before: int | None
    servers: tuple[ServerAnswer, ...] = ()
    notes: tuple[str, ...] = ()
    is_dry_run: bool = False

    @property
    def is_confirmed(self) -> bool:
        """Whether every server that was asked answers with the version."""
        return not any(server.problem for server in self.servers)


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What the served model answers to an example of the contract.

    Attributes:
        instance: The example as the contract has it.
        answer: The server's prediction.
    """

    instance: Row
    answer: Any


class ModelReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a run did for one model.

    Attributes:
        export: The export that the model was trained on.
        train: Result of the training, or null when the validation gate ended it.
        promotion: The promotion, or null when the candidate was not blessed.
        answers: What the served model answers to the contract's examples.
        refused: Error of the validation gate, or null.
        answers_recorded: The run in which the model gave these answers, if it was not asked again
            because nothing changed; else null.
    """

    export: Exported
    train: Trained | None = None
    promotion: Promotion | None = None
    answers: tuple[Answer, ...] = ()
    refused: StageError | None = None
    answers_recorded: str | None = None


class RunReport(msgspec.Struct, frozen=True, kw_only=True):
    """The report of `goldlake run`.

    Attributes:
        run_id: Id of the run.
        home: The home it worked on.
        logs: Folder of its log files.
        usecase: Name of the use case.
        source: The source as it was asked for.
        models: What was done for each model, by ``usecase.model``.
        exit_code: 3 when a gate refused a model, else 0.
        land: Result of the stage ``land``.
        refine: Result of the stage ``refine``.
        seconds: Duration of the run in seconds.
    """

    run_id: str
    home: str
    logs: str
    usecase: str
    source: str
    models: dict[str, ModelReport]
    exit_code: int
    land: Landed
    refine: Refined
    seconds: float


class IngestReport(msgspec.Struct, frozen=True, kw_only=True, tag_field="status", tag="ok"):
    """The report of `goldlake ingest`.

    Attributes:
        run_id: Id of the run.
        home: The home it worked on.
        logs: Folder of its log files.
        usecase: Name or path of the use case, as it was given.
        land: Result of the stage ``land``.
        refine: Result of the stage ``refine``.
    """

    run_id: str
    home: str
    logs: str
    usecase: str
    land: Landed
    refine: Refined


class FollowReport(msgspec.Struct, frozen=True, kw_only=True, tag_field="status", tag="ok"):
    """The report of `goldlake ingest --follow` when it ended.

    Attributes:
        run_id: Id of the run.
        home: The home it worked on.
        logs: Folder of its log files.
        usecase: Name or path of the use case, as it was given.
        follow: How it stood at the end.
    """

    run_id: str
    home: str
    logs: str
    usecase: str
    follow: Followed


class RebuildReport(msgspec.Struct, frozen=True, kw_only=True):
    """The report of `goldlake rebuild`.

    Attributes:
        run_id: Name of the run.
        home: Folder or URL that holds everything.
        logs: Folder of the run's log files.
        usecase: Name or path of the use case.
        refine: What became of the records.
    """

    run_id: str
    home: str
    logs: str
    usecase: str
    refine: Refined


class TrainReport(msgspec.Struct, frozen=True, kw_only=True):
    """The report of `goldlake train`.

    Attributes:
        run_id: Id of the run.
        logs: Folder of its log files.
        model: The model, such as ``bikes.is_late``.
        export: The export that the model was trained on.
        train: Result of the training.
    """

    run_id: str
    logs: str
    model: str
    export: Exported
    train: Trained


class UseCaseTables(Totals, frozen=True, kw_only=True):
    """What a home holds of one use case.

    Attributes:
        tables: The tables in the order of their layers.
    """

    tables: tuple[TableEntry, ...]


TablesView: TypeAlias = dict[str, UseCaseTables]
"""The answer of `goldlake tables`, by use case."""


class ModelVersion(msgspec.Struct, frozen=True, kw_only=True):
    """A pushed version of a model. Fields are null for a version that was put there by hand.

    Attributes:
        version: Number of the version.
        table: Id of the gold table that the model learned from.
        table_version: Version of the gold table.
        content_hash: Digest of the rows of that version.
        metrics: The model's metrics on the test split.
        pushed_at: Instant of the push, ISO 8601 in UTC.
        labels: Labels that the version has now.
        serves: Whether it has the label ``stable``. Requests that name neither version nor label
            are answered by the newest version with a label other than ``shadow``.
        blessed: Whether its evaluation blessed it; null for a version that was put there by hand.
        why: Why it was blessed, or null where an earlier goldlake pushed it.
    """

    version: int
    table: str | None
    table_version: int | None
    content_hash: str | None
    metrics: Metrics
    pushed_at: str | None
    labels: tuple[str, ...]
    serves: bool = False
    blessed: bool | None = None
    why: str | None = None


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """A candidate that its evaluation refused, on record in ML Metadata.

    Attributes:
        artifact: Id of the ModelBlessing artifact.
        time: Instant of the refusal, ISO 8601 in UTC.
        baseline_version: Version that it was compared with, or null.
        reasons: What refused it, one sentence each; cut where they are very long.
        evaluation: The file ``evaluation.json`` with every slice.
    """

    artifact: int
    time: str
    baseline_version: int | None
    reasons: tuple[str, ...]
    evaluation: str


class ModelVersions(msgspec.Struct, frozen=True, kw_only=True):
    """The versions of one model.

    Attributes:
        versions: The versions, ascending.
        refused: The newest candidates that were refused, the newest first.
    """

    versions: tuple[ModelVersion, ...]
    refused: tuple[Refusal, ...] = ()


class ModelsView(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of `goldlake models`.

    Attributes:
        models: The versions by model, such as ``bikes.is_late``.
    """

    models: dict[str, ModelVersions]


class PromotionRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A promotion on record in ML Metadata.

    Attributes:
        execution: Id of the execution.
        model: The model, such as ``bikes.is_late``.
        version: Version that was promoted.
        label: Label that it got.
        time: Instant of the promotion, ISO 8601 in UTC.
        kind: ``rollback`` where the version before was asked for, else ``promote``.
        before: Version that had the label before, or null.
        who: User and machine that asked for it; empty where an earlier goldlake recorded it.
        why: The reason that was given, or empty.
    """

    execution: int
    model: str
    version: int
    label: str
    time: str
    kind: Literal["promote", "rollback"] = "promote"
    before: int | None = None
    who: str = ""
    why: str = ""


class SnapshotRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A table version that models learned from.

    Attributes:
        table: Id of the gold table.
        version: Version of the gold table.
        table_uuid: Id that Delta gave the table when it was made.
        content_hash: Digest of the rows of that version.
        as_of: Newest change at the source that the version holds, ISO 8601 in UTC.
        export_id: The export that was made of it.
        manifest_sha256: Digest of the export's manifest.
        artifact: Id of the artifact.
    """

    table: str | None
    version: int | None
    table_uuid: str | None
    content_hash: str | None
    as_of: str | None
    export_id: str | None
    manifest_sha256: str | None
    artifact: int


class PushedRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A pushed model version in a lineage.

    Attributes:
        id: The version, such as ``bikes.is_late@7``.
        artifact: Id of the artifact.
        pushed_at: Instant of the push, ISO 8601 in UTC.
        promotions: Promotions of this version, oldest first.
    """

    id: str
    artifact: int
    pushed_at: str
    promotions: tuple[PromotionRecord, ...]


class ArtifactRecord(msgspec.Struct, frozen=True, kw_only=True):
    """An artifact of ML Metadata.

    Attributes:
        id: Id of the artifact.
        type: Name of its type, such as ``Examples``.
        uri: Place of its payload.
        created_at: Instant of its creation, ISO 8601 in UTC.
        properties: Properties and custom properties by name.
    """

    id: int
    type: str
    uri: str
    created_at: str
    properties: dict[str, Scalar]


class ExecutionRecord(msgspec.Struct, frozen=True, kw_only=True):
    """An execution of ML Metadata.

    Attributes:
        id: Id of the execution.
        type: Name of its type, such as ``tfx.components.trainer.component.Trainer``.
        state: State of the execution, such as ``COMPLETE``.
        created_at: Instant of its creation, ISO 8601 in UTC.
        properties: Properties and custom properties by name.
    """

    id: int
    type: str
    state: str
    created_at: str
    properties: dict[str, Scalar]


class LineageStep(msgspec.Struct, frozen=True, kw_only=True):
    """What went into an execution and what came out of it, by artifact id.

    Attributes:
        execution: Id of the execution.
        inputs: What it was made from.
        compared_with: What it was only compared with.
        outputs: What it made.
    """

    execution: int
    inputs: tuple[int, ...]
    compared_with: tuple[int, ...]
    outputs: tuple[int, ...]


class Lineage(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of `goldlake lineage`.

    Attributes:
        id: The model version or table that was asked for.
        direction: ``backwards`` from a model, ``forwards`` from a table.
        roots: Ids of the artifacts to begin reading at.
        snapshots: Table versions on the way.
        models: Pushed model versions on the way.
        artifacts: Artifacts of all steps.
        executions: Executions on the way.
        steps: Inputs and outputs of each execution.
    """

    id: str
    direction: Literal["backwards", "forwards"]
    roots: tuple[int, ...]
    snapshots: tuple[SnapshotRecord, ...]
    models: tuple[PushedRecord, ...]
    artifacts: tuple[ArtifactRecord, ...]
    executions: tuple[ExecutionRecord, ...]
    steps: tuple[LineageStep, ...]


class Predictions(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of `goldlake predict`.

    Attributes:
        predictions: One prediction per row, as the server answered it.
    """

    predictions: tuple[Any, ...]


class SourceAddress(msgspec.Struct, frozen=True, kw_only=True):
    """The first line of `goldlake source`.

    Attributes:
        url: Address of the running source.
    """

    url: str


class Finding(msgspec.Struct, frozen=True):
    """One thing that `goldlake doctor` looked at.

    Attributes:
        name: Name of the check.
        is_ok: Whether the machine has what is needed.
        found: What the machine has.
        wanted: What it should have.
        fix: Command that fixes it; empty when there is nothing to fix.
    """

    name: str
    is_ok: bool
    found: str
    wanted: str
    fix: str = ""


class Findings(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of `goldlake doctor`.

    Attributes:
        findings: The checks in the order they were made.
        sizes: Size of each part of the home in bytes.
        repaired: What was repaired, one sentence each.
    """

    findings: tuple[Finding, ...]
    sizes: dict[str, int] = {}
    repaired: tuple[str, ...] = ()


class RowsView(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of `goldlake show`.

    Attributes:
        table: The table and its version, such as ``bikes.silver.rentals@3``.
        total: Number of rows that match in all.
        rows: The rows by column; instants are ISO 8601 texts in UTC, a missing value is null.
    """

    table: str
    total: int
    rows: tuple[Row, ...]


class ReportWritten(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of `goldlake report`.

    Attributes:
        subject: What the report is about: a model version, or a use case.
        file: The file that was written.
        bytes: Size of the file.
        sections: Names of its sections in order.
    """

    subject: str
    file: str
    bytes: int
    sections: tuple[str, ...]


class MlflowCopy(msgspec.Struct, frozen=True, kw_only=True):
    """A pushed version as MLflow has it.

    Attributes:
        id: The version, such as ``bikes.is_late@7``.
        run_id: Id of the run in MLflow.
        version: Number of the registered version in MLflow, which counts by itself.
        aliases: Aliases that it has there: the labels of the version.
        is_new: Whether this copy made or completed the run.
    """

    id: str
    run_id: str
    version: int
    aliases: tuple[str, ...]
    is_new: bool


class MlflowCopies(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of `goldlake models --mlflow`.

    Attributes:
        uri: Address of the MLflow server.
        copies: Every pushed version, by model and number.
    """

    uri: str
    copies: tuple[MlflowCopy, ...]
