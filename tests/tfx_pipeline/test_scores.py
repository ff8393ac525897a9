from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from goldlake_core.contracts.heads import COST, HEADS
from tfx_pipeline import scores

LABELS = np.array([0, 0, 1, 1, 1], "float32")
PROBABILITIES = np.array([0.1, 0.6, 0.6, 0.4, 0.9], "float32")

examples = st.lists(st.tuples(st.booleans(), st.integers(0, 20)), min_size=1, max_size=60)


def test_values_by_hand() -> None:
    found = {name: score(LABELS, PROBABILITIES) for name, score in scores.SCORES.items()}
    # Pairs of a positive above a negative: 3 of 3 for 0.1; for 0.6 a tie, a miss and a hit.
    assert found["auc"] == pytest.approx(4.5 / 6)
    assert found["binary_accuracy"] == pytest.approx(3 / 5)
    assert found["precision"] == pytest.approx(2 / 3)
    assert found["recall"] == pytest.approx(2 / 3)
    assert found["calibration"] == pytest.approx(2.6 / 3)
    assert found["example_count"] == 5
    likelihood = 0.9 * 0.4 * 0.6 * 0.4 * 0.9
    assert found["binary_crossentropy"] == pytest.approx(-math.log(likelihood) / 5)
    assert found["auc_precision_recall"] == pytest.approx((1 + 2 / 3 + 3 / 4) / 3)


def test_every_metric_of_a_contract_has_a_score() -> None:
    assert set(HEADS["binary"].metrics) - {COST} == set(scores.SCORES) - {"example_count"}


@given(examples)
def test_agrees_with_scikit_learn(rows: list[tuple[bool, int]]) -> None:
    labels = np.array([label for label, _ in rows], "float32")
    found = np.array([step / 20 for _, step in rows], "float32")
    if len(set(labels)) == 2:
        assert scores.auc(labels, found) == pytest.approx(metrics.roc_auc_score(labels, found))
    else:
        assert math.isnan(scores.auc(labels, found))
    if labels.any():
        expected = metrics.average_precision_score(labels, found)
        assert scores.average_precision(labels, found) == pytest.approx(expected)


def test_undefined_scores_are_nan() -> None:
    nothing = np.array([], "float32")
    undefined = set(scores.SCORES) - {"example_count"}
    assert all(math.isnan(scores.SCORES[name](nothing, nothing)) for name in undefined)
    assert math.isnan(scores.precision(LABELS, np.zeros(5, "float32")))
    assert math.isnan(scores.recall(np.zeros(5, "float32"), PROBABILITIES))
