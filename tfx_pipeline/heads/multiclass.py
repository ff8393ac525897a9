"""The class of a row, and a probability per class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tfx_pipeline import paired
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
from tfx_pipeline.scores import CLIP, NAN

if TYPE_CHECKING:
    import numpy as np

CLASS, CLASSES, SCORES = "class", "classes", "scores"
MOST_CLASSES = 1000
UNSEEN = -1
"""Index of a class that the train split lacks; no answer to it is right."""


def accuracy(true: np.ndarray, found: np.ndarray, rank: np.ndarray, share: np.ndarray) -> float:
    """Share of rows whose most probable class is theirs."""
    return float((true == found).mean()) if len(true) else NAN


def top_3(true: np.ndarray, found: np.ndarray, rank: np.ndarray, share: np.ndarray) -> float:
    """Share of rows whose class is among the three most probable ones."""
    return float((rank < 3).mean()) if len(true) else NAN


def macro_f1(true: np.ndarray, found: np.ndarray, rank: np.ndarray, share: np.ndarray) -> float:
    """Mean over the classes that occur, or are answered, of the F1 score of each."""
    import numpy as np

    if not len(true):
        return NAN
    classes, places = np.unique(np.concatenate([true, found]), return_inverse=True)
    places = places.reshape(-1)
    own, answered = places[: len(true)], places[len(true) :]
    hits = np.bincount(own[own == answered], minlength=len(classes))
    both = np.bincount(own, minlength=len(classes)) + np.bincount(answered, minlength=len(classes))
    return float((2 * hits / both).mean())


def crossentropy(true: np.ndarray, found: np.ndarray, rank: np.ndarray, share: np.ndarray) -> float:
    """Mean negative log-likelihood of the rows' classes in nats."""
    return float(crossentropies(share).mean()) if len(true) else NAN


def crossentropies(share: np.ndarray) -> np.ndarray:
    """Negative log-likelihood of each row's class in nats, float64 [n]."""
    import numpy as np

    losses: np.ndarray = -np.log(np.clip(share.astype("float64"), CLIP, 1))
    return losses


class FittedMulticlass(FittedHead):
    """A softmax over the classes of the train split."""

    loss = "sparse_categorical_crossentropy"
    rest_method = "classify"

    def __init__(
        self, classes: Sequence[bytes], weights: Sequence[float] | None, *, is_text: bool
    ) -> None:
        """Keeps the classes as texts, the most frequent one first, and their weights or None."""
        self.classes = tuple(classes)
        self.weights = None if weights is None else [*weights, 0.0]
        self.units = len(self.classes)
        self._is_text = is_text

    def targets(self, label: Any, exposure: Any | None) -> tuple[Any, Any | None]:
        import tensorflow as tf

        text = label if self._is_text else tf.strings.as_string(label)
        is_class = text[:, None] == tf.constant(self.classes)[None, :]
        index = tf.argmax(tf.cast(is_class, tf.int32), axis=1, output_type=tf.int32)
        is_known = tf.reduce_any(is_class, axis=1)
        weights = None
        if self.weights is not None:
            place = tf.where(is_known, index, self.units)
            weights = tf.gather(tf.constant(self.weights, tf.float32), place)
        return tf.where(is_known, index, UNSEEN), weights

    def activated(self, logits: Any) -> Any:
        import keras

        return keras.layers.Activation("softmax", name="scores")(logits)

    def watched(
        self, targets: np.ndarray, outputs: np.ndarray, weights: np.ndarray | None
    ) -> Mapping[str, float]:
        import numpy as np

        true: np.ndarray = targets.astype(np.int64)
        share = np.where(true == UNSEEN, 0.0, outputs[np.arange(len(true)), true])
        columns = (true, outputs.argmax(axis=1), share, share)
        return {"val_accuracy": accuracy(*columns), "val_loss": crossentropy(*columns)}

    def answers(self, outputs: Any, exposure: Any | None) -> Tensors:
        import tensorflow as tf

        names = tf.constant(self.classes)
        return {
            CLASS: tf.gather(names, tf.argmax(outputs, axis=1)),
            CLASSES: tf.tile(names[None, :], [tf.shape(outputs)[0], 1]),
            SCORES: outputs,
        }

    def rest_answers(self, answers: Tensors) -> Tensors:
        return {CLASSES: answers[CLASSES], SCORES: answers[SCORES]}


