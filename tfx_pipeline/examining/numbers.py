"""Numbers that a regression or a count answers: density, residuals, and means by decile.

The bins of rates are those of actuaries: rows by the answered rate, events and expected events per
unit of exposure (McCullagh and Nelder 1989, "Generalized Linear Models", chapter 6).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from goldlake_core.documents.examining import (
    Density,
    Histogram,
    Interval,
    NumberAnswers,
    NumberBin,
    Scale,
)
from tfx_pipeline import paired
from tfx_pipeline.examining.look import Answered, Error, Look, SliceValues
from tfx_pipeline.heads.base import Columns
from tfx_pipeline.heads.count import RATE
from tfx_pipeline.heads.regression import VALUE

if TYPE_CHECKING:
    import numpy as np

BINS = 10
CELLS = 28
"""Cells of each side of the density."""
RESIDUAL_BINS = 31
"""An odd number, so that the middle bin of a symmetric histogram holds 0."""
TAIL = 0.005
"""Share of the rows at each end that may lie beyond the edges of a chart."""
LONG_TAIL = 0.05
"""The same for the residuals of numbers on logarithmic axes, which may be negative."""
SKEWED = 20
"""How many times the median the 99th percentile is where the axes become logarithmic."""


class NumbersLook(Look):
    """A look at numbers in the label's unit."""

    importance_by = "rmse"

    def labels(self, values: Sequence[object]) -> np.ndarray:
        import numpy as np

        return np.array(values, np.float64)

    def kept(self, outputs: Mapping[str, np.ndarray], labels: np.ndarray | None) -> Answered:
        import numpy as np

        names = [name for name in (VALUE, RATE) if name in outputs]
        return {name: np.asarray(outputs[name]).reshape(-1).astype("float64") for name in names}

    def columns(self, labels: np.ndarray, answered: Answered) -> Columns:
        return labels, answered[VALUE]

    def followed(self, answered: Answered) -> tuple[str, ...]:
        return (VALUE,)

    def means(self, answered: Answered) -> tuple[float, ...]:
        return (float(answered[VALUE].mean()),)

    def answers(self, labels: np.ndarray, answered: Answered, slices: SliceValues) -> NumberAnswers:
        found = answered[VALUE]
        scale = scale_of(labels, found)
        off = found - labels
        return NumberAnswers(
            metrics=self.metrics(self.columns(labels, answered)),
            scale=scale,
            density=density(found, labels, scale),
            bias=float(off.mean()),
            bias_interval=paired.mean_interval(off),
            residuals=histogram(off, TAIL if scale == "linear" else LONG_TAIL),
            bins=bins(found, labels),
            rates=self._rates(labels, answered),
        )

    def errors(self, labels: np.ndarray, answered: Answered, most: int) -> list[Error]:
        import numpy as np

        found = answered[VALUE]
        losses = self.head.losses(self.columns(labels, answered))
        worst = np.argsort(-losses, kind="stable")[:most]
        return [
            Error(row, float(found[row]), float(labels[row]), None)
            for row in worst.tolist()
            if losses[row] > 0
        ]

    def _rates(self, labels: np.ndarray, answered: Answered) -> tuple[NumberBin, ...]:
        return ()


class CountsLook(NumbersLook):
    """A look at expected counts, and at rates where there is an exposure."""

    importance_by = "poisson_deviance"

    def columns(self, labels: np.ndarray, answered: Answered) -> Columns:
        return labels, answered[VALUE], self._exposures(answered)

    def followed(self, answered: Answered) -> tuple[str, ...]:
        return (RATE if RATE in answered else VALUE,)

    def means(self, answered: Answered) -> tuple[float, ...]:
        return (float(answered[RATE if RATE in answered else VALUE].mean()),)

    def _exposures(self, answered: Answered) -> np.ndarray:
        """What each count is divided by to be a rate; 1 without an exposure."""
        import numpy as np

        value, rate = answered[VALUE], answered.get(RATE)
        if rate is None:
            return np.ones(len(value))
        found: np.ndarray = np.divide(value, rate, out=np.ones(len(value)), where=rate > 0)
        return found

    def _rates(self, labels: np.ndarray, answered: Answered) -> tuple[NumberBin, ...]:
        if RATE not in answered:
            return ()
        exposures = self._exposures(answered)
        return bins(answered[RATE], labels / exposures, exposures)


