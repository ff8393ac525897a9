"""Stages: how a command, an orchestrator and a stage speak to each other.

A stage is a process. It reads ``STAGE.request.json`` from its run directory, appends event lines
to ``STAGE.events.jsonl`` and ends by writing ``STAGE.result.json``. Nothing else is agreed between
them, so that a shell, Airflow and Kubeflow call the same stages as `goldlake` does. The types of
these files are in `goldlake_core.documents`.
"""

from __future__ import annotations

import os
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from goldlake_core.contracts.errors import GateRefused, GoldlakeError, PermanentError, UsageError
from goldlake_core.contracts.sections import UseCase
from goldlake_core.documents import codec
from goldlake_core.documents.compiling import Compiled, CompileRequest
from goldlake_core.documents.examining import Examined, ExamineRequest
from goldlake_core.documents.examples import ExamplesRefined, ExamplesRequest
from goldlake_core.documents.keeping import Erased
from goldlake_core.documents.lakehouse import Audited, Exported, Followed, Landed, Refined
from goldlake_core.documents.maintain import Maintained
from goldlake_core.documents.reproducing import (
    Remade,
    RemakeRequest,
    Reproduced,
    ReproduceRequest,
)
from goldlake_core.documents.scoring import KeepRequest, Kept, Scored, ScoreRequest
from goldlake_core.documents.stages import (
    AuditRequest,
    EraseRequest,
    Event,
    ExportRequest,
    Failed,
    FollowRequest,
    Kind,
    LandRequest,
    MaintainRequest,
    RefineRequest,
    Request,
    RestoreRequest,
    Stage,
    StageError,
    TrainRequest,
)
from goldlake_core.documents.training import Anomaly, Trained
from goldlake_core.documents.tuning import Tuned, TuneRequest
from goldlake_core.instants import now_text
from goldlake_core.storage.files import writing

Result: TypeAlias = (
    Landed
    | Refined
    | Followed
    | Audited
    | Maintained
    | Erased
    | ExamplesRefined
    | Exported
    | Trained
    | Tuned
    | Compiled
    | Scored
    | Kept
    | Examined
    | Remade
    | Reproduced
)

DOCUMENTS: dict[Stage, tuple[type[Request], type[Result]]] = {
    "land": (LandRequest, Landed),
    "refine": (RefineRequest, Refined),
    "follow": (FollowRequest, Followed),
    "audit": (AuditRequest, Audited),
    "erase": (EraseRequest, Erased),
    "maintain": (MaintainRequest, Maintained),
    "restore": (RestoreRequest, Refined),
    "examples": (ExamplesRequest, ExamplesRefined),
    "export": (ExportRequest, Exported),
    "train": (TrainRequest, Trained),
    "remake": (RemakeRequest, Remade),
    "reproduce": (ReproduceRequest, Reproduced),
    "tune": (TuneRequest, Tuned),
    "compile": (CompileRequest, Compiled),
    "score": (ScoreRequest, Scored),
    "keep": (KeepRequest, Kept),
    "examine": (ExamineRequest, Examined),
}
"""Request and result of every stage that is a process."""


class DataRefused(GateRefused):
    """The validation gate refused the data; the verdict is on record in ML Metadata.

    Attributes:
        anomalies: What the gate found.
    """

    def __init__(self, problem: str, anomalies: tuple[Anomaly, ...], hint: str) -> None:
        self.anomalies = anomalies
        super().__init__(problem, hint=hint)


class Emit(Protocol):
    """Takes the progress of a stage."""

    def __call__(
        self, kind: Kind, message: str, *, done: int | None = None, total: int | None = None
    ) -> None:
        """Takes one line for people, and how much of how much is done."""


@dataclass(frozen=True)
class RunDir:
    """A run's folder of stage documents; always on the machine that runs the stage."""

    path: Path

    def request_file(self, stage: Stage) -> Path:
        """File of a stage's request."""
        return self.path / f"{stage}.request.json"

    def result_file(self, stage: Stage) -> Path:
        """File of a stage's result, which is there once the stage ended."""
        return self.path / f"{stage}.result.json"

    def events_file(self, stage: Stage) -> Path:
        """File that a stage appends its events to."""
        return self.path / f"{stage}.events.jsonl"

    def write_request(self, stage: Stage, request: Request) -> None:
        """Writes a request and removes an earlier result of the same stage."""
        with writing(str(self.path)):
            self.path.mkdir(parents=True, exist_ok=True)
            self.result_file(stage).unlink(missing_ok=True)
            self.events_file(stage).unlink(missing_ok=True)
        _write(self.request_file(stage), codec.encode(request))

    def request(self, stage: Stage) -> Any:
        """The request of a stage, of the type that `DOCUMENTS` names.

        Raises:
            PermanentError: There is none.
            StoreError: It is not a request of this stage.
        """
        file = self.request_file(stage)
        return codec.decode(
            _read(file, f"request of stage {stage!r}"), DOCUMENTS[stage][0], str(file)
        )

    def write_result(self, stage: Stage, result: Result | Failed) -> None:
        """Writes a stage's result, whole or not at all."""
        _write(self.result_file(stage), codec.encode(result))

    def result(self, stage: Stage, *, is_strict: bool = True) -> Any:
        """The result of a stage, of the type that `DOCUMENTS` names, or `Failed`.

        Args:
            stage: A stage that has ended.
            is_strict: Whether fields are refused that only an earlier version of goldlake wrote.

        Raises:
            PermanentError: The stage wrote none.
            StoreError: It is not a result of this stage.
        """
        file = self.result_file(stage)
        kind: Any = DOCUMENTS[stage][1] | Failed
        data = _read(file, f"result of stage {stage!r}")
        return codec.decode(data, kind, str(file), is_strict=is_strict)

    def emit(
        self,
        stage: Stage,
        kind: Kind,
        message: str,
        *,
        done: int | None = None,
        total: int | None = None,
    ) -> None:
        """Appends one event line.

        Args:
            stage: The stage that speaks.
            kind: What the event is about.
            message: One line for people.
            done: How much of the stage is done.
            total: How much there is to do.
        """
        event = event_now(stage, kind, message, done=done, total=total)
        with self.events_file(stage).open("ab") as file:
            file.write(codec.encode_line(event))

    def events(self, stage: Stage, offset: int = 0) -> Iterator[tuple[Event, int]]:
        """Complete event lines from a byte offset, each with the offset after it.

        A line may say more than an `Event` holds: lines are for people, not for decisions.
        """
        file = self.events_file(stage)
        if not file.exists():
            return
        with file.open("rb") as lines:
            lines.seek(offset)
            for line in lines:
                if not line.endswith(b"\n"):
                    return
                offset += len(line)
                yield codec.decode(line, Event, str(file), is_strict=False), offset


