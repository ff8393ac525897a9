"""Writes answers as they come: JSON lines, CSV or Parquet. A file appears whole or not at all."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, BinaryIO

from goldlake.workflows.row_files import format_of
from goldlake_core.contracts.errors import PermanentError, UsageError

VALUE = "prediction"
"""Column of an answer that is one value."""
_GROUP_ROWS = 16_384


def write_all(path: str, records: Iterable[Any]) -> int:
    """Writes records to a file, under another name until it is whole.

    Args:
        path: A name that ends in ``.jsonl``, ``.csv`` or ``.parquet``, the first two also with
            ``.gz``. A file that is there is replaced.
        records: Plain values, or mappings with the same keys.

    Returns:
        How many records there were.

    Raises:
        UsageError: The name does not tell the format, or the folder cannot be written.
        PermanentError: A record does not fit to those before it.
    """
    kind = format_of(path)
    hidden = os.path.join(os.path.dirname(path), f".{os.path.basename(path)}.{uuid.uuid4().hex}")
    try:
        count = _WRITERS[kind](hidden, path, records)
        os.replace(hidden, path)
    except OSError as error:  # a full disk, too
        raise UsageError(f"{path} cannot be written: {error.strerror}") from error
    finally:
        with contextlib.suppress(OSError):
            os.unlink(hidden)
    return count


def check_path(path: str) -> None:
    """Does nothing for a path that `write_all` takes, so that nothing is asked in vain.

    Raises:
        UsageError: The name does not tell the format, or its folder does not exist.
    """
    if format_of(path) == "parquet" and path.lower().endswith(".gz"):
        raise UsageError(f"{path} cannot be written", valid="Parquet is compressed without .gz")
    folder = os.path.dirname(path) or "."
    if not os.path.isdir(folder):
        raise UsageError(f"There is no folder {folder}", valid="a folder that is there")


@contextlib.contextmanager
def _opened(hidden: str, path: str) -> Iterator[BinaryIO]:
    with open(hidden, "xb") as file:
        if not path.lower().endswith(".gz"):
            yield file
            return
        # Without the name and the time in it, equal answers are equal files.
        with gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed:
            yield packed  # type: ignore[misc]


def _json_lines(hidden: str, path: str, records: Iterable[Any]) -> int:
    count = 0
    with _opened(hidden, path) as file:
        for record in records:
            file.write(json.dumps(record).encode("ascii") + b"\n")
            count += 1
    return count


def _csv(hidden: str, path: str, records: Iterable[Any]) -> int:
    names: list[str] = []
    count = 0
    with _opened(hidden, path) as file:
        for count, record in enumerate(records, 1):
            row = as_row(record)
            if not names:
                names = list(row)
                file.write(_csv_line(names))
            if row.keys() != set(names):
                raise _misfit(path, count, ", ".join(row))
            file.write(_csv_line([row[name] for name in names]))
    return count


def _csv_line(values: Iterable[Any]) -> bytes:
    return (",".join(map(_cell, values)) + "\r\n").encode("utf-8", "backslashreplace")


def _cell(value: Any) -> str:
    """Nothing for what is missing, ``""`` for the empty text, JSON for lists and objects."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = value if isinstance(value, str) else None
    if text is None:
        text = json.dumps(value) if isinstance(value, list | dict) else repr(value)
    if not text or any(character in text for character in '",\r\n'):
        return '"' + text.replace('"', '""') + '"'
    return text


def _parquet(hidden: str, path: str, records: Iterable[Any]) -> int:
    import pyarrow
    from pyarrow import parquet

    count, rows = 0, list[Mapping[str, Any]]()
    writer: Any = None

    def flush() -> None:
        nonlocal writer
        schema = writer.schema if writer is not None else None
        try:
            table = pyarrow.Table.from_pylist(rows, schema=schema)
        except (pyarrow.ArrowInvalid, pyarrow.ArrowTypeError) as error:
            raise _misfit(path, count, str(error)) from error
        if writer is None:
            writer = parquet.ParquetWriter(hidden, table.schema)
        writer.write_table(table)
        rows.clear()

    try:
        for count, record in enumerate(records, 1):
            row = as_row(record)
            if rows and row.keys() != rows[0].keys():
                raise _misfit(path, count, ", ".join(row))
            rows.append(row)
            if len(rows) == _GROUP_ROWS:
                flush()
        if rows or writer is None:
            flush()
    finally:
        if writer is not None:
            writer.close()
    return count


def as_row(record: Any) -> Mapping[str, Any]:
    """A record as a row of a table; any other value is in the column `VALUE`."""
    return record if isinstance(record, dict) else {VALUE: record}


def _misfit(path: str, count: int, what: str) -> PermanentError:
    return PermanentError(f"Answer {count} does not fit into {path}: {what}", valid="a .jsonl file")


_WRITERS: Mapping[str, Callable[[str, str, Iterable[Any]], int]] = {
    "jsonl": _json_lines,
    "csv": _csv,
    "parquet": _parquet,
}
