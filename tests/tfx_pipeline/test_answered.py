"""Curves, thresholds and slices of labels and probabilities."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import auc, precision_recall_curve, roc_curve

from tfx_pipeline import answered


@pytest.fixture
def answers() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(3)
    scores = random.random(1000).round(2)  # many ties
    return random.random(1000) < scores, scores


def test_curves_pass_through_the_points_of_scikit_learn(
    answers: tuple[np.ndarray, np.ndarray],
) -> None:
    roc, precision_recall = answered.curves(*answers)
    x, y, _ = roc_curve(*answers, drop_intermediate=False)
    assert auc(*zip(*roc, strict=True)) == pytest.approx(auc(x, y), abs=1e-12)
    precision, recall, _ = precision_recall_curve(*answers)
    known = {(round(r, 12), round(p, 12)) for r, p in zip(recall, precision, strict=True)}
    assert {(round(r, 12), round(p, 12)) for r, p in precision_recall} <= known


def test_a_curve_of_many_rows_has_few_points() -> None:
    scores = np.linspace(0, 1, 50_000)
    roc, precision_recall = answered.curves(scores > 0.5, scores)
    assert len(roc) == answered.CURVE_POINTS + 1
    assert len(precision_recall) == answered.CURVE_POINTS
    assert roc[-1] == (1.0, 1.0)


def test_one_class_has_no_curve_and_no_threshold() -> None:
    labels, scores = np.zeros(5, bool), np.linspace(0, 1, 5)
    assert answered.curves(labels, scores) == ((), ())
    assert answered.threshold_table(labels, scores) == ()


def test_each_threshold_is_the_highest_that_reaches_its_recall(
    answers: tuple[np.ndarray, np.ndarray],
) -> None:
    labels, scores = answers
    for wanted, point in zip(answered.RECALLS, answered.threshold_table(*answers), strict=True):
        assert point.recall is not None
        assert point.recall >= wanted
        above = scores[scores > point.threshold].min()
        assert (labels & (scores >= above)).sum() / labels.sum() < wanted


def test_bins_hold_all_rows_and_the_share_lies_in_its_interval(
    answers: tuple[np.ndarray, np.ndarray],
) -> None:
    bins = answered.calibration(*answers)
    assert sum(each.rows for each in bins) == 1000
    assert all(b.observed.low <= b.observed.value <= b.observed.high for b in bins)
    assert [b.predicted for b in bins] == sorted(b.predicted for b in bins)


def test_the_interval_is_that_of_wilson() -> None:
    # Newcombe, Statistics in Medicine 17 (1998), table I: 81 of 263.
    found = answered.wilson(81, 263)
    assert (round(found.low, 4), round(found.high, 4)) == (0.2553, 0.3662)
    wide = answered.wilson(81, 263, tests=35)
    assert wide.low < found.low
    assert wide.high > found.high


def test_slices_come_worst_first_by_what_is_certain() -> None:
    labels = np.array([True] * 1000 + [True] * 20 + [True] * 5)
    said = np.array([True] * 700 + [False] * 300 + [True] * 12 + [False] * 8 + [False] * 5)
    values = ["many"] * 1000 + ["few"] * 20 + ["too few"] * 5
    first, second = answered.slices(labels, said, {("size",): values})
    assert (first.value, first.wrong.value) == ("many", 0.3)
    assert (second.value, second.wrong.value) == ("few", 0.4)
    assert (first.rows, first.positives, first.found) == (1000, 1000, 700)
