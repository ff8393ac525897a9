"""The answers of one model version as a table, from its request log. No JVM.

What was read of a file is kept in columns beside it, under a hidden name, with the digest of the
bytes that it is of: a file is parsed once, and of one that is written what came since. `goldlake
erase` and the server remove the columns with the lines. Where columns are missing or cannot be
written, the lines are read.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fsspec
import msgspec

from goldlake_core.contracts.column_types import COLUMN_TYPES
from goldlake_core.contracts.errors import StoreError
from goldlake_core.contracts.sections import Model, UseCase
from goldlake_core.contracts.wire import raw_inputs
from goldlake_core.instants import of_text
from goldlake_core.storage.files import write_atomic
from goldlake_core.storage.home import Home
from serving.answeredlog import Answered, FileAnswers, answers_of, content, file_names, is_there
from serving.logfile import columns_name, remove_columns

if TYPE_CHECKING:
    import polars as pl

MOST_LINES = 200_000
"""Answers of a version that are read, the newest ones; they take about a kilobyte each."""
AT, VERSION, KEY, OUTPUTS, IS_NAMED = "_at", "_version", "_key", "_outputs", "_is_named"
"""Columns beside the inputs: instant of the request (UTC), version that answered (int64), record
key or null, outputs as a JSON object (text), and whether inputs of the model came by name."""
_FORMAT = 1


@dataclass(frozen=True)
class LiveLog:
    """The answers of a version, and what else is in the log.

    Attributes:
        folder: Folder of the log.
        frame: The answers, the oldest first: the columns above and one for each input.
        kept: Inputs that some of the answers hold.
        redacted: Inputs that some of them do not hold, because the contract says so.
        files: Number of files that were read.
        refused: Requests that were answered with an error, of any version.
        others: Lines about other versions or signatures.
        damaged: Whole lines that are not what the server writes.
        is_cut: Whether older lines were not read.
    """

    folder: Path
    frame: pl.DataFrame
    kept: frozenset[str] = frozenset()
    redacted: frozenset[str] = frozenset()
    files: int = 0
    refused: int = 0
    others: int = 0
    damaged: int = 0
    is_cut: bool = False


def live_log(
    usecase: UseCase,
    model: Model,
    version: int,
    home: Home,
    folder: str | None = None,
    most: int = MOST_LINES,
) -> LiveLog:
    """The newest answers of a version. A line that is only half written is left for the next time.

    Files may be rotated, erased from and removed while they are read.

    Args:
        usecase: The use case.
        model: The model that answered.
        version: Number of the version that answered.
        home: Home whose log is read.
        folder: Folder of the log where the server was given another one.
        most: Most answers of the version; the file that reaches it is read to its end.
    """
    import polars as pl

    place = Path(folder or home.path("requests")) / f"{usecase.name}.{model.name}"
    shape = _shape(usecase, model)
    held: list[_Held] = []
    frames = [_frame([], shape)]
    count, is_cut = 0, False
    for name in file_names(place):
        if count >= most:
            is_cut = True
            break
        each = _read(place, name, shape)
        if each is None:
            continue
        held.append(each)
        frames.append(each.frame.filter(pl.col(VERSION) == version))
        count += frames[-1].height
    _tidy(place)
    versions = [each.marks.inputs.get(version, _Inputs()) for each in held]
    return LiveLog(
        folder=place,
        frame=pl.concat(reversed(frames), rechunk=True),
        kept=frozenset[str]().union(*(each.kept for each in versions)),
        redacted=frozenset[str]().union(*(each.redacted for each in versions)),
        files=len(held),
        refused=sum(each.marks.refused for each in held),
        others=sum(each.marks.others + each.frame.height for each in held) - count,
        damaged=sum(each.marks.damaged for each in held),
        is_cut=is_cut,
    )


class _Inputs(msgspec.Struct, frozen=True):
    """Names of inputs in the answers of a version: those that are held, and those left out."""

    kept: frozenset[str] = frozenset()
    redacted: frozenset[str] = frozenset()


class _Marks(msgspec.Struct, frozen=True, kw_only=True):
    """What columns are of, and what is not in them."""

    format: int = _FORMAT
    shape: Mapping[str, str]
    bytes: int = 0
    digest: str = ""
    refused: int = 0
    others: int = 0
    damaged: int = 0
    inputs: Mapping[int, _Inputs] = {}


@dataclass(frozen=True)
class _Held:
    """What is known of the first bytes of a file."""

    marks: _Marks
    frame: pl.DataFrame

    def plus(self, found: FileAnswers, data: bytes) -> _Held:
        """With what comes after them, up to the end of ``data``."""
        import polars as pl

        marks, inputs = self.marks, dict(self.marks.inputs)
        for line in found.lines:
            assert line.version is not None
            before = inputs.get(line.version, _Inputs())
            names, redacted = line.inputs.keys(), line.redacted
            if not (names <= before.kept and before.redacted.issuperset(redacted)):
                inputs[line.version] = _Inputs(before.kept | names, before.redacted | {*redacted})
        return _Held(
            msgspec.structs.replace(
                marks,
                bytes=len(data),
                digest=_digest(data),
                refused=marks.refused + found.refused,
                others=marks.others + found.others,
                damaged=marks.damaged + found.damaged,
                inputs=inputs,
            ),
            pl.concat([self.frame, _frame(found.lines, marks.shape)]),
        )

    def to_bytes(self) -> bytes:
        """A line of JSON, then the columns in Arrow's format."""
        target = io.BytesIO(msgspec.json.encode(self.marks) + b"\n")
        target.seek(0, io.SEEK_END)
        self.frame.write_ipc(target, compression="lz4")
        return target.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> _Held:
        """What `to_bytes` gave; some error or other where it is damaged."""
        import polars as pl

        head, _, columns = data.partition(b"\n")
        marks = msgspec.json.decode(head, type=_Marks)
        return cls(marks, pl.read_ipc(io.BytesIO(columns)))


