"""Section 6: what the model looks at, how it answers along a column, and its confident errors."""

from __future__ import annotations

from goldlake.workflows.report import charts
from goldlake.workflows.report.charts import Bar, Series
from goldlake.workflows.report.gathered import GatheredModel
from goldlake.workflows.report.markup import (
    Part,
    folded,
    grid,
    html,
    joined,
    number,
    paragraph,
    percent,
    table,
)

MOST_COLUMNS = 20


def part(found: GatheredModel) -> Part:
    """The section."""
    examined = found.examined
    if isinstance(examined, str):
        text = f"This needs the model's answers to its test split: {examined.rstrip('.')}."
        return Part("explanation", "Explanation", text)
    important = [each for each in examined.importance if each.drop > each.spread / 2 > 0]
    if important:
        names = ", ".join(each.column for each in important[:3])
        lead = f"The model looks most at {names}."
    else:
        lead = "No column alone matters more than chance."
    bars = [
        Bar(
            each.column,
            each.drop,
            each.drop - each.spread / 2,
            each.drop + each.spread / 2,
            text=f"{each.drop:.4f}",
        )
        for each in examined.importance[:MOST_COLUMNS]
    ]
    drawn = [charts.bars("AUC lost when the values of a column are shuffled", bars)]
    for each in examined.dependence:
        title = f"Mean probability if all rows had the same {each.column}"
        if each.is_number:
            points = [(float(text), value) for text, value in each.points]
            line = Series(each.column, points, 1, has_dots=True)
            drawn.append(charts.lines(title, [line], x=each.column, y="mean probability"))
        else:
            values = [Bar(text, value, text=percent(value)) for text, value in each.points]
            drawn.append(charts.bars(title, values))
    body = [
        grid(drawn),
        paragraph(
            "Shuffling is repeated three times on the test split; the line is the spread. Columns "
            "that say the same share their importance, so that each alone looks smaller than both.",
            "soft",
        ),
    ]
    if examined.mistakes:
        shown = list(examined.mistakes[0].row)
        rows = [
            (
                percent(mistake.probability),
                "positive" if mistake.label else "negative",
                *("–" if value is None else value for value in mistake.row.values()),
            )
            for mistake in examined.mistakes
        ]
        errors = table("The most confident errors", ("Answered", "It is", *shown), rows, (0,))
        body.append(folded(f"The {len(rows)} most confident errors", errors))
    if not drawn[0]:
        body.insert(0, html("<p>{t}</p>", t=f"AUC {number(examined.auc)}: one class only."))
    return Part("explanation", "Explanation", lead, joined(body))
