"""tf.Example records as the network's inputs: parsed and transformed in large batches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tfx_pipeline.modules.layout import MAX_WORDS, Layout
from tfx_pipeline.modules.network import pack
from tfx_pipeline.modules.tensors import ParseSpec, Tensors
from tfx_pipeline.spec import ColumnSpec

READ_ROWS = 8192
"""Rows parsed and transformed at once."""
MEMORY_BYTES = 2 << 30
"""A transformed split up to this size is held in memory, so that an epoch does not transform."""
SHUFFLE_ROWS = 200_000
"""Shuffle buffer of a split that is too large for memory, in records."""


@dataclass(frozen=True)
class Arrays:
    """A transformed split in memory.

    Attributes:
        inputs: NumPy arrays in the order of `network.pack`.
        labels: Labels, float32 [n].
    """

    inputs: list[Any]
    labels: Any


def row_bytes(layout: Layout, own: int = 0) -> int:
    """Bytes of one transformed row in memory.

    Args:
        layout: Description of Transform's outputs.
        own: Number of columns that the use case adds.
    """
    values = len(layout.ids) + len(layout.floats) + MAX_WORDS * len(layout.words) + own
    return 4 * (values + 1)


def feature_spec(raw_spec: ParseSpec, inputs: Sequence[ColumnSpec]) -> ParseSpec:
    """Returns the parsing specification of the columns that the model reads.

    Args:
        raw_spec: Transform's ``raw_feature_spec()``, which follows the schema.
        inputs: The columns the model reads.
    """
    return {column.name: raw_spec[column.name] for column in inputs}


def transformed(
    patterns: Sequence[str],
    parse: ParseSpec,
    label: str,
    transform: Callable[[Tensors], Tensors],
    layout: Layout,
    *,
    shuffle_seed: int | None = None,
    batch_rows: int = READ_ROWS,
) -> Any:
    """A tf.data.Dataset of ``(inputs, labels float32 [n, 1])`` in batches; read-only.

    Args:
        patterns: File patterns of (gzip) TFRecord files with serialized tf.Example.
        parse: Feature spec of the raw columns.
        label: Name of the label, int64 0 or 1.
        transform: Keras layer that applies Transform's graph.
        layout: Description of Transform's outputs.
        shuffle_seed: Shuffles the records within a buffer; None keeps their order.
        batch_rows: Number of rows per batch.
    """
    import tensorflow as tf

    names = sorted({name for pattern in patterns for name in tf.io.gfile.glob(pattern)})
    compression = "GZIP" if any(name.endswith(".gz") for name in names) else ""
    records = tf.data.TFRecordDataset(names, compression_type=compression)
    if shuffle_seed is not None:
        records = records.shuffle(SHUFFLE_ROWS, seed=shuffle_seed)
    spec = {**parse, label: tf.io.FixedLenFeature([], tf.int64)}

    def convert(serialized: Any) -> tuple[tuple[Any, ...], Any]:
        raw = tf.io.parse_example(serialized, spec)
        labels = tf.cast(raw.pop(label), tf.float32)
        return tuple(pack(transform(raw), layout)), labels[:, None]

    batches = records.batch(batch_rows).map(convert, num_parallel_calls=tf.data.AUTOTUNE)
    return batches.prefetch(tf.data.AUTOTUNE)


def in_memory(dataset: Any) -> Arrays:
    """Reads a whole dataset of `transformed`.

    Raises:
        ValueError: It has no rows.
    """
    import numpy as np

    batches = list(dataset.as_numpy_iterator())
    if not batches:
        raise ValueError("A split that the trainer needs has no rows")
    width = len(batches[0][0])
    inputs = [np.concatenate([inputs[n] for inputs, _ in batches]) for n in range(width)]
    return Arrays(inputs, np.concatenate([labels for _, labels in batches])[:, 0])
