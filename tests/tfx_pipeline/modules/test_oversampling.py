"""SMOTE: rows between neighbors of the rarer class, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from tfx_pipeline.modules.oversampling import neighbors, oversampled

CHANCE = np.random.default_rng(2)


def split(rare: int, others: int) -> tuple[np.ndarray, np.ndarray]:
    """Two numbers and a flag; the rarer class is around (5, 5) and has the flag 1."""
    low = np.c_[CHANCE.normal(size=(others, 2)), np.zeros(others)]
    high = np.c_[CHANCE.normal(size=(rare, 2)) + 5, np.ones(rare)]
    rows = np.concatenate([low, high]).astype("float32")
    return rows, np.r_[np.zeros(others), np.ones(rare)].astype("float32")


def test_classes_are_as_many_and_made_up_rows_lie_between() -> None:
    rows, labels = split(20, 200)
    found, targets = oversampled(rows, labels, [True, True, False], seed=0)
    assert targets.mean() == 0.5
    assert (found[:220] == rows).all()
    made, own = found[220:], rows[200:]
    assert (targets[220:] == 1).all()
    assert (made[:, 2] == 1).all()  # a flag is never mixed
    assert (made[:, :2].min(axis=0) >= own[:, :2].min(axis=0)).all()
    assert (made[:, :2].max(axis=0) <= own[:, :2].max(axis=0)).all()
    assert len(np.unique(made[:, 0])) > 150
    again, _ = oversampled(rows, labels, [True, True, False], seed=0)
    assert (again == found).all()
    other, _ = oversampled(rows, labels, [True, True, False], seed=1)
    assert (other != found).any()


def test_negatives_may_be_the_rarer_class() -> None:
    rows, labels = split(200, 20)
    _, targets = oversampled(rows, labels, [True, True, False], seed=0)
    assert (targets == 0).sum() == 200


@pytest.mark.parametrize(("rare", "others"), [(1, 50), (0, 50), (50, 50)])
def test_nothing_is_made_up_of_one_row(rare: int, others: int) -> None:
    rows, labels = split(rare, others)
    found, targets = oversampled(rows, labels, [True, True, False], seed=0)
    assert found is rows
    assert targets is labels


def test_neighbors_are_the_nearest_others(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = CHANCE.normal(size=(60, 3)).astype("float32")
    monkeypatch.setattr("tfx_pipeline.modules.oversampling._MOST_COMPARED", 7)
    apart = np.linalg.norm(rows[:, None] - rows[None], axis=2)
    np.fill_diagonal(apart, np.inf)
    expected = np.sort(np.argsort(apart, axis=1)[:, :4], axis=1)
    assert (np.sort(neighbors(rows, 4), axis=1) == expected).all()
