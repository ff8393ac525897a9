"""Tables for notebooks: texts on the left, numbers on the right, whatever the notebook's style."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from markupsafe import Markup

from goldlake.workflows.report.markup import html, table

_STYLE = Markup(
    "<style>"
    ".goldlake{margin-bottom:1em}.goldlake .scroll{overflow-x:auto}"
    ".goldlake table caption{text-align:left;font-weight:bold;white-space:nowrap;padding:.3em 0}"
    ".goldlake table th,.goldlake table td{text-align:left;padding:.2em .8em;max-width:34em}"
    ".goldlake table th.n,.goldlake table td.n{text-align:right}"
    "</style>"
)


def shown(
    caption: str, head: Sequence[str], rows: Iterable[Sequence[object]], numbers: Iterable[int] = ()
) -> Markup:
    """A table as HTML with its style; what cells hold is escaped.

    Args:
        caption: What the table shows.
        head: Names of the columns.
        rows: Cells of the rows.
        numbers: Places of the columns that are aligned to the right.
    """
    found = table(caption, head, rows, numbers)
    return html('{style}<div class="goldlake">{found}</div>', style=_STYLE, found=found)


def figure(value: object) -> str:
    """A number for people: a whole one without decimals, any other with four."""
    if isinstance(value, float):
        return f"{value:,.0f}" if value.is_integer() and abs(value) >= 10 else f"{value:.4f}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
