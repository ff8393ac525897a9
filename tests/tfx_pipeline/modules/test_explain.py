"""``explain``: exported beside the other signatures, and equal to Shapley values that are known."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from goldlake_core.contracts.sections import Feature, WireNull
from serving.errors import StatusError
from tfx_pipeline.modules.explain import BASE_VALUE, CONTRIBUTION, explain_function, orders
from tfx_pipeline.modules.layout import layout_of
from tfx_pipeline.spec import ColumnSpec

COLUMNS = (
    ColumnSpec("a", "double", False),
    ColumnSpec("b", "double", True, WireNull("flag", "has_b")),
    ColumnSpec("c", "double", False),
)
ROWS = 16


def background(seed: int = 1) -> dict[str, np.ndarray]:
    chance = np.random.default_rng(seed)
    made = {name: chance.normal(size=ROWS).astype(np.float32) for name in "abc"}
    return {**made, "has_b": chance.random(ROWS) > 0.3}


def asked(count: int = 5) -> dict[str, np.ndarray]:
    return {name: values[:count] for name, values in background(seed=7).items()}


def test_each_order_comes_with_its_reverse() -> None:
    found = orders(5, 8, seed=3)
    assert found.shape == (16, 5)
    assert all(sorted(order) == list(range(5)) for order in found.tolist())
    assert np.array_equal(found[::2], found[1::2, ::-1])
    assert np.array_equal(found, orders(5, 8, seed=3))
    assert not np.array_equal(found, orders(5, 8, seed=4))


def explained(answer: Any, rows: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    import tensorflow as tf

    function = tf.function(explain_function(answer, COLUMNS, background(), "y", seed=0))
    found = function(**{name: tf.constant(values) for name, values in rows.items()})
    return {name: values.numpy() for name, values in found.items()}


@pytest.mark.tfx
def test_a_sum_is_attributed_to_its_terms() -> None:
    import tensorflow as tf

    def answer(wire: Any) -> Any:
        # Without its value, b counts 5.
        return 2 * wire["a"] + tf.where(wire["has_b"], wire["b"], 5.0)

    stored, rows = background(), asked()
    found = explained(answer, rows)
    assert list(found) == [*(f"{CONTRIBUTION}{name}" for name in "abc"), BASE_VALUE, "y"]
    wanted = 2 * (rows["a"] - stored["a"].mean())
    assert found[f"{CONTRIBUTION}a"] == pytest.approx(wanted, abs=1e-5)
    of_b = np.where(rows["has_b"], rows["b"], 5.0)
    wanted = of_b - np.where(stored["has_b"], stored["b"], 5.0).mean()
    assert found[f"{CONTRIBUTION}b"] == pytest.approx(wanted, abs=1e-5)
    assert found[f"{CONTRIBUTION}c"] == pytest.approx(0, abs=1e-6)


@pytest.mark.tfx
def test_the_estimate_is_near_the_exact_values() -> None:
    import tensorflow as tf

    def answer(wire: Any) -> Any:
        return tf.math.sigmoid(wire["a"] * wire["b"] + wire["c"])

    def exact(row: dict[str, float]) -> list[float]:
        """Shapley's sum over all subsets, for the mean over the stored rows."""
        stored = background()

        def value(known: frozenset[str]) -> float:
            mixed = {n: row[n] if n in known else stored[n] for n in "abc"}
            return float(np.mean(1 / (1 + np.exp(-(mixed["a"] * mixed["b"] + mixed["c"])))))

        totals = []
        for name in "abc":
            others = [other for other in "abc" if other != name]
            total = 0.0
            for size in range(3):
                weight = math.factorial(size) * math.factorial(2 - size) / 6
                for chosen in map(frozenset, itertools.combinations(others, size)):
                    total += weight * (value(chosen | {name}) - value(chosen))
            totals.append(total)
        return totals

    rows = asked()
    found = explained(answer, rows)
    total = found[BASE_VALUE] + sum(found[f"{CONTRIBUTION}{name}"] for name in "abc")
    assert total == pytest.approx(found["y"], abs=1e-6)
    for number in range(5):
        wanted = exact({name: float(rows[name][number]) for name in "abc"})
        estimate = [float(found[f"{CONTRIBUTION}{name}"][number]) for name in "abc"]
        assert estimate == pytest.approx(wanted, abs=0.12)


def export(folder: Path) -> Any:
    """A small Keras model through the project's own export, with what Transform would do."""
    import keras
    import tensorflow as tf

    from tfx_pipeline.heads.binary import PROBABILITY, FittedBinary
    from tfx_pipeline.modules.saved_model import Answers, Background, save_model

    layout = layout_of(tuple(Feature(n, "numeric", (n,), {"buckets": 0}) for n in "abc"))

    class Transform(tf.Module):
        def __init__(self) -> None:
            self.scale = tf.Variable([2.0])

        def __call__(self, raw: Any) -> Any:
            found = {}
            for name in "abc":
                values = raw[name]
                if isinstance(values, tf.SparseTensor):
                    values = tf.sparse.to_dense(values, default_value=-9.0)
                values = tf.reshape(values, [-1])
                found[f"{name}__missing"] = tf.cast(values == -9.0, tf.float32)
                found[f"{name}__z"] = tf.where(values == -9.0, 0.0, values) / self.scale
            return found

    keras.utils.set_random_seed(5)
    numbers = keras.Input((6,))
    hidden = keras.layers.Dense(8, activation="tanh")(numbers)
    model = keras.Model([numbers], keras.layers.Dense(1, activation="sigmoid")(hidden))
    parse = {
        "a": tf.io.FixedLenFeature([1], tf.float32),
        "b": tf.io.VarLenFeature(tf.float32),
        "c": tf.io.FixedLenFeature([1], tf.float32),
    }
    stored = Background(background(), seed=0)
    answers = Answers(FittedBinary(), PROBABILITY, lambda raw: None)
    save_model(str(folder), model, Transform(), layout, COLUMNS, parse, answers, stored)


