"""Charts as SVG, without a script. Colors are CSS variables, so that they follow light and dark.

Each chart is an image with a title and a description for screen readers; the figures themselves
are in a table beside it where a reader may need them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from goldlake.workflows.report import frame
from goldlake.workflows.report.frame import (
    BOTTOM,
    HEIGHT,
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    Axis,
    Series,
    coordinate,
)
from goldlake.workflows.report.markup import html, number
from goldlake_core.documents.examining import CalibrationBin

ROW = 24
MOST_LABEL = 21
FEWEST_RADIUS, MOST_RADIUS = 10.0, 30.0


@dataclass(frozen=True)
class Mark:
    """A circle on a map.

    Attributes:
        x: Longitude of its middle.
        y: Latitude of its middle.
        share: Its area as a share of that of the largest circle, 0 to 1.
        label: A short text in it.
        name: Text that is shown when the pointer is over it.
    """

    x: float
    y: float
    share: float
    label: str
    name: str


@dataclass(frozen=True)
class Bar:
    """A bar of a chart.

    Attributes:
        name: Name of what it is about.
        value: Length of the bar.
        low: Lower end of its interval, or None.
        high: Upper end of its interval, or None.
        other: Value of another bar that it is compared with, or None.
        text: The value in words, or "" for the number.
    """

    name: str
    value: float
    low: float | None = None
    high: float | None = None
    other: float | None = None
    text: str = ""


def lines(
    title: str,
    series: Sequence[Series],
    *,
    x: str,
    y: str,
    x_range: tuple[float, float] | None = None,
    y_range: tuple[float, float] | None = None,
    mark: tuple[float, float, str] | None = None,
    errors: Sequence[tuple[float, float, float]] = (),
    log: str = "",
    is_whole: bool = False,
) -> Markup:
    """A chart of lines.

    Args:
        title: What the chart shows.
        series: Lines of the chart.
        x: Name of the horizontal axis.
        y: Name of the vertical axis.
        x_range: Ends of the horizontal axis, or None for those of the points.
        y_range: Ends of the vertical axis, or None for those of the points.
        mark: A point x, y with its name, or None.
        errors: Intervals x, low, high.
        log: Axes that are logarithmic: ``x``, ``y`` or ``xy``.
        is_whole: Whether the horizontal axis counts something.
    """
    held = [point for each in series for point in each.points]
    if not held:
        return Markup()
    reached = [point[1] for point in held] + [end for _, *both in errors for end in both]
    x_axis = Axis(x, *(x_range or frame.ends([point[0] for point in held])), "x" in log, is_whole)
    y_axis = Axis(y, *(y_range or frame.rounded(*frame.ends(reached))), "y" in log)
    across = x_axis.scale(LEFT, WIDTH - RIGHT)
    up = y_axis.scale(HEIGHT - BOTTOM, TOP)
    parts = [frame.axes(x_axis, y_axis)]
    for at, low, high in errors:
        parts.append(
            html(
                '<path class="interval" d="M{x} {low}V{high}"/>',
                x=coordinate(across(at)),
                low=coordinate(up(low)),
                high=coordinate(up(high)),
            )
        )
    for each in series:
        path = "L".join(f"{coordinate(across(px))} {coordinate(up(py))}" for px, py in each.points)
        if each.has_line:
            parts.append(html('<path class="line c{n}" d="M{path}"/>', n=each.color, path=path))
        if each.has_dots:
            parts += [
                html(
                    '<circle class="dot c{n}" cx="{x}" cy="{y}" r="3.5">'
                    "<title>{name}: {text}</title></circle>",
                    n=each.color,
                    x=coordinate(across(px)),
                    y=coordinate(up(py)),
                    name=each.name,
                    text=f"{number(px)}, {number(py)}",
                )
                for px, py in each.points
            ]
    if mark is not None:
        is_left = across(mark[0]) > WIDTH * 0.6
        parts.append(
            html(
                '<circle class="mark" cx="{x}" cy="{y}" r="6"/>'
                '<text class="label" x="{tx}" y="{ty}" text-anchor="{anchor}">{name}</text>',
                x=coordinate(across(mark[0])),
                y=coordinate(up(mark[1])),
                tx=coordinate(across(mark[0]) + (-10 if is_left else 10)),
                ty=coordinate(max(TOP + 12, up(mark[1]) + 18)),
                anchor="end" if is_left else "start",
                name=mark[2],
            )
        )
    return frame.figure(title, WIDTH, HEIGHT, parts, frame.legend(series))


def calibration(
    title: str,
    bins: Sequence[CalibrationBin],
    *,
    name: str = "model",
    x: str = "mean probability",
    y: str = "share of positives",
    most: float | None = None,
) -> Markup:
    """A chart of probabilities beside the shares that came, with their intervals.

    Args:
        title: What the chart shows.
        bins: Rows by probability.
        name: Whose probabilities these are.
        x: Name of the horizontal axis.
        y: Name of the vertical axis.
        most: Upper end of both axes, or None for that of the bins.
    """
    if most is None:
        most = max([b.predicted for b in bins] + [b.observed.high for b in bins] + [0.1])
    return lines(
        title,
        [
            Series("perfect", [(0, 0), (most, most)], 0),
            Series(name, [(b.predicted, b.observed.value) for b in bins], 1, has_dots=True),
        ],
        x=x,
        y=y,
        x_range=(0, most),
        y_range=(0, most),
        errors=[(b.predicted, b.observed.low, b.observed.high) for b in bins],
    )


def bars(title: str, items: Sequence[Bar], *, is_small: bool = False) -> Markup:
    """Horizontal bars with their values, and intervals or other bars where there are any.

    Args:
        title: What the chart shows.
        items: The bars, from the top.
        is_small: Whether the chart is half as wide as others.
    """
    if not items:
        return Markup()
    held = [v for i in items for v in (i.value, i.high, i.low, i.other, 0.0) if v is not None]
    low, high = min(held), max(held)
    is_paired = any(item.other is not None for item in items)
    row = ROW + (2 if is_small else 8) if is_paired else ROW
    width, left, right, most = (WIDTH, 170, 76, MOST_LABEL)
    if is_small:
        width, left, right, most = (250, 108, 56, 11)
    across = frame.scale(low, high if high > low else low + 1, left, width - right)
    zero = across(0.0)
    parts = []
    for place, item in enumerate(items):
        top = place * row + 4
        parts.append(
            html(
                '<text class="label" x="{x}" y="{y}" text-anchor="end">{name}<title>{whole}</title>'
                "</text>",
                x=left - 8,
                y=top + row / 2 + 2,
                name=_short(item.name, most),
                whole=item.name,
            )
        )
        height = (row - 8) / 2 if is_paired else row - 9
        for value, color, y in ((item.value, 1, top + 2), (item.other, 2, top + 3 + height)):
            if value is None:
                continue
            start, end = sorted((zero, across(value)))
            parts.append(
                html(
                    '<rect class="bar c{n}" x="{x}" y="{y}" width="{w}" height="{h}" rx="2"/>',
                    n=color,
                    x=coordinate(start),
                    y=coordinate(y),
                    w=coordinate(max(end - start, 0.75)),
                    h=coordinate(height),
                )
            )
        if item.low is not None and item.high is not None:
            middle = coordinate(top + 2 + height / 2)
            parts.append(
                html(
                    '<path class="interval" d="M{a} {y}H{b}"/>',
                    a=coordinate(across(item.low)),
                    b=coordinate(across(item.high)),
                    y=middle,
                )
            )
        edge = max(v for v in (item.value, item.high, item.other, 0.0) if v is not None)
        parts.append(
            html(
                '<text class="value" x="{x}" y="{y}">{text}</text>',
                x=coordinate(across(edge) + 6),
                y=top + row / 2 + 2,
                text=item.text or number(item.value),
            )
        )
    return frame.figure(title, width, len(items) * row + 8, parts)


def columns(title: str, items: Sequence[tuple[str, float]], *, y: str) -> Markup:
    """Upright bars in the order of time; the first, the middle and the last are named."""
    if not items:
        return Markup()
    high = frame.rounded(0, max(value for _, value in items) or 1)[1]
    up = frame.scale(0, high, HEIGHT - BOTTOM, TOP)
    step = (WIDTH - LEFT - RIGHT) / len(items)
    across = frame.scale(0, len(items), LEFT, WIDTH - RIGHT)
    parts = [frame.axes(Axis("", 0, 0), Axis(y, 0, high))]
    for place, (name, value) in enumerate(items):
        parts.append(
            html(
                '<rect class="bar c1" x="{x}" y="{y}" width="{w}" height="{h}">'
                "<title>{name}: {text}</title></rect>",
                x=coordinate(across(place) + step * 0.08),
                y=coordinate(up(value)),
                w=coordinate(step * 0.84),
                h=coordinate(max(HEIGHT - BOTTOM - up(value), 0)),
                name=name,
                text=f"{value:,.0f}",
            )
        )
    last = len(items) - 1
    for place in sorted({0, last // 2, last}):
        anchor = "start" if place == 0 and last else "end" if place == last and last else "middle"
        parts.append(
            html(
                '<text class="tick" x="{x}" y="{y}" text-anchor="{anchor}">{name}</text>',
                x=coordinate(
                    across(place + (0 if anchor == "start" else 1 if anchor == "end" else 0.5))
                ),
                y=HEIGHT - BOTTOM + 18,
                anchor=anchor,
                name=items[place][0],
            )
        )
    return frame.figure(title, WIDTH, HEIGHT, parts)


def steps(title: str, one: Series, other: Series, *, margin: float = 0.0) -> Markup:
    """Two small histograms over each other, each as a share of its rows.

    Args:
        title: What the histograms show.
        one: The outline that is drawn as a line.
        other: The outline that is drawn as an area.
        margin: How far the outlines reach over the least and the greatest value.
    """
    held = [point for each in (one, other) for point in each.points]
    if not held:
        return Markup()
    width, height, bottom = 240, 96, 18
    x_low, x_high = frame.ends([point[0] for point in held])
    across = frame.scale(x_low, x_high, 4, width - 4)
    up = frame.scale(0, max(point[1] for point in held) or 1, height - bottom, 6)
    parts = []
    for each, kind in ((other, "area"), (one, "line")):
        path = "L".join(f"{coordinate(across(px))} {coordinate(up(py))}" for px, py in each.points)
        parts.append(html('<path class="{k} c{n}" d="M{p}"/>', k=kind, n=each.color, p=path))
    for at, inside, anchor in ((x_low, margin, "start"), (x_high, -margin, "end")):
        parts.append(
            html(
                '<text class="tick" x="{x}" y="{y}" text-anchor="{a}">{t}</text>',
                x=coordinate(across(at)),
                y=height - 3,
                a=anchor,
                t=_end(at + inside, x_high - x_low),
            )
        )
    return frame.figure(title, width, height, parts)


def areas(
    title: str,
    shapes: Sequence[tuple[str, Sequence[Sequence[tuple[float, float]]], int | None]],
    marks: Sequence[Mark] = (),
) -> Markup:
    """A choropleth.

    Args:
        title: What the chart shows.
        shapes: Name with its figures, boundaries in longitude and latitude, and number of the
            shade, 0 to 5, or None without a figure.
        marks: Circles over the areas; one outside of the map is left out.
    """
    points = [point for _, rings, _ in shapes for ring in rings for point in ring]
    if not points:
        return Markup()
    x_low, x_high = frame.ends([point[0] for point in points])
    y_low, y_high = frame.ends([point[1] for point in points])
    # Equirectangular, true to scale at the middle latitude.
    shrink = math.cos(math.radians((y_low + y_high) / 2))
    height = min(560.0, WIDTH * (y_high - y_low) / max((x_high - x_low) * shrink, 1e-9))
    width = height * (x_high - x_low) * shrink / max(y_high - y_low, 1e-9)
    across, up = frame.scale(x_low, x_high, 2, width - 2), frame.scale(y_low, y_high, height - 2, 2)
    parts = [
        html(
            '<path class="shape {shade}" d="{path}"><title>{name}</title></path>',
            shade="none" if shade is None else f"s{shade}",
            path=" ".join(
                "M" + "L".join(f"{across(px):.1f} {up(py):.1f}" for px, py in ring) + "Z"
                for ring in rings
            ),
            name=name,
        )
        for name, rings, shade in shapes
    ]
    labels = []
    # Smaller circles lie over larger ones, and all texts over the circles.
    for mark in sorted(marks, key=lambda each: -each.share):
        if not (x_low <= mark.x <= x_high and y_low <= mark.y <= y_high):
            continue
        radius = max(FEWEST_RADIUS, MOST_RADIUS * mark.share**0.5)
        parts.append(
            html(
                '<circle class="center" cx="{x}" cy="{y}" r="{r}"><title>{name}</title></circle>',
                name=mark.name,
                x=coordinate(across(mark.x)),
                y=coordinate(up(mark.y)),
                r=coordinate(radius),
            )
        )
        labels.append(
            html(
                '<text class="number" x="{x}" y="{y}" text-anchor="middle">{label}</text>',
                x=coordinate(across(mark.x)),
                y=coordinate(up(mark.y) + 4.5),
                label=mark.label,
            )
        )
    parts += labels
    return frame.figure(title, round(width), round(height), parts)


def shades(
    values: Iterable[float | None],
) -> tuple[list[float], Callable[[float | None], int | None]]:
    """Ends of six shades with about equally many values, and the shade of a value."""
    held = sorted(value for value in values if value is not None)
    ends = [held[min(len(held) - 1, len(held) * n // 6)] for n in range(1, 6)] if held else []

    def shade(value: float | None) -> int | None:
        return None if value is None else sum(value >= end for end in ends)

    return ends, shade


def _end(value: float, span: float) -> str:
    """An end of a small axis, with as many places as its length is worth."""
    places = max(0, 1 - math.floor(math.log10(span))) if span > 0 else 3
    shown = f"{value:,.{places}f}"
    return shown.rstrip("0").rstrip(".") if places else shown


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
