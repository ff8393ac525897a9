"""TFX Transform's ``preprocessing_fn``, generic by feature kind.

Vocabularies, means and quantiles are learned from the train split only (Transform's default). What
comes out, and which ids mean missing and empty, is declared in `layout`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from goldlake_core.contracts.errors import PermanentError
from goldlake_core.contracts.sections import Feature, Numeric
from tfx_pipeline.modules import layout
from tfx_pipeline.modules.tensors import Tensors
from tfx_pipeline.parts.named import named
from tfx_pipeline.spec import (
    FeatureSpec,
    JsonObject,
    encoder_folder,
    preprocessing_function,
)

CROSS_SEPARATOR = "\x1f"
MAX_VOCABULARY = 200_000
"""Values of a categorical feature that get an id each; rarer ones share the buckets."""


class Dense(NamedTuple):
    """One raw column of a batch.

    Attributes:
        values: string, int64 or float32 tensor [n]; '' or 0 where missing.
        present: bool tensor [n].
    """

    values: Any
    present: Any


def preprocessing_fn(inputs: Tensors, custom_config: JsonObject) -> Tensors:
    """Turns raw columns into ids and numbers; called by TFX Transform while it traces the graph.

    Args:
        inputs: Raw columns by name: SparseTensor with at most one value per row (a missing value
            is absent), or dense [n] or [n, 1] where the schema says that it is always there.
        custom_config: `FeatureSpec` as JSON; other keys are ignored.

    Returns:
        The outputs that `layout.layout_of` declares for the contract's features.
    """
    spec = FeatureSpec.from_json(custom_config)
    if spec.preprocessing_fn is not None:
        other = named(spec.preprocessing_fn, spec.model_id, "parts.preprocessing_fn")
        return other(inputs, custom_config)  # type: ignore[no-any-return]
    columns = {column.name: dense(inputs[column.name]) for column in spec.inputs}
    outputs: Tensors = {}
    for feature in spec.features:
        if feature.params.get("encoder"):
            outputs |= _encoded(feature, columns, spec)
        else:
            outputs |= _KINDS[feature.kind](feature, columns)
    own = preprocessing_function(spec)
    if own is not None:
        outputs[layout.OWN] = _own_columns(own(columns))
    return outputs


def dense(tensor: Any) -> Dense:
    """A batch of one raw column as values and presence; a NaN is missing.

    Args:
        tensor: SparseTensor with at most one value per row, or dense [n] or [n, 1].
    """
    import tensorflow as tf

    if isinstance(tensor, tf.SparseTensor):
        shape = tf.stack([tensor.dense_shape[0], 1])
        column = tf.SparseTensor(tensor.indices, tensor.values, shape)
        filler = "" if tensor.dtype == tf.string else tf.zeros([], tensor.dtype)
        values = tf.sparse.to_dense(column, default_value=filler)[:, 0]
        ones = tf.SparseTensor(tensor.indices, tf.ones_like(tensor.values, tf.bool), shape)
        present = tf.sparse.to_dense(ones, default_value=False)[:, 0]
    else:
        values = tf.reshape(tensor, [-1])
        present = tf.ones_like(values, tf.bool)
    if values.dtype.is_floating:
        is_nan = tf.math.is_nan(values)
        present = present & ~is_nan
        values = tf.where(is_nan, tf.zeros_like(values), values)
    return Dense(values, present)


def _text(column: Dense) -> Any:
    import tensorflow as tf

    return (
        column.values if column.values.dtype == tf.string else tf.strings.as_string(column.values)
    )


def _number(column: Dense) -> Any:
    import tensorflow as tf

    return tf.cast(column.values, tf.float32)


def _categorical(feature: Feature, columns: Mapping[str, Dense]) -> Tensors:
    import tensorflow as tf

    column = columns[feature.columns[0]]
    text = _text(column)
    found = _lookup(
        text,
        tf.boolean_mask(text, column.present),
        name=feature.name,
        min_count=int(feature.params["min_count"]),
        oov_buckets=int(feature.params["oov_buckets"]),
    )
    ids = tf.where(text == "", tf.constant(layout.EMPTY, tf.int64), found)
    return {feature.name: tf.where(column.present, ids, tf.constant(layout.MISSING, tf.int64))}


def _lookup(
    text: Any,
    learn_from: Any,
    *,
    name: str,
    min_count: int = 1,
    top: int | None = None,
    oov_buckets: int = 1,
) -> Any:
    """Ids of strings from `layout.RESERVED` on; TFT leaves '' and line ends out of vocabularies."""
    import tensorflow_transform as tft

    if top is None and min_count <= 1:
        # Exact up to this many values, and several times quicker: it shares one pass with all
        # other analyzers, and counts in C++.
        vocabulary = tft.experimental.approximate_vocabulary(
            learn_from, top_k=MAX_VOCABULARY, vocab_filename=name
        )
    else:
        vocabulary = tft.vocabulary(
            learn_from,
            top_k=top,
            frequency_threshold=min_count if min_count > 1 else None,
            vocab_filename=name,
        )
    found = tft.apply_vocabulary(text, vocabulary, num_oov_buckets=oov_buckets)
    return found + layout.RESERVED


def _numeric(feature: Feature, columns: Mapping[str, Dense]) -> Tensors:
    import tensorflow as tf

    column = columns[feature.columns[0]]
    number = _number(column)
    scale = _SCALES[feature.params.get("scale", Numeric().scale)]
    scaled = scale(number, column.present, feature.name)
    outputs = {
        f"{feature.name}__z": tf.where(column.present, scaled, tf.zeros_like(scaled)),
        f"{feature.name}__missing": tf.cast(~column.present, tf.float32),
    }
    if feature.params["buckets"]:
        bucket = _bucket(column, int(feature.params["buckets"]), feature.name)
        outputs[f"{feature.name}__bucket"] = _or_missing(bucket, column.present)
    return outputs


def _z_score(number: Any, present: Any, name: str) -> Any:
    import tensorflow as tf

    from tfx_pipeline.modules.exact import center_and_scale

    found = center_and_scale(tf.boolean_mask(number, present), f"{name}_moments")
    return (number - found[0]) / found[1]


def _log(number: Any, present: Any, name: str) -> Any:
    import tensorflow as tf

    return _z_score(tf.sign(number) * tf.math.log1p(tf.abs(number)), present, name)


def _min_max(number: Any, present: Any, name: str) -> Any:
    import tensorflow as tf
    import tensorflow_transform as tft

    known = tf.boolean_mask(number, present)
    low, high = tft.min(known), tft.max(known)
    return (number - low) / tf.where(high > low, high - low, 1.0)


def _unscaled(number: Any, present: Any, name: str) -> Any:
    return number


_SCALES = {"z": _z_score, "log": _log, "minmax": _min_max, "none": _unscaled}


def _bucket(column: Dense, count: int, name: str) -> Any:
    """Quantile bucket of each value, int64 in [0, count)."""
    import tensorflow as tf
    import tensorflow_transform as tft

    from tfx_pipeline.modules.exact import quantiles

    number = _number(column)
    edges = quantiles(tf.boolean_mask(number, column.present), count, f"{name}_quantiles")
    return tft.apply_buckets(number, edges)


def _or_missing(value: Any, present: Any) -> Any:
    """``value + 1`` where present, `layout.MISSING` elsewhere."""
    import tensorflow as tf

    return tf.where(present, value + 1, tf.constant(layout.MISSING, tf.int64))


def _cyclic(feature: Feature, columns: Mapping[str, Dense]) -> Tensors:
    import tensorflow as tf

    column = columns[feature.columns[0]]
    period = float(feature.params["period"])
    number = _number(column)
    angle = number * (2 * math.pi / period)
    nothing = tf.zeros_like(angle)
    step = tf.cast(tf.floor(tf.math.floormod(number, period)), tf.int64)
    return {
        f"{feature.name}__sin": tf.where(column.present, tf.sin(angle), nothing),
        f"{feature.name}__cos": tf.where(column.present, tf.cos(angle), nothing),
        f"{feature.name}__cycle": _or_missing(step, column.present),
    }


def _position(feature: Feature, columns: Mapping[str, Dense]) -> Tensors:
    latitude, longitude = (columns[name] for name in feature.columns)
    cells = int(feature.params["cells"])
    # Quantile cells, not squares of equal size: events crowd in a few places, and squares would put
    # most rows into a few cells and leave the rest without any. By quantiles each row and column of
    # cells holds about the same number of train rows, and no bounds of a region are needed.
    north = _bucket(latitude, cells, f"{feature.name}_latitude")
    cell = north * cells + _bucket(longitude, cells, f"{feature.name}_longitude")
    return {f"{feature.name}__cell": _or_missing(cell, latitude.present & longitude.present)}


def _crossed(feature: Feature, columns: Mapping[str, Dense]) -> Tensors:
    import tensorflow as tf

    # A leading "=" keeps the empty string apart from a missing value.
    parts = [
        tf.where(columns[name].present, tf.strings.join(["=", _text(columns[name])]), "")
        for name in feature.columns
    ]
    joined = tf.strings.join(parts, separator=CROSS_SEPARATOR)
    buckets = int(feature.params["buckets"])
    return {f"{feature.name}__cross": tf.strings.to_hash_bucket_fast(joined, buckets)}


def _words(feature: Feature, columns: Mapping[str, Dense]) -> Tensors:
    import tensorflow as tf

    column = columns[feature.columns[0]]
    lower = tf.strings.lower(_text(column), encoding="utf-8")
    words = tf.strings.split(tf.strings.regex_replace(lower, r"[^\pL\pN]+", " "))
    name = f"{feature.name}__words"
    runs, width = layout.ngrams(feature), layout.max_words(feature)
    if runs > 1:
        words = tf.strings.ngrams(words[:, :width], list(range(1, runs + 1)), separator=" ")
        width *= runs
    text = words.to_tensor(default_value="", shape=[None, width])
    found = _lookup(text, words.flat_values, name=name, top=int(feature.params["max_tokens"]))
    padding = tf.constant(0, tf.int64)
    ids = tf.where(text == "", padding, found)
    only_missing = tf.one_hot(0, width, on_value=1, off_value=0, dtype=tf.int64)
    return {name: tf.where(column.present[:, None], ids, only_missing[None, :])}


def _encoded(feature: Feature, columns: Mapping[str, Dense], spec: FeatureSpec) -> Tensors:
    """Vectors of a text by a SavedModel that the use case brings; zeros where it is missing."""
    import tensorflow as tf
    import tensorflow_transform as tft

    folder = encoder_folder(spec, feature)
    column = columns[feature.columns[0]]
    encoder = tft.make_and_track_object(lambda: tf.saved_model.load(folder), name=feature.name)
    vectors = encoder(_text(column))
    if vectors.shape.rank != 2 or vectors.shape[1] is None or vectors.dtype != tf.float32:
        raise PermanentError(
            f"The encoder {folder} returns {vectors.dtype.name} {vectors.shape} for texts",
            valid="float32 [n, d] with a fixed d",
        )
    there = tf.cast(column.present, tf.float32)
    return {
        f"{feature.name}__encoded": vectors * there[:, None],
        f"{feature.name}{layout.MISSING_FLAG}": 1.0 - there,
    }


def _own_columns(columns: Tensors) -> Any:
    import tensorflow as tf

    return tf.stack([tf.cast(columns[name], tf.float32) for name in sorted(columns)], axis=1)


_KINDS = {
    "categorical": _categorical,
    "numeric": _numeric,
    "cyclic": _cyclic,
    "position": _position,
    "crossed": _crossed,
    "text": _words,
}
