from __future__ import annotations

import json
import math
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from goldlake_core.contracts.sections import Feature
from serving.loader import load
from tests.tfx_pipeline import toy
from tests.tfx_pipeline.conftest import Toy
from tfx_pipeline import scores
from tfx_pipeline.evaluation.serving_check import serialize
from tfx_pipeline.event_files import scalars
from tfx_pipeline.heads.binary import FittedBinary
from tfx_pipeline.heads.multiclass import FittedMulticlass
from tfx_pipeline.heads.regression import FittedRegression
from tfx_pipeline.modules import boards, network, trainer, watched
from tfx_pipeline.modules import input_data as data
from tfx_pipeline.modules.layout import layout_of

pytestmark = pytest.mark.tfx
HEAD = FittedBinary()

# What the function behind the toy labels itself reaches on the test split is 0.81.
AUC_FLOOR = 0.77


def probabilities(model: Path, rows: list[toy.Row]) -> np.ndarray:
    serialized = np.array([serialize(row, toy.COLUMNS) for row in rows], object)
    with closing(load(str(model / "Format-Serving"))) as loaded:
        return loaded.run("tf_example", {"examples": serialized})["probability"]


def test_learns_what_there_is_to_learn(toy_data: Toy, toy_model: Path) -> None:
    rows = toy_data.rows["test"]
    labels = np.array([row[toy.LABEL] for row in rows], "float32")
    found = probabilities(toy_model, rows)
    assert scores.auc(labels, found) > AUC_FLOOR
    assert scores.calibration(labels, found) == pytest.approx(1, abs=0.15)


def test_a_missing_vehicle_and_an_empty_one_are_not_the_same(toy_model: Path) -> None:
    base = {"hour": 12, "price": 10.0, "weight": 1.0, "stops": 0, "urgent": False, "note": ""}
    base |= {"north": 50.5, "east": 8.5}
    vehicles = [None, "", "bike"]
    missing, empty, bike = probabilities(toy_model, [{**base, "vehicle": v} for v in vehicles])
    assert missing > empty > bike
    light, unknown = probabilities(
        toy_model, [{**base, "vehicle": "", "weight": w} for w in (0.0, None)]
    )
    assert light > unknown + 0.1


@pytest.mark.parametrize("name", ["loss", "auc"])
def test_train_and_eval_have_every_result_of_every_epoch_in_tensorboard(
    toy_model: Path, name: str
) -> None:
    train, of_eval = (
        dict(scalars(str(toy_model / "run" / part))[f"epoch_{name}"])
        for part in ("train", "validation")
    )
    assert list(train) == list(of_eval) == list(range(len(train)))
    assert len(train) > 1
    assert all(train[epoch] != of_eval[epoch] for epoch in train)


def test_curves_weights_and_named_embeddings_for_tensorboard(toy_model: Path) -> None:
    from tensorboard.backend.event_processing.event_multiplexer import EventMultiplexer

    runs = EventMultiplexer().AddRunsFromDirectory(str(toy_model / "run")).Reload()
    tensors = {name: set(found["tensors"]) for name, found in runs.Runs().items()}
    assert "precision_recall/pr_curves" in tensors["validation"]
    assert {"epoch_loss", "epoch_auc"} <= tensors["validation"]
    assert {"hidden_1/kernel", "hidden_1/bias", "embedding_4/embeddings"} <= tensors["weights"]
    epochs = len(runs.Tensors("train", "epoch_loss"))
    assert len(runs.Tensors("weights", "hidden_1/kernel")) == epochs > 1
    folder = toy_model / "run" / "weights"
    config = (folder / "projector_config.pbtxt").read_text()
    assert "vehicle.tsv" in config
    names = (folder / "vehicle.names.tsv").read_text().splitlines()
    assert names == ["(missing)", "(empty)", "bike", "van", "(other 1)"]
    vectors = np.loadtxt(folder / "vehicle.tsv")
    assert vectors.shape == (5, 4)
    assert len({tuple(row) for row in vectors}) == 5
    words = (folder / "words__words.names.tsv").read_text().splitlines()
    assert words[:3] == ["(padding)", "(missing)", "ring"]


def test_each_class_has_a_curve_and_a_number_has_none(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    head = FittedMulticlass([b"red", b"blue\tor green"], None, is_text=True)
    shares = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]], "float32")
    boards.write_precision_recall(str(tmp_path), head, np.array([0, 1, 1]), shares, None)
    tags = EventAccumulator(str(tmp_path / "validation")).Reload().Tags()["tensors"]
    assert set(tags) == {
        "precision_recall/red/pr_curves",
        "precision_recall/blue or green/pr_curves",
    }
    other = tmp_path / "other"
    number = FittedRegression(0.0, 1.0)
    boards.write_precision_recall(str(other), number, np.array([1.0]), shares[:1, :1], None)
    assert not other.exists()


def test_a_model_with_other_layers_has_no_embeddings_to_show(tmp_path: Path) -> None:
    layout = layout_of(toy.FEATURES)
    boards.write_embeddings(str(tmp_path), numeric_model(toy.TRAINING), layout, lambda name: [b"a"])
    assert not list(tmp_path.iterdir())


def arrays(signal: bool, rows: int = 400) -> data.Arrays:
    """Two numbers, of which the first decides the label, or does not."""
    chance = np.random.default_rng(0)
    numbers = chance.normal(size=(rows, 4)).astype("float32")
    labels = numbers[:, 0] > 0 if signal else chance.random(rows) > 0.5
    return data.Arrays([numbers], labels.astype("float32"))


