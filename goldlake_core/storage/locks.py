"""One writer per resource.

On the local disk it is an advisory lock of the operating system, which ends with its process. On a
remote home it is a lease (`goldlake_core.storage.leases`), which whoever commits makes sure of with
`require_held`.
"""

from __future__ import annotations

import fcntl
import os
import socket
import threading
import time
from datetime import datetime, timezone
from types import TracebackType
from typing import IO

import fsspec
import msgspec

from goldlake_core.contracts.errors import LockedError
from goldlake_core.documents import codec
from goldlake_core.instants import now_text, of_text
from goldlake_core.storage.files import writing
from goldlake_core.storage.home import Home
from goldlake_core.storage.leases import Lease

_POLL_S = 0.05
# Locks held by this process, by file and thread: how often, and the open file or the lease.
_held: dict[tuple[str, int], tuple[int, IO[str] | Lease]] = {}


def require_held() -> None:
    """Makes sure that this thread's locks on remote homes are still held; to be called by commits.

    Raises:
        LockedError: One is not: the process slept, and another one took it.
    """
    me = threading.get_ident()
    for (_, thread), (_, held) in list(_held.items()):
        if thread == me and isinstance(held, Lease):
            held.require()


def is_locked(path: str | os.PathLike[str]) -> bool:
    """Whether a process holds a lock file on this machine's disk. Looks for an instant; read-only.

    Args:
        path: The lock file; one that is not there is held by nobody.
    """
    try:
        handle = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(handle)
    return False


class Holder(msgspec.Struct, frozen=True):
    """Who holds a lock, as the lock file says.

    Attributes:
        pid: Number of the process.
        host: Name of its machine.
        since: When it took the lock (ISO 8601, UTC).
        work: What it does, such as ``refine``; "" where an earlier version wrote the file.
    """

    pid: int
    host: str
    since: str
    work: str = ""

    def __str__(self) -> str:
        """Work, process and age for a person."""
        what = f"{self.work}, " if self.work else ""
        return f"{what}process {self.pid} on {self.host} since {self.since} ({_age(self.since)})"


class FileLock:
    """Holds a lock file while the ``with`` block runs; re-entrant within one thread.

    Raises on entry:
        LockedError: Another process (or thread) holds it; the message names the holder.
        StoreError: The lock file cannot be written: a read-only or a full disk.
    """

    def __init__(
        self, path: str, resource: str | None = None, *, work: str = "", wait_s: float = 0.0
    ) -> None:
        """Names the lock; nothing is locked yet.

        Args:
            path: The lock file; its folder is made. A URL names the folder of a lease.
            resource: What the lock protects, as the error calls it; by default ``path``.
            work: What the holder does; the error that others get names it.
            wait_s: How long to wait for another holder.
        """
        self.path = path
        self._resource = resource or path
        self._work = work
        self._wait_s = wait_s

    def __enter__(self) -> FileLock:
        key = (self.path, threading.get_ident())
        if key in _held:
            times, held = _held[key]
            _held[key] = (times + 1, held)
        else:
            _held[key] = (1, self._leased() if "://" in self.path else self._lock())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        key = (self.path, threading.get_ident())
        times, held = _held.pop(key)
        if times > 1:
            _held[key] = (times - 1, held)
        elif isinstance(held, Lease):
            held.end()
        else:
            # The file stays: removing it would let a third process lock a new file of this name.
            held.truncate(0)
            held.close()

    def _lock(self) -> IO[str]:
        with writing(self.path):
            os.makedirs(os.path.dirname(self.path), exist_ok=True)
            file = open(self.path, "a+", encoding="utf-8")  # noqa: SIM115 (held until __exit__)
        deadline = time.monotonic() + self._wait_s
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError as error:
                if time.monotonic() < deadline:
                    time.sleep(_POLL_S)
                    continue
                file.seek(0)
                holder = _parsed(file.read())
                file.close()
                raise self._refusal(holder) from error
        me = self._me()
        with writing(self.path):
            file.truncate(0)
            file.write(codec.encode_line(me).decode())
            file.flush()
        return file

    def _me(self) -> Holder:
        return Holder(os.getpid(), socket.gethostname(), now_text("seconds"), self._work)

    def _leased(self) -> Lease:
        fs, folder = fsspec.core.url_to_fs(f"{self.path}.d")
        resource = self._resource[0].upper() + self._resource[1:]
        lease = Lease(fs, folder, resource, str(self._me()))
        deadline = time.monotonic() + self._wait_s
        while True:
            try:
                lease.take()
            except LockedError:
                if time.monotonic() >= deadline:
                    raise
            else:
                return lease

    def _refusal(self, holder: Holder | None) -> LockedError:
        resource = self._resource[0].upper() + self._resource[1:]
        return LockedError(
            f"{resource} is in use by {holder or 'another process'}",
            hint="wait until it ends, or end it, and repeat the command",
        )


class StoreLock(FileLock):
    """The lock of a use case's landing zone and tables, for whoever changes them."""

    def __init__(self, home: Home, usecase: str, work: str = "") -> None:
        """Names the lock of ``usecase`` in ``home``; ``work`` is what the holder does."""
        resource = f"the store of {usecase} in {home.root}"
        super().__init__(home.landing(usecase, "lock"), resource, work=work)


def _age(since: str) -> str:
    """How long ago an instant was, in the largest unit that counts at least one."""
    try:
        seconds = (datetime.now(timezone.utc) - of_text(since)).total_seconds()
    except ValueError:
        return "of unknown age"
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            return f"for {seconds // length:.0f} {unit}"
    return f"for {max(seconds, 0):.0f} s"


class CopyLock(FileLock):
    """The lock of whoever copies a whole home, or takes data out of it that a copy may be reading.

    Whoever takes it and a `StoreLock` takes this one first.
    """

    def __init__(self, home: Home, work: str = "") -> None:
        """Names the lock of ``home``; ``work`` is what the holder does."""
        resource = f"the home {home.root} for copies and erasures"
        super().__init__(home.path("copy.lock"), resource, work=work)


def _parsed(text: str) -> Holder | None:
    try:
        return msgspec.json.decode(text, type=Holder)
    except msgspec.DecodeError:  # not yet written, or empty again
        return None
