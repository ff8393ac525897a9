"""Exact scores of a binary classifier from labels and probabilities; NumPy only, all pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

NAN = float("nan")
CLIP = 1e-7
"""Probabilities nearer to 0 or 1 count as this near in the cross entropy, as in Keras."""


def auc(labels: Any, scores: Any) -> float:
    """Area under the ROC curve: the Mann-Whitney statistic, ties counted half.

    Args:
        labels: 0 or 1, [n].
        scores: Probabilities of the positive class, [n].

    Returns:
        NaN where only one class occurs.
    """
    rank = midranks(scores)
    positive = labels > 0.5
    hits = int(positive.sum())
    misses = len(labels) - hits
    if not hits or not misses:
        return NAN
    return float((rank[positive].sum() - hits * (hits + 1) / 2) / (hits * misses))


def midranks(values: Any) -> Any:
    """Ranks from 1, [n]; values that are alike share the mean of their ranks."""
    import numpy as np

    _, group, count = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(count) - (count - 1) / 2)[group.reshape(-1)]


def average_precision(labels: Any, scores: Any) -> float:
    """Area under the precision-recall curve by steps; NaN without a positive."""
    import numpy as np

    distinct, group = np.unique(-scores.astype("float64"), return_inverse=True)
    hits = np.bincount(group, weights=labels, minlength=len(distinct))
    total = hits.sum()
    if not total:
        return NAN
    precision = np.cumsum(hits) / np.cumsum(np.bincount(group))
    return float((precision * hits).sum() / total)


def binary_accuracy(labels: Any, scores: Any) -> float:
    """Share of rows on the right side of 0.5; NaN without rows."""
    return float(((scores > 0.5) == (labels > 0.5)).mean()) if len(labels) else NAN


def precision(labels: Any, scores: Any) -> float:
    """Share of the rows above 0.5 that are positive; NaN where there is no such row."""
    found = labels[scores > 0.5]
    return float(found.mean(dtype="float64")) if len(found) else NAN


def recall(labels: Any, scores: Any) -> float:
    """Share of the positives that are above 0.5; NaN without a positive."""
    found = scores[labels > 0.5]
    return float((found > 0.5).mean()) if len(found) else NAN


def binary_crossentropy(labels: Any, scores: Any) -> float:
    """Mean negative log-likelihood in nats; NaN without rows."""
    return float(crossentropies(labels, scores).mean()) if len(labels) else NAN


def crossentropies(labels: Any, scores: Any) -> Any:
    """Negative log-likelihood of each row in nats, float64 [n]."""
    import numpy as np

    clipped = np.clip(scores.astype("float64"), CLIP, 1 - CLIP)
    return -np.where(labels > 0.5, np.log(clipped), np.log1p(-clipped))


def calibration(labels: Any, scores: Any) -> float:
    """Sum of probabilities per positive; 1 is best; NaN without a positive."""
    positives = labels.sum(dtype="float64")
    return float(scores.sum(dtype="float64") / positives) if positives else NAN


def example_count(labels: Any, scores: Any) -> float:
    """Number of rows."""
    return float(len(labels))


SCORES: Mapping[str, Callable[[Any, Any], float]] = {
    "auc": auc,
    "auc_precision_recall": average_precision,
    "binary_accuracy": binary_accuracy,
    "precision": precision,
    "recall": recall,
    "binary_crossentropy": binary_crossentropy,
    "calibration": calibration,
    "example_count": example_count,
}
"""The metrics a contract may bound, and the count, by name."""
