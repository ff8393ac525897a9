"""`goldlake validate` and `goldlake accept`: what the gate found, and that it is right."""

from __future__ import annotations

import getpass
import math
import socket
from collections.abc import Iterator
from typing import TYPE_CHECKING

from goldlake.workflows import names
from goldlake_core.contracts import ids
from goldlake_core.contracts.errors import UsageError
from goldlake_core.contracts.ids import ModelId, TableId
from goldlake_core.contracts.names import nearest
from goldlake_core.contracts.registry import load_usecase
from goldlake_core.contracts.sections import UseCase
from goldlake_core.documents.gate import (
    Acceptance,
    FindingReport,
    GateState,
    GateValue,
    PeriodReport,
    PeriodVerdict,
    TableVerdict,
    ValidationReport,
)
from goldlake_core.instants import now_text
from goldlake_core.storage import gatefiles
from goldlake_core.storage.gatefiles import GateFiles
from goldlake_core.storage.home import Home

if TYPE_CHECKING:
    from lakehouse.gate import Gate
    from lakehouse.gaterows import TableRows

SHOWN_PERIODS = 2
"""Newest periods that are shown besides those that are refused."""
_MARGIN = 1.02


def validate(name: str, home: Home, against: int | None = None) -> ValidationReport:
    """Measures the newest periods of a table, and those that are refused. Writes nothing, no JVM.

    Args:
        name: A table, or a model, whose gold table is meant; either at a version or its newest.
        home: Home that holds it.
        against: Version of the table whose periods are compared with; None: the earlier periods.

    Raises:
        UsageError: There is no such table, or the gate does not look at it.
    """
    usecase, table = _table(name)
    return judged(usecase, table, home, against)


def judged(
    usecase: UseCase, table: TableId, home: Home, against: int | None = None
) -> ValidationReport:
    """As `validate`, of a table of a use case that was read already.

    Args:
        usecase: The use case.
        table: One of its tables, at a version or its newest.
        home: Home that holds it.
        against: Version of the table whose periods are compared with; None: the earlier periods.

    Raises:
        UsageError: There is no such table, or the gate does not look at it.
    """
    from lakehouse.gate import Gate

    rows = _rows(usecase, table, home)
    if rows is None:
        raise UsageError(
            f"The gate does not look at {table} in {home.root}",
            valid="silver with an event time, and gold tables that a model learns from, with rows",
            hint="goldlake tables",
        )
    files = GateFiles(home, table.at(None))
    gate = Gate(rows, files, _nobody, is_kept=False)
    before = files.state()
    wanted = {*_refused(before, files.acceptances()), *list(before.periods)[-SHOWN_PERIODS:]}
    other = None
    if against is not None:
        found = _rows(usecase, table.at(against), home)
        other = Gate(found, files, _nobody, is_kept=False) if found else None
    verdict = gate.judge("", also=wanted, against=other)
    shown = {each.period for each in verdict.periods[-SHOWN_PERIODS:]} | set(verdict.refused)
    reports = tuple(
        _report(usecase, gate, verdict, each, before)
        for each in verdict.periods
        if each.period in shown
    )
    return ValidationReport(table=str(table.at(rows.version)), against=against, periods=reports)


def accept(run_id: str, column: str, because: str, home: Home) -> Acceptance:
    """Records that what the gate found about a column in a run is right. Idempotent.

    Args:
        run_id: The run that found it.
        column: The column, or the statistic where it is about no column.
        because: Why it is right.
        home: Home that holds the run.

    Raises:
        UsageError: There is no such run, or it found nothing about the column; or no reason.
    """
    if not because.strip():
        raise UsageError('--because "" gives no reason', valid="a text")
    found = [
        (table, verdict)
        for usecase in gatefiles.usecases_of(home)
        for table in gatefiles.tables_of(home, usecase)
        if (verdict := GateFiles(home, table).verdict(run_id))
    ]
    if not found:
        raise UsageError(
            f"The gate judged nothing in a run {run_id!r} in {home.root}",
            valid=nearest(run_id, _runs(home)) or "none yet",
            hint="goldlake history USECASE",
        )
    known: list[str] = []
    for table, verdict in found:
        periods = tuple(
            each.period
            for each in verdict.periods
            if any(column in (value.columns or (value.statistic,)) for value in each.beyond)
        )
        known += _columns(verdict)
        if periods:
            acceptance = Acceptance(
                run_id=run_id,
                table=str(table),
                column=column,
                periods=periods,
                because=because.strip(),
                who=f"{getpass.getuser()}@{socket.gethostname()}",
                at=now_text("seconds"),
            )
            GateFiles(home, table).accept(acceptance)
            _record(acceptance, home)
            return acceptance
    raise UsageError(
        f"The run {run_id} found nothing about {column!r}",
        valid=nearest(column, sorted(set(known))) or "nothing",
        hint="goldlake validate TABLE",
    )