def scale_of(labels: np.ndarray, found: np.ndarray) -> Scale:
    """``log`` for numbers of 0 or more whose largest are many times the usual ones."""
    if min(labels.min(), found.min()) < 0:
        return "linear"
    median, high = _quantiles(labels, 0.5, 0.99)
    return "log" if high > SKEWED * max(median, 1) else "linear"


def density(found: np.ndarray, labels: np.ndarray, scale: Scale) -> Density:
    """Rows by cells of about the same answer and label.

    Args:
        found: Answers in the label's unit, [n].
        labels: Labels of the same rows, [n].
        scale: ``log``: cells are equal in log(1 + x), for numbers of 0 or more.
    """
    import numpy as np

    low, high = _ends(np.concatenate([found, labels]), 0.0 if scale == "log" else TAIL)
    if scale == "log":
        edges = np.expm1(np.linspace(np.log1p(low), np.log1p(high), CELLS + 1))
    else:
        edges = np.linspace(low, high, CELLS + 1)
    across, up = _places(found, edges), _places(labels, edges)
    counts = np.bincount(across * CELLS + up, minlength=CELLS * CELLS)
    is_outside = (found < low) | (found > high) | (labels < low) | (labels > high)
    return Density(
        edges=tuple(edges.tolist()),
        cells=tuple(
            (place // CELLS, place % CELLS, int(counts[place]))
            for place in np.flatnonzero(counts).tolist()
        ),
        outside=int(is_outside.sum()) if scale == "linear" else 0,
    )


def histogram(values: np.ndarray, tail: float = TAIL) -> Histogram:
    """Numbers by size, in bins of equal width.

    Args:
        values: The numbers, [n].
        tail: Share of them at each end that may lie beyond the edges.
    """
    import numpy as np

    low, high = _ends(values, tail)
    edges = np.linspace(low, high, RESIDUAL_BINS + 1)
    counts = np.bincount(_places(values, edges), minlength=RESIDUAL_BINS)
    return Histogram(
        edges=tuple(edges.tolist()),
        counts=tuple(counts.tolist()),
        outside=int(((values < low) | (values > high)).sum()),
    )


def bins(
    found: np.ndarray, labels: np.ndarray, weights: np.ndarray | None = None
) -> tuple[NumberBin, ...]:
    """Bins of equally many rows by answer, the lowest first.

    Args:
        found: Answers in the label's unit, [n].
        labels: Labels of the same rows, [n].
        weights: Of the rows in the means, [n], or None for equal ones.
    """
    import numpy as np

    shares = np.ones(len(found)) if weights is None else weights
    made = []
    for part in np.array_split(np.argsort(found, kind="stable"), BINS):
        if not len(part):
            continue
        off = found[part] - labels[part]
        low, middle, high = _quantiles(off, 0.1, 0.5, 0.9)
        made.append(
            NumberBin(
                rows=len(part),
                predicted=float(np.average(found[part], weights=shares[part])),
                observed=_mean(labels[part], shares[part]),
                residuals=(low, middle, high),
            )
        )
    return tuple(made)


def _mean(values: np.ndarray, weights: np.ndarray) -> Interval:
    """A weighted mean with its interval by linearization, as that of a ratio of sums."""
    mean = float((values * weights).sum() / weights.sum())
    influence = weights * (values - mean) / weights.mean()
    found = paired.mean_interval(influence)
    low, high = found if found is not None else (0.0, 0.0)
    return Interval(value=mean, low=mean + min(low, 0.0), high=mean + max(high, 0.0))


def _quantiles(values: np.ndarray, *shares: float) -> list[float]:
    import numpy as np

    return [float(np.quantile(values, share)) for share in shares]


def _ends(values: np.ndarray, tail: float) -> tuple[float, float]:
    """Ends that leave out a share of the values on each side; apart where all values are equal."""
    low, high = _quantiles(values, tail, 1 - tail)
    return (low, high) if high > low else (low - 0.5, low + 0.5)


def _places(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Number of the bin of each value; values beyond the edges are in the outermost bins."""
    import numpy as np

    found: np.ndarray = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(edges) - 2)
    return found
