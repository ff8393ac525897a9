"""What the pipeline found and pushed."""

from __future__ import annotations

from typing import Literal

import msgspec

from goldlake_core.documents.codec import FORMAT

Metrics = dict[str, float | None]
"""Metrics by name; null where a metric is undefined, such as the AUC of one class."""


class Anomaly(msgspec.Struct, frozen=True, kw_only=True):
    """Something in the data that the schema does not allow.

    Attributes:
        column: Name of the column; empty when it concerns the whole data set.
        split: The split it was found in.
        kind: ``drift``, ``skew``, or TFDV's name of the anomaly in lower case.
        severity: ``error`` when it refuses the data, else ``warning``.
        description: What TFDV says about it.
    """

    column: str
    split: str
    kind: str
    severity: str
    description: str


class Distance(msgspec.Struct, frozen=True, kw_only=True):
    """A measured distance between two distributions of a column.

    Attributes:
        column: Name of the column.
        compare: What was compared with train: ``drift`` with the earlier train split, ``skew``
            with the test split.
        measure: The distance, such as ``l_infty``.
        value: The distance that was measured.
        limit: The largest distance allowed.
    """

    column: str
    compare: str
    measure: str
    value: float
    limit: float


class Bound(msgspec.Struct, frozen=True, kw_only=True):
    """A bound of the contract, and what was found.

    Attributes:
        metric: Name of the metric.
        kind: ``max_drop`` compares with the model that serves now.
        value: The candidate's metric, or null where it is undefined.
        bound: What the value had to reach or stay under, or null where it is undefined.
        ok: Whether the bound is met.
    """

    metric: str
    kind: Literal["minimum", "maximum", "max_drop"]
    value: float | None
    bound: float | None
    ok: bool


class PairedChange(msgspec.Struct, frozen=True, kw_only=True):
    """What changes from the model that serves to a candidate, on the same rows.

    Attributes:
        measure: ``auc``, or the loss whose mean is compared.
        before: Value of the model that serves.
        after: Value of the candidate.
        value: The difference, ``after - before``.
        z: The difference in standard errors, below 0 where the candidate is worse.
        low: Lower end of the difference's interval at 95 %.
        high: Upper end of it.
    """

    measure: str
    before: float
    after: float
    value: float
    z: float
    low: float
    high: float


class SliceReport(msgspec.Struct, frozen=True, kw_only=True):
    """How a candidate does on some rows of the test split.

    Attributes:
        slice: Value by column, as text, of the rows; empty for the whole split.
        rows: Number of rows.
        positives: Rows of the positive class, or events; null for heads without either.
        is_judged: Whether there are enough rows, of each class where there are two.
        metrics: The candidate's metrics.
        intervals: Lower and upper end at 95 % of those metrics that have an interval.
        baseline: Metrics of the model that serves, or null.
        change: What changes from that model, or null.
        problem: Why the slice refuses the candidate, or empty.
    """

    slice: dict[str, str]
    rows: int
    positives: int | None
    is_judged: bool
    metrics: Metrics
    intervals: dict[str, tuple[float, float]] = {}
    baseline: Metrics | None = None
    change: PairedChange | None = None
    problem: str = ""


class DecisionReport(msgspec.Struct, frozen=True, kw_only=True):
    """The decision that was chosen on eval, judged on the test split. Intervals are at 95 %.

    Attributes:
        threshold: Least probability that was answered as positive, or null without a positive
            answer.
        recall: Share of the positives that are found; null without a positive.
        recall_interval: Lower and upper end of its interval, or null.
        precision: Share of the positive answers that are right; null without one.
        precision_interval: Lower and upper end of its interval, or null.
        wanted_recall: The share that the contract wants to be found, or null.
        outcome: Whether the recall's interval lies above ``wanted_recall`` (``kept``), holds it
            (``open``) or lies below it (``missed``); null without one of the two.
    """

    threshold: float | None
    recall: float | None
    recall_interval: tuple[float, float] | None
    precision: float | None
    precision_interval: tuple[float, float] | None
    wanted_recall: float | None = None
    outcome: Literal["kept", "open", "missed"] | None = None

    @property
    def sentence(self) -> str:
        """What was found, in words for people."""
        if self.threshold is None:
            return "it answers no row of the test split as positive"
        found = _share(self.recall, self.recall_interval)
        right = _share(self.precision, self.precision_interval)
        wanted = ""
        if self.outcome is not None:
            wanted = f" ({_OUTCOMES[self.outcome].format(wanted=self.wanted_recall)})"
        return (
            f"from the probability {self.threshold:.3g} on it finds {found} of the positives"
            f"{wanted}, and {right} of its positive answers are right"
        )


