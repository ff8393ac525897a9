"""What a command, an orchestrator and a stage say to each other."""

from __future__ import annotations

from typing import Literal

import msgspec

from goldlake_core.documents.codec import FORMAT
from goldlake_core.documents.training import Anomaly

Stage = Literal[
    "source",
    "land",
    "refine",
    "follow",
    "audit",
    "maintain",
    "restore",
    "erase",
    "examples",
    "export",
    "train",
    "remake",
    "reproduce",
    "tune",
    "compile",
    "score",
    "keep",
    "examine",
    "promote",
    "backup",
]
"""A step of a run. ``source``, ``promote`` and ``backup`` are steps of the workflow without
a process."""

Kind = Literal["begin", "progress", "info", "gate"]
"""What an event is about. ``begin`` comes from the workflow, the others from a stage."""


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """The request that every stage gets.

    Attributes:
        format: Format version of the file.
        usecase: Name or path of the use case.
        home: Folder or URL that holds everything.
        run_id: The run that the stage belongs to, such as ``20260401-093000-7f3a``.
        contract: Hashes of the contract's sections as they were read when the run began, by
            section. A stage refuses to run under another contract. Empty: nothing is compared.
    """

    format: int = FORMAT
    usecase: str
    home: str
    run_id: str
    contract: dict[str, str] = {}


class LandRequest(Request, frozen=True, kw_only=True):
    """The request of the stage ``land``.

    Attributes:
        source: URL of the API, or ``live`` for the contract's address.
        since: First day wanted, or null.
        until: First day no longer wanted, or null.
        looks_back: Whether records are looked for that the source committed late, in the contract's
            ``source.overlap`` before the newest landed one.
    """

    source: str
    since: str | None = None
    until: str | None = None
    looks_back: bool = True


class FollowRequest(Request, frozen=True, kw_only=True):
    """The request of the stage ``follow``.

    Attributes:
        source: URL of the API, or ``live`` for the contract's address.
        every: Seconds from the begin of one poll to that of the next, where nothing takes longer.
        state: File that says after each step how it stands, a `Followed`.
        accept_rejected: Whether any share of rejected records is accepted.
        gate_every_s: Seconds that must have passed since the gate judged silver last.
    """

    source: str
    every: float
    state: str
    accept_rejected: bool = False
    gate_every_s: float = 0.0


class RefineRequest(Request, frozen=True, kw_only=True):
    """The request of the stage ``refine``.

    Attributes:
        rebuild: Whether silver and gold are made again from bronze, as a new epoch.
        refit: Whether the clusters of gold tables are fitted anew.
        accept_rejected: Whether any share of rejected records is accepted.
        gate_every_s: Seconds that must have passed since the gate judged silver last.
    """

    rebuild: bool = False
    refit: bool = False
    accept_rejected: bool = False
    gate_every_s: float = 0.0


class AuditRequest(Request, frozen=True, kw_only=True):
    """The request of the stage ``audit``."""


class EraseRequest(Request, frozen=True, kw_only=True):
    """The request of the stage ``erase``. The key is in the use case's ``erasures.json``."""


class MaintainRequest(Request, frozen=True, kw_only=True):
    """The request of the stage ``maintain``.

    Attributes:
        keep_hours: Hours for which the files of earlier versions are kept.
    """

    keep_hours: float


class RestoreRequest(Request, frozen=True, kw_only=True):
    """The request of the stage ``restore``.

    Attributes:
        to: A run or an instant; see `lakehouse.restore.plan`.
    """

    to: str


class ExportRequest(Request, frozen=True, kw_only=True):
    """The request of the stage ``export``.

    Attributes:
        model: Name of the model, without its use case.
        version: Version of the gold table; null for the newest.
        out: Folder that gets a copy, or null.
        manifest_sha256: The sha256 that the manifest of an export must have which is there; null to
            accept any.
    """

    model: str
    version: int | None = None
    out: str | None = None
    manifest_sha256: str | None = None


class TrainRequest(Request, frozen=True, kw_only=True):
    """The request of the stage ``train``.

    Attributes:
        model: Name of the model, without its use case.
        export_id: The export to train on, ``usecase/model/EXPORT``.
        manifest_sha256: The sha256 that the export's manifest must have; null to accept any.
    """

    model: str
    export_id: str
    manifest_sha256: str | None = None


class StageError(msgspec.Struct, frozen=True, kw_only=True):
    """Why a stage ended.

    Attributes:
        type: Name of the error's class.
        message: The text for people.
        exit_code: Exit code that the command should end with.
        traceback: Python's traceback; empty when the process died without one.
        anomalies: What the validation gate found, when it ended the stage.
        verdict: ``refused`` when the validation gate ended the stage, else null.
    """

    type: str
    message: str
    exit_code: int
    traceback: str = ""
    anomalies: tuple[Anomaly, ...] = ()
    verdict: str | None = None


class Failed(msgspec.Struct, frozen=True, kw_only=True, tag_field="status", tag="error"):
    """The result document of a stage that failed.

    Attributes:
        error: What went wrong.
    """

    error: StageError


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One line of progress.

    Attributes:
        time: Instant of the event, ISO 8601 in UTC.
        stage: The step that speaks.
        kind: What the event is about.
        message: One line for people.
        done: How much of the step is done, or null where it is not counted.
        total: How much there is to do, or null where it is not known.
    """

    time: str
    stage: Stage
    kind: Kind
    message: str = ""
    done: int | None = None
    total: int | None = None
