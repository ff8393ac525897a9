"""Probabilities of a binary model: curves on the test split, thresholds, and slices."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from markupsafe import Markup

from goldlake.workflows.report import charts
from goldlake.workflows.report.charts import Bar
from goldlake.workflows.report.frame import Series
from goldlake.workflows.report.gathered import GatheredModel
from goldlake.workflows.report.markup import (
    folded,
    grid,
    html,
    joined,
    number,
    paragraph,
    percent,
    table,
    words,
)
from goldlake_core.documents.examining import (
    BinaryAnswers,
    Examined,
    OperatingPoint,
    SliceErrors,
)

MOST_SLICES = 12


def lead(examined: Examined, answers: BinaryAnswers) -> str:
    """The sentence that a reviewer needs first."""
    chosen = answers.chosen
    how = "which the contract chose" if answers.is_chosen else "as the contract chooses none"
    return (
        f"On {examined.examined:,} test rows with {answers.positives:,} positives the model finds "
        f"{percent(chosen.recall)} of the positives, and {percent(chosen.precision)} of its alarms "
        f"are right, at the threshold {number(chosen.threshold)}, {how}."
    )


def drawn(found: GatheredModel, examined: Examined, answers: BinaryAnswers) -> Iterator[Markup]:
    """Curves, the table of thresholds, and slices."""
    yield _curves(found, examined, answers)
    yield _thresholds(answers)
    yield _slices(found, answers)


def _curves(found: GatheredModel, examined: Examined, answers: BinaryAnswers) -> Markup:
    other = found.theirs(BinaryAnswers)
    here = f"@{found.subject.version}" if found.subject.version is not None else "candidate"
    there = f"@{found.against.version}" if found.against is not None else ""
    chosen = answers.chosen
    negatives = chosen.false_positives + chosen.true_negatives
    alarm_rate = chosen.false_positives / negatives if negatives else 0.0
    share = answers.positives / max(examined.examined, 1)
    unit = (0.0, 1.0)
    roc = [Series("", [(0, 0), (1, 1)], 0), Series(here, answers.roc, 1)]
    precision = [
        Series("", [(0, share), (1, share)], 0),
        Series(here, answers.precision_recall, 1),
    ]
    if other is not None:
        roc.append(Series(there, other.roc, 2))
        precision.append(Series(there, other.precision_recall, 2))
    bins = answers.calibration
    auc, average = number(answers.auc), number(answers.average_precision)
    drawn = [
        charts.lines(
            f"ROC, area {auc}",
            roc,
            x="false alarms among the negatives",
            y="found positives",
            x_range=unit,
            y_range=unit,
            mark=(alarm_rate, chosen.recall or 0.0, "operating point"),
        ),
        charts.lines(
            f"Precision and recall, average precision {average}",
            precision,
            x="recall",
            y="precision",
            x_range=unit,
            y_range=unit,
            mark=(chosen.recall or 0.0, chosen.precision or 0.0, "operating point"),
        ),
        charts.calibration(
            f"Calibration in {len(bins)} bins of equally many rows, Brier score "
            f"{number(answers.brier)}",
            bins,
        ),
    ]
    return grid([*(each for each in drawn if each), _confusion(chosen)])


def _thresholds(answers: BinaryAnswers) -> Markup:
    points = [(point, "") for point in answers.table]
    points.append((answers.chosen, "chosen"))
    points.sort(key=lambda each: (each[0].threshold, each[1]))
    rows = [_threshold_row(point, note) for point, note in points]
    head = ("Recall", "Precision", "Alarms", "Threshold", "Missed", "False alarms", "Note")
    return table("What each threshold finds, recall first", head, rows, numbers=(1, 2, 3, 4, 5))


def _threshold_row(point: OperatingPoint, note: str) -> Sequence[object]:
    def cell(text: str) -> object:
        return html("<strong>{text}</strong>", text=text) if note else text

    texts = (
        percent(point.recall),
        percent(point.precision),
        percent(point.alarms),
        f"{point.threshold:.4f}",
        f"{point.false_negatives:,}",
        f"{point.false_positives:,}",
        "← operating point" if note else "",
    )
    return tuple(map(cell, texts))


def _confusion(chosen: OperatingPoint) -> Markup:
    rows = [
        ("is positive", f"{chosen.true_positives:,}", f"{chosen.false_negatives:,}"),
        ("is negative", f"{chosen.false_positives:,}", f"{chosen.true_negatives:,}"),
    ]
    head = ("A row that", "answered positive", "answered negative")
    return table("Confusion at the operating point", head, rows, numbers=(1, 2))


def _slices(found: GatheredModel, answers: BinaryAnswers) -> Markup:
    if not answers.slices:
        return paragraph("The contract names no slices of enough rows.", "soft")
    other = found.theirs(BinaryAnswers)
    before = {(s.column, s.value): s for s in other.slices} if other else {}
    bars = [
        Bar(
            each.value
            if any(map(str.isalpha, each.value))
            else f"{words(each.column)} {each.value}",
            each.wrong.value,
            each.wrong.low,
            each.wrong.high,
            text=percent(each.wrong.value),
        )
        for each in answers.slices[:MOST_SLICES]
    ]
    title = f"Wrong answers by slice, the worst {len(bars)} of {len(answers.slices)}"
    note = paragraph(
        "Worst first: by the lower end of the interval. The intervals cover at 95 % for all slices "
        "together (Wilson, Bonferroni).",
        "soft",
    )
    head = ["Value", "Column", "Rows", "Positives", "Recall", "Wrong", "Interval"]
    if before:
        assert found.against is not None
        head.append(f"Wrong @{found.against.version}")
    rows = [_slice_row(each, before, has_other=bool(before)) for each in answers.slices]
    figures = table("All slices", head, rows, numbers=range(2, len(head)))
    return joined(
        [
            html("<h3>{title}</h3>", title="Slices"),
            charts.bars(title, bars),
            note,
            folded("All slices as figures", figures),
        ]
    )


def _slice_row(
    each: SliceErrors, others: dict[tuple[str, str], SliceErrors], *, has_other: bool
) -> Sequence[object]:
    recall = each.found / each.positives if each.positives else None
    row = [
        each.value,
        each.column,
        f"{each.rows:,}",
        f"{each.positives:,}",
        percent(recall),
        percent(each.wrong.value),
        f"{percent(each.wrong.low)} to {percent(each.wrong.high)}",
    ]
    if has_other:
        before = others.get((each.column, each.value))
        row.append(percent(before.wrong.value) if before else "–")
    return row
