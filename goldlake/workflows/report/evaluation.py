"""Section 5: what the answers to the test split show, metrics with intervals, and slices."""

from __future__ import annotations

from markupsafe import Markup

from goldlake.workflows.report import classes, numbers, probabilities, slices
from goldlake.workflows.report.gathered import GatheredModel
from goldlake.workflows.report.markup import Part, joined, metric_name, number, paragraph, table
from goldlake_core.documents.examining import BinaryAnswers, NumberAnswers


def part(found: GatheredModel) -> Part:
    """The section."""
    examined = found.examined
    if isinstance(examined, str):
        return _without(found, examined)
    answers = examined.answers
    body: list[Markup] = []
    if examined.examined < examined.rows:
        text = f"An even sample of the {examined.rows:,} test rows was answered."
        body.append(paragraph(text, "soft"))
    if isinstance(answers, BinaryAnswers):
        # Its slices are counted by errors at the operating point, on the same rows.
        lead = probabilities.lead(examined, answers)
        body += probabilities.drawn(found, examined, answers)
        return Part("evaluation", "Evaluation", lead, joined(body))
    if isinstance(answers, NumberAnswers):
        lead = numbers.lead(examined, answers)
        body += numbers.drawn(found, answers)
    else:
        lead = classes.lead(examined, answers)
        body += classes.drawn(found, answers)
    body += [_metrics(found), slices.drawn(found.slices)]
    return Part("evaluation", "Evaluation", lead, joined(body))


def _without(found: GatheredModel, why: str) -> Part:
    """Metrics and slices, where the test split cannot be answered any more."""
    figures = _metrics(found)
    body = [figures, paragraph(f"There are no curves: {why.rstrip('.')}.", "soft")]
    body.append(slices.drawn(found.slices))
    lead = "These are the metrics that the gate looked at." if figures else "Nothing was evaluated."
    return Part("evaluation", "Evaluation", lead, joined(body))


def _metrics(found: GatheredModel) -> Markup:
    """The metrics that the gate looked at, with their intervals; nothing without any."""
    trained, about = found.subject.trained, found.subject.about
    metrics = trained.metrics if trained else about.metrics if about else {}
    whole = next((each for each in found.slices if not each.slice), None)
    ends = slices.intervals(whole) if whole else {}
    rows = [
        (
            metric_name(name),
            number(value, 4),
            " to ".join(number(end, 4) for end in ends[name]) if name in ends else "–",
        )
        for name, value in metrics.items()
    ]
    if not rows:
        return Markup()
    return table("Metrics on the test split", ("Metric", "Value", "Interval at 95 %"), rows, (1, 2))
