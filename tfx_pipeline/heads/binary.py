"""The probability that a boolean label is true."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tfx_pipeline.heads.base import (
    Columns,
    FittedHead,
    Head,
    LabelError,
    outside,
    shape_problems,
)
from tfx_pipeline.modules.tensors import Tensors
from tfx_pipeline.scores import SCORES, auc, binary_crossentropy

if TYPE_CHECKING:
    import numpy as np

PROBABILITY = "probability"


class FittedBinary(FittedHead):
    """One sigmoid unit."""

    loss = "binary_crossentropy"
    monitor = "val_auc"
    mode = "max"

    def targets(self, label: Any, exposure: Any | None) -> tuple[Any, Any | None]:
        import tensorflow as tf

        return tf.cast(label, tf.float32), None

    def activated(self, logits: Any) -> Any:
        import keras

        return keras.layers.Activation("sigmoid", name="probability")(logits)

    def watched(
        self, targets: np.ndarray, outputs: np.ndarray, weights: np.ndarray | None
    ) -> Mapping[str, float]:
        scores = outputs.reshape(-1)
        return {"val_auc": auc(targets, scores), "val_loss": binary_crossentropy(targets, scores)}

    def answers(self, outputs: Any, exposure: Any | None) -> Tensors:
        import tensorflow as tf

        return {PROBABILITY: tf.reshape(outputs, [-1])}


class Binary(Head):
    """Labels 0 and 1."""

    kind = "binary"
    number = PROBABILITY
    kept = "bf"
    scores = {name: score for name, score in SCORES.items() if name != "example_count"}

    def fit(self, labels: np.ndarray, exposures: np.ndarray | None) -> FittedHead:
        import numpy as np

        values = np.unique(labels).tolist()
        if not set(values) <= {0, 1}:
            shown = ", ".join(map(str, values[:6])) + (", …" if len(values) > 6 else "")
            raise LabelError(
                f"The label has the values {shown}, and the head binary knows 0 and 1",
                valid="head: multiclass, regression or count in the model's file",
            )
        if len(values) < 2:
            raise LabelError(
                f"All labels of the train split are {values[0] if values else 'missing'}",
                valid="rows of both classes",
                hint="look at the label, or choose another split",
            )
        return FittedBinary()

    def record(self, label: Any, answers: Mapping[str, Any]) -> Sequence[float]:
        return int(label), float(answers[PROBABILITY])

    def constant(self, metric: str, columns: Columns) -> Columns:
        import numpy as np

        labels, scores = columns
        share = labels.mean() if len(labels) else 0.0
        return labels, np.full(len(scores), share, np.float64)

    def problems(self, answers: Mapping[str, np.ndarray], rows: int) -> list[str]:
        found = shape_problems(answers, rows, PROBABILITY)
        return found or outside(PROBABILITY, answers[PROBABILITY], 0, 1)
