"""What the gate's last judgement of a table says to those who train on it."""

from __future__ import annotations

from collections.abc import Iterator

from goldlake_core.contracts.ids import TableId
from goldlake_core.documents.gate import GateValue
from goldlake_core.documents.training import Anomaly
from goldlake_core.storage.gatefiles import GateFiles
from goldlake_core.storage.home import Home


def told(value: GateValue) -> str:
    """A value and its limit in one line."""
    about = " x ".join(value.columns)
    low = "" if value.low is None else f"{value.low:.4g} to "
    detail = f" ({value.detail})" if value.detail else ""
    of = f" of {about}" if about else ""
    return f"{value.statistic}{of} is {value.value:.4g}, usual is {low}{value.high:.4g}{detail}"


def anomaly_of(period: str, value: GateValue, accepted: str | None = None) -> Anomaly:
    """A finding as the anomaly that a run reports.

    Args:
        period: Name of the period; it is the anomaly's split.
        value: The value and its limit.
        accepted: Why it was accepted, or None.
    """
    is_error = value.stops and accepted is None
    because = f"; accepted: {accepted}" if accepted else ""
    return Anomaly(
        column=" x ".join(value.columns),
        split=period,
        kind=value.statistic,
        severity="error" if is_error else "warning",
        description=told(value) + because,
    )


def findings(home: Home, table: TableId) -> tuple[Anomaly, ...]:
    """The values beyond their limits of the last judgement, and those that stop a run.

    Args:
        home: Home that holds the table.
        table: The table that was judged.

    Returns:
        The findings by period, the worst first; none where the gate never judged the table.
    """
    files = GateFiles(home, table)
    state = files.state()
    accepted = files.acceptances()

    def all_values() -> Iterator[tuple[str, GateValue]]:
        verdict = files.verdict(state.run_id) if state.run_id else None
        judged = verdict.periods if verdict else ()
        for period in judged:
            yield from ((period.period, value) for value in period.beyond)
        for name, held in state.periods.items():
            if name not in {each.period for each in judged}:
                yield from ((name, value) for value in held.found)

    return tuple(
        anomaly_of(
            name,
            value,
            next((each.because for each in accepted if each.covers(name, value)), None),
        )
        for name, value in all_values()
    )
