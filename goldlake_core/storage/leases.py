"""A lock on a remote home: an entry in a folder, which its holder renews while it works.

Object stores have no locks, and no write that fails where a file is already, over all of them. What
they have is that a file which was written is listed. So whoever wants a lock writes an entry under
a name that nobody else has, and then lists the folder. With no other living entry there, it holds
the lock; else it takes its entry away again. Two that come at once see each other, and both give
way: nobody ever holds what somebody else holds.

A holder renews its entry. One that was not renewed for `LEASE_S` belongs to a process that died, or
that slept: the next one takes it away. A process that slept finds its entry gone and stops before
its next commit (`Lease.require`).
"""

from __future__ import annotations

import logging
import math
import posixpath
import random
import secrets
import threading
import time
from collections.abc import Callable
from typing import Any

import msgspec

from goldlake_core.contracts.errors import LockedError
from goldlake_core.storage.files import list_names, read_bytes, writing

log = logging.getLogger("goldlake")
LEASE_S = 60.0
RENEWED_EACH_S = 15.0
# How far the clocks of two machines may be apart.
SKEW_S = 60.0
_TRIES, _PAUSE_S = 5, 0.2


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """Who holds the lock, or wants it.

    Attributes:
        holder: Who it is, for people.
        until: When it ends unless it is renewed, in seconds since the epoch by the holder's clock.
    """

    holder: str
    until: float


class Lease:
    """One holding of a remote lock.

    Args:
        fs: File system of the folder, of fsspec.
        folder: Path of the folder of entries.
        resource: What the lock protects, as errors call it.
        holder: Who holds it, for people.
        clock: Seconds since the epoch; a parameter so that tests need not wait.
    """

    def __init__(
        self,
        fs: Any,
        folder: str,
        resource: str,
        holder: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._fs, self._folder, self._resource = fs, folder, resource
        self._holder, self._clock = holder, clock
        self._path = posixpath.join(folder, secrets.token_hex(8))
        self._until = 0.0
        self._is_lost = False
        self._ended = threading.Event()

    def take(self) -> None:
        """Takes the lock and renews it from then on.

        Raises:
            LockedError: Somebody else holds it.
            StoreError: The entry cannot be written.
        """
        others: list[str] = []
        for attempt in range(_TRIES):
            others = self._living()
            if not others:
                self._write()
                others = self._living()
                if not others:
                    threading.Thread(target=self._keep, daemon=True).start()
                    return
                self._remove(self._path)
            elif attempt:
                break
            # Who came at the same time gives way, too; who was there stays.
            time.sleep(_PAUSE_S * (attempt + random.random()))
        raise LockedError(
            f"{self._resource} is in use by {others[0]}",
            hint="wait until it ends, or end it, and repeat the command",
        )

    def require(self) -> None:
        """Makes sure that the lock is still held; asks the store only after a pause.

        Raises:
            LockedError: It is not: the process slept, and another one took the lock.
        """
        if not self._is_lost and self._clock() >= self._until:
            self.renew()
        if self._is_lost:
            raise LockedError(
                f"{self._resource} was taken by another process, for this one did not renew its "
                f"lock within {LEASE_S:.0f} s",
                hint="the same command again: it goes on from what was committed",
            )

    def renew(self) -> None:
        """Renews the entry, or notes that the lock is lost."""
        # An entry that is gone was taken away: written again, there would be two holders.
        if not self._fs.exists(self._path):
            self._is_lost = True
            return
        self._write()
        if self._living():
            self._remove(self._path)
            self._is_lost = True

    def end(self) -> None:
        """Gives the lock back; what somebody else holds by now is not touched."""
        self._ended.set()
        self._remove(self._path)

    def _write(self) -> None:
        until = self._clock() + LEASE_S
        with writing(self._path):
            self._fs.makedirs(self._folder, exist_ok=True)
            self._fs.pipe_file(
                self._path, msgspec.json.encode(Entry(holder=self._holder, until=until))
            )
        self._until = until

    def _keep(self) -> None:
        while not self._is_lost and not self._ended.wait(RENEWED_EACH_S):
            try:
                self.renew()
            except Exception as error:  # the store may be away; the next try may succeed
                log.warning("the lock of %s was not renewed: %s", self._resource, error)

    def _living(self) -> list[str]:
        """The other holders; entries that were not renewed are taken away."""
        found = []
        for name in list_names(self._fs, self._folder):
            path = posixpath.join(self._folder, name)
            if path == self._path:
                continue
            entry = self._read(path)
            if entry is None:
                continue
            if entry.until + SKEW_S < self._clock():
                self._remove(path)
            else:
                found.append(entry.holder)
        return found

    def _read(self, path: str) -> Entry | None:
        data = read_bytes(self._fs, path)
        if data is None:
            return None
        try:
            return msgspec.json.decode(data, type=Entry)
        except msgspec.DecodeError:
            return Entry(holder="a process whose entry cannot be read", until=math.inf)

    def _remove(self, path: str) -> None:
        try:
            self._fs.rm_file(path)
        except FileNotFoundError:
            return
