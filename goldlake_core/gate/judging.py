"""Judges a period against the earlier ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from goldlake_core.gate import records, shares
from goldlake_core.gate.baseline import MISSING, Baseline
from goldlake_core.gate.counts import Counts, pooled
from goldlake_core.gate.families import STATISTICS, measured
from goldlake_core.gate.layout import Layout
from goldlake_core.gate.limits import Limit, limit_of
from goldlake_core.gate.statistic import Measure

FEWEST_PERIODS = 3
"""Earlier periods that limits need."""
FEWEST_ROWS = 500
"""Rows below which shares of a period say little."""
MOST_PERIODS = 24
"""Earlier periods that are compared with, the newest ones."""
NO_ROWS = "no_rows"
_FIXED = {
    records.TWICE: 0.5,
    records.AGAIN: 0.5,
    records.QUARANTINED: -0.3,
    shares.JENSEN_SHANNON: 0.6,
}
"""Limits without earlier periods to learn from: half of the rows repeated or quarantined, and a
column that has next to nothing in common with what is known of it."""
_OF_CLOCKS = (records.TWICE, records.AGAIN)
"""Statistics whose fixed limits need a time of day; without one, earlier periods alone judge."""
_FIXED_ROOM = 0.3
"""How far below a fixed limit a value begins to be unusual, in its unit."""


@dataclass(frozen=True)
class Finding:
    """A measured value and its limit.

    Attributes:
        measure: The measured value.
        limit: The limit of the value.
        strain: How much of the limit's room it takes; above 1 it is a finding.
        stops: Whether it would stop the run.
    """

    measure: Measure
    limit: Limit
    strain: float
    stops: bool

    @property
    def is_beyond(self) -> bool:
        """Whether the value is beyond its limit."""
        return self.strain > 1


@dataclass(frozen=True)
class Judgement:
    """What a period was judged by.

    Attributes:
        findings: Every value with its limit, the worst first.
        has_limits: Whether there were enough earlier periods; else fixed limits were applied.
        earlier: Number of the earlier periods.
    """

    findings: tuple[Finding, ...]
    has_limits: bool
    earlier: int

    @property
    def beyond(self) -> tuple[Finding, ...]:
        """The values beyond their limits, the worst first."""
        return tuple(each for each in self.findings if each.is_beyond)


class History:
    """The earlier periods of a table, with their values against each other."""

    def __init__(self, periods: Sequence[Counts], baseline: Baseline) -> None:
        enough = [each for each in periods if each.rows >= FEWEST_ROWS]
        self.periods = enough[-MOST_PERIODS:]
        self.baseline = baseline
        self.pool = pooled(self.periods)
        self.values: dict[tuple[str, tuple[str, ...]], list[tuple[Measure, int]]] = {}
        if len(self.periods) < 2:
            return
        for each in self.periods:
            for measure in measured(each, self.pool.minus(each), baseline):
                key = (measure.statistic, measure.columns)
                self.values.setdefault(key, []).append((measure, each.rows))

    @property
    def has_limits(self) -> bool:
        """Whether there are enough periods to learn limits from."""
        return len(self.periods) >= FEWEST_PERIODS

    def judged(self, own: Counts, layout: Layout) -> Judgement:
        """The judgement of a period. Pure."""
        found = list(_no_rows(own, layout))
        has_limits = self.has_limits and own.rows >= FEWEST_ROWS and own.has_week
        if has_limits:
            found += self._by_limits(own, layout)
        else:
            found += self._by_fixed(own, layout)
        found.sort(key=lambda each: -each.strain)
        return Judgement(tuple(found), has_limits, len(self.periods))

    def _by_limits(self, own: Counts, layout: Layout) -> Iterator[Finding]:
        for measure in measured(own, self.pool, self.baseline):
            earlier = self.values.get((measure.statistic, measure.columns), [])
            if len(earlier) < FEWEST_PERIODS:
                continue
            limit = limit_of(
                STATISTICS[measure.statistic],
                [each for each, _ in earlier],
                [rows for _, rows in earlier],
                measure,
                own.rows,
                layout.room_of(measure.columns),
            )
            yield _finding(measure, limit, layout)

    def _by_fixed(self, own: Counts, layout: Layout) -> Iterator[Finding]:
        rest = self.pool if self.periods else own
        for measure in measured(own, rest, self.baseline):
            high = _FIXED.get(measure.statistic)
            if measure.statistic in _OF_CLOCKS and not layout.has_clock:
                continue
            is_share = measure.statistic == shares.JENSEN_SHANNON
            if high is None or is_share and not self._has_fixed(own, measure.columns[0]):
                continue
            usual = high - _FIXED_ROOM
            yield _finding(measure, Limit(None, high, usual, usual), layout)

    def _has_fixed(self, own: Counts, column: str) -> bool:
        """Whether a fixed distance says something of a column: not where each period has one value.

        A column of missing values is another one in any case.
        """
        if own.rows < FEWEST_ROWS or not own.has_week or not self.periods:
            return False
        place = self.baseline.names.index(column)
        begin, end = self.baseline.offsets[place : place + 2]
        slots = own.arrays["shares"][:, begin:end].sum(axis=0)
        if slots[MISSING] == slots.sum():
            return True
        held = [each.arrays["shares"][:, begin:end].sum(axis=0) for each in self.periods]
        return any((each > 0).sum() > 1 for each in held)


def _no_rows(own: Counts, layout: Layout) -> Iterator[Finding]:
    if own.rows or not own.is_closed:
        return
    measure = Measure(NO_ROWS, (), 1.0)
    yield Finding(measure, Limit(None, 0.0, 0.0, 0.0), float("inf"), layout.stops(()))


def _finding(measure: Measure, limit: Limit, layout: Layout) -> Finding:
    judged = measure.value if measure.sure is None else measure.sure
    stops = STATISTICS[measure.statistic].may_stop and layout.stops(measure.columns)
    return Finding(measure, limit, limit.strain(judged), stops)


def worst_by_columns(findings: Sequence[Finding]) -> Mapping[tuple[str, ...], Finding]:
    """The worst finding of each group of columns, in the order of the findings."""
    found: dict[tuple[str, ...], Finding] = {}
    for each in findings:
        found.setdefault(each.measure.columns, each)
    return found
