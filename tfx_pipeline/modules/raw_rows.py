"""Raw rows: read out of tf.Example, as the wire has them, and as tf.Example again."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from goldlake_core.contracts.wire import WireValue, fill_nulls, inputs_of
from tfx_pipeline.spec import ColumnSpec

if TYPE_CHECKING:
    import numpy as np

SAMPLE_ROWS = 64

Row: TypeAlias = Mapping[str, WireValue | None]
"""A raw row by column; a missing value is None or absent."""


def wire_arrays(rows: Sequence[Row], columns: Sequence[ColumnSpec]) -> dict[str, np.ndarray]:
    """Rows as the inputs of ``serving_default``, one array [n] per input.

    Raises:
        InstanceError: A value is missing where none may be, or has the wrong type.
    """
    import numpy as np

    inputs = inputs_of(columns)
    known = {each.name for each in inputs}
    sent = [{k: v for k, v in row.items() if k in known and v is not None} for row in rows]
    filled = fill_nulls(inputs, sent)
    types = {"string": object, "int64": np.int64, "float32": np.float32, "bool": np.bool_}
    return {
        each.name: np.array([_bytes(row[each.name]) for row in filled], types[each.dtype])
        for each in inputs
    }


def _bytes(value: WireValue) -> WireValue | bytes:
    return value.encode() if isinstance(value, str) else value


def serialize(row: Row, columns: Sequence[ColumnSpec]) -> bytes:
    """A row as a serialized tf.Example; a missing value has no feature."""
    import tensorflow as tf

    example = tf.train.Example()
    for column in columns:
        value = row.get(column.name)
        if value is None:
            continue
        feature = example.features.feature[column.name]
        if column.example_type == "bytes":
            feature.bytes_list.value.append(str(value).encode())
        elif column.example_type == "int64":
            feature.int64_list.value.append(int(value))
        else:
            feature.float_list.value.append(value)
    return bytes(example.SerializeToString())


def sample_rows(
    patterns: Sequence[str],
    columns: Sequence[ColumnSpec],
    count: int = SAMPLE_ROWS,
    seed: int = 0,
) -> list[Row]:
    """Raw rows spread over the first records of TFRecord files; read-only and deterministic.

    Args:
        patterns: File patterns of TFRecord files.
        columns: The columns the model reads.
        count: Number of rows; fewer if the files hold fewer.
        seed: Seed of the sample.
    """
    import tensorflow as tf

    names = sorted({name for pattern in patterns for name in tf.io.gfile.glob(pattern)})
    compression = "GZIP" if any(name.endswith(".gz") for name in names) else ""
    records = list(
        tf.data.TFRecordDataset(names, compression).take(100 * count).as_numpy_iterator()
    )
    chosen = random.Random(seed).sample(records, min(count, len(records)))
    return [_row(tf.train.Example.FromString(record), columns) for record in chosen]


def _row(example: Any, columns: Sequence[ColumnSpec]) -> Row:
    row: dict[str, WireValue | None] = {}
    for column in columns:
        feature = example.features.feature.get(column.name)
        kind = feature.WhichOneof("kind") if feature is not None else None
        values = list(getattr(feature, kind).value) if kind else []
        value = values[0] if values else None
        if isinstance(value, bytes):
            value = value.decode()
        elif column.type == "boolean" and value is not None:
            value = bool(value)
        row[column.name] = value
    return row
