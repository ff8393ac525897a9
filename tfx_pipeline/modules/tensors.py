"""Names for the tensors that TensorFlow's functions pass by name. Loads no TensorFlow."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import tensorflow as tf

Tensors: TypeAlias = "dict[str, tf.Tensor | tf.SparseTensor]"
"""Tensors of a batch by column, input or output; sparse where a raw value may be missing."""

ParseSpec: TypeAlias = "dict[str, tf.io.FixedLenFeature | tf.io.VarLenFeature]"
"""How each column is parsed from a tf.Example: a ``VarLenFeature`` where it may be missing."""
