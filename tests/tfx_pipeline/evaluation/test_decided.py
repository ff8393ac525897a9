"""The decision that was chosen on eval, judged on the test split."""

from __future__ import annotations

import numpy as np
import pytest
from msgspec.structs import replace

from goldlake_core.contracts.sections import Costs, Decision, Threshold
from goldlake_core.documents import codec
from goldlake_core.documents.evaluation import EvaluationReport
from tfx_pipeline.evaluation.blessing import judge
from tfx_pipeline.evaluation.slices import Answers
from tfx_pipeline.heads.deciding import decision_threshold
from tfx_pipeline.spec import EvaluationSpec

ROWS = 20_000


def rows(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels, and probabilities that are calibrated."""
    random = np.random.default_rng(seed)
    found = random.beta(0.5, 1.5, ROWS)
    return random.random(ROWS) < found, found


def judged(threshold: float, decision: Decision | None, *bounds: Threshold) -> EvaluationReport:
    labels, found = rows(2)
    columns = (
        labels.astype(np.int8),
        found.astype(np.float32),
        (found >= threshold).astype(np.int8),
    )
    thresholds = bounds or (Threshold("auc", minimum=0.6),)
    spec = EvaluationSpec("toy.y", "y", thresholds, (), "binary", decision)
    report = judge(spec, Answers(columns, None, {}), rows=ROWS)
    assert codec.decode(codec.encode(report), EvaluationReport, "evaluation.json") == report
    return report


def test_a_wanted_recall_of_eval_is_inside_of_the_interval_of_test() -> None:
    decision = Decision(recall=0.9)
    threshold = decision_threshold(*rows(1), decision)
    report = judged(threshold, decision)
    decided = report.decision
    assert decided is not None
    assert decided.threshold == pytest.approx(threshold, abs=0.001)
    assert decided.recall_interval is not None
    low, high = decided.recall_interval
    labels, found = rows(2)
    assert decided.recall == (found[labels] >= threshold).mean()
    assert decided.precision == labels[found >= threshold].mean()
    assert low < 0.9 < high < low + 0.02
    assert (decided.wanted_recall, decided.outcome) == (0.9, "open")
    assert report.why.endswith(f"; {decided.sentence}")
    assert (
        f"finds {decided.recall:.4g} [{low:.4g}, {high:.4g}] of the positives (the interval "
        in (decided.sentence)
    )


@pytest.mark.parametrize(
    ("threshold", "outcome", "words"),
    [
        (0.01, "kept", "(surely at least the 0.9 that the contract wants)"),
        (0.5, "missed", "(surely less than the 0.9 that the contract wants)"),
    ],
)
def test_a_decision_that_is_off_says_so_and_refuses_nothing(
    threshold: float, outcome: str, words: str
) -> None:
    report = judged(threshold, Decision(recall=0.9))
    assert report.blessed
    assert report.decision is not None
    assert report.decision.outcome == outcome
    assert words in report.why


def test_a_missed_bound_of_the_decision_names_the_interval() -> None:
    bounds = (Threshold("recall", minimum=0.9), Threshold("auc", minimum=0.99))
    report = judged(0.5, Decision(recall=0.9), *bounds)
    decided = report.decision
    assert decided is not None
    assert decided.recall_interval is not None
    low, high = decided.recall_interval
    recall, auc = report.reasons
    assert recall == (
        f"recall is {decided.recall:.4g} [{low:.4g}, {high:.4g}], below the bound 0.9"
    )
    assert "[" not in auc
    # A contract without a decision has the same bound and no point to be judged.
    plain = judged(0.5, None, *bounds)
    assert plain.decision is None
    assert plain.reasons[0] == f"recall is {decided.recall:.4g}, below the bound 0.9"


def test_costs_want_no_recall_and_no_alarm_has_no_precision() -> None:
    costs = judged(0.2, Decision(costs=Costs(missed=4, false_alarm=1))).decision
    assert costs is not None
    assert (costs.wanted_recall, costs.outcome) == (None, None)
    assert "contract" not in costs.sentence
    silent = judged(2.0, Decision(recall=0.9)).decision
    assert silent is not None
    assert (silent.threshold, silent.recall, silent.precision) == (None, 0, None)
    assert (silent.precision_interval, silent.outcome) == (None, "missed")
    assert silent.sentence == "it answers no row of the test split as positive"
    unknown = replace(costs, recall=None, recall_interval=None, precision_interval=None)
    assert "finds an unknown share of the positives, and 0." in unknown.sentence
