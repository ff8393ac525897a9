"""The two phases of a promotion in ``models.config``, and their record; killed anywhere, one holds.

A promotion writes an entry beside ``models.config`` before it changes anything, and takes it away
when its outcome is in ML Metadata. Its process holds the entry while it lives. Whoever promotes
next finds the entries of processes that ended, and settles them: a label that has moved is
recorded, a version that was only to be loaded is taken out. All of it is under the lock of
``models.config``; nothing waits for a server under it.
"""

from __future__ import annotations

import contextlib
import getpass
import socket
import uuid
from collections.abc import Iterator

import msgspec

from goldlake_core.contracts.errors import GoldlakeError
from goldlake_core.instants import now_text
from goldlake_core.storage.home import Home
from metadata import promotion as recorded
from metadata.promotion import Attempt, Kind, Outcome
from metadata.store import Store
from serving import config, registry
from serving.registry import PROMOTIONS, Presence

_INTERRUPTED = "the process ended before the label moved"


class Ledger:
    """Promotions in a home.

    Args:
        home: The home; its ML Metadata is opened, so that nothing changes that cannot be recorded.

    Raises:
        PermanentError: The home is not local.
    """

    def __init__(self, home: Home) -> None:
        self._home = home
        self._path = home.models_config
        self._folder = registry.folder(self._path, PROMOTIONS)
        self._store = Store(home, is_writer=True)
        self.notes: list[str] = []

    @contextlib.contextmanager
    def attempt(
        self, model: str, version: int, label: str, *, kind: Kind, why: str
    ) -> Iterator[Begun]:
        """A promotion whose first phase is done: the version is in ``models.config`` to be loaded.

        If the block ends without `Begun.move`, the version is taken out again.

        Args:
            model: Name of the model.
            version: Version that is to get the label.
            label: Label that is to move.
            kind: Whether a person named the version, or asked for the one before.
            why: The reason for the record, or "".
        """
        attempt = Attempt(
            id=f"{model}@{version} {uuid.uuid4().hex[:12]}",
            model=model,
            version=version,
            label=label,
            kind=kind,
            who=_who(),
            why=why,
            began_at=now_text(),
        )
        begun = Begun(self, attempt, Presence(self._folder))
        try:
            with config.locked(self._path):
                self._settle_left()
                begun.load(self._home.path("models", model))
            yield begun
        except BaseException as error:
            begun.give_up(error.message if isinstance(error, GoldlakeError) else "")
            raise

    def settle(self, attempt: Attempt, outcome: Outcome, reason: str) -> Outcome:
        """Finishes an attempt whose label has moved and undoes any other; under the lock.

        Args:
            attempt: The attempt, whose process does nothing more about it.
            outcome: What to record where the label has not moved.
            reason: Why it has not moved.

        Returns:
            What became of it.
        """
        current = config.read_or_empty(self._path)
        at = config.served_version(current, attempt.model, attempt.label)
        if attempt.is_moving and at == attempt.version != attempt.before:
            recorded.record(self._store, attempt, "promoted")
            return "promoted"
        keep = self.awaited(attempt.model, attempt.id)
        left = config.without_version(current, attempt.model, attempt.version, keep=keep)
        if left != current:
            config.write(self._path, left)
        recorded.record(self._store, attempt, outcome, reason)
        return outcome

    def move(self, attempt: Attempt) -> None:
        """Moves the label and records it; under the lock."""
        current = config.read_or_empty(self._path)
        keep = self.awaited(attempt.model, attempt.id)
        base_path = self._home.path("models", attempt.model)
        config.write(
            self._path,
            config.with_label(
                current, attempt.model, attempt.version, attempt.label, base_path, keep=keep
            ),
        )
        if attempt.before != attempt.version:
            recorded.record(self._store, attempt, "promoted")

    def awaited(self, model: str, without: str) -> set[int]:
        """Versions of a model that other living promotions wait for."""
        return {
            entry.about.version
            for entry in registry.entries(self._folder, Attempt)
            if entry.is_alive and entry.about.model == model and entry.about.id != without
        }

    @property
    def path(self) -> str:
        """The ``models.config`` of the home."""
        return self._path

    def _settle_left(self) -> None:
        for entry in registry.entries(self._folder, Attempt):
            if entry.is_alive:
                continue
            left = entry.about
            outcome = self.settle(left, "interrupted", _INTERRUPTED)
            registry.remove(self._folder, entry.id)
            end = "was finished" if outcome == "promoted" else "was undone"
            self.notes.append(
                f"the promotion of {left.model}@{left.version} to {left.label!r} that process "
                f"{entry.pid} began at {left.began_at} {end}"
            )


class Begun:
    """An attempt of this process, between its phases.

    Attributes:
        attempt: What is on its way.
        loading_since: When ``models.config`` began to ask for the version.
    """

    def __init__(self, ledger: Ledger, attempt: Attempt, presence: Presence) -> None:
        self._ledger = ledger
        self._presence = presence
        # Before the entry is written, and after its outcome is, nothing is left to settle.
        self._is_over = True
        self.attempt = attempt
        self.loading_since = ""

    def load(self, base_path: str) -> None:
        """Does the first phase, under the lock; the entry is there before the version is."""
        path = self._ledger.path
        current = config.read_or_empty(path)
        before = config.served_version(current, self.attempt.model, self.attempt.label)
        self.attempt = msgspec.structs.replace(self.attempt, before=before)
        self.heartbeat()
        self._is_over = False
        model, version = self.attempt.model, self.attempt.version
        config.write(path, config.with_version(current, model, version, base_path))
        self.loading_since = now_text()

    def heartbeat(self) -> None:
        """Says that this attempt is still alive to machines that cannot see its lock."""
        self._presence.publish(self.attempt)

    def move(self) -> None:
        """Does the second phase: the label moves, and it is on record."""
        with config.locked(self._ledger.path):
            current = config.read_or_empty(self._ledger.path)
            before = config.served_version(current, self.attempt.model, self.attempt.label)
            self.attempt = msgspec.structs.replace(self.attempt, is_moving=True, before=before)
            self.heartbeat()
            self._ledger.move(self.attempt)
            self._end()

    def give_up(self, reason: str) -> None:
        """Takes the version out of ``models.config`` again, unless the label has moved."""
        if self._is_over:
            return
        try:
            with config.locked(self._ledger.path):
                outcome: Outcome = "failed" if reason else "interrupted"
                self._ledger.settle(self.attempt, outcome, reason or _INTERRUPTED)
                self._end()
        except BaseException:
            self._presence.abandon()
            raise

    def _end(self) -> None:
        self._is_over = True
        self._presence.withdraw()


def _who() -> str:
    try:
        user = getpass.getuser()
    except (KeyError, OSError, ImportError):  # a container may have no name for its user
        user = "?"
    return f"{user}@{socket.gethostname()}"
