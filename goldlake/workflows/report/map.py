"""Section 7: rows by area, as a choropleth that needs no tiles."""

from __future__ import annotations

from collections.abc import Callable

from markupsafe import Markup

from goldlake.workflows.data_views import Area, AreasView
from goldlake.workflows.report import charts
from goldlake.workflows.report.gathered import Gathered
from goldlake.workflows.report.markup import (
    Part,
    folded,
    html,
    joined,
    paragraph,
    percent,
    table,
    words,
)

FEWEST_ROWS = 20
"""Rows from which on an area's share is shown."""


def part(found: Gathered) -> Part:
    """The section."""
    view = found.areas
    if isinstance(view, str):
        return Part("map", "Map", view)
    rows = sum(area.rows for area in view.areas)
    ordered = sorted(view.areas, key=lambda area: -area.rows)
    lead = f"{rows:,} rows lie in {len(view.areas)} areas; {view.elsewhere:,} in none of them."
    if rows:
        most = ordered[0]
        lead += f" {most.name} has the most: {most.rows:,}."
    maps = drawn(view)
    figures = [(area.name, area.value, f"{area.rows:,}", percent(_share(area))) for area in ordered]
    head = (
        ["Area", view.column, "Rows", f"with {words(view.label)}"]
        if view.label
        else ["Area", view.column, "Rows"]
    )
    lines = [row[: len(head)] for row in figures]
    body = [
        html('<div class="grid map">{maps}</div>', maps=joined(maps)),
        paragraph(f"Boundaries: {view.source}" if view.source else "", "soft"),
        folded("All areas as figures", table("Rows by area", head, lines, range(2, len(head)))),
    ]
    if view.label is not None:
        few = f"Areas with fewer than {FEWEST_ROWS} rows have no share."
        body.insert(1, paragraph(few, "soft"))
    return Part("map", "Map", lead, joined(body))


def drawn(view: AreasView) -> list[Markup]:
    """A map of the rows, and one of the share of those with the label where there is one."""
    maps = [_map("Rows by area", view, lambda a: float(a.rows), lambda v: f"{v:,.0f}")]
    if view.label is not None:
        maps.append(
            _map(f"Share of rows with {words(view.label)}", view, _share, lambda v: percent(v))
        )
    return maps


def _share(area: Area) -> float | None:
    if area.positives is None or area.rows < FEWEST_ROWS:
        return None
    return area.positives / area.rows


def _map(
    title: str,
    view: AreasView,
    value: Callable[[Area], float | None],
    text: Callable[[float], str],
) -> Markup:
    ends, shade = charts.shades(map(value, view.areas))
    shapes = []
    for area in view.areas:
        found = value(area)
        told = "no figure" if found is None else text(found)
        shapes.append((f"{area.name}: {told}", area.rings, shade(found)))
    held = [found for found in map(value, view.areas) if found is not None]
    steps = [min(held), *ends, max(held)] if held else []
    keys = [
        html('<span class="key s{n}">{a} to {b}</span>', n=n, a=text(low), b=text(high))
        for n, (low, high) in enumerate(zip(steps, steps[1:], strict=False))
        if high > low or n == 0
    ]
    legend = html('<p class="legend">{keys}</p>', keys=joined(keys))
    return html("<div>{chart}{legend}</div>", chart=charts.areas(title, shapes), legend=legend)
