"""Charts of many numbers: how many rows have about the same value."""

from __future__ import annotations

from collections import defaultdict

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
    coordinate,
)
from goldlake.workflows.report.markup import html, joined, rough
from goldlake_core.documents.examining import Density, Histogram, Scale

SHADES = 6


def density(title: str, found: Density, scale: Scale, *, x: str, y: str) -> Markup:
    """Cells with the more rows the stronger their shade, and a line where both are equal.

    Args:
        title: What the chart shows.
        found: Rows by cell.
        scale: How both axes are divided.
        x: Name of the horizontal axis.
        y: Name of the vertical axis.
    """
    low, high = found.edges[0], found.edges[-1]
    is_log = scale == "log"
    x_axis, y_axis = Axis(x, low, high, is_log), Axis(y, low, high, is_log)
    across, up = x_axis.scale(LEFT, WIDTH - RIGHT), y_axis.scale(HEIGHT - BOTTOM, TOP)
    most = max((rows for *_, rows in found.cells), default=1)
    # A shade has up to so many rows; each is the same factor more than the one before.
    tops = [max(1, round(most ** (n / SHADES))) for n in range(1, SHADES + 1)]
    paths: dict[int, list[str]] = defaultdict(list)
    for i, j, rows in found.cells:
        left, right = across(found.edges[i]), across(found.edges[i + 1])
        bottom, top = up(found.edges[j]), up(found.edges[j + 1])
        shade = next(n for n, end in enumerate(tops) if rows <= end)
        wide, tall = coordinate(right - left), coordinate(bottom - top)
        start = f"M{coordinate(left)} {coordinate(top)}"
        paths[shade].append(f"{start}h{wide}v{tall}h-{wide}Z")
    cells = [
        html('<path class="s{n}" d="{path}"/>', n=n, path="".join(each))
        for n, each in sorted(paths.items())
    ]
    line = html(
        '<path class="line c0" d="M{a} {b}L{c} {d}"/>',
        a=coordinate(across(low)),
        b=coordinate(up(low)),
        c=coordinate(across(high)),
        d=coordinate(up(high)),
    )
    begins = [1, *(end + 1 for end in tops)]
    keys = [
        html('<span class="key s{n}">{text}</span>', n=n, text=_rows(begins[n], tops[n]))
        for n in sorted(paths)
    ]
    legend = html('<p class="legend">Rows of a cell: {keys}</p>', keys=joined(keys))
    parts = [frame.axes(x_axis, y_axis), *cells, line]
    return frame.figure(title, WIDTH, HEIGHT, parts, legend)


def _rows(first: int, last: int) -> str:
    return f"{last:,}" if first >= last else f"{first:,} to {last:,}"


def histogram(title: str, found: Histogram, *, x: str) -> Markup:
    """Rows by a number, with a line at 0.

    Args:
        title: What the chart shows.
        found: Rows by bin.
        x: Name of the number.
    """
    low, high = found.edges[0], found.edges[-1]
    x_axis = Axis(x, low, high)
    y_axis = Axis("rows", *frame.rounded(0, max(found.counts) or 1), is_whole=True)
    across, up = x_axis.scale(LEFT, WIDTH - RIGHT), y_axis.scale(HEIGHT - BOTTOM, TOP)
    parts = [frame.axes(x_axis, y_axis)]
    for count, left, right in zip(found.counts, found.edges, found.edges[1:], strict=False):
        parts.append(
            html(
                '<rect class="bar c1" x="{x}" y="{y}" width="{w}" height="{h}">'
                "<title>{a} to {b}: {rows}</title></rect>",
                x=coordinate(across(left) + 0.5),
                y=coordinate(up(count)),
                w=coordinate(max(across(right) - across(left) - 1, 0.5)),
                h=coordinate(HEIGHT - BOTTOM - up(count)),
                a=rough(left),
                b=rough(right),
                rows=f"{count:,}",
            )
        )
    if low < 0 < high:
        at = coordinate(across(0))
        parts.append(
            html('<path class="line c0" d="M{x} {a}V{b}"/>', x=at, a=TOP, b=HEIGHT - BOTTOM)
        )
    return frame.figure(title, WIDTH, HEIGHT, parts)
