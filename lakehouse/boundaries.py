"""Where train ends, eval and test begin and labels are mature: facts of a gold version. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone, tzinfo

import msgspec

from goldlake_core.contracts.errors import PermanentError
from goldlake_core.contracts.sections import Split
from goldlake_core.documents import export as documents
from goldlake_core.instants import utc_text
from lakehouse.gold.basis import Basis


@dataclass(frozen=True)
class Boundaries:
    """Instants that divide rows by event time: train, then eval, then test, then ``until``.

    Without a gap, train and eval end where the next split begins.

    Attributes:
        train_from: First instant of train, or None for all earlier rows.
        train_until: First instant after train.
        eval_from: First instant of eval.
        eval_until: First instant after eval.
        test_from: First instant of test.
        until: First instant after test.
        mature_until: Rows from here on are younger than the label's maturity at the as-of instant.
    """

    train_from: datetime | None
    train_until: datetime
    eval_from: datetime
    eval_until: datetime
    test_from: datetime
    until: datetime
    mature_until: datetime

    def document(self) -> documents.Boundaries:
        """The instants as ISO 8601 texts in UTC."""

        def end(until: datetime, following: datetime) -> str | msgspec.UnsetType:
            return utc_text(until, "microseconds") if until < following else msgspec.UNSET

        return documents.Boundaries(
            train_from=utc_text(self.train_from, "microseconds") if self.train_from else None,
            eval_from=utc_text(self.eval_from, "microseconds"),
            test_from=utc_text(self.test_from, "microseconds"),
            until=utc_text(self.until, "microseconds"),
            mature_until=utc_text(self.mature_until, "microseconds"),
            train_until=end(self.train_until, self.eval_from),
            eval_until=end(self.eval_until, self.test_from),
        )


def split_boundaries(split: Split, maturity_days: int, basis: Basis, zone: tzinfo) -> Boundaries:
    """Returns the boundaries of a split for one gold version. Pure.

    The anchor is the earlier of the end of the data and ``as_of - maturity_days``: labels of later
    events may still change.

    Args:
        split: The split that the contract declares.
        maturity_days: Age in days from which a label is final.
        basis: The state of silver that the gold version reflects.
        zone: Time zone of the publisher's clock: windows are counted in its calendar days, and
            fixed days begin at its midnight.
    """
    limit = mature_until(maturity_days, basis)
    anchor = min(_instant(basis.event_end), limit)

    def days_before(instant: datetime, days: int) -> datetime:
        # Arithmetic on a zone's clock: over a change of clocks a day has 23 or 25 hours.
        return (instant.astimezone(zone) - timedelta(days=days)).astimezone(timezone.utc)

    if split.kind == "fixed":
        if split.eval_from is None or split.test_from is None:
            raise PermanentError("A fixed split needs eval_from and test_from")
        until = _midnight(split.until, zone) if split.until else anchor
        eval_from, test_from = _midnight(split.eval_from, zone), _midnight(split.test_from, zone)
        train_until, eval_until = (
            days_before(each, split.gap_days) for each in (eval_from, test_from)
        )
        return Boundaries(None, train_until, eval_from, eval_until, test_from, until, limit)
    test_from = days_before(anchor, split.test_days)
    eval_until = days_before(test_from, split.gap_days)
    eval_from = days_before(eval_until, split.eval_days)
    train_until = days_before(eval_from, split.gap_days)
    train_from = days_before(train_until, split.train_days) if split.train_days else None
    return Boundaries(train_from, train_until, eval_from, eval_until, test_from, anchor, limit)


def mature_until(maturity_days: int, basis: Basis) -> datetime:
    """The first instant whose events are too young for their label to be trusted.

    Without a maturity it is the end of the data: what is known of an event is final at once.
    """
    if not maturity_days:
        return max(_instant(basis.as_of), _instant(basis.event_end))
    return _instant(basis.as_of) - timedelta(days=maturity_days)


def _midnight(day: date, zone: tzinfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(timezone.utc)


def _instant(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=timezone.utc)
