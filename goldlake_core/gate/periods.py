"""Periods of event time: their names, their bounds, their parts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from goldlake_core.gate.layout import PeriodKind

PARTS = {"month": 4, "week": 7, "day": 1}
"""Number of parts of a period that are judged separately: weeks of a month, days of a week."""
_LONG_ENOUGH = 4


@dataclass(frozen=True, order=True)
class Period:
    """One period, on the publisher's clock.

    Attributes:
        first: Its first day.
        kind: Length of the period.
    """

    first: date
    kind: PeriodKind

    @property
    def name(self) -> str:
        """``2016-03`` for a month, ``2016-W09`` for a week, ``2016-03-01`` for a day."""
        if self.kind == "month":
            return f"{self.first:%Y-%m}"
        if self.kind == "week":
            year, week, _ = self.first.isocalendar()
            return f"{year}-W{week:02}"
        return self.first.isoformat()

    @property
    def end(self) -> date:
        """The first day after it."""
        if self.kind == "month":
            return (self.first.replace(day=28) + timedelta(days=4)).replace(day=1)
        return self.first + timedelta(days=7 if self.kind == "week" else 1)

    @property
    def days(self) -> int:
        """Number of its days."""
        return (self.end - self.first).days

    @property
    def parts(self) -> int:
        """Number of parts that are judged separately."""
        return PARTS[self.kind]

    def part_of(self, day: int) -> int:
        """The part that a day lies in.

        Args:
            day: Days since the first one.
        """
        return min(day // 7, 3) if self.kind == "month" else day

    def contains(self, moment: datetime) -> bool:
        """Whether a moment of the publisher's clock, without a zone, lies in it."""
        return self.first <= moment.date() < self.end


def period_of(day: date, kind: PeriodKind) -> Period:
    """The period that a day lies in. Weeks begin on Monday."""
    if kind == "month":
        return Period(day.replace(day=1), kind)
    if kind == "week":
        return Period(day - timedelta(days=day.weekday()), kind)
    return Period(day, kind)


def default_kind(first: date, last: date) -> PeriodKind:
    """A month where the events cover more than three of them, else a week."""
    months = (last.year - first.year) * 12 + last.month - first.month + 1
    return "month" if months >= _LONG_ENOUGH else "week"
