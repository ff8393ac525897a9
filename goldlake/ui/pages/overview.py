"""Overview: what serves, how fresh the data are, the last runs, and what needs a look."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from starlette.requests import Request
from starlette.responses import Response

from goldlake.ui import sources
from goldlake.ui.render import render, site
from goldlake.ui.site import Site
from goldlake.workflows import views
from goldlake_core.contracts.heads import headline
from goldlake_core.contracts.sections import UseCase
from goldlake_core.documents.reports import ModelsView
from goldlake_core.storage.gatefiles import GateFiles, tables_of
from serving import registry

MOST_RUNS = 8


@dataclass(frozen=True)
class Alarm:
    """Something that needs a look.

    Attributes:
        state: How bad it is.
        text: What it is.
        link: Page that tells more.
    """

    state: Literal["bad", "warning"]
    text: str
    link: str


def page(request: Request) -> Response:
    """Answers the overview of a use case."""
    shown = site(request)
    name = shown.chosen(request.query_params.get("usecase"))
    if not name:
        known = [(each, shown.contract_or_problem(each)) for each in shown.known()]
        found = [contract for _, contract in known if isinstance(contract, UseCase)]
        return render(
            request, "start.html", known=[(each, sources.choices(each, (), ())) for each in found]
        )
    contract = shown.contract_or_problem(name)
    data = shown.data(contract) if isinstance(contract, UseCase) else None
    models = views.models(shown.home)
    runs = shown.history(name).runs
    servers = registry.living_servers(shown.home.models_config)
    return render(
        request,
        "overview.html",
        usecase=name,
        contract=contract if isinstance(contract, UseCase) else None,
        problem=contract if isinstance(contract, str) else "",
        data=data,
        days=_days(data.days if data else ()),
        serving=_serving(models, name),
        trainable=sorted(contract.models) if isinstance(contract, UseCase) else [],
        servers=sorted(each.url for each in servers.values()),
        runs=runs[:MOST_RUNS],
        alarms=alarms(shown, name),
        sources=sources.choices(contract, runs, data.runs if data else ())
        if isinstance(contract, UseCase)
        else [],
    )


def alarms(shown: Site, usecase: str) -> list[Alarm]:
    """What needs a look: runs that failed, findings of the gate, servers with a problem."""
    found = []
    newest = next(iter(shown.history(usecase).runs), None)
    if newest is not None and newest.status != "ok":
        state: Literal["bad", "warning"] = "warning" if newest.status == "interrupted" else "bad"
        text = f"The newest run ({newest.command}) ended as {newest.status}"
        text += f": {newest.error}" if newest.error else ""
        found.append(Alarm(state, text, f"/runs/{newest.run_id}"))
    for table in tables_of(shown.home, usecase):
        files = GateFiles(shown.home, table)
        accepted = files.acceptances()
        for period, stand in files.state().periods.items():
            open_ones = [v for v in stand.found if not any(a.covers(period, v) for a in accepted)]
            if open_ones:
                columns = sorted({", ".join(v.columns) or "whole table" for v in open_ones})
                text = f"{table} in {period} is not as before: {', '.join(columns[:4])}"
                found.append(Alarm("bad", text, f"/drift?table={table}"))
    for about in registry.living_servers(shown.home.models_config).values():
        found += [Alarm("bad", f"{about.url}: {text}", "/models") for text in about.problems]
    return found


def _serving(
    models: ModelsView, usecase: str
) -> list[tuple[str, int | None, str | None, float | None]]:
    """Model, version that serves, and its most telling metric with the value, of a use case."""
    found = []
    for name, held in models.models.items():
        if name.partition(".")[0] != usecase:
            continue
        now = next((each for each in held.versions if each.serves), None)
        metric = headline(now.metrics) if now else None
        value = now.metrics.get(metric) if now and metric else None
        found.append((name, now.version if now else None, metric, value))
    return found


def _days(days: tuple[tuple[object, int], ...]) -> dict[str, object]:
    """Rows by day of the event, as a figure."""
    return {
        "data": [
            {
                "type": "bar",
                "x": [str(day) for day, _ in days],
                "y": [count for _, count in days],
                "name": "rows",
            }
        ],
        "layout": {"bargap": 0.05, "yaxis": {"title": {"text": "rows"}}, "xaxis": {"type": "date"}},
    }