StageFunction = Callable[[Any, Emit], Result]
"""From the stage's request to its result; `DOCUMENTS` has their types."""


AfterStage = Callable[[Stage, Request, "Result | None", Emit], None]
"""Called when a stage ended, with its result or None where it failed."""


def event_now(
    stage: Stage,
    kind: Kind,
    message: str = "",
    *,
    done: int | None = None,
    total: int | None = None,
) -> Event:
    """An event of this moment."""
    return Event(time=now_text(), stage=stage, kind=kind, message=message, done=done, total=total)


def require_same_contract(request: Request, usecase: UseCase, *sections: str) -> None:
    """Refuses to run a stage under another contract than the one that its run began with.

    Args:
        request: The request; without hashes nothing is compared.
        usecase: The use case as it is now.
        sections: Sections that the stage reads; a trailing ``.`` names all that begin with it.

    Raises:
        UsageError: The hash of a section differs, or a section came or went.
    """
    if not request.contract:
        return
    changed = [
        name
        for name in sorted({*request.contract, *usecase.hashes})
        if request.contract.get(name) != usecase.hashes.get(name)
        and any(name == s or (s.endswith(".") and name.startswith(s)) for s in sections)
    ]
    if changed:
        raise UsageError(
            f"The contract of {usecase.name} changed since this run began: "
            f"{', '.join(changed)} in {usecase.folder}",
            hint="run the command again",
        )


def stage_main(
    stages: Mapping[Stage, StageFunction], argv: list[str], after: AfterStage | None = None
) -> int:
    """Runs stages of one process one after another: ``python -m PACKAGE RUN_DIR STAGE [STAGE…]``.

    A result document is the stage's own with ``"status": "ok"``, or a `Failed` with
    ``"status": "error"``. A failed stage ends the process: later ones do not run.

    Args:
        stages: The stages of the package by name.
        argv: Arguments of the command.
        after: Called when a stage ended, before its result is written.

    Returns:
        0, or the exit code of the error.
    """
    names = {str(name): name for name in stages}
    if len(argv) < 2 or any(name not in names for name in argv[1:]):
        print(f"usage: RUN_DIR STAGE…, with STAGE one of {', '.join(stages)}", file=sys.stderr)
        return 2
    run = RunDir(Path(argv[0]))
    for name in [names[argument] for argument in argv[1:]]:

        def emit(
            kind: Kind,
            message: str,
            *,
            done: int | None = None,
            total: int | None = None,
            _stage: Stage = name,
        ) -> None:
            run.emit(_stage, kind, message, done=done, total=total)

        request: Request | None = None
        try:
            request = run.request(name)
            result = stages[name](request, emit)
            if after is not None:
                after(name, request, result, emit)
        except Exception as error:  # the result document is where a stage's error belongs
            failed = _failed(error)
            if after is not None and request is not None:
                after(name, request, None, emit)
            run.write_result(name, failed)
            traceback.print_exc()
            return failed.error.exit_code
        run.write_result(name, result)
    return 0


def _failed(error: Exception) -> Failed:
    is_refusal = isinstance(error, DataRefused)
    return Failed(
        error=StageError(
            type=type(error).__name__,
            message=error.message if isinstance(error, GoldlakeError) else _first_line(error),
            exit_code=error.exit_code if isinstance(error, GoldlakeError) else 1,
            traceback=traceback.format_exc(),
            anomalies=error.anomalies if isinstance(error, DataRefused) else (),
            verdict="refused" if is_refusal else None,
        )
    )


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else 'no message'}"


def _write(file: Path, data: bytes) -> None:
    with writing(str(file)):
        handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
        with os.fdopen(handle, "wb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        os.replace(name, file)


def _read(file: Path, what: str) -> bytes:
    try:
        return file.read_bytes()
    except FileNotFoundError as error:
        raise PermanentError(f"There is no {what} at {file}") from error
