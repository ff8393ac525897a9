"""Deletions at the source: keys that silver holds and the source does not become tombstones.

A deleted record never shows in a poll. So the key sets are compared: silver's first, then the
source's, so that a record that comes meanwhile is not taken for a deleted one. What is gone is
landed as a page of tombstones; refined like every record, each of them gets the fate ``deleted``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import TYPE_CHECKING

import msgspec

from goldlake.workflows import planning, tombstones
from goldlake.workflows.history import recorded
from goldlake.workflows.keys import typed
from goldlake.workflows.processes import OnEvent, Run, StageEnded
from goldlake.workflows.tombstones import PLACE
from goldlake_core.contracts.durations import seconds_of
from goldlake_core.contracts.errors import GateRefused, UsageError
from goldlake_core.contracts.registry import load_usecase
from goldlake_core.contracts.sections import UseCase
from goldlake_core.documents.lakehouse import Identity, Landed, Refined
from goldlake_core.documents.planning import Reconciled
from goldlake_core.documents.stages import Kind, RefineRequest
from goldlake_core.stages import event_now
from goldlake_core.storage.erasures import Withheld
from goldlake_core.storage.home import Home
from goldlake_core.storage.landing import Cursor, PageEntry
from goldlake_core.storage.locks import StoreLock
from lakehouse import catalog, rows, specs
from lakehouse.sources import polls
from lakehouse.sources.base import Connector, KeyPages, Origin, Page, Partitioned
from lakehouse.sources.keyed import columns_of, fields_of, key_texts
from lakehouse.sources.land import LIVE
from lakehouse.sources.laws import RECOUNTS, Asker
from lakehouse.sources.plugins import connector
from lakehouse.sources.repair import Repair

if TYPE_CHECKING:
    import polars as pl

ALL = 1.0


@recorded("reconcile")
def reconcile(
    usecase: str,
    home: Home,
    source: str,
    on_event: OnEvent,
    *,
    most_deleted: float | None = None,
    dry_run: bool = False,
    limit: int = 20,
) -> Reconciled:
    """Compares the key sets of silver and the source, and deletes what the source deleted.

    Args:
        usecase: Name or path of the use case.
        home: Where everything is kept.
        source: ``live`` or an address.
        on_event: Called with events.
        most_deleted: Largest share of silver's rows that may be deleted; None: the contract's.
        dry_run: Whether to write nothing.
        limit: Most keys to name.

    Raises:
        UsageError: Nothing was refined yet, or the home cannot follow the contract.
        StoreError: The store belongs to another source.
        LockedError: Another process lands or refines this use case.
        GateRefused: The source gave fewer keys than it counts, or too large a share of silver's
            rows would be deleted; nothing was.
        StageFailed: The tombstones were landed, and refining them failed.
    """
    contract = load_usecase(usecase)
    planning.tell(contract, home, on_event, "land")
    if not specs.landing(contract, home).manifest():
        raise UsageError(
            f"Nothing of {contract.name} was landed in the home {home.root}",
            hint=f"goldlake ingest {usecase} --source {source}",
        )
    refined, run_id = None, None
    if planning.is_behind(contract, home):
        if dry_run:
            raise UsageError(
                f"Silver of {contract.name} does not hold all that is landed yet, so that the key "
                "sets cannot be compared without refining first",
                hint=f"goldlake ingest {usecase} --source {source}, or without --dry-run",
            )
        run_id, refined = _refine(usecase, contract, Run.new(home), on_event)
    on_event(event_now("land", "begin"))
    with closing(connector(contract, "" if source == LIVE else source)) as reader:
        comparison = _Comparison(contract, home, reader, on_event)
        limit_share = contract.source.most_deleted if most_deleted is None else most_deleted
        if dry_run:
            comparison.compare(limit_share)
        else:
            with StoreLock(home, contract.name, "reconcile"):
                comparison.compare(limit_share)
                # A folder of a run is made only for what will be refined.
                run = Run.new(home) if comparison.gone.height else None
                landed = comparison.land(run.run_id if run else "")
            on_event(StageEnded("land", landed))
            if run:
                run_id, refined = _refine(usecase, contract, run, on_event)
        return comparison.report(run_id, refined, is_dry=dry_run, limit=limit)


def _refine(usecase: str, contract: UseCase, run: Run, on_event: OnEvent) -> tuple[str, Refined]:
    request = run.request(RefineRequest, usecase, contract)
    return run.run_id, run.stages("lakehouse", [request], on_event)["refine"]


class _KeysOnly:
    """A connector whose pages hold keys, where it can give them, and whole records elsewhere."""

    def __init__(self, reader: Connector, fields: Sequence[str]) -> None:
        self.paging, self.traffic, self.patience = reader.paging, reader.traffic, reader.patience
        self.origin, self.key, self.count = reader.origin, reader.key, reader.count
        self.close = reader.close
        self._reader, self._fields = reader, fields

    def page(self, cursor: Cursor | None, since: str | None, until: str | None) -> Page:
        if isinstance(self._reader, KeyPages):
            return self._reader.key_page(cursor, self._fields)
        return self._reader.page(cursor, since, until)


class _Comparison:
    """Silver's keys against those of the source."""

    def __init__(self, usecase: UseCase, home: Home, reader: Connector, on_event: OnEvent) -> None:
        self._usecase, self._home, self._reader = usecase, home, reader
        self._silver = usecase.silver
        self._zone = specs.landing(usecase, home)
        self._on_event = on_event
        self._counts = (0, 0, 0, 0, 0)
        self._origin = Origin({})

    def emit(
        self, kind: Kind, message: str, *, done: int | None = None, total: int | None = None
    ) -> None:
        self._on_event(event_now("land", kind, message, done=done, total=total))

    def compare(self, most_deleted: float) -> None:
        """Finds the rows of silver whose key the source does not hold. Read-only.

        Raises:
            GateRefused: The source is not whole, or too many rows would be deleted.
        """
        import polars as pl

        key = list(self._silver.key)
        self._refuse_logs()
        self._origin = self._reader.origin()
        self._zone.require_owner(self._origin.identity)
        mine = self._frame("silver", self._silver.table).select(*key, *PLACE).collect()
        versions = self._frame("silver", self._silver.table + specs.VERSIONS)
        known = versions.select(*key).unique().collect()
        deleted = versions.filter(pl.col(specs.KIND) == "deleted").select(*key).unique().collect()
        theirs, unreadable = self._source_keys()
        is_erased = Withheld(self._usecase, self._zone.home).are_erased(theirs.select(*key).rows())
        theirs = theirs.filter(~pl.Series(is_erased, dtype=pl.Boolean))
        gone = mine.join(theirs, on=key, how="anti").sort(PLACE)
        self.gone = tombstones.deleted(self._reader, self._bronze(), gone)
        absent = theirs.join(mine, on=key, how="anti")
        self._counts = (
            theirs.height,
            mine.height,
            absent.join(known, on=key, how="anti").height,
            absent.join(deleted, on=key, how="semi").height,
            unreadable,
        )
        share = self.gone.height / max(mine.height, 1)
        if share > most_deleted:
            some = ", ".join(self._names(3))
            raise GateRefused(
                f"The source at {self._origin.address or self._usecase.source.address} holds "
                f"{theirs.height:,} keys, and {self.gone.height:,} of the {mine.height:,} rows of "
                f"{self._usecase.name}.silver.{self._silver.table} ({share:.1%}; {some}) are not "
                f"among them. That is more than {most_deleted:.1%}: nothing was deleted",
                valid=f"--most-deleted {-(-share * 100 // 1):.0f}% or all, if the source is right",
                hint=f"goldlake reconcile {self._usecase.name} --dry-run --most-deleted all",
            )

    def _refuse_logs(self) -> None:
        """A part that grows forgets what is old; that it holds a key no more says nothing."""
        reader = self._reader
        if isinstance(reader, Partitioned) and any(p.end is not None for p in reader.partitions()):
            raise UsageError(
                f"A source of kind {self._usecase.source.kind!r} forgets old records: a key that "
                "is gone was not deleted",
                valid="a source that holds all its records",
                hint="goldlake ingest, which lands the deletions that the source tells of",
            )

    def land(self, run_id: str) -> Landed:
        """Lands a tombstone for each row that is gone. The caller holds the store's lock."""
        memory = polls.remembered(self._zone, self.emit)
        overlap_s = seconds_of(self._usecase.source.overlap)
        repair = Repair(self._zone, self._reader, self.emit, overlap_s)
        sequence = repair.survey(memory.sequence) if self.gone.height else memory.sequence
        inputs = {**self._origin.inputs, **self._absent_parts(repair.entries)}
        pages = total = 0
        size = self._usecase.source.page_rows
        for start in range(0, self.gone.height, size):
            texts = tombstones.texts(self._bronze(), self.gone.slice(start, size))
            lines = list(tombstones.lines(self._usecase, self._reader, texts))
            sequence += 1
            entry = self._zone.write_page(
                self._zone.page_name(None, sequence=sequence),
                lines,
                url=self._origin.address,
                first_cursor=None,
                last_cursor=None,
                run_id=run_id,
                identity=self._origin.identity,
                address=self._origin.address,
                inputs=inputs,
                tombstones=True,
            )
            self._zone.write_manifest(entry)
            pages, total = pages + 1, total + len(lines)
        if pages:
            polls.remember(self._zone, msgspec.structs.replace(memory, sequence=sequence))
        traffic = self._reader.traffic
        return Landed(
            pages=pages,
            rows=total,
            requests=traffic.requests,
            retries=traffic.retries,
            bytes=traffic.bytes,
            cursor=None,
            identity=self._origin.identity,
            address=self._origin.address,
            inputs=self._origin.inputs,
        )

    def report(
        self, run_id: str | None, refined: Refined | None, *, is_dry: bool, limit: int
    ) -> Reconciled:
        """What was found."""
        source_keys, silver_rows, never_landed, returned, unreadable = self._counts
        return Reconciled(
            run_id=run_id,
            home=self._home.root,
            usecase=self._usecase.name,
            dry_run=is_dry,
            identity=self._origin.identity,
            address=self._origin.address,
            source_keys=source_keys,
            silver_rows=silver_rows,
            deleted=self.gone.height,
            keys=tuple(self._names(limit)),
            never_landed=never_landed,
            returned=returned,
            unreadable=unreadable,
            requests=self._reader.traffic.requests,
            bytes=self._reader.traffic.bytes,
            refine=refined,
        )

    def _frame(self, layer: str, name: str) -> pl.LazyFrame:
        return rows.frame(catalog.location(self._home, self._usecase.name, layer, name))

    def _bronze(self) -> pl.LazyFrame:
        return self._frame("bronze", self._silver.table)

    def _names(self, limit: int) -> list[str]:
        keys = self.gone.select(self._silver.key).head(limit).iter_rows()
        return [", ".join(map(str, key)) for key in keys]

    def _source_keys(self) -> tuple[pl.DataFrame, int]:
        """The different keys at the source, and how many records tell none."""
        import polars as pl

        frames, unreadable, read = [typed(columns_of((), self._silver), self._silver)], 0, 0
        for page in self._pages():
            texts = [key_texts(row, self._silver) for row in page]
            found = [text for text in texts if text is not None]
            unreadable += len(texts) - len(found)
            frames.append(typed(columns_of(found, self._silver), self._silver))
            read += len(page)
            self.emit("progress", f"{read:,} keys read", done=read)
        return pl.concat(frames).unique(), unreadable

    def _pages(self) -> Iterator[list[bytes]]:
        """The records of the source page by page, to its end.

        Raises:
            GateRefused: They are fewer than the source counts.
        """
        asker = Asker(_KeysOnly(self._reader, fields_of(self._silver)), None, None)
        if isinstance(self._reader, Partitioned):
            for part in self._reader.partitions():
                cursor: Cursor | None = Cursor(part.name, f"0:{part.digest}")
                while cursor is not None:
                    page, _ = asker.page(cursor)
                    yield page.rows
                    cursor = page.next_cursor
            return
        total, fetched, cursor = asker.count(None), 0, None
        known = polls.Known()
        for attempt in range(RECOUNTS + 1):
            while True:
                page, keys = asker.page(cursor)
                fetched += known.passed(page.rows, keys)
                yield page.rows
                ends = [key for key in keys if key is not None]
                following = page.next_cursor or (ends[-1] if ends else None)
                if following is None:
                    break
                cursor = following
            if total is None or fetched >= total or self._reader.paging != "keyset":
                break
            total = asker.count(None)
            if attempt < RECOUNTS and total is not None and fetched < total:
                asker.wait(self._reader.patience, attempt)
        if total is not None and fetched < total:
            raise GateRefused(
                f"The source counts {total:,} records and sent the keys of {fetched:,}, so that "
                "nobody knows which were deleted; nothing was",
                hint="the same command later; if it stays so, tell the publisher",
            )

    def _absent_parts(self, entries: Sequence[PageEntry]) -> Identity:
        """The digests of landed parts that the source does not hold now."""
        if not isinstance(self._reader, Partitioned):
            return {}
        held = {part.digest for part in self._reader.partitions()}
        landed = {str(e.inputs["digest"]) for e in entries if "digest" in e.inputs}
        return {"absent": sorted(landed - held)}
