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


class MonitorReport(msgspec.Struct, frozen=True, kw_only=True):
    """What logged requests say of one version of a model.

    Attributes:
        format: Format version of the document.
        model: The model and its version, such as ``bikes.is_late@3``.
        log: What became of the lines of the log.
        labels: What became of the answers that were to be compared with labels.
        table: Version of the gold table that the labels are of, or null.
        total: Metrics of all answers with a ripe label, or null without any.
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
    """

    text: str
    holds: bool | None
    found: str


class RetrainReport(msgspec.Struct, frozen=True, kw_only=True):
    """What `goldlake retrain` found due, and what came of it.

    Attributes:
        format: Format version of the document.
        model: The model, such as ``bikes.is_late``.
        learned: The newest pushed version, which ``rows`` and ``age`` are about, or null.
        served: The version that serves, which ``drift`` and ``metric`` are about, or null.
        conditions: Every condition with what was found.
        outcome: ``quiet`` where nothing was due, ``blessed``, or ``refused``.
        reason: The conditions that held, or "".
        reason_id: Id of the reason's artifact in ML Metadata, or null.
        train: The training, or null where nothing was due.
        promoted: Version that serves now because it was asked for, or null.
        unconfirmed: Servers that did not confirm the promotion, with what they said.
    """

    format: int = FORMAT
    model: str
    learned: int | None
    served: int | None
    conditions: tuple[ConditionResult, ...]
    outcome: Literal["quiet", "blessed", "refused"]
    reason: str = ""
    reason_id: int | None = None
    train: TrainReport | None = None
    promoted: int | None = None
    unconfirmed: tuple[str, ...] = ()
