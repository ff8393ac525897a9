"""Classes that a model answers: what it confuses, and how well it knows each class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from goldlake_core.contracts.heads import HeadKind
from goldlake_core.documents.examining import (
    ClassAnswers,
    ClassResult,
    Confusion,
    ConfusionMatrix,
    Interval,
)
from tfx_pipeline import answered as shown
from tfx_pipeline.examining.look import Answered, Error, Look, SliceValues
from tfx_pipeline.heads.base import Columns
from tfx_pipeline.heads.multiclass import CLASSES, SCORES, UNSEEN

if TYPE_CHECKING:
    import numpy as np

MOST_FOLLOWED = 4
"""Classes whose probability is followed, the most frequent ones."""
MOST_CONFUSIONS = 30
MOST_IN_MATRIX = 12
OTHER = "(other)"
_FOUND, _PROBABILITY, _FOLLOWED = "found", "probability", "followed"
_TRUE, _RANK, _SHARE = "true", "rank", "share"


class ClassesLook(Look):
    """A look at classes. It learns their names from the first answer."""

    importance_by = "crossentropy"

    def __init__(self, kind: HeadKind) -> None:
        """Begins without names."""
        super().__init__(kind)
        self.names: tuple[str, ...] = ()
        self._places: dict[str, int] = {}

    def labels(self, values: Sequence[object]) -> np.ndarray:
        import numpy as np

        return np.array([str(value) for value in values], object)

    def kept(self, outputs: Mapping[str, np.ndarray], labels: np.ndarray | None) -> Answered:
        import numpy as np

        probabilities = np.asarray(outputs[SCORES])
        if not self.names:
            row = np.asarray(outputs[CLASSES])[0].tolist()
            self.names = tuple(name.decode(errors="replace") for name in row)
            self._places = {name: place for place, name in enumerate(self.names)}
        found = probabilities.argmax(axis=1)
        every = np.arange(len(found))
        kept = {
            _FOUND: found,
            _PROBABILITY: probabilities[every, found],
            _FOLLOWED: probabilities[:, :MOST_FOLLOWED],
        }
        if labels is None:
            return kept
        true = np.array([self._places.get(label, UNSEEN) for label in labels.tolist()], int)
        share = np.where(true == UNSEEN, 0.0, probabilities[every, true])
        above = (probabilities > share[:, None]).sum(axis=1)
        rank = np.where(true == UNSEEN, len(self.names), above)
        return {**kept, _TRUE: true, _RANK: rank, _SHARE: share}

    def columns(self, labels: np.ndarray, answered: Answered) -> Columns:
        return answered[_TRUE], answered[_FOUND], answered[_RANK], answered[_SHARE]

    def followed(self, answered: Answered) -> tuple[str, ...]:
        return self.names[:MOST_FOLLOWED]

    def means(self, answered: Answered) -> tuple[float, ...]:
        return tuple(answered[_FOLLOWED].mean(axis=0, dtype="float64").tolist())

    def answers(self, labels: np.ndarray, answered: Answered, slices: SliceValues) -> ClassAnswers:
        import numpy as np

        texts = np.array(self.names, object)[answered[_FOUND]]
        names, places = np.unique(np.concatenate([labels, texts]), return_inverse=True)
        places = places.reshape(-1)
        true, found = places[: len(labels)], places[len(labels) :]
        is_right = true == found
        return ClassAnswers(
            metrics=self.metrics(self.columns(labels, answered)),
            right=shown.wilson(int(is_right.sum()), len(labels)),
            classes=class_results(names.tolist(), true, found),
            confusions=confusions(names.tolist(), true, found),
            matrix=matrix(names.tolist(), true, found),
            calibration=shown.calibration(is_right, answered[_PROBABILITY].astype("float64")),
        )

    def errors(self, labels: np.ndarray, answered: Answered, most: int) -> list[Error]:
        import numpy as np

        found = answered[_FOUND]
        sure: np.ndarray = answered[_PROBABILITY].astype("float64")
        wrong = np.flatnonzero(found != answered[_TRUE])
        first = wrong[np.argsort(-sure[wrong], kind="stable")][:most]
        return [
            Error(row, self.names[found[row]], labels[row], float(sure[row]))
            for row in first.tolist()
        ]


def class_results(
    names: Sequence[str], true: np.ndarray, found: np.ndarray
) -> tuple[ClassResult, ...]:
    """Recall and precision of each class, the one that is surely found least first.

    Args:
        names: Names of the classes.
        true: Number of each row's class, [n].
        found: Number of the answered class, [n].
    """
    import numpy as np

    size = len(names)
    rows, answered = np.bincount(true, minlength=size), np.bincount(found, minlength=size)
    hits = np.bincount(true[true == found], minlength=size)

    def share(part: int, whole: int) -> Interval | None:
        return shown.wilson(part, whole, size) if whole else None

    made = [
        ClassResult(
            name=name,
            rows=int(rows[n]),
            answered=int(answered[n]),
            hits=int(hits[n]),
            recall=share(int(hits[n]), int(rows[n])),
            precision=share(int(hits[n]), int(answered[n])),
        )
        for n, name in enumerate(names)
    ]
    return tuple(sorted(made, key=lambda c: (c.recall.high if c.recall else 2.0, c.name)))


def confusions(names: Sequence[str], true: np.ndarray, found: np.ndarray) -> tuple[Confusion, ...]:
    """The pairs of a class and a wrong answer that have the most rows."""
    import numpy as np

    wrong = np.flatnonzero(true != found)
    pairs, counts = np.unique(true[wrong] * len(names) + found[wrong], return_counts=True)
    order = np.argsort(-counts, kind="stable")[:MOST_CONFUSIONS]
    of_class = np.bincount(true, minlength=len(names))
    return tuple(
        Confusion(
            label=names[pair // len(names)],
            answered=names[pair % len(names)],
            rows=count,
            share=count / int(of_class[pair // len(names)]),
        )
        for pair, count in zip(pairs[order].tolist(), counts[order].tolist(), strict=True)
    )


def matrix(names: Sequence[str], true: np.ndarray, found: np.ndarray) -> ConfusionMatrix:
    """Rows by class and answer; rare classes are one."""
    import numpy as np

    size = len(names)
    order = np.argsort(-np.bincount(true, minlength=size), kind="stable")
    shown_classes = order if size <= MOST_IN_MATRIX else order[: MOST_IN_MATRIX - 1]
    place = np.full(size, len(shown_classes))
    place[shown_classes] = np.arange(len(shown_classes))
    texts = [names[n] for n in shown_classes.tolist()]
    texts += [OTHER] if len(shown_classes) < size else []
    counts = np.bincount(place[true] * len(texts) + place[found], minlength=len(texts) ** 2)
    return ConfusionMatrix(
        classes=tuple(texts),
        counts=tuple(map(tuple, counts.reshape(len(texts), len(texts)).tolist())),
    )
