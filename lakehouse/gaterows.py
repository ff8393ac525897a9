"""The rows of a table as the gate reads them: by Polars, from the files of one version."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone
from functools import cached_property
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import msgspec

from goldlake_core.contracts.column_types import TIMES
from goldlake_core.contracts.rules import OF_FILES
from goldlake_core.contracts.sections import GoldTable, UseCase
from goldlake_core.gate.batch import Account
from goldlake_core.gate.layout import Layout, gold_layout, silver_layout
from goldlake_core.gate.periods import Period
from goldlake_core.instants import of_text
from goldlake_core.storage.deltalog import DeltaLog
from goldlake_core.storage.home import Home
from lakehouse import rows, specs
from lakehouse.gold.basis import basis_of
from lakehouse.specs import CONTENT_HASH, FATE, KNOWN_FROM, SEQUENCE

if TYPE_CHECKING:
    import polars as pl

_DAY, _MARK, _LANDED, _QUARANTINED, _UNCHANGED = "_day", "_mark", "_landed", "_bad", "_same"


class Summary(msgspec.Struct, frozen=True):
    """What a day, or several, hold.

    Attributes:
        rows: Number of rows.
        sum: Sum of the hashes of the rows, modulo 2^64.
        landed: Number of records.
        quarantined: Number of quarantined records.
        unchanged: Number of records that were sent again with the same content.
    """

    rows: int = 0
    sum: int = 0
    landed: int = 0
    quarantined: int = 0
    unchanged: int = 0

    def plus(self, other: Summary) -> Summary:
        """Both together."""
        return Summary(
            self.rows + other.rows,
            (self.sum + other.sum) % 2**64,
            self.landed + other.landed,
            self.quarantined + other.quarantined,
            self.unchanged + other.unchanged,
        )

    @property
    def account(self) -> Account:
        """What became of the records."""
        return Account(self.landed, self.quarantined, self.unchanged)

    @property
    def mark(self) -> str:
        """A text that changes whenever the rows or the records do."""
        records = f"{self.landed}.{self.quarantined}.{self.unchanged}"
        return f"{self.rows}.{self.sum:016x}.{records}"


@dataclass(frozen=True)
class TableRows:
    """A version of a table.

    Attributes:
        layout: How the gate sees it.
        frame: All its rows.
        version: Number of the version.
        as_of: Newest change at the source that it holds.
        may_be_cut: Whether the source may end within a period, as a file does.
        account: Every landed record with its fate; None where the table does not know.
        hash_column: Column with a hash of the row, or None.
    """

    layout: Layout
    frame: pl.LazyFrame
    version: int
    as_of: datetime
    may_be_cut: bool
    account: pl.LazyFrame | None = None
    hash_column: str | None = None

    @cached_property
    def zone(self) -> ZoneInfo:
        """Zone of the publisher's clock."""
        return ZoneInfo(self.layout.zone)

    def days(self) -> Mapping[date, Summary]:
        """What each day of events holds.

        A record whose event time cannot be read counts on the median day of its page, and where a
        page has none, on the day when it landed, or the last one.
        """
        import polars as pl

        mark = pl.struct(*self.layout.names).hash()
        if self.hash_column is not None:
            mark = pl.col(self.hash_column).cast(pl.Int64).reinterpret(signed=False)
        found = (
            self.frame.select(self._day(self.layout.event_time).alias(_DAY), mark.alias(_MARK))
            .group_by(_DAY)
            .agg(pl.len(), pl.col(_MARK).sum())
            .collect()
        )
        days = {day: Summary(count, int(total)) for day, count, total in found.iter_rows()}
        if self.account is None or not days:
            return days
        own = self._day(self.layout.event_time)
        page = own.cast(pl.Int32).median().over(SEQUENCE).cast(pl.Int32).cast(pl.Date)
        event = pl.coalesce(own, page, self._day(KNOWN_FROM).clip(upper_bound=max(days)))
        records = (
            self.account.select(event.alias(_DAY), pl.col(FATE))
            .group_by(_DAY)
            .agg(
                pl.len().alias(_LANDED),
                (pl.col(FATE) == "quarantined").sum().alias(_QUARANTINED),
                (pl.col(FATE) == "unchanged").sum().alias(_UNCHANGED),
            )
            .collect()
        )
        first, last = min(days), max(*days, self.as_of.astimezone(self.zone).date())
        for day, landed, bad, same in records.iter_rows():
            # A record in quarantine may have any event time, such as one of another century.
            place = day if day in days else min(max(day, first), last)
            days[place] = days.get(place, Summary()).plus(Summary(0, 0, landed, bad, same))
        return days

    def of(self, period: Period, step: int = 1) -> pl.DataFrame:
        """The rows of a period, or one of so many."""
        return self.between(period.first, period.end, step)

    def between(self, first: date, end: date, step: int = 1) -> pl.DataFrame:
        """The rows of some days.

        Args:
            first: First day, on the publisher's clock.
            end: The first day after them.
            step: Of so many rows one is taken.
        """
        import polars as pl

        kind = self.frame.collect_schema()[self.layout.event_time]
        column = pl.col(self.layout.event_time)
        if kind == pl.Date:
            chosen = self.frame.filter((column >= first) & (column < end))
        else:
            low, high = (pl.lit(self.instant(day)) for day in (first, end))
            chosen = self.frame.filter((column >= low) & (column < high))
        chosen = chosen.select(self.layout.names)
        return (chosen.gather_every(step) if step > 1 else chosen).collect()

    def instant(self, day: date) -> datetime:
        """Midnight before a day of the publisher's clock."""
        return datetime.combine(day, time.min, tzinfo=self.zone).astimezone(timezone.utc)

    def is_over(self, period: Period) -> bool:
        """Whether the source has told of what came after the period.

        A file has told of it by a later event only, whenever its records were changed: it ends
        where its writer stopped, in the middle of a week as well. So does a source that does not
        say when its records changed.
        """
        if self.may_be_cut and self._last_day < period.end:
            return False
        return self.as_of >= self.instant(period.end)

    def ripe_before(self) -> dict[str, float]:
        """By label, seconds since 1970 before which events are mature."""
        return {
            name: (self.as_of - timedelta(days=days)).timestamp()
            for name, days in self.layout.labels.items()
        }

    def ripeness(self, period: Period) -> str:
        """Whether the labels of all, some or none of a period's rows are trusted."""
        before = self.ripe_before().values()
        if all(self.instant(period.end).timestamp() <= each for each in before):
            return "all"
        return "some" if any(self.instant(period.first).timestamp() < e for e in before) else "none"

    @cached_property
    def _last_day(self) -> date:
        found: date = self.frame.select(self._day(self.layout.event_time).max()).collect().item()
        return found

    def _day(self, name: str) -> pl.Expr:
        import polars as pl

        column = pl.col(name)
        if name != KNOWN_FROM and self._is_date(name):
            return column
        return column.dt.convert_time_zone(self.layout.zone).dt.date()

    def _is_date(self, name: str) -> bool:
        import polars as pl

        return self.frame.collect_schema()[name] == pl.Date


