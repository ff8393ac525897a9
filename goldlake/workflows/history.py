"""Keeps the history: every run of a command becomes a row of the table of runs when it ends.

    runs/RUN/run.json        how the run began
    runs/RUN/alive.lock      held by the process while the run goes on
    runs/RUN/ended.new.json  the row, before it is in the table
    runs/RUN/ended.json      the row, when it is in the table

Whoever runs next looks for runs without an end: a row that did not reach the table is appended, and
a run whose process is gone is recorded as ``killed``. So the table follows from these files.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import fsspec
import msgspec

from goldlake.workflows.notify import notify
from goldlake.workflows.processes import ON_REQUEST, Run, StageFailed
from goldlake_core.contracts.errors import GoldlakeError, LockedError, StoreError
from goldlake_core.contracts.keys import Form, keys_of
from goldlake_core.contracts.registry import find_usecase, load_usecase
from goldlake_core.contracts.sections import Section, UseCase
from goldlake_core.documents import codec
from goldlake_core.documents.history import HistoryView, RunBegan, RunRow, Status
from goldlake_core.documents.lakehouse import Landed, Refined
from goldlake_core.documents.reports import RunReport, TrainReport
from goldlake_core.documents.stages import LandRequest, Stage
from goldlake_core.stages import RunDir
from goldlake_core.storage.files import read_bytes, write_atomic
from goldlake_core.storage.home import DEFAULT_HOME, Home
from goldlake_core.storage.locks import FileLock
from lakehouse import catalog
from metadata import history as table

log = logging.getLogger("goldlake")

P = ParamSpec("P")
R = TypeVar("R")

BEGAN, NEW, ENDED, ALIVE = "run.json", "ended.new.json", "ended.json", "alive.lock"
GATE_EXIT_CODE = 3
INTERRUPTED = 130
LOCK_WAIT_S = 20.0
_LIMITS = {None, Form.DURATION}
# What a damaged table, document or disk raises.
_PROBLEMS = (GoldlakeError, OSError, ValueError, msgspec.MsgspecError)
_active: set[str] = set()


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
            recording.end(*_verdict(result))
            return result

        return wrapped

    return decorated


def history(usecase: str | None, home: Home, limit: int) -> HistoryView:
    """The newest runs on record, of one use case or of all in a home.

    Runs whose process was killed are recorded first. That they cannot be, in a home that may not be
    written, is a warning.

    Args:
        usecase: Name or path of a use case, or None for all of the home.
        home: Where everything is kept.
        limit: Most runs to return.
    """
    recover(home)
    runs = [row for name in _names(usecase, home) for row in _read(home, name)]
    runs.sort(key=lambda row: (row.began_at, row.run_id), reverse=True)
    return HistoryView(total=len(runs), runs=tuple(runs[:limit]))


def remake(usecase: str, home: Home) -> str:
    """Makes the table of a use case's runs again from the documents of the runs.

    Args:
        usecase: Name or path of the use case.
        home: Where everything is kept.

    Returns:
        Where the table that was there is now, or "" without one.
    """
    name = find_usecase(usecase).resolve().name
    with _history_lock(home):
        has_table = home.fs.exists(table.location(home, name))
        aside = table.set_aside(home, name) if has_table else ""
        rows = [row for row in _ended(home) if row.usecase == name]
        if rows:
            table.append(home, name, rows)
    recover(home)
    return aside


def recover(home: Home) -> None:
    """Records the runs of a home that have no end yet and whose process is gone."""
    for folder in _folders(home):
        if (folder / ENDED).exists() or not (folder / BEGAN).exists() or folder.name in _active:
            continue
        try:
            began = _document(folder / BEGAN, RunBegan)
            if not home.is_local and began.home != home.root:
                continue
            with FileLock(str(folder / ALIVE)):
                if (folder / ENDED).exists():
                    continue
                is_new = not (folder / NEW).exists()
                row = _killed(folder, began) if is_new else _document(folder / NEW, RunRow)
                _write(folder / NEW, row)
                _publish(home, folder, row, may_be_there=not is_new)
        except LockedError:  # it is still going on
            continue
        except _PROBLEMS as error:
            log.warning("the run %s is not in the history: %s", folder.name, _line(error))
            continue
        if is_new:
            _tell(began.reference, row)


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
            limits=limits(usecase),
        )
        _active.add(run.run_id)
        self._lock = FileLock(str(run.directory.path / ALIVE), f"the run {run.run_id}")
        self._lock.__enter__()
        _write(run.directory.path / BEGAN, self._began)
        recover(run.home)

    def end(self, status: Status, exit_code: int, error: str | None) -> None:
        """Writes the run's row. What goes wrong here is a warning: the run is what it was."""
        if self._run is None:
            return
        run, folder, ended = self._run, self._run.directory.path, _now()
        row = msgspec.structs.replace(
            _row(folder, self._began, status, run.seconds),
            ended_at=ended,
            seconds=round((ended - self._began.began_at).total_seconds(), 3),
            exit_code=exit_code,
            error=error,
            **_standing(run.home, self._usecase.name),
        )
        try:
            _write(folder / NEW, row)
            _publish(run.home, folder, row)
        except _PROBLEMS as problem:
            log.warning("the run %s is not in the history yet: %s", run.run_id, _line(problem))
        finally:
            _active.discard(run.run_id)
            self._lock.__exit__(None, None, None)
        for text in notify(self._usecase, row):
            log.warning("%s", text)


