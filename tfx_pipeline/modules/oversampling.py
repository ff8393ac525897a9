"""SMOTE: made-up rows of the rarer class, between a row and one of its nearest neighbors.

Chawla et al. (2002), "SMOTE: Synthetic Minority Over-sampling Technique", JAIR 16. It works on
Transform's outputs of the train split, which are numbers and flags that a value is missing: numbers
are mixed, and flags are those of the first row.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

NEIGHBORS = 5
_MOST_COMPARED = 2000
"""Rows whose distances to all others are held at once."""


def oversampled(
    rows: np.ndarray, labels: np.ndarray, is_number: Sequence[bool], seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """The rows and labels with as many rows of the rarer class as of the other one.

    Args:
        rows: Transform's numeric outputs, float32 [n, m].
        labels: 0 or 1, float32 [n].
        is_number: Which of the m columns are numbers; the others are flags.
        seed: Seed of the random numbers.

    Returns:
        Both with the made-up rows at the end. Equal where the rarer class has fewer than two rows.
    """
    import numpy as np

    rare = 1.0 if labels.mean() < 0.5 else 0.0
    own = rows[labels == rare]
    wanted = len(labels) - 2 * len(own)
    if len(own) < 2 or wanted <= 0:
        return rows, labels
    near = neighbors(own, min(NEIGHBORS, len(own) - 1))
    chance = np.random.default_rng(seed)
    first = chance.integers(len(own), size=wanted)
    second = near[first, chance.integers(near.shape[1], size=wanted)]
    part = np.where(is_number, chance.random((wanted, 1)), 0.0)
    made = own[first] + part * (own[second] - own[first])
    return (
        np.concatenate([rows, made.astype(rows.dtype)]),
        np.concatenate([labels, np.full(wanted, rare, labels.dtype)]),
    )


def neighbors(rows: np.ndarray, count: int) -> np.ndarray:
    """Places of the nearest other rows of each row, int64 [n, count], in no order."""
    import numpy as np

    squares = (rows.astype("float64") ** 2).sum(axis=1)
    found = []
    for start in range(0, len(rows), _MOST_COMPARED):
        some: np.ndarray = rows[start : start + _MOST_COMPARED].astype("float64")
        apart = squares[None, :] - 2 * (some @ rows.T.astype("float64"))
        apart[np.arange(len(some)), start + np.arange(len(some))] = np.inf
        found.append(np.argpartition(apart, count - 1, axis=1)[:, :count])
    return np.concatenate(found)
