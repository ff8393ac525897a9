"""Answers of a multiclass model: what is confused with what, and recall and precision by class."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from markupsafe import Markup

from goldlake.workflows.report import charts
from goldlake.workflows.report.charts import Bar
from goldlake.workflows.report.gathered import GatheredModel
from goldlake.workflows.report.markup import (
    counted,
    folded,
    grid,
    html,
    joined,
    paragraph,
    percent,
    shaded,
    table,
)
from goldlake_core.documents.examining import (
    ClassAnswers,
    ClassResult,
    Confusion,
    Examined,
    Interval,
)

MOST_BARS = 15
MOST_CONFUSIONS = 8


def lead(examined: Examined, found: ClassAnswers) -> str:
    """The sentence that a reviewer needs first."""
    right = found.right
    text = (
        f"On {examined.examined:,} test rows {percent(right.value)} of the answers are right "
        f"({percent(right.low)} to {percent(right.high)} at 95 %)."
    )
    worst = found.classes[0]
    if worst.recall is not None and worst.recall.value < right.value:
        text += f" It knows {worst.name} least: it finds {percent(worst.recall.value)} of its rows."
    if found.confusions:
        text += f" The most frequent error: {sentence(found.confusions[0])}."
    return text


def sentence(each: Confusion) -> str:
    """A confusion in words."""
    return f"{each.label} is answered as {each.answered} in {counted(each.rows, 'row')}"


def drawn(of: GatheredModel, found: ClassAnswers) -> Iterator[Markup]:
    """Confusions, classes and calibration."""
    before = of.theirs(ClassAnswers)
    there = f"@{of.against.version}" if of.against is not None else ""
    if found.confusions:
        first, rest = found.confusions[:MOST_CONFUSIONS], found.confusions[MOST_CONFUSIONS:]
        yield _confusions("What is confused most", first)
        if rest:
            more = _confusions("More confusions", rest)
            yield folded(f"The next {counted(len(rest), 'confusion')}", more)
    yield _matrix(found)
    classes = [each for each in found.classes if each.recall is not None]
    known = {each.name: each for each in before.classes} if before else {}
    shown = classes[:MOST_BARS]
    bars = [_bar(each, each.recall, known.get(each.name)) for each in shown]
    few = "" if len(shown) == len(classes) else f", the lowest {len(shown)} of {len(classes)}"
    bins = found.calibration
    yield grid(
        [
            charts.bars(f"Recall by class{few}", bars),
            charts.calibration(
                f"Calibration of the answered class in {len(bins)} bins of equally many rows",
                bins,
                x="mean probability of the answer",
                y="share of right answers",
                most=1,
            ),
        ]
    )
    note = (
        "The lines are intervals at 95 % (Wilson); those of classes cover for all classes together "
        "(Bonferroni)."
    )
    if known:
        note += f" The second bar is that of {there}."
    yield paragraph(note, "soft")
    yield folded("Recall and precision of each class", _classes(found.classes))


def _bar(each: ClassResult, share: Interval | None, before: ClassResult | None) -> Bar:
    assert share is not None
    other = before.recall.value if before is not None and before.recall is not None else None
    return Bar(each.name, share.value, share.low, share.high, other, text=percent(share.value))


def _confusions(title: str, found: Sequence[Confusion]) -> Markup:
    rows = [(c.label, c.answered, f"{c.rows:,}", percent(c.share)) for c in found]
    head = ("It is", "Answered", "Rows", "Of the class")
    return table(title, head, rows, numbers=(2, 3))


def _matrix(found: ClassAnswers) -> Markup:
    matrix = found.matrix
    rows = []
    for name, counts in zip(matrix.classes, matrix.counts, strict=True):
        of_class = sum(counts)
        rows.append((name, [(f"{n:,}", n / of_class if of_class else 0.0) for n in counts]))
    caption = "Confusion matrix: a row is what it is, a column what was answered"
    note = "The shade of a cell is its share of the rows of its class."
    return joined(
        [shaded(caption, "It is", matrix.classes, rows), html('<p class="soft">{n}</p>', n=note)]
    )


def _classes(found: Sequence[ClassResult]) -> Markup:
    def ends(share: Interval | None) -> str:
        return "–" if share is None else f"{percent(share.low)} to {percent(share.high)}"

    rows = [
        (
            each.name,
            f"{each.rows:,}",
            f"{each.answered:,}",
            percent(each.recall.value if each.recall else None),
            ends(each.recall),
            percent(each.precision.value if each.precision else None),
            ends(each.precision),
            f"{each.f1:.3f}",
        )
        for each in found
    ]
    head = ("Class", "Rows", "Answered", "Recall", "Interval", "Precision", "Interval", "F1")
    return table("The class that is surely found least comes first", head, rows, range(1, 8))