def limits(usecase: UseCase) -> dict[str, object]:
    """The numbers, durations and choices of a contract by section: what a run may do and take."""
    found: dict[str, object] = {
        "source": {**_limits(usecase.source), "options": dict(usecase.source.options)},
        "silver": _limits(usecase.silver),
    }
    for model in usecase.models.values():
        bounds = {each.metric: _plain(each, "metric") for each in model.thresholds}
        drift = [_plain(each) for each in model.limits]
        mine = {"thresholds": bounds, "limits": drift, **_limits(model)}
        found[f"model.{model.name}"] = mine
    return {name: values for name, values in found.items() if values}


def _limits(section: Section) -> dict[str, object]:
    values = {
        key.name: getattr(section, key.attribute)
        for key in keys_of(type(section))
        if key.key.form in _LIMITS
    }
    plain: dict[str, object] = codec.plain(values)
    return plain


def _plain(section: Section, *left_out: str) -> dict[str, object]:
    values: dict[str, object] = codec.plain(section)
    return {k: v for k, v in values.items() if v is not None and k not in left_out}


def _failure(error: BaseException) -> tuple[Status, int, str | None]:
    """How a run ended that raised an error."""
    if not isinstance(error, Exception):
        code = INTERRUPTED if isinstance(error, KeyboardInterrupt) else INTERRUPTED + 13
        return "interrupted", code, None
    code = error.exit_code if isinstance(error, GoldlakeError) else 1
    text = error.error.message if isinstance(error, StageFailed) else str(error)
    stage = f"{error.stage}: " if isinstance(error, StageFailed) else ""
    return "refused" if code == GATE_EXIT_CODE else "failed", code, stage + text


def _verdict(document: object) -> tuple[Status, int, str | None]:
    """How a run ended that returned its report: a gate may have refused a model."""
    refusals: dict[str, str] = {}
    if isinstance(document, TrainReport) and not document.train.blessed:
        refusals[document.model] = "not blessed"
    if isinstance(document, RunReport):
        for name, part in document.models.items():
            if part.promotion is None:
                refusals[name] = part.refused.message if part.refused else "not blessed"
    if not refusals:
        return "ok", 0, None
    text = "; ".join(f"{name}: {why}" for name, why in refusals.items())
    return "refused", GATE_EXIT_CODE, text


def _row(folder: Path, began: RunBegan, status: Status, seconds: Mapping[str, float]) -> RunRow:
    """What the documents of a run's stages say."""
    landed, refined = _result(folder, "land", Landed), _result(folder, "refine", Refined)
    fields: dict[str, Any] = {}
    if (asked := _asked(folder)) is not None:
        fields |= {"since": asked.since, "until": asked.until}
    if landed is not None:
        names = ("missing", "pages", "repeated", "restored", "bytes", "requests", "retries")
        fields |= {name: getattr(landed, name) for name in (*names, "source_count", "address")}
        fields |= {"source": landed.identity, "landed": landed.rows}
    steps = dict(seconds)
    if refined is not None:
        fates = msgspec.structs.asdict(refined.fates)
        fields |= {name: count for name, count in fates.items() if name != "landed"}
        fields |= {"refined": refined.new_records, "reasons": refined.reasons}
        fields["tables"] = {name: state.version for name, state in refined.tables.items()}
        steps |= {f"refine.{name}": took for name, took in refined.seconds.items()}
    return RunRow(
        run_id=began.run_id,
        usecase=began.usecase,
        command=began.command,
        status=status,
        began_at=began.began_at,
        contract=began.contract,
        limits=began.limits,
        steps=steps,
        **fields,
    )


