"""Answers of a regression or a count: against the labels, residuals, and means by decile."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from markupsafe import Markup

from goldlake.workflows.report import charts, densities
from goldlake.workflows.report.frame import Series
from goldlake.workflows.report.gathered import GatheredModel
from goldlake.workflows.report.markup import folded, grid, paragraph, percent, rough, table
from goldlake_core.documents.examining import Examined, NumberAnswers, NumberBin, Scale


def lead(examined: Examined, found: NumberAnswers) -> str:
    """The sentence that a reviewer needs first."""
    metrics = found.metrics
    text = (
        f"On {examined.examined:,} test rows an answer is {rough(metrics.get('mae'))} off on "
        "average"
    )
    if metrics.get("r2") is not None:
        text += f"; the answers explain {percent(metrics['r2'])} of how the labels vary"
    if metrics.get("calibration") is not None:
        text += f"; the model expects {rough(metrics['calibration'])} events for each that came"
    return f"{text}. {bias(found)}"


def bias(found: NumberAnswers) -> str:
    """Whether the answers are too high or too low on average."""
    if found.bias_interval is None:
        return f"The mean answer is {rough(abs(found.bias))} off."
    low, high = found.bias_interval
    ends = f"{rough(low)} to {rough(high)} at 95 %"
    if low <= 0 <= high:
        return f"They are neither surely too high nor surely too low: {ends}."
    side = "high" if low > 0 else "low"
    return f"They are {rough(abs(found.bias))} too {side} on average: {ends}."


def worst_bin(found: NumberAnswers) -> str | None:
    """The decile whose mean is furthest from its prediction for sure, in words; None for none."""
    apart = [
        (max(b.observed.low - b.predicted, b.predicted - b.observed.high), place, b)
        for place, b in enumerate(found.bins, 1)
    ]
    least, place, worst = max(apart, key=lambda each: each[0], default=(0.0, 0, None))
    if worst is None or least <= 0:
        return None
    side = "more" if worst.observed.value > worst.predicted else "less"
    return (
        f"In the {ordinal(place)} decile of the predictions the label is "
        f"{rough(worst.observed.value)} on average, {side} than the {rough(worst.predicted)} that "
        "is predicted."
    )


def ordinal(place: int) -> str:
    """A place from 1 on as people say it."""
    ending = {1: "st", 2: "nd", 3: "rd"}.get(place if place < 20 else place % 10, "th")
    return f"{place}{ending}"


def drawn(of: GatheredModel, found: NumberAnswers) -> Iterator[Markup]:
    """Charts of the answers, and their figures."""
    before = of.theirs(NumberAnswers)
    there = f"@{of.against.version}" if of.against is not None else ""
    here = f"@{of.subject.version}" if of.subject.version is not None else "candidate"
    label = of.subject.model.label
    log = "x" if found.scale == "log" else ""
    parts = [
        densities.density(
            "Predicted against actual; on the line both are equal",
            found.density,
            found.scale,
            x="predicted",
            y=f"actual {label}",
        ),
        _calibration(
            "Calibration by deciles of the prediction",
            {here: found.bins, **({there: before.bins} if before else {})},
            found.scale,
            unit=label,
        ),
        densities.histogram("Residuals", found.residuals, x="predicted minus actual"),
        charts.lines(
            "Residuals by deciles of the prediction: the median, and from the 10th to the 90th "
            "percentile",
            [
                Series("", [(b.predicted, 0.0) for b in found.bins], 0),
                Series("", [(b.predicted, b.residuals[1]) for b in found.bins], 1, has_dots=True),
            ],
            x="predicted",
            y="predicted minus actual",
            errors=[(b.predicted, b.residuals[0], b.residuals[2]) for b in found.bins],
            log=log,
        ),
    ]
    if found.rates:
        exposure = of.subject.model.head.exposure
        parts.append(
            _calibration(
                f"Rates per unit of {exposure}, by deciles of the predicted rate",
                {here: found.rates, **({there: before.rates} if before else {})},
                "linear",
                unit="rate",
            )
        )
    yield grid(parts)
    notes = ["Vertical lines of calibration are intervals of the mean at 95 %."]
    beyond = [
        (found.density.outside, "predicted against actual"),
        (found.residuals.outside, "the residuals"),
    ]
    for rows, chart in beyond:
        if rows:
            notes.append(f"{rows:,} rows lie beyond the edges of {chart}, in the outermost cells.")
    yield paragraph(" ".join(notes), "soft")
    yield folded("Deciles as figures", _figures(found.bins))


def _calibration(
    title: str, lines: dict[str, tuple[NumberBin, ...]], scale: Scale, *, unit: str
) -> Markup:
    bins = [each for line in lines.values() for each in line]
    if not bins:
        return Markup()
    mine = next(iter(lines.values()))
    reached = [v for b in bins for v in (b.predicted, b.observed.value)]
    reached += [v for b in mine for v in (b.observed.low, b.observed.high)]
    if scale == "log":
        ends = (max(min(reached), 0.0), max(reached))
    else:
        ends = (min(reached), max(reached))
    if ends[0] == ends[1]:
        ends = (ends[0] - 0.5, ends[1] + 0.5)
    series = [Series("equal", [(ends[0], ends[0]), (ends[1], ends[1])], 0)]
    for color, (name, line) in enumerate(lines.items(), 1):
        points = [(b.predicted, b.observed.value) for b in line]
        series.append(Series(name, points, color, has_dots=True))
    return charts.lines(
        title,
        series,
        x=f"mean predicted {unit}",
        y=f"mean actual {unit}",
        x_range=ends,
        y_range=ends,
        errors=[(b.predicted, b.observed.low, b.observed.high) for b in mine],
        log="xy" if scale == "log" else "",
    )


def _figures(bins: Sequence[NumberBin]) -> Markup:
    rows = [
        (
            str(place),
            f"{b.rows:,}",
            rough(b.predicted),
            rough(b.observed.value),
            f"{rough(b.observed.low)} to {rough(b.observed.high)}",
            f"{rough(b.residuals[0])} to {rough(b.residuals[2])}",
        )
        for place, b in enumerate(bins, 1)
    ]
    head = ("Decile", "Rows", "Mean predicted", "Mean actual", "Interval", "Residuals, 80 %")
    return table("Rows by what is predicted, the lowest first", head, rows, numbers=range(1, 6))