@pytest.mark.tfx
def test_the_exported_model_explains(tmp_path: Path) -> None:
    import tensorflow as tf

    from serving.loader import load
    from tfx_pipeline.evaluation.serving_check import check_model
    from tfx_pipeline.spec import ServingSpec

    export(tmp_path)
    sent = asked()
    loaded = tf.saved_model.load(str(tmp_path))
    in_python = loaded.signatures["explain"](**{n: tf.constant(v) for n, v in sent.items()})
    model = load(str(tmp_path))
    found = model.run("explain", sent)
    answered = model.run("serving_default", sent)["probability"]
    assert model.signatures["explain"].inputs.keys() == {"a", "b", "c", "has_b"}
    # Nothing to explain is explained, too.
    assert model.run("explain", {n: v[:0] for n, v in sent.items()})["probability"].shape == (0,)
    with pytest.raises(StatusError):
        model.run("explain", {**sent, "a": sent["a"].astype(np.int64)})
    model.close()
    for name, values in found.items():
        assert values == pytest.approx(in_python[name].numpy(), abs=1e-6)
    assert found["probability"] == pytest.approx(answered, abs=1e-6)
    total = found[BASE_VALUE] + sum(found[f"{CONTRIBUTION}{name}"] for name in "abc")
    assert total == pytest.approx(answered, abs=1e-5)
    # A missing value and a zero are not explained alike.
    zero = {n: np.array([v[0]] * 2) for n, v in sent.items()}
    zero["b"], zero["has_b"] = np.zeros(2, np.float32), np.array([True, False])
    model = load(str(tmp_path))
    both = model.run("explain", zero)[f"{CONTRIBUTION}b"]
    model.close()
    assert abs(both[0] - both[1]) > 1e-3

    rows = [
        {"a": float(a), "b": None, "c": float(c)} for a, c in zip(sent["a"], sent["c"], strict=True)
    ]
    check = check_model(str(tmp_path), COLUMNS, rows)
    # The model of this test has no gold vocabulary; what counts is that explain agrees.
    assert "explain" in check.signatures
    assert not [problem for problem in check.problems if "explain" in problem]
    assert check.megabytes is not None
    assert check.milliseconds is not None
    tight = ServingSpec(most_megabytes=0.001, most_milliseconds=1e-6)
    problems = check_model(str(tmp_path), COLUMNS, rows, tight).problems
    assert any("serving.most_megabytes is 0.001" in problem for problem in problems)
    assert any("serving.most_milliseconds is 1e-06" in problem for problem in problems)


@pytest.mark.tfx
def test_the_serving_check_records_warm_up_requests(tmp_path: Path) -> None:
    """The component's executor on a model of the project's export, then the loader on both."""
    import shutil

    import tensorflow as tf
    from tfx.types import standard_artifacts

    from serving import warmup
    from serving.loader import load
    from tfx_pipeline.components.model import ServingCheckExecutor
    from tfx_pipeline.modules.raw_rows import serialize
    from tfx_pipeline.spec import FeatureSpec, ServingSpec

    model, examples = standard_artifacts.Model(), standard_artifacts.Examples()
    model.uri = str(tmp_path / "model")
    export(tmp_path / "model" / "Format-Serving")
    examples.uri, examples.split_names = str(tmp_path / "examples"), '["test"]'
    (tmp_path / "examples" / "Split-test").mkdir(parents=True)
    file = str(tmp_path / "examples" / "Split-test" / "part.gz")
    with tf.io.TFRecordWriter(file, "GZIP") as records:
        for number in range(40):
            row = {"a": number / 40, "b": None if number % 2 else 1.0, "c": -1.0}
            records.write(serialize(row, COLUMNS))
    features = tuple(Feature(n, "numeric", (n,), {"buckets": 0}) for n in "abc")
    spec = FeatureSpec("toy.abc", "late", COLUMNS, features)

    def checked(name: str, bounds: ServingSpec) -> Any:
        blessing = standard_artifacts.InfraBlessing()
        blessing.uri = str(tmp_path / name)
        properties = {
            "features": json.dumps(spec.to_json()),
            "bounds": json.dumps(bounds.to_json()),
        }
        ServingCheckExecutor().Do(
            {"model": [model], "examples": [examples]}, {"blessing": [blessing]}, properties
        )
        return blessing

    good = checked("good", ServingSpec(most_megabytes=5))
    assert good.get_string_custom_property("problem") == ""
    assert good.get_int_custom_property("blessed") == 1
    version = tmp_path / "1"
    shutil.copytree(tmp_path / "model" / "Format-Serving", version)
    shutil.copytree(tmp_path / "good" / "assets.extra", version / "assets.extra")
    loaded = load(str(version))
    assert warmup.replay(str(version), loaded) == 2
    loaded.close()
    bad = checked("bad", ServingSpec(most_megabytes=0.001))
    assert bad.get_int_custom_property("blessed") == 0
    assert "serving.most_megabytes is 0.001" in bad.get_string_custom_property("problem")
    assert not (tmp_path / "bad" / "assets.extra").exists()
