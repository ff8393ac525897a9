"""One writer per store: whoever lands or refines holds the use case's lock.

On the local disk it is an advisory lock of the operating system, which ends with its process. On
any other file system it is a lease: an object created exclusively, renewed while its owner lives
and free for others once it expired.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import threading
import time
import uuid
from datetime import datetime, timezone
from types import TracebackType
from typing import IO, Any

from goldlake_core.contracts.errors import LockedError
from goldlake_core.storage.files import read_json
from goldlake_core.storage.home import Home

LEASE_S = 120.0

_held: dict[tuple[str, int], int] = {}


class StoreLock:
    """Holds a use case's store while the ``with`` block runs; re-entrant within one thread.

    Raises on entry:
        LockedError: Another process (or thread) holds it; the message names the holder.
    """

    def __init__(self, home: Home, usecase: str, *, lease_s: float = LEASE_S) -> None:
        self.home = home
        self.usecase = usecase
        self.path = home.landing(usecase, "lock")
        self._lease_s = lease_s
        self._file: IO[str] | None = None
        self._owner = uuid.uuid4().hex
        self._stop = threading.Event()
        self._renewer: threading.Thread | None = None

    def __enter__(self) -> StoreLock:
        key = (self.path, threading.get_ident())
        if not _held.get(key):
            if self.home.is_local:
                self._lock_file()
            else:
                self._take_lease()
        _held[key] = _held.get(key, 0) + 1
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        key = (self.path, threading.get_ident())
        _held[key] -= 1
        if _held[key]:
            return
        del _held[key]
        if self._file is not None:
            # The file stays: removing it would let a third process lock a new file of this name.
            self._file.truncate(0)
            self._file.close()
            self._file = None
        elif self._renewer is not None:
            self._stop.set()
            self._renewer.join()
            self.home.fs.rm_file(self.path)

    def _lock_file(self) -> None:
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        file = open(self.path, "a+", encoding="utf-8")  # noqa: SIM115 (held until __exit__)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.seek(0)
            holder = _parsed(file.read())
            file.close()
            raise self._refusal(holder) from error
        file.truncate(0)
        file.write(json.dumps(_me()))
        file.flush()
        self._file = file

    def _take_lease(self) -> None:
        fs = self.home.fs
        for _ in range(3):
            try:
                with fs.open(self.path, "xb") as lease:
                    lease.write(self._lease())
                break
            except FileExistsError:
                holder = read_json(fs, self.path)
                if holder is None:
                    continue  # released between the two calls
                if holder["expires"] > time.time():
                    raise self._refusal(holder) from None
                fs.rm_file(self.path)
        else:
            raise self._refusal(read_json(fs, self.path) or {})
        self._stop.clear()
        self._renewer = threading.Thread(target=self._renew, daemon=True)
        self._renewer.start()

    def _renew(self) -> None:
        while not self._stop.wait(self._lease_s / 4):
            self.home.fs.pipe_file(self.path, self._lease())

    def _lease(self) -> bytes:
        document = {**_me(), "owner": self._owner, "expires": time.time() + self._lease_s}
        return json.dumps(document).encode()

    def _refusal(self, holder: dict[str, Any]) -> LockedError:
        who = (
            f"process {holder['pid']} on {holder['host']} since {holder['since']}"
            if holder
            else "another process"
        )
        return LockedError(
            f"The store of {self.usecase} in {self.home.root} is in use by {who}",
            hint="wait until it ends, or end it, and repeat the command",
        )


def _me() -> dict[str, Any]:
    since = datetime.now(timezone.utc).isoformat(timespec="seconds").replace("+00:00", "Z")
    return {"pid": os.getpid(), "host": socket.gethostname(), "since": since}


def _parsed(text: str) -> dict[str, Any]:
    try:
        return dict(json.loads(text))
    except ValueError:
        return {}
