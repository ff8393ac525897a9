"""Delta's transaction log read in plain Python: versions, files, properties; no JVM.

Protocol: https://github.com/delta-io/delta/blob/master/PROTOCOL.md (JSON commits, single and
multi-part checkpoints; partitions by text; no deletion vectors and no column mapping, which
goldlake's tables do not use). Read-only.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar
from urllib.parse import unquote

import fsspec
import msgspec

from goldlake_core.contracts.column_types import COLUMN_TYPES
from goldlake_core.contracts.errors import StoreError

if TYPE_CHECKING:
    import pyarrow

_COMMIT = re.compile(r"^(\d{20})\.json$")
_CHECKPOINT = re.compile(r"^(\d{20})\.checkpoint(?:\.(\d{10})\.(\d{10}))?\.parquet$")
_TABLE = re.compile(r"/tables/(?P<usecase>[^/]+)/[^/]+/[^/]+$")
# A thread of Arrow that holds a file of Python's while the interpreter ends aborts the process,
# after a command said that all is well (apache/arrow issue 34314, seen with pyarrow 10).
_USE_THREADS = False
# Besides the contract's types, goldlake's own columns hold line numbers, which are short.
_ARROW_TYPES = {t.delta: t.arrow for t in COLUMN_TYPES.values()} | {"integer": "int32"}

T = TypeVar("T")
CommitMetadata: TypeAlias = Mapping[str, object]
"""The JSON object stored with a commit. Each writer has its own keys: gold those of its basis."""


class ArrayType(msgspec.Struct, frozen=True, tag_field="type", tag="array", rename="camel"):
    """Delta's type of a list."""

    element_type: FieldType
    contains_null: bool = True


FieldType: TypeAlias = str | ArrayType
"""Delta's type of a column, such as ``long``."""


class Field(msgspec.Struct, frozen=True):
    """A column as Delta's schema JSON has it.

    Attributes:
        name: Name of the column.
        type: Delta's type of its values.
        nullable: Whether a value may be missing.
        metadata: What else is stored with it, such as ``comment``.
    """

    name: str
    type: FieldType
    nullable: bool
    metadata: dict[str, object]

    @property
    def comment(self) -> str | None:
        """The column's comment, or None."""
        comment = self.metadata.get("comment")
        return comment if isinstance(comment, str) else None


class _Schema(msgspec.Struct, frozen=True):
    fields: tuple[Field, ...]


class _Metadata(msgspec.Struct, frozen=True, rename="camel"):
    id: str
    schema_string: str
    configuration: dict[str, str] | None = None


class _Protocol(msgspec.Struct, frozen=True, rename="camel"):
    reader_features: tuple[str, ...] | None = None


class _Statistics(msgspec.Struct, frozen=True, rename="camel"):
    num_records: int


class _Bounds(msgspec.Struct, frozen=True, rename="camel"):
    min_values: dict[str, Any] = {}
    max_values: dict[str, Any] = {}


class _Add(msgspec.Struct, frozen=True, rename="camel"):
    path: str
    size: int
    stats: str | None = None
    data_change: bool = True
    partition_values: dict[str, str | None] = {}


class _Remove(msgspec.Struct, frozen=True, rename="camel"):
    path: str
    data_change: bool = True
    partition_values: dict[str, str | None] | None = None


class _CommitInfo(msgspec.Struct, frozen=True, rename="camel"):
    timestamp: int = 0
    operation: str = ""
    user_metadata: str | None = None


class Action(msgspec.Struct, frozen=True, rename="camel"):
    """An action of a commit or a checkpoint: one of its attributes is not None."""

    meta_data: _Metadata | None = None
    protocol: _Protocol | None = None
    add: _Add | None = None
    remove: _Remove | None = None
    commit_info: _CommitInfo | None = None


@dataclass(frozen=True)
class DataFile:
    """A file that a version consists of; partition columns are not in it."""

    path: str
    size: int
    rows: int
    partition: tuple[tuple[str, str | None], ...] = ()
    statistics: str = field(default="", repr=False, compare=False)

    def may_hold(self, column: str, low: int, high: int) -> bool:
        """Whether a value of an integer column may lie between two, by the file's statistics."""
        if not self.statistics:
            return True
        bounds = _decoded(self.statistics, _Bounds)
        least, greatest = bounds.min_values.get(column), bounds.max_values.get(column)
        if least is None or greatest is None:
            return True
        return bool(least <= high and greatest >= low)


@dataclass(frozen=True)
class Commit:
    """One entry of a table's history.

    Attributes:
        version: Table version that the commit made.
        time: Time of the commit in UTC.
        operation: Delta's name of what was done.
        metadata: What goldlake stored with it, or an empty object.
    """

    version: int
    time: datetime
    operation: str
    metadata: CommitMetadata


