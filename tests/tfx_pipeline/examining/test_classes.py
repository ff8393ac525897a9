"""What the classes of a multiclass model show."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from goldlake_core.documents.examining import ClassAnswers
from tfx_pipeline.examining import classes
from tfx_pipeline.examining.look import Answered, Look
from tfx_pipeline.examining.registry import look_at
from tfx_pipeline.heads.registry import HEADS

NAMES = ["theft", "assault", "arson", "fraud", "stalking"]
ROWS = 3000


@pytest.fixture(scope="module")
def outputs() -> dict[str, np.ndarray]:
    random = np.random.default_rng(8)
    scores = random.dirichlet([3, 2, 1, 1, 0.2], ROWS).astype("float32")
    names = np.tile(np.array([name.encode() for name in NAMES], object), (ROWS, 1))
    return {"classes": names, "scores": scores, "class": names[0][scores.argmax(axis=1)]}


@pytest.fixture(scope="module")
def labels(outputs: dict[str, np.ndarray]) -> np.ndarray:
    random = np.random.default_rng(9)
    drawn = [random.choice(NAMES, p=row / row.sum()) for row in outputs["scores"].astype("float64")]
    drawn[:50] = ["forgery"] * 50  # a class that the train split lacked
    return np.array(drawn, object)


@pytest.fixture(scope="module")
def looked(outputs: dict[str, np.ndarray], labels: np.ndarray) -> tuple[Look, Answered]:
    look = look_at("multiclass")
    return look, look.kept(outputs, labels)


@pytest.fixture(scope="module")
def shown(looked: tuple[Look, Answered], labels: np.ndarray) -> ClassAnswers:
    look, kept = looked
    answers = look.answers(labels, kept, {})
    assert isinstance(answers, ClassAnswers)
    return answers


def test_what_is_kept_is_what_the_head_keeps_of_each_row(
    looked: tuple[Look, Answered], outputs: dict[str, np.ndarray], labels: np.ndarray
) -> None:
    look, kept = looked
    one_by_one = [
        HEADS["multiclass"].record(label.encode(), {n: each[row] for n, each in outputs.items()})
        for row, label in enumerate(labels.tolist())
    ]
    for place, column in enumerate(look.columns(labels, kept)):
        assert column.tolist() == pytest.approx([row[place] for row in one_by_one])


def test_recall_and_precision_are_those_of_scikit_learn(
    shown: ClassAnswers, outputs: dict[str, np.ndarray], labels: np.ndarray
) -> None:
    found = [name.decode() for name in outputs["class"]]
    names = sorted({*labels, *found})
    precision, recall, f1, rows = precision_recall_fscore_support(
        labels.tolist(), found, labels=names, zero_division=0
    )
    by_name = {each.name: each for each in shown.classes}
    assert set(by_name) == set(names)
    for n, name in enumerate(names):
        each = by_name[name]
        assert each.rows == rows[n]
        assert each.f1 == pytest.approx(f1[n])
        assert (each.recall.value if each.recall else 0) == pytest.approx(recall[n])
        assert (each.precision.value if each.precision else 0) == pytest.approx(precision[n])


def test_a_class_that_the_train_split_lacked_is_never_found(shown: ClassAnswers) -> None:
    first = shown.classes[0]
    assert (first.name, first.rows, first.answered, first.hits) == ("forgery", 50, 0, 0)
    assert first.precision is None


def test_the_matrix_is_that_of_scikit_learn(
    shown: ClassAnswers, outputs: dict[str, np.ndarray], labels: np.ndarray
) -> None:
    found = [name.decode() for name in outputs["class"]]
    expected = confusion_matrix(labels.tolist(), found, labels=list(shown.matrix.classes))
    assert [list(row) for row in shown.matrix.counts] == expected.tolist()
    counts = Counter(labels.tolist())
    rows = [counts[name] for name in shown.matrix.classes]
    assert rows == sorted(rows, reverse=True)


def test_confusions_are_counted_and_the_worst_come_first(
    shown: ClassAnswers, outputs: dict[str, np.ndarray], labels: np.ndarray
) -> None:
    found = [name.decode() for name in outputs["class"]]
    counts = Counter(
        pair for pair in zip(labels.tolist(), found, strict=True) if pair[0] != pair[1]
    )
    assert {(c.label, c.answered): c.rows for c in shown.confusions} == dict(counts)
    assert [c.rows for c in shown.confusions] == sorted(counts.values(), reverse=True)
    of_class = Counter(labels.tolist())
    assert all(c.share == c.rows / of_class[c.label] for c in shown.confusions)


def test_a_matrix_of_many_classes_ends_with_all_others() -> None:
    size = 40
    names = [f"c{n:02}" for n in range(size)]
    true = np.repeat(np.arange(size), np.arange(size, 0, -1))
    found = np.roll(true, 1)
    made = classes.matrix(names, true, found)
    assert len(made.classes) == classes.MOST_IN_MATRIX
    assert made.classes[-1] == classes.OTHER
    assert made.classes[:2] == ("c00", "c01")
    assert sum(map(sum, made.counts)) == len(true)


def test_right_answers_have_a_calibration(shown: ClassAnswers) -> None:
    assert sum(each.rows for each in shown.calibration) == ROWS
    # Labels are drawn by the very probabilities, except for 50 rows.
    for each in shown.calibration:
        assert each.observed.low - 0.05 <= each.predicted <= each.observed.high + 0.05


def test_errors_are_wrong_and_the_surest_comes_first(
    looked: tuple[Look, Answered], labels: np.ndarray
) -> None:
    look, kept = looked
    errors = look.errors(labels, kept, 5)
    assert len(errors) == 5
    assert all(each.answered != each.label == labels[each.row] for each in errors)
    sure = [each.probability or 0.0 for each in errors]
    assert sure == sorted(sure, reverse=True)


def test_only_the_first_classes_are_followed(looked: tuple[Look, Answered]) -> None:
    look, kept = looked
    assert look.followed(kept) == tuple(NAMES[:4])
    assert len(look.means(kept)) == 4
