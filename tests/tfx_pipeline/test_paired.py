"""Statistics of two models on the same rows, against brute force, known values and simulation."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfx_pipeline import paired, scores

# Six rows whose placements are small fractions: the variances below are worked out by hand.
LABELS = np.array([1, 1, 1, 0, 0, 0])
ONE = np.array([0.9, 0.6, 0.4, 0.5, 0.3, 0.1])
OTHER = np.array([0.8, 0.5, 0.5, 0.5, 0.4, 0.6])


def brute_force(labels: np.ndarray, answers: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """DeLong's structural components from all pairs of a positive and a negative."""
    tables = []
    for each in answers:
        positive, negative = each[labels == 1], each[labels == 0]
        wins = (positive[:, None] > negative) + 0.5 * (positive[:, None] == negative)
        tables.append(wins)
    below = np.array([wins.mean(axis=1) for wins in tables])
    above = np.array([wins.mean(axis=0) for wins in tables])
    hits, misses = int(labels.sum()), int((1 - labels).sum())
    size = len(answers)
    covariance = np.cov(below).reshape(size, size) / hits
    covariance += np.cov(above).reshape(size, size) / misses
    return below.mean(axis=1), covariance


def test_delong_of_a_case_worked_out_by_hand() -> None:
    areas, covariance = paired.delong(LABELS, (ONE, OTHER))
    # ONE: placements 1, 1, 2/3 of the positives, and 2/3, 1, 1 of the negatives.
    # OTHER: 1, 1/2, 1/2 and 2/3, 1, 1/3.
    assert areas == pytest.approx([8 / 9, 2 / 3])
    assert covariance[0, 0] == pytest.approx((1 / 27 + 1 / 27) / 3)
    assert covariance[1, 1] == pytest.approx((1 / 12 + 1 / 9) / 3)
    assert covariance[0, 1] == pytest.approx((1 / 36 + 0) / 3)
    change = paired.auc_change(LABELS, ONE, OTHER)
    assert change.value == pytest.approx(-2 / 9)
    expected = 2 / 81 + 7 / 108 - 2 / 108
    assert change.standard_error == pytest.approx(expected**0.5)
    assert change.z == pytest.approx(-2 / 9 / expected**0.5)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(st.booleans(), st.integers(0, 6), st.integers(0, 6)), min_size=4, max_size=60
    )
)
def test_delong_is_brute_force_with_any_ties(rows: list[tuple[bool, int, int]]) -> None:
    labels = np.array([row[0] for row in rows], int)
    answers = [np.array([row[1 + n] for row in rows]) / 7 for n in range(2)]
    if min(labels.sum(), (1 - labels).sum()) < 2:
        with pytest.raises(ValueError, match="two rows of each class"):
            paired.delong(labels, answers)
        return
    areas, covariance = paired.delong(labels, answers)
    slow_areas, slow_covariance = brute_force(labels, answers)
    assert areas == pytest.approx(slow_areas)
    assert covariance == pytest.approx(slow_covariance, abs=1e-12)
    assert areas[0] == pytest.approx(scores.auc(labels, answers[0]))


def test_delong_of_many_rows_is_that_of_pairs_and_does_not_make_them() -> None:
    random = np.random.default_rng(1)
    labels = (random.random(400_000) < 0.2).astype(int)
    answers = [labels + random.normal(size=len(labels)) for _ in range(2)]
    started = time.process_time()
    areas, covariance = paired.delong(labels, answers)
    # The pairs would be 26 billion. A minute is far more than sorting takes, on any machine.
    assert time.process_time() - started < 60
    some = slice(0, 4000)
    part, part_covariance = paired.delong(labels[some], [each[some] for each in answers])
    slow, slow_covariance = brute_force(labels[some], [each[some] for each in answers])
    assert part == pytest.approx(slow)
    assert part_covariance == pytest.approx(slow_covariance)
    # Of two normal distributions one deviation apart, the area is Phi(1 / sqrt(2)).
    assert areas == pytest.approx([0.76025] * 2, abs=0.003)
    assert covariance[0, 0] * 100 == pytest.approx(part_covariance[0, 0], rel=0.2)


