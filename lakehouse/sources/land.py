"""Lands what follows the store's cursor at a source: page, manifest line, cursor; page by page."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date

from goldlake_core.contracts.errors import GoldlakeError, StoreError, UsageError
from goldlake_core.contracts.sections import UseCase
from goldlake_core.documents.lakehouse import CursorState, Landed
from goldlake_core.stages import Emit
from goldlake_core.storage.home import Home
from goldlake_core.storage.locks import StoreLock
from lakehouse.landing import Cursor, LandingZone, PageEntry
from lakehouse.sources.base import Connector
from lakehouse.sources.plugins import connector

LIVE = "live"


def land(
    usecase: UseCase,
    home: Home,
    source: str,
    since: str | None,
    until: str | None,
    run_id: str,
    emit: Emit,
) -> Landed:
    """Lands all pages that follow the cursor; starts no JVM. A process may die anywhere in it.

    Each range (since, until) has a separate cursor. A range that was not asked for before is
    landed from its start: its rows then get the fate ``unchanged`` where silver has them already.

    Args:
        usecase: The use case whose source is asked.
        home: Home to land into.
        source: ``live`` for the contract's address, or a URL.
        since: First day wanted of the contract's ``time_field`` (ISO 8601), or None.
        until: First day not wanted, or None.
        run_id: Written into the manifest.
        emit: Called with progress: ``emit("progress", text, done=rows, total=rows or None)``.

    Returns:
        What was landed, up to which cursor, and the connector's traffic.

    Raises:
        UsageError: A day that is none, or the source has no time field for days.
        StoreError: The store belongs to another source; nothing was landed.
        LockedError: Another process lands or refines this use case.
        RetryableError: The source failed; the pages landed so far stay, the next run goes on.
    """
    check_range(usecase, since, until)
    zone = LandingZone(home, usecase.name, usecase.source.dataset or usecase.name)
    reader = connector(usecase, "" if source == LIVE else source)
    try:
        with StoreLock(home, usecase.name):
            identity = reader.identity()
            zone.claim(identity)
            counts = _land_pages(zone, reader, since, until, run_id, emit)
            cursor = zone.cursor(since, until)
    finally:
        reader.close()
    return Landed(
        **counts,
        **asdict(reader.traffic),
        cursor=CursorState(**asdict(cursor)) if cursor else None,
        identity=identity,
    )


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


def _land_pages(
    zone: LandingZone,
    reader: Connector,
    since: str | None,
    until: str | None,
    run_id: str,
    emit: Emit,
) -> dict[str, int]:
    cursor = zone.cursor(since, until)
    total = _count(reader, cursor, since, until)
    counts = {"pages": 0, "rows": 0, "adopted": 0}
    while True:
        name = zone.page_name(cursor, since, until)
        if zone.has_page(name):
            entry = _adopted(zone, reader, name, cursor, run_id, since, until)
            counts["adopted"] += 1
            is_last = False
        else:
            page = reader.page(cursor, since, until)
            if page.next_cursor is None:
                return counts
            if page.next_cursor == cursor:
                raise StoreError(f"{page.url} answered with the cursor it was asked from")
            entry = zone.write_page(
                name,
                page.rows,
                url=page.url,
                first_cursor=cursor,
                last_cursor=page.next_cursor,
                run_id=run_id,
                since=since,
                until=until,
            )
            zone.write_manifest(entry)
            is_last = page.is_last
        cursor = _moved(zone, entry)
        counts["pages"] += 1
        counts["rows"] += entry.rows
        emit("progress", f"landed {counts['rows']:,} rows", done=counts["rows"], total=total)
        if is_last:
            return counts


def _adopted(
    zone: LandingZone,
    reader: Connector,
    name: str,
    cursor: Cursor | None,
    run_id: str,
    since: str | None,
    until: str | None,
) -> PageEntry:
    """The manifest line of a page that was written by a process that died before its cursor moved.

    The page stays as it is, whatever the source would answer today: Spark may have read it.
    """
    entry = zone.entry(name)
    if entry is None:
        lines, sha256 = zone.read_page(name)
        entry = zone.entry_of(
            name,
            rows=len(lines),
            sha256=sha256,
            url="",
            first_cursor=cursor,
            last_cursor=reader.resumed(cursor, lines),
            run_id=run_id,
            since=since,
            until=until,
        )
        zone.write_manifest(entry)
    return entry


def _moved(zone: LandingZone, entry: PageEntry) -> Cursor:
    if entry.last_cursor is None:
        raise StoreError(f"The manifest line of {entry.name} has no last cursor")
    zone.move_cursor(entry.last_cursor, entry.since, entry.until)
    return entry.last_cursor


def _count(
    reader: Connector, cursor: Cursor | None, since: str | None, until: str | None
) -> int | None:
    # Only for the progress line: a source that cannot count now can still be landed.
    try:
        return reader.count(cursor, since, until)
    except GoldlakeError:
        return None
