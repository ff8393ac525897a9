"""Calibration, thresholds and costs, on numbers that can be checked by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldlake_core.contracts.sections import Costs, Decision
from tfx_pipeline import paired, scores
from tfx_pipeline.heads import deciding
from tfx_pipeline.heads.base import Wishes
from tfx_pipeline.heads.binary import FittedBinary

LABELS = np.array([0, 0, 1, 0, 1, 1, 0, 1])
SCORES = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8])

rows_of_scores = st.lists(st.tuples(st.booleans(), st.integers(0, 50)), min_size=2, max_size=60)


def recall_and_alarms(threshold: float) -> tuple[float, int]:
    found = threshold <= SCORES
    return float(found[LABELS == 1].mean()), int(found[LABELS == 0].sum())


@pytest.mark.parametrize(
    ("recall", "found"), [(1.0, (1.0, 2)), (0.75, (0.75, 1)), (0.5, (0.5, 1)), (0.25, (0.25, 0))]
)
def test_the_highest_threshold_that_finds_enough(recall: float, found: tuple[float, int]) -> None:
    threshold = deciding.decision_threshold(LABELS, SCORES, Decision(recall=recall))
    assert recall_and_alarms(threshold) == found
    assert threshold not in SCORES


def test_the_cheapest_threshold() -> None:
    dear_misses = Decision(costs=Costs(missed=20.0, false_alarm=1.0))
    assert recall_and_alarms(deciding.decision_threshold(LABELS, SCORES, dear_misses))[0] == 1.0
    dear_alarms = Decision(costs=Costs(missed=1.0, false_alarm=20.0))
    assert recall_and_alarms(deciding.decision_threshold(LABELS, SCORES, dear_alarms)) == (0.25, 0)


@given(rows_of_scores, st.sampled_from([0.5, 0.9, 0.98, 1.0]))
def test_the_wanted_recall_is_reached_on_eval(rows: list[tuple[bool, int]], recall: float) -> None:
    labels = np.array([label for label, _ in rows])
    scores = np.array([step / 50 for _, step in rows], "float32")
    threshold = deciding.decision_threshold(labels, scores, Decision(recall=recall))
    assert 0 <= threshold <= 1
    if labels.any():
        assert (scores[labels] >= threshold).mean() >= recall - 1e-9


def test_a_line_of_log_odds_calibrates() -> None:
    chance = np.random.default_rng(0)
    true = chance.uniform(0.02, 0.6, 20_000)
    labels = chance.random(20_000) < true
    distorted = deciding.calibrated(true, (0.5, 1.5))
    line = deciding.platt_line(labels, distorted)
    assert line == pytest.approx((2.0, -3.0), abs=0.15)
    assert deciding.calibrated(distorted, line).mean() == pytest.approx(labels.mean(), abs=0.002)


@pytest.mark.parametrize("labels", [np.zeros(4), np.ones(4)])
def test_one_class_and_a_falling_line_calibrate_nothing(labels: np.ndarray) -> None:
    scores = np.array([0.1, 0.4, 0.6, 0.9])
    assert deciding.platt_line(labels, scores) == (1.0, 0.0)
    assert deciding.platt_line(np.array([1, 1, 0, 0]), scores) == (1.0, 0.0)


def test_separable_rows_have_a_finite_line() -> None:
    labels = (np.arange(40) >= 20).astype("int8")
    scores = np.where(labels == 1, 0.99, 0.01)
    slope, offset = deciding.platt_line(labels, scores)
    assert 0 < slope < 100
    assert abs(offset) < 1


def test_costs_of_wrong_answers() -> None:
    costs = Costs(missed=20.0, false_alarm=1.0)
    labels, positive = np.array([1, 1, 0, 0]), np.array([1, 0, 1, 0])
    assert deciding.cost_per_1000(labels, positive, costs) == pytest.approx(1000 * 21 / 4)
    assert math.isnan(deciding.cost_per_1000(labels[:0], positive[:0], costs))


def off_by(share: float, rows: int = 20_000) -> tuple[np.ndarray, np.ndarray]:
    """Labels, and probabilities whose log odds are moved until their sum is off by a share."""
    random = np.random.default_rng(7)
    found = random.beta(0.5, 1.5, rows)
    labels = random.random(rows) < found
    low, high = -5.0, 5.0
    for _ in range(60):
        middle = (low + high) / 2
        total = deciding.calibrated(found, (1.0, middle)).sum()
        low, high = (middle, high) if total < (1 + share) * labels.sum() else (low, middle)
    return labels.astype("float32"), deciding.calibrated(found, (1.0, low)).astype("float32")


def test_probabilities_are_off_outside_of_the_band_and_beyond_chance() -> None:
    shares = (-0.1, -0.05, -0.008, 0.0, 0.008, 0.05, 0.1)
    found = [deciding.is_off(*off_by(share, rows=200_000)) for share in shares]
    assert found == [True, True, False, False, False, True, True]
    # 0.8 % of so many rows is no chance, and too little to do anything about.
    interval = paired.ratio_interval(*reversed(off_by(0.008, rows=200_000)))
    assert interval is not None
    assert interval[0] > 1
    # 5 % of 300 rows is chance, and so is anything about a class of few rows.
    assert not deciding.is_off(*off_by(0.05, rows=300))
    assert deciding.is_off(*off_by(0.8, rows=300))
    assert not deciding.is_off(*off_by(0.8, rows=80))
    assert not deciding.is_off(np.zeros(100), np.full(100, 0.9))


def test_a_head_repairs_what_eval_says_is_off_and_keeps_the_order() -> None:
    labels, found = off_by(0.08)
    head = FittedBinary()
    head.settle(labels, found[:, None])
    assert head.line is not None
    repaired = deciding.calibrated(found, head.line)
    assert repaired.sum() == pytest.approx(labels.sum(), rel=0.001)
    assert scores.auc(labels, repaired) == pytest.approx(scores.auc(labels, found), abs=1e-6)
    assert head.threshold is None


@pytest.mark.parametrize(
    ("share", "wishes", "is_repaired"),
    [
        (0.01, Wishes(), False),
        (0.01, Wishes(is_balanced=True), True),
        (0.01, Wishes(is_oversampled=True), True),
        (0.01, Wishes(Decision(recall=0.9)), True),
        (0.08, Wishes(calibrate="never"), False),
        (0.08, Wishes(Decision(recall=0.9), is_balanced=True, calibrate="never"), False),
    ],
)
def test_what_is_calibrated_whatever_eval_says_and_what_never(
    share: float, wishes: Wishes, is_repaired: bool
) -> None:
    labels, found = off_by(share)
    head = FittedBinary(wishes=wishes)
    head.settle(labels, found)
    assert (head.line is not None) == is_repaired
    assert (head.threshold is not None) == (wishes.decision is not None)
