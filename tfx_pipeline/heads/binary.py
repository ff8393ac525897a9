"""The probability that a boolean label is true, and whether that makes a row positive."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from goldlake_core.contracts.sections import Costs
from tfx_pipeline import paired, scores
from tfx_pipeline.heads import deciding
from tfx_pipeline.heads.base import (
    FEWEST_OF_CLASS,
    NO_WISHES,
    Columns,
    FittedHead,
    Head,
    LabelError,
    Score,
    Wishes,
    outside,
    shape_problems,
)
from tfx_pipeline.modules.tensors import Tensors

if TYPE_CHECKING:
    import numpy as np

PROBABILITY, IS_POSITIVE = "probability", "is_positive"


class FittedBinary(FittedHead):
    """One sigmoid unit, calibrated where eval or the contract says so; a decision has a threshold.

    Attributes:
        line: Slope and offset of the log odds that calibrate probabilities, or None.
        threshold: Probability from which on a row is positive, or None.
    """

    loss = "binary_crossentropy"
    monitor = "val_auc"
    mode = "max"

    def __init__(
        self,
        weights: tuple[float, float] | None = None,
        wishes: Wishes = NO_WISHES,
    ) -> None:
        """Keeps the weights of negatives and positives, or None, and what is chosen on eval."""
        self.weights = weights
        self.line: tuple[float, float] | None = None
        self.threshold: float | None = None
        self._wishes = wishes

    def targets(self, label: Any, exposure: Any | None) -> tuple[Any, Any | None]:
        import tensorflow as tf

        targets = tf.cast(label, tf.float32)
        if self.weights is None:
            return targets, None
        negative, positive = self.weights
        return targets, tf.where(targets > 0.5, positive, negative)

    def activated(self, logits: Any) -> Any:
        import keras

        return keras.layers.Activation("sigmoid", name="probability")(logits)

    def watched(
        self, targets: np.ndarray, outputs: np.ndarray, weights: np.ndarray | None
    ) -> Mapping[str, float]:
        found = outputs.reshape(-1)
        loss = scores.binary_crossentropy(targets, found)
        return {"val_auc": scores.auc(targets, found), "val_loss": loss}

    def settle(self, targets: np.ndarray, outputs: np.ndarray) -> None:
        found = outputs.reshape(-1)
        wishes = self._wishes
        may_repair = wishes.calibrate == "auto"
        if wishes.is_calibrated or (may_repair and deciding.is_off(targets, found)):
            self.line = deciding.platt_line(targets, found)
            found = deciding.calibrated(found, self.line)
        if wishes.decision is not None:
            self.threshold = deciding.decision_threshold(targets, found, wishes.decision)

    def answers(self, outputs: Any, exposure: Any | None) -> Tensors:
        import tensorflow as tf

        probability = tf.reshape(outputs, [-1])
        if self.line is not None:
            slope, offset = self.line
            clipped = tf.clip_by_value(probability, deciding.CLIP, 1 - deciding.CLIP)
            odds = tf.math.log(clipped) - tf.math.log1p(-clipped)
            probability = tf.sigmoid(slope * odds + offset)
        if self.threshold is None:
            return {PROBABILITY: probability}
        return {PROBABILITY: probability, IS_POSITIVE: probability >= self.threshold}


def _of_probability(score: Callable[[Any, Any], float]) -> Score:
    return lambda labels, found, is_positive: score(labels, found)


def _of_decision(score: Callable[[Any, Any], float]) -> Score:
    """A score of what was decided; without a decision at 0.5."""
    return lambda labels, found, is_positive: score(labels, is_positive)


_DECIDED = ("precision", "recall", "binary_accuracy")


class Binary(Head):
    """Labels 0 and 1."""

    kind = "binary"
    number = PROBABILITY
    kept = "bfb"
    scored = (PROBABILITY, IS_POSITIVE)
    compared = "auc"
    scores = {
        name: _of_decision(score) if name in _DECIDED else _of_probability(score)
        for name, score in scores.SCORES.items()
        if name != "example_count"
    }

    def fit(
        self, labels: np.ndarray, exposures: np.ndarray | None, wishes: Wishes = NO_WISHES
    ) -> FittedHead:
        import numpy as np

        values, counts = np.unique(labels, return_counts=True)
        if not set(values.tolist()) <= {0, 1}:
            shown = ", ".join(map(str, values[:6])) + (", …" if len(values) > 6 else "")
            raise LabelError(
                f"The label has the values {shown}, and the head binary knows 0 and 1",
                valid="head: multiclass, regression or count in the model's file",
            )
        if len(values) < 2:
            raise LabelError(
                f"All labels of the train split are {values[0] if len(values) else 'missing'}",
                valid="rows of both classes",
                hint="look at the label, or choose another split",
            )
        negative, positive = (float(len(labels) / (2 * count)) for count in counts)
        return FittedBinary((negative, positive) if wishes.is_balanced else None, wishes)

    def record(self, label: Any, answers: Mapping[str, Any]) -> Sequence[float]:
        probability = float(answers[PROBABILITY])
        return int(label), probability, int(answers.get(IS_POSITIVE, probability > 0.5))

    def records(self, labels: Sequence[Any], answers: Mapping[str, np.ndarray]) -> Columns:
        import numpy as np

        found = np.asarray(answers[PROBABILITY], np.float32).reshape(-1)
        positive = np.asarray(answers.get(IS_POSITIVE, found > 0.5)).reshape(-1)
        return np.array(labels).astype(np.int8), found, positive.astype(np.int8)

    def constant(self, metric: str, columns: Columns) -> Columns:
        import numpy as np

        labels, found, _ = columns
        share = labels.mean() if len(labels) else 0.0
        rows = len(found)
        return labels, np.full(rows, share, np.float64), np.full(rows, share > 0.5, np.int8)

    def losses(self, columns: Columns) -> np.ndarray:
        return scores.crossentropies(columns[0], columns[1])

    def positives(self, columns: Columns) -> int | None:
        return int((columns[0] > 0.5).sum())

    @property
    def fewest(self) -> str:
        return f"{FEWEST_OF_CLASS} of each class"

    def is_enough(self, columns: Columns) -> bool:
        positives = int((columns[0] > 0.5).sum())
        return min(positives, len(columns[0]) - positives) >= FEWEST_OF_CLASS

    def change(self, before: Columns, after: Columns) -> paired.Change:
        return paired.auc_change(after[0], before[1], after[1])

    def intervals(self, columns: Columns) -> dict[str, paired.Interval | None]:
        labels, found, decided = columns
        is_true, is_found = labels > 0.5, decided > 0.5
        hits = int((is_true & is_found).sum())
        return {
            "auc": paired.auc_interval(labels, found),
            "calibration": paired.ratio_interval(found, labels),
            "binary_crossentropy": paired.mean_interval(self.losses(columns)),
            "binary_accuracy": paired.share_interval(int((is_true == is_found).sum()), len(labels)),
            "precision": paired.share_interval(hits, int(is_found.sum())),
            "recall": paired.share_interval(hits, int(is_true.sum())),
        }

    def cost(self, columns: Columns, costs: Costs) -> float:
        return deciding.cost_per_1000(columns[0], columns[2], costs)

    def problems(self, answers: Mapping[str, np.ndarray], rows: int) -> list[str]:
        found = shape_problems(answers, rows, PROBABILITY)
        return found or outside(PROBABILITY, answers[PROBABILITY], 0, 1)
