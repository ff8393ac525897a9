"""Old versions of a Delta table, looked at without a JVM: what is readable, what may go.

Cleaning the log follows "Metadata cleanup" of Delta's protocol: the newest checkpoint that is not
younger than the limit stays, and everything after it.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import unquote

from goldlake_core.contracts.errors import StoreError
from goldlake_core.documents.maintain import ReadableVersions
from goldlake_core.instants import utc_text
from goldlake_core.storage.deltalog import DeltaLog

_LOG = "_delta_log"
_CHECKPOINT = re.compile(r"(\d{20})\.checkpoint\.parquet")
_ENTRY = re.compile(r"(\d{20})\.(?:json|crc|checkpoint(?:\.\d{10}\.\d{10})?\.parquet)")


@dataclass(frozen=True)
class OldFile:
    """A file that may go.

    Attributes:
        path: Where it is.
        size: Its size in bytes.
    """

    path: str
    size: int


def unused(uri: str, before: datetime) -> list[OldFile]:
    """The data files that Delta's VACUUM removes: no version of today or since an instant has them.

    Args:
        uri: Location of the table.
        before: Files that were taken out of the table later stay, as do younger files.
    """
    log = DeltaLog(uri)
    used = {file.path for file in log.snapshot().files}
    for version in reversed(log.versions()):
        if log.commit(version).time <= before:
            break
        used |= {unquote(a.remove.path) for a in log.actions(version) if a.remove}
    return [
        OldFile(f"{log.root}/{path}", size)
        for path, size in _data_files(log)
        if path not in used and log.fs.modified(f"{log.root}/{path}") < before
    ]


def old_log(uri: str, before: datetime, first_needed: int) -> list[OldFile]:
    """The entries of a table's log that nothing needs.

    Args:
        uri: Location of the table.
        before: Versions of that instant and later stay readable.
        first_needed: The first version whose entry has to stay.
    """
    log = DeltaLog(uri)
    folder = posixpath.join(log.root, _LOG)
    entries = {posixpath.basename(e["name"]): e["size"] for e in log.fs.ls(folder, detail=True)}
    checkpoints = sorted(int(m[1]) for m in map(_CHECKPOINT.fullmatch, entries) if m)
    present = set(log.versions())
    limit = 0
    for version in checkpoints:
        is_old = version in present and log.commit(version).time <= before
        limit = version if is_old and version <= first_needed else limit
    found = [(m, name) for name in sorted(entries) if (m := _ENTRY.fullmatch(name))]
    return [
        OldFile(posixpath.join(folder, name), entries[name])
        for m, name in found
        if int(m[1]) < limit
    ]


def readable(table: str, uri: str) -> ReadableVersions:
    """Which versions of a table can be read: from one on, all.

    Args:
        table: Id of the table.
        uri: Location of the table.
    """
    log = DeltaLog(uri)
    versions = log.versions()
    oldest = next((v for v in versions if _is_known(log, v)), versions[-1])
    present = {path for path, _ in _data_files(log)}
    for version in versions:
        if version > oldest and any(
            action.remove and unquote(action.remove.path) not in present
            for action in log.actions(version)
        ):
            # What it took out is gone: the versions before it cannot be read.
            oldest = version
    at = utc_text(log.commit(oldest).time)
    return ReadableVersions(table=table, oldest=oldest, oldest_at=at, newest=versions[-1])


def _is_known(log: DeltaLog, version: int) -> bool:
    try:
        log.snapshot(version)
    except StoreError:
        return False
    return True


def _data_files(log: DeltaLog) -> Iterator[tuple[str, int]]:
    """Path inside the table and size of every data file and file of changes."""
    for path, info in log.fs.find(log.root, detail=True).items():
        inside = posixpath.relpath(path, log.root)
        if not inside.startswith(_LOG) and not posixpath.basename(inside).startswith((".", "_")):
            yield inside, int(info["size"])
