"""The documents of runs, and the table of runs that follows from them.

    runs/RUN/run.json        how the run began
    runs/RUN/alive.lock      held by the process while the run goes on
    runs/RUN/ended.new.json  the row, before it is in the table
    runs/RUN/ended.json      the row, when it is in the table

Whoever runs next looks for runs without an end: a row that did not reach the table is appended, and
a run whose process is gone is recorded as ``killed``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import fsspec
import msgspec

from goldlake_core.contracts.errors import GoldlakeError, LockedError, StoreError
from goldlake_core.contracts.keys import Form, keys_of
from goldlake_core.contracts.registry import load_usecase
from goldlake_core.contracts.sections import Section, UseCase
from goldlake_core.documents import codec
from goldlake_core.documents.history import Limits, RunBegan, RunRow, Status
from goldlake_core.documents.lakehouse import Landed, Refined
from goldlake_core.documents.stages import Failed, LandRequest, Request, Stage
from goldlake_core.stages import DOCUMENTS, RunDir
from goldlake_core.storage.files import read_bytes, write_atomic
from goldlake_core.storage.home import DEFAULT_HOME, Home
from goldlake_core.storage.locks import FileLock
from metadata import history as table
from metadata.notify import notify

log = logging.getLogger("goldlake")

R = TypeVar("R")

BEGAN, NEW, ENDED, ALIVE = "run.json", "ended.new.json", "ended.json", "alive.lock"
GATE_EXIT_CODE = 3
LOCK_WAIT_S = 20.0
PROBLEMS = (GoldlakeError, OSError, ValueError, msgspec.MsgspecError)
"""What a damaged table, document or disk raises."""
_LIMITS = {None, Form.DURATION}
_active: set[str] = set()


def begin(folder: Path, began: RunBegan, home: Home) -> FileLock:
    """Writes how a run began, and records the runs before it that have no end.

    Args:
        folder: The run's folder.
        began: The document to write.
        home: The home that the run works on.

    Returns:
        The lock that says that the run goes on; `end` lets it go.
    """
    _active.add(began.run_id)
    lock = FileLock(str(folder / ALIVE), f"the run {began.run_id}")
    lock.__enter__()
    _write(folder / BEGAN, began)
    recover(home)
    return lock


def end(folder: Path, row: RunRow, home: Home, lock: FileLock) -> None:
    """Writes how a run ended. What goes wrong is a warning: the next command tries again.

    Args:
        folder: The run's folder.
        row: The row to write.
        home: The home that the run worked on.
        lock: What `begin` returned.
    """
    try:
        _write(folder / NEW, row)
        _publish(home, folder, row)
    except PROBLEMS as problem:
        log.warning("the run %s is not in the history yet: %s", row.run_id, line(problem))
    finally:
        _active.discard(row.run_id)
        lock.__exit__(None, None, None)


def remake(name: str, home: Home) -> str:
    """Makes the table of a use case's runs again from the documents of the runs.

    Args:
        name: Name of the use case.
        home: Where everything is kept.

    Returns:
        Where the table that was there is now, or "" without one.
    """
    with _history_lock(home):
        has_table = home.fs.exists(table.location(home, name))
        aside = table.set_aside(home, name) if has_table else ""
        rows = [row for row in _ended(home) if row.usecase == name]
        if rows:
            table.append(home, name, rows)
    recover(home)
    return aside


def redact(name: str, home: Home, change: Callable[[str], str]) -> bool:
    """Changes the texts of errors in the table of a use case's runs, for good.

    Args:
        name: Name of the use case.
        home: Where everything is kept.
        change: Returns the text to keep for a text of an error.

    Returns:
        Whether a text was changed; the table that held it is removed then.
    """
    with _history_lock(home):
        if not home.fs.exists(table.location(home, name)):
            return False
        before = table.read(home, name)
        after = [
            msgspec.structs.replace(row, error=change(row.error)) if row.error else row
            for row in before
        ]
        if after == before:
            return False
        aside = table.set_aside(home, name)
        table.append(home, name, after)
        home.fs.rm(aside, recursive=True)
    return True


def recover(home: Home) -> None:
    """Records the runs of a home that have no end yet and whose process is gone.

    Runs of earlier versions of goldlake, which kept no history, are recorded as far as the
    documents of their stages tell.
    """
    for folder in _folders(home):
        if (folder / ENDED).exists() or folder.name in _active:
            continue
        is_ours = (folder / BEGAN).exists()
        try:
            if not is_ours and _of_before(folder) is None:
                continue
            with FileLock(str(folder / ALIVE)):
                is_new = not (folder / NEW).exists()
                row = _lost(folder, home) if is_new else _document(folder / NEW, RunRow)
                if row is None or (folder / ENDED).exists():
                    continue
                _write(folder / NEW, row)
                _publish(home, folder, row, may_be_there=not is_new)
        except LockedError:  # it is still going on
            continue
        except PROBLEMS as error:
            log.warning("the run %s is not in the history: %s", folder.name, line(error))
            continue
        if is_new and is_ours:
            _tell(_document(folder / BEGAN, RunBegan).reference, row)


def _lost(folder: Path, home: Home) -> RunRow | None:
    """The row of a run that wrote none; None where it is one of another home."""
    if not (folder / BEGAN).exists():
        return _of_before(folder)
    began = _document(folder / BEGAN, RunBegan)
    # Runs of remote homes have their documents on this machine, in one folder.
    return _killed(folder, began) if home.is_local or began.home == home.root else None


def _of_before(folder: Path) -> RunRow | None:
    """The row of a whole run of an earlier version; None where it is something else."""
    names = sorted(file.name.partition(".")[0] for file in folder.glob("*.request.json"))
    stages: list[Stage] = [stage for stage in DOCUMENTS if stage in names]
    if not {"land", "refine"} & set(stages):
        return None
    run, status, error, code = RunDir(folder), "ok", None, 0
    for stage in stages:
        if not run.result_file(stage).exists():
            # What follows a stage that failed has no result. Without a failure, it may go on.
            return None if status == "ok" else _row_of_before(run, stages, status, code, error)
        result = run.result(stage, is_strict=False)
        if isinstance(result, Failed):
            code, error = result.error.exit_code, f"{stage}: {result.error.message}"
            status = "refused" if code == GATE_EXIT_CODE else "failed"
    return _row_of_before(run, stages, status, code, error)


def _row_of_before(
    run: RunDir, stages: Sequence[Stage], status: str, code: int, error: str | None
) -> RunRow:
    request: Request = run.request(stages[0])
    command = "ingest" if "land" in stages else "rebuild"
    began = RunBegan(
        run_id=run.path.name,
        usecase=Path(request.usecase).name,
        reference=request.usecase,
        home=request.home,
        command="run" if "export" in stages else command,
        began_at=datetime.strptime(run.path.name[:15] + "+0000", "%Y%m%d-%H%M%S%z"),
        contract=request.contract,
        limits={},
    )
    row = row_of(run.path, began, msgspec.convert(status, Status), {})
    return msgspec.structs.replace(row, exit_code=code, error=error)


def limits(usecase: UseCase) -> Limits:
    """The numbers, durations and choices of a contract by section: what a run may do and take."""
    found: Limits = {
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


def row_of(folder: Path, began: RunBegan, status: Status, seconds: Mapping[str, float]) -> RunRow:
    """What the documents of a run's stages say."""
    landed = _result(folder, "land", Landed)
    refined = _result(folder, "refine", Refined) or _result(folder, "restore", Refined)
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
        row_of(folder, began, "killed", {}), error="the process of the command ended without a word"
    )


def _result(folder: Path, stage: Stage, kind: type[R]) -> R | None:
    """The result document of a stage that ended well, or None."""
    try:
        found = RunDir(folder).result(stage, is_strict=False)
    except GoldlakeError:
        return None
    return found if isinstance(found, kind) else None


def _asked(folder: Path) -> LandRequest | None:
    try:
        request = RunDir(folder).request("land")
    except GoldlakeError:
        return None
    return request if isinstance(request, LandRequest) else None


def _publish(home: Home, folder: Path, row: RunRow, *, may_be_there: bool = False) -> None:
    """Appends a row to the table; a table that is lost is made again from all documents."""
    with _history_lock(home):
        if not table.exists(home, row.usecase):
            rows = [*(each for each in _ended(home) if each.usecase == row.usecase), row]
        elif may_be_there and any(r.run_id == row.run_id for r in table.read(home, row.usecase)):
            rows = []
        else:
            rows = [row]
        if rows:
            table.append(home, row.usecase, rows)
        _write(folder / ENDED, row)
        (folder / NEW).unlink(missing_ok=True)


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


def line(error: BaseException) -> str:
    """The first line of an error."""
    return (str(error).splitlines() or [type(error).__name__])[0]
