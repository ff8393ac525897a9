"""How far logged requests are from what a model learned from, by the gate's own distances."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TYPE_CHECKING

from goldlake.workflows.live_log import AT, IS_NAMED, LiveLog
from goldlake_core.contracts.errors import StoreError
from goldlake_core.contracts.ids import TableId
from goldlake_core.contracts.sections import Model, UseCase
from goldlake_core.contracts.wire import RawInput, raw_inputs
from goldlake_core.documents.gate import PeriodVerdict
from goldlake_core.documents.monitoring import Unjudged
from goldlake_core.gate.periods import Period, period_of
from goldlake_core.storage.gatefiles import GateFiles
from goldlake_core.storage.home import Home

if TYPE_CHECKING:
    import polars as pl

    from goldlake_core.gate.counts import Counts
    from goldlake_core.gate.statistic import Measure
    from lakehouse.gate import Gate


@dataclass
class Drift:
    """The distances of the requests.

    Attributes:
        learned: Version of the gold table that was compared with, or None.
        periods: The periods of the requests with their values, in their order.
        unjudged: What could not be judged, and why.
    """

    learned: str | None = None
    periods: list[PeriodVerdict] = field(default_factory=list)
    unjudged: list[Unjudged] = field(default_factory=list)

    def without(self, why: str, what: str = "drift") -> Drift:
        """Adds a reason why something is not judged."""
        self.unjudged.append(Unjudged(what=what, why=why))
        return self


def drift(usecase: UseCase, model: Model, version: int | None, log: LiveLog, home: Home) -> Drift:
    """Compares requests with the periods of the gold table that a model learned from. No JVM.

    Args:
        usecase: The use case.
        model: The model that answered.
        version: Version of the gold table that it learned from, or None where that is not known.
        log: The request log of the model, with at least one answer.
        home: Home that holds the table.
    """
    from goldlake_core.gate.judging import FEWEST_PERIODS, FEWEST_ROWS, History
    from lakehouse.gate import Gate, value_of
    from lakehouse.gaterows import gold_rows
    from lakehouse.learned import learned
    from lakehouse.rows import open_version

    found = Drift()
    named = log.frame.filter(IS_NAMED)
    if named.is_empty():
        return found.without("no request with named inputs is in the log")
    if version is None:
        return found.without("the model does not say which gold version it learned from")
    table = TableId(usecase.name, "gold", model.table, version)
    try:
        opened = open_version(table, home)
    except StoreError as error:
        return found.without(error.problem)
    if opened.loss:
        return found.without(opened.loss)
    rows = gold_rows(usecase, home, usecase.gold[model.table], version)
    if rows is None:
        return found.without("the gold table has no event time, and so no periods")
    columns = tuple(
        each
        for each in rows.layout.columns
        if each.name in model.feature_columns and each.name in log.kept
    )
    for name in model.feature_columns:
        if name not in {each.name for each in columns}:
            is_in_table = rows.layout.column(name) is not None
            why = "the log does not keep it" if name in log.redacted else "no request has it"
            why = why if is_in_table else "it tells rows or their time apart"
            found.without(why, f"drift of {name}")
    if not columns:
        return found
    rows = replace(rows, layout=replace(rows.layout, columns=columns, labels={}))
    gate = Gate(rows, GateFiles(home, table.at(None)), _nobody, is_kept=False)
    gate.baseline, periods = learned(gate, opened.snapshot.uuid)
    history = History(periods, gate.baseline)
    found.learned = str(table)
    frame = _frame(usecase, model, gate, named)
    for period, days, counts in _counted(gate, frame):
        judged = history.judged(counts, rows.layout)
        values = [value_of(each) for each in judged.findings if _is_compared(each.measure)]
        if not judged.has_limits:
            applied = "fixed limits were applied" if values else "nothing was compared"
            found.without(
                f"limits need {FEWEST_PERIODS} periods of {FEWEST_ROWS} rows or more to compare "
                f"with (there are {judged.earlier}), and {FEWEST_ROWS} requests on seven days "
                f"(there are {counts.rows:,} on {days}); {applied}",
                f"drift in {period.name}",
            )
        found.periods.append(
            PeriodVerdict(
                period=period.name,
                rows=counts.rows,
                is_closed=counts.is_closed,
                has_limits=judged.has_limits,
                earlier=judged.earlier,
                values=tuple(values),
            )
        )
    return found


def _counted(gate: Gate, frame: pl.DataFrame) -> Iterator[tuple[Period, int, Counts]]:
    """Each period with requests, on how many days it has some, and its counts."""
    import numpy as np

    from goldlake_core.gate.batch import MINUTES_A_DAY, batch_of, local_minutes
    from goldlake_core.gate.families import DAYS_OF_A_WEEK, counted

    days = np.unique(local_minutes(frame, gate.layout) // MINUTES_A_DAY)
    dates = [date.fromordinal(date(1970, 1, 1).toordinal() + int(day)) for day in days]
    periods = sorted({period_of(day, gate.baseline.period) for day in dates})
    for period in periods:
        # What comes after the newest request is not known, so its period may go on.
        batch = batch_of(frame, gate.layout, period, is_closed=period.end <= dates[-1])
        counts = counted(batch, gate.baseline)
        # A log may begin anywhere in a period, and days of a week differ.
        on = sum(period.first <= day < period.end for day in dates)
        counts.has_week = on >= DAYS_OF_A_WEEK
        yield period, on, counts


def _is_compared(measure: Measure) -> bool:
    """Whether a statistic says something of requests.

    A sample does not tell how much there is, and a number that travels as 32 bits is written with
    other decimals than in the table.
    """
    return bool(measure.columns) and not measure.statistic.endswith("_decimals")


def _frame(usecase: UseCase, model: Model, gate: Gate, named: pl.DataFrame) -> pl.DataFrame:
    """The requests as rows of the gold table; the event time is when the request came."""
    import polars as pl

    schema = gate.rows.frame.collect_schema()
    inputs = raw_inputs(model, usecase.gold[model.table])
    flags = {each.flag_of: each.name for each in inputs if each.flag_of}
    known = {each.name: each for each in inputs}
    time, layout = gate.layout.event_time, gate.layout
    at = pl.col(AT)
    if schema[time] == pl.Date:
        at = at.dt.convert_time_zone(layout.zone).dt.date()
    columns = [at.alias(time)]
    for each in layout.columns:
        value, flag = _sent(known[each.name]), flags.get(each.name)
        if flag is not None:
            value = pl.when(pl.col(flag).fill_null(value=True)).then(value)
        columns.append(value.cast(schema[each.name], strict=False).alias(each.name))
    return named.select(columns)


def _sent(wanted: RawInput) -> pl.Expr:
    """What was asked, with the null that its column's ``wire_null`` means."""
    import polars as pl

    value = pl.col(wanted.name)
    if wanted.wire_null is not None and wanted.wire_null.kind == "text":
        return pl.when(value != wanted.wire_null.token).then(value)
    return value


def _nobody(*event: object, **more: object) -> None:
    """An `Emit` for nobody."""
