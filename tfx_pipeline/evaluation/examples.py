"""Columns of serialized tf.Examples, decoded in C++ batch by batch. Imports tfx_bsl when called."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal, NamedTuple

BATCH_ROWS = 4096
"""Rows of one batch, and so of one call of a model."""
Kind = Literal["bytes", "int64", "float"]
"""A type of values in tf.Example."""


class Values(NamedTuple):
    """One column of some rows.

    Attributes:
        kind: Type of the values, or None where no row has one.
        distinct: The values that occur, once each.
        places: Place of each row's value in ``distinct``, [n]; -1 where it has none.
    """

    kind: Kind | None
    distinct: list[Any]
    places: Any


def serialized_batches(patterns: Sequence[str]) -> Iterator[list[bytes]]:
    """Serialized tf.Examples in the order of the files.

    Args:
        patterns: File patterns of TFRecord files, all of them compressed by gzip or none.
    """
    import tensorflow as tf

    names = sorted({name for pattern in patterns for name in tf.io.gfile.glob(pattern)})
    compression = "GZIP" if any(name.endswith(".gz") for name in names) else ""
    records = tf.data.TFRecordDataset(names, compression).batch(BATCH_ROWS)
    for batch in records.as_numpy_iterator():
        yield batch.tolist()


def columns_of(records: Sequence[bytes], names: Sequence[str]) -> dict[str, Values]:
    """The first value of each row in some columns.

    Args:
        records: Serialized tf.Examples, one per row.
        names: Names of features, which may be missing.
    """
    from tfx_bsl.coders.example_coder import ExamplesToRecordBatchDecoder

    batch = ExamplesToRecordBatchDecoder().DecodeBatch(list(records))
    return {name: _values(batch, name) for name in names}


def _values(batch: Any, name: str) -> Values:
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    place = batch.schema.get_field_index(name)
    if place < 0 or pa.types.is_null(batch.column(place).type):
        return Values(None, [], np.full(batch.num_rows, -1))
    lists = batch.column(place)
    lengths = pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False)
    starts = np.cumsum(lengths) - lengths
    first = lists.flatten().take(pa.array(starts, pa.int64(), mask=lengths == 0))
    coded = first.dictionary_encode()
    places = pc.fill_null(coded.indices, -1).to_numpy(zero_copy_only=False)
    return Values(_kind(first.type), coded.dictionary.to_pylist(), places)


def _kind(arrow_type: Any) -> Kind:
    import pyarrow as pa

    if pa.types.is_integer(arrow_type):
        return "int64"
    return "float" if pa.types.is_floating(arrow_type) else "bytes"
