"""A linear model over Transform's outputs: a weight per id, per number and per word.

It is the wide part of the default network alone: quick, and easy to look into. Name it in a
contract with ``parts: {build_model: tfx_pipeline.parts.linear.build_model}``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from goldlake_core.contracts.sections import Training
from tfx_pipeline.heads.base import FittedHead
from tfx_pipeline.modules.layout import Layout


def build_model(
    layout: Layout,
    training: Training,
    vocabulary_size: Callable[[str], int],
    numbers: int,
    head: FittedHead,
) -> Any:
    """An uncompiled Keras model from `network.pack`'s tensors to the head's outputs.

    Args:
        layout: Description of the inputs.
        training: Its ``l2`` is the weight decay; it has no hidden units.
        vocabulary_size: Entries of a vocabulary by its name.
        numbers: Width of the float input.
        head: Says how wide the output is, and what follows it.
    """
    import keras

    decay = keras.regularizers.L2(training.l2) if training.l2 else None
    inputs: list[Any] = []
    terms: list[Any] = []
    if layout.ids:
        ids = keras.Input((len(layout.ids),), dtype="int32", name="ids")
        inputs.append(ids)
        for number, output in enumerate(layout.ids):
            weights = _weights(output.name, output.size(vocabulary_size), head.units, decay)
            terms.append(weights(ids[:, number]))
    if numbers:
        floats = keras.Input((numbers,), dtype="float32", name="numbers")
        inputs.append(floats)
        dense = keras.layers.Dense(
            head.units, use_bias=False, kernel_regularizer=decay, name="weights_of_numbers"
        )
        terms.append(dense(floats))
    for output in layout.words:
        words = keras.Input((None,), dtype="int32", name=output.name)
        inputs.append(words)
        weights = _weights(output.name, output.size(vocabulary_size), head.units, decay)
        is_word = keras.ops.cast(keras.ops.expand_dims(words > 0, -1), "float32")
        terms.append(keras.ops.sum(weights(words) * is_word, axis=1))
    total = keras.layers.Add(name="total")(terms) if len(terms) > 1 else terms[0]
    biased = _bias(head.units)(total)
    return keras.Model(inputs, head.activated(biased), name="linear")


def _weights(name: str, size: int, units: int, decay: Any) -> Any:
    import keras

    return keras.layers.Embedding(
        size,
        units,
        embeddings_initializer="zeros",
        embeddings_regularizer=decay,
        name=f"weights_of_{name}",
    )


def _bias(units: int) -> Any:
    """A layer that adds a constant per unit."""
    import keras

    class Bias(keras.layers.Layer):
        def build(self, shape: Any) -> None:
            self.bias = self.add_weight(shape=(units,), initializer="zeros", name="bias")

        def call(self, total: Any) -> Any:
            return total + self.bias

    return Bias(name="bias")
