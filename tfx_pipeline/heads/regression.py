"""A number, in the label's own unit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tfx_pipeline.heads.base import (
    NO_WISHES,
    Columns,
    FittedHead,
    Head,
    LabelError,
    Wishes,
    outside,
    shape_problems,
)
from tfx_pipeline.modules.tensors import Tensors
from tfx_pipeline.scores import NAN

if TYPE_CHECKING:
    import numpy as np

VALUE = "value"


def rmse(labels: np.ndarray, values: np.ndarray) -> float:
    """Root of the mean squared error, in the label's unit."""
    return float((((values - labels) ** 2).mean()) ** 0.5) if len(labels) else NAN


def mae(labels: np.ndarray, values: np.ndarray) -> float:
    """Mean absolute error, in the label's unit."""
    return float(abs(values - labels).mean()) if len(labels) else NAN


def r2(labels: np.ndarray, values: np.ndarray) -> float:
    """Share of the labels' variance that the answers explain; NaN where they do not vary."""
    around = ((labels - labels.mean()) ** 2).sum() if len(labels) else 0.0
    return float(1 - ((values - labels) ** 2).sum() / around) if around else NAN


class FittedRegression(FittedHead):
    """A linear unit that learns standardized labels."""

    loss = "mean_squared_error"
    rest_method = "regress"

    def __init__(self, mean: float, deviation: float) -> None:
        """Keeps mean and standard deviation of the train split's labels."""
        self.mean = mean
        self.deviation = deviation

    def targets(self, label: Any, exposure: Any | None) -> tuple[Any, Any | None]:
        import tensorflow as tf

        return (tf.cast(label, tf.float32) - self.mean) / self.deviation, None

    def activated(self, logits: Any) -> Any:
        return logits

    def watched(
        self, targets: np.ndarray, outputs: np.ndarray, weights: np.ndarray | None
    ) -> Mapping[str, float]:
        root = rmse(targets, outputs.reshape(-1))
        return {"val_rmse": root * self.deviation, "val_loss": root**2}

    def answers(self, outputs: Any, exposure: Any | None) -> Tensors:
        import tensorflow as tf

        return {VALUE: tf.reshape(outputs, [-1]) * self.deviation + self.mean}

    def rest_answers(self, answers: Tensors) -> Tensors:
        return {"outputs": answers[VALUE]}


class Regression(Head):
    """Finite numbers."""

    kind = "regression"
    number = VALUE
    kept = "dd"
    scored = (VALUE,)
    compared = "mean_squared_error"
    scores = {"rmse": rmse, "mae": mae, "r2": r2}

    def fit(
        self, labels: np.ndarray, exposures: np.ndarray | None, wishes: Wishes = NO_WISHES
    ) -> FittedHead:
        numbers: np.ndarray = labels.astype("float64")
        deviation = float(numbers.std()) if len(numbers) else 0.0
        if not deviation:
            raise LabelError(
                "All labels of the train split are the same",
                valid="labels that differ",
                hint="look at the label, or choose another split",
            )
        return FittedRegression(float(numbers.mean()), deviation)

    def record(self, label: Any, answers: Mapping[str, Any]) -> Sequence[float]:
        return float(label), float(answers[VALUE])

    def records(self, labels: Sequence[Any], answers: Mapping[str, np.ndarray]) -> Columns:
        import numpy as np

        return np.array(labels, np.float64), np.asarray(answers[VALUE], np.float64).reshape(-1)

    def losses(self, columns: Columns) -> np.ndarray:
        squares: np.ndarray = (columns[1] - columns[0]) ** 2
        return squares

    def constant(self, metric: str, columns: Columns) -> Columns:
        import numpy as np

        labels, values = columns
        if not len(labels):
            return columns
        best = np.median(labels) if metric == "mae" else labels.mean()
        return labels, np.full(len(values), best)

    def problems(self, answers: Mapping[str, np.ndarray], rows: int) -> list[str]:
        found = shape_problems(answers, rows, VALUE)
        most = 3.4e38
        return found or outside(VALUE, answers[VALUE], -most, most)