def _record(acceptance: Acceptance, home: Home) -> None:
    """Puts it into ML Metadata, where the home has it: as an artifact that an execution made."""
    if not home.is_local:
        return
    from metadata.acceptance import record

    record(home, acceptance)


def _runs(home: Home) -> list[str]:
    found = [
        GateFiles(home, table).state().run_id
        for usecase in gatefiles.usecases_of(home)
        for table in gatefiles.tables_of(home, usecase)
    ]
    return sorted({each for each in found if each})


def _columns(verdict: TableVerdict) -> Iterator[str]:
    for period in verdict.periods:
        for value in period.beyond:
            yield from value.columns or (value.statistic,)


def _table(name: str) -> tuple[UseCase, TableId]:
    if ":" in name or isinstance(ids.parse(name), ModelId):
        usecase, model = names.load_model(name.partition("@")[0])
        return usecase, TableId(usecase.name, "gold", model.table)
    table = TableId.parse(name)
    return load_usecase(table.usecase), table


def _rows(usecase: UseCase, table: TableId, home: Home) -> TableRows | None:
    from lakehouse import epochs, gaterows

    if table.layer == "gold" and table.name in usecase.gold:
        return gaterows.gold_rows(usecase, home, usecase.gold[table.name], table.version)
    if table.layer == "silver" and table.name == usecase.silver.table:
        epoch = epochs.current(home, usecase.name)
        return gaterows.silver_rows(usecase, home, epoch, table.version)
    return None


def _refused(state: GateState, accepted: tuple[Acceptance, ...]) -> Iterator[str]:
    for name, period in state.periods.items():
        if any(not _reason(name, value, accepted) for value in period.found):
            yield name


def _reason(period: str, value: GateValue, accepted: tuple[Acceptance, ...]) -> str | None:
    return next((each.because for each in accepted if each.covers(period, value)), None)


def _report(
    usecase: UseCase, gate: Gate, verdict: TableVerdict, period: PeriodVerdict, before: GateState
) -> PeriodReport:
    from lakehouse import gate_examples

    frame, baseline = gate.rows_of(period.period), gate.baseline
    known = before.periods.get(period.period)
    findings = tuple(
        FindingReport(
            value=value,
            accepted=_reason(period.period, value, verdict.accepted),
            examples=gate_examples.examples(frame, value, baseline, gate.layout),
            accept=accepting_yaml(usecase, TableId.parse(verdict.table), value),
        )
        for value in period.beyond
    )
    return PeriodReport(
        verdict=period,
        run_id=known.run_id if known else "",
        is_refused=period.period in verdict.refused,
        findings=findings,
    )


def accepting_yaml(usecase: UseCase, table: TableId, value: GateValue) -> str:
    """The keys of the contract that put a value inside its limit; "" where none does.

    Args:
        usecase: The use case as it is now.
        table: The table of the value.
        value: A value beyond its limit.
    """
    if value.strain > 1000:
        return ""
    silver = usecase.silver
    if not value.columns:
        return f"silver:\n  gate: {_room(silver.gate, value.strain)}\n"
    name = value.columns[0]
    if name in silver.names:
        room = max(_gates(usecase, table, value.columns))
        return f"silver:\n  columns:\n    {name}:\n      gate: {_room(room, value.strain)}\n"
    room = max(_gates(usecase, table, value.columns))
    return (
        f"gold:\n  {table.name}:\n    columns:\n      {name}:\n"
        f"        gate: {_room(room, value.strain)}\n"
    )


def _gates(usecase: UseCase, table: TableId, columns: tuple[str, ...]) -> list[float]:
    held = usecase.silver if table.layer == "silver" else usecase.gold[table.name]
    return [each.gate for each in held.columns if each.name in columns] or [1.0]


def _room(room: float, strain: float) -> float:
    return math.ceil(room * strain * _MARGIN * 100) / 100


def _nobody(*event: object, **more: object) -> None:
    """An `Emit` for nobody."""
