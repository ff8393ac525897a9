"""Drift: how far each period is from the earlier ones, over time, and a check of this moment."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from goldlake.ui.render import render, site
from goldlake.ui.site import Site
from goldlake.workflows.report.markup import words
from goldlake.workflows.validate import validate
from goldlake_core.contracts.errors import UsageError
from goldlake_core.contracts.ids import TableId
from goldlake_core.documents.gate import GateValue, PeriodVerdict, TableVerdict, ValidationReport
from goldlake_core.storage.gatefiles import GateFiles, tables_of

MOST_PERIODS, MOST_COLUMNS, MOST_LINES = 12, 20, 5


@dataclass(frozen=True)
class Heat:
    """How far the columns of a table are from before, by period.

    Attributes:
        periods: Names of the periods, the oldest first.
        rows: Column and its greatest share of a limit in each period, the greatest of all first;
            None where the column was not measured.
    """

    periods: tuple[str, ...]
    rows: tuple[tuple[str, tuple[float | None, ...]], ...]


def page(request: Request) -> Response:
    """Answers the distances of a table over time; with ``check`` those of this moment, too."""
    shown = site(request)
    tables = [str(t) for name in shown.usecases() for t in tables_of(shown.home, name)]
    name = request.query_params.get("table") or next(iter(tables), "")
    if not name:
        return render(
            request, "drift.html", tables=[], name="", heat=None, figure=None, report=None
        )
    if name not in tables:
        raise UsageError(f"The gate has judged no table {name!r}", valid=", ".join(tables))
    files = GateFiles(shown.home, TableId.parse(name))
    heat, figure = _drawn(list(judged(files.verdicts()).values()))
    report = _checked(shown, name) if request.query_params.get("check") else None
    return render(
        request,
        "drift.html",
        tables=sorted(tables),
        name=name,
        heat=heat,
        figure=figure,
        report=report,
        accepted=files.acceptances(),
    )


def judged(verdicts: Iterable[TableVerdict]) -> dict[str, PeriodVerdict]:
    """The newest judgement of each period, in the order of the periods."""
    found = {period.period: period for verdict in verdicts for period in verdict.periods}
    return dict(sorted(found.items()))


def heat_of(periods: list[PeriodVerdict]) -> Heat:
    """The greatest share of a limit that a statistic of each column takes in each period."""
    shown = periods[-MOST_PERIODS:]
    strains: dict[str, dict[str, float]] = {}
    for period in shown:
        for value in period.values:
            row = strains.setdefault(_about(value), {})
            row[period.period] = max(value.strain, row.get(period.period, 0.0))
    ordered = sorted(strains.items(), key=lambda item: -max(item[1].values()))
    return Heat(
        tuple(period.period for period in shown),
        tuple(
            (name, tuple(row.get(period.period) for period in shown))
            for name, row in ordered[:MOST_COLUMNS]
        ),
    )


def _drawn(periods: list[PeriodVerdict]) -> tuple[Heat, dict[str, object]]:
    heat = heat_of(periods)
    lines = [
        {
            "type": "scatter",
            "mode": "lines+markers",
            "name": name,
            "x": list(heat.periods),
            "y": list(row),
        }
        for name, row in heat.rows[:MOST_LINES]
    ]
    limit = {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": 1, "y1": 1}
    layout = {
        "yaxis": {"title": {"text": "share of the limit"}, "rangemode": "tozero"},
        "xaxis": {"type": "category"},
        "shapes": [{**limit, "line": {"dash": "dash", "width": 2}}],
    }
    return heat, {"data": lines, "layout": layout}


def _checked(shown: Site, name: str) -> ValidationReport:
    usecase = name.partition(".")[0]
    return shown.kept(("check", name), shown.mark(usecase), lambda: validate(name, shown.home))


def _about(value: GateValue) -> str:
    return ", ".join(value.columns) or f"whole table: {words(value.statistic)}"