@dataclass(frozen=True)
class Snapshot:
    """A table at one version.

    Attributes:
        uri: Location of the table.
        version: Version of the table.
        uuid: Delta's id of the table.
        schema: The columns in their order.
        properties: Table properties by name.
        files: Data files that hold the version's rows.
        reader_features: Table features that a reader must know.
    """

    uri: str
    version: int
    uuid: str
    schema: tuple[Field, ...]
    properties: dict[str, str]
    files: tuple[DataFile, ...]
    reader_features: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        """Rows by the files' statistics."""
        return sum(f.rows for f in self.files)

    @property
    def bytes(self) -> int:
        """Bytes of the version's data files."""
        return sum(f.size for f in self.files)


@dataclass
class _State:
    metadata: _Metadata | None = None
    files: dict[str, DataFile] = field(default_factory=dict)
    reader_features: tuple[str, ...] = ()

    def apply(self, action: Action) -> None:
        if action.meta_data:
            self.metadata = action.meta_data
        if action.protocol:
            self.reader_features = action.protocol.reader_features or ()
        if action.add:
            self.files[action.add.path] = _file(action.add)
        if action.remove:
            self.files.pop(action.remove.path, None)


def _file(add: _Add) -> DataFile:
    rows = _decoded(add.stats, _Statistics).num_records if add.stats else 0
    partition = tuple(add.partition_values.items())
    return DataFile(unquote(add.path), add.size, rows, partition, add.stats or "")


