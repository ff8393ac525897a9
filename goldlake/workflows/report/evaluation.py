"""Section 5: curves on the test split, thresholds with the operating point, and slices."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from goldlake.workflows.report import charts, slices
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
    words,
)
from goldlake_core.documents.examining import Examined, OperatingPoint, SliceErrors

MOST_SLICES = 12


def part(found: GatheredModel) -> Part:
    """The section."""
    examined = found.examined
    if isinstance(examined, str):
        return _without(found, examined)
    chosen = examined.chosen
    how = "which the contract chose" if examined.is_chosen else "as the contract chooses none"
    lead = (
        f"On {examined.examined:,} test rows with {examined.positives:,} positives the model finds "
        f"{percent(chosen.recall)} of the positives, and {percent(chosen.precision)} of its alarms "
        f"are right, at the threshold {number(chosen.threshold)}, {how}."
    )
    body = [_curves(found, examined), _thresholds(examined)]
    if examined.examined < examined.rows:
        text = f"An even sample of the {examined.rows:,} test rows was answered."
        body.insert(0, paragraph(text, "soft"))
    body.append(_slices(found, examined))
    return Part("evaluation", "Evaluation", lead, joined(body))


def _without(found: GatheredModel, why: str) -> Part:
    """Metrics and slices: for other heads, and where the test split cannot be answered any more."""
    trained, about = found.subject.trained, found.subject.about
    metrics = trained.metrics if trained else about.metrics if about else {}
    whole = next((each for each in found.slices if not each.slice), None)
    ends = slices.intervals(whole) if whole else {}
    rows = [
        (
            words(name),
            number(value, 4),
            " to ".join(number(end, 4) for end in ends[name]) if name in ends else "–",
        )
        for name, value in metrics.items()
    ]
    body = [paragraph(f"There are no curves: {why.rstrip('.')}.", "soft")]
    if rows:
        head = ("Metric", "Value", "Interval at 95 %")
        body.insert(0, table("Metrics on the test split", head, rows, (1, 2)))
    body.append(slices.drawn(found.slices))
    lead = "These are the metrics that the gate looked at." if rows else "Nothing was evaluated."
    return Part("evaluation", "Evaluation", lead, joined(body))


def _curves(found: GatheredModel, examined: Examined) -> Markup:
    other = found.on_same_rows
    here = f"@{found.subject.version}" if found.subject.version is not None else "candidate"
    there = f"@{found.against.version}" if found.against is not None else ""
    chosen = examined.chosen
    negatives = chosen.false_positives + chosen.true_negatives
    alarm_rate = chosen.false_positives / negatives if negatives else 0.0
    share = examined.positives / max(examined.examined, 1)
    unit = (0.0, 1.0)
    roc = [Series("", [(0, 0), (1, 1)], 0), Series(here, examined.roc, 1)]
    precision = [
        Series("", [(0, share), (1, share)], 0),
        Series(here, examined.precision_recall, 1),
    ]
    if other is not None:
        roc.append(Series(there, other.roc, 2))
        precision.append(Series(there, other.precision_recall, 2))
    bins = examined.calibration
    most = max([b.predicted for b in bins] + [b.observed.high for b in bins] + [0.1])
    auc, average = number(examined.auc), number(examined.average_precision)
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
        charts.lines(
            f"Calibration in {len(bins)} bins of equally many rows, Brier score "
            f"{number(examined.brier)}",
            [
                Series("perfect", [(0, 0), (most, most)], 0),
                Series("model", [(b.predicted, b.observed.value) for b in bins], 1, has_dots=True),
            ],
            x="mean probability",
            y="share of positives",
            x_range=(0, most),
            y_range=(0, most),
            errors=[(b.predicted, b.observed.low, b.observed.high) for b in bins],
        ),
    ]
    return grid([*(each for each in drawn if each), _confusion(chosen)])


def _thresholds(examined: Examined) -> Markup:
    points = [(point, "") for point in examined.table]
    points.append((examined.chosen, "chosen"))
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


def _slices(found: GatheredModel, examined: Examined) -> Markup:
    if not examined.slices:
        return paragraph("The contract names no slices of enough rows.", "soft")
    other = found.on_same_rows
    theirs = {(s.column, s.value): s for s in other.slices} if other else {}
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
        for each in examined.slices[:MOST_SLICES]
    ]
    title = f"Wrong answers by slice, the worst {len(bars)} of {len(examined.slices)}"
    note = paragraph(
        "Worst first: by the lower end of the interval. The intervals cover at 95 % for all slices "
        "together (Wilson, Bonferroni).",
        "soft",
    )
    head = ["Value", "Column", "Rows", "Positives", "Recall", "Wrong", "Interval"]
    if theirs:
        assert found.against is not None
        head.append(f"Wrong @{found.against.version}")
    rows = [_slice_row(each, theirs, has_other=bool(theirs)) for each in examined.slices]
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
    each: SliceErrors, theirs: dict[tuple[str, str], SliceErrors], *, has_other: bool
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
        before = theirs.get((each.column, each.value))
        row.append(percent(before.wrong.value) if before else "–")
    return row
