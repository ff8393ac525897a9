"""Writes the small SavedModels that ``goldlake conformance`` asks, and their ``models.config``.

``python -m tfx_pipeline.conformance_models FOLDER``. The models compute next to nothing; what
matters is the types, shapes and names that requests and answers have to go through.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf

DTYPES: Mapping[str, tf.DType] = {
    "bool": tf.bool,
    "int8": tf.int8,
    "uint8": tf.uint8,
    "int16": tf.int16,
    "int32": tf.int32,
    "uint32": tf.uint32,
    "int64": tf.int64,
    "uint64": tf.uint64,
    "half": tf.half,
    "float": tf.float32,
    "double": tf.double,
    "string": tf.string,
}
_CONFIG = """model_config_list {{
  config {{
    name: "line"
    base_path: "{folder}/line"
    model_platform: "tensorflow"
    model_version_policy {{ specific {{ versions: 1 versions: 2 }} }}
    version_labels {{ key: "stable" value: 1 }}
    version_labels {{ key: "canary" value: 2 }}
  }}
{others}}}
"""
_OTHER = """  config {{
    name: "{name}"
    base_path: "{folder}/{name}"
    model_platform: "tensorflow"
  }}
"""

Tensors = dict[str, "tf.Tensor"]
Signatures = dict[str, "tf.types.experimental.GenericFunction"]
Compute = Callable[..., Tensors]


def write(folder: Path) -> None:
    """Writes every model and a ``models.config`` that serves them from that folder.

    Args:
        folder: Where to write; it should not hold any of the models yet.
    """
    for version in (1, 2):
        _save(folder / "line" / str(version), {"serving_default": _line(float(version))})
    _save(folder / "echo" / "1", _echo())
    _save(folder / "pair" / "1", _pair())
    _save(folder / "constants" / "1", _constants())
    _save(folder / "examples" / "1", _examples())
    others = ("echo", "pair", "constants", "examples")
    text = "".join(_OTHER.format(name=name, folder=folder) for name in others)
    config = _CONFIG.format(folder=folder, others=text)
    (folder / "models.config").write_text(config, encoding="utf-8")


def _save(path: Path, functions: Signatures) -> None:
    module = tf.Module()
    module.functions = dict(functions)
    tf.saved_model.save(module, str(path), signatures=dict(functions))


def _signature(compute: Compute, **dtypes: Any) -> Any:
    """A signature whose inputs take any shape."""
    specs = {name: tf.TensorSpec(None, dtype, name=name) for name, dtype in dtypes.items()}
    return tf.function(compute, autograph=False).get_concrete_function(**specs)


def _line(b: float) -> Any:
    return _signature(lambda x: {"y": x / 2 + b}, x=tf.float32)


def _echo() -> Signatures:
    def echo(dtype: Any) -> Any:
        return _signature(lambda x: {"y": tf.identity(x)}, x=dtype)

    return {"serving_default": echo(tf.float32), **{n: echo(d) for n, d in DTYPES.items()}}


def _pair() -> Signatures:
    def both(count: Any, name: Any) -> Tensors:
        return {"count": tf.identity(count), "name": tf.identity(name)}

    def as_bytes(name: Any) -> Tensors:
        return {"name_bytes": tf.identity(name)}

    return {
        "serving_default": _signature(both, count=tf.int32, name=tf.string),
        "bytes": _signature(as_bytes, name=tf.string),
    }


def _constants() -> Signatures:
    inf, nan = float("inf"), float("nan")
    outputs: dict[str, dict[str, object]] = {
        "serving_default": {"y": [1, 2, 3]},
        "cube": {"y": [[[1, 2], [3, 4]], [[5, 6], [7, 8]]]},
        "digits": {"y": np.array([0.1, 1 / 3, 16777216.0, 1e-7, 3e38], np.float32)},
        "doubles": {"y": np.array([0.1, 1 / 3, 1e300])},
        "nonfinite": {"y": [nan, inf, -inf]},
        "complex": {"y": np.array([1j], np.complex64)},
        "half": {"y": np.array([1.0], np.float16)},
        "scalar": {"y": 7},
        "text": {"y": "hello"},
        "texts": {"y": ["a", "\u00e9", ""]},
        "bytes": {"y_bytes": [b"\x00\xff", b""]},
        "flags": {"y": [True, False]},
        "two": {"a": [1, 2], "b": [["x"], ["z"]]},
        "uneven": {"a": [1, 2], "b": ["x"]},
        "nothing": {"y": np.zeros([0, 2], np.float32)},
        "two_nothing": {"a": np.zeros([0]), "b": np.zeros([0, 3], np.int32)},
        "scalar_and_list": {"a": 1, "b": [1]},
    }
    return {name: _constant(values) for name, values in outputs.items()}


def _constant(values: Mapping[str, object]) -> Any:
    def function(x: Any) -> Tensors:
        return {name: tf.constant(value) for name, value in values.items()}

    return _signature(function, x=tf.float32)


def _examples() -> Signatures:
    spec = tf.TensorSpec([None], tf.string, name="inputs")
    features = {
        "ints": tf.io.VarLenFeature(tf.int64),
        "floats": tf.io.VarLenFeature(tf.float32),
        "texts": tf.io.VarLenFeature(tf.string),
    }

    def signature(compute: Callable[[Any, Any], Tensors]) -> Any:
        def function(inputs: Any) -> Tensors:
            parsed = tf.io.parse_example(inputs, features)
            sums = tf.reduce_sum(tf.sparse.to_dense(parsed["floats"]), 1)
            ints = tf.cast(tf.reduce_sum(tf.sparse.to_dense(parsed["ints"]), 1), tf.float32)
            texts = tf.sparse.to_dense(parsed["texts"], default_value="")
            sizes = tf.reduce_sum(tf.cast(tf.strings.length(texts), tf.float32), 1)
            return compute(sums + 100 * ints + 10000 * sizes, tf.shape(inputs)[0])

        return tf.function(function, autograph=False, input_signature=[spec])

    def repeated(row: Any, count: Any) -> Any:
        return tf.tile(tf.constant([row]), [count, 1])

    def required(inputs: Any) -> Tensors:
        x = tf.io.parse_example(inputs, {"x": tf.io.FixedLenFeature([], tf.float32)})["x"]
        return {"outputs": x}

    def two_inputs(inputs: Any, others: Any) -> Tensors:
        return {"outputs": tf.strings.length(inputs) + tf.strings.length(others)}

    def lengths(examples: Any) -> Tensors:
        return {"outputs": tf.cast(tf.strings.length(examples), tf.float32)}

    names = ["no", "yes"]
    return {
        "serving_default": signature(lambda x, n: {"outputs": x}),
        "matrix": signature(lambda x, n: {"outputs": x[:, None]}),
        "wide": signature(lambda x, n: {"outputs": tf.stack([x, x], 1)}),
        "double": signature(lambda x, n: {"outputs": tf.cast(x, tf.double)}),
        "single": signature(lambda x, n: {"outputs": tf.constant([1.0])}),
        "nonfinite": signature(lambda x, n: {"outputs": x / 0.0}),
        "other": signature(lambda x, n: {"y": x}),
        "classify": signature(
            lambda x, n: {"classes": repeated(names, n), "scores": tf.stack([1 - x, x], 1)}
        ),
        "classes": signature(lambda x, n: {"classes": repeated(names, n)}),
        "scores": signature(lambda x, n: {"scores": tf.stack([1 - x, x], 1)}),
        "flat": signature(lambda x, n: {"scores": x}),
        "whole": signature(lambda x, n: {"scores": repeated([1, 2], n)}),
        "numbers": signature(lambda x, n: {"classes": repeated([1, 2], n)}),
        "uneven": signature(lambda x, n: {"classes": repeated(names, n), "scores": x[:, None]}),
        "three": signature(
            lambda x, n: {"classes": repeated(names, n), "scores": x[:, None], "y": x}
        ),
        "required": tf.function(required, autograph=False, input_signature=[spec]),
        "two_inputs": _signature(two_inputs, inputs=tf.string, others=tf.string),
        "unnamed": _signature(lengths, examples=tf.string),
    }


if __name__ == "__main__":
    write(Path(sys.argv[1]).resolve())
