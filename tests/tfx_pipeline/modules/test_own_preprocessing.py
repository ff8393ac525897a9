"""A use case's own preprocessing function, from its folder into the served model."""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from goldlake_core.contracts.sections import Feature
from serving.loader import load
from tests.tfx_pipeline import toy
from tfx_pipeline.evaluation.serving_check import check_model, serialize
from tfx_pipeline.modules.layout import OWN
from tfx_pipeline.spec import USECASE_PATH, FeatureSpec, TrainingSpec

HARBOUR = Path(__file__).parents[2] / "usecases" / "toy_harbour"
FEATURES = '''
"""Columns of our own."""


def own(columns):
    import tensorflow as tf
    import tensorflow_transform as tft

    weight = columns["weight"]
    heaviest = tft.max(tf.boolean_mask(weight.values, weight.present))
    return {
        "share": tf.where(weight.present, weight.values / heaviest, -1.0),
        "late_hour": columns["hour"].values >= 18,
    }
'''


def _train(folder: Path, spec: FeatureSpec) -> None:
    """Writes 300 rows of each split, transforms them, and trains for an epoch."""
    from tfx_pipeline.modules.trainer import run_fn

    for split in ("train", "eval"):
        toy.write_split(folder / "examples", split, toy.rows(300, seed=1))
    toy.analyze(folder / "examples", folder / "graph", spec)
    training = replace(toy.TRAINING, epochs=1)
    run_fn(
        SimpleNamespace(
            custom_config=TrainingSpec(spec, training, {"train": 300, "eval": 300}).to_json(),
            transform_output=str(folder / "graph"),
            train_files=[str(folder / "examples" / "Split-train" / "*")],
            eval_files=[str(folder / "examples" / "Split-eval" / "*")],
            model_run_dir=str(folder / "run"),
            serving_model_dir=str(folder / "model"),
        )
    )


@pytest.mark.tfx
def test_own_columns_reach_the_served_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(HARBOUR, tmp_path / HARBOUR.name)
    (tmp_path / HARBOUR.name / "features.py").write_text(FEATURES)
    monkeypatch.setenv(USECASE_PATH, str(tmp_path / HARBOUR.name))
    weight_and_hour = tuple(f for f in toy.FEATURES if f.name in ("weight", "hour"))
    spec = replace(toy.SPEC, features=weight_and_hour, preprocessing="features.own")
    _train(tmp_path, spec)
    rows = toy.rows(20, seed=2)
    for row, (weight, hour) in zip(rows, [(1.0, 17), (0.0, 18), (None, 23)], strict=False):
        row.update(weight=weight, hour=hour)
    serialized = np.array([serialize(row, toy.COLUMNS) for row in rows], object)
    with closing(load(str(tmp_path / "model"))) as model:
        found = model.run("transform_features", {"examples": serialized})[OWN]
    # Sorted by name: late_hour, share.
    assert found[:3].tolist() == [[0, 0.25], [1, 0], [1, -1]]
    report = check_model(str(tmp_path / "model"), toy.COLUMNS, rows)
    assert report.problems == ()


@pytest.mark.tfx
@pytest.mark.long
def test_an_encoder_that_the_use_case_brings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Vectors of a SavedModel with a variable and a table reach the served model."""
    import tensorflow as tf

    class Encoder(tf.Module):
        def __init__(self) -> None:
            self.scale = tf.Variable([1.0, 10.0])

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
        def __call__(self, texts: Any) -> Any:
            length = tf.cast(tf.strings.length(texts), tf.float32)
            words = tf.cast(tf.strings.split(texts).row_lengths(), tf.float32)
            return tf.stack([length, words], axis=1) * self.scale

    shutil.copytree(HARBOUR, tmp_path / HARBOUR.name)
    tf.saved_model.save(Encoder(), str(tmp_path / HARBOUR.name / "encoder"))
    monkeypatch.setenv(USECASE_PATH, str(tmp_path / HARBOUR.name))
    text = Feature(
        "note", "text", ("note",), {"max_tokens": 9, "embedding": 2, "encoder": "encoder"}
    )
    numeric = tuple(f for f in toy.FEATURES if f.name == "price")
    spec = replace(toy.SPEC, features=(text, *numeric))
    _train(tmp_path, spec)
    shutil.rmtree(tmp_path / HARBOUR.name / "encoder")
    rows = toy.rows(20, seed=2)
    for row, note in zip(rows, ["leave it", "", None], strict=False):
        row.update(note=note)
    serialized = np.array([serialize(row, toy.COLUMNS) for row in rows], object)
    with closing(load(str(tmp_path / "model"))) as model:
        found = model.run("transform_features", {"examples": serialized})
    assert found["note__encoded"][:3].tolist() == [[8, 20], [0, 0], [0, 0]]
    assert found["note__missing"][:3].tolist() == [0, 0, 1]
    assert check_model(str(tmp_path / "model"), toy.COLUMNS, rows).problems == ()
