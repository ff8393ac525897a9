"""Metrics of the answers about the newest records whose labels are ripe."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from goldlake_core.contracts.durations import seconds_of
from goldlake_core.contracts.sections import Costs
from goldlake_core.documents.monitoring import WindowMetrics
from goldlake_core.instants import utc_text

if TYPE_CHECKING:
    import polars as pl

    from tfx_pipeline.heads.base import Columns, Head


@dataclass(frozen=True)
class Scored:
    """Answers whose label is ripe.

    Attributes:
        head: What kind of answer the model gives.
        columns: The values that the head keeps of each answer, one array [n] each.
        times: Instant of the record's event, or of the request where the model has no event time;
            Datetime (UTC) [n].
        until: Events after this instant are not ripe; None where every label is.
        costs: What wrong answers cost, or None.
    """

    head: Head
    columns: Columns
    times: pl.Series
    until: datetime | None
    costs: Costs | None


def window_metrics(scored: Scored, lengths: Sequence[str]) -> Iterator[WindowMetrics]:
    """Yields the metrics of each window, which ends where labels are ripe no more.

    So a window means the same whenever it is looked at, and however long labels take to ripen. A
    request about an old record is not in it. Without event time it ends at the newest request.

    Args:
        scored: All answers with a ripe label.
        lengths: Lengths of time such as ``28d``.
    """
    from tfx_pipeline.evaluation.slices import Answers, slice_reports

    until = scored.until
    if until is None:
        newest = scored.times.max()
        until = newest if isinstance(newest, datetime) else None
    for length in lengths:
        since = None if until is None else _before(until, seconds_of(length))
        total = None
        if since is not None:
            places = (scored.times > since).fill_null(value=False).to_numpy()
            columns = tuple(each[places] for each in scored.columns)
            if len(columns[0]):
                (total,), _ = slice_reports(
                    scored.head, Answers(columns, None, {}), [], scored.costs
                )
        yield WindowMetrics(
            length=length,
            since=None if since is None else utc_text(since),
            until=None if until is None else utc_text(until),
            total=total,
            fewest=scored.head.fewest,
        )


def _before(instant: datetime, seconds: float) -> datetime:
    """The instant so many seconds earlier, or the first one that there is."""
    first = datetime.min.replace(tzinfo=timezone.utc)
    return max(first, instant - min(timedelta(seconds=seconds), instant - first))
