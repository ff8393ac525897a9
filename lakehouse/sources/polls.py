"""Where a poll of the source begins, and which records need not be landed again.

Both follow from the manifest. A chain of pages leads from the start of the source to the newest
record: each page begins where an earlier one ends. Where a page or its line is lost, the chain
ends, and the next poll begins there. ``cursor.json`` only remembers what the last whole poll found;
where it is lost or does not fit the manifest, the chain is followed again.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec
import xxhash

from goldlake_core.contracts.errors import StoreError
from goldlake_core.documents.lakehouse import Identity
from goldlake_core.stages import Emit
from goldlake_core.storage.files import NewerFormat, document, read_bytes, write_json
from goldlake_core.storage.landing import FORMAT, Cursor, LandingZone, PageEntry


class Poll(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A poll that reached the end of the source.

    Attributes:
        since: First day of its range, or None.
        until: First day after its range, or None.
        cursor: Place of the newest record.
        pages: Digest of the names of the range's pages.
        inputs: What the source was made from.
    """

    since: str | None = None
    until: str | None = None
    cursor: Cursor | None
    pages: str
    inputs: Identity = {}


class Memory(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The document ``cursor.json``, a cache.

    Attributes:
        format: Format of the document.
        sequence: Greatest sequence that was ever given: a number is not given twice.
        fields: Fields that the source's records have had.
        polls: The last whole poll of each range.
    """

    format: int = FORMAT
    sequence: int = 0
    fields: tuple[str, ...] = ()
    polls: tuple[Poll, ...] = ()

    def poll(self, since: str | None, until: str | None) -> Poll | None:
        """The last whole poll of a range."""
        return next((p for p in self.polls if (p.since, p.until) == (since, until)), None)


class Tombstone(msgspec.Struct, frozen=True, kw_only=True):
    """What a landed tombstone says of the record that it deletes, beside its key.

    Attributes:
        id: The record's id at the source, or None where it has none.
        digest: Digest of the record's bytes, in hexadecimal.
    """

    id: str | None = msgspec.field(default=None, name="$id")
    digest: str = msgspec.field(default="", name="$digest")


RECENT_PAGES = 8


class _Landed(NamedTuple):
    """The newest landed record of an id: its page, where that page ends, and its digest."""

    sequence: int
    end: str | None
    digest: bytes


@dataclass
class Known:
    """Records that were landed before: by their id at the source the newest one, else all.

    Attributes:
        newest: The newest record by its id.
        others: Digests of records without an id.
        gone: The last page of tombstones by the digest of a record without an id that it deleted.
        recent: Digests by id of the last pages of this poll: a source whose order is not what it
            says gives records twice.
    """

    newest: dict[str, _Landed] = field(default_factory=dict)
    others: set[bytes] = field(default_factory=set)
    gone: dict[bytes, int] = field(default_factory=dict)
    recent: deque[dict[str, bytes]] = field(default_factory=lambda: deque(maxlen=RECENT_PAGES))

    def add(self, page: PageEntry, rows: Sequence[bytes], keys: Sequence[Cursor | None]) -> None:
        """Takes the records of a landed page; pages may come in any order."""
        end = page.last_cursor.value if page.last_cursor else None
        for row, key in zip(rows, keys, strict=True):
            digest = xxhash.xxh3_128_digest(row)
            if key is not None:
                self._take(key.tiebreak, _Landed(page.sequence, end, digest))
            elif self.gone.get(digest, 0) < page.sequence:
                self.others.add(digest)

    def add_tombstones(self, page: PageEntry, rows: Iterable[bytes]) -> None:
        """Forgets the records that a page of tombstones deleted: they may come back."""
        for row in rows:
            told = msgspec.json.decode(row, type=Tombstone)
            if told.id is not None:
                self._take(told.id, _Landed(page.sequence, None, b""))
            else:
                digest = bytes.fromhex(told.digest)
                self.gone[digest] = page.sequence
                self.others.discard(digest)

    def forget_before(self, value: str) -> None:
        """Drops the records of pages that end before a place."""
        if any(landed.end is not None and landed.end < value for landed in self.newest.values()):
            self.newest = {
                name: landed
                for name, landed in self.newest.items()
                if landed.end is None or landed.end >= value
            }

    def unseen(self, rows: Sequence[bytes], keys: Sequence[Cursor | None]) -> list[bytes]:
        """The records that are not landed byte for byte as the newest of their id."""
        return [row for row, key in zip(rows, keys, strict=True) if not self._has(row, key)]

    def led_to(self, rows: Sequence[bytes], keys: Sequence[Cursor | None]) -> Cursor | None:
        """The place of the last record before the first that is not landed, or None."""
        place = None
        for row, key in zip(rows, keys, strict=True):
            if not self._has(row, key):
                break
            place = key or place
        return place

    def passed(self, rows: Sequence[bytes], keys: Sequence[Cursor | None]) -> int:
        """Takes a page of this poll; returns how many of its records no recent page had."""
        page: dict[str, bytes] = {}
        repeated = 0
        for row, key in zip(rows, keys, strict=True):
            if key is not None:
                repeated += any(key.tiebreak in before for before in self.recent)
                page[key.tiebreak] = xxhash.xxh3_128_digest(row)
        self.recent.append(page)
        return len(rows) - repeated

    def _has(self, row: bytes, key: Cursor | None) -> bool:
        digest = xxhash.xxh3_128_digest(row)
        if key is None:
            return digest in self.others
        for page in reversed(self.recent):
            if key.tiebreak in page:
                return page[key.tiebreak] == digest
        landed = self.newest.get(key.tiebreak)
        return landed is not None and landed.digest == digest

    def _take(self, name: str, landed: _Landed) -> None:
        before = self.newest.get(name)
        if before is None or before.sequence <= landed.sequence:
            self.newest[name] = landed


def remembered(zone: LandingZone, emit: Emit) -> Memory:
    """What ``cursor.json`` holds; nothing where it is of an earlier version, damaged or missing.

    Raises:
        NewerFormat: A newer goldlake wrote it.
    """
    path = zone.path("cursor.json")
    data = read_bytes(zone.fs, path)
    if data is None:
        return Memory()
    try:
        return document(data, path, Memory, FORMAT, "")
    except NewerFormat:
        raise
    except StoreError as error:
        if b'"cursors"' not in data:  # which is format 1
            emit("info", f"{error.problem}; what it held follows from the manifest")
        return Memory()


def remember(zone: LandingZone, memory: Memory) -> None:
    """Writes ``cursor.json``."""
    write_json(zone.fs, zone.path("cursor.json"), msgspec.to_builtins(memory))


def of_range(entries: Iterable[PageEntry], since: str | None, until: str | None) -> list[PageEntry]:
    """The pages of the source's records that were landed for a range."""
    return [
        entry
        for entry in entries
        if (entry.since, entry.until) == (since, until) and not entry.tombstones
    ]


def names_digest(entries: Iterable[PageEntry]) -> str:
    """Digest of the names of pages, whatever their order."""
    return hashlib.sha256("\n".join(sorted(e.name for e in entries)).encode()).hexdigest()[:16]


def beginning(
    pages: Sequence[PageEntry], last: Poll | None, inputs: Identity, overlap_s: float
) -> tuple[Cursor | None, str]:
    """Where a poll of the whole source begins, and what a person should know of that; "" for no.

    Args:
        pages: The pages of earlier polls by their sequence.
        last: The last whole poll, as it is remembered.
        inputs: What the source is made from now.
        overlap_s: How far the poll looks back, in seconds.
    """
    newest = next((entry for entry in reversed(pages) if entry.format > 1), None)
    before = last.inputs if last else newest.inputs if newest else {}
    if pages and before != inputs:
        return None, "the source is made from other inputs: it is read from its start"
    if last is not None and last.pages == names_digest(pages):
        return window_start(last.cursor, overlap_s), ""
    end, has_gap = reached(pages)
    place = f"after {end.value}" if end else "from the start"
    told = f"landed pages are missing: records {place} are fetched again" if has_gap else ""
    return window_start(end, overlap_s), told


def reached(entries: Iterable[PageEntry]) -> tuple[Cursor | None, bool]:
    """How far the chain of pages leads from the start, and whether it has a gap.

    A page belongs to the chain if it begins at the start, where a page of the chain ends, or at a
    time before its end (the overlap window).

    Args:
        entries: The pages of one range by their sequence.
    """
    end: Cursor | None = None
    ends: set[Cursor] = set()
    has_gap = False
    for entry in entries:
        first, last = entry.first_cursor, entry.last_cursor
        if last is None:
            continue
        is_window = end is not None and first is not None and not first.tiebreak
        if first is None or first in ends or (is_window and end and first.value < end.value):
            ends.add(last)
            end = last if end is None or last.value >= end.value else end
        else:
            has_gap = True
    return end, has_gap


def window_start(cursor: Cursor | None, overlap_s: float) -> Cursor | None:
    """Where a poll begins that looks back from a cursor; the cursor where it is not a time."""
    if cursor is None or overlap_s <= 0:
        return cursor
    text = cursor.value.removesuffix("Z")
    try:
        at = datetime.fromisoformat(text) - timedelta(seconds=overlap_s)
    except (ValueError, OverflowError):
        return cursor
    if "T" not in text:
        return cursor
    precision = "microseconds" if len(text) > 23 else "milliseconds" if "." in text else "seconds"
    mark = "Z" if cursor.value.endswith("Z") else ""
    return Cursor(at.isoformat(timespec=precision) + mark, "")
