"""What a command would do to a home, before it touches anything: no JVM, no lock, no write."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import closing
from math import ceil

import msgspec

from goldlake.workflows.processes import OnEvent
from goldlake_core.contracts.durations import seconds_of
from goldlake_core.contracts.errors import UsageError
from goldlake_core.contracts.sections import UseCase
from goldlake_core.documents.lakehouse import CursorState
from goldlake_core.documents.planning import ChangedKey, IngestPlan, Outlook
from goldlake_core.documents.stages import Stage
from goldlake_core.stages import event_now
from goldlake_core.storage.deltalog import DeltaLog
from goldlake_core.storage.home import Home
from goldlake_core.storage.landing import LandingZone, PageEntry
from lakehouse import commits, epochs, specs
from lakehouse.changes import changed_keys, consequence
from lakehouse.commits import VersionsCommit
from lakehouse.sources import laws, partitions, polls, room
from lakehouse.sources.base import Connector, Divided, Partitioned
from lakehouse.sources.land import LIVE, check_range
from lakehouse.sources.plugins import connector


def outlook(usecase: UseCase, home: Home, *, rebuild: bool = False) -> Outlook:
    """What a contract means for a home. Read-only.

    Args:
        usecase: The use case as its contract is now.
        home: Where everything is kept.
        rebuild: Whether a new epoch is made whatever the contract says.
    """
    first = specs.silver(usecase, home, epochs.FIRST)
    has_tables = DeltaLog(first.uri).exists()
    plan = epochs.plan(usecase, home, has_tables_of_before=has_tables, rebuild=rebuild)
    changes = (*_source_changes(usecase, home), *plan.changes, *_gold_changes(usecase, home))
    return Outlook(
        home=home.root,
        epoch=plan.epoch,
        is_new=plan.is_new and not plan.is_current,
        why=plan.why,
        changes=changes,
        is_refused=consequence(list(changes)) == "refuse",
    )


def tell(
    usecase: UseCase, home: Home, on_event: OnEvent, stage: Stage, *, rebuild: bool = False
) -> Outlook:
    """Tells each changed key and its consequence before anything is touched.

    Args:
        usecase: The use case as its contract is now.
        home: Where everything is kept.
        on_event: Called with one event per changed key.
        stage: The first stage of the run.
        rebuild: Whether a new epoch is made whatever the contract says.

    Raises:
        UsageError: The home cannot follow the contract.
    """
    found = outlook(usecase, home, rebuild=rebuild)
    for change in found.changes:
        on_event(event_now(stage, "info", f"{usecase.name}: {change}"))
    require_followed(usecase, found)
    if found.is_new and (told := _room_for_epoch(usecase, home)):
        on_event(event_now(stage, "info", told))
    return found


def require_followed(usecase: UseCase, found: Outlook) -> None:
    """Raises UsageError where a home cannot follow the contract."""
    if found.is_refused:
        told = "; ".join(str(c) for c in found.changes if c.consequence == "refuse")
        raise UsageError(
            f"The contract of {usecase.name} names another source than that of the store in "
            f"{found.home}: {told}",
            valid="the values before, or a separate home for the other source",
            hint=f"undo the edit, or the same command with --home {found.home.rstrip('/')}-2",
        )


def plan_ingest(
    usecase: UseCase, home: Home, source: str, since: str | None, until: str | None
) -> IngestPlan:
    """What an ingest would do. Asks the source for its identity and its count; writes nothing.

    Args:
        usecase: The use case as its contract is now.
        home: Where everything is kept.
        source: ``live``, or an address.
        since: First day wanted, or None.
        until: First day no longer wanted, or None.

    Raises:
        UsageError: The home cannot follow the contract, or the range is none.
        StoreError: The store belongs to another source, or is damaged.
    """
    check_range(usecase, since, until)
    found = outlook(usecase, home)
    require_followed(usecase, found)
    zone = specs.landing(usecase, home)
    with closing(connector(usecase, "" if source == LIVE else source)) as reader:
        return _planned(usecase, home, zone, reader, found, since, until)


def is_behind(usecase: UseCase, home: Home) -> bool:
    """Whether silver, as the contract wants it, does not hold all landed pages yet. Read-only."""
    found = outlook(usecase, home)
    last = max((page.sequence for page in specs.landing(usecase, home).manifest()), default=0)
    book = epochs.read(home, usecase.name)
    is_other = book is None or book.current != found.epoch
    return is_other or _refined(usecase, home, found.epoch) < last


def _planned(
    usecase: UseCase,
    home: Home,
    zone: LandingZone,
    reader: Connector,
    found: Outlook,
    since: str | None,
    until: str | None,
) -> IngestPlan:
    origin = reader.origin()
    zone.require_owner(origin.identity)
    told: list[str] = []
    memory = polls.remembered(zone, lambda kind, message, **_: told.append(message))
    scan = zone.scan()
    entries, sizes = scan.entries, zone.page_sizes()
    lost = {e.name for e in entries if not _is_there(e, sizes.get(e.name))}
    whole = [entry for entry in entries if entry.name not in lost]
    start, parts = None, tuple[str, ...]()
    if isinstance(reader, Partitioned):
        parts = tuple(part.name for part in partitions.unlanded(reader, whole))
    elif not since and not until and reader.paging == "keyset":
        pages = polls.of_range(whole, None, None)
        last = memory.poll(None, None)
        overlap_s = seconds_of(usecase.source.overlap)
        start, place = polls.beginning(pages, last, origin.inputs, overlap_s)
        told.append(place)
    if isinstance(reader, Divided):
        parts = tuple(reader.parts(start, since, until))
    records = laws.Asker(reader, since, until).count(start)
    needed = None
    if records:
        per_record = room.bytes_per_record(entries) or room.bytes_per_record_of(
            reader.page(start, since, until).rows
        )
        needed = room.needed(records, per_record)
    refined = _refined(usecase, home, found.epoch)
    return IngestPlan(
        usecase=usecase.name,
        outlook=found,
        identity=origin.identity,
        address=origin.address,
        since=since,
        until=until,
        begins=CursorState(value=start.value, tiebreak=start.tiebreak) if start else None,
        told="; ".join(filter(None, told)),
        parts=parts,
        records=records,
        pages=None if records is None else ceil(records / usecase.source.page_rows),
        restored=len(lost) + len(scan.damaged),
        unrefined=sum(page.rows for page in entries if page.sequence > refined),
        bytes=needed,
        free=room.free(home),
    )


def _room_for_epoch(usecase: UseCase, home: Home) -> str:
    """A warning where the disk may not hold an epoch beside the current one, else ""."""
    current, has = epochs.current(home, usecase.name), room.free(home)
    specs_of = (specs.versions(usecase, home, current), specs.silver(usecase, home, current))
    logs = [DeltaLog(spec.uri) for spec in specs_of]
    needs = sum(log.snapshot().bytes for log in logs if log.exists())
    if has is None or needs <= has:
        return ""
    return (
        f"warning: the disk of {home.root} has {has / 2**20:,.0f} MiB free; a new epoch needs "
        f"about {needs / 2**20:,.0f} MiB"
    )


def _is_there(page: PageEntry, size: int | None) -> bool:
    """Whether a page has the size of its line; lines of format 1 name none."""
    return size is not None and page.bytes in (None, size)


def _refined(usecase: UseCase, home: Home, epoch: int) -> int:
    """Sequence of the last page that the versions of an epoch hold."""
    return commits.newest(specs.versions(usecase, home, epoch).uri, VersionsCommit).through


def _source_changes(usecase: UseCase, home: Home) -> Iterator[ChangedKey]:
    zone = specs.landing(usecase, home)
    before = zone.landed_under()
    if not before:
        return
    is_generated = "generator" in (zone.identity() or {})
    for change in changed_keys(before, usecase.source, "source"):
        if change.key == "source.generator" and not is_generated:
            # Rows that came from elsewhere do not depend on the generator.
            change = msgspec.structs.replace(change, consequence="follow")
        yield change


def _gold_changes(usecase: UseCase, home: Home) -> Iterator[ChangedKey]:
    book = epochs.read(home, usecase.name)
    if book is None or not book.gold:
        return
    for name in book.gold.keys() - usecase.gold.keys():
        yield ChangedKey(key=f"gold.{name}", before=book.gold[name], after="", consequence="follow")
    for name, table in usecase.gold.items():
        spec = specs.gold(usecase, home, table)
        if name not in book.gold:
            after = epochs.stored(table)
            yield ChangedKey(key=f"gold.{name}", before="", after=after, consequence="rebuild")
            continue
        changes = changed_keys(book.gold[name], table, f"gold.{name}")
        yield from changes
        log = DeltaLog(spec.uri)
        properties = log.snapshot().properties if log.exists() else {}
        files = list(_lookup_changes(name, properties, spec))
        yield from files
        made_by = properties.get(specs.CONTRACT_PROPERTY, "")
        is_other = made_by not in ("", spec.properties[specs.CONTRACT_PROPERTY])
        if is_other and not files and consequence(changes) != "rebuild":
            before, after = made_by[:12], spec.properties[specs.CONTRACT_PROPERTY][:12]
            code = f"gold.{name}.build (code)"
            yield ChangedKey(key=code, before=before, after=after, consequence="rebuild")


def _lookup_changes(
    table: str, properties: Mapping[str, str], spec: specs.TableSpec
) -> Iterator[ChangedKey]:
    """Files of lookups that are other ones than those that a table was made with."""
    before, after = (
        json.loads(each.get(specs.LOOKUPS_PROPERTY, "{}")) for each in (properties, spec.properties)
    )
    for name in before.keys() & after.keys():
        if before[name] != after[name]:
            yield ChangedKey(
                key=f"gold.{table}.lookups.{name} (file)",
                before=before[name][:12],
                after=after[name][:12],
                consequence="rebuild",
            )
