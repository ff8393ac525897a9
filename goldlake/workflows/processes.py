"""Running stages: one process each group, events read as they come, cancelled cleanly.

The JVM and TensorFlow never share a process, so every stage runs in a process of the package that
has it (`python -m lakehouse`, `python -m tfx_pipeline`) over a run directory. What a
stage prints goes to its log file; people see its events.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, TypeVar

from goldlake.workflows.launch import Program, module_command
from goldlake.workflows.openlineage import Reports
from goldlake_core.contracts.errors import GoldlakeError
from goldlake_core.contracts.sections import UseCase
from goldlake_core.documents.reports import Promotion, SourceStarted
from goldlake_core.documents.stages import Event, Failed, Request, Stage, StageError
from goldlake_core.stages import DOCUMENTS, Result, RunDir, event_now
from goldlake_core.storage.files import writing
from goldlake_core.storage.home import DEFAULT_HOME, Home
from metadata.openlineage import Receiver

POLL_S = 0.1
STOP_TIMEOUT_S = 20.0
# Less room than this is none: the smallest commit with its data file takes more.
FULL_BYTES = 64 * 1024

R = TypeVar("R", bound=Request)


@dataclass(frozen=True)
class StageEnded:
    """A step of a run ended well.

    Attributes:
        stage: Name of the stage.
        result: What the stage returned.
    """

    stage: Stage
    result: Result | SourceStarted | Promotion


OnEvent = Callable[[Event | StageEnded], None]


class StageFailed(GoldlakeError):
    """A stage ended with an error.

    Attributes:
        stage: The stage that failed.
        log: File with its full log.
        error: The error it left, or one made from its exit status.
        exit_code: Exit code that the command should end with.
    """

    def __init__(self, stage: Stage, log: Path, error: StageError) -> None:
        self.stage = stage
        self.log = log
        self.error = error
        self.exit_code = error.exit_code  # type: ignore[misc]
        super().__init__(error.message)

    @property
    def message(self) -> str:
        """The stage's own message, and where its log is."""
        return f"{self.stage}: {self.error.message} (log: {self.log})"


