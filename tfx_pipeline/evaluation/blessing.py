"""Whether a candidate is blessed: bounds on the whole split, and no slice that falls; pure.

A fixed drop of a metric does not see the noise of a small slice, so a fall is measured on the same
rows by both models, in standard errors, and has to be of a size that matters, too.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

from msgspec.structs import replace

from goldlake_core.contracts.heads import METRICS, OVER_BASELINE
from goldlake_core.documents.evaluation import EvaluationReport
from goldlake_core.documents.training import Bound, DecisionReport, Metrics, SliceReport
from tfx_pipeline.evaluation.decided import decision_report
from tfx_pipeline.evaluation.evaluation import check_thresholds, row_count
from tfx_pipeline.evaluation.slices import Answers, finite, slice_reports
from tfx_pipeline.heads.base import Columns, Head
from tfx_pipeline.heads.registry import HEADS
from tfx_pipeline.spec import EvaluationSpec

LEAST_Z = -4.0
"""A slice that falls by more standard errors than this refuses the candidate."""
LEAST_FALL = 0.005
"""How far the AUC has to fall, too."""
LEAST_RISE = 0.01
"""How far a mean loss has to rise, too: this share of the serving model's on the whole split.

Where a slice is easy, its loss is near 0, and another seed moves it by a fifth.
"""
LOW, HIGH = 0.8, 1.25
"""Band of calibration that a slice may not leave when the serving model keeps it."""
LEAST_MOVE = 0.1
"""How far calibration has to move, too, as a share: another seed moves it by up to 0.085."""
MOST_REASONS = 20
"""Slices that are named as reasons; `EvaluationReport.slices` has all of them."""


def judge(
    spec: EvaluationSpec,
    answers: Answers,
    *,
    rows: int,
    baseline_version: int | None = None,
    not_compared: str = "",
    others: Iterable[str] = (),
) -> EvaluationReport:
    """Judges a candidate by its answers to the test split.

    Args:
        spec: Bounds, slices and head.
        answers: Of the candidate and, where one serves, of the model that it is compared with.
        rows: Number of rows that the test split has.
        baseline_version: The version that serves, or None.
        not_compared: The version that serves and why it is not compared with it, or "".
        others: Further reasons against it, such as a bound that only TFMA knows.
    """
    head = HEADS[spec.head]
    problems = list(_undefined(head, answers, baseline_version))
    reports: list[SliceReport] = []
    left_out, decided = 0, None
    metrics, before = dict[str, float | None](), None
    if not problems:
        found, left_out = slice_reports(head, answers, spec.slices, spec.costs)
        least = _least(found[0])
        if spec.decision is not None:
            decided = decision_report(spec.decision, answers.candidate, found[0])
        reports = [
            replace(each, problem=_fall(each, spec, least, baseline_version)) for each in found
        ]
        metrics = {**reports[0].metrics, **_over_constant(head, answers.candidate, spec)}
        before = reports[0].baseline
        if before is not None and answers.baseline is not None:
            before = {**before, **_over_constant(head, answers.baseline, spec)}
    bounds = check_thresholds((*spec.thresholds, row_count(rows)), metrics, before)
    if not problems:
        problems = [_missed(bound, head, answers, decided) for bound in bounds if not bound.ok]
        falls = [each.problem for each in sorted(reports, key=_badness) if each.problem]
        problems += falls[:MOST_REASONS]
        if len(falls) > MOST_REASONS:
            problems.append(f"{len(falls) - MOST_REASONS} more slices fall")
    problems += others if not problems else []
    return EvaluationReport(
        model=spec.model_id,
        head=spec.head,
        baseline_version=baseline_version,
        blessed=not problems,
        why=_why(problems, reports, baseline_version, not_compared, decided),
        not_compared=not_compared or None,
        reasons=tuple(problems),
        thresholds=bounds,
        slices=tuple(reports),
        left_out=left_out,
        decision=decided,
    )


def worst(slices: Sequence[SliceReport], most: int = 3) -> tuple[SliceReport, ...]:
    """The slices in which a candidate does worst, without the whole split.

    Those that refuse it come first, then the lowest z of the change from the model that serves; if
    none serves, the lowest value of the compared metric. Slices that cannot be judged are left out.
    """
    judged = [each for each in slices if each.slice and each.is_judged]
    return tuple(sorted(judged, key=_badness)[:most])


def _badness(report: SliceReport) -> tuple[bool, float]:
    if report.change is not None:
        return not report.problem, report.change.z
    name = next(iter(report.metrics), "")
    value = report.metrics.get(name)
    if value is None:
        return not report.problem, math.inf
    return not report.problem, value if METRICS[name].is_better_high else -value


def name_of(report: SliceReport) -> str:
    """A slice as a person reads it, such as ``district=011``."""
    if not report.slice:
        return "the whole test split"
    return ", ".join(f"{column}={value}" for column, value in report.slice.items())


def _undefined(head: Head, answers: Answers, baseline_version: int | None) -> Iterator[str]:
    """Why no number can be computed, if so."""
    import numpy as np

    if not answers.rows:
        yield "No bound can hold: the test split has no rows"
        return
    models = {"the candidate": answers.candidate, f"@{baseline_version}": answers.baseline}
    for name, columns in models.items():
        if columns is None:
            continue
        bad = int((~np.all([np.isfinite(each) for each in columns], axis=0)).sum())
        if bad:
            yield (
                f"No bound can hold: the answer of {name} is not a finite number in {bad:,} of "
                f"{answers.rows:,} rows"
            )


def _missed(bound: Bound, head: Head, answers: Answers, decided: DecisionReport | None) -> str:
    """Why a bound does not hold."""
    if bound.value is None:
        return f"{bound.metric} is undefined: {_cause(head, answers)}"
    if bound.bound is None:
        return f"{bound.metric} of the model that serves is undefined: {_cause(head, answers)}"
    side = "above" if bound.value > bound.bound else "below"
    limit = "what serves, less the drop allowed," if bound.kind == "max_drop" else "the bound"
    found = f"{bound.metric} is {bound.value:.4g}{_interval(bound.metric, decided)}"
    return f"{found}, {side} {limit} {bound.bound:.4g}"


def _interval(metric: str, decided: DecisionReport | None) -> str:
    """The interval of a metric that the decision has chosen, or ""."""
    if decided is None:
        return ""
    intervals = {"recall": decided.recall_interval, "precision": decided.precision_interval}
    found = intervals.get(metric)
    return "" if found is None else f" [{found[0]:.4g}, {found[1]:.4g}]"


def _cause(head: Head, answers: Answers) -> str:
    labels = answers.candidate[0]
    if len(labels) and labels.min() == labels.max():
        return f"all {len(labels):,} rows of the test split have the label {labels[0]:g}"
    return f"the answers to {len(labels):,} rows of the test split do not give it a value"


def _over_constant(head: Head, columns: Columns, spec: EvaluationSpec) -> Metrics:
    """The metrics that compare with the best constant answer, which are bounds of the whole."""
    names = [t.metric for t in spec.thresholds if t.over_baseline is not None]
    return {
        f"{name}{OVER_BASELINE}": finite(head.score(f"{name}{OVER_BASELINE}", columns))
        for name in names
    }


def _least(whole: SliceReport) -> float:
    """How far the compared measure has to change for the worse."""
    if whole.change is None or whole.change.measure == "auc":
        return LEAST_FALL
    return LEAST_RISE * abs(whole.change.before)


def _fall(report: SliceReport, spec: EvaluationSpec, least: float, version: int | None) -> str:
    """Why a slice refuses the candidate, or "".

    What the contract bounds for the whole split is the contract's to say, not this rule's.
    """
    if not report.is_judged or report.baseline is None:
        return ""
    bounded = {t.metric for t in spec.thresholds if t.max_drop is not None}
    limited = {t.metric for t in spec.thresholds if (t.minimum, t.maximum) != (None, None)}
    change = report.change
    if (
        change is not None
        and (report.slice or change.measure not in bounded)
        and change.z < LEAST_Z
        and abs(change.value) > least
    ):
        verb = "falls" if change.value < 0 else "rises"
        return (
            f"{name_of(report)}: {change.measure} {verb} from {change.before:.4f} to "
            f"{change.after:.4f} on {report.rows:,} rows, by more than {least:.3g} and with z "
            f"{change.z:.1f} below {LEAST_Z:g}"
        )
    after, before = (m.get("calibration") for m in (report.metrics, report.baseline))
    if after is None or before is None or not (report.slice or "calibration" not in limited):
        return ""
    moved = abs(after / before - 1) > LEAST_MOVE if before else False
    if moved and LOW <= before <= HIGH and not LOW <= after <= HIGH:
        return (
            f"{name_of(report)}: calibration goes from {before:.2f} to {after:.2f} on "
            f"{report.rows:,} rows and leaves {LOW:g} to {HIGH:g}, which @{version} keeps"
        )
    return ""


def _why(
    problems: Sequence[str],
    reports: Sequence[SliceReport],
    version: int | None,
    not_compared: str,
    decided: DecisionReport | None,
) -> str:
    if problems:
        return "; ".join(problems[:3]) + (f"; and {len(problems) - 3} more" * (len(problems) > 3))
    judged = sum(1 for each in reports if each.slice and each.is_judged)
    bounds = "all bounds hold"
    if not_compared:
        compared = f"{bounds}; not compared with {not_compared}"
    elif version is None:
        compared = f"{bounds}; no version served that slices could be compared with"
    elif not judged:
        compared = f"{bounds}, and the whole split does not fall from @{version}"
    else:
        compared = f"{bounds}, and none of {judged} slices falls from @{version}"
    return compared if decided is None else f"{compared}; {decided.sentence}"
