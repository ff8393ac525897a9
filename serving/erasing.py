"""Takes rows out of a request log by their record keys, also while servers write it."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Collection, Iterator

import fsspec

from goldlake_core.contracts.errors import StoreError
from goldlake_core.storage.files import write_atomic
from serving.logfile import DONE, OPEN, adopt, ask_to_finish, log_names, remove_columns

WAIT_S = 60.0
_POLL_S = 0.2


def rows_of(folder: str, keys: Collection[str]) -> int:
    """Returns how many rows of a model's request log have one of these record keys. Read-only.

    Args:
        folder: Folder of the model, a local path; there may be none.
        keys: Record keys as clients send them.
    """
    return sum(
        _has_key(line, keys)
        for suffix in (DONE, OPEN)
        for name in log_names(folder, suffix)
        for line in _lines(os.path.join(folder, name))
    )


def erase_rows(folder: str, keys: Collection[str], wait_s: float = WAIT_S) -> int:
    """Removes every row that has one of these record keys; may be repeated.

    A file that a server writes is finished first: the server sees that within a second. What it
    writes afterwards is not looked at.

    Args:
        folder: Folder of the model, a local path; there may be none.
        keys: Record keys as clients send them.
        wait_s: How long to wait for servers.

    Returns:
        The number of rows that were removed.

    Raises:
        StoreError: A server goes on with a file.
    """
    _finish(folder, wait_s)
    removed = 0
    for name in log_names(folder, DONE):
        path = os.path.join(folder, name)
        lines = list(_lines(path))
        kept = [line for line in lines if not _has_key(line, keys)]
        if len(kept) < len(lines):
            write_atomic(fsspec.filesystem("file"), path, b"".join(kept))
            remove_columns(folder, name)
            removed += len(lines) - len(kept)
    return removed


def _finish(folder: str, wait_s: float) -> None:
    """Returns when the files that are written now are finished."""
    begun = set(log_names(folder, OPEN))
    until = time.monotonic() + wait_s
    while begun:
        ask_to_finish(folder)
        adopt(folder)
        begun &= set(log_names(folder, OPEN))
        if not begun:
            return
        if time.monotonic() >= until:
            raise StoreError(
                f"A server goes on writing {os.path.join(folder, min(begun))}, so rows in it are "
                "not erased",
                hint="end that server, then the same command again",
            )
        time.sleep(_POLL_S)


def _lines(path: str) -> Iterator[bytes]:
    try:
        with open(path, "rb") as file:
            yield from file
    except FileNotFoundError:  # finished or removed since the folder was listed
        return


def _has_key(line: bytes, keys: Collection[str]) -> bool:
    try:
        return json.loads(line)["record_key"] in keys
    except (ValueError, KeyError, TypeError):
        return False  # half a line at the end of a file that is written, or not a line of ours
