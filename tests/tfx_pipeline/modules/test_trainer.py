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
from tfx_pipeline.heads.binary import FittedBinary
from tfx_pipeline.heads.multiclass import FittedMulticlass
from tfx_pipeline.heads.regression import FittedRegression
from tfx_pipeline.modules import boards, network, trainer
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


def test_logs_for_tensorboard(toy_model: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(toy_model / "run" / "validation")).Reload()
    assert "epoch_auc" in {
        tag for values in events.Tags().values() if isinstance(values, list) for tag in values
    }


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
    labels, answers, _ = trainer.predictions(model, other)
    assert scores.auc(labels, answers[:, 0]) == pytest.approx(max(history), abs=1e-6)


def test_a_dataset_that_is_too_large_for_memory_is_streamed(
    toy_data: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data, "MEMORY_BYTES", 1)
    monkeypatch.setattr(data, "in_memory", lambda dataset: pytest.fail("read into memory"))
    one_epoch = replace(toy.TRAINING, epochs=1)
    trainer.run_fn(toy_data.fn_args(tmp_path, custom_config=toy.training_spec(one_epoch).to_json()))
    found = probabilities(tmp_path, toy_data.rows["test"])
    labels = np.array([row[toy.LABEL] for row in toy_data.rows["test"]], "float32")
    assert scores.auc(labels, found) > 0.7


def test_an_empty_split_is_refused(toy_data: Toy, tmp_path: Path) -> None:
    toy.write_split(tmp_path, "eval", [])
    patterns = [str(tmp_path / "Split-eval" / "*")]
    with pytest.raises(ValueError, match="has no rows"):
        trainer.run_fn(toy_data.fn_args(tmp_path, eval_files=patterns))


def test_the_same_seed_gives_the_same_model() -> None:
    training = replace(toy.TRAINING, epochs=2)
    split = arrays(signal=True)
    answers = []
    for _ in range(2):
        model = numeric_model(training)
        trainer.fit(model, split, split, training, None, HEAD)
        answers.append(trainer.predictions(model, split)[1])
    assert answers[0] == pytest.approx(answers[1], abs=1e-6)


def test_custom_config_survives_json() -> None:
    spec = toy.training_spec()
    again = type(spec).from_json(json.loads(json.dumps(spec.to_json())))
    assert again == spec
    assert not math.isnan(again.training.learning_rate)