def _read(place: Path, name: str, shape: Mapping[str, str]) -> _Held | None:
    """What a file holds, by its columns as far as they go; None where it was removed."""
    found = content(place, name)
    if found is None:
        return None
    path = place / columns_name(name)
    before = _kept(path, shape, found.data)
    rest = found.data[before.marks.bytes :]
    if not rest:
        return before
    held = before.plus(answers_of(rest), found.data)
    # A folder that only the server may write is read as it is.
    with contextlib.suppress(StoreError, PermissionError):
        write_atomic(fsspec.filesystem("file"), str(path), held.to_bytes())
        if not is_there(place, name, found.inode):
            remove_columns(str(place), name)
    return held


def _kept(path: Path, shape: Mapping[str, str], data: bytes) -> _Held:
    """The columns of the beginning of some lines; none of nothing where they are of other bytes."""
    none = _Held(_Marks(shape=shape), _frame([], shape))
    try:
        held = _Held.from_bytes(path.read_bytes())
    except Exception:  # of the disk, msgspec or Polars, by where the damage is; they are made again
        return none
    marks = held.marks
    fits = marks.format == _FORMAT and marks.shape == shape and marks.bytes <= len(data)
    is_same = fits and marks.digest == _digest(memoryview(data)[: marks.bytes])
    return held if is_same and held.frame.schema == none.frame.schema else none


def _tidy(place: Path) -> None:
    """Removes columns of files that are not there any more, whoever removed them."""
    with contextlib.suppress(OSError):
        known = {columns_name(name) for name in file_names(place)}
        for path in place.glob(columns_name("*")):
            if path.name not in known:
                path.unlink(missing_ok=True)


def _digest(data: bytes | memoryview) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def _shape(usecase: UseCase, model: Model) -> dict[str, str]:
    """The type of each input in Polars, by its name."""
    inputs = raw_inputs(model, usecase.gold[model.table])
    return {each.name: COLUMN_TYPES[each.type].polars for each in inputs}


def _frame(lines: Iterable[Answered], shape: Mapping[str, str]) -> pl.DataFrame:
    import polars as pl

    lines = list(lines)
    own: dict[str, tuple[list[Any], Any]] = {
        AT: ([of_text(line.at) for line in lines], pl.Datetime("us", "UTC")),
        VERSION: ([line.version for line in lines], pl.Int64),
        KEY: ([line.record_key for line in lines], pl.String),
        OUTPUTS: ([msgspec.json.encode(line.outputs).decode() for line in lines], pl.String),
        IS_NAMED: ([not shape.keys().isdisjoint(line.inputs) for line in lines], pl.Boolean),
        **{
            name: ([line.inputs.get(name) for line in lines], getattr(pl, kind))
            for name, kind in shape.items()
        },
    }
    return pl.DataFrame(
        [pl.Series(name, values, dtype, strict=False) for name, (values, dtype) in own.items()]
    )
