"""SavedModels through the loader and through a server process of its own."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from serving import client, config, loader
from serving.config import ModelsConfig, ServedModel
from serving.errors import StatusError

pytestmark = pytest.mark.tfx


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two versions of y = x / 2 + b, with a second signature that takes serialized tf.Example."""
    folder = tmp_path_factory.mktemp("models") / "toy.line"
    for version in (1, 2):
        save_line(folder / str(version), version)
    return folder


def save_line(path: Path, b: float) -> None:
    import tensorflow as tf

    module = tf.Module()
    module.b = tf.Variable(float(b))
    spec = tf.TensorSpec([None], tf.float32, "x")
    texts = tf.TensorSpec([None], tf.string, "name")

    @tf.function(input_signature=[spec])
    def line(x: Any) -> Any:
        return {"y": x / 2 + module.b}

    @tf.function(input_signature=[texts, spec])
    def echo(name: Any, x: Any) -> Any:
        return {"name": tf.identity(name), "x_bytes": tf.strings.as_string(x)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "examples")])
    def examples(examples: Any) -> Any:
        feature = {"x": tf.io.FixedLenFeature([], tf.float32)}
        return {"y": tf.io.parse_example(examples, feature)["x"] / 2 + module.b}

    module.functions = [line, echo, examples]
    signatures = {"serving_default": line, "echo": echo, "tf_example": examples}
    tf.saved_model.save(module, str(path), signatures=signatures)


def _example(x: float) -> bytes:
    import tensorflow as tf

    feature = tf.train.Feature(float_list=tf.train.FloatList(value=[x]))
    features = tf.train.Features(feature={"x": feature})
    return tf.train.Example(features=features).SerializeToString()


def test_signatures_and_answers_of_a_saved_model(base: Path) -> None:
    model = loader.load(str(base / "2"))
    signature = model.signatures["serving_default"]
    assert (signature.inputs["x"].dtype, signature.inputs["x"].shape) == ("float", (-1,))
    assert signature.method == "tensorflow/serving/predict"
    assert model.signatures["echo"].inputs.keys() == {"name", "x"}
    y = model.run("serving_default", {"x": np.array([1, np.nan], np.float32)})["y"]
    assert y.dtype == np.float32
    np.testing.assert_array_equal(y, [2.5, np.nan])
    # The declared shape is not enforced, as TensorFlow's C++ session does not.
    matrix = np.arange(4, dtype=np.float32).reshape(2, 2).T
    assert model.run("serving_default", {"x": matrix})["y"].tolist() == [[2, 3], [2.5, 3.5]]
    names = np.array([b"", b"\xff"], dtype=object)
    found = model.run("echo", {"name": names, "x": np.zeros(2, np.float32)})
    assert found["name"].tolist() == [b"", b"\xff"]
    model.close()


def test_the_public_way_to_call_gives_the_same(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import tensorflow as tf

    x = {"x": np.array([1, 2], np.float32)}
    fast = loader.load(str(base / "1"))
    # A later TensorFlow may take its private call away.
    monkeypatch.delattr(tf.compat.v1.Session.__mro__[1], "_make_callable_from_options")
    public = loader.load(str(base / "1"))
    assert public.run("serving_default", x)["y"].tolist() == [1.5, 2.0]
    assert fast.run("serving_default", x)["y"].tolist() == [1.5, 2.0]
    with pytest.raises(StatusError, match="Cannot feed value of shape") as error:
        public.run("serving_default", {"x": np.zeros([2, 2], np.float32)})
    assert error.value.code == "INVALID_ARGUMENT"
    fast.close()
    public.close()


def test_a_fault_inside_tensorflow_keeps_its_code_and_text(base: Path) -> None:
    model = loader.load(str(base / "1"))
    with pytest.raises(StatusError) as error:
        model.run("tf_example", {"examples": np.array([b"abc"], dtype=object)})
    assert error.value.code == "INVALID_ARGUMENT"
    assert error.value.text.startswith("Could not parse example input, value: 'abc'")
    assert "Traceback" not in error.value.text
    model.close()


def test_what_is_no_saved_model_says_so(tmp_path: Path) -> None:
    with pytest.raises(StatusError, match=f"Could not load {tmp_path}: .*SavedModel") as error:
        loader.load(str(tmp_path))
    assert "\n" not in error.value.text


def test_a_server_process_serves_promotes_and_ends(base: Path, tmp_path: Path) -> None:
    path = tmp_path / "models.config"
    served = ServedModel("toy.line", str(base), "specific", (1,), labels={"stable": 1})
    config.write(str(path), ModelsConfig((served,)))
    command = [sys.executable, "-m", "serving", "--model-config-file", str(path)]
    command += ["--rest-port", "0", "--model-config-file-poll-wait-seconds", "0.1"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        url = ready["url"]
        assert url == f"http://127.0.0.1:{ready['port']}"
        assert client.predict(url, "toy.line", [{"x": 1.0}]) == [1.5]
        found = client.predict(url, "toy.line", [_example(3.0)], signature_name="tf_example")
        assert found == [2.5]
        config.write(str(path), config.with_version(config.read(str(path)), "toy.line", 2))
        client.wait_available(url, "toy.line", 2)
        config.write(str(path), config.with_label(config.read(str(path)), "toy.line", 2, "stable"))
        client.wait_label(url, "toy.line", "stable", 2)
        assert client.predict(url, "toy.line", [1.0], label="stable") == [2.5]
    finally:
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (128 + signal.SIGTERM, "", "")


def test_a_server_process_that_cannot_start_says_why(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "serving", "--model-config-file", str(tmp_path / "no")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"There is no models.config at {tmp_path}/no. Next: goldlake run")
    assert done.stderr.count("\n") == 1
