"""Section 6: what the model looks at, how it answers along a column, and its largest errors."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from goldlake.workflows.report import charts
from goldlake.workflows.report.charts import Bar
from goldlake.workflows.report.frame import Series
from goldlake.workflows.report.gathered import GatheredModel
from goldlake.workflows.report.markup import (
    Part,
    folded,
    grid,
    joined,
    paragraph,
    percent,
    rough,
    shaded,
    table,
    words,
)
from goldlake_core.documents.examining import (
    BinaryAnswers,
    Dependence,
    Examined,
    Mistake,
    NumberAnswers,
)

MOST_COLUMNS, MOST_VALUES = 20, 8
LOST = {
    "auc": "AUC lost",
    "crossentropy": "Cross-entropy added, in nats,",
    "rmse": "RMSE added",
    "poisson_deviance": "Poisson deviance added",
}
"""What shuffling a column does to each metric that columns are compared by."""


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
    elif examined.importance:
        lead = "No column alone matters more than chance."
    else:
        lead = "Which columns matter cannot be said: all rows of the test split are of one class."
    bars = [
        Bar(
            each.column,
            each.drop,
            each.drop - each.spread / 2,
            each.drop + each.spread / 2,
            text=f"{each.drop:.4f}" if abs(each.drop) < 10 else rough(each.drop),
        )
        for each in examined.importance[:MOST_COLUMNS]
    ]
    title = f"{LOST[examined.importance_by]} when the values of a column are shuffled"
    drawn = [
        charts.bars(title, bars),
        *(_dependence(each, examined) for each in examined.dependence),
    ]
    body = [grid(drawn), paragraph(_note(found), "soft")]
    if examined.mistakes:
        body.append(_mistakes(found, examined, examined.mistakes))
    return Part("explanation", "Explanation", lead, joined(body))


def _note(found: GatheredModel) -> str:
    text = (
        "Shuffling is repeated three times on the test split; the line is the spread. Columns "
        "that say the same share their importance, so that each alone looks smaller than both."
    )
    exposure = found.subject.model.head.exposure
    if exposure:
        text += f" {exposure} is left out: the count is in proportion to it by definition."
    return text


def _dependence(each: Dependence, examined: Examined) -> Markup:
    followed = examined.followed
    is_share = not isinstance(examined.answers, NumberAnswers)
    if len(followed) > 1:
        title = f"Mean probability of each class if all rows had the same {each.column}"
        if each.is_number:
            return charts.lines(title, _lines(each, followed), x=each.column, y="mean probability")
        rows = [(text, [(percent(mean), mean) for mean in means]) for text, means in each.points]
        return shaded(title, each.column, followed, rows)
    what = words(followed[0]) if followed[0] != "value" else "answer"
    title = f"Mean {what} if all rows had the same {each.column}"
    if each.is_number:
        lines = _lines(each, (each.column,))
        return charts.lines(title, lines, x=each.column, y=f"mean {what}")
    bars = [
        Bar(text, means[0], text=percent(means[0]) if is_share else rough(means[0]))
        for text, means in each.points
    ]
    return charts.bars(title, bars)


def _lines(each: Dependence, names: Sequence[str]) -> list[Series]:
    return [
        Series(name, [(float(text), means[n]) for text, means in each.points], n + 1, has_dots=True)
        for n, name in enumerate(names)
    ]


def _mistakes(found: GatheredModel, examined: Examined, mistakes: Sequence[Mistake]) -> Markup:
    matter = [each.column for each in examined.importance]
    others = [name for name in mistakes[0].row if name not in matter]
    columns = [*others, *matter[:MOST_VALUES]]
    table_of = found.usecase.gold[found.subject.model.table]
    measured = {each.name for each in table_of.columns if each.type in ("double", "float")}
    cells = [[_cell(each.row.get(n), n in measured) for n in columns] for each in mistakes]
    if isinstance(examined.answers, NumberAnswers):
        title = _counted(mistakes, "largest")
        head = ["Predicted", "Actual", "Off by"]
        figures = [[rough(float(m.answered)), rough(float(m.label)), _off(m)] for m in mistakes]
        right: Sequence[int] = (0, 1, 2)
        if examined.importance_by == "poisson_deviance":
            title += ", by their Poisson deviance"
    else:
        title = _counted(mistakes, "most confident")
        is_binary = isinstance(examined.answers, BinaryAnswers)
        head = ["Answered", "It is"] if is_binary else ["Answered", "Probability", "It is"]
        right = (0,) if is_binary else (1,)
        figures = [
            [percent(m.probability), "positive" if m.label else "negative"]
            if is_binary
            else [str(m.answered), percent(m.probability), str(m.label)]
            for m in mistakes
        ]
    rows = [[*one, *other] for one, other in zip(figures, cells, strict=True)]
    shown = table(title, [*head, *columns], rows, right)
    if len(matter) > MOST_VALUES:
        text = f"Of {len(matter)} inputs, the {MOST_VALUES} that matter most are shown."
        shown += paragraph(text, "soft")
    return folded(title, shown)


def _cell(value: str | None, is_measured: bool) -> str:
    """A value as text; a measured number with six significant digits."""
    if value is None:
        return "–"
    return f"{float(value):.6g}" if is_measured else value


def _counted(mistakes: Sequence[Mistake], kind: str) -> str:
    return f"The {kind} error" if len(mistakes) == 1 else f"The {len(mistakes)} {kind} errors"


def _off(mistake: Mistake) -> str:
    off = float(mistake.answered) - float(mistake.label)
    return f"{'+' if off > 0 else ''}{rough(off)}"
