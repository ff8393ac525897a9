"""Lands what is new at a source: page after page, each a file and then its manifest line."""

from __future__ import annotations

from collections import deque
from dataclasses import asdict, dataclass, field
from datetime import date

from goldlake_core.contracts.durations import seconds_of
from goldlake_core.contracts.errors import GoldlakeError, StoreError, UsageError
from goldlake_core.contracts.hashing import canonical
from goldlake_core.contracts.sections import UseCase
from goldlake_core.documents.lakehouse import CursorState, Landed
from goldlake_core.stages import Emit
from goldlake_core.storage.erasures import Withheld
from goldlake_core.storage.home import Home
from goldlake_core.storage.landing import Cursor, LandingZone, PageEntry
from goldlake_core.storage.locks import StoreLock
from lakehouse.sources import partitions, polls, room
from lakehouse.sources.base import Connector, Origin, Page
from lakehouse.sources.drift import Watch
from lakehouse.sources.laws import RECOUNTS, Asker
from lakehouse.sources.plugins import connector
from lakehouse.sources.repair import Repair

LIVE = "live"


def land(
    usecase: UseCase,
    home: Home,
    source: str,
    since: str | None,
    until: str | None,
    run_id: str,
    emit: Emit,
    *,
    looks_back: bool = True,
) -> Landed:
    """Lands what the source has and the store does not; starts no JVM.

    A process may die anywhere in it: the next one goes on. Pages that are lost or damaged are
    fetched again first. A poll begins at the newest record that was landed, less the contract's
    ``source.overlap``. A range (since, until) is read from its start each time. Records that are
    landed already, byte for byte, are left out.

    Args:
        usecase: The use case whose source is asked.
        home: Home to land into.
        source: ``live`` for the contract's address, or a URL.
        since: First day wanted of the contract's ``time_field`` (ISO 8601), or None.
        until: First day not wanted, or None.
        run_id: Written into the manifest.
        emit: Called with progress: ``emit("progress", text, done=rows, total=rows or None)``, and
            with ``emit("info", text)`` for what a person should know.
        looks_back: Whether a poll begins that far before the newest record, or at it.

    Returns:
        What was landed, up to which cursor, what the source did not send, and the traffic.

    Raises:
        UsageError: A day that is none, or the source has no time field for days.
        StoreError: The store belongs to another source, nothing was landed; or it is damaged in a
            way that landing cannot mend.
        LockedError: Another process lands or refines this use case.
        GateRefused: The source's fields changed and the contract says ``drift: stop``.
        RetryableError: The source failed; the pages landed so far stay, the next run goes on.
        PermanentError: The source answers with pages that cannot be right.
    """
    check_range(usecase, since, until)
    zone = LandingZone(home, usecase.name, usecase.source.dataset or usecase.name)
    reader = connector(usecase, "" if source == LIVE else source)
    try:
        with StoreLock(home, usecase.name, "land"):
            origin = reader.origin()
            zone.claim(origin.identity, canonical(usecase.source))
            landing = Landing(
                usecase, zone, reader, origin, since, until, run_id, emit, looks_back=looks_back
            )
            return landing.run()
    finally:
        reader.close()


def check_range(usecase: UseCase, since: str | None, until: str | None) -> None:
    """Raises UsageError unless the days are days, in order, of a source that has a time field."""
    for name, day in (("--since", since), ("--until", until)):
        if day is None:
            continue
        try:
            is_day = date.fromisoformat(day).isoformat() == day
        except ValueError:
            is_day = False
        if not is_day:
            raise UsageError(f"{name} is {day!r}", valid="a day, such as 2016-03-01")
        if not usecase.source.time_field:
            raise UsageError(
                f"{name} needs a field with the record's time, and {usecase.name} names none",
                valid="source.time_field in its contract.yaml",
            )
    if since and until and since >= until:
        raise UsageError(f"--since {since} is not before --until {until}")