def test_z_of_a_paired_change_is_standard_normal_where_models_are_alike() -> None:
    random = np.random.default_rng(2)
    found = []
    for _ in range(600):
        labels = (random.random(300) < 0.3).astype(int)
        common = labels + random.normal(size=300)
        before, after = (common + random.normal(0, 0.5, 300) for _ in range(2))
        found.append(paired.auc_change(labels, before, after).z)
    assert np.mean(found) == pytest.approx(0, abs=0.17)
    assert np.std(found) == pytest.approx(1, abs=0.1)
    assert min(found) > -4


def test_a_paired_change_sees_what_two_intervals_do_not() -> None:
    random = np.random.default_rng(3)
    labels = (random.random(4000) < 0.3).astype(int)
    before = labels + random.normal(size=4000)
    after = before + random.normal(0, 0.3, 4000)
    change = paired.auc_change(labels, before, after)
    assert change.z < -3
    one, other = paired.auc_interval(labels, before), paired.auc_interval(labels, after)
    assert one is not None
    assert other is not None
    assert other[1] > one[0]


def test_mean_change_is_the_paired_t_of_a_textbook() -> None:
    # Gosset 1908, "The probable error of a mean": hours of sleep gained by ten patients.
    one = np.array([0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0])
    other = np.array([1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4])
    change = paired.mean_change(one, other)
    assert change.value == pytest.approx(1.58)
    assert change.z == pytest.approx(4.0621, abs=1e-4)
    low, high = change.interval
    assert (low + high) / 2 == pytest.approx(1.58)
    with pytest.raises(ValueError, match="two rows, not 1"):
        paired.mean_change(one[:1], other[:1])


def test_differences_without_variance() -> None:
    same = np.array([0.5, 1.5, 2.5])
    assert paired.mean_change(same, same).z == 0
    assert paired.mean_change(same, same + 1).z == paired.MOST_Z
    assert paired.mean_change(same, same - 1).z == -paired.MOST_Z
    assert paired.auc_change(LABELS, ONE, ONE).z == 0
    assert paired.auc_change(LABELS, ONE, ONE * 2 - 7).z == 0


def test_wilson_interval_of_known_values() -> None:
    # Newcombe 1998, "Two-sided confidence intervals for the single proportion", method 3.
    assert paired.share_interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert paired.share_interval(15, 148) == pytest.approx((0.0624, 0.1605), abs=5e-5)
    assert paired.share_interval(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)
    assert paired.share_interval(1, 29) == pytest.approx((0.0061, 0.1718), abs=5e-5)
    assert paired.share_interval(0, 0) is None


def test_intervals_cover_the_truth_as_often_as_they_say() -> None:
    random = np.random.default_rng(4)
    area = 0.5 * (1 + math.erf(0.5))
    covered = {"auc": 0, "calibration": 0, "mean": 0}
    for _ in range(400):
        probability = random.beta(2, 5, 500)
        labels = (random.random(500) < probability).astype(int)
        ratio = paired.ratio_interval(probability, labels)
        mean = paired.mean_interval(random.exponential(size=500))
        ranked = paired.auc_interval(labels, labels + random.normal(size=500))
        assert ratio is not None
        assert mean is not None
        assert ranked is not None
        covered["calibration"] += ratio[0] <= 1 <= ratio[1]
        covered["mean"] += mean[0] <= 1 <= mean[1]
        covered["auc"] += ranked[0] <= area <= ranked[1]
    for name, number in covered.items():
        assert 0.92 <= number / 400 <= 0.98, name


def test_intervals_that_are_not_defined() -> None:
    assert paired.auc_interval(np.array([1, 0, 0]), np.array([0.3, 0.2, 0.1])) is None
    assert paired.auc_interval(LABELS, LABELS) is None
    assert paired.mean_interval(np.array([1.0])) is None
    assert paired.ratio_interval(np.array([0.5, 0.5]), np.array([0, 0])) is None
