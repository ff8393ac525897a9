"""Comparisons of two models on the same rows, and intervals of their scores; NumPy only, all pure.

Answers to the same rows are correlated, so the variance of a difference is that of the paired
values and not the sum of two variances.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist
from typing import Any, NamedTuple

from tfx_pipeline.scores import midranks

MOST_Z = 1e6
"""Size of z where a difference has no variance, such as the same gain in every row."""
LEVEL = 0.95
"""Level of all intervals, which are two-sided."""
_Z = NormalDist().inv_cdf((1 + LEVEL) / 2)

Interval = tuple[float, float]


class Change(NamedTuple):
    """A difference of two models on the same rows.

    Attributes:
        before: Value of the model that serves.
        after: Value of the candidate.
        standard_error: Of ``after - before``.
    """

    before: float
    after: float
    standard_error: float

    @property
    def value(self) -> float:
        """The difference, ``after - before``."""
        return self.after - self.before

    @property
    def z(self) -> float:
        """The difference in standard errors, at most `MOST_Z` in size; 0 for no difference."""
        if not self.value:
            return 0.0
        if not self.standard_error:
            return MOST_Z if self.value > 0 else -MOST_Z
        return max(-MOST_Z, min(MOST_Z, self.value / self.standard_error))

    @property
    def interval(self) -> Interval:
        """Interval of the difference."""
        return self.value - _Z * self.standard_error, self.value + _Z * self.standard_error


def delong(labels: Any, scores: Sequence[Any]) -> tuple[Any, Any]:
    """Areas under the ROC curves of several models, and their covariance by DeLong.

    DeLong et al. 1988, "Comparing the areas under two or more correlated ROC curves", by the ranks
    of Sun and Xu 2014, "Fast implementation of DeLong's algorithm": O(n log n) per model.

    Args:
        labels: 0 or 1, [n]; at least two rows of each class.
        scores: Scores of the positive class of each model, k arrays [n].

    Returns:
        The areas [k], with ties counted half, and their covariance [k, k].

    Raises:
        ValueError: A class has fewer than two rows.
    """
    import numpy as np

    is_positive = np.asarray(labels) > 0.5
    hits, misses = int(is_positive.sum()), int((~is_positive).sum())
    if min(hits, misses) < 2:
        raise ValueError(f"DeLong needs two rows of each class, not {hits} and {misses}")
    # For a positive the share of negatives below it, for a negative the share of positives above.
    below, above = np.empty((len(scores), hits)), np.empty((len(scores), misses))
    for place, each in enumerate(scores):
        values = np.asarray(each, np.float64)
        ranks = midranks(values)
        below[place] = (ranks[is_positive] - midranks(values[is_positive])) / misses
        above[place] = 1 - (ranks[~is_positive] - midranks(values[~is_positive])) / hits
    covariance = np.cov(below).reshape(len(scores), -1) / hits
    covariance += np.cov(above).reshape(len(scores), -1) / misses
    return below.mean(axis=1), covariance


def auc_change(labels: Any, before: Any, after: Any) -> Change:
    """The change of the area under the ROC curve on the same rows, by DeLong.

    Raises:
        ValueError: A class has fewer than two rows.
    """
    areas, covariance = delong(labels, (before, after))
    variance = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    # Of models that are equal but for rounding, the difference is as small as the rounding.
    return Change(float(areas[0]), float(areas[1]), float(max(variance, 0.0)) ** 0.5)


def mean_change(before: Any, after: Any) -> Change:
    """The change of the mean of paired values, such as the losses of the same rows.

    Args:
        before: Values of the model that serves, [n]; at least two.
        after: Values of the candidate, [n].

    Raises:
        ValueError: There are fewer than two rows.
    """
    import numpy as np

    if len(after) < 2:
        raise ValueError(f"A paired difference needs two rows, not {len(after)}")
    old, new = np.asarray(before, np.float64), np.asarray(after, np.float64)
    error = float((new - old).std(ddof=1)) / len(new) ** 0.5
    return Change(float(old.mean()), float(new.mean()), error)


def auc_interval(labels: Any, scores: Any) -> Interval | None:
    """Interval of an area under the ROC curve on the logit scale, so that it stays within 0 and 1.

    Returns:
        None where a class has fewer than two rows, or the area is 0 or 1: DeLong's variance is then
        not defined or 0.
    """
    import math

    try:
        areas, covariance = delong(labels, (scores,))
    except ValueError:
        return None
    area, variance = float(areas[0]), float(covariance[0, 0])
    if not 0 < area < 1 or variance <= 0:
        return None
    middle = math.log(area / (1 - area))
    half = _Z * variance**0.5 / (area * (1 - area))
    return 1 / (1 + math.exp(half - middle)), 1 / (1 + math.exp(-half - middle))


def mean_interval(values: Any) -> Interval | None:
    """Interval of a mean by the normal distribution; None below two rows."""
    import numpy as np

    if len(values) < 2:
        return None
    wide = np.asarray(values, np.float64)
    mean, half = float(wide.mean()), _Z * float(wide.std(ddof=1)) / len(wide) ** 0.5
    return mean - half, mean + half


def ratio_interval(over: Any, under: Any) -> Interval | None:
    """Interval of a ratio of sums over the same rows, on the log scale, by linearization.

    Args:
        over: Such as the probabilities, [n].
        under: Such as the labels, [n].

    Returns:
        None below two rows, or where a sum is not above 0.
    """
    import math

    import numpy as np

    a, b = np.asarray(over, np.float64), np.asarray(under, np.float64)
    rows, above, below = len(a), float(a.sum()), float(b.sum())
    if rows < 2 or above <= 0 or below <= 0:
        return None
    influence = a / above - b / below
    half = _Z * (rows / (rows - 1) * float((influence**2).sum())) ** 0.5
    return above / below * math.exp(-half), above / below * math.exp(half)


def share_interval(hits: int, rows: int) -> Interval | None:
    """Wilson's interval of a share; None without rows. Wilson 1927, "Probable inference"."""
    if not rows:
        return None
    share, square = hits / rows, _Z**2
    middle = (share + square / (2 * rows)) / (1 + square / rows)
    spread = (share * (1 - share) / rows + square / (4 * rows**2)) ** 0.5
    half = _Z * spread / (1 + square / rows)
    return max(0.0, middle - half), min(1.0, middle + half)
