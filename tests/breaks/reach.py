"""Runs the gate over clean and broken months of the real year."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from datetime import date
from functools import cache
from pathlib import Path
from typing import NamedTuple

import polars as pl

from goldlake_core.gate import baseline as baselines
from goldlake_core.gate.baseline import Baseline
from goldlake_core.gate.batch import Account, Span, batch_of, repeats_of
from goldlake_core.gate.counts import Counts
from goldlake_core.gate.families import counted
from goldlake_core.gate.judging import History, Judgement
from goldlake_core.gate.layout import GateColumn, Layout, silver_layout
from goldlake_core.gate.periods import period_of
from tests.breaks.catalog import Break, Month
from tests.breaks.feed import GOLDS_OWN, Batch, month_of, raw_months, refined, usecase

MONTHS = (6, 9, 12)
"""Months that are broken, one at a time."""
FIRST_JUDGED = 4
_OWN = "arrest_features"


class Outcome(NamedTuple):
    """What the gate said of a broken month.

    Attributes:
        name: Name of the break.
        severity: Its severity.
        month: The month that was broken.
        stops: Statistics that would stop the run, the worst first.
        reports: Statistics that would only be reported.
    """

    name: str
    severity: float
    month: int
    stops: tuple[str, ...]
    reports: tuple[str, ...]


@cache
def silver() -> Layout:
    """How the gate sees silver."""
    found = silver_layout(usecase())
    assert found is not None
    return found


@cache
def layout() -> Layout:
    """Silver's columns and those that gold adds, as one table."""
    read = {name for model in usecase().models.values() for name in model.feature_columns}
    own = [
        GateColumn(column.name, column.type, column.name in read)
        for column in usecase().gold[_OWN].columns
        if column.name in GOLDS_OWN
    ]
    return dataclasses.replace(silver(), columns=(*silver().columns, *own))


@cache
def clean(folder: Path, number: int) -> Batch:
    return refined(raw_months(folder)[number - 1], folder)


class Judge:
    """The gate before a month: a baseline and the counts of all earlier months."""

    def __init__(self, folder: Path, month: int, first: int = 1) -> None:
        self.folder = folder
        self.month = month
        before = [clean(folder, number) for number in range(first, month)]
        self.last = before[-1].rows
        start = before[0].rows["date"][before[0].rows.height // 2].date()
        names = tuple(f"2016-{number:02}" for number in range(first, month))
        rows = pl.concat([each.rows for each in before])
        self.baseline = fitted_on(rows, start, names)
        self.history = History(
            [
                self.counts(each, before[place - 1].rows if place else None, number)
                for place, (number, each) in enumerate(
                    zip(range(first, month), before, strict=True)
                )
            ],
            self.baseline,
        )

    def counts(self, batch: Batch, before: pl.DataFrame | None, number: int) -> Counts:
        """The counts of a month."""
        period = period_of(date(2016, number, 15), "month")
        repeats = repeats_of(batch.rows, before, silver(), self.baseline.identifiers)
        account = Account(batch.landed, batch.quarantined, batch.unchanged)
        taken = batch_of(batch.rows, layout(), period, account=account, repeats=repeats)
        return counted(taken, self.baseline)

    def judged(self, batch: Batch) -> Judgement:
        """The judgement of the month."""
        return self.history.judged(self.counts(batch, self.last, self.month), layout())


def fitted_on(rows: pl.DataFrame, start: date, names: tuple[str, ...]) -> Baseline:
    """The baseline of some months together."""
    span = Span(start.replace(day=1), "month", 400)
    return baselines.fitted(batch_of(rows, layout(), span), layout(), 1, names, "test")


def outcome(judge: Judge, month: Month, one: Break, severity: float, known: pl.Series) -> Outcome:
    """What the gate says of one break."""
    judgement = judge.judged(refined(one.fault(month, severity), judge.folder, known))
    named = [
        (f"{each.measure.statistic}({','.join(each.measure.columns)})", each.stops)
        for each in judgement.beyond
    ]
    return Outcome(
        one.name,
        severity,
        judge.month,
        tuple(name for name, stops in named if stops),
        tuple(name for name, stops in named if not stops),
    )


def outcomes(
    folder: Path, breaks: Iterable[Break], months: Iterable[int] = MONTHS, *, all_severities: bool
) -> Iterator[Outcome]:
    """What the gate says of every break in every month."""
    some = list(breaks)
    for number in months:
        judge = Judge(folder, number)
        month = month_of(folder, number)
        for one in some:
            severities = one.severities if all_severities else one.severities[:1]
            for severity in severities:
                yield outcome(judge, month, one, severity, month.before["id"])


def false_alarms(folder: Path) -> Iterator[tuple[int, Judgement]]:
    """The judgement of each clean month from the fourth on."""
    for number in range(FIRST_JUDGED, 13):
        yield number, Judge(folder, number).judged(clean(folder, number))