def silver_rows(
    usecase: UseCase, home: Home, epoch: int, version: int | None = None
) -> TableRows | None:
    """The rows of silver; None for data without an event time, and for an empty table."""
    import polars as pl

    layout = silver_layout(usecase)
    uri = specs.silver(usecase, home, epoch).uri
    if layout is None or not DeltaLog(uri).exists():
        return None
    frame = rows.frame(uri, version)
    known = pl.col(KNOWN_FROM).max()
    newest = known
    if _has_times_of_changes(usecase):
        stamp = pl.col(usecase.silver.version).cast(pl.Datetime("us", "UTC")).max()
        newest = pl.min_horizontal(stamp, known)
    as_of = frame.select(newest.alias("as_of")).collect().item()
    if as_of is None:
        return None
    versions = rows.frame(specs.versions(usecase, home, epoch).uri)
    snapshot = DeltaLog(uri).snapshot(version)
    may_be_cut = _may_be_cut(usecase)
    return TableRows(layout, frame, snapshot.version, as_of, may_be_cut, versions, CONTENT_HASH)


def gold_rows(
    usecase: UseCase, home: Home, table: GoldTable, version: int | None = None
) -> TableRows | None:
    """The rows of a gold table that models learn from; None where none does, or it is empty."""
    layout = gold_layout(usecase, table)
    log = DeltaLog(specs.gold(usecase, home, table).uri)
    if layout is None or not log.exists():
        return None
    snapshot = log.snapshot(version)
    commit = log.last_commit_with("as_of", snapshot.version)
    if commit is None or not snapshot.rows:
        return None
    as_of = of_text(basis_of(commit).as_of)
    frame = rows.frame(log.root, version)
    return TableRows(layout, frame, snapshot.version, as_of, _may_be_cut(usecase))


def _may_be_cut(usecase: UseCase) -> bool:
    return usecase.source.kind in OF_FILES or not _has_times_of_changes(usecase)


def _has_times_of_changes(usecase: UseCase) -> bool:
    """Whether records say when they changed at the source."""
    contract = usecase.silver
    return bool(contract.version) and contract.column(contract.version).type in TIMES
