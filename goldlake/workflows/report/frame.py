"""Frames of charts: axes with their ticks, scales and legends."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from goldlake.workflows.report.markup import html, joined

WIDTH, HEIGHT = 480, 280
LEFT, RIGHT, TOP, BOTTOM = 72, 14, 14, 44
FEWEST_TICKS = 4
DIGIT = 8
"""Width of a digit of a tick on a phone, where texts are largest."""


@dataclass(frozen=True)
class Series:
    """A line of a chart.

    Attributes:
        name: Its name in the legend.
        points: Points x, y in the order of x.
        color: Number of its color, 1 to 4; 0 is that of reference lines.
        has_dots: Whether each point has a dot.
        has_line: Whether the points are joined.
    """

    name: str
    points: Sequence[tuple[float, float]]
    color: int = 1
    has_dots: bool = False
    has_line: bool = True


@dataclass(frozen=True)
class Axis:
    """An axis of a chart.

    Attributes:
        name: What it measures.
        low: Its lower end.
        high: Its upper end.
        is_log: Whether places are by log(1 + x), for numbers of 0 or more.
        is_whole: Whether only whole numbers are named, such as epochs.
    """

    name: str
    low: float
    high: float
    is_log: bool = False
    is_whole: bool = False

    def scale(self, start: float, end: float) -> Callable[[float], float]:
        """Places between two coordinates."""
        if not self.is_log:
            return scale(self.low, self.high, start, end)
        place = scale(math.log1p(self.low), math.log1p(self.high), start, end)
        return lambda value: place(math.log1p(max(value, self.low)))

    def ticks(self) -> list[float]:
        """Values that are named on the axis."""
        if self.is_whole:
            return [value for value in ticks(self.low, self.high) if value.is_integer()]
        if not self.is_log:
            return ticks(self.low, self.high)
        for factors in ((1.0,), (1.0, 3.0), (1.0, 2.0, 5.0)):
            every = [0.0, *(factor * 10.0**n for n in range(16) for factor in factors)]
            shown = [value for value in every if self.low <= value <= self.high]
            if len(shown) >= FEWEST_TICKS:
                return shown
        return ticks(self.low, self.high)


def figure(
    title: str, width: float, height: float, parts: Sequence[Markup], legend: str = ""
) -> Markup:
    """An SVG with its title, which screen readers read too."""
    return html(
        '<figure><figcaption>{title}</figcaption>{legend}<svg viewBox="0 0 {w} {h}" role="img" '
        'aria-label="{title}">{parts}</svg></figure>',
        title=title,
        legend=legend,
        w=coordinate(width),
        h=coordinate(height),
        parts=joined(parts),
    )


def legend(series: Sequence[Series]) -> Markup:
    """Names of lines with their colors; nothing where fewer than two have a name."""
    named = [each for each in series if each.name]
    if len(named) < 2:
        return Markup()
    items = [
        html('<span class="key c{n}">{name}</span>', n=each.color, name=each.name) for each in named
    ]
    return html('<p class="legend">{items}</p>', items=joined(items))


def axes(x: Axis, y: Axis) -> Markup:
    """Rules, ticks and names of both axes."""
    across, up = x.scale(LEFT, WIDTH - RIGHT), y.scale(HEIGHT - BOTTOM, TOP)
    parts = []
    for value in y.ticks():
        parts.append(
            html(
                '<path class="rule" d="M{a} {y}H{b}"/>'
                '<text class="tick" x="{tx}" y="{ty}" text-anchor="end">{text}</text>',
                a=LEFT,
                b=WIDTH - RIGHT,
                y=coordinate(up(value)),
                tx=LEFT - 6,
                ty=coordinate(up(value) + 4),
                text=f"{value:,.6g}",
            )
        )
    for value in x.ticks() if x.high > x.low else ():
        parts.append(
            html(
                '<text class="tick" x="{x}" y="{y}" text-anchor="{anchor}">{text}</text>',
                x=coordinate(min(across(value), WIDTH - 2)),
                y=HEIGHT - BOTTOM + 18,
                # A name of many digits at the right end would be cut off there.
                anchor="end"
                if across(value) + DIGIT * len(f"{value:,.6g}") / 2 > WIDTH
                else "middle",
                text=f"{value:,.6g}",
            )
        )
    parts.append(
        html(
            '<text class="axis" x="{x}" y="{y}" text-anchor="middle">{text}</text>',
            x=(LEFT + WIDTH - RIGHT) / 2,
            y=HEIGHT - 6,
            text=x.name,
        )
    )
    parts.append(
        html(
            '<text class="axis" transform="translate(12 {y}) rotate(-90)" '
            'text-anchor="middle">{text}</text>',
            y=(TOP + HEIGHT - BOTTOM) / 2,
            text=y.name,
        )
    )
    return joined(parts)


def ticks(low: float, high: float) -> list[float]:
    """Round numbers within a range, about five steps apart."""
    if high <= low:
        return [float(low)]
    rough = (high - low) / 5
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(size * factor for factor in (1, 2, 2.5, 5, 10) if size * factor >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [float(n * step) for n in range(first, math.floor(high / step + 1e-9) + 1)]


def rounded(low: float, high: float) -> tuple[float, float]:
    """Ends at whole ticks around a range."""
    if high <= low:
        return low - 0.5, high + 0.5
    named = ticks(low, high)
    step = named[1] - named[0] if len(named) > 1 else high - low
    return math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step


def ends(values: Sequence[float]) -> tuple[float, float]:
    """The least and the greatest value."""
    return min(values), max(values)


def scale(low: float, high: float, start: float, end: float) -> Callable[[float], float]:
    """Places between two coordinates, in proportion."""
    span = (high - low) or 1.0
    return lambda value: start + (value - low) / span * (end - start)


def coordinate(value: float) -> str:
    """A coordinate as SVG has it, short."""
    return f"{value:.1f}".removesuffix(".0")
