"""Each head learns, is exported and answers through TensorFlow's own loader; no TFX."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from goldlake_core.contracts.sections import Costs, Decision, Feature, Training
from tfx_pipeline.heads.base import NO_WISHES, FittedHead, Wishes
from tfx_pipeline.heads.binary import FittedBinary
from tfx_pipeline.heads.registry import HEADS
from tfx_pipeline.modules.layout import layout_of
from tfx_pipeline.spec import ColumnSpec

pytestmark = pytest.mark.tfx
NAMES = ("a", "b", "area")
COLUMNS = tuple(ColumnSpec(name, "double", False) for name in NAMES)
LAYOUT = layout_of(tuple(Feature(n, "numeric", (n,), {"buckets": 0}) for n in "ab"))
ROWS = 600


def numbers(rows: int = ROWS) -> dict[str, np.ndarray]:
    chance = np.random.default_rng(3)
    columns = {name: chance.normal(size=rows).astype("float32") for name in "ab"}
    return {**columns, "area": chance.uniform(1, 9, rows).astype("float32")}


def labels_of(kind: str, columns: Mapping[str, np.ndarray]) -> np.ndarray:
    """Labels that follow from the first column."""
    a, area = columns["a"], columns["area"]
    if kind == "binary":
        return (a > 0).astype("int64")
    if kind == "multiclass":
        return np.array([b"low", b"middle", b"high"], object)[np.digitize(a, [-0.5, 0.5])]
    if kind == "regression":
        return (1000 + 50 * a).astype("float32")
    return np.random.default_rng(4).poisson(area * np.exp(1 + a)).astype("int64")


def trained(kind: str, folder: Path, wishes: Wishes = NO_WISHES) -> tuple[FittedHead, np.ndarray]:
    """A head with its model on disk; returns also the labels.

    Train and eval are the same rows, so that each has the same results after every epoch.
    """
    import keras
    import tensorflow as tf

    from tfx_pipeline.modules import input_data, network, saved_model, trainer, watched
    from tfx_pipeline.modules.preprocessing import dense

    class Transform(tf.Module):
        def __call__(self, raw: Any) -> Any:
            values = {name: dense(raw[name]).values for name in "ab"}
            return {f"{n}__z": v for n, v in values.items()} | {
                f"{n}__missing": tf.zeros_like(v) for n, v in values.items()
            }

    keras.utils.set_random_seed(5)
    columns = numbers()
    labels = labels_of(kind, columns)
    exposures = columns["area"] if kind == "count" else None
    head = HEADS[kind].fit(labels, exposures, wishes)
    exposure = None if exposures is None else tf.constant(exposures)
    targets, weights = head.targets(tf.constant(labels), exposure)
    zeros = np.zeros(ROWS, "float32")
    inputs = np.stack([columns["a"], zeros, columns["b"], zeros], axis=1)
    split = input_data.Arrays(
        [inputs], targets.numpy(), None if weights is None else weights.numpy()
    )
    training = Training(learning_rate=0.02, epochs=30, patience=5, dropout=0.0).sized(ROWS)
    model = network.build(LAYOUT, training, lambda name: 0, 4, head)
    logs = trainer.fit(model, split, split, training, None, head, shown=split).history
    of_eval = {name: values for name, values in logs.items() if name.startswith("val_")}
    assert len(of_eval) == 2
    assert of_eval == {name: logs[name.removeprefix("val_")] for name in of_eval}
    head.settle(*watched.predictions(model, split)[:2])
    parse = {name: tf.io.FixedLenFeature([1], tf.float32) for name in NAMES}
    where = input_data.Labels("y", None, "area" if kind == "count" else "")
    answers = saved_model.Answers(head, HEADS[kind].number, where.exposures)
    saved_model.save_model(str(folder), model, Transform(), LAYOUT, COLUMNS, parse, answers, None)
    return head, labels


@pytest.mark.parametrize("kind", sorted(HEADS))
def test_a_head_learns_and_is_served(kind: str, tmp_path: Path) -> None:
    from serving.loader import load
    from tfx_pipeline.evaluation.serving_check import check_model, serialize

    fitted, labels = trained(kind, tmp_path)
    head, columns = HEADS[kind], numbers()
    rows = [
        dict(zip(columns, map(float, row), strict=True))
        for row in zip(*columns.values(), strict=True)
    ]
    report = check_model(str(tmp_path), COLUMNS, rows[:20], head=head)
    assert report.problems == ()
    serialized = np.array([serialize(row, COLUMNS) for row in rows], object)
    with closing(load(str(tmp_path))) as model:
        found = model.run("serving_default", columns)
        method = fitted.rest_method
        by_method = model.run(method, {"inputs": serialized}) if method else {}
    kept = [
        head.record(labels[n], {name: values[n] for name, values in found.items()})
        for n in range(ROWS)
    ]
    arrays = tuple(np.array(c, t) for c, t in zip(zip(*kept, strict=True), head.kept, strict=True))
    least = {
        "binary": ("auc_over_baseline", 0.45),
        "multiclass": ("accuracy_over_baseline", 0.4),
        "regression": ("rmse_over_baseline", 0.8),
        "count": ("poisson_deviance_over_baseline", 0.6),
    }
    metric, bound = least[kind]
    assert head.score(metric, arrays) > bound
    if kind == "multiclass":
        assert method == "classify"
        assert set(found["class"].tolist()) == {b"low", b"middle", b"high"}
        assert by_method["scores"] == pytest.approx(found["scores"], abs=1e-6)
        best = found["scores"].argmax(axis=1)
        assert (found["classes"][np.arange(ROWS), best] == found["class"]).all()
    if kind in ("regression", "count"):
        assert method == "regress"
        assert by_method["outputs"] == pytest.approx(found["value"], rel=1e-5)
    if kind == "count":
        assert found["value"] == pytest.approx(found["rate"] * columns["area"], rel=1e-5)
        assert head.score("calibration", arrays) == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize(
    "decision", [Decision(recall=0.98), Decision(costs=Costs(missed=20.0, false_alarm=1.0))]
)
def test_a_decision_is_stored_in_the_model_and_answered(tmp_path: Path, decision: Decision) -> None:
    from serving.loader import load
    from tfx_pipeline.evaluation.serving_check import check_model

    fitted, labels = trained("binary", tmp_path, Wishes(decision, is_balanced=True))
    columns = numbers()
    with closing(load(str(tmp_path))) as model:
        found = model.run("serving_default", columns)
    assert list(found) == ["is_positive", "probability"]
    assert isinstance(fitted, FittedBinary)
    assert fitted.threshold is not None
    assert (found["is_positive"] == (found["probability"] >= fitted.threshold)).all()
    missed = (labels == 1) & ~found["is_positive"]
    assert missed.sum() <= 0.02 * labels.sum() + 1
    assert abs(found["probability"].mean() - labels.mean()) < 0.02
    rows = [{n: float(v[0]) for n, v in columns.items()}]
    assert check_model(str(tmp_path), COLUMNS, rows).problems == ()
