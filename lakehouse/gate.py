"""Judges the periods of a table against each other, by the rows in Delta's files; without a JVM.

A period is counted when its rows, its records or the ripeness of its labels changed. What was
counted stays, so that a run costs what it changed.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property
from typing import TYPE_CHECKING

import msgspec

from goldlake_core.contracts.errors import StoreError
from goldlake_core.contracts.ids import TableId
from goldlake_core.documents import codec
from goldlake_core.documents.gate import (
    Acceptance,
    GateState,
    GateValue,
    PeriodState,
    PeriodVerdict,
    TableVerdict,
)
from goldlake_core.gate.baseline import Baseline, fitted
from goldlake_core.gate.batch import Span, batch_of, repeats_of
from goldlake_core.gate.counts import Counts
from goldlake_core.gate.families import counted
from goldlake_core.gate.judging import MOST_PERIODS, Finding, History
from goldlake_core.gate.layout import Layout
from goldlake_core.gate.periods import Period, default_kind, period_of
from goldlake_core.gate.records import FEWEST_RECORDS
from goldlake_core.instants import now_text
from goldlake_core.stages import DataRefused, Emit
from goldlake_core.storage.gatefiles import GateFiles
from goldlake_core.storage.gatefindings import anomaly_of, told
from goldlake_core.storage.home import Home
from lakehouse.gaterows import Summary, TableRows

if TYPE_CHECKING:
    import polars as pl

MOST_STRAIN = 1e9
FIT_ROWS, MOST_ROWS = 1_000_000, 2_000_000
"""Most rows that a baseline is learned from, and that are counted of a period; of more, one of so
many is taken."""
NAMED = 3


@dataclass
class Gate:
    """The gate at one table.

    Attributes:
        rows: The rows of the table.
        files: What the gate keeps of it.
        emit: Takes lines for people.
        is_kept: Whether counts, state and verdict are written.
    """

    rows: TableRows
    files: GateFiles
    emit: Emit
    is_kept: bool = True
    _counts: dict[str, Counts] = field(default_factory=dict)

    @property
    def layout(self) -> Layout:
        """How the table is seen."""
        return self.rows.layout

    @cached_property
    def state(self) -> GateState:
        """How the gate stood when it began."""
        return self.files.state()

    @cached_property
    def days(self) -> Mapping[date, Summary]:
        """What each day holds."""
        return self.rows.days()

    def judge(
        self, run_id: str, *, also: Collection[str] = (), against: Gate | None = None
    ) -> TableVerdict:
        """Judges what changed since the last time.

        Args:
            run_id: The run that judges.
            also: Names of periods that are judged though they did not change.
            against: Another version of the table, all of whose other periods are compared with;
                None: the earlier periods of this version.

        Returns:
            The verdict; periods of an earlier run that are refused still are named in it.
        """
        names = list(self.periods)
        accepted = self.files.acceptances()
        states: dict[str, PeriodState] = {}
        judged: list[PeriodVerdict] = []
        for place, name in enumerate(names):
            state, before = self._state_of(name, run_id), self.state.periods.get(name)
            # What is refused is judged again: the contract may leave its limits more room now.
            is_settled = before is not None and not self._refused(before, name, accepted)
            if before is not None and is_settled and name not in also and _is_same(before, state):
                states[name] = before
                continue
            if against is None:
                newest = names[max(0, place - 2 * MOST_PERIODS) : place]
                usual = [n for n in newest if not self._refused(states[n], n, accepted)]
                earlier = [self._count(n, states[n]) for n in usual]
            else:
                earlier = against.others(name, self.baseline)
            verdict = self._judged(name, History(earlier, self.baseline), state)
            judged.append(verdict)
            # What happened long ago is reported, and keeps nobody from going on.
            is_recent = place >= len(names) - MOST_PERIODS
            stops = tuple(each for each in verdict.beyond if each.stops and is_recent)
            states[name] = msgspec.structs.replace(state, found=stops)
        document = TableVerdict(
            run_id=run_id,
            table=self.layout.table,
            version=self.rows.version,
            at=now_text(),
            baseline=self.baseline.number,
            baseline_reason=self.baseline.reason,
            periods=tuple(judged),
            refused=tuple(n for n, each in states.items() if self._refused(each, n, accepted)),
            accepted=accepted,
        )
        if self.is_kept:
            self._keep(document, states, judged)
        return document

    def _state_of(self, name: str, run_id: str) -> PeriodState:
        """How a period stands now, before it is judged."""
        period, summary = self.periods[name]
        return PeriodState(
            mark=summary.mark,
            rows=summary.rows,
            is_closed=self.rows.is_over(period),
            ripe=self.rows.ripeness(period),
            run_id=run_id,
        )

    def others(self, name: str, baseline: Baseline) -> list[Counts]:
        """The counts of all periods but one, under another baseline."""
        self.baseline = baseline
        for each, (period, summary) in self.periods.items():
            if each not in self._counts:
                is_closed = self.rows.is_over(period)
                self._counts[each] = self._counted(period, summary, is_closed=is_closed)
        return [counts for each, counts in self._counts.items() if each != name]

    def is_refused(self) -> bool:
        """Whether a period was refused when the table was judged last, and nobody accepted it."""
        accepted = self.files.acceptances()
        return any(self._refused(each, n, accepted) for n, each in self.state.periods.items())

    def _keep(
        self,
        document: TableVerdict,
        states: dict[str, PeriodState],
        judged: Sequence[PeriodVerdict],
    ) -> None:
        if judged:
            self.files.write_verdict(document)
        old = self.state.baseline
        state = GateState(
            table=self.layout.table,
            baseline=document.baseline,
            judged_at=time.time(),
            run_id=document.run_id if judged else self.state.run_id,
            periods=states,
        )
        self.files.write_state(state)
        if old and old != document.baseline:
            self.files.forget_counts(old)

    def _refused(self, state: PeriodState, name: str, accepted: Sequence[Acceptance]) -> bool:
        return any(not any(each.covers(name, value) for each in accepted) for value in state.found)

    def _judged(self, name: str, history: History, state: PeriodState) -> PeriodVerdict:
        own = self._count(name, state)
        judgement = history.judged(own, self.layout)
        return PeriodVerdict(
            period=name,
            rows=own.rows,
            is_closed=state.is_closed,
            has_limits=judgement.has_limits,
            earlier=judgement.earlier,
            values=tuple(map(value_of, judgement.findings)),
        )

    @cached_property
    def periods(self) -> dict[str, tuple[Period, Summary]]:
        """The periods by name in their order, each with what its days hold together."""
        found: dict[Period, Summary] = {}
        for day, summary in sorted(self.days.items()):
            period = period_of(day, self.baseline.period)
            found[period] = found[period].plus(summary) if period in found else summary
        return {
            period.name: (period, summary)
            for period, summary in sorted(found.items())
            # Fewer records without a valid row have a wrong time by mistake.
            if summary.rows or summary.landed >= FEWEST_RECORDS
        }

    def _count(self, name: str, state: PeriodState) -> Counts:
        """The counts of a period: those that are kept, or new ones."""
        if name in self._counts:
            return self._counts[name]
        file = ("counts", str(self.baseline.number), f"{name}.npz")
        data = self.files.read(*file)
        found: Counts | None = None
        try:
            found = Counts.from_bytes(data, "/".join(file)) if data else None
        except StoreError as error:
            self.emit("info", f"gate: {error.problem}; the period is counted again")
        # Rows were amended or labels ripened, or a run was cut off after it had counted.
        wanted = _mark_of(state)
        if found is None or found.mark != wanted:
            found = self._counted(*self.periods[name], is_closed=state.is_closed)
            found.mark = wanted
            if self.is_kept:
                self.files.write(found.to_bytes(), *file)
        self._counts[name] = found
        return found

    def _counted(self, period: Period, summary: Summary, *, is_closed: bool) -> Counts:
        baseline = self.baseline
        step = max(1, -(-summary.rows // MOST_ROWS))
        rows = self.rows.of(period, step)
        repeats = None
        if self.rows.account is not None and step == 1:
            before = self.rows.of(period_of(period.first - timedelta(days=1), period.kind))
            repeats = repeats_of(rows, before, self.layout, baseline.identifiers)
        batch = batch_of(
            rows,
            self.layout,
            period,
            ripe_before=self.rows.ripe_before(),
            is_closed=is_closed,
            account=summary.account if self.rows.account is not None else None,
            repeats=repeats,
            step=step,
        )
        return counted(batch, baseline)

    def rows_of(self, name: str) -> pl.DataFrame:
        """The rows of the period of that name."""
        return self.rows.of(self.periods[name][0])

    @cached_property
    def baseline(self) -> Baseline:
        """The baseline that is there, or a new one where it does not fit any more."""
        number = self.state.baseline
        data = self.files.read("baselines", f"{number}.json") if number else None
        found = codec.decode(data, Baseline, f"baseline {number}") if data else None
        reason = self._refit_reason(found)
        if found is not None and not reason:
            return found
        made = self._fitted(number + 1, reason)
        if self.is_kept:
            self.files.write(codec.encode_line(made), "baselines", f"{made.number}.json")
        if number:
            self.emit("info", f"gate: {self.layout.table}: baseline {made.number}: {reason}")
        return made

    def _kind(self) -> str:
        days = sorted(self.days)
        return self.layout.period or default_kind(days[0], days[-1])

    def _refit_reason(self, found: Baseline | None) -> str:
        if found is None:
            return "the first one"
        if found.period != self._kind():
            return f"periods are of a {self._kind()}, no longer of a {found.period}"
        if list(found.columns) != [each.name for each in self.layout.columns]:
            return "the contract has other columns"
        closed = {period_of(day, found.period) for day in self.days}
        if len(closed) - 1 >= 2 * len(found.fitted_on) and len(found.fitted_on) < MOST_PERIODS:
            return f"there are {len(closed) - 1} periods, and it knew {len(found.fitted_on)}"
        return ""

    def _fitted(self, number: int, reason: str) -> Baseline:
        kind = self._kind()
        periods = sorted({period_of(day, kind) for day in self.days})  # type: ignore[arg-type]
        chosen = (periods[:-1] or periods)[-MOST_PERIODS:]
        total = sum(
            each.rows for day, each in self.days.items() if chosen[0].first <= day < chosen[-1].end
        )
        step = max(1, -(-total // FIT_ROWS))
        rows = self.rows.between(chosen[0].first, chosen[-1].end, step)
        span = Span(chosen[0].first, chosen[0].kind, (chosen[-1].end - chosen[0].first).days)
        batch = batch_of(rows, self.layout, span)
        return fitted(batch, self.layout, number, tuple(each.name for each in chosen), reason)


def _is_same(before: PeriodState, now: PeriodState) -> bool:
    return _mark_of(before) == _mark_of(now)


def _mark_of(state: PeriodState) -> str:
    """A text that changes whenever a period has to be counted again."""
    return f"{state.mark}.{state.is_closed}.{state.ripe}"


def value_of(finding: Finding) -> GateValue:
    """A finding as the documents hold it."""
    measure, limit = finding.measure, finding.limit
    return GateValue(
        statistic=measure.statistic,
        columns=measure.columns,
        value=round(float(measure.value), 6),
        low=None if limit.low is None else round(float(limit.low), 6),
        high=round(float(limit.high), 6),
        strain=round(min(float(finding.strain), MOST_STRAIN), 4),
        stops=finding.stops,
        detail=measure.detail,
    )


def judge(
    rows: TableRows, home: Home, run_id: str, emit: Emit, *, every_s: float = 0.0
) -> TableVerdict | None:
    """Judges a table and keeps what was found. Writes; idempotent.

    Args:
        rows: The rows of the table.
        home: Home that keeps the counts.
        run_id: The run that judges.
        emit: Takes lines for people.
        every_s: Seconds that must have passed since the table was judged last.

    Returns:
        The verdict, or None where the table is empty or was judged a short while ago.
    """
    gate = Gate(rows, GateFiles(home, TableId.parse(rows.layout.table)), emit)
    if time.time() - gate.state.judged_at < every_s and not gate.is_refused():
        return None
    if not gate.days:
        return None
    verdict = gate.judge(run_id)
    for period in verdict.periods:
        if any(each.stops for each in period.beyond):
            continue
        for value in _worst(period.beyond)[:NAMED]:
            emit("info", f"gate: {rows.layout.table}: {period.period}: {told(value)}")
    few = [each.period for each in verdict.periods if not each.has_limits]
    if few:
        emit(
            "info",
            f"gate: {rows.layout.table}: fixed limits for {', '.join(few[:NAMED])}"
            f"{' and others' if len(few) > NAMED else ''}: limits need three earlier periods of "
            "500 rows or more, and as many rows of a whole week in this one",
        )
    emit("gate", f"{rows.layout.table}: {'refused' if verdict.refused else 'passed'}")
    return verdict


def require_passed(verdict: TableVerdict | None, files: GateFiles) -> None:
    """Stops a run whose table is refused.

    Raises:
        DataRefused: Columns that a model reads are beyond their limits, and nobody accepted it.
    """
    if verdict is None or not verdict.refused:
        return
    state = files.state()
    accepted = verdict.accepted
    open_values = [
        (name, value)
        for name in verdict.refused
        for value in state.periods[name].found
        if not any(each.covers(name, value) for each in accepted)
    ]
    named = "; ".join(f"{name}: {told(value)}" for name, value in open_values[:NAMED])
    more = f"; and {len(open_values) - NAMED} more" if len(open_values) > NAMED else ""
    name, first = open_values[0]
    column = (first.columns or (first.statistic,))[0]
    run_id = state.periods[name].run_id
    raise DataRefused(
        f"The gate refuses {', '.join(verdict.refused)} of {verdict.table}: {named}{more}",
        tuple(anomaly_of(name, value) for name, value in open_values),
        hint=f"goldlake validate {verdict.table}, and if it is right: goldlake accept {run_id} "
        f'{column} --because "…"',
    )


def _worst(values: Sequence[GateValue]) -> list[GateValue]:
    found: dict[tuple[str, ...], GateValue] = {}
    for each in values:
        found.setdefault(each.columns, each)
    return list(found.values())
