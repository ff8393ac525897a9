"""Which processes work with a ``models.config`` now: documents beside it, each under a held lock.

A process holds the lock of its document while it lives. The operating system lets go of it when
the process ends, SIGKILL included, so that a left document is recognized whatever process has the
number now. On a machine that cannot see the lock the document's heartbeat decides.

The folders, beside ``models.config``::

    servers/ID.json       a server that follows the file: `ServerAbout`
    promotions/ID.json    a promotion that is not finished
    …/ID.lock             held by the process of the document
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import posixpath
import socket
import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Generic, TypeVar
from urllib.parse import urlsplit, urlunsplit

import fsspec
import msgspec

from goldlake_core.contracts.errors import GoldlakeError, StoreError
from goldlake_core.documents import codec
from goldlake_core.instants import now_text, of_text
from goldlake_core.storage.files import list_names, read_bytes, write_atomic, writing
from goldlake_core.storage.locks import is_locked

log = logging.getLogger("serving")
HEARTBEAT_S = 5.0
# Several heartbeats, as the clocks of two machines differ.
SILENT_S = 30.0
SERVERS, PROMOTIONS = "servers", "promotions"

T = TypeVar("T")


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """A document and the process that holds it.

    Attributes:
        host: Name of the machine of the process.
        pid: Number of the process.
        since: When the process made the document, ISO 8601 in UTC.
        heartbeat_at: When the process last wrote it, ISO 8601 in UTC.
        about: What the document says.
        format: Version of this format.
    """

    host: str
    pid: int
    since: str
    heartbeat_at: str
    about: msgspec.Raw
    format: int = codec.FORMAT


class ServerAbout(msgspec.Struct, frozen=True, kw_only=True):
    """What a server says of itself.

    Attributes:
        url: Base URL of its REST API.
        is_ready: Whether its first round of loading has ended.
        round_at: Time before its last round read ``models.config``; "" before the first one.
        problems: What it could not do as ``models.config`` says.
    """

    url: str
    is_ready: bool = False
    round_at: str = ""
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class Entry(Generic[T]):
    """A document as somebody else finds it.

    Attributes:
        id: Name of the document.
        about: What it says.
        is_alive: Whether its process lives.
        host: Name of the machine of the process.
        pid: Number of the process.
    """

    id: str
    about: T
    is_alive: bool
    host: str
    pid: int


def folder(models_config: str, kind: str) -> str:
    """The folder of `SERVERS` or `PROMOTIONS` beside a ``models.config``."""
    return posixpath.join(posixpath.dirname(models_config), kind)


class Presence:
    """The document of this process in a folder. Its methods may be called from any thread.

    Args:
        place: The folder, a path or an fsspec URL.
    """

    def __init__(self, place: str) -> None:
        self.id = uuid.uuid4().hex[:12]
        self._fs, _ = fsspec.core.url_to_fs(place)
        self._base = posixpath.join(place, self.id)
        self._is_local = "://" not in place
        self._since = now_text()
        self._handle: int | None = None
        self._guard = threading.Lock()
        self._is_withdrawn = False

    def publish(self, about: msgspec.Struct) -> None:
        """Writes the document, as a heartbeat too; does nothing after `withdraw`.

        Raises:
            StoreError: The folder may not be written, or was moved away.
        """
        with self._guard:
            if self._is_withdrawn:
                return
            if self._is_local:
                self._hold()
            held = Held(
                host=socket.gethostname(),
                pid=os.getpid(),
                since=self._since,
                heartbeat_at=now_text(),
                about=msgspec.Raw(codec.encode_line(about).strip()),
            )
            write_atomic(self._fs, f"{self._base}.json", msgspec.json.encode(held))

    def withdraw(self) -> None:
        """Takes the document away; what cannot be removed is recognized as left."""
        with self._guard:
            self._is_withdrawn = True
            with contextlib.suppress(OSError):
                self._fs.rm_file(f"{self._base}.json")
            if self._handle is not None:
                with contextlib.suppress(OSError):
                    os.unlink(f"{self._base}.lock")
                os.close(self._handle)
                self._handle = None

    def abandon(self) -> None:
        """Leaves the document for others to settle: it is no longer this process that holds it."""
        with self._guard:
            self._is_withdrawn = True
            if self._handle is not None:
                os.close(self._handle)
                self._handle = None

    def _hold(self) -> None:
        lock = f"{self._base}.lock"
        if self._handle is not None:
            if not os.path.exists(lock):
                # A heartbeat must not bring the folder of a moved home to life again.
                raise StoreError(f"{lock} is gone; the home was moved or the file removed")
            return
        place, name = os.path.split(lock)
        with writing(lock):
            os.makedirs(place, exist_ok=True)
            self._handle = os.open(os.path.join(place, f".{name}"), os.O_RDWR | os.O_CREAT, 0o644)
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Under its name the file is locked from the beginning, so others may judge by it.
            os.rename(os.path.join(place, f".{name}"), lock)


def entries(place: str, kind: type[T]) -> Iterator[Entry[T]]:
    """The documents in a folder, of living processes and left ones. Read-only.

    Args:
        place: The folder, a path or an fsspec URL.
        kind: Type of what the documents say. A document of another type is logged and left out.
    """
    fs, _ = fsspec.core.url_to_fs(place)
    for name in list_names(fs, place, ".json"):
        path = posixpath.join(place, name)
        data = read_bytes(fs, path)
        if data is None:
            continue  # withdrawn since the folder was listed
        try:
            held = msgspec.json.decode(data, type=Held)
            about = msgspec.json.decode(held.about, type=kind)
        except msgspec.DecodeError as error:
            log.error("%s is damaged and not regarded: %s. It can be removed", path, error)
            continue
        document_id = name.removesuffix(".json")
        is_alive = _is_alive(place, document_id, held)
        yield Entry(document_id, about, is_alive, held.host, held.pid)


def remove(place: str, document_id: str) -> None:
    """Removes a document that its process has left."""
    fs, _ = fsspec.core.url_to_fs(place)
    for suffix in (".json", ".lock"):
        with contextlib.suppress(OSError):
            fs.rm_file(posixpath.join(place, document_id + suffix))


def living_servers(models_config: str) -> dict[str, ServerAbout]:
    """Servers that follow a ``models.config`` now, by id. Removes documents that are left.

    Args:
        models_config: Path or URL of the file.
    """
    place = folder(models_config, SERVERS)
    found = {}
    for entry in entries(place, ServerAbout):
        if entry.is_alive:
            found[entry.id] = msgspec.structs.replace(entry.about, url=_reachable(entry))
        else:
            log.info("server %s (process %d) left its registration", entry.about.url, entry.pid)
            remove(place, entry.id)
    return found


class Registration:
    """Keeps the document of a server, with a heartbeat from a separate thread.

    Args:
        models_config: The file that the server follows.
        url: Base URL of the server.
    """

    def __init__(self, models_config: str, url: str) -> None:
        self._path = models_config
        self._presence = Presence(folder(models_config, SERVERS))
        self._about = ServerAbout(url=url)
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="serving-heartbeat", daemon=True)

    def start(self) -> None:
        """Registers the server; where that is impossible it serves without, and the log says so."""
        try:
            self._presence.publish(self._about)
        except (GoldlakeError, OSError) as error:
            log.warning(
                "This server is not registered: %s. A promotion will not wait for it",
                getattr(error, "message", error),
            )
            return
        self._thread.start()

    def round_ended(self, began: str, is_changed: bool, problems: tuple[str, ...]) -> None:
        """Notes a round of the follower; at once where it changed something."""
        is_first = not self._about.is_ready
        self._about = msgspec.structs.replace(
            self._about, is_ready=True, round_at=began, problems=problems
        )
        if (is_changed or is_first) and self._thread.is_alive():
            self._publish()

    def withdraw(self) -> None:
        """Takes the registration away."""
        self._is_over.set()
        self._presence.withdraw()

    def _beat(self) -> None:
        while not self._is_over.wait(HEARTBEAT_S):
            if not self._publish():
                return

    def _publish(self) -> bool:
        try:
            self._presence.publish(self._about)
        except (GoldlakeError, OSError) as error:
            log.error("The heartbeat of this server ends: %s", getattr(error, "message", error))
            return False
        return True


def _is_alive(place: str, document_id: str, held: Held) -> bool:
    if "://" not in place:
        if is_locked(posixpath.join(place, f"{document_id}.lock")):
            return True
        if held.host == socket.gethostname():
            return False
    try:
        age = datetime.now(timezone.utc) - of_text(held.heartbeat_at)
    except ValueError:
        return False
    return age.total_seconds() < SILENT_S


def _reachable(entry: Entry[ServerAbout]) -> str:
    """The URL under which a server that listens at every address can be asked."""
    parts = urlsplit(entry.about.url)
    if parts.hostname not in ("0.0.0.0", "::"):
        return entry.about.url
    here = entry.host == socket.gethostname()
    return urlunsplit(parts._replace(netloc=f"{'127.0.0.1' if here else entry.host}:{parts.port}"))