class Multiclass(Head):
    """Texts or whole numbers that name a class."""

    kind = "multiclass"
    kept = "iiif"
    scored = (CLASS, "score")
    compared = "crossentropy"
    scores = {"accuracy": accuracy, "macro_f1": macro_f1, "top_3": top_3}
    scores["crossentropy"] = crossentropy

    def fit(
        self, labels: np.ndarray, exposures: np.ndarray | None, wishes: Wishes = NO_WISHES
    ) -> FittedHead:
        import numpy as np

        values, counts = np.unique(labels, return_counts=True)
        if len(values) < 2:
            raise LabelError(
                "All labels of the train split are the same",
                valid="rows of two classes or more",
                hint="look at the label, or choose another split",
            )
        if len(values) > MOST_CLASSES:
            raise LabelError(
                f"The label has {len(values):,} values, which are too many classes",
                valid=f"at most {MOST_CLASSES:,} classes",
                hint="head: regression or count for a number, or a label with fewer values",
            )
        is_text = labels.dtype.kind not in "iu"
        texts = [value if is_text else str(value).encode() for value in values.tolist()]
        order = sorted(zip(-counts, texts, strict=True))
        weights = [-len(labels) / (len(values) * count) for count, _ in order]
        return FittedMulticlass(
            [text for _, text in order], weights if wishes.is_balanced else None, is_text=is_text
        )

    def record(self, label: Any, answers: Mapping[str, Any]) -> Sequence[float]:
        import numpy as np

        classes, scores = np.asarray(answers[CLASSES]), np.asarray(answers[SCORES])
        text = label if isinstance(label, bytes) else str(label).encode()
        place = np.flatnonzero(classes == text)
        found = int(scores.argmax())
        if not len(place):
            return UNSEEN, found, len(classes), 0.0
        true = int(place[0])
        return true, found, int((scores > scores[true]).sum()), float(scores[true])

    def records(self, labels: Sequence[Any], answers: Mapping[str, np.ndarray]) -> Columns:
        import numpy as np

        classes, found = np.asarray(answers[CLASSES]), np.asarray(answers[SCORES])
        if not len(classes) or not (classes == classes[0]).all():
            return super().records(labels, answers)
        names = classes[0].tolist()
        # Of classes that are named twice the first one counts, so they are put in backwards.
        places = {name: place for place, name in reversed(list(enumerate(names)))}
        texts = [label if isinstance(label, bytes) else str(label).encode() for label in labels]
        true = np.array([places.get(text, UNSEEN) for text in texts], np.int32)
        is_seen = true != UNSEEN
        share = np.where(is_seen, found[np.arange(len(true)), true], 0.0).astype(np.float32)
        rank = np.where(is_seen, (found > share[:, None]).sum(axis=1), len(names))
        return true, found.argmax(axis=1).astype(np.int32), rank.astype(np.int32), share

    def losses(self, columns: Columns) -> np.ndarray:
        return crossentropies(columns[3])

    def intervals(self, columns: Columns) -> dict[str, paired.Interval | None]:
        true, found, rank, _ = columns
        return {
            **super().intervals(columns),
            "accuracy": paired.share_interval(int((true == found).sum()), len(true)),
            "top_3": paired.share_interval(int((rank < 3).sum()), len(true)),
        }

    def flat(self, answers: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        return {CLASS: answers[CLASS], "score": answers[SCORES].max(axis=1)}

    def constant(self, metric: str, columns: Columns) -> Columns:
        import numpy as np

        true = columns[0]
        if not len(true):
            return columns
        classes, place, counts = np.unique(true, return_inverse=True, return_counts=True)
        order = np.argsort(-counts, kind="stable")
        rank: np.ndarray = np.empty(len(classes), np.int64)
        rank[order] = np.arange(len(classes))
        place = place.reshape(-1)
        found = np.full(len(true), classes[order[0]])
        return true, found, rank[place], (counts / len(true))[place]

    def problems(self, answers: Mapping[str, np.ndarray], rows: int) -> list[str]:
        found = shape_problems(answers, rows, CLASS, CLASSES, SCORES)
        if found:
            return found
        sums = answers[SCORES].sum(axis=1)
        return outside(SCORES, answers[SCORES], 0, 1) + outside(
            "the sum of scores", sums, 0.999, 1.001
        )
