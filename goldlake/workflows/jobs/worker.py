"""Works through a lane of the queue: one process per lane of a home, one process per job."""

from __future__ import annotations

import signal
import subprocess
import time
import traceback
from pathlib import Path
from types import FrameType

from goldlake.workflows.history import GATE_EXIT_CODE, INTERRUPTED, TERMINATED
from goldlake.workflows.jobs.queue import Queue
from goldlake.workflows.jobs.work import work
from goldlake.workflows.launch import module_command
from goldlake.workflows.processes import StageEnded, StageFailed, child
from goldlake_core.contracts.errors import GoldlakeError, LockedError
from goldlake_core.documents.jobs import Job, JobEvent, JobState, Lane
from goldlake_core.documents.stages import Event
from goldlake_core.instants import now_text
from goldlake_core.storage.home import Home
from goldlake_core.storage.locks import FileLock

MODULE = "goldlake.workflows.jobs"
POLL_S = 0.3
_STOP_S = 60.0
_PROBE_S = 1.0


class Terminated(BaseException):
    """SIGTERM arrived. No Exception, so that only cleanup sees it."""


def start(home: Home, lane: Lane) -> subprocess.Popen[bytes] | None:
    """Starts a process that works through a lane, where jobs wait and none does.

    It outlives its parent, and ends when nothing waits.

    Returns:
        The process, or None where none was needed.
    """
    queue = Queue(home)
    is_idle = queue.next(lane) is None and not queue.running(lane)
    if is_idle or queue.is_worked(lane):
        return None
    with (queue.folder / f"{lane}.log").open("ab") as log:
        return subprocess.Popen(
            module_command(MODULE, "work", home.root, lane),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def work_through(home: Home, lane: Lane) -> None:
    """Does the jobs of a lane until none waits; returns at once where another process does."""
    queue = Queue(home)
    # Asked once more after the lock is free: who adds a job then finds nobody who has it.
    while queue.next(lane) is not None or queue.running(lane):
        try:
            with _lock(queue.folder / f"{lane}.lock", f"the {lane} lane"):
                _recover(queue, lane)
                while (job := queue.next(lane)) is not None:
                    _do(queue, job)
        except LockedError:
            return


def run_job(home: Home, job_id: str) -> int:
    """Does one job in this process and writes down what came of it.

    Returns:
        The exit code of the same command.
    """
    queue = Queue(home)
    signal.signal(signal.SIGTERM, _raise_terminated)
    with _lock(queue.path(job_id, "lock"), f"the job {job_id}"):
        job = queue.begin(job_id)
        if job is None:
            return 0
        queue.emit(job_id, JobEvent(time=now_text(), step="job", kind="begin"))

        def on_event(event: Event | StageEnded) -> None:
            queue.emit(job_id, _event(event))

        try:
            outcome = work(job, home, queue.path(job_id, "log"), on_event)
        except GoldlakeError as error:
            traceback.print_exc()
            state: JobState = "refused" if error.exit_code == GATE_EXIT_CODE else "failed"
            run_id = error.log.parent.name if isinstance(error, StageFailed) else None
            queue.end(job_id, state, error.exit_code, error.message, run_id)
            return error.exit_code
        except (Terminated, KeyboardInterrupt) as error:
            code = TERMINATED if isinstance(error, Terminated) else INTERRUPTED
            queue.end(job_id, "cancelled", code, "cancelled; what was finished is kept")
            return code
        except Exception as error:
            traceback.print_exc()
            queue.end(job_id, "failed", 1, f"{type(error).__name__}: {error}")
            return 1
        code = outcome.exit_code
        ended: JobState = "refused" if code == GATE_EXIT_CODE else "done"
        queue.end(job_id, ended, code, outcome.text, outcome.run_id)
        return code


def _lock(path: Path, resource: str) -> FileLock:
    """A lock that waits a little: who looks whether it is held holds it for an instant."""
    return FileLock(str(path), resource, work="jobs", wait_s=_PROBE_S)


def _recover(queue: Queue, lane: Lane) -> None:
    """Waits for a job whose worker is gone, and puts back one whose process is gone, too."""
    for job in queue.running(lane):
        while queue.is_alive(job.id):
            time.sleep(POLL_S)
        queue.recover(job.id)


def _do(queue: Queue, job: Job) -> None:
    command = module_command(MODULE, "run", queue.home.root, job.id)
    with child(command, queue.path(job.id, "log")) as process:
        asked_at: float | None = None
        while process.poll() is None:
            time.sleep(POLL_S)
            if asked_at is None and queue.job(job.id).is_cancelling:
                process.terminate()
                asked_at = time.monotonic()
            if asked_at is not None and time.monotonic() - asked_at > _STOP_S:
                break  # leaving the block ends the process
    status = process.wait()
    is_cancelling = queue.job(job.id).is_cancelling
    how = f"signal {-status}" if status < 0 else f"exit status {status}"
    queue.end(
        job.id,
        "cancelled" if is_cancelling else "failed",
        1,
        f"its process ended early with {how}; see its log",
    )


def _event(event: Event | StageEnded) -> JobEvent:
    if isinstance(event, StageEnded):
        return JobEvent(time=now_text(), step=event.stage, kind="end")
    return JobEvent(
        time=event.time,
        step=event.stage,
        kind=event.kind,
        message=event.message,
        done=event.done,
        total=event.total,
    )


def _raise_terminated(number: int, frame: FrameType | None) -> None:
    raise Terminated


def main(argv: list[str]) -> int:
    """``work HOME LANE`` or ``run HOME JOB``."""
    command, root, name = argv
    home = Home(root)
    if command == "run":
        return run_job(home, name)
    work_through(home, "heavy" if name == "heavy" else "light")
    return 0
