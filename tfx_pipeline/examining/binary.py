"""Probabilities of a binary model: curves, thresholds, calibration and slices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from goldlake_core.documents.examining import BinaryAnswers
from tfx_pipeline import answered as shown
from tfx_pipeline import scores
from tfx_pipeline.examining.look import Answered, Error, Look, SliceValues
from tfx_pipeline.heads.base import Columns
from tfx_pipeline.heads.binary import IS_POSITIVE, PROBABILITY

if TYPE_CHECKING:
    import numpy as np


class BinaryLook(Look):
    """A look at probabilities."""

    importance_by = "auc"

    def labels(self, values: Sequence[object]) -> np.ndarray:
        import numpy as np

        return np.array([bool(value) for value in values], bool)

    def kept(self, outputs: Mapping[str, np.ndarray], labels: np.ndarray | None) -> Answered:
        import numpy as np

        names = [name for name in (PROBABILITY, IS_POSITIVE) if name in outputs]
        return {name: np.asarray(outputs[name]).reshape(-1) for name in names}

    def columns(self, labels: np.ndarray, answered: Answered) -> Columns:
        found: np.ndarray = answered[PROBABILITY].astype("float64")
        return labels.astype("float64"), found, self._decided(answered).astype("int8")

    def followed(self, answered: Answered) -> tuple[str, ...]:
        return (PROBABILITY,)

    def means(self, answered: Answered) -> tuple[float, ...]:
        return (float(answered[PROBABILITY].mean(dtype="float64")),)

    def answers(self, labels: np.ndarray, answered: Answered, slices: SliceValues) -> BinaryAnswers:
        import numpy as np

        found: np.ndarray = answered[PROBABILITY].astype("float64")
        is_positive = self._decided(answered)
        # The model answers what it decided and not its threshold; the smallest alarm is all but it.
        is_chosen = IS_POSITIVE in answered
        threshold = float(found[is_positive].min(initial=1.0)) if is_chosen else 0.5
        roc, precision_recall = shown.curves(labels, found)
        auc = scores.auc(labels.astype("float64"), found)
        precision = scores.average_precision(labels.astype("float64"), found)
        return BinaryAnswers(
            positives=int(labels.sum()),
            auc=None if np.isnan(auc) else auc,
            average_precision=None if np.isnan(precision) else precision,
            brier=float(((found - labels) ** 2).mean()),
            chosen=shown.operating_point(labels, is_positive, threshold),
            is_chosen=is_chosen,
            roc=roc,
            precision_recall=precision_recall,
            calibration=shown.calibration(labels, found),
            table=shown.threshold_table(labels, found),
            slices=shown.slices(labels, is_positive, slices),
        )

    def errors(self, labels: np.ndarray, answered: Answered, most: int) -> list[Error]:
        import numpy as np

        is_positive = self._decided(answered)
        found: np.ndarray = answered[PROBABILITY].astype("float64")
        wrong = np.flatnonzero(labels != is_positive)
        sure = wrong[np.argsort(-np.abs(found[wrong] - labels[wrong]), kind="stable")][:most]
        return [
            Error(row, bool(is_positive[row]), bool(labels[row]), float(found[row]))
            for row in sure.tolist()
        ]

    def _decided(self, answered: Answered) -> np.ndarray:
        """What the model decided, or whether the probability is a half or more; boolean [n]."""
        decided = answered.get(IS_POSITIVE)
        found: np.ndarray = (
            answered[PROBABILITY] >= 0.5 if decided is None else decided.astype(bool)
        )
        return found
