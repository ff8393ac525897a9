"""HTML from texts: what a value is put into is escaped, and numbers are written for people."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from markupsafe import Markup

from goldlake_core.contracts.heads import OVER_BASELINE, is_over_baseline

State = Literal["good", "bad", "warning", "plain"]
MARKS: dict[State, str] = {"good": "✓ ", "bad": "✗ ", "warning": "! ", "plain": ""}
"""Marks beside colors, for those who do not see these."""
METRICS = {
    "auc": "AUC",
    "auc_precision_recall": "AUC of precision and recall",
    "binary_crossentropy": "cross-entropy",
    "crossentropy": "cross-entropy",
    "macro_f1": "macro F1",
    "mae": "MAE",
    "poisson_deviance": "Poisson deviance",
    "r2": "R²",
    "rmse": "RMSE",
}
"""Metrics whose name is not written as in code."""
SHADES = 5
"""Shades of the cells of a table, besides none."""


@dataclass(frozen=True)
class Part:
    """A section of the report.

    Attributes:
        id: Name of its anchor.
        title: Heading of the section.
        lead: The sentence that a reviewer needs first.
        body: Everything else in it.
        state: Whether it is as it should be.
    """

    id: str
    title: str
    lead: str
    body: Markup = Markup()
    state: State = "plain"


def html(template: str, **values: object) -> Markup:
    """A template with its values, each escaped unless it is markup already."""
    return Markup(template).format(**values)


def joined(parts: Iterable[Markup]) -> Markup:
    """Markup one after the other."""
    return Markup("\n").join(parts)


def folded(summary: str, body: Markup) -> Markup:
    """A detail that a reader opens."""
    return html("<details><summary>{summary}</summary>{body}</details>", summary=summary, body=body)


def table(
    caption: str,
    head: Sequence[str],
    rows: Iterable[Sequence[object]],
    numbers: Iterable[int] = (),
) -> Markup:
    """A table whose first column heads its rows.

    Args:
        caption: What the table shows, for people and screen readers.
        head: Names of the columns.
        rows: Cells of the rows, texts or markup.
        numbers: Places of the columns that are aligned to the right.
    """
    right = set(numbers)

    def cell(place: int, value: object) -> Markup:
        kind = Markup(' class="n"') if place in right else Markup()
        if place == 0:
            return html('<th scope="row"{kind}>{value}</th>', kind=kind, value=value)
        return html("<td{kind}>{value}</td>", kind=kind, value=value)

    lines = [
        html("<tr>{cells}</tr>", cells=Markup().join(cell(n, v) for n, v in enumerate(row)))
        for row in rows
    ]
    heads = Markup().join(
        html(
            '<th scope="col"{kind}>{name}</th>',
            kind=Markup(' class="n"') if place in right else Markup(),
            name=name,
        )
        for place, name in enumerate(head)
    )
    return html(
        '<div class="scroll" tabindex="0" role="region" aria-label="{caption}"><table>'
        "<caption>{caption}</caption>"
        "<thead><tr>{heads}</tr></thead><tbody>{lines}</tbody></table></div>",
        caption=caption,
        heads=heads,
        lines=joined(lines),
    )


def shaded(
    caption: str,
    corner: str,
    head: Sequence[str],
    rows: Iterable[tuple[str, Sequence[tuple[str, float]]]],
) -> Markup:
    """A table whose cells are the darker the larger a share is.

    Args:
        caption: What the table shows, for people and screen readers.
        corner: Name of the first column.
        head: Names of the other columns.
        rows: Name of a row, and text and share, 0 to 1, of each of its cells.
    """

    def cell(text: str, share: float) -> Markup:
        shade = 0 if share <= 0 else min(SHADES, 1 + int(share * SHADES))
        return html('<td class="n h{shade}">{text}</td>', shade=shade, text=text)

    lines = [
        html(
            '<tr><th scope="row">{name}</th>{cells}</tr>',
            name=name,
            cells=Markup().join(cell(*each) for each in cells),
        )
        for name, cells in rows
    ]
    heads = Markup().join(
        html('<th scope="col"><span>{name}</span></th>', name=name) for name in head
    )
    return html(
        '<div class="scroll" tabindex="0" role="region" aria-label="{caption}">'
        '<table class="shaded"><caption>{caption}</caption><thead><tr><th scope="col">{corner}</th>'
        "{heads}</tr></thead><tbody>{lines}</tbody></table></div>",
        caption=caption,
        corner=corner,
        heads=heads,
        lines=joined(lines),
    )


def facts(pairs: Iterable[tuple[str, object]]) -> Markup:
    """Names and values, one below the other."""
    found = [html("<dt>{name}</dt><dd>{value}</dd>", name=n, value=v) for n, v in pairs]
    return html('<dl class="facts">{found}</dl>', found=joined(found))


def whole(text: str) -> Markup:
    """A text in a cell that stays on one line."""
    return html('<span class="whole">{text}</span>', text=text)


def wrapped(text: str) -> Markup:
    """A long text in a cell that may be broken at any letter, so that the table fits the page."""
    return html('<span class="wrapped">{text}</span>', text=text)


def badge(text: str, state: State) -> Markup:
    """A word with a color and a mark."""
    return html(
        '<span class="badge {state}">{mark}{text}</span>',
        state=state,
        mark=MARKS[state],
        text=text,
    )


def paragraph(text: object, kind: str = "") -> Markup:
    """A paragraph, of a style where one is named."""
    if kind:
        return html('<p class="{kind}">{text}</p>', kind=kind, text=text)
    return html("<p>{text}</p>", text=text)


def grid(parts: Iterable[Markup]) -> Markup:
    """Charts side by side where there is room."""
    return html('<div class="grid">{parts}</div>', parts=joined(parts))


def command(text: str) -> Markup:
    """A command line."""
    return html('<pre tabindex="0"><code>{text}</code></pre>', text=text)


def number(value: float | None, digits: int = 3) -> str:
    """A number with that many decimal places, fewer from 10 on, or a dash where there is none."""
    if value is None or not math.isfinite(value):
        return "–"
    if float(value).is_integer() and abs(value) < 1e15:
        return f"{value:,.0f}"
    if abs(value) < 1e-3:
        return f"{value:.{digits}g}"
    # From 10 on, each further digit of the whole part takes the place of a decimal.
    places = max(0, digits - math.floor(math.log10(max(abs(value), 1))))
    shown = f"{value:,.{places}f}"
    return shown.rstrip("0").rstrip(".") if places else shown


def rough(value: float | None) -> str:
    """A measured number with three significant digits, or a dash where there is none."""
    if value is None or not math.isfinite(value):
        return "–"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def percent(value: float | None) -> str:
    """A share in percent, or a dash where there is none."""
    return "–" if value is None else f"{100 * value:.1f} %"


def instant(text: str | None) -> str:
    """An ISO 8601 instant as day and time of day, in UTC."""
    return "–" if not text else f"{text[:16].replace('T', ' ')} UTC"


def counted(count: int, noun: str, plural: str = "") -> str:
    """A number with its noun, in the plural where there is not one."""
    return f"{count:,} {noun if count == 1 else plural or f'{noun}s'}"


def metric_name(name: str) -> str:
    """The name of a metric as people write it."""
    if is_over_baseline(name):
        return f"{metric_name(name.removesuffix(OVER_BASELINE))} over baseline"
    return METRICS.get(name, words(name))


def sentence(text: str) -> str:
    """A text that begins with a capital letter."""
    return text[:1].upper() + text[1:]


def words(name: str) -> str:
    """A name of code as words."""
    return {"example_count": "rows evaluated"}.get(name, name.replace("_", " "))
