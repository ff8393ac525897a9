"""The answers of `goldlake lineage` and `goldlake diff`.

Lists are bounded, with the number of all that there are. An instant is ISO 8601 in
UTC, a path is relative to the home.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from goldlake_core.documents.provenance import Environment
from goldlake_core.documents.reports import Lineage
from goldlake_core.documents.training import Metrics

Scalar = int | float | str | bool | None
Output = Scalar | list[Any]
"""An output of a model as JSON has it."""


class LandedPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of the landing zone.

    Attributes:
        sequence: Number of the page in the order of landing.
        name: Name of its file.
        url: The request that answered with it.
        landed_at: When it was landed.
        rows: Number of records in it.
        sha256: Digest of the file's bytes.
        run_id: The run that landed it.
    """

    sequence: int
    name: str
    url: str
    landed_at: str
    rows: int
    sha256: str
    run_id: str


class LandedPages(msgspec.Struct, frozen=True, kw_only=True):
    """The pages that a table version holds.

    Attributes:
        total: Number of all pages.
        rows: Number of records in all pages.
        pages: Some of them, the newest first.
    """

    total: int = 0
    rows: int = 0
    pages: tuple[LandedPage, ...] = ()


class TableStep(msgspec.Struct, frozen=True, kw_only=True):
    """A version of a table on the way from the pages to the model.

    Attributes:
        table: Id of the table.
        version: Version of the table.
        made_at: The commit of goldlake's own that made its rows, which may be an earlier version.
        committed_at: When that commit was made.
        run_id: The run that made it.
        rows: Number of rows, or null where the table's log does not hold the version any more.
        epoch: Number of the epoch of silver.
        through: Sequence of the last page whose records it holds.
        recorded: Whether ML Metadata has the version.
    """

    table: str
    version: int
    made_at: int
    committed_at: str
    run_id: str
    rows: int | None = None
    epoch: int | None = None
    through: int | None = None
    recorded: bool = False


class RunStep(msgspec.Struct, frozen=True, kw_only=True):
    """The run that trained a model.

    Attributes:
        run_id: Name of the run.
        command: Command that made it, or null where its documents are gone.
        began_at: When it began, or null where its documents are gone.
        pipeline_run: Name of TFX's run in ML Metadata.
        contract: Hashes of the contract's sections by section.
        environment: The code and the packages, or null where they are not on record.
    """

    run_id: str
    command: str | None = None
    began_at: str | None = None
    pipeline_run: str | None = None
    contract: dict[str, str] = {}
    environment: Environment | None = None


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody accepted at the gate.

    Attributes:
        table: Id of the table.
        column: Name of the column.
        periods: The periods that it is about.
        because: Why it is right.
        who: Name of the user.
        at: When it was accepted.
    """

    table: str
    column: str
    periods: tuple[str, ...]
    because: str
    who: str
    at: str


class VerdictStep(msgspec.Struct, frozen=True, kw_only=True):
    """What a gate said of the data of a model.

    Attributes:
        gate: ``tfdv`` judges the splits, ``periods`` each period of a table.
        subject: Id of the table version, or of the artifact.
        verdict: ``passed`` or ``refused``.
        findings: Number of anomalies, or of values beyond their limits.
        run_id: The run that judged, or null where that is not on record.
        periods: Number of periods that were judged.
        is_input: Whether the verdict is an input of the training in ML Metadata.
        accepted: What had been accepted.
    """

    gate: Literal["tfdv", "periods"]
    subject: str
    verdict: str
    findings: int
    run_id: str | None = None
    periods: int | None = None
    is_input: bool = False
    accepted: tuple[Accepted, ...] = ()


class EvaluationStep(msgspec.Struct, frozen=True, kw_only=True):
    """How a model was evaluated.

    Attributes:
        why: Why it is blessed.
        baseline_version: Version that it was compared with, or null.
        metrics: Metrics on the test split.
        slices: Number of slices in the report.
        file: The report with every slice, or null where there is none.
    """

    why: str | None
    baseline_version: int | None
    metrics: Metrics
    slices: int = 0
    file: str | None = None


class ExportStep(msgspec.Struct, frozen=True, kw_only=True):
    """The export that a model learned from.

    Attributes:
        export_id: Name of the export inside the home.
        manifest_sha256: Digest of its manifest.
        table: Id and version of the gold table.
        content_hash: Digest of the rows of that version.
        as_of: Newest change at the source that it holds.
        rows: Rows by split and those left out; empty where the export is gone.
    """

    export_id: str
    manifest_sha256: str
    table: str
    content_hash: str
    as_of: str
    rows: dict[str, int] = {}


class RequestStep(msgspec.Struct, frozen=True, kw_only=True):
    """A request of the request log.

    Attributes:
        request_id: Id of the request.
        at: When it began.
        model: Name of the model.
        version: Version that answered, or null where the request was refused.
        label: Label that the client asked for, or null.
        status: Canonical code, such as ``OK``.
        rows: Number of its rows.
        record_keys: Keys of the records that it is about, as far as they were sent; some of them.
        outputs: Outputs of its first row.
        file: File of the log that has it.
    """

    request_id: str
    at: str
    model: str
    version: int | None
    label: str | None
    status: str
    rows: int
    record_keys: tuple[str, ...] = ()
    outputs: dict[str, Output] = {}
    file: str = ""


class ModelLineage(Lineage, frozen=True, kw_only=True, tag_field="about", tag="model"):
    """From an answer or a model version back to the pages.

    Attributes:
        request: The request that was asked about, or null.
        serves: Whether the version serves now.
        labels: Labels that the version has now.
        pushed_at: When it was pushed, or null.
        model_sha256: Digest of its files, or null.
        run: The run that trained it, or null where that is not on record.
        verdicts: What the gates said of its data.
        evaluation: How it was evaluated, or null where that is not on record.
        export: The export that it learned from, or null where that is not on record.
        tables: Versions of the tables, gold first.
        landed: The pages that they hold.
        not_recorded: What is not on record, a sentence each.
    """

    request: RequestStep | None = None
    serves: bool = False
    labels: tuple[str, ...] = ()
    pushed_at: str | None = None
    model_sha256: str | None = None
    run: RunStep | None = None
    verdicts: tuple[VerdictStep, ...] = ()
    evaluation: EvaluationStep | None = None
    export: ExportStep | None = None
    tables: tuple[TableStep, ...] = ()
    landed: LandedPages = LandedPages()
    not_recorded: tuple[str, ...] = ()


class ReachedModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model version that data reached, or did not reach.

    Attributes:
        id: The version, such as ``bikes.is_late@7``.
        serves: Whether it serves now.
        labels: Labels that it has now.
        pushed_at: When it was pushed.
        table: Id and version of the gold table that it learned from.
        export_id: The export that it learned from.
        through: Sequence of the last page that this gold version holds.
        records: Number of records of the subject that it knows, or null where that is not asked.
        splits: Rows of its export that come from the subject, by split; null where rows of the
            export have other keys.
        record: The record of a row that it learned from, ``PAGE:LINE``, or null.
    """

    id: str
    serves: bool
    labels: tuple[str, ...]
    pushed_at: str
    table: str
    export_id: str
    through: int
    records: int | None = None
    splits: dict[str, int] | None = None
    record: str | None = None


class TracedRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A landed record.

    Attributes:
        record: Its place, ``PAGE:LINE``.
        sequence: Number of its page.
        key: Its key as text, or null.
        fate: What became of it.
        reasons: Reason codes, where it is in quarantine.
        landed_at: When its page was landed.
    """

    record: str
    sequence: int
    key: str | None
    fate: str
    reasons: tuple[str, ...]
    landed_at: str


class Reach(msgspec.Struct, frozen=True, kw_only=True, tag_field="about", tag="data"):
    """From a page, a row, a quarantine reason or a table version to the models.

    Attributes:
        usecase: Name of the use case.
        kind: What was asked about.
        subject: Name of the page, the row, the reason or the table version.
        page: The page that was asked about, or null.
        records: Number of landed records of the subject.
        fates: Number of those by fate.
        shown: Some of them, the newest first.
        reached: Number of model versions that it reached.
        models: Some of them, the newest first.
        others: Number of model versions that it did not reach.
        not_recorded: What is not on record, a sentence each.
    """

    usecase: str
    kind: Literal["page", "row", "reason", "table"]
    subject: str
    page: LandedPage | None = None
    records: int = 0
    fates: dict[str, int] = {}
    shown: tuple[TracedRecord, ...] = ()
    reached: int = 0
    models: tuple[ReachedModel, ...] = ()
    others: int = 0
    not_recorded: tuple[str, ...] = ()


class TableLineage(Lineage, frozen=True, kw_only=True, tag_field="about", tag="table"):
    """From a table version to the models.

    Attributes:
        reach: The models that learned from it.
    """

    reach: Reach


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """Something that differs between two model versions.

    Attributes:
        name: What differs, such as ``table`` or ``features``.
        before: How the first version has it.
        after: How the second version has it.
    """

    name: str
    before: Scalar
    after: Scalar


class SliceChange(msgspec.Struct, frozen=True, kw_only=True):
    """How a metric of a slice differs.

    Attributes:
        slice: Value by column; empty for the whole test split.
        metric: Name of the metric.
        before: Value of the first version.
        after: Value of the second version.
        rows: Rows of the slice in the test split of each version.
    """

    slice: dict[str, str]
    metric: str
    before: float
    after: float
    rows: tuple[int, int]


class ModelDiff(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of `goldlake diff`.

    Attributes:
        before: The first version.
        after: The second version.
        data: What differs in the data: table versions, rows, pages.
        contract: Sections and keys of the contract that differ.
        code: What differs in code, packages and machine.
        metrics: Metrics on the test split that differ.
        metric: The metric that the slices are compared by, or null.
        slices: Slices whose metric differs, the greatest difference first; some of them.
        slices_total: Number of slices that both versions have.
        same_test: Whether both were measured on the same test split.
        not_recorded: What is not on record, a sentence each.
    """

    before: str
    after: str
    data: tuple[Change, ...] = ()
    contract: tuple[Change, ...] = ()
    code: tuple[Change, ...] = ()
    metrics: tuple[Change, ...] = ()
    metric: str | None = None
    slices: tuple[SliceChange, ...] = ()
    slices_total: int = 0
    same_test: bool = False
    not_recorded: tuple[str, ...] = ()
