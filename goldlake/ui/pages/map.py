"""Map: rows by area, of all time or of one month."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from goldlake.ui.render import render, site
from goldlake.ui.site import Site
from goldlake.workflows import data_views
from goldlake.workflows.data_views import AreasView
from goldlake.workflows.report import map as maps
from goldlake_core.contracts.errors import UsageError
from goldlake_core.contracts.sections import UseCase

MOST_AREAS = 12


def page(request: Request) -> Response:
    """Answers the map of a use case, with a slider over its months."""
    shown = site(request)
    name = shown.chosen(request.query_params.get("usecase"))
    contract = shown.contract(name) if name else None
    months = months_of(shown.data(contract).days) if contract else []
    month = _month(request, months)
    view = _view(shown, contract, month) if contract else None
    steps = [{"words": "all time", "address": f"/live/map?usecase={name}"}]
    steps += [{"words": m, "address": f"/live/map?usecase={name}&month={m}"} for m in months]
    return render(
        request,
        "map.html",
        usecase=name,
        contract=contract,
        view=view,
        maps=_maps(view),
        notes=_notes(view),
        areas=_largest(view),
        steps=steps,
        place=months.index(month) + 1 if month else 0,
    )


def fragment(request: Request) -> Response:
    """Answers the maps alone, of the month that the slider is at."""
    shown = site(request)
    contract = shown.contract(shown.chosen(request.query_params.get("usecase")))
    view = _view(shown, contract, _month(request, months_of(shown.data(contract).days)))
    return render(
        request,
        "map_live.html",
        view=view,
        maps=_maps(view),
        notes=_notes(view),
        areas=_largest(view),
    )


def months_of(days: Sequence[tuple[date, int]]) -> list[str]:
    """Months with an event, as ``YYYY-MM``."""
    return sorted({f"{day:%Y-%m}" for day, _ in days})


def _month(request: Request, months: list[str]) -> str | None:
    month = request.query_params.get("month") or None
    if month is not None and month not in months:
        valid = f"{months[0]} to {months[-1]}" if months else "none yet"
        raise UsageError(f"There is no event in {month!r}", valid=valid)
    return month


def _view(shown: Site, contract: UseCase, month: str | None) -> AreasView | None:
    label = next((model.label for model in contract.models.values()), None)
    return shown.kept(
        ("map", contract.name, month),
        (shown.mark(contract.name), contract.hashes.get("map")),
        lambda: data_views.areas(contract, shown.home, label, month),
    )


def _maps(view: AreasView | None) -> list[Markup]:
    return maps.drawn(view) if view is not None else []


def _notes(view: AreasView | None) -> list[str]:
    return maps.cluster_notes(view) if view is not None else []


def _largest(view: AreasView | None) -> list[data_views.Area]:
    areas = view.areas if view is not None else ()
    return sorted(areas, key=lambda area: -area.rows)[:MOST_AREAS]
