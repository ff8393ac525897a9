"""A folder of files with one JSON document per line, of which a process writes one at a time.

The file that is written has the suffix ``.open``, so that a reader of ``*.jsonl`` gets whole files
only. A process that is killed leaves one with, maybe, half a line at its end: the next process cuts
that off and finishes the file. While a process writes, it holds a lock of the file. Others ask it
to finish the file by touching ``.finish`` in the folder.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import socket
import time
from collections.abc import Sequence
from datetime import datetime, timezone

log = logging.getLogger("serving")
OPEN, DONE = ".jsonl.open", ".jsonl"
_TAIL_BYTES = 1 << 16
_FINISH = ".finish"


class LogFile:
    """The files of one folder. Not for several threads.

    Args:
        folder: A local path; made with the first line.
        max_bytes: Size at which a file is finished.
        max_age_s: Age at which it is finished.
        files: Number of finished files that stay.
    """

    def __init__(self, folder: str, max_bytes: int, max_age_s: float, files: int) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._max_age_s = max_age_s
        self._files = files
        self._handle: int | None = None
        self._path = ""
        self._size = 0
        self._since = 0.0
        self._began_at = 0.0
        self._count = 0
        adopt(folder)

    def write(self, lines: Sequence[bytes]) -> None:
        """Appends lines, each with its line break; all of them or none.

        Raises:
            OSError: The disk is full, or the folder cannot be written.
        """
        if not lines:
            return
        if self._handle is None:
            self._begin()
        assert self._handle is not None
        data = memoryview(b"".join(lines))
        done = 0
        try:
            while done < len(data):
                done += os.write(self._handle, data[done:])
        except OSError:
            # What is there of the lines must not become a part of the next ones.
            os.ftruncate(self._handle, self._size)
            os.lseek(self._handle, self._size, os.SEEK_SET)
            raise
        self._size += done
        self.tick()

    def tick(self) -> None:
        """Finishes the file where it is large or old enough, or somebody asked for it."""
        if self._handle is None:
            return
        is_old = time.monotonic() - self._since >= self._max_age_s
        if self._size >= self._max_bytes or is_old or self._is_asked():
            self.finish()

    def finish(self) -> None:
        """Finishes the file, and removes finished ones that are too many."""
        if self._handle is None:
            return
        handle, self._handle = self._handle, None
        with contextlib.suppress(OSError):
            os.fsync(handle)
        _done(self._path)
        os.close(handle)
        adopt(self._folder)
        self._remove_old()

    def _begin(self) -> None:
        os.makedirs(self._folder, exist_ok=True)
        now = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%S.%fZ")
        self._count += 1
        name = f"{now}-{socket.gethostname()}-{os.getpid()}-{self._count}{OPEN}"
        hidden = os.path.join(self._folder, f".{name}")
        handle = os.open(hidden, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            # Under its name the file is locked from the beginning, so others may judge by it.
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._path = os.path.join(self._folder, name)
            os.rename(hidden, self._path)
        except OSError:
            os.close(handle)
            raise
        self._handle, self._size, self._since = handle, 0, time.monotonic()
        self._began_at = time.time()

    def _is_asked(self) -> bool:
        try:
            return os.stat(os.path.join(self._folder, _FINISH)).st_mtime >= self._began_at
        except OSError:
            return False

    def _remove_old(self) -> None:
        names = log_names(self._folder, DONE)
        for name in names[: max(len(names) - self._files, 0)]:
            with contextlib.suppress(OSError):
                os.unlink(os.path.join(self._folder, name))
                remove_columns(self._folder, name)
                log.warning("%s is removed: there are more than %d files", name, self._files)


def log_names(folder: str, suffix: str) -> list[str]:
    """Returns the names of a folder's files, oldest first.

    Args:
        folder: A local path; there may be no such folder.
        suffix: `OPEN` or `DONE`.
    """
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return []
    return sorted(name for name in names if name.endswith(suffix) and name[0] != ".")


def columns_name(name: str) -> str:
    """Returns the name of the hidden file with what a reader made of a file, open or finished."""
    return f".{name.removesuffix(OPEN).removesuffix(DONE)}.columns"


def remove_columns(folder: str, name: str) -> None:
    """Removes what a reader made of a file, because the file or some of its lines are removed."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(os.path.join(folder, columns_name(name)))


def adopt(folder: str) -> int:
    """Finishes files that processes left; returns how many there were."""
    count = 0
    for name in log_names(folder, OPEN):
        path = os.path.join(folder, name)
        with contextlib.suppress(OSError):
            handle = os.open(path, os.O_RDWR)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if torn := _cut_torn_line(handle):
                    log.warning("%s ended with half a line of %d bytes, cut off", path, torn)
                _done(path)
                count += 1
            finally:
                os.close(handle)
    return count


def ask_to_finish(folder: str) -> None:
    """Asks every process that writes a file of a folder to finish it, which takes about a second.

    A file that begins later is not meant.
    """
    path = os.path.join(folder, _FINISH)
    with open(path, "ab"):
        os.utime(path)


def _done(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.rename(path, path.removesuffix(OPEN) + DONE)


def _cut_torn_line(handle: int) -> int:
    """Cuts off what follows the last line break; returns how many bytes that were."""
    size = end = os.fstat(handle).st_size
    while end > 0:
        start = max(end - _TAIL_BYTES, 0)
        found = os.pread(handle, end - start, start).rfind(b"\n")
        if found >= 0:
            end = start + found + 1
            break
        end = start
    if end < size:
        os.ftruncate(handle, end)
    return size - end
