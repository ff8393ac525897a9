"""States of knowledge: what was known at an instant, of what had happened by another. No JVM.

Knowledge grows page by page. At an instant it is the records of all pages before the first one that
was landed later, and what became of them. A fate never depends on what came later, so it is the one
that was decided then. The contract is the one of the epoch that answers.

What had happened by an instant are the records whose event is not later. A deletion has the event
of what it deleted; a record whose event time cannot be read is not counted.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING

from goldlake_core.contracts.errors import UsageError
from goldlake_core.documents.lakehouse import Totals
from goldlake_core.storage.home import Home
from lakehouse import catalog, epochs, rows
from lakehouse.specs import (
    FATE,
    FATES,
    KEY,
    KIND,
    KNOWN_FROM,
    LINE,
    REASONS,
    RECORD_HASH,
    REPLACED_HASH,
    SEQUENCE,
)

if TYPE_CHECKING:
    import polars as pl

_EVENT = "_event"
_OF_VERSIONS = {KEY, FATE, REASONS, REPLACED_HASH, RECORD_HASH, KIND}
_ENTERING, _WINNERS = ("inserted", "amended"), ("inserted", "amended", "deleted")


def fates(
    usecase: str, home: Home, known_by: datetime | None, happened_by: datetime | None
) -> Totals:
    """Records by fate, and rows of silver, at a state of knowledge. Read-only.

    Args:
        usecase: Name of the use case.
        home: Where everything is kept.
        known_by: Instant whose knowledge is asked for, or None for now.
        happened_by: Instant of the last event that counts, or None for all.

    Raises:
        UsageError: The tables do not tell, because an earlier version of goldlake made them.
    """
    import polars as pl

    frame = _known(usecase, home, known_by)
    counts = dict.fromkeys(FATES, 0)
    if frame is None:
        return Totals(landed=0, silver=0, **counts)
    frame = _with_events(frame, usecase, home)
    current = current_rows(frame)
    if happened_by is not None:
        frame, current = (each.filter(pl.col(_EVENT) <= happened_by) for each in (frame, current))
    found, silver = pl.collect_all([frame.group_by(FATE).len(), current.select(pl.len())])
    counts |= dict(found.iter_rows())
    return Totals(landed=sum(counts.values()), silver=int(silver.item()), **counts)


def silver(usecase: str, home: Home, known_by: datetime) -> pl.LazyFrame | None:
    """The rows of silver as they were known at an instant, by key; None where nothing is refined.

    Whether a newer version was in quarantine then is not among the columns.

    Raises:
        UsageError: The tables do not tell, because an earlier version of goldlake made them.
    """
    frame = _known(usecase, home, known_by)
    if frame is None:
        return None
    names = [name for name in frame.collect_schema().names() if name not in _OF_VERSIONS]
    return current_rows(frame).sort(KEY).select(names)


def current_rows(frame: pl.LazyFrame) -> pl.LazyFrame:
    """Per key the version that is current after all versions of a frame."""
    import polars as pl

    winners = frame.filter(pl.col(FATE).is_in(_WINNERS)).sort(SEQUENCE, LINE)
    return winners.group_by(KEY).last().filter(pl.col(FATE) != "deleted")


def _known(usecase: str, home: Home, known_by: datetime | None) -> pl.LazyFrame | None:
    """The versions of all records that were known; None where nothing is refined."""
    import polars as pl

    name = catalog.versions(usecase, home)
    if name is None:
        if ("audit", "fates") in catalog.current_tables(home, usecase):
            raise _of_before(usecase)
        return None
    frame = rows.frame(catalog.location(home, usecase, "silver", name))
    if known_by is None:
        return frame
    later = frame.filter(pl.col(KNOWN_FROM) > known_by).select(pl.col(SEQUENCE).min())
    first = later.collect().item()
    return frame if first is None else frame.filter(pl.col(SEQUENCE) < first)


def _with_events(frame: pl.LazyFrame, usecase: str, home: Home) -> pl.LazyFrame:
    """Fate, key, place and event of each record; a deletion has the event of what it deleted."""
    import polars as pl

    event = pl.col(_event_time(usecase, home)).cast(pl.Datetime("us", "UTC"))
    frame = frame.select(SEQUENCE, LINE, KEY, FATE, event.alias(_EVENT)).sort(SEQUENCE, LINE)
    entered = pl.when(pl.col(FATE).is_in(_ENTERING)).then(_EVENT)
    return frame.with_columns(pl.coalesce(_EVENT, entered.forward_fill().over(KEY)))


def _event_time(usecase: str, home: Home) -> str:
    """Name of the column of event times, by the contract that the current epoch was made under."""
    book = epochs.read(home, usecase)
    stored = book.epoch(book.current).silver if book else ""
    if not stored:
        raise _of_before(usecase)
    event_time = str(json.loads(stored)["event_time"])
    if not event_time:
        raise UsageError(
            f"{usecase} has no time of events", valid="silver.event_time in its contract.yaml"
        )
    return event_time


def _of_before(usecase: str) -> UsageError:
    return UsageError(
        f"The tables of {usecase} were made by an earlier version of goldlake, and do not tell "
        "what was known when",
        hint=f"goldlake rebuild {usecase}",
    )
