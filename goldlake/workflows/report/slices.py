"""Slices of models of every head, from the file ``evaluation.json``: the worst first."""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup

from goldlake.workflows.report import charts
from goldlake.workflows.report.charts import Bar
from goldlake.workflows.report.markup import (
    folded,
    html,
    joined,
    metric_name,
    number,
    paragraph,
    sentence,
    table,
    words,
)
from goldlake_core.contracts.heads import METRICS
from goldlake_core.documents.training import SliceReport

MOST_SLICES = 12
SQUARED, ROOT = "mean_squared_error", "rmse"

Ends = tuple[float, float]


def intervals(report: SliceReport) -> dict[str, Ends]:
    """Ends of the intervals by metric; those of the squared error become those of its root."""
    found = dict(report.intervals)
    if SQUARED in found and report.metrics.get(ROOT) is not None:
        low, high = found.pop(SQUARED)
        found[ROOT] = (math.sqrt(max(low, 0.0)), math.sqrt(max(high, 0.0)))
    return found


def metric_of(reports: Sequence[SliceReport]) -> str | None:
    """The metric that slices are compared by: the head's first one with an interval, or None."""
    known = [
        {name for name in intervals(each) if each.metrics.get(name) is not None}
        for each in reports
        if each.is_judged
    ]
    common = set.intersection(*known) if known else set()
    judged = [name for name in METRICS if name in common]
    return next((name for name in judged if METRICS[name].is_better_high is not None), None)


def drawn(reports: Sequence[SliceReport], whole_has: str = "The whole test split has") -> Markup:
    """A chart of the worst slices and a table of all; nothing where there are no slices.

    Args:
        reports: The slices; one without columns is the whole.
        whole_has: How the sentence about the whole begins.
    """
    parts = [each for each in reports if each.slice and each.is_judged]
    metric = metric_of(parts)
    if metric is None:
        return Markup()
    sign = -1 if METRICS[metric].is_better_high else 1
    parts.sort(key=lambda each: -sign * _figure(each, metric))
    whole = next((each.metrics.get(metric) for each in reports if not each.slice), None)
    shown = parts[:MOST_SLICES]
    bars = [
        Bar(_name(each), _figure(each, metric), *intervals(each)[metric], text=_value(each, metric))
        for each in shown
    ]
    title = f"{sentence(metric_name(metric))} by slice, the worst {len(shown)} of {len(parts)}"
    note = "The lines are intervals at 95 %."
    if whole is not None:
        note += f" {whole_has} {number(whole)}."
    rows = [
        (
            _name(each),
            f"{each.rows:,}",
            _value(each, metric),
            " to ".join(number(end) for end in intervals(each)[metric]),
            number(each.baseline.get(metric)) if each.baseline else "–",
            each.problem or "–",
        )
        for each in parts
    ]
    head = ("Slice", "Rows", metric_name(metric), "Interval", "Served then", "Problem")
    return joined(
        [
            html("<h3>{title}</h3>", title="Slices"),
            charts.bars(title, bars),
            paragraph(note, "soft"),
            folded("All slices as figures", table("All slices", head, rows, (1, 2, 3, 4))),
        ]
    )


def _name(report: SliceReport) -> str:
    return ", ".join(f"{words(column)} {value}" for column, value in report.slice.items())


def _figure(report: SliceReport, metric: str) -> float:
    """The metric of a slice, which `metric_of` saw to be there."""
    value = report.metrics[metric]
    assert value is not None
    return value


def _value(report: SliceReport, metric: str) -> str:
    return number(_figure(report, metric))
