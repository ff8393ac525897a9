"""tf.Example records as the network's inputs: parsed and transformed in large batches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tfx_pipeline.heads.base import FittedHead
from tfx_pipeline.modules.layout import Layout
from tfx_pipeline.modules.network import pack
from tfx_pipeline.modules.preprocessing import dense
from tfx_pipeline.modules.tensors import ParseSpec, Tensors
from tfx_pipeline.spec import ColumnSpec

if TYPE_CHECKING:
    import numpy as np

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
        targets: What the network learns, [n].
        weights: Weights of the rows, float32 [n], or None.
    """

    inputs: list[Any]
    targets: Any
    weights: Any | None = None


def row_bytes(layout: Layout, own: int = 0) -> int:
    """Bytes of one transformed row in memory.

    Args:
        layout: Description of Transform's outputs.
        own: Number of columns that the use case adds.
    """
    ids = len(layout.ids) + sum(output.width for output in layout.words)
    values = ids + len(layout.floats) + own
    return 4 * (values + 1)


def feature_spec(raw_spec: ParseSpec, inputs: Sequence[ColumnSpec]) -> ParseSpec:
    """Returns the parsing specification of the columns that the model reads.

    Args:
        raw_spec: Transform's ``raw_feature_spec()``, which follows the schema.
        inputs: The columns the model reads.
    """
    return {column.name: raw_spec[column.name] for column in inputs}


@dataclass(frozen=True)
class Labels:
    """Where the labels of a tf.Example are.

    Attributes:
        name: Name of the label.
        spec: How it is parsed.
        exposure: Name of the column with exposures, or "".
    """

    name: str
    spec: Any
    exposure: str = ""

    def exposures(self, raw: Tensors) -> Any | None:
        """The exposures of raw columns, float32 [n], or None where there are none."""
        import tensorflow as tf

        if not self.exposure:
            return None
        return tf.cast(dense(raw[self.exposure]).values, tf.float32)


def _records(patterns: Sequence[str]) -> Any:
    import tensorflow as tf

    names = sorted({name for pattern in patterns for name in tf.io.gfile.glob(pattern)})
    compression = "GZIP" if any(name.endswith(".gz") for name in names) else ""
    return tf.data.TFRecordDataset(names, compression_type=compression)


def label_values(
    patterns: Sequence[str], parse: ParseSpec, labels: Labels
) -> tuple[np.ndarray, np.ndarray | None]:
    """All labels of a split, and all exposures or None; read-only.

    Args:
        patterns: File patterns of (gzip) TFRecord files with serialized tf.Example.
        parse: Feature spec of the raw columns.
        labels: Where the labels are.
    """
    import numpy as np
    import tensorflow as tf

    spec = {labels.name: labels.spec}
    if labels.exposure:
        spec[labels.exposure] = parse[labels.exposure]
    found = list(
        _records(patterns)
        .batch(READ_ROWS)
        .map(lambda serialized: tf.io.parse_example(serialized, spec))
    )
    if not found:
        return np.array([]), None
    values = np.concatenate([batch[labels.name].numpy() for batch in found])
    exposures = [each.numpy() for each in map(labels.exposures, found) if each is not None]
    return values, np.concatenate(exposures) if exposures else None


def transformed(
    patterns: Sequence[str],
    parse: ParseSpec,
    labels: Labels,
    head: FittedHead,
    transform: Callable[[Tensors], Tensors],
    layout: Layout,
    *,
    shuffle_seed: int | None = None,
    batch_rows: int = READ_ROWS,
    every: int = 1,
) -> Any:
    """A tf.data.Dataset of ``(inputs, targets [n, 1])`` in batches; read-only.

    Where the head weights rows, their weights, float32 [n, 1], are the third item.

    Args:
        patterns: File patterns of (gzip) TFRecord files with serialized tf.Example.
        parse: Feature spec of the raw columns.
        labels: Where the labels are.
        head: Makes targets of them.
        transform: Keras layer that applies Transform's graph.
        layout: Description of Transform's outputs.
        shuffle_seed: Shuffles the records within a buffer; None keeps their order.
        batch_rows: Number of rows per batch.
        every: Keeps one record in so many.
    """
    import tensorflow as tf

    records = _records(patterns)
    if every > 1:
        records = records.shard(every, 0)
    if shuffle_seed is not None:
        records = records.shuffle(SHUFFLE_ROWS, seed=shuffle_seed)
    spec = {**parse, labels.name: labels.spec}

    # No control flow is there for AutoGraph to translate, and Transform's layer has much code.
    @tf.autograph.experimental.do_not_convert  # type: ignore[untyped-decorator]
    def convert(serialized: Any) -> tuple[Any, ...]:
        raw = tf.io.parse_example(serialized, spec)
        targets, weights = head.targets(raw.pop(labels.name), labels.exposures(raw))
        inputs = tuple(pack(transform(raw), layout))
        return (inputs, targets[:, None], *([] if weights is None else [weights[:, None]]))

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
    inputs = [np.concatenate([inputs[n] for inputs, *_ in batches]) for n in range(width)]
    others = [rest for _, *rest in batches]
    columns = [np.concatenate(column)[:, 0] for column in zip(*others, strict=True)]
    return Arrays(inputs, *columns)