@dataclass(frozen=True)
class Run:
    """One run of one or more stages.

    Attributes:
        run_id: Such as ``20260401-093000-7f3a``; sorts by time.
        home: The home it works on.
        directory: Folder with the documents of the stages.
        logs: Folder of log files, one per process.
        seconds: Duration of each stage that ended, in seconds.
        reports: Tells OpenLineage of the stages, where the environment names a receiver.
    """

    run_id: str
    home: Home
    directory: RunDir
    logs: Path
    seconds: dict[str, float] = field(default_factory=dict)
    reports: Reports = field(default_factory=lambda: Reports(None))

    @classmethod
    def new(cls, home: Home) -> Run:
        """A run that starts now. Makes its two folders.

        Stage documents and logs stay on this machine even when the home is a remote URL.

        Raises:
            StoreError: The disk is full or read-only, or the folder may not be written.
            UsageError: ``GOLDLAKE_OPENLINEAGE`` names neither a file nor a server.
        """
        reports = Reports(Receiver.of_environment())
        now = datetime.now(timezone.utc).strftime("%Y%m%d-%H%M%S")
        run_id = f"{now}-{secrets.token_hex(2)}"
        local = home if home.is_local else Home.at(DEFAULT_HOME)
        directory = Path(local.run(run_id))
        logs = Path(local.logs(run_id))
        with writing(str(directory)):
            directory.mkdir(parents=True, exist_ok=True)
            logs.mkdir(parents=True, exist_ok=True)
        return cls(run_id, home, RunDir(directory), logs, reports=reports)

    def request(self, kind: type[R], reference: str, usecase: UseCase, **fields: Any) -> R:
        """A request of this run, under the contract as it was read.

        Args:
            kind: Type of the request.
            reference: Name or path by which another process finds the use case.
            usecase: The use case as it was read when the run began.
            **fields: The fields of that type of request.
        """
        if (on_request := ON_REQUEST.get()) is not None:
            on_request(self, reference, usecase)
        return kind(
            usecase=reference,
            home=self.home.root,
            run_id=self.run_id,
            contract=dict(usecase.hashes),
            **fields,
        )

    def stages(
        self,
        package: str,
        requests: Sequence[Request],
        on_event: OnEvent,
        *,
        end_s: float | None = None,
        program: Program | None = None,
    ) -> dict[Stage, Any]:
        """Runs the stages of one package in one process, in the order of ``requests``.

        Args:
            package: ``lakehouse`` or ``tfx_pipeline``.
            requests: One request per stage; its type says which.
            on_event: Called with every event line as it comes, and with two more: kind
                ``begin`` when a stage starts, and `StageEnded` when it ended well.
            end_s: How many seconds a stage that runs on has to end after SIGTERM or Ctrl-C. None:
                a signal ends the processes.
            program: Runs the stages in another environment; see `launch.module_command`.

        Returns:
            Result per stage, of the type that `goldlake_core.stages.DOCUMENTS` names; of one that
            did not end in time, none.

        Raises:
            StageFailed: A stage ended with an error; later ones did not run.
        """
        stages = [_stage_of(request) for request in requests]
        for stage, request in zip(stages, requests, strict=True):
            self.directory.write_request(stage, request)
        log = self.logs / f"{'-'.join(stages)}.log"
        command = module_command(package, str(self.directory.path), *stages, program=program)
        with child(command, log, env={"GOLDLAKE_HOME": self.home.root}) as process:
            results: dict[Stage, Any] = {}
            try:
                for stage, request in zip(stages, requests, strict=True):
                    with self.reports.of(stage, request) as ended:
                        results[stage] = self._follow(process, stage, log, on_event)
                        ended(results[stage])
            except Exception:
                raise
            except BaseException:  # SIGTERM or Ctrl-C
                if end_s is None:
                    raise
                process.terminate()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(end_s)
                if process.poll() is None:
                    _signal_group(process, signal.SIGKILL)
                return results
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(STOP_TIMEOUT_S)
            return results

    def _follow(
        self, process: subprocess.Popen[str], stage: Stage, log: Path, on_event: OnEvent
    ) -> Result:
        on_event(event_now(stage, "begin"))
        started = time.monotonic()
        offset, is_over = 0, False
        while not is_over:
            # Asked before the events are read, so that none that came in between is missed.
            is_over = self.directory.result_file(stage).exists() or process.poll() is not None
            for event, after in self.directory.events(stage, offset):
                offset = after
                on_event(event)
            if not is_over:
                time.sleep(POLL_S)
        self.seconds[stage] = round(time.monotonic() - started, 3)
        result = self._result(process, stage, log)
        on_event(StageEnded(stage, result))
        return result

    def _result(self, process: subprocess.Popen[str], stage: Stage, log: Path) -> Result:
        if not self.directory.result_file(stage).exists():
            exit_status = process.wait()
            how = f"signal {-exit_status}" if exit_status < 0 else f"exit status {exit_status}"
            message = f"The process of this stage ended early with {how}{_full_disk(log.parent)}"
            error = StageError(type="StageFailed", message=message, exit_code=1)
            raise StageFailed(stage, log, error)
        result: Result | Failed = self.directory.result(stage)
        if isinstance(result, Failed):
            raise StageFailed(stage, log, result.error)
        return result


ON_REQUEST: ContextVar[Callable[[Run, str, UseCase], None] | None] = ContextVar(
    "ON_REQUEST", default=None
)
"""Called with each run, and the use case that it is about, when a stage of it is asked for."""


def _full_disk(folder: Path) -> str:
    """The end of a sentence where a full disk kept a stage from writing down why it failed."""
    free = shutil.disk_usage(folder).free
    if free >= FULL_BYTES:
        return ""
    return (
        f", and the disk of {folder} is full ({free // 1024:,} KB free): make room there and "
        "repeat the command; what was there before is unchanged"
    )


def _stage_of(request: Request) -> Stage:
    return next(stage for stage, (kind, _) in DOCUMENTS.items() if type(request) is kind)


@contextlib.contextmanager
def child(
    command: Sequence[str],
    log: Path,
    env: Mapping[str, str] | None = None,
    stdout: int | None = None,
) -> Iterator[subprocess.Popen[str]]:
    """A process in a new process group that does not outlive the block.

    Args:
        command: Program and arguments.
        log: File that takes its standard error, and its output unless ``stdout`` is given.
        env: Variables added to this process's environment.
        stdout: ``subprocess.PIPE`` to read what it prints.
    """
    with log.open("a", encoding="utf-8") as sink:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=sink if stdout is None else stdout,
            stderr=sink,
            env={**os.environ, **(env or {})},
            start_new_session=True,
            text=True,
        )
    try:
        yield process
    finally:
        end(process)


def end(process: subprocess.Popen[Any]) -> None:
    """Ends a process that leads a group, with all of the group; returns when it is gone."""
    if process.poll() is None:
        _signal_group(process, signal.SIGTERM)
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            _signal_group(process, signal.SIGKILL)
            process.wait()
    if process.stdout is not None:
        process.stdout.close()


def _signal_group(process: subprocess.Popen[Any], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)