def numeric_model(training: object) -> object:
    import tensorflow as tf

    tf.keras.utils.set_random_seed(0)
    features = tuple(Feature(name, "numeric", (name,), {"buckets": 0}) for name in "ab")
    return network.build(layout_of(features), training, lambda name: 0, 4, HEAD)


def test_stops_early_and_keeps_the_best_weights() -> None:
    training = replace(toy.TRAINING, epochs=40, patience=2, learning_rate=0.05)
    model = numeric_model(training)
    noise = arrays(signal=False)
    half = data.Arrays([part[:200] for part in noise.inputs], noise.targets[:200])
    other = data.Arrays([part[200:] for part in noise.inputs], noise.targets[200:])
    history = trainer.fit(model, half, other, training, None, HEAD).history["val_auc"]
    assert len(history) < 40
    assert history.index(max(history)) == len(history) - 1 - 2
    labels, answers, _ = watched.predictions(model, other)
    assert scores.auc(labels, answers[:, 0]) == pytest.approx(max(history), abs=1e-6)


def test_a_dataset_that_is_too_large_for_memory_is_streamed(
    toy_data: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []

    def in_memory(dataset: object) -> data.Arrays:
        found = whole(dataset)
        read.append(len(found.targets))
        return found

    whole = data.in_memory
    monkeypatch.setattr(data, "MEMORY_BYTES", 1)
    monkeypatch.setattr(data, "in_memory", in_memory)
    monkeypatch.setattr(watched, "MOST_TRAIN_ROWS", 100)
    one_epoch = replace(toy.TRAINING, epochs=1)
    trainer.run_fn(toy_data.fn_args(tmp_path, custom_config=toy.training_spec(one_epoch).to_json()))
    found = probabilities(tmp_path, toy_data.rows["test"])
    labels = np.array([row[toy.LABEL] for row in toy_data.rows["test"]], "float32")
    assert scores.auc(labels, found) > 0.7
    rows = len(toy_data.rows["train"])
    assert read == [math.ceil(rows / math.ceil(rows / 100))]
    assert rows > 100
    assert "epoch_auc" in scalars(str(tmp_path / "run" / "train"))


def test_an_empty_split_is_refused(toy_data: Toy, tmp_path: Path) -> None:
    toy.write_split(tmp_path, "eval", [])
    patterns = [str(tmp_path / "Split-eval" / "*")]
    with pytest.raises(ValueError, match="has no rows"):
        trainer.run_fn(toy_data.fn_args(tmp_path, eval_files=patterns))


def weights_after(shown: data.Arrays | None) -> list[np.ndarray]:
    """All weights of a model after two epochs."""
    import tensorflow as tf

    split = arrays(signal=True)
    model = numeric_model(replace(toy.TRAINING, dropout=0.3))
    tf.config.experimental.enable_op_determinism()
    tf.keras.utils.set_random_seed(3)
    training = replace(toy.TRAINING, epochs=2, dropout=0.3)
    trainer.fit(model, split, split, training, None, HEAD, shown=shown)
    return [np.asarray(weight) for weight in model.get_weights()]


def test_the_same_seed_gives_the_same_model_and_results_of_train_do_not_change_it() -> None:
    first, again, shown = (weights_after(each) for each in (None, None, arrays(signal=True)))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert all(np.array_equal(a, b) for a, b in zip(first, shown, strict=True))


@pytest.mark.parametrize("steps", [1, 3, 1000])
def test_how_many_steps_a_call_does_changes_no_variable(
    steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = weights_after(None)
    monkeypatch.setattr(trainer, "STEPS_PER_CALL", steps)
    found = weights_after(None)
    assert all(np.array_equal(a, b) for a, b in zip(first, found, strict=True))


def test_results_of_train_are_those_of_the_weights_after_the_epoch() -> None:
    training = replace(toy.TRAINING, epochs=1)
    split, other = arrays(signal=True), arrays(signal=False)
    model = numeric_model(training)
    logs = trainer.fit(model, split, other, training, None, HEAD, shown=split).history
    targets, outputs, _ = watched.predictions(model, split)
    assert logs["auc"] == [pytest.approx(scores.auc(targets, outputs[:, 0]), abs=1e-12)]
    assert logs["loss"] == [
        pytest.approx(scores.binary_crossentropy(targets, outputs[:, 0]), abs=1e-12)
    ]


@pytest.mark.parametrize(("rows", "every"), [(1, 1), (16_384, 1), (16_385, 2), (181_000, 12)])
def test_rows_of_train_whose_results_are_shown_are_spread_over_the_split(
    rows: int, every: int
) -> None:
    split = data.Arrays([np.arange(rows)[:, None]], np.arange(rows), np.arange(rows) / 2)
    found = watched.sample(split)
    wanted = np.arange(0, rows, every)
    assert watched.one_row_in(rows) == every
    assert len(wanted) <= watched.MOST_TRAIN_ROWS
    assert np.array_equal(found.inputs[0][:, 0], wanted)
    assert np.array_equal(found.targets, wanted)
    assert found.weights is not None
    assert np.array_equal(found.weights, wanted / 2)


def test_custom_config_survives_json() -> None:
    spec = toy.training_spec()
    again = type(spec).from_json(json.loads(json.dumps(spec.to_json())))
    assert again == spec
    assert not math.isnan(again.training.learning_rate)
