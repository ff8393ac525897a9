"""What labels and probabilities say about a binary model. NumPy only, all pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import NormalDist
from typing import TYPE_CHECKING

from goldlake_core.documents.examining import (
    CalibrationBin,
    Interval,
    OperatingPoint,
    Point,
    SliceErrors,
)

if TYPE_CHECKING:
    import numpy as np

RECALLS = (0.99, 0.95, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2)
CURVE_POINTS = 200
BINS = 10
CONFIDENCE = 0.95
FEWEST_ROWS = 20
"""Rows that a slice has at least; the interval of fewer says nothing."""
MOST_SLICES = 500


def wilson(part: int, whole: int, tests: int = 1) -> Interval:
    """The share of a part with its Wilson score interval.

    Args:
        part: Number of rows that are counted.
        whole: Number of all rows, 1 or more.
        tests: Number of intervals that shall hold together (Bonferroni's correction).

    Source: E. B. Wilson, Probable inference, JASA 22 (1927), 209-212.
    """
    z = NormalDist().inv_cdf(1 - (1 - CONFIDENCE) / 2 / max(1, tests))
    share = part / whole
    middle = (share + z * z / (2 * whole)) / (1 + z * z / whole)
    half = z / (1 + z * z / whole) * ((share * (1 - share) + z * z / (4 * whole)) / whole) ** 0.5
    low, high = max(0.0, middle - half), min(1.0, middle + half)
    # Rounding may put an end on the wrong side of a share of 0 or 1.
    return Interval(value=share, low=min(low, share), high=max(high, share))


def operating_point(labels: np.ndarray, answers: np.ndarray, threshold: float) -> OperatingPoint:
    """The confusion of labels and decisions, both boolean [n]."""
    return OperatingPoint(
        threshold=threshold,
        true_positives=int((labels & answers).sum()),
        false_positives=int((~labels & answers).sum()),
        false_negatives=int((labels & ~answers).sum()),
        true_negatives=int((~labels & ~answers).sum()),
    )


def curves(labels: np.ndarray, scores: np.ndarray) -> tuple[tuple[Point, ...], tuple[Point, ...]]:
    """ROC (false, true positive rate) and precision-recall (recall, precision).

    Args:
        labels: Whether each row is positive, boolean [n].
        scores: Probabilities of the positive class, [n].

    Returns:
        At most about `CURVE_POINTS` points each; none where a class has no row.
    """
    import numpy as np

    positives = int(labels.sum())
    negatives = len(labels) - positives
    if not positives or not negatives:
        return (), ()
    order = np.argsort(-scores, kind="stable")
    # Rows with equal scores are one step: no threshold tells them apart.
    last: np.ndarray = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    hits = np.cumsum(labels[order])[last]
    alarms: np.ndarray = last + 1
    x, y, precision = (alarms - hits) / negatives, hits / positives, hits / alarms
    kept = np.unique(np.linspace(0, len(last) - 1, CURVE_POINTS).round().astype(int))
    roc = [(0.0, 0.0), *zip(x[kept].tolist(), y[kept].tolist(), strict=True)]
    return tuple(roc), tuple(zip(y[kept].tolist(), precision[kept].tolist(), strict=True))


def calibration(labels: np.ndarray, scores: np.ndarray) -> tuple[CalibrationBin, ...]:
    """Bins of equally many rows by probability, the lowest first."""
    import numpy as np

    parts = np.array_split(np.argsort(scores, kind="stable"), BINS)
    return tuple(
        CalibrationBin(
            rows=len(part),
            predicted=float(scores[part].mean(dtype="float64")),
            observed=wilson(int(labels[part].sum()), len(part)),
        )
        for part in parts
        if len(part)
    )


def threshold_table(
    labels: np.ndarray, scores: np.ndarray, recalls: Iterable[float] = RECALLS
) -> tuple[OperatingPoint, ...]:
    """Per wanted recall the highest threshold that reaches it; equal ones are left out."""
    import numpy as np

    found = np.sort(scores[labels])[::-1]
    points: dict[float, OperatingPoint] = {}
    for recall in recalls:
        if not len(found):
            break
        threshold = float(found[max(0, int(np.ceil(recall * len(found))) - 1)])
        points.setdefault(threshold, operating_point(labels, scores >= threshold, threshold))
    return tuple(points.values())


def slices(
    labels: np.ndarray,
    answers: np.ndarray,
    values: Mapping[tuple[str, ...], Sequence[str]],
) -> tuple[SliceErrors, ...]:
    """How often a model is wrong by slice, the worst first.

    Args:
        labels: Whether each row is positive, boolean [n].
        answers: What was decided, boolean [n].
        values: Value of each row by the columns of a slice.
    """
    import numpy as np

    groups: list[tuple[str, str, np.ndarray]] = []
    for columns, texts in values.items():
        names, place = np.unique(np.asarray(texts, dtype=object).astype(str), return_inverse=True)
        for number, name in enumerate(names.tolist()):
            rows = np.flatnonzero(place == number)
            if len(rows) >= FEWEST_ROWS:
                groups.append((" × ".join(columns), name, rows))
    groups.sort(key=lambda group: -len(group[2]))
    groups = groups[:MOST_SLICES]
    found = [
        SliceErrors(
            column=column,
            value=value,
            rows=len(rows),
            positives=int(labels[rows].sum()),
            found=int((labels[rows] & answers[rows]).sum()),
            wrong=wilson(int((labels[rows] != answers[rows]).sum()), len(rows), len(groups)),
        )
        for column, value, rows in groups
    ]
    return tuple(sorted(found, key=lambda each: (-each.wrong.low, -each.wrong.value, each.value)))
