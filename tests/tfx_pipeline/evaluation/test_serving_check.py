"""The exported model in TensorFlow's own loader, and the check that the pipeline runs."""

from __future__ import annotations

import math
import shutil
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from goldlake_core.contracts.sections import Explain
from goldlake_core.contracts.wire import inputs_of
from tests.tfx_pipeline import toy
from tests.tfx_pipeline.conftest import Toy
from tfx_pipeline.evaluation.serving_check import (
    check_model,
    sample_rows,
    serialize,
    variants,
    warmup_requests,
    wire_arrays,
)

ROW = {
    "vehicle": "van",
    "note": "leave it",
    "stops": 1,
    "urgent": True,
    "hour": 3,
    "weight": 2.5,
    "north": 50.2,
    "east": 8.7,
    "price": 9.0,
}


def test_wire_has_columns_then_flags() -> None:
    assert [(each.name, each.dtype) for each in inputs_of(toy.COLUMNS)] == [
        ("vehicle", "string"),
        ("note", "string"),
        ("stops", "int64"),
        ("urgent", "bool"),
        ("hour", "int64"),
        ("weight", "float32"),
        ("north", "float32"),
        ("east", "float32"),
        ("price", "float32"),
        ("has_stops", "bool"),
        ("has_urgent", "bool"),
        ("has_weight", "bool"),
    ]


def test_every_kind_of_null_on_the_wire() -> None:
    sent = wire_arrays([ROW, {"hour": 0, "price": 0.0}], toy.COLUMNS)
    assert sent["vehicle"].tolist() == [b"van", b"(none)"]
    assert sent["stops"].tolist() == [1, 0]
    assert sent["has_stops"].tolist() == [True, False]
    assert sent["has_urgent"].tolist() == [True, False]
    assert sent["weight"].tolist() == [2.5, 0.0]
    assert sent["north"][0] == pytest.approx(50.2)
    assert math.isnan(sent["north"][1])


def test_variants_are_missing_where_allowed_and_empty_or_zero() -> None:
    found = variants([ROW], toy.COLUMNS)
    assert len(found) == 2 * len(toy.COLUMNS) - 2
    assert {**ROW, "vehicle": None} in found
    assert {**ROW, "vehicle": ""} in found
    assert {**ROW, "stops": 0} in found
    assert {**ROW, "urgent": False} in found
    assert {**ROW, "hour": None} not in found


