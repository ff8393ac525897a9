"""Calibrated probabilities, and from which one on a row is positive. NumPy only, all pure.

Both are chosen on the eval split: the network has learned from train, and test stays unseen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from goldlake_core.contracts.sections import Costs, Decision
from tfx_pipeline import paired
from tfx_pipeline.heads.base import FEWEST_OF_CLASS

if TYPE_CHECKING:
    import numpy as np

CLIP = 1e-6
"""Probabilities nearer to 0 or 1 count as this near in a logit."""
BAND = 0.01
"""How far the sum of probabilities may be from the number of positives, as a share."""
_STEPS = 100


def logits(scores: np.ndarray) -> np.ndarray:
    """Log odds of probabilities, float64 [n]."""
    import numpy as np

    clipped = np.clip(scores.astype("float64"), CLIP, 1 - CLIP)
    return np.log(clipped) - np.log1p(-clipped)


def calibrated(scores: np.ndarray, line: tuple[float, float]) -> np.ndarray:
    """Probabilities after the line of `platt_line`."""
    import numpy as np

    slope, offset = line
    return 1 / (1 + np.exp(-(slope * logits(scores) + offset)))


def is_off(labels: np.ndarray, scores: np.ndarray) -> bool:
    """Whether probabilities are off by more than `BAND`, and by more than chance explains.

    A line that is fitted to the chance of a small split would make probabilities worse.

    Args:
        labels: 0 or 1, [n].
        scores: Probabilities of the network, [n].
    """
    positives = int((labels > 0.5).sum())
    if min(positives, len(labels) - positives) < FEWEST_OF_CLASS:
        return False
    interval = paired.ratio_interval(scores, labels)
    if interval is None:
        return False
    low, high = interval
    return abs(scores.sum(dtype="float64") / positives - 1) > BAND and not low <= 1 <= high


def platt_line(labels: np.ndarray, scores: np.ndarray) -> tuple[float, float]:
    """Slope and offset of the log odds with the greatest likelihood, by Newton's method.

    Platt (1999), "Probabilistic Outputs for Support Vector Machines", with its targets, which are a
    little inside of 0 and 1 so that separable rows have a finite answer.

    Args:
        labels: 0 or 1, [n].
        scores: Probabilities of the network, [n].
    """
    import numpy as np

    positive = labels > 0.5
    hits, misses = int(positive.sum()), int((~positive).sum())
    if not hits or not misses:
        return 1.0, 0.0
    wanted = np.where(positive, (hits + 1) / (hits + 2), 1 / (misses + 2))
    inputs = np.stack([logits(scores), np.ones(len(scores))], axis=1)

    def loss(line: np.ndarray) -> float:
        odds = inputs @ line
        return float((np.logaddexp(0, odds) - wanted * odds).mean())

    line = np.array([1.0, 0.0])
    for _ in range(_STEPS):
        found = 1 / (1 + np.exp(-np.clip(inputs @ line, -500, 500)))
        slope = inputs.T @ (found - wanted) / len(scores)
        bend = (inputs * (found * (1 - found))[:, None]).T @ inputs / len(scores)
        step = np.linalg.solve(bend + 1e-9 * np.eye(2), slope)
        # Far from the optimum a whole step may go too far.
        while loss(line - step) > loss(line) and np.abs(step).max() > 1e-9:
            step = step / 2
        line = line - step
        if np.abs(step).max() < 1e-9:
            break
    # A falling line would turn the order of the rows around, which eval cannot justify.
    return (float(line[0]), float(line[1])) if line[0] > 0 else (1.0, 0.0)


def decision_threshold(labels: np.ndarray, scores: np.ndarray, decision: Decision) -> float:
    """The probability from which on rows are positive, between two scores that occur.

    Args:
        labels: 0 or 1, [n].
        scores: Calibrated probabilities, [n].
        decision: The least share of positives to find, or the costs of wrong answers.
    """
    import numpy as np

    distinct, place = np.unique(scores.astype("float64"), return_inverse=True)
    positive = labels > 0.5
    hits = np.bincount(place.reshape(-1), weights=positive, minlength=len(distinct))
    all_rows = np.bincount(place.reshape(-1), minlength=len(distinct))
    # With the threshold at the n-th score, rows of lower scores are negative.
    missed = np.concatenate([[0], np.cumsum(hits)])
    alarms = np.concatenate([[0], np.cumsum(all_rows - hits)])[-1] - np.concatenate(
        [[0], np.cumsum(all_rows - hits)]
    )
    if decision.recall is not None:
        allowed = (1 - decision.recall) * hits.sum() + 1e-9
        chosen = int(np.flatnonzero(missed <= allowed).max())
        # A threshold above all scores would find nothing, also of what eval has no example of.
        chosen = min(chosen, len(distinct) - 1)
    else:
        costs = decision.costs
        assert costs is not None, "a decision has one of its keys"
        chosen = int((costs.missed * missed + costs.false_alarm * alarms).argmin())
    edges = np.concatenate([[0.0], distinct, [1.0]])
    return float((edges[chosen] + edges[chosen + 1]) / 2)


def cost_per_1000(labels: np.ndarray, is_positive: np.ndarray, costs: Costs) -> float:
    """Cost of the wrong answers to 1,000 rows; NaN without rows."""
    if not len(labels):
        return float("nan")
    missed = ((labels > 0.5) & (is_positive < 0.5)).mean()
    alarms = ((labels < 0.5) & (is_positive > 0.5)).mean()
    return float(1000 * (costs.missed * missed + costs.false_alarm * alarms))
