"""Drafts the folder of a use case from files: a contract, and a model of one of its columns."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec

from goldlake.workflows.drafting.contract_text import contract_text, format_of, left_out
from goldlake.workflows.drafting.model_text import features_of, model_text, obstacles, task_of
from goldlake.workflows.drafting.sample import ROWS, Sample, read_sample
from goldlake.workflows.drafting.split import split_of
from goldlake.workflows.drafting.table import Table, table_of
from goldlake_core.contracts.errors import UsageError
from goldlake_core.contracts.loader import CONTRACT, MODELS
from goldlake_core.contracts.names import MAX_NAME, is_name, nearest
from goldlake_core.storage.files import writing

MOST_TOLD = 4
"""Guesses that have a line each; the others are counted."""


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """One line of what a draft was made of.

    Attributes:
        what: What the line is about, such as ``key``.
        text: What it was taken for.
        is_guess: Whether a person should look at it.
    """

    what: str
    text: str
    is_guess: bool = False


class Drafted(msgspec.Struct, frozen=True, kw_only=True):
    """The report of `goldlake init`.

    Attributes:
        usecase: Name of the use case.
        folder: Its folder, as commands name it.
        files: Names of the files that were found.
        rows: Number of records that were looked at.
        is_whole: Whether these are all of the records.
        told: What was taken for what.
        written: The files that were written, by path.
        next: Commands to type next.
    """

    usecase: str
    folder: str
    files: tuple[str, ...]
    rows: int
    is_whole: bool
    told: tuple[Told, ...]
    written: tuple[str, ...]
    next: tuple[str, ...]


def draft(target: str, where: str, label: str | None = None, rows: int = ROWS) -> Drafted:
    """Writes a use case's folder; never over a file that is there.

    Args:
        target: Name of the use case, or the path of its folder.
        where: A file, a folder, a pattern, or a URL of such or of an API's data set.
        label: The column to predict, by its name in the file or in the contract; None for no model.
        rows: Most records to look at.

    Raises:
        UsageError: The name is not one, there is a contract already, no files, or no such column.
        PermanentError: A file cannot be read.
        RetryableError: Another machine did not answer.
    """
    folder = Path(target)
    name = folder.name
    if not is_name(name):
        raise UsageError(
            f"{name!r} is not a name",
            valid=f"a lower-case letter, then lower-case letters, digits or _ (at most {MAX_NAME})",
        )
    _require_new(folder / CONTRACT)
    table = table_of(read_sample(where, rows, label))
    column = _label(table, label) if label is not None else None
    reasons = obstacles(table, column) if column else []
    path = _path_from(folder, where)
    files = {CONTRACT: contract_text(name, path, table, column)}
    if column and not reasons:
        files = {f"{MODELS}/{column}.yaml": model_text(table, column, name), **files}
    # The contract is the last: a folder without one can be drafted again.
    for file, text in files.items():
        _write(folder / file, text)
    shown = target if os.sep in target else f".{os.sep}{target}"
    command = target if Path(target).parent == Path() else shown
    return Drafted(
        usecase=name,
        folder=str(folder),
        files=tuple(file.name for file in table.sample.files),
        rows=table.sample.rows,
        is_whole=table.sample.is_whole,
        told=tuple(_told(table, column, reasons)),
        written=tuple(str(folder / file) for file in reversed(files)),
        next=(f"goldlake check {command}", f"goldlake run {command}"),
    )


def _write(path: Path, text: str) -> None:
    """Writes a file whole or not at all, and never over another.

    A file that holds the text already, of a draft that was cut off, is left as it is.

    Raises:
        UsageError: There is such a file with another content.
        StoreError: The disk is full, or the folder may not be written.
    """
    data = text.encode()
    with writing(str(path)):
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f".{path.name}.{os.urandom(6).hex()}")
        try:
            unfinished.write_bytes(data)
            os.link(unfinished, path)
        except FileExistsError:
            if path.read_bytes() != data:
                raise UsageError(
                    f"There is {path} already, and a draft is never written over a file",
                    valid="another name",
                ) from None
        finally:
            unfinished.unlink(missing_ok=True)


def _require_new(contract: Path) -> None:
    if contract.exists():
        raise UsageError(
            f"There is {contract} already, and a draft is never written over a file",
            valid="another name",
            hint=f"goldlake check {contract.parent}",
        )


def _label(table: Table, label: str) -> str:
    """Name of the column that a label names."""
    by_name = {column.name: column.name for column in table.columns}
    by_field = {column.field: column.name for column in table.columns}
    found = by_field.get(label) or by_name.get(label)
    if found is None:
        known = [column.field for column in table.columns]
        raise UsageError(f"There is no column {label!r} with values", valid=nearest(label, known))
    return found


def _path_from(folder: Path, where: str) -> str:
    """The place of the files as a contract in a folder names it."""
    if "://" in where or os.path.isabs(where):
        return where
    return Path(os.path.relpath(where, folder)).as_posix()


def _told(table: Table, label: str | None, reasons: list[str]) -> Iterator[Told]:
    sample = table.sample
    yield Told(what="layout", text=_layout(table))
    if sample.odd:
        text = f"{sample.odd:,} lines are not records like the others, and would be rejected"
        yield Told(what="lines", text=text, is_guess=True)
    yield _key(table)
    times = [f"{table.event_time} is when it happened"] if table.event_time else []
    times += [f"{table.version} is the version of a row"] if table.version else []
    if times:
        yield Told(what="time", text="; ".join(times), is_guess=True)
    kinds = Counter(column.type for column in table.columns)
    listed = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
    yield Told(what="columns", text=f"{len(table.columns)}: {listed}")
    for reason, fields in left_out(table):
        yield Told(what="left out", text=f"{', '.join(fields[:6])}: {reason}")
    yield from _guesses(table)
    if label and reasons:
        yield Told(what="label", text=f"no model: {'; '.join(reasons)}", is_guess=True)
    elif label:
        task = task_of(table.column(label))
        kind = f" ({task.head})" if task is not None else ""
        count = len(features_of(table, label))
        text = f"{label}{kind}, by {count} feature{'' if count == 1 else 's'}"
        yield Told(what="label", text=text, is_guess=True)
        split = split_of(table)
        yield Told(what="split", text=split.text, is_guess=split.is_guess)


def _guesses(table: Table) -> Iterator[Told]:
    guesses = [f"{c.name}: {each}" for c in table.columns for each in c.guesses]
    clocks = [
        c.name
        for c in table.columns
        if c.type == "timestamp" and c.times is not None and not c.times.has_offset
    ]
    if clocks:
        yield Told(what="clock", text=f"{', '.join(clocks)} in UTC", is_guess=True)
    for text in guesses[:MOST_TOLD]:
        yield Told(what="column", text=text, is_guess=True)
    if len(guesses) > MOST_TOLD:
        text = f"{len(guesses) - MOST_TOLD} more lines of the contract have a ?"
        yield Told(what="column", text=text, is_guess=True)


def _key(table: Table) -> Told:
    if table.key:
        is_guess = not table.sample.is_whole and table.sample.origin is None
        return Told(what="key", text=", ".join(table.key), is_guess=is_guess)
    text = "content: no columns tell the records apart"
    if table.repeated:
        be = "is" if table.repeated == 1 else "are"
        text += f" ({table.repeated:,} {be} equal to another)"
    return Told(what="key", text=text)


def _layout(table: Table) -> str:
    sample: Sample = table.sample
    if sample.origin is not None:
        return f"data set {sample.origin.dataset} of {sample.origin.address}"
    if not sample.is_text:
        return "records of JSON or Parquet"
    keys = {"encoding": sample.format.encoding, "delimiter": sample.format.delimiter}
    keys |= {name: str(value) for name, value in format_of(table).items() if name != "header"}
    header = "" if sample.format.header else ", no header"
    shown = {name: f'"{value}"' if len(value) == 1 else value for name, value in keys.items()}
    return "CSV" + "".join(f", {name} {value}" for name, value in shown.items()) + header
