"""Warm-up requests in TF Serving's format, read before a version is available."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from serving import loader, warmup
from serving.dataplane import DataPlane, ModelSpec
from serving.errors import StatusError
from serving.signatures import Signature, TensorSpec
from tests.serving.test_tensorflow import save_line

pytestmark = pytest.mark.tfx

FLOATS = TensorSpec("x:0", "float", (-1,))
TEXTS = TensorSpec("inputs:0", "string", (-1,))


class Noting:
    """A servable that notes what it was asked."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []

    @property
    def signatures(self) -> dict[str, Signature]:
        return {
            "serving_default": Signature("", {"x": FLOATS}, {"y": FLOATS}),
            "classify": Signature("", {"inputs": TEXTS}, {"classes": TEXTS}),
        }

    def run(self, name: str, inputs: Any) -> dict[str, np.ndarray]:
        self.calls.append((name, {key: array.tolist() for key, array in inputs.items()}))
        return {}

    def close(self) -> None:
        pass


def record(fill: Callable[[Any], None]) -> bytes:
    from tensorflow_serving.apis import prediction_log_pb2

    made = prediction_log_pb2.PredictionLog()
    fill(made)
    return bytes(made.SerializeToString())


def predict(values: Any, name: str = "x", signature: str = "") -> bytes:
    def fill(made: Any) -> None:
        import tensorflow as tf

        request = made.predict_log.request
        request.model_spec.signature_name = signature
        request.inputs[name].CopyFrom(tf.make_tensor_proto(np.array(values, np.float32)))

    return record(fill)


def put(folder: Path, *records: bytes) -> Path:
    import tensorflow as tf

    path = folder / warmup.FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as file:
        for each in records:
            file.write(each)
    return path


def example_request(made: Any) -> None:
    request = made.classify_log.request
    request.model_spec.signature_name = "classify"
    both = request.input.example_list_with_context
    both.context.features.feature["a"].int64_list.value.append(1)
    both.examples.add().features.feature["b"].int64_list.value.append(2)


def multi_request(made: Any) -> None:
    request = made.multi_inference_log.request
    request.tasks.add().model_spec.signature_name = "classify"
    request.input.example_list.examples.add()


def test_every_kind_of_request_is_run(tmp_path: Path) -> None:
    put(
        tmp_path,
        predict([1.0]),
        predict([2.0, 3.0], signature="serving_default"),
        record(example_request),
        record(multi_request),
        record(lambda made: made.session_run_log.SetInParent()),
    )
    model = Noting()
    assert warmup.replay(str(tmp_path), model) == 5
    assert model.calls[:2] == [
        ("serving_default", {"x": [1.0]}),
        ("serving_default", {"x": [2.0, 3.0]}),
    ]
    name, inputs = model.calls[2]
    assert (name, len(inputs["inputs"])) == ("classify", 1)
    assert b"\n\x01a" in inputs["inputs"][0]
    assert b"\n\x01b" in inputs["inputs"][0]
    assert model.calls[3:] == [("classify", {"inputs": [b""]})]


def test_what_is_written_is_read(tmp_path: Path) -> None:
    requests = [{"x": np.array([1.5], np.float32)}, {"x": np.array([2, 3], np.float32)}]
    warmup.write(str(tmp_path), "toy.line", requests)
    model = Noting()
    assert warmup.replay(str(tmp_path), model) == 2
    assert [inputs["x"] for _, inputs in model.calls] == [[1.5], [2.0, 3.0]]
    assert warmup.replay(str(tmp_path / "none"), model) == 0


@pytest.mark.parametrize(
    ("records", "text"),
    [
        ([b"\xff\xff"], "DATA_LOSS"),
        ([predict([1.0], name="z")], r"request 1 of .* failed: \['z'\] are not the inputs of"),
        ([predict([1.0]), predict([1.0], signature="no")], "request 2 of .*: Serving signature"),
        ([predict([1.0])] * 1001, "has more than 1000 warm-up requests"),
    ],
)
def test_a_bad_request_keeps_the_version_from_loading(
    tmp_path: Path, records: list[bytes], text: str
) -> None:
    put(tmp_path, *records)
    with pytest.raises(StatusError) as error:
        warmup.replay(str(tmp_path), Noting())
    assert error.match(text) if text != "DATA_LOSS" else error.value.code == text


def test_a_damaged_file_is_told(tmp_path: Path) -> None:
    path = put(tmp_path, predict([1.0]), predict([2.0]))
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(StatusError, match="is damaged: ") as error:
        warmup.replay(str(tmp_path), Noting())
    assert error.value.code == "DATA_LOSS"


def test_a_server_runs_them_before_the_version_is_available(tmp_path: Path) -> None:
    for version in (1, 2):
        save_line(tmp_path / str(version), version)
    put(tmp_path / "1", predict([1.0]))
    put(tmp_path / "2", predict([1.0], name="z"))
    plane = DataPlane(loader.load)
    assert plane.load("toy.line", 1, str(tmp_path / "1"))
    assert not plane.load("toy.line", 2, str(tmp_path / "2"))
    [status] = plane.status(ModelSpec("toy.line", 2))
    assert "Warm-up request 1 of " in status.text
    with plane.use(ModelSpec("toy.line")) as version:
        assert version.number == 1
    plane.close()