_OUTCOMES = {
    "kept": "surely at least the {wanted:.4g} that the contract wants",
    "open": "the interval holds the {wanted:.4g} that the contract wants",
    "missed": "surely less than the {wanted:.4g} that the contract wants",
}


def _share(value: float | None, interval: tuple[float, float] | None) -> str:
    if value is None:
        return "an unknown share"
    if interval is None:
        return f"{value:.4g}"
    return f"{value:.4g} [{interval[0]:.4g}, {interval[1]:.4g}]"


class NodeReport(msgspec.Struct, frozen=True, kw_only=True):
    """One node of a pipeline run.

    Attributes:
        id: Name of the node.
        state: ``complete``, or ``cached`` when its results were there already.
        seconds: Duration in seconds.
    """

    id: str
    state: str
    seconds: float


class Trained(msgspec.Struct, frozen=True, kw_only=True, tag_field="status", tag="ok"):
    """The result of the stage ``train``.

    Attributes:
        format: Format version of the file.
        run_id: The run that trained.
        blessed: Whether the candidate meets all bounds and can be served.
        serving_problem: Why the candidate cannot be served, or null.
        pushed: Whether the candidate is in the home's ``models/`` folder.
        model_version: Version that it was pushed as, or null.
        model_uri: Folder of that version, or null.
        verdict: The validation gate's decision, ``passed``.
        anomalies: What the validation gate found.
        distances: Distances that it measured.
        metrics: The candidate's metrics on the test split.
        thresholds: The contract's bounds with what was found.
        baseline_version: Version that the candidate was compared with, or null.
        not_compared: The version that served, and why the candidate could not be compared with it,
            such as a column that it reads and the export does not have; or null.
        cached: Names of the nodes whose results were there already.
        nodes: All nodes in the order they ran.
        tensorboard: Folder with the training's event files.
        reasons: What refuses the candidate, one sentence each.
        worst_slices: The slices in which the candidate does worst, the worst first.
        evaluation: The file ``evaluation.json`` with every slice, or null.
        decision: The decision on the test split, or null where the contract has none.
        recorded: The run that trained, if this one found nothing changed and gives the recorded
            answer of that run; else null.
    """

    format: int = FORMAT
    run_id: str
    blessed: bool
    serving_problem: str | None
    pushed: bool
    model_version: int | None
    model_uri: str | None
    verdict: str
    anomalies: tuple[Anomaly, ...]
    distances: tuple[Distance, ...]
    metrics: Metrics
    thresholds: tuple[Bound, ...]
    baseline_version: int | None
    cached: tuple[str, ...]
    nodes: tuple[NodeReport, ...]
    tensorboard: str
    reasons: tuple[str, ...] = ()
    worst_slices: tuple[SliceReport, ...] = ()
    evaluation: str | None = None
    decision: DecisionReport | None = None
    not_compared: str | None = None
    recorded: str | None = None


class PushedVersion(msgspec.Struct, frozen=True, kw_only=True):
    """The file ``goldlake.json`` of a pushed model version.

    Attributes:
        format: Format version of the file.
        usecase: Name of the use case.
        model: Name of the model, without its use case.
        version: Number of the version.
        model_artifact_id: Id of the Model artifact in ML Metadata.
        export_id: The export that the model learned from.
        manifest_sha256: Digest of that export's manifest.
        table: Id of the gold table.
        table_uuid: Id that Delta gave the table when it was made.
        table_version: Version of the gold table.
        content_hash: Digest of the rows of that version.
        as_of: Newest change at the source that the version holds, ISO 8601 in UTC.
        metrics: The model's metrics on the test split.
        fingerprint: Digest of everything that the model was made from.
        baseline_version: Version that served when the model was judged, or null. It was compared
            with it, unless ``why`` says what kept them apart.
        model_sha256: Digest of the SavedModel's files.
        pushed_at: Instant of the push, ISO 8601 in UTC.
        why: Why the version is blessed, or null where an earlier goldlake pushed it.
    """

    format: int = FORMAT
    usecase: str
    model: str
    version: int
    model_artifact_id: int | None = None
    export_id: str | None = None
    manifest_sha256: str | None = None
    table: str | None = None
    table_uuid: str | None = None
    table_version: int | None = None
    content_hash: str | None = None
    as_of: str | None = None
    metrics: Metrics = {}
    fingerprint: str | None = None
    baseline_version: int | None = None
    model_sha256: str
    pushed_at: str
    why: str | None = None