@dataclass
class Landing:
    """One landing, under the store's lock.

    Attributes:
        usecase: The use case whose source is asked.
        zone: Where pages are landed.
        reader: The connector of the source.
        origin: What the source says it is.
        since: First day of the range, or None.
        until: First day after the range, or None.
        run_id: Written into the manifest.
        emit: Called with progress and with what a person should know.
        looks_back: Whether a poll begins before the newest record that was landed, or at it.
        sequence: Greatest sequence that was given.
        pages: Number of pages landed.
        rows: Number of records landed.
        repeated: Number of records left out because they are landed already.
        source_count: What the source counts from where the poll began.
        missing: How many of these it did not send.
    """

    usecase: UseCase
    zone: LandingZone
    reader: Connector
    origin: Origin
    since: str | None
    until: str | None
    run_id: str
    emit: Emit
    looks_back: bool = True
    sequence: int = 0
    pages: int = 0
    rows: int = 0
    repeated: int = 0
    source_count: int | None = None
    missing: int = 0
    _end: Cursor | None = None
    _later: deque[PageEntry] = field(default_factory=deque)
    _notes: set[str] = field(default_factory=set)

    def run(self) -> Landed:
        """Lands to the source's end; see `land`."""
        self._overlap_s = seconds_of(self.usecase.source.overlap)
        self.withheld = Withheld(self.usecase, self.zone.home)
        memory = polls.remembered(self.zone, self.emit)
        self._repair = Repair(self.zone, self.reader, self.emit, self._overlap_s)
        self.sequence = self._repair.survey(memory.sequence)
        self._watch = Watch(self.usecase, memory.fields)
        self._asker = Asker(self.reader, self.since, self.until)
        if self.reader.paging == "partitions":
            partitions.land(self, self._asker)
        else:
            self._poll(memory.poll(self.since, self.until))
        told = self._watch.told()
        if told:
            self.emit("info", told)
        if self.withheld.count:
            self.emit("info", f"{self.withheld.count:,} records of erased keys were not landed")
        cursor = self._remember(memory)
        return Landed(
            pages=self.pages,
            rows=self.rows,
            repeated=self.repeated,
            restored=self._repair.restored,
            source_count=self.source_count,
            missing=self.missing,
            drift=self._watch.drift(),
            **asdict(self.reader.traffic),
            cursor=CursorState(value=cursor.value, tiebreak=cursor.tiebreak) if cursor else None,
            identity=self.origin.identity,
            address=self.origin.address,
            inputs=self.origin.inputs,
        )

    @property
    def entries(self) -> list[PageEntry]:
        """The pages of this landing's range."""
        return polls.of_range(self._repair.entries, self.since, self.until)

    @property
    def pages_of_all(self) -> list[PageEntry]:
        """The pages of all ranges, those of tombstones too."""
        return self._repair.entries

    def write(
        self,
        page: Page,
        rows: list[bytes],
        first: Cursor | None,
        last: Cursor | None,
        total: int | None = None,
        **inputs: str,
    ) -> None:
        """Lands records of a page.

        Args:
            page: As the source answered.
            rows: Those of its records that are to be landed, at least one.
            first: Where what these records follow ends.
            last: Place of the page's last record.
            total: How many records there are to land, for the progress.
            inputs: What the page was made from, beside the source's own inputs.
        """
        self._watch.see(page, rows)
        for note in page.notes:
            if note not in self._notes:
                self._notes.add(note)
                self.emit("info", note)
        rows = self.withheld.masked(rows)  # where places in a page count, none may be left out
        self.sequence += 1
        name = self.zone.page_name(first, self.since, self.until, sequence=self.sequence)
        entry = self.zone.write_page(
            name,
            rows,
            url=page.url,
            first_cursor=first,
            last_cursor=last,
            run_id=self.run_id,
            since=self.since,
            until=self.until,
            identity=self.origin.identity,
            address=self.origin.address,
            inputs={**self.origin.inputs, **inputs},
        )
        self.zone.write_manifest(entry)
        self._repair.entries.append(entry)
        self._end = last
        self.pages += 1
        self.rows += len(rows)
        self.emit("progress", f"landed {self.rows:,} rows", done=self.rows, total=total)

    def _poll(self, last: polls.Poll | None) -> None:
        start, known = self._beginning(last)
        total = self.source_count = self._count(start)
        cursor, landed_to = start, start
        fetched, asked_again = 0, 0
        while True:
            page, keys = self._asker.page(cursor)
            rows, ends = page.rows, [key for key in keys if key is not None]
            if ends and not page.next_cursor:
                # Records without a key that end the page come again: they follow its last key.
                rows = rows[: max(n for n, key in enumerate(keys, start=1) if key)]
            keys = keys[: len(rows)]
            self._learn(known, ends)
            unseen = known.unseen(rows, keys)
            if not page.next_cursor:  # else the place is the source's own word for where it was
                landed_to = known.led_to(rows, keys) or landed_to
            fetched += known.passed(rows, keys)
            self.repeated += len(rows) - len(unseen)
            fresh = self.withheld.left(unseen)
            cursor = page.next_cursor or (ends[-1] if ends else cursor)
            self._end = cursor if page.rows else self._end
            if fresh and not self.pages and total is not None:
                is_empty = not self._repair.entries
                room.check(self.zone.home, total, page.rows, self.emit, is_empty=is_empty)
            if fresh:
                self.write(page, fresh, landed_to, cursor, total)
                landed_to = cursor
            if page.next_cursor is not None or ends:
                continue
            if total is not None and fetched < total:
                total = self.source_count = self._count(start)
            self.missing = max(0, (total or 0) - fetched)
            if page.rows or not self.missing or asked_again == RECOUNTS:
                break
            self.reader.traffic.retries += 1
            self._asker.wait(self.reader.patience, asked_again)
            asked_again += 1
        if self.missing:
            self.emit(
                "info",
                f"the source counts {total:,} records and sent {fetched:,}: {self.missing:,} are "
                "missing; the next ingest asks for them again",
            )

    def _beginning(self, last: polls.Poll | None) -> tuple[Cursor | None, polls.Known]:
        """Where the poll begins, and what need not be landed from there on.

        Pages of other ranges count too. Where records have places, landed pages are read as the
        poll comes to theirs: all of them at once could be more than the memory holds, and a poll
        to which nothing comes reads none.
        """
        while True:
            start, known = self._start(last), polls.Known()
            now = [page for page in self._repair.entries if not _ends(page, start)]
            if self.reader.paging == "keyset":
                later = [page for page in now if page.last_cursor is not None]
                self._later = deque(sorted(later, key=_begins))
                now = [page for page in now if page.last_cursor is None]
            if all(self._is_read(known, page) for page in now):
                return start, known

    def _learn(self, known: polls.Known, keys: list[Cursor]) -> None:
        """Reads the landed pages that may hold what a page of the source holds."""
        if not self._later or not keys:
            return
        known.forget_before(keys[0].value)
        while self._later and _begins(self._later[0]) <= keys[-1].value:
            entry = self._later.popleft()
            if not _ends(entry, keys[0]) and not self._is_read(known, entry):
                self._later.extendleft([entry] if entry in self._repair.entries else [])

    def _is_read(self, known: polls.Known, entry: PageEntry) -> bool:
        """Takes the records of a landed page as known; where it is damaged, it is mended first."""
        try:
            rows = self.zone.read_page(entry)
        except StoreError:
            self._repair.mend_page(entry, "is damaged")
            return False
        if entry.tombstones:
            known.add_tombstones(entry, rows)
        else:
            known.add(entry, rows, [self.reader.key(row) for row in rows])
        return True

    def _start(self, last: polls.Poll | None) -> Cursor | None:
        if self.since or self.until or self.reader.paging != "keyset":
            return None
        overlap_s = self._overlap_s if self.looks_back else 0.0
        start, told = polls.beginning(self.entries, last, self.origin.inputs, overlap_s)
        if told:
            self.emit("info", told)
        return start

    def _remember(self, memory: polls.Memory) -> Cursor | None:
        """Writes what the next landing need not find out; returns the newest record's place."""
        pages = self.entries
        last = memory.poll(self.since, self.until)
        cursor = self._end or (last.cursor if last else polls.reached(pages)[0])
        found = {(p.since, p.until): p for p in memory.polls}
        if pages or cursor is not None:
            found[self.since, self.until] = polls.Poll(
                since=self.since,
                until=self.until,
                cursor=cursor,
                pages=polls.names_digest(pages),
                inputs=self.origin.inputs,
            )
        fields = tuple(self._watch.fields)
        now = polls.Memory(sequence=self.sequence, fields=fields, polls=tuple(found.values()))
        if now != memory:
            polls.remember(self.zone, now)
        return cursor

    def _count(self, cursor: Cursor | None) -> int | None:
        # A source that cannot count now can still be landed.
        try:
            return self._asker.count(cursor)
        except GoldlakeError:
            return None


def _begins(entry: PageEntry) -> str:
    return entry.first_cursor.value if entry.first_cursor else ""


def _ends(entry: PageEntry, place: Cursor | None) -> bool:
    """Whether a page ends before a place."""
    end = entry.last_cursor
    return place is not None and end is not None and end.value < place.value
