"""Makes a landing zone sound before anything is landed into it: what is lost is fetched again."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field

from goldlake_core.contracts.errors import GoldlakeError
from goldlake_core.instants import utc_text
from goldlake_core.stages import Emit
from goldlake_core.storage.files import list_names, read_bytes, write_atomic
from goldlake_core.storage.landing import (
    FORMAT,
    Cursor,
    LandingZone,
    PageEntry,
    content_of,
    packed,
    sequence_of,
    unpacked,
)
from lakehouse.parsing import DELETED_FIELD
from lakehouse.sources.base import Connector
from lakehouse.sources.polls import window_start

_DELETION = b'{"%b":true' % DELETED_FIELD.encode()
_LEVELS = (1, 4)  # gzip's, of pages of today and of format 1


@dataclass
class Repair:
    """What is known of a landing zone, and what was done to make it sound.

    Attributes:
        zone: The landing zone. The caller holds the store's lock.
        reader: The connector of the source.
        emit: Called with one line for everything that is not as it was landed.
        overlap_s: The contract's overlap window in seconds, which page names depend on.
        entries: The manifest lines of pages that are there.
        restored: Number of pages that were fetched again as they were.
    """

    zone: LandingZone
    reader: Connector
    emit: Emit
    overlap_s: float
    entries: list[PageEntry] = field(default_factory=list)
    restored: int = 0

    def survey(self, given: int) -> int:
        """Fills `entries`; writes only where something is lost.

        Args:
            given: A sequence that is known to be given.

        Returns:
            The greatest sequence that was ever given, as far as the folder tells.
        """
        self.entries, damaged = self.zone.scan()
        for name, problem in damaged.items():
            self._mend_line(name, problem)
        if damaged:
            self.entries = self.zone.scan().entries
        left_out = self.zone.left_out()
        sizes = {n: size for n, size in self.zone.page_sizes().items() if n not in left_out}
        self._remake_lines(sizes.keys() - damaged.keys())
        for entry in list(self.entries):
            size = sizes.get(entry.name)
            if size is None or (entry.bytes is not None and size != entry.bytes):
                self.mend_page(entry, "is missing" if size is None else "is not whole")
        aside = list_names(self.zone.fs, self.zone.path("aside"))
        numbers = [sequence_of(n.removesuffix(".json")) for n in aside]
        numbers += map(sequence_of, left_out)
        last = max([given, *numbers, *(entry.sequence for entry in self.entries)])
        self._clear(sizes.keys() - {entry.name for entry in self.entries} - damaged.keys(), last)
        return last

    def remake_lines(self) -> list[str]:
        """Makes damaged and lost manifest lines again from their pages; asks no source.

        Returns:
            The pages whose lines cannot be made again; nothing of them is touched.
        """
        self.entries, damaged = self.zone.scan_all()
        last = max((entry.sequence for entry in self.entries), default=0)
        names = {entry.name for entry in self.entries}
        lost = {n for n in self.zone.page_sizes() if n not in names and 0 < sequence_of(n) < last}
        left = []
        for name in sorted(lost | damaged.keys()):
            entry = self._remade(name)
            if entry is None:
                left.append(name)
            else:
                self.zone.write_manifest(entry)
                self.entries.append(entry)  # the next page begins where this one ends
        return left

    def mend_page(self, entry: PageEntry, problem: str) -> None:
        """Fetches a lost page again as it was, or sets its line aside for a poll to fetch it."""
        if not entry.tombstones and self._is_fetched(entry):
            self.restored += 1
            self.emit("info", f"the landed page {entry.name} {problem}; it was fetched again")
            return
        self.zone.set_aside(entry.name)
        self.entries.remove(entry)
        if entry.tombstones:
            told = "the next goldlake reconcile finds the deletions that it told of again"
            self.emit("info", f"the landed page {entry.name} {problem}; {told}")
            return
        self.emit(
            "info",
            f"the landed page {entry.name} {problem}, and the source does not give its "
            f"{entry.rows:,} records as they were; what it has of them is landed as a new page",
        )

    def _is_fetched(self, entry: PageEntry) -> bool:
        try:
            page = self.reader.page(entry.first_cursor, entry.since, entry.until)
        except GoldlakeError:
            return False
        for level in _LEVELS:
            data = packed(page.rows[: entry.rows], level)
            if hashlib.sha256(data).hexdigest() == entry.sha256:
                write_atomic(self.zone.fs, self.zone.page_uri(entry.name), data)
                return True
        return False

    def _remake_lines(self, pages: Iterable[str]) -> None:
        """Makes the lines of pages again that are older than the newest one, and lost theirs."""
        names = {entry.name for entry in self.entries}
        last = max((entry.sequence for entry in self.entries), default=0)
        lost = [name for name in pages if name not in names and 0 < sequence_of(name) < last]
        for name in lost:
            self._mend_line(name, f"the manifest line of the page {name} is missing")
        if lost:
            self.entries = self.zone.scan().entries

    def _mend_line(self, name: str, problem: str) -> None:
        entry = self._remade(name)
        if entry is not None:
            self.zone.write_manifest(entry)
            self.emit("info", f"{problem}; the line was made again from the page {name}")
            return
        self.zone.set_aside(name)
        self.emit("info", f"{problem}; the records of the page {name} are fetched again")

    def _remade(self, name: str) -> PageEntry | None:
        """The line of a page that is whole and whose name tells where it began."""
        self.zone.unpack(name)
        path = self.zone.page_uri(name)
        data = read_bytes(self.zone.fs, path)
        try:
            lines = unpacked(data or b"")
        except (OSError, EOFError, zlib.error, gzip.BadGzipFile):
            return None
        keys = [key for key in map(self.reader.key, lines) if key is not None]
        began = self._beginning(name)
        is_deletions = bool(lines) and all(line.startswith(_DELETION) for line in lines)
        if not data or not (keys or is_deletions) or began is None:
            return None
        first, since, until = began
        sequence = sequence_of(name)
        return PageEntry(
            format=FORMAT if sequence else 1,
            sequence=sequence,
            name=name,
            url="",
            # The page was written just before its line; those of format 1 are ordered by this time.
            landed_at=utc_text(self.zone.fs.modified(path), "microseconds"),
            rows=len(lines),
            sha256=hashlib.sha256(data).hexdigest(),
            content=content_of(lines) if sequence else None,
            bytes=len(data) if sequence else None,
            first_cursor=first,
            last_cursor=keys[-1] if keys else None,
            run_id="repair",
            since=since,
            until=until,
            tombstones=is_deletions,
        )

    def _beginning(self, name: str) -> tuple[Cursor | None, str | None, str | None] | None:
        """The cursor and range that a page's name is the digest of."""
        ranges = {(None, None), *((e.since, e.until) for e in self.entries)}
        ends = {None, *(entry.last_cursor for entry in self.entries)}
        firsts = ends | {window_start(end, self.overlap_s) for end in ends}
        for since, until in ranges:
            for first in firsts:
                other = self.zone.page_name(first, since, until, sequence=sequence_of(name))
                if name in (other, other[9:]):
                    return first, since, until
        return None

    def _clear(self, names: Iterable[str], last: int) -> None:
        """Takes pages that nothing vouches for out of the folder."""
        for name in sorted(names):
            if sequence_of(name) > last:  # of a landing that was interrupted before its line
                self.zone.fs.rm_file(self.zone.page_uri(name))
            else:
                self.zone.set_aside(name)
                self.emit("info", f"the page {name} has no manifest line and was set aside")
