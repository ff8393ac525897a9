"""The SavedModel that TensorFlow's C++ loader, and so TF Serving, can run.

``tf.saved_model.save`` on a Keras 3 model writes what only Python can restore. Here a plain
``tf.Module`` holds the Keras variables' own ``tf.Variable`` objects and Transform's layer, and the
signatures are its functions.

Signatures:

- ``serving_default``: one tensor [n] per raw column (string, int64, float32 or bool) and one bool
  [n] per presence flag; missing values travel as the contract's ``wire_null`` says.
- ``tf_example``: ``examples``, string [n] of serialized tf.Example; a missing value is absent.
- ``transform_features``: the same input; Transform's outputs, for analysis.
- ``explain``, where the contract asks for it: the inputs of ``serving_default``; see
  `tfx_pipeline.modules.explain`.

- ``classify`` or ``regress``, where TF Serving has a method for such answers: ``inputs``, string
  [n] of serialized tf.Example.

What all but the third answer is the head's: see `tfx_pipeline.heads`. The graphs of the first two
are slimmed, and so those that call them; see `tfx_pipeline.modules.slim`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from goldlake_core.contracts.wire import inputs_of
from tfx_pipeline.heads.base import FittedHead
from tfx_pipeline.modules.explain import explain_function
from tfx_pipeline.modules.layout import Layout
from tfx_pipeline.modules.network import pack
from tfx_pipeline.modules.slim import slimmed
from tfx_pipeline.modules.tensors import ParseSpec, Tensors
from tfx_pipeline.spec import ColumnSpec

if TYPE_CHECKING:
    import numpy as np

SERVING_DEFAULT = "serving_default"
TF_EXAMPLE = "tf_example"
TRANSFORM_FEATURES = "transform_features"
EXPLAIN = "explain"


@dataclass(frozen=True)
class Answers:
    """How the network's outputs become answers.

    Attributes:
        head: Makes answers of outputs.
        number: The output that ``explain`` explains; "" for none.
        exposures: Takes the exposures, float32 [n] or None, out of raw columns.
    """

    head: FittedHead
    number: str
    exposures: Callable[[Tensors], Any | None]


@dataclass(frozen=True)
class Background:
    """What the signature ``explain`` stores.

    Attributes:
        rows: Training rows as inputs of ``serving_default``, one array per input.
        seed: Seed of the sampled orders of columns.
    """

    rows: Mapping[str, np.ndarray]
    seed: int = 0


def raw_features(wire: Tensors, columns: Sequence[ColumnSpec], parse: ParseSpec) -> Tensors:
    """The tensors of ``serving_default`` as the parser of tf.Example would give them.

    Args:
        wire: Tensors [n] by input name.
        columns: The columns the model reads.
        parse: Feature spec of the raw columns: says which are sparse.
    """
    import tensorflow as tf

    raw: Tensors = {}
    for column in columns:
        values = wire[column.name]
        present = _is_present(wire, column)
        if column.type == "boolean":
            values = tf.cast(values, tf.int64)
        if isinstance(parse[column.name], tf.io.VarLenFeature):
            rows = tf.where(present)
            raw[column.name] = tf.SparseTensor(
                tf.pad(rows, [[0, 0], [0, 1]]),
                tf.gather(values, rows[:, 0]),
                tf.stack([tf.shape(values, out_type=tf.int64)[0], 1]),
            )
        else:
            raw[column.name] = tf.reshape(values, [-1, *parse[column.name].shape])
    return raw


def _is_present(wire: Tensors, column: ColumnSpec) -> Any:
    import tensorflow as tf

    values, null = wire[column.name], column.wire_null
    if null is None or not column.nullable:
        return tf.ones_like(values, tf.bool)
    if null.kind == "nan":
        return ~tf.math.is_nan(values)
    if null.kind == "text":
        return values != null.token
    return wire[null.token]


def save_model(
    folder: str,
    model: Any,
    transform: Any,
    layout: Layout,
    columns: Sequence[ColumnSpec],
    parse: ParseSpec,
    answers: Answers,
    background: Background | None = None,
) -> None:
    """Writes the SavedModel with its signatures.

    Args:
        folder: Folder to write to.
        model: The trained Keras model.
        transform: Keras layer that applies Transform's graph.
        layout: Description of Transform's outputs.
        columns: The columns the model reads.
        parse: Feature spec of the raw columns.
        answers: How outputs become answers.
        background: What ``explain`` stores; without it there is no such signature.
    """
    import tensorflow as tf

    def answer(raw: Tensors) -> Tensors:
        outputs = model(pack(transform(raw), layout), training=False)
        return answers.head.answers(outputs, answers.exposures(raw))

    def serving_default(**wire: Any) -> Tensors:
        return answer(raw_features(wire, columns, parse))

    def tf_example(examples: Any) -> Tensors:
        return answer(tf.io.parse_example(examples, dict(parse)))

    def by_method(inputs: Any) -> Tensors:
        return answers.head.rest_answers(parsed(examples=inputs))

    def transform_features(examples: Any) -> Tensors:
        return transform(tf.io.parse_example(examples, dict(parse)))

    wire = {
        each.name: tf.TensorSpec([None], tf.as_dtype(each.dtype), each.name)
        for each in inputs_of(columns)
    }
    serialized = {"examples": tf.TensorSpec([None], tf.string, "examples")}
    module = tf.Module()
    module.model_variables = [variable.value for variable in model.variables]
    # The layer's parts without the layer, for which Keras would trace one more function.
    module.transform = tf.train.TrackableView.children(transform)
    # None of the functions has control flow that AutoGraph would have to translate, and much code.
    graph = functools.partial(tf.function, autograph=False)
    plain = slimmed(graph(serving_default).get_concrete_function(**wire))
    parsed = slimmed(graph(tf_example).get_concrete_function(**serialized))
    functions: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {
        SERVING_DEFAULT: (plain, wire),
        TF_EXAMPLE: (parsed, serialized),
        TRANSFORM_FEATURES: (transform_features, serialized),
    }
    if background is not None:
        explain = explain_function(
            lambda wire: plain(**wire)[answers.number],
            columns,
            background.rows,
            answers.number,
            background.seed,
        )
        functions[EXPLAIN] = (explain, wire)
    if answers.head.rest_method:
        inputs = {"inputs": tf.TensorSpec([None], tf.string, "inputs")}
        functions[answers.head.rest_method] = (by_method, inputs)
    signatures: dict[str, Callable[..., Tensors]] = {}
    for name, (function, arguments) in functions.items():
        traced = graph(function)
        setattr(module, f"{name}_function", traced)
        signatures[name] = traced.get_concrete_function(**arguments)
    tf.saved_model.save(module, folder, signatures=signatures)
