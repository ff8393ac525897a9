"""A number of events, as a rate per unit of an exposure.

A Poisson model whose exposure is a factor of the mean. The network learns the rate, weighted by the
exposure, which has the same optimum as the likelihood of the counts with the logarithm of the
exposure as an offset (McCullagh and Nelder 1989, "Generalized Linear Models", chapter 6).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tfx_pipeline import paired
from tfx_pipeline.heads.base import (
    FEWEST_OF_CLASS,
    NO_WISHES,
    Columns,
    FittedHead,
    Head,
    LabelError,
    Wishes,
    outside,
    shape_problems,
)
from tfx_pipeline.heads.regression import VALUE, mae, rmse
from tfx_pipeline.modules.tensors import Tensors
from tfx_pipeline.scores import NAN

if TYPE_CHECKING:
    import numpy as np

RATE = "rate"
_MOST_LOG = 15.0
"""Bound of the logarithm of a rate's ratio to the mean rate."""
_LEAST = 1e-12


def poisson_deviance(labels: np.ndarray, values: np.ndarray, exposures: np.ndarray) -> float:
    """Mean Poisson deviance of counts from expected counts."""
    return float(deviances(labels, values).mean()) if len(labels) else NAN


def deviances(labels: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Poisson deviance of each count from its expected count, float64 [n]."""
    import numpy as np

    expected = np.maximum(values, _LEAST)
    # The limit of y·log(y/m) for y = 0 is 0.
    logs = np.where(labels > 0, labels * np.log(np.maximum(labels, _LEAST) / expected), 0.0)
    found: np.ndarray = 2 * (logs - labels + expected)
    return found


def calibration(labels: np.ndarray, values: np.ndarray, exposures: np.ndarray) -> float:
    """Expected events per event; 1 is best; NaN without an event."""
    events = labels.sum()
    return float(values.sum() / events) if events else NAN


class FittedCount(FittedHead):
    """The ratio of a row's rate to the mean rate of the train split."""

    loss = "poisson"
    rest_method = "regress"

    def __init__(self, rate: float, exposure: float) -> None:
        """Keeps events per unit of exposure, and the mean exposure, of the train split."""
        self.rate = rate
        self.exposure = exposure

    def targets(self, label: Any, exposure: Any | None) -> tuple[Any, Any | None]:
        import tensorflow as tf

        events = tf.cast(label, tf.float32)
        if exposure is None:
            return events / self.rate, None
        return events / (exposure * self.rate), exposure / self.exposure

    def activated(self, logits: Any) -> Any:
        import keras

        return keras.ops.exp(keras.ops.clip(logits, -_MOST_LOG, _MOST_LOG))

    def watched(
        self, targets: np.ndarray, outputs: np.ndarray, weights: np.ndarray | None
    ) -> Mapping[str, float]:
        import numpy as np

        scale = np.ones(len(targets)) if weights is None else weights.astype("float64")
        factor = scale * self.rate * self.exposure
        found = poisson_deviance(targets * factor, outputs.reshape(-1) * factor, scale)
        return {"val_loss": found, "val_poisson_deviance": found}

    def answers(self, outputs: Any, exposure: Any | None) -> Tensors:
        import tensorflow as tf

        rate = tf.reshape(outputs, [-1]) * self.rate
        return {VALUE: rate} if exposure is None else {VALUE: rate * exposure, RATE: rate}

    def rest_answers(self, answers: Tensors) -> Tensors:
        return {"outputs": answers[VALUE]}


class Count(Head):
    """Numbers of events, 0 or more."""

    kind = "count"
    number = VALUE
    kept = "ddd"
    scored = (VALUE, RATE)
    compared = "poisson_deviance"
    scores = {
        "poisson_deviance": poisson_deviance,
        "rmse": lambda labels, values, exposures: rmse(labels, values),
        "mae": lambda labels, values, exposures: mae(labels, values),
        "calibration": calibration,
    }

    def fit(
        self, labels: np.ndarray, exposures: np.ndarray | None, wishes: Wishes = NO_WISHES
    ) -> FittedHead:
        import numpy as np

        events: np.ndarray = labels.astype("float64")
        units = np.ones(len(events)) if exposures is None else exposures.astype("float64")
        if len(events) and events.min() < 0:
            raise LabelError(
                f"The label has the value {events.min():g}, and the head count knows 0 and more",
                valid="head: regression, or a label without negative values",
            )
        if len(units) and units.min() <= 0:
            raise LabelError(
                f"The exposure has the value {units.min():g}", valid="exposures above 0"
            )
        if not events.sum():
            raise LabelError(
                "All counts of the train split are 0",
                valid="rows with events",
                hint="look at the label, or choose another split",
            )
        return FittedCount(float(events.sum() / units.sum()), float(units.mean()))

    def record(self, label: Any, answers: Mapping[str, Any]) -> Sequence[float]:
        value = float(answers[VALUE])
        rate = float(answers.get(RATE, value))
        return float(label), value, value / rate if rate else 1.0

    def records(self, labels: Sequence[Any], answers: Mapping[str, np.ndarray]) -> Columns:
        import numpy as np

        value = np.asarray(answers[VALUE], np.float64).reshape(-1)
        rate = np.asarray(answers.get(RATE, value), np.float64).reshape(-1)
        exposure = np.divide(value, rate, out=np.ones_like(value), where=rate != 0)
        return np.array(labels, np.float64), value, exposure

    def losses(self, columns: Columns) -> np.ndarray:
        return deviances(columns[0], columns[1])

    def positives(self, columns: Columns) -> int | None:
        return int(columns[0].sum())

    @property
    def fewest(self) -> str:
        return f"{super().fewest} and {FEWEST_OF_CLASS} events"

    def is_enough(self, columns: Columns) -> bool:
        return super().is_enough(columns) and bool(columns[0].sum() >= FEWEST_OF_CLASS)

    def intervals(self, columns: Columns) -> dict[str, paired.Interval | None]:
        calibrated = paired.ratio_interval(columns[1], columns[0])
        return {**super().intervals(columns), "calibration": calibrated}

    def constant(self, metric: str, columns: Columns) -> Columns:
        labels, _, exposures = columns
        total = exposures.sum()
        return labels, exposures * (labels.sum() / total if total else 0.0), exposures

    def problems(self, answers: Mapping[str, np.ndarray], rows: int) -> list[str]:
        found = shape_problems(answers, rows, VALUE)
        return found or outside(VALUE, answers[VALUE], 0, 3.4e38)
