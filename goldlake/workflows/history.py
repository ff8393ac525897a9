"""Keeps the history: every run of a command becomes a row of the table of runs when it ends."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from datetime import datetime, timezone
from typing import ParamSpec, TypeVar

import msgspec

from goldlake.workflows.processes import ON_REQUEST, Run, StageFailed
from goldlake_core.contracts.errors import GoldlakeError, StoreError
from goldlake_core.contracts.registry import find_usecase
from goldlake_core.contracts.sections import UseCase
from goldlake_core.documents.history import HistoryView, RunBegan, RunRow, Status
from goldlake_core.documents.reports import RunReport, TrainReport
from goldlake_core.documents.training import Trained
from goldlake_core.storage.home import Home
from lakehouse import catalog
from metadata import history as table
from metadata import runs
from metadata.notify import notify

log = logging.getLogger("goldlake")

P = ParamSpec("P")
R = TypeVar("R")

GATE_EXIT_CODE = 3
INTERRUPTED, TERMINATED = 130, 143


def recorded(command: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Makes a function keep the run that it starts: in the history, and by the contract's notify.

    A run begins with its first request of a stage. A function that fails before has no run.

    Args:
        command: Name of the command that the history shows.
    """

    def decorated(function: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(function)
        def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
            recording = _Recording(command)
            token = ON_REQUEST.set(recording.begin)
            try:
                result = function(*args, **kwargs)
            except BaseException as error:
                recording.end(*_failure(error))
                raise
            finally:
                ON_REQUEST.reset(token)
            recording.end(*verdict(result))
            return result

        return wrapped

    return decorated


def history(
    usecase: str | None, home: Home, limit: int, *, is_read_only: bool = False
) -> HistoryView:
    """The newest runs on record, of one use case or of all in a home.

    Runs whose process was killed are recorded first. That they cannot be, in a home that may not be
    written, is a warning.

    Args:
        usecase: Name or path of a use case, or None for all of the home.
        home: Where everything is kept.
        limit: Most runs to return.
        is_read_only: Whether runs whose process was killed are left for the next command.
    """
    if not is_read_only:
        runs.recover(home)
    by_usecase = {name: _read(home, name) for name in _names(usecase, home)}
    found = [row for rows in by_usecase.values() for row in rows]
    found.sort(key=lambda row: (row.began_at, row.run_id), reverse=True)
    return HistoryView(
        total=len(found),
        tables={name: table.location(home, name) for name, rows in by_usecase.items() if rows},
        runs=tuple(found[:limit]),
    )


def remake(usecase: str, home: Home) -> str:
    """Makes the table of a use case's runs again; see `metadata.runs.remake`."""
    return runs.remake(find_usecase(usecase).resolve().name, home)


class _Recording:
    """One run from its first request to its end."""

    def __init__(self, command: str) -> None:
        self._command = command
        self._run: Run | None = None

    def begin(self, run: Run, reference: str, usecase: UseCase) -> None:
        """Takes a run; a second one of the same command is not taken."""
        if self._run is not None:
            return
        self._run, self._usecase = run, usecase
        self._began = RunBegan(
            run_id=run.run_id,
            usecase=usecase.name,
            reference=reference,
            home=run.home.root,
            command=self._command,
            began_at=_now(),
            contract=dict(usecase.hashes),
            limits=runs.limits(usecase),
        )
        self._lock = runs.begin(run.directory.path, self._began, run.home)

    def end(self, status: Status, exit_code: int, error: str | None) -> None:
        """Writes the run's row. What goes wrong here is a warning: the run is what it was."""
        if self._run is None:
            return
        run, folder, ended = self._run, self._run.directory.path, _now()
        row = msgspec.structs.replace(
            runs.row_of(folder, self._began, status, run.seconds),
            ended_at=ended,
            seconds=round((ended - self._began.began_at).total_seconds(), 3),
            exit_code=exit_code,
            error=error,
            **_standing(run.home, self._usecase.name),
        )
        runs.end(folder, row, run.home, self._lock)
        for text in notify(self._usecase, row):
            log.warning("%s", text)


def _failure(error: BaseException) -> tuple[Status, int, str | None]:
    """How a run ended that raised an error."""
    if not isinstance(error, Exception):
        code = INTERRUPTED if isinstance(error, KeyboardInterrupt) else TERMINATED
        return "interrupted", code, None
    code = error.exit_code if isinstance(error, GoldlakeError) else 1
    text = error.error.message if isinstance(error, StageFailed) else str(error)
    stage = f"{error.stage}: " if isinstance(error, StageFailed) else ""
    return "refused" if code == GATE_EXIT_CODE else "failed", code, stage + text


def verdict(document: object) -> tuple[Status, int, str | None]:
    """How a run ended that returned its report: a gate may have refused a model."""
    refusals: dict[str, str] = {}
    if isinstance(document, TrainReport) and not document.train.blessed:
        refusals[document.model] = _unblessed(document.train)
    if isinstance(document, RunReport):
        for name, part in document.models.items():
            if part.promotion is None:
                refusals[name] = part.refused.message if part.refused else _unblessed(part.train)
    if not refusals:
        return "ok", 0, None
    text = "; ".join(f"{name}: {why}" for name, why in refusals.items())
    return "refused", GATE_EXIT_CODE, text


def _unblessed(train: Trained | None) -> str:
    """That a candidate is not blessed, with the first reason where one is recorded."""
    reasons = train.reasons if train is not None else ()
    more = f" (and {len(reasons) - 1} more)" if len(reasons) > 1 else ""
    return f"not blessed: {reasons[0]}{more}" if reasons else "not blessed"


def _standing(home: Home, usecase: str) -> dict[str, int | None]:
    """Epoch and last page of silver as they are now; nothing where they cannot be read."""
    try:
        epoch, through = catalog.standing(usecase, home)
    except runs.PROBLEMS:  # what is damaged here, the run has said
        return {}
    return {"epoch": epoch, "through": through}


def _read(home: Home, usecase: str) -> list[RunRow]:
    try:
        return table.read(home, usecase)
    except runs.PROBLEMS as error:
        raise StoreError(
            f"The history of {usecase} in {home.root} is damaged: {runs.line(error)}",
            hint=f"goldlake history {usecase} --remake",
        ) from error


def _names(usecase: str | None, home: Home) -> list[str]:
    if usecase is not None:
        return [find_usecase(usecase).resolve().name]
    return catalog.usecases(home)


def _now() -> datetime:
    return datetime.now(timezone.utc)
