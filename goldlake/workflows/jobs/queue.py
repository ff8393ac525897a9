"""The jobs of a home as files. Every change is made under one lock and written whole."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path

import msgspec

from goldlake_core.contracts.errors import StoreError, UsageError
from goldlake_core.documents import codec
from goldlake_core.documents.jobs import Job, JobEvent, JobKind, JobState, JobStep, Lane
from goldlake_core.instants import now_text
from goldlake_core.storage.files import write_atomic, writing
from goldlake_core.storage.home import Home
from goldlake_core.storage.locks import FileLock, is_locked

FOLDER = "jobs"
MOST_ENDED = 200
MOST_QUEUED = 100
MOST_ATTEMPTS = 2
"""How often a job is begun: again once, where its machine went down."""
_LOCK_S = 20.0
_ID = re.compile(r"\d{8}-\d{6}-\d{6}-[0-9a-f]{4}")


class Queue:
    """The queue of a home.

    Args:
        home: A home on this machine.

    Raises:
        UsageError: The home is not on this machine, where its processes would run.
    """

    def __init__(self, home: Home) -> None:
        if not home.is_local:
            raise UsageError(
                f"The home {home.root} has no queue: its jobs would run here",
                valid="a home on this machine",
            )
        self.home = home
        self.folder = Path(home.path(FOLDER))

    def add(self, kind: JobKind, subject: str, options: dict[str, str], key: str) -> Job:
        """Appends a job. Idempotent by its key, and while an equal one waits.

        Args:
            kind: What the job does.
            subject: The use case, the model or the model version that it is about.
            options: Further choices by name.
            key: Name of the click that asks for it.

        Raises:
            UsageError: Too many jobs wait already.
            StoreError: The disk is full or read-only.
        """
        with self._lock():
            waiting = 0
            for job in self.jobs():
                is_equal = (job.kind, job.subject, job.options) == (kind, subject, options)
                if job.key == key or (is_equal and job.state == "queued"):
                    return job
                waiting += job.state == "queued"
            if waiting >= MOST_QUEUED:
                raise UsageError(
                    f"{waiting} jobs wait in {self.home.root} already",
                    valid=f"at most {MOST_QUEUED}",
                    hint="cancel some of them",
                )
            made = Job(
                id=_new_id(),
                kind=kind,
                subject=subject,
                options=options,
                key=key,
                asked_at=now_text(),
            )
            self._write(made)
            self._forget_old()
            return made

    def jobs(self) -> list[Job]:
        """All jobs: those that run, those that wait in their order, then the newest that ended."""
        found = [job for path in sorted(self.folder.glob("*.json")) if (job := self._read(path))]
        running = [job for job in found if job.state == "running"]
        queued = [job for job in found if job.state == "queued"]
        ended = [job for job in found if job.is_over]
        # Of those that ended in the same millisecond, the one that was asked for last comes first.
        ended.sort(key=lambda job: (job.ended_at or "", job.id), reverse=True)
        return [*running, *queued, *ended]

    def job(self, job_id: str) -> Job:
        """One job.

        Raises:
            UsageError: There is none of that name.
        """
        found = self._read(self.path(job_id, "json"))
        if found is None:
            raise UsageError(f"There is no job {job_id!r} in {self.home.root}", valid="a job's id")
        return found

    def path(self, job_id: str, kind: str) -> Path:
        """A file of a job.

        Raises:
            UsageError: The text is not the id of a job.
        """
        if not _ID.fullmatch(job_id):
            raise UsageError(f"{job_id!r} is not a job", valid="the id of a job")
        return self.folder / f"{job_id}.{kind}"

    def next(self, lane: Lane) -> Job | None:
        """The job of a lane that is to be begun, or None."""
        return next((j for j in self.jobs() if j.state == "queued" and j.lane == lane), None)

    def running(self, lane: Lane) -> list[Job]:
        """The jobs of a lane that run, as their files say."""
        return [job for job in self.jobs() if job.state == "running" and job.lane == lane]

    def begin(self, job_id: str) -> Job | None:
        """Marks a job that waits as one that runs; None where it was cancelled meanwhile."""

        def begun(job: Job) -> Job:
            if job.state != "queued":
                return job
            return msgspec.structs.replace(
                job, state="running", began_at=now_text(), attempts=job.attempts + 1
            )

        before = self.job(job_id).state
        job = self._change(job_id, begun)
        return job if before == "queued" and job.state == "running" else None

    def end(
        self, job_id: str, state: JobState, exit_code: int, result: str, run_id: str | None = None
    ) -> Job:
        """Marks a job as ended; one that has ended stays as it is."""

        def ended(job: Job) -> Job:
            if job.is_over:
                return job
            return msgspec.structs.replace(
                job,
                state=state,
                ended_at=now_text(),
                exit_code=exit_code,
                result=result,
                run_id=run_id,
            )

        return self._change(job_id, ended)

    def cancel(self, job_id: str) -> Job:
        """Ends a job that waits, and asks one that runs to end. Idempotent."""

        def cancelled(job: Job) -> Job:
            if job.state == "queued":
                return msgspec.structs.replace(
                    job, state="cancelled", ended_at=now_text(), result="cancelled before it began"
                )
            return job if job.is_over else msgspec.structs.replace(job, is_cancelling=True)

        return self._change(job_id, cancelled)

    def recover(self, job_id: str) -> Job:
        """Puts a job back whose process is gone with its machine; one that was twice ends."""

        def again(job: Job) -> Job:
            if job.state != "running":
                return job
            if job.is_cancelling or job.attempts >= MOST_ATTEMPTS:
                return msgspec.structs.replace(
                    job,
                    state="cancelled" if job.is_cancelling else "failed",
                    ended_at=now_text(),
                    exit_code=1,
                    result=f"its process was gone at attempt {job.attempts}",
                )
            return msgspec.structs.replace(job, state="queued")

        return self._change(job_id, again)

    def events(self, job_id: str) -> Iterator[JobEvent]:
        """The events of a job; a line that is not whole yet is left out."""
        path = self.path(job_id, "events.jsonl")
        if not path.exists():
            return
        with path.open("rb") as lines:
            for line in lines:
                if line.endswith(b"\n"):
                    yield codec.decode(line, JobEvent, str(path), is_strict=False)

    def emit(self, job_id: str, event: JobEvent) -> None:
        """Appends an event."""
        with self.path(job_id, "events.jsonl").open("ab") as file:
            file.write(codec.encode_line(event))

    def steps(self, job_id: str) -> list[JobStep]:
        """The steps of a job's newest attempt, as its events tell."""
        steps: dict[str, JobStep] = {}
        for event in self.events(job_id):
            if event.kind == "begin" and event.step == "job":
                steps = {}
                continue
            known = steps.get(event.step) or JobStep(name=event.step, began_at=event.time)
            has_count = event.done is not None or event.total is not None
            steps[event.step] = JobStep(
                name=known.name,
                began_at=known.began_at,
                ended_at=event.time if event.kind == "end" else known.ended_at,
                message=event.message or known.message,
                done=event.done if has_count else known.done,
                total=event.total if has_count else known.total,
            )
        return list(steps.values())

    def is_worked(self, lane: Lane) -> bool:
        """Whether a process works through a lane now."""
        return is_locked(self.folder / f"{lane}.lock")

    def is_alive(self, job_id: str) -> bool:
        """Whether the process of a job lives."""
        return is_locked(self.path(job_id, "lock"))

    def _change(self, job_id: str, change: Callable[[Job], Job]) -> Job:
        with self._lock():
            before = self.job(job_id)
            after = change(before)
            if after != before:
                self._write(after)
            return after

    def _lock(self) -> FileLock:
        return FileLock(str(self.folder / "queue.lock"), "the queue", wait_s=_LOCK_S)

    def _write(self, job: Job) -> None:
        path = self.path(job.id, "json")
        with writing(str(path)):
            self.folder.mkdir(parents=True, exist_ok=True)
        write_atomic(self.home.fs, str(path), codec.encode(job))

    def _read(self, path: Path) -> Job | None:
        """A job; None where there is none, or a file that another release wrote."""
        try:
            return codec.decode(path.read_bytes(), Job, str(path))
        except (FileNotFoundError, StoreError):
            return None

    def _forget_old(self) -> None:
        ended = [job for job in self.jobs() if job.is_over]
        for job in ended[MOST_ENDED:]:
            for path in self.folder.glob(f"{job.id}.*"):
                path.unlink(missing_ok=True)


def _new_id() -> str:
    return f"{datetime.now(timezone.utc):%Y%m%d-%H%M%S-%f}-{secrets.token_hex(2)}"
