"""Back to what had been landed by a run or an instant. Pure, but for `write`.

The landing zone is what everything else derives from. A restore says which of its pages count, in
one document; the tables follow in the next refinement. So it needs no earlier version of a table.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timezone

import msgspec

from goldlake_core.contracts.errors import StoreError, UsageError
from goldlake_core.contracts.names import nearest
from goldlake_core.instants import now_text, of_text
from goldlake_core.storage.landing import LandingZone, PageEntry
from goldlake_core.storage.restores import Ranges, Restore

_RUN = re.compile(r"(\d{8}-\d{6})-[0-9a-f]{4}")


@dataclass(frozen=True)
class Plan:
    """What a restore changes.

    Attributes:
        stands: Numbers of the pages that are to count.
        pages: The landed pages among them.
        leaving: Pages that count now and will not.
        coming: Pages that do not count now and will.
    """

    stands: Ranges
    pages: tuple[PageEntry, ...]
    leaving: tuple[PageEntry, ...]
    coming: tuple[PageEntry, ...]


def plan(zone: LandingZone, to: str) -> Plan:
    """What a restore would change. Read-only.

    Args:
        zone: The landing zone.
        to: Id of a run, or an instant (ISO 8601; UTC if it has no zone).

    Raises:
        UsageError: There is no such run, or nothing had been landed by that instant.
        StoreError: The file of a page that would count again is gone.
    """
    entries = zone.scan_all().entries
    if not entries:
        raise UsageError(
            f"Nothing of {zone.usecase} was landed in the home {zone.home.root}",
            hint=f"goldlake ingest {zone.usecase} --source URL|live",
        )
    restores = zone.restores()
    stands = _stands(zone, to, entries)
    goal = Restore(given=entries[-1].sequence, stands=stands)
    now = restores.newest
    pages = tuple(e for e in entries if goal.counts(e.sequence))
    coming = tuple(e for e in pages if not now.counts(e.sequence))
    sizes = zone.page_sizes() if coming else {}
    gone = [e.name for e in coming if e.name not in sizes]
    if gone:
        raise StoreError(
            f"The landed page {zone.page_uri(gone[0])} is missing, which would count again",
            hint="restore the folder landing/ from a copy of the home",
        )
    leaving = tuple(e for e in entries if now.counts(e.sequence) and not goal.counts(e.sequence))
    return Plan(stands, pages, leaving, coming)


def write(zone: LandingZone, planned: Plan, run_id: str) -> None:
    """Makes a plan what counts: one document. The caller holds the store's lock."""
    if not planned.leaving and not planned.coming:
        return
    restores = zone.restores()
    made = Restore(
        run_id=run_id,
        at=now_text("microseconds"),
        given=max(zone.next_sequence() - 1, restores.newest.given),
        stands=planned.stands,
    )
    zone.write_restores(msgspec.structs.replace(restores, restores=(*restores.restores, made)))


def _stands(zone: LandingZone, to: str, entries: list[PageEntry]) -> Ranges:
    """The numbers that counted after a run or at an instant."""
    restores = zone.restores()
    restored = restores.of_run(to)
    if restored is not None:
        return restored.through(restored.given)
    last = max((e.sequence for e in entries if e.run_id == to), default=0)
    if last:
        return restores.after_page(last)
    instant = _instant(zone, to, entries)
    landed = [e.sequence for e in entries if of_text(e.landed_at) <= instant]
    if not landed:
        first = entries[0]
        raise UsageError(
            f"Nothing of {zone.usecase} had been landed by {to}",
            valid=f"{first.landed_at} or later, or a run such as {first.run_id}",
        )
    return restores.at(instant, max(landed))


def _instant(zone: LandingZone, to: str, entries: Iterable[PageEntry]) -> datetime:
    """The instant that a text says, or at which a run began that landed nothing."""
    run = _RUN.fullmatch(to)
    if run and zone.home.fs.exists(zone.home.run(to)):
        return datetime.strptime(run[1], "%Y%m%d-%H%M%S").replace(tzinfo=timezone.utc)
    try:
        value = of_text(to)
    except ValueError as error:
        runs = list(dict.fromkeys(entry.run_id for entry in entries))
        raise UsageError(
            f"--to {to!r} is neither a run of {zone.usecase} that landed something nor an instant",
            valid=f"{nearest(to, runs)}; or ISO 8601, such as 2016-12-31T18:00:00Z",
        ) from error
    return value if value.tzinfo else value.replace(tzinfo=timezone.utc)
