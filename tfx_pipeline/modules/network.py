"""The wide and deep network (Cheng et al. 2016, arXiv:1606.07792) over Transform's outputs.

All ids of a batch are in one matrix. The wide part is one table with a weight per id of every
column, the deep part one table per embedding width: a few large look-ups instead of dozens of small
ones, which makes training and serving fast.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any

from goldlake_core.contracts.sections import Training
from tfx_pipeline.heads.base import FittedHead
from tfx_pipeline.modules.layout import OWN, IdOutput, Layout
from tfx_pipeline.modules.tensors import Tensors


def pack(outputs: Tensors, layout: Layout) -> list[Any]:
    """Transform's outputs as the network's inputs.

    Args:
        outputs: Transform's outputs by name.
        layout: Description of Transform's outputs.

    Returns:
        ``[ids int32 [n, columns], numbers float32 [n, m], words int32 [n, width] …]``, without
        ids or numbers where the contract's features give none.
    """
    import tensorflow as tf

    ids = [tf.cast(outputs[output.name], tf.int32) for output in layout.ids]
    numbers = [tf.reshape(outputs[name], [-1, 1]) for name in layout.floats]
    if layout.has_own:
        numbers.append(outputs[OWN])
    numbers += [outputs[name] for name in layout.vectors]
    words = [tf.cast(outputs[output.name], tf.int32) for output in layout.words]
    packed = [tf.stack(ids, axis=1)] if ids else []
    if numbers:
        packed.append(tf.concat(numbers, axis=1))
    return packed + words


def build(
    layout: Layout,
    training: Training,
    vocabulary_size: Callable[[str], int],
    numbers: int,
    head: FittedHead,
) -> Any:
    """An uncompiled Keras model from `pack`'s tensors to the head's outputs, float32 [n, units].

    Args:
        layout: Description of the inputs.
        training: Hidden units, dropout and the wide part's weight decay.
        vocabulary_size: Entries of a vocabulary by its name.
        numbers: Width of the float input.
        head: Says how wide the output is, and what follows the last layer.
    """
    import keras

    units = head.units

    sizes = [output.size(vocabulary_size) for output in layout.ids]
    inputs: list[Any] = []
    wide: list[Any] = []
    deep: list[Any] = []
    if sizes:
        ids = keras.Input((len(sizes),), dtype="int32", name="ids")
        inputs.append(ids)
        wide += _wide_ids(layout.ids, sizes, ids, training.l2, units)
        deep += _embedded_ids(layout.ids, sizes, ids)
    if numbers:
        floats = keras.Input((numbers,), dtype="float32", name="numbers")
        inputs.append(floats)
        wide.append(keras.layers.Dense(units, use_bias=False, name="wide_numbers")(floats))
        deep.append(floats)
    for output in layout.words:
        words = keras.Input((None,), dtype="int32", name=output.name)
        inputs.append(words)
        deep.append(_mean_embedding(output, output.size(vocabulary_size), words))
    hidden = keras.layers.Concatenate(name="deep_inputs")(deep) if len(deep) > 1 else deep[0]
    for number, width in enumerate(training.hidden_units or (), 1):
        hidden = keras.layers.Dense(width, activation="relu", name=f"hidden_{number}")(hidden)
        if training.dropout:
            hidden = keras.layers.Dropout(training.dropout, name=f"dropout_{number}")(hidden)
    logit = keras.layers.Dense(units, name="deep")(hidden)
    if wide:
        logit = keras.layers.Add(name="logit")([*wide, logit])
    return keras.Model(inputs, head.activated(logit), name="wide_and_deep")


def _columns(tensor: Any, numbers: Sequence[int], sizes: Sequence[int]) -> tuple[Any, int]:
    """Some columns of the id matrix, shifted so that each has its own range in one table."""
    import keras

    ends = list(accumulate(sizes[n] for n in numbers))
    starts = keras.ops.convert_to_tensor([[0, *ends[:-1]]], dtype="int32")
    picked = keras.ops.take(tensor, list(numbers), axis=1)
    return picked + starts, ends[-1]


def _wide_ids(
    outputs: Sequence[IdOutput], sizes: Sequence[int], ids: Any, l2: float, units: int
) -> list[Any]:
    import keras

    numbers = [n for n, output in enumerate(outputs) if output.wide]
    if not numbers:
        return []
    shifted, total = _columns(ids, numbers, sizes)
    weights = keras.layers.Embedding(
        total,
        units,
        embeddings_initializer="zeros",
        embeddings_regularizer=keras.regularizers.L2(l2) if l2 else None,
        name="wide",
    )(shifted)
    return [keras.ops.sum(weights, axis=1)]


def _embedded_ids(outputs: Sequence[IdOutput], sizes: Sequence[int], ids: Any) -> list[Any]:
    import keras

    parts: list[Any] = []
    for width in sorted({output.embedding for output in outputs if output.embedding}):
        numbers = [n for n, output in enumerate(outputs) if output.embedding == width]
        shifted, total = _columns(ids, numbers, sizes)
        rows = keras.layers.Embedding(total, width, name=f"embedding_{width}")(shifted)
        parts.append(keras.layers.Flatten(name=f"embedded_{width}")(rows))
    for number, output in enumerate(outputs):
        if output.is_one_hot:
            parts.append(keras.ops.one_hot(ids[:, number], sizes[number]))
    return parts


def _mean_embedding(output: IdOutput, size: int, words: Any) -> Any:
    """Mean of the embeddings of a row's words; zeros where it has none."""
    import keras

    rows = keras.layers.Embedding(size, output.embedding, name=f"{output.name}_embedding")(words)
    is_word = keras.ops.cast(keras.ops.expand_dims(words > 0, -1), "float32")
    count = keras.ops.maximum(keras.ops.sum(is_word, axis=1), 1.0)
    return keras.ops.sum(rows * is_word, axis=1) / count
