"""Scores of each head beside scikit-learn, and beside the best constant answer."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn import metrics

from goldlake_core.contracts.heads import COST
from goldlake_core.contracts.heads import HEADS as LAWS
from tfx_pipeline.heads.base import COUNT, LabelError
from tfx_pipeline.heads.registry import HEADS

CHANCE = np.random.default_rng(1)


def rows_of_classes(rows: int = 300, classes: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """True classes, and probabilities that favor them."""
    true = CHANCE.choice(classes, rows, p=[0.4, 0.3, 0.15, 0.1, 0.05])
    weights = CHANCE.random((rows, classes)) + 0.8 * np.eye(classes)[true]
    return true, (weights / weights.sum(axis=1, keepdims=True)).astype("float32")


def kept(kind: str, records: list[tuple[object, dict[str, object]]]) -> tuple[np.ndarray, ...]:
    head = HEADS[kind]
    found = [head.record(label, answers) for label, answers in records]
    columns = zip(*found, strict=True)
    return tuple(np.array(c, t) for c, t in zip(columns, head.kept, strict=True))


def test_each_head_has_the_metrics_of_its_contracts() -> None:
    for kind, head in HEADS.items():
        assert set(head.scores) == set(LAWS[kind].metrics) - {COST}


def test_classes_agree_with_scikit_learn() -> None:
    true, shares = rows_of_classes()
    names = np.array([b"a", b"b", b"c", b"d", b"e"], object)
    records = [
        (names[t], {"classes": names, "scores": row}) for t, row in zip(true, shares, strict=True)
    ]
    columns = kept("multiclass", records)
    head = HEADS["multiclass"]
    found = shares.argmax(axis=1)
    assert head.score("accuracy", columns) == pytest.approx(metrics.accuracy_score(true, found))
    assert head.score("macro_f1", columns) == pytest.approx(
        metrics.f1_score(true, found, average="macro")
    )
    assert head.score("top_3", columns) == pytest.approx(
        metrics.top_k_accuracy_score(true, shares, k=3)
    )
    assert head.score("crossentropy", columns) == pytest.approx(
        metrics.log_loss(true, shares.astype("float64")), rel=1e-5
    )
    assert head.score(COUNT, columns) == 300
    majority = np.bincount(true).max() / 300
    over = metrics.accuracy_score(true, found) - majority
    assert head.score("accuracy_over_baseline", columns) == pytest.approx(over)
    shares_of_classes = np.bincount(true) / 300
    entropy = -(shares_of_classes * np.log(shares_of_classes)).sum()
    loss = metrics.log_loss(true, shares.astype("float64"))
    assert head.score("crossentropy_over_baseline", columns) == pytest.approx(
        1 - loss / entropy, rel=1e-4
    )


def test_a_class_that_training_did_not_see_is_never_right() -> None:
    names = np.array([b"a", b"b"], object)
    answer = {"classes": names, "scores": np.array([0.9, 0.1], "float32")}
    columns = kept("multiclass", [(b"new", answer), (b"a", answer)])
    head = HEADS["multiclass"]
    assert head.score("accuracy", columns) == 0.5
    assert head.score("crossentropy", columns) > 8


def test_numbers_agree_with_scikit_learn() -> None:
    labels = CHANCE.normal(50, 20, 200)
    values = labels + CHANCE.normal(0, 5, 200)
    columns = kept("regression", [(y, {"value": v}) for y, v in zip(labels, values, strict=True)])
    head = HEADS["regression"]
    error = metrics.mean_squared_error(labels, values) ** 0.5
    assert head.score("rmse", columns) == pytest.approx(error)
    assert head.score("mae", columns) == pytest.approx(metrics.mean_absolute_error(labels, values))
    assert head.score("r2", columns) == pytest.approx(metrics.r2_score(labels, values))
    assert head.score("rmse_over_baseline", columns) == pytest.approx(1 - error / labels.std())
    median = metrics.mean_absolute_error(labels, np.full(200, np.median(labels)))
    expected = 1 - metrics.mean_absolute_error(labels, values) / median
    assert head.score("mae_over_baseline", columns) == pytest.approx(expected)


def test_counts_agree_with_scikit_learn() -> None:
    exposures = CHANCE.uniform(10, 1000, 200)
    rates = CHANCE.uniform(0.01, 0.05, 200)
    labels = CHANCE.poisson(exposures * rates).astype("float64")
    records = [
        (y, {"value": e * r, "rate": r}) for y, e, r in zip(labels, exposures, rates, strict=True)
    ]
    columns = kept("count", records)
    head = HEADS["count"]
    deviance = metrics.mean_poisson_deviance(labels, exposures * rates)
    assert head.score("poisson_deviance", columns) == pytest.approx(deviance)
    constant = exposures * labels.sum() / exposures.sum()
    expected = 1 - deviance / metrics.mean_poisson_deviance(labels, constant)
    assert head.score("poisson_deviance_over_baseline", columns) == pytest.approx(expected)
    assert head.score("calibration", columns) == pytest.approx(
        (exposures * rates).sum() / labels.sum()
    )


def test_a_constant_answer_is_no_better_than_itself() -> None:
    labels = np.array([0, 1, 1, 0, 1], "int8")
    columns = (labels, np.full(5, 0.6, "float32"), np.ones(5, "int8"))
    for metric, law in LAWS["binary"].metrics.items():
        if law.has_constant:
            found = HEADS["binary"].score(f"{metric}_over_baseline", columns)
            assert found == pytest.approx(0, abs=1e-6)


def test_scores_of_nothing_are_undefined() -> None:
    for head in HEADS.values():
        nothing = tuple(np.array([], code) for code in head.kept)
        assert head.score(COUNT, nothing) == 0
        for name in head.scores:
            assert math.isnan(head.score(name, nothing))


@pytest.mark.parametrize(
    ("kind", "labels", "text"),
    [
        ("binary", np.array([0, 1, 2]), "has the values 0, 1, 2, and the head binary knows 0 and"),
        ("binary", np.array([1, 1]), "All labels of the train split are 1"),
        ("multiclass", np.array([b"a", b"a"], object), "All labels of the train split are the"),
        ("multiclass", np.arange(1001), "has 1,001 values, which are too many classes"),
        ("regression", np.array([2.0, 2.0]), "All labels of the train split are the same"),
        ("count", np.array([1, -1]), "has the value -1, and the head count knows 0 and more"),
        ("count", np.array([0, 0]), "All counts of the train split are 0"),
    ],
)
def test_labels_that_cannot_be_learned(kind: str, labels: np.ndarray, text: str) -> None:
    with pytest.raises(LabelError) as caught:
        HEADS[kind].fit(labels, None)
    assert text in caught.value.message
    assert "Valid: " in caught.value.message


def test_the_loss_of_each_row_has_the_mean_that_is_a_score() -> None:
    found = CHANCE.random(200)
    labels = (CHANCE.random(200) < found).astype("int8")
    counts = CHANCE.poisson(3 * found).astype("float64")
    classes = np.where(labels == 1, found, 1 - found)
    columns = {
        "binary": (labels, found, (found > 0.5).astype("int8")),
        "multiclass": (labels, (found > 0.5).astype(int), np.zeros(200, int), classes),
        "regression": (counts, 3 * found),
        "count": (counts, 3 * found, np.ones(200)),
    }
    named = {"binary": "binary_crossentropy", "multiclass": "crossentropy"}
    named |= {"count": "poisson_deviance"}
    assert columns.keys() == HEADS.keys()
    for kind, head in HEADS.items():
        losses = head.losses(columns[kind])
        assert losses.shape == (200,)
        if kind == "regression":
            assert losses.mean() == pytest.approx(head.score("rmse", columns[kind]) ** 2)
        else:
            assert losses.mean() == pytest.approx(head.score(named[kind], columns[kind]))
        for name, interval in head.intervals(columns[kind]).items():
            value = losses.mean() if name not in head.scores else head.score(name, columns[kind])
            assert interval is not None
            # Of 200 rows whose classes are all among the first three, the share is 1.
            assert interval[0] < value <= interval[1], (kind, name)


def test_how_many_rows_judge_a_model() -> None:
    def columns(rows: int, positives: int) -> tuple[np.ndarray, ...]:
        labels = np.repeat([1, 0], [positives, rows - positives])
        return labels, np.full(rows, 0.5), np.zeros(rows, int), np.full(rows, 0.5)

    def enough(kind: str, rows: int, positives: int) -> bool:
        head = HEADS[kind]
        return bool(head.is_enough(columns(rows, positives)[: len(head.kept)]))

    assert [enough("binary", 60, n) for n in (29, 30, 31)] == [False, True, False]
    assert [enough("count", 100, n) for n in (29, 30)] == [False, True]
    assert not enough("count", 99, 50)
    for kind in ("multiclass", "regression"):
        assert [enough(kind, n, 0) for n in (99, 100)] == [False, True]
        assert HEADS[kind].fewest == "100 answers"
    assert HEADS["binary"].fewest == "30 of each class"
    assert HEADS["count"].fewest == "100 answers and 30 events"
    assert HEADS["binary"].positives(columns(60, 7)[:3]) == 7
    assert HEADS["count"].positives(columns(60, 7)[:3]) == 7
    assert HEADS["regression"].positives(columns(60, 7)[:2]) is None


ANSWERS: dict[str, list[tuple[list[object], dict[str, np.ndarray]]]] = {
    "binary": [
        ([1, 0, 1.0], {"probability": np.array([0.2, 0.5, np.nan], "float32")}),
        (
            [1, 0],
            {
                "probability": np.array([0.2, 0.9], "float32"),
                "is_positive": np.array([True, False]),
            },
        ),
    ],
    "regression": [([1.5, -2], {"value": np.array([0.1, np.inf], "float32")})],
    "count": [
        ([2, 0], {"value": np.array([0.1, 3], "float32")}),
        (
            [2, 0, 1],
            {
                "value": np.array([0.1, 3, 1], "float32"),
                "rate": np.array([0, 1.5, np.nan], "float32"),
            },
        ),
    ],
    "multiclass": [
        (
            [b"b", b"never seen", b"a", b"c"],
            {
                "classes": np.array([[b"a", b"b", b"c", b"b"]] * 4, object),
                "scores": np.random.default_rng(2).random((4, 4)).astype("float32"),
            },
        ),
        (
            [3, 4],
            {
                "classes": np.array([[b"4", b"3"], [b"3", b"4"]], object),
                "scores": np.array([[0.5, 0.5], [0.1, 0.9]], "float32"),
            },
        ),
    ],
}


@pytest.mark.parametrize("kind", sorted(ANSWERS))
def test_all_rows_at_once_are_kept_as_each_alone(kind: str) -> None:
    head = HEADS[kind]
    for labels, answers in ANSWERS[kind]:
        rows = [
            (label, {name: each[place] for name, each in answers.items()})
            for place, label in enumerate(labels)
        ]
        together = head.records(labels, answers)
        for one, other in zip(together, kept(kind, rows), strict=True):
            assert one.dtype == other.dtype
            np.testing.assert_array_equal(one, other)
        nothing = head.records([], {name: each[:0] for name, each in answers.items()})
        assert [each.dtype for each in nothing] == [each.dtype for each in together]
