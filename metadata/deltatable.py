"""Appends rows to a small Delta table without a JVM, on any file system that fsspec knows.

Protocol: https://github.com/delta-io/delta/blob/master/PROTOCOL.md, reader version 1 and writer
version 2. A commit is put in place only where its version is free, so that of two writers none
loses a row. The package deltalake
does the same, weighs 30 MB, and does not know the file systems of fsspec, in which a home can be.
"""

from __future__ import annotations

import io
import json
import posixpath
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from goldlake_core.contracts.errors import StoreError
from goldlake_core.storage.deltalog import DataFile, DeltaLog, Field, Snapshot
from goldlake_core.storage.files import write_atomic, write_new

if TYPE_CHECKING:
    import polars

ATTEMPTS = 50
MOST_FILES = 100
_POLARS = {"string": "String", "long": "Int64", "double": "Float64"}


@dataclass(frozen=True)
class Schema:
    """What a table is made from.

    Attributes:
        comment: Sentence about the table.
        columns: Columns in table order, with their types and comments; each may be null.
    """

    comment: str
    columns: tuple[Field, ...]


def append(uri: str, schema: Schema, rows: Sequence[Mapping[str, object]]) -> int:
    """Appends rows in one commit; makes the table where there is none.

    A commit that finds many small files brings all rows into one.

    A table of an earlier version gets the columns that it lacks. One of a later version keeps its
    columns, and they are null in these rows.

    Args:
        uri: Location of the table.
        schema: The columns as they are declared now.
        rows: Values by column; a column that a row leaves out is null.

    Returns:
        The version that the commit made.

    Raises:
        StoreError: The disk is full or read-only, or other writers were faster again and again.
    """
    log = DeltaLog(uri)
    for _ in range(ATTEMPTS):
        latest = log.latest()
        version = 0 if latest is None else latest + 1
        held = None if latest is None else log.snapshot(latest)
        columns = _columns(schema, held)
        small = held.files if held is not None and _is_in_pieces(held) else ()
        before = log.read(version=latest).to_pylist() if small else []
        name, data = f"part-00000-{uuid.uuid4()}.parquet", _parquet(columns, [*before, *rows])
        write_atomic(log.fs, posixpath.join(uri, name), data)
        actions = _shape(schema, columns, held) + [_remove(file) for file in small]
        actions += _added(name, len(data), len(before) + len(rows))
        text = "".join(json.dumps(action, ensure_ascii=False) + "\n" for action in actions)
        if write_new(log.fs, _commit_file(uri, version), text.encode()):
            return version
    raise StoreError(
        f"The table at {uri} is written by others all the time: {ATTEMPTS} attempts failed",
        hint="the same command again",
    )


def _columns(schema: Schema, held: Snapshot | None) -> tuple[Field, ...]:
    """The columns of the table after the commit."""
    if held is None:
        return schema.columns
    names = {column.name for column in held.schema}
    return (*held.schema, *(column for column in schema.columns if column.name not in names))


def _is_in_pieces(held: Snapshot) -> bool:
    """Whether the commit should bring all rows into one file: reading many files is slow."""
    known = {*_POLARS, "timestamp"}
    return len(held.files) >= MOST_FILES and all(c.type in known for c in held.schema)


def _parquet(columns: Sequence[Field], rows: Sequence[Mapping[str, object]]) -> bytes:
    # pyarrow imports pandas for the first list that it takes: a second for a handful of rows.
    import polars as pl

    names = {name for row in rows for name in row}
    # A column of a later version that these rows do not have need not be of a type known here.
    types = {c.name: _polars_type(c.type) for c in columns if c.name in names}
    out = io.BytesIO()
    pl.DataFrame([dict(row) for row in rows], schema=types).write_parquet(out, compression="zstd")
    return out.getvalue()


def _polars_type(delta_type: object) -> polars.DataType:
    import polars as pl

    if delta_type == "timestamp":
        return pl.Datetime("us", "UTC")
    return getattr(pl, _POLARS[str(delta_type)])()  # type: ignore[no-any-return]


def _shape(
    schema: Schema, columns: Sequence[Field], held: Snapshot | None
) -> list[dict[str, object]]:
    """The actions that make the table, or that give it columns which it lacks."""
    if held is None:
        protocol: dict[str, object] = {"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}}
        return [protocol, _metadata(str(uuid.uuid4()), schema.comment, columns, {})]
    if len(columns) == len(held.schema):
        return []
    return [_metadata(held.uuid, schema.comment, columns, held.properties)]


def _metadata(
    table: str, comment: str, columns: Sequence[Field], properties: Mapping[str, str]
) -> dict[str, object]:
    fields = [
        {"name": c.name, "type": c.type, "nullable": c.nullable, "metadata": c.metadata}
        for c in columns
    ]
    return {
        "metaData": {
            "id": table,
            "description": comment,
            "format": {"provider": "parquet", "options": {}},
            "schemaString": json.dumps({"type": "struct", "fields": fields}),
            "partitionColumns": [],
            "configuration": dict(properties),
            "createdTime": _now_ms(),
        }
    }


def _added(name: str, size: int, rows: int) -> list[dict[str, object]]:
    now = _now_ms()
    add = {
        "path": name,
        "partitionValues": {},
        "size": size,
        "modificationTime": now,
        "dataChange": True,
        "stats": json.dumps({"numRecords": rows}),
    }
    info = {
        "timestamp": now,
        "operation": "WRITE",
        "operationParameters": {"mode": "Append", "partitionBy": "[]"},
        "isBlindAppend": False,
    }
    return [{"add": add}, {"commitInfo": info}]


def _remove(file: DataFile) -> dict[str, object]:
    removed = {
        "path": quote(file.path),
        "deletionTimestamp": _now_ms(),
        "dataChange": True,
        "size": file.size,
    }
    return {"remove": removed}


def _commit_file(uri: str, version: int) -> str:
    return posixpath.join(uri, "_delta_log", f"{version:020d}.json")


def _now_ms() -> int:
    return int(time.time() * 1000)