def _killed(folder: Path, began: RunBegan) -> RunRow:
    return msgspec.structs.replace(
        _row(folder, began, "killed", {}), error="the process of the command ended without a word"
    )


def _result(folder: Path, stage: Stage, kind: type[R]) -> R | None:
    """The result document of a stage that ended well, or None."""
    try:
        found = RunDir(folder).result(stage)
    except GoldlakeError:
        return None
    return found if isinstance(found, kind) else None


def _asked(folder: Path) -> LandRequest | None:
    try:
        request = RunDir(folder).request("land")
    except GoldlakeError:
        return None
    return request if isinstance(request, LandRequest) else None


def _standing(home: Home, usecase: str) -> dict[str, int | None]:
    """Epoch and last page of silver as they are now; nothing where they cannot be read."""
    try:
        epoch, through = catalog.standing(usecase, home)
    except _PROBLEMS:  # what is damaged here, the run has said
        return {}
    return {"epoch": epoch, "through": through}


def _publish(home: Home, folder: Path, row: RunRow, *, may_be_there: bool = False) -> None:
    """Appends a row to the table; a table that is lost is made again from all documents."""
    with _history_lock(home):
        if not home.fs.exists(table.location(home, row.usecase)):
            rows = [*(each for each in _ended(home) if each.usecase == row.usecase), row]
        elif may_be_there and any(r.run_id == row.run_id for r in table.read(home, row.usecase)):
            rows = []
        else:
            rows = [row]
        if rows:
            table.append(home, row.usecase, rows)
        _write(folder / ENDED, row)
        (folder / NEW).unlink(missing_ok=True)


def _read(home: Home, usecase: str) -> list[RunRow]:
    try:
        return table.read(home, usecase)
    except _PROBLEMS as error:
        raise StoreError(
            f"The history of {usecase} in {home.root} is damaged: {_line(error)}",
            hint=f"goldlake history {usecase} --remake",
        ) from error


def _names(usecase: str | None, home: Home) -> list[str]:
    if usecase is not None:
        return [find_usecase(usecase).resolve().name]
    return catalog.usecases(home)


def _ended(home: Home) -> Iterator[RunRow]:
    """The rows of all runs that ended, from their own documents, oldest first."""
    for folder in _folders(home):
        if (folder / ENDED).exists():
            yield _document(folder / ENDED, RunRow)


def _folders(home: Home) -> list[Path]:
    """Folders of runs; they are on this machine even when the home is a remote URL."""
    local = home if home.is_local else Home.at(DEFAULT_HOME)
    runs = Path(local.path("runs"))
    return sorted(path for path in runs.iterdir() if path.is_dir()) if runs.is_dir() else []


def _history_lock(home: Home) -> FileLock:
    local = home if home.is_local else Home.at(DEFAULT_HOME)
    path = local.path("runs", "history.lock")
    return FileLock(path, f"the history of {home.root}", wait_s=LOCK_WAIT_S)


def _tell(reference: str, row: RunRow) -> None:
    try:
        usecase = load_usecase(reference)
    except GoldlakeError as error:
        log.warning("nobody was notified of the run %s: %s", row.run_id, error)
        return
    for problem in notify(usecase, row):
        log.warning("%s", problem)


def _write(file: Path, document: object) -> None:
    write_atomic(fsspec.filesystem("file"), str(file), codec.encode(document))


def _document(file: Path, kind: type[R]) -> R:
    data = read_bytes(fsspec.filesystem("file"), str(file))
    if data is None:
        raise StoreError(f"There is no {file}")
    return codec.decode(data, kind, str(file))


def _line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _now() -> datetime:
    return datetime.now(timezone.utc)
