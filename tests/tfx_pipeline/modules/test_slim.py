from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from serving.loader import SavedModel, load
from tests.tfx_pipeline import toy
from tests.tfx_pipeline.conftest import Toy
from tfx_pipeline.evaluation.serving_check import variants
from tfx_pipeline.modules import saved_model, slim, trainer
from tfx_pipeline.modules.raw_rows import serialize, wire_arrays

pytestmark = pytest.mark.tfx
SIGNATURES = ("serving_default", "tf_example")


@pytest.fixture(scope="module")
def both(toy_data: Toy, tmp_path_factory: pytest.TempPathFactory) -> tuple[SavedModel, SavedModel]:
    """One trained model, exported as it was traced, and slimmed."""
    folder = tmp_path_factory.mktemp("both")
    save = saved_model.save_model

    def save_twice(place: str, *arguments: Any) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(saved_model, "slimmed", lambda function: function)
            save(f"{folder}/traced", *arguments)
        save(place, *arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainer.export, "save_model", save_twice)
        spec = toy.training_spec(replace(toy.TRAINING, epochs=1))
        trainer.run_fn(toy_data.fn_args(folder, custom_config=spec.to_json()))
    return load(f"{folder}/traced"), load(f"{folder}/Format-Serving")


def inputs(rows: list[toy.Row], signature: str) -> dict[str, np.ndarray]:
    if signature == "serving_default":
        return wire_arrays(rows, toy.COLUMNS)
    return {"examples": np.array([serialize(row, toy.COLUMNS) for row in rows], object)}


@pytest.mark.parametrize("signature", SIGNATURES)
def test_every_kind_of_feature_gets_the_same_answers(
    both: tuple[SavedModel, SavedModel], toy_data: Toy, signature: str
) -> None:
    rows = toy_data.rows["test"]
    rows = [*rows, *variants(rows[:20], toy.COLUMNS)]
    assert {row["vehicle"] for row in rows} >= {None, "", "van"}
    traced, slim = (model.run(signature, inputs(rows, signature))["probability"] for model in both)
    assert len(set(slim.tolist())) > 100
    assert np.abs(traced - slim).max() <= 1e-7


def kernels(model: SavedModel, signature: str, rows: list[toy.Row]) -> Counter[str]:
    """How often a call starts each kind of kernel."""
    from tensorflow.core.protobuf import config_pb2

    spec = model.signatures[signature]
    fed = {spec.inputs[n].name: array for n, array in inputs(rows, signature).items()}
    options = config_pb2.CallableOptions(
        feed=list(fed),
        fetch=[each.name for each in spec.outputs.values()],
        run_options=config_pb2.RunOptions(trace_level=config_pb2.RunOptions.FULL_TRACE),
    )
    told = config_pb2.RunMetadata()
    model._session._make_callable_from_options(options)(*fed.values(), run_metadata=told)
    labels = [node.timeline_label for part in told.step_stats.dev_stats for node in part.node_stats]
    return Counter(label.partition(" = ")[2].partition("(")[0] for label in labels)


def test_a_call_starts_fewer_kernels(both: tuple[SavedModel, SavedModel], toy_data: Toy) -> None:
    rows = toy_data.rows["test"][:1]
    for signature in SIGNATURES:
        traced, slim = (kernels(model, signature, rows) for model in both)
        assert slim.total() < 0.8 * traced.total(), signature
    assert traced["SparseToDense"] > 0
    assert kernels(both[1], "serving_default", rows)["SparseToDense"] == 0


def test_a_column_of_another_length_is_refused(
    both: tuple[SavedModel, SavedModel], toy_data: Toy
) -> None:
    sent = inputs(toy_data.rows["test"][:4], "serving_default")
    for name, array in sent.items():
        with pytest.raises(Exception, match="INVALID_ARGUMENT|shape|size|must be|dimension"):
            both[1].run("serving_default", {**sent, name: array[:2]})


def answers(function: Callable[..., Any], **arguments: np.ndarray) -> tuple[Any, Any, list[str]]:
    """What a function answers, what it answers slimmed, and the operations it then has."""
    import tensorflow as tf

    specs = {
        name: tf.TensorSpec([None], tf.as_dtype(array.dtype), name)
        for name, array in arguments.items()
    }
    traced = tf.function(function).get_concrete_function(**specs)
    slimmed = tf.function(slim.slimmed(traced)).get_concrete_function(**specs)
    tensors = {name: tf.constant(array) for name, array in arguments.items()}
    found = [each(**tensors)["y"].numpy() for each in (traced, slimmed)]
    return *found, [operation.type for operation in slimmed.graph.get_operations()]


def test_columns_keep_their_order_where_only_some_share_a_step() -> None:
    import tensorflow as tf

    def function(**x: Any) -> dict[str, Any]:
        rows = [x["a"], x["a"] + 1, x["b"] * 2, x["b"] + 2, x["a"] * x["b"], x["b"] + 3]
        return {"y": tf.stack(rows, axis=1)}

    one, other, ops = answers(function, a=np.arange(3), b=np.arange(3) * 10)
    assert (
        other.tolist()
        == one.tolist()
        == [
            [0, 1, 0, 2, 0, 3],
            [1, 2, 20, 12, 10, 13],
            [2, 3, 40, 22, 40, 23],
        ]
    )
    assert ops.count("AddV2") == 1


def test_a_row_that_is_not_the_batch_is_not_taken_for_one() -> None:
    import tensorflow as tf

    def function(**x: Any) -> dict[str, Any]:
        always = tf.ones_like(x["a"], tf.bool)
        return {"y": tf.where(always, tf.constant([7.0]), x["a"])}

    one, other, _ = answers(function, a=np.array([1, 2, 3], np.float32))
    assert other.tolist() == one.tolist() == [7, 7, 7]


def test_a_default_that_is_nan_is_still_looked_for() -> None:
    import tensorflow as tf

    def function(**x: Any) -> dict[str, Any]:
        known = ~tf.math.is_nan(x["a"])
        return {"y": tf.math.is_nan(tf.where(known, x["a"], float("nan")))}

    one, other, _ = answers(function, a=np.array([1, np.nan], np.float32))
    assert other.tolist() == one.tolist() == [False, True]


def test_a_graph_with_an_assertion_stays_as_it_is(caplog: pytest.LogCaptureFixture) -> None:
    import tensorflow as tf

    def function(**x: Any) -> dict[str, Any]:
        with tf.control_dependencies([tf.debugging.Assert(tf.reduce_all(x["a"] > 0), [x["a"]])]):
            return {"y": tf.identity(x["a"])}

    with caplog.at_level("INFO"):
        answers(function, a=np.array([1.0, 2.0]))
        with pytest.raises(tf.errors.InvalidArgumentError):
            answers(function, a=np.array([-1.0]))
    assert any("it has Assert" in message for message in caplog.messages)


def test_the_toy_model_is_served_slim(toy_model: Path, toy_data: Toy) -> None:
    with closing(load(str(toy_model / "Format-Serving"))) as model:
        found = kernels(model, "serving_default", toy_data.rows["test"][:1])
    assert found["SparseToDense"] == found["LookupTableSizeV2"] == 0
