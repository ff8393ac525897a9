"""What logged requests say of a model that serves, and whether another training is due."""

from __future__ import annotations

from typing import Literal

import msgspec

from goldlake_core.documents.codec import FORMAT
from goldlake_core.documents.examining import CalibrationBin
from goldlake_core.documents.gate import PeriodVerdict
from goldlake_core.documents.reports import TrainReport
from goldlake_core.documents.training import Bound, SliceReport


class LogAccount(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the lines of the request log.

    Attributes:
        folder: Folder of the log.
        files: Number of files that were read.
        lines: Lines about this version that it answered.
        first_at: Instant of the first of them, ISO 8601 in UTC, or null.
        last_at: Instant of the last of them, or null.
        refused: Requests that were answered with an error, of any version.
        others: Lines about other versions.
        damaged: Lines that cannot be read.
        is_cut: Whether there are more lines; the newest were read.
    """

    folder: str
    files: int
    lines: int
    first_at: str | None
    last_at: str | None
    refused: int
    others: int
    damaged: int
    is_cut: bool


class LabelAccount(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the answers that were to be compared with labels.

    Attributes:
        scored: Answers whose label is ripe.
        without_key: Lines without a record key.
        unknown: Lines whose key has no row in the gold table, or not yet.
        unripe: Lines whose row is younger than the model's maturity, or has no label.
        repeated: Lines about a record that was asked about before; the first answer counts.
        unusable: Lines without the outputs that the model's metrics need.
    """

    scored: int = 0
    without_key: int = 0
    unknown: int = 0
    unripe: int = 0
    repeated: int = 0
    unusable: int = 0


class Unjudged(msgspec.Struct, frozen=True, kw_only=True):
    """Something that could not be judged.

    Attributes:
        what: Such as ``metrics``, ``drift`` or ``drift of latitude``.
        why: What kept it from being judged, for people.
    """

    what: str
    why: str


class WindowMetrics(msgspec.Struct, frozen=True, kw_only=True):
    """Metrics of the answers about the newest records whose labels are ripe.

    Attributes:
        length: Length of the window as it was asked for, such as ``28d``.
        since: Instant after which its records' events are, ISO 8601 in UTC, or null without answers
            whose label is ripe. Where the model has no event time, requests count in their place.
        until: Instant of the last event that may be in it, or null.
        total: Metrics of its answers, or null where none of their labels is ripe.
        fewest: How many are needed to judge it, for people.
    """

    length: str
    since: str | None
    until: str | None
    total: SliceReport | None
    fewest: str


class MonitorReport(msgspec.Struct, frozen=True, kw_only=True):
    """What logged requests say of one version of a model.

    Attributes:
        format: Format version of the document.
        model: The model and its version, such as ``bikes.is_late@3``.
        log: What became of the lines of the log.
        labels: What became of the answers that were to be compared with labels.
        table: Version of the gold table that the labels are of, or null.
        total: Metrics of all answers with a ripe label, or null without any.
        windows: The same for the windows that were asked for.
        weeks: The same by ISO week of the request, such as ``2016-W09``, in UTC.
        slices: The same by the contract's slices.
        calibration: Probability and outcome by tenths of the rows; binary models only.
        tested: The version's metrics on its test split.
        bounds: Lowest and highest values that the contract's thresholds allow, with what was found.
        learned: Version of the gold table whose periods the requests are compared with, or null.
        drift: The periods of the requests, with the distance of each column from that table.
        unjudged: What could not be judged, and why.
        alarms: What is beyond a limit, one sentence each.
    """

    format: int = FORMAT
    model: str
    log: LogAccount
    labels: LabelAccount = LabelAccount()
    table: str | None = None
    total: SliceReport | None = None
    windows: tuple[WindowMetrics, ...] = ()
    weeks: tuple[SliceReport, ...] = ()
    slices: tuple[SliceReport, ...] = ()
    calibration: tuple[CalibrationBin, ...] = ()
    tested: dict[str, float | None] = {}
    bounds: tuple[Bound, ...] = ()
    learned: str | None = None
    drift: tuple[PeriodVerdict, ...] = ()
    unjudged: tuple[Unjudged, ...] = ()
    alarms: tuple[str, ...] = ()


class ConditionResult(msgspec.Struct, frozen=True, kw_only=True):
    """A condition of `goldlake retrain`, and what was found.

    Attributes:
        text: The condition as it was given, such as ``rows>=5000``.
        holds: Whether it holds; null where that could not be judged.
        found: What was found, or why it could not be judged, for people.
        answers: Number of answers with a ripe label that a metric is about, or null.
    """

    text: str
    holds: bool | None
    found: str
    answers: int | None = None


class RefusedBefore(msgspec.Struct, frozen=True, kw_only=True):
    """A candidate that was refused, and would be again: data, contract and code are the same.

    Attributes:
        at: When it was refused, ISO 8601 in UTC.
        reason: The conditions that held then.
        why: Why it was refused.
        run_id: The run that trained it.
        table: Version of the gold table that it learned from, such as ``bikes.gold.trips@4``.
        reason_id: Id of the reason's artifact in ML Metadata, or null.
    """

    at: str
    reason: str
    why: str
    run_id: str
    table: str
    reason_id: int | None = None


class RetrainReport(msgspec.Struct, frozen=True, kw_only=True):
    """What `goldlake retrain` found due, and what came of it.

    Attributes:
        format: Format version of the document.
        model: The model, such as ``bikes.is_late``.
        learned: The newest pushed version, which ``rows`` and ``age`` are about, or null.
        served: The version that serves, which ``drift`` and ``metric`` are about, or null.
        conditions: Every condition with what was found.
        outcome: ``quiet`` where nothing was due, ``blessed``, ``refused``, or ``refused_before``
            where a condition holds and a candidate of the same data was refused, so that nothing
            was trained.
        reason: The conditions that held, or "".
        reason_id: Id of the reason's artifact in ML Metadata, or null.
        train: The training, or null where there was none.
        refused_before: The candidate that was refused before, or null.
        promoted: Version that serves now because it was asked for, or null.
        unconfirmed: Servers that did not confirm the promotion, with what they said.
    """

    format: int = FORMAT
    model: str
    learned: int | None
    served: int | None
    conditions: tuple[ConditionResult, ...]
    outcome: Literal["quiet", "blessed", "refused", "refused_before"]
    reason: str = ""
    reason_id: int | None = None
    train: TrainReport | None = None
    refused_before: RefusedBefore | None = None
    promoted: int | None = None
    unconfirmed: tuple[str, ...] = ()
