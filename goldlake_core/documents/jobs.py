"""Jobs of a home's queue: what somebody asked for, and what became of it."""

from __future__ import annotations

from typing import Literal, get_args

import msgspec

from goldlake_core.documents.codec import FORMAT

JobKind = Literal["ingest", "train", "retrain", "report", "replay", "promote", "rollback"]
"""What a job does."""

JobState = Literal["queued", "running", "done", "refused", "failed", "cancelled"]
"""How a job stands. ``refused``: it worked, and a gate said no."""

Lane = Literal["heavy", "light"]
"""Jobs of one lane run one after the other. Heavy ones start a JVM or TensorFlow."""

LANES: dict[JobKind, Lane] = {
    "ingest": "heavy",
    "train": "heavy",
    "retrain": "heavy",
    "report": "heavy",
    "replay": "heavy",
    "promote": "light",
    "rollback": "light",
}
KINDS: tuple[JobKind, ...] = get_args(JobKind)


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """A job of the queue: the file ``jobs/ID.json``.

    Attributes:
        format: Format version of the file.
        id: Name of the job; sorts by the time it was asked for.
        kind: What the job does.
        subject: The use case, the model or the model version that it is about.
        options: Further choices by name, such as ``source``.
        key: Name of the click that asked for it. A second job with the key is the same job.
        asked_at: When it was asked for, ISO 8601 in UTC.
        state: How it stands.
        attempts: How many times it was begun.
        is_cancelling: Whether somebody asked to end it.
        began_at: When it was begun last, ISO 8601 in UTC, or null.
        ended_at: When it ended, ISO 8601 in UTC, or null.
        exit_code: Exit code that the command would have ended with, or null.
        result: What came of it, one sentence.
        run_id: Run that it made, or null.
    """

    format: int = FORMAT
    id: str
    kind: JobKind
    subject: str
    options: dict[str, str] = {}
    key: str
    asked_at: str
    state: JobState = "queued"
    attempts: int = 0
    is_cancelling: bool = False
    began_at: str | None = None
    ended_at: str | None = None
    exit_code: int | None = None
    result: str = ""
    run_id: str | None = None

    @property
    def lane(self) -> Lane:
        """The lane that the job waits in."""
        return LANES[self.kind]

    @property
    def is_over(self) -> bool:
        """Whether the job has ended."""
        return self.state not in ("queued", "running")


class JobEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a job's progress.

    Attributes:
        time: Instant of the event, ISO 8601 in UTC.
        step: The step that it is about, such as ``refine``.
        kind: ``begin`` and ``end`` of a step; else what the step says.
        message: One line for people.
        done: How much of the step is done, or null where it is not counted.
        total: How much there is to do, or null where it is not known.
    """

    time: str
    step: str
    kind: Literal["begin", "progress", "info", "gate", "end"]
    message: str = ""
    done: int | None = None
    total: int | None = None


class JobStep(msgspec.Struct, frozen=True, kw_only=True):
    """A step of a job, as its events tell.

    Attributes:
        name: Name of the step, such as ``refine``.
        began_at: When it began, ISO 8601 in UTC.
        ended_at: When it ended well, ISO 8601 in UTC, or null.
        message: The last line that it said.
        done: How much of it is done, or null.
        total: How much there is to do, or null.
    """

    name: str
    began_at: str
    ended_at: str | None = None
    message: str = ""
    done: int | None = None
    total: int | None = None