@pytest.mark.tfx
def test_rows_are_read_back_as_they_were_written(toy_data: Toy) -> None:
    pattern = str(toy_data.examples / "Split-test" / "*")
    found = sample_rows([pattern], toy.COLUMNS, 800)
    assert len(found) == 800
    expected = [{k: v for k, v in row.items() if k != toy.LABEL} for row in toy_data.rows["test"]]

    def by_price(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return sorted(rows, key=lambda row: row["price"])

    for one, other in zip(by_price(found), by_price(expected), strict=True):
        assert one.keys() == other.keys()
        for name, value in other.items():
            is_float = isinstance(value, float)
            assert one[name] == (pytest.approx(value, rel=1e-6) if is_float else value)
            assert type(one[name]) is type(value)


@pytest.mark.tfx
def test_plain_values_and_examples_get_the_same_answers(toy_data: Toy, toy_model: Path) -> None:
    from serving.loader import load

    rows = [*toy_data.rows["test"][:50], *variants([ROW], toy.COLUMNS)]
    with closing(load(str(toy_model / "Format-Serving"))) as model:
        names = [name for name in model.signatures if not name.startswith("__saved_model")]
        assert names == ["serving_default", "tf_example", "transform_features"]
        plain = model.run("serving_default", wire_arrays(rows, toy.COLUMNS))
        serialized = np.array([serialize(row, toy.COLUMNS) for row in rows], object)
        parsed = model.run("tf_example", {"examples": serialized})
        features = model.run("transform_features", {"examples": serialized})
    assert list(plain) == list(parsed) == ["probability"]
    assert plain["probability"].shape == (len(rows),)
    assert plain["probability"] == pytest.approx(parsed["probability"], abs=1e-6)
    assert features["vehicle"].shape == (len(rows),)
    assert len(set(parsed["probability"].tolist())) > 20


@pytest.mark.tfx
def test_python_gives_the_answers_of_the_loader(toy_data: Toy, toy_model: Path) -> None:
    import tensorflow as tf

    from serving.loader import load

    rows = toy_data.rows["test"][:20]
    sent = wire_arrays(rows, toy.COLUMNS)
    folder = str(toy_model / "Format-Serving")
    signature = tf.saved_model.load(folder).signatures["serving_default"]
    in_python = signature(**{name: tf.constant(values) for name, values in sent.items()})
    with closing(load(folder)) as model:
        loaded = model.run("serving_default", sent)
    assert in_python["probability"].numpy() == pytest.approx(loaded["probability"], abs=1e-6)


@pytest.mark.tfx
def test_a_good_model_is_servable(toy_data: Toy, toy_model: Path) -> None:
    rows = sample_rows([str(toy_data.examples / "Split-test" / "*")], toy.COLUMNS)
    report = check_model(str(toy_model / "Format-Serving"), toy.COLUMNS, rows)
    assert report.problems == ()
    assert report.is_servable
    assert report.rows == 64 + 4 * (2 * len(toy.COLUMNS) - 2)
    assert report.largest_difference < 1e-6


@pytest.mark.tfx
def test_a_value_that_means_missing_on_the_wire_is_found(toy_model: Path) -> None:
    report = check_model(
        str(toy_model / "Format-Serving"), toy.COLUMNS, [{**ROW, "vehicle": "(none)"}]
    )
    assert not report.is_servable
    assert "'vehicle': '(none)'" in report.problems[0]


@pytest.mark.tfx
def test_a_broken_model_is_found(toy_model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(toy_model / "Format-Serving", folder)
    for file in (folder / "variables").iterdir():
        file.unlink()
    report = check_model(str(folder), toy.COLUMNS, [ROW])
    assert not report.is_servable
    assert len(report.problems) == 1


@pytest.mark.tfx
def test_a_model_of_other_columns_is_found(toy_model: Path) -> None:
    report = check_model(str(toy_model / "Format-Serving"), toy.COLUMNS[:-1], [ROW])
    assert not report.is_servable
    assert "serving_default takes" in report.problems[0]


@pytest.mark.tfx
def test_what_keras_itself_exports_does_not_pass(tmp_path: Path) -> None:
    """The trap this check is for: Python runs such a model, TF Serving cannot."""
    import keras
    import tensorflow as tf

    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    tf.saved_model.save(model, str(tmp_path))
    report = check_model(str(tmp_path), toy.COLUMNS, [ROW])
    assert not report.is_servable


@pytest.mark.tfx
def test_a_model_of_every_feature_kind_explains(toy_data: Toy, tmp_path: Path) -> None:
    from serving.loader import load
    from tfx_pipeline.modules.trainer import run_fn

    training = replace(toy.TRAINING, epochs=1)
    spec = replace(toy.training_spec(training), explain=Explain(background_rows=4, seed=2))
    run_fn(toy_data.fn_args(tmp_path, custom_config=spec.to_json()))
    folder = str(tmp_path / "Format-Serving")
    rows = [{k: v for k, v in row.items() if k != toy.LABEL} for row in toy_data.rows["test"][:70]]
    report = check_model(folder, toy.COLUMNS, rows)
    assert report.problems == ()
    assert "explain" in report.signatures
    with closing(load(folder)) as model:
        found = model.run("explain", wire_arrays([ROW, {**ROW, "vehicle": None}], toy.COLUMNS))
    names = {f"contribution_{column.name}" for column in toy.COLUMNS}
    assert found.keys() == {*names, "base_value", "probability"}
    assert found["contribution_vehicle"][0] != found["contribution_vehicle"][1]
    [one, other] = warmup_requests(toy.COLUMNS, rows)
    assert (len(one["hour"]), len(other["hour"])) == (1, 32)
