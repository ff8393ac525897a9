"""Section 7: rows by area, as a choropleth that needs no tiles."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from markupsafe import Markup

from goldlake.workflows.data_views import Area, AreasView, ClusterCenter, ClustersView
from goldlake.workflows.report import charts
from goldlake.workflows.report.gathered import Gathered
from goldlake.workflows.report.markup import (
    Part,
    counted,
    folded,
    html,
    instant,
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
    held = sum(area.rows > 0 for area in view.areas)
    lead = f"{rows:,} rows lie in {held} of {len(view.areas)} areas; {view.elsewhere:,} in none."
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
    notes = cluster_notes(view)
    if view.label is not None:
        notes.insert(0, f"Areas with fewer than {FEWEST_ROWS} rows have no share.")
    body[1:1] = [paragraph(text, "soft") for text in notes]
    return Part("map", "Map", lead, joined(body))


def drawn(view: AreasView) -> list[Markup]:
    """A map of the rows, one of the share of those with the label, and one of each cluster."""
    maps = [_map("Rows by area", view, lambda a: float(a.rows), lambda v: f"{v:,.0f}")]
    if view.label is not None:
        maps.append(
            _map(f"Share of rows with {words(view.label)}", view, _share, lambda v: percent(v))
        )
    for clusters in view.clusters:
        if clusters.centers:
            maps.append(_clusters(view, clusters))
    return maps


def cluster_notes(view: AreasView) -> list[str]:
    """What has to be said of each cluster, besides its map."""
    notes = []
    for each in view.clusters:
        name = f"The cluster {each.column} of gold table {each.table}"
        if each.problem:
            notes.append(f"{name} is not on the map. {each.problem}")
            continue
        text = (
            f"{name}: {counted(len(each.centers), 'center')} of the newest fit, which is made of "
            f"what happened before {instant(each.fitted_before)}. A circle has an area in "
            f"proportion to its rows. In no cluster: {counted(each.unnumbered, 'row')}."
        )
        outside = len(each.centers) - len(_within(view, each.centers))
        if outside:
            text += f" {counted(outside, 'center')} lie{'s' * (outside == 1)} outside of the map."
        notes.append(text)
    return notes


def _clusters(view: AreasView, clusters: ClustersView) -> Markup:
    most = max((each.rows for each in clusters.centers), default=0) or 1
    marks = [
        charts.Mark(
            each.longitude,
            each.latitude,
            each.rows / most,
            str(each.number),
            f"Cluster {each.number}: {counted(each.rows, 'row')}",
        )
        for each in _within(view, clusters.centers)
    ]
    shapes = [(area.name, area.rings, None) for area in view.areas]
    title = f"Clusters {clusters.column} of {clusters.table}, by number"
    return html("<div>{chart}</div>", chart=charts.areas(title, shapes, marks))


def _within(view: AreasView, centers: Sequence[ClusterCenter]) -> list[ClusterCenter]:
    points = [point for area in view.areas for ring in area.rings for point in ring]
    if not points:
        return []
    (x_low, x_high), (y_low, y_high) = (
        (min(values), max(values)) for values in zip(*points, strict=True)
    )
    return [
        each
        for each in centers
        if x_low <= each.longitude <= x_high and y_low <= each.latitude <= y_high
    ]


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