class DeltaLog:
    """The log of the table at a location; every call reads what is there now."""

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self.fs, self._root = fsspec.core.url_to_fs(uri)
        self._log = posixpath.join(self._root, "_delta_log")

    @property
    def root(self) -> str:
        """The table's folder as its file system names it."""
        return self._root

    def exists(self) -> bool:
        """Whether there is a Delta table."""
        return self.latest() is not None

    def latest(self) -> int | None:
        """Newest version, or None where there is no table."""
        versions = self.versions()
        return versions[-1] if versions else None

    def clear_unborn(self) -> None:
        """Removes a log without any commit or checkpoint.

        A process that died, or had no room, while it made the table leaves one, and Delta would
        take it for a table that is lost.
        """
        names = self._names()
        is_unborn = not any(_COMMIT.match(n) or n.endswith(".parquet") for n in names)
        if is_unborn and self.fs.exists(self._log):
            self.fs.rm(self._log, recursive=True)

    def versions(self) -> list[int]:
        """Versions whose commit is still in the log, oldest first."""
        return sorted(int(m[1]) for m in map(_COMMIT.match, self._names()) if m)

    def snapshot(self, version: int | None = None) -> Snapshot:
        """The table at a version; default the newest.

        Raises:
            StoreError: There is no table, or no such version in its log.
        """
        names = self._names()
        commits = sorted(int(m[1]) for m in map(_COMMIT.match, names) if m)
        if not commits:
            raise StoreError(f"There is no Delta table at {self.uri}")
        wanted = commits[-1] if version is None else version
        checkpoint, parts = _newest_checkpoint(names, wanted)
        replay = [v for v in commits if checkpoint < v <= wanted]
        if len(replay) != wanted - checkpoint:
            raise self._incomplete(wanted, commits, checkpoint)
        state = _State()
        for part in parts:
            for action in self._checkpoint_actions(part):
                state.apply(action)
        for number in replay:
            for action in self.actions(number):
                state.apply(action)
        meta = state.metadata
        if meta is None:
            raise StoreError(f"The log of the table at {self.uri} does not say what it holds")
        return Snapshot(
            self.uri,
            wanted,
            meta.id,
            _decoded(meta.schema_string, _Schema).fields,
            meta.configuration or {},
            tuple(state.files.values()),
            state.reader_features,
        )

    def actions(self, version: int) -> list[Action]:
        """The actions of one commit.

        Raises:
            StoreError: The commit is missing or damaged.
        """
        path = posixpath.join(self._log, f"{version:020d}.json")
        try:
            with self.fs.open(path, "rb") as file:
                lines = file.read().splitlines()
            actions = [_decoded(line, Action) for line in lines if line.strip()]
        except FileNotFoundError as error:
            raise self._damaged(path, "is missing") from error
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise self._damaged(path, f"is damaged: {error}") from error
        if not actions:
            raise self._damaged(path, "is empty")
        return actions

    def changed_files(self, version: int) -> Iterator[tuple[DataFile, bool]]:
        """The files of a commit, and whether it added or removed each; of removed ones no rows."""
        for action in self.actions(version):
            if action.add:
                yield _file(action.add), True
            elif action.remove:
                partition = tuple((action.remove.partition_values or {}).items())
                yield DataFile(unquote(action.remove.path), 0, 0, partition), False

    def changes_rows(self, version: int) -> bool:
        """Whether a commit changed rows, and did not only write files again or set properties."""
        changes = (action.add or action.remove for action in self.actions(version))
        return any(change.data_change for change in changes if change)

    def _damaged(self, path: str, problem: str) -> StoreError:
        name = _TABLE.search(self.uri)
        again = f", or make the table again: goldlake rebuild {name['usecase']}" if name else ""
        return StoreError(
            f"{path}, a part of a table, {problem}",
            hint=f"restore the file from a copy of the home{again}",
        )

    def _incomplete(self, wanted: int, commits: list[int], checkpoint: int) -> StoreError:
        """Returns the error for a version that the log does not lead to."""
        lost = next(v for v in range(checkpoint + 1, wanted + 1) if v not in commits)
        if wanted == commits[-1]:
            return self._damaged(posixpath.join(self._log, f"{lost:020d}.json"), "is missing")
        return StoreError(
            f"The table at {self.uri} has no version {wanted}",
            valid=f"{commits[0]} to {commits[-1]}",
        )

    def commit(self, version: int) -> Commit:
        """One commit's entry in the history."""
        info = _CommitInfo()
        for action in self.actions(version):
            info = action.commit_info or info
        time = datetime.fromtimestamp(info.timestamp / 1000, timezone.utc)
        return Commit(version, time, info.operation, _object(info.user_metadata))

    def last_commit_with(self, key: str, version: int | None = None) -> Commit | None:
        """The newest commit at or before a version whose metadata has a key, or None."""
        for number in reversed(self.versions()):
            if version is not None and number > version:
                continue
            commit = self.commit(number)
            if key in commit.metadata:
                return commit
        return None

    def version_at(self, time: datetime) -> int | None:
        """The newest version that existed at an instant, or None where there was none."""
        found = None
        for number in self.versions():
            if self.commit(number).time > time:
                break
            found = number
        return found

    def read(self, columns: list[str] | None = None, version: int | None = None) -> pyarrow.Table:
        """Rows of a version as an Arrow table; columns added later are null in older rows."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        snapshot = self.snapshot(version)
        types = {f.name: _arrow_type(pa, f.type) for f in snapshot.schema}
        schema = pa.schema([(name, types[name]) for name in columns or types])
        tables = [schema.empty_table()]
        for data_file in snapshot.files:
            path = posixpath.join(self._root, data_file.path)
            try:
                with self.fs.open(path, "rb") as file:
                    parquet = pq.ParquetFile(file)
                    present = [n for n in schema.names if n in parquet.schema_arrow.names]
                    part = parquet.read(columns=present, use_threads=_USE_THREADS)
            except (pa.ArrowException, OSError) as error:
                raise self._damaged(path, f"is damaged or missing: {error}") from error
            here = dict(data_file.partition)
            arrays = [
                part[name].cast(types[name])
                if name in present
                else pa.array([here.get(name)] * parquet.metadata.num_rows, types[name])
                for name in schema.names
            ]
            tables.append(pa.table(arrays, schema=schema))
        return pa.concat_tables(tables)

    def _names(self) -> list[str]:
        # fsspec caches listings of some file systems, and other processes write here.
        self.fs.invalidate_cache()
        try:
            return [posixpath.basename(name) for name in self.fs.ls(self._log, detail=False)]
        except FileNotFoundError:
            return []

    def _checkpoint_actions(self, name: str) -> list[Action]:
        import pyarrow as pa
        import pyarrow.parquet as pq

        wanted = ["metaData", "protocol", "add.path", "add.size", "add.stats"]
        wanted.append("add.partitionValues")
        path = posixpath.join(self._log, name)
        try:
            with self.fs.open(path, "rb") as file:
                parquet = pq.ParquetFile(file)
                rows = parquet.read(columns=wanted, use_threads=_USE_THREADS).to_pylist()
        except (pa.ArrowException, OSError) as error:
            raise self._damaged(path, f"is damaged: {error}") from error
        for row in rows:  # Arrow gives a map as pairs
            if row.get("metaData"):
                row["metaData"]["configuration"] = dict(row["metaData"]["configuration"] or ())
            if row.get("add"):
                row["add"]["partitionValues"] = dict(row["add"].get("partitionValues") or ())
        return [msgspec.convert(row, Action) for row in rows]


def _newest_checkpoint(names: list[str], version: int) -> tuple[int, list[str]]:
    """The newest complete checkpoint at or before a version: its version (-1: none) and parts."""
    found: dict[int, list[str]] = {}
    sizes: dict[int, int] = {}
    for name in sorted(names):
        match = _CHECKPOINT.match(name)
        if match and int(match[1]) <= version:
            found.setdefault(int(match[1]), []).append(name)
            sizes[int(match[1])] = int(match[3] or 1)
    for number in sorted(found, reverse=True):
        if len(found[number]) >= sizes[number]:
            return number, found[number]
    return -1, []


def _decoded(text: str | bytes, kind: type[T]) -> T:
    return msgspec.json.decode(text, type=kind)


def _object(text: str | None) -> CommitMetadata:
    try:
        value = json.loads(text or "{}")
    except ValueError:  # somebody else's metadata, of which nothing is known
        return {}
    return value if isinstance(value, dict) else {}


def _arrow_type(pa: Any, delta_type: FieldType) -> Any:
    """The Arrow type of a Delta type."""
    if isinstance(delta_type, ArrayType):
        return pa.list_(_arrow_type(pa, delta_type.element_type))
    if delta_type == "timestamp":
        return pa.timestamp("us", tz="UTC")
    return getattr(pa, _ARROW_TYPES[delta_type])()
