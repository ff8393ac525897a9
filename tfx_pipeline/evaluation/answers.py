"""Asks models about the rows of the test split. Imports TensorFlow inside its functions.

Both models answer the same batch, so that their answers are paired by row, and no row is kept: of
each there are the numbers that its head scores, and the values of the slicing columns.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Any

from serving.loader import load
from tfx_pipeline.evaluation.slices import Answers
from tfx_pipeline.heads.base import Head
from tfx_pipeline.heads.registry import HEADS
from tfx_pipeline.modules.saved_model import TF_EXAMPLE
from tfx_pipeline.spec import EvaluationSpec

if TYPE_CHECKING:
    import numpy as np

BATCH_ROWS = 4096
"""Rows of one call of a model."""
_Kept = tuple[array, ...]


def answers_of(
    patterns: Sequence[str], spec: EvaluationSpec, candidate: str, baseline: str | None = None
) -> Answers:
    """What models answer to tf.Examples; read-only.

    Args:
        patterns: File patterns of TFRecord files.
        spec: Label, slicing columns and head.
        candidate: Folder of the candidate's SavedModel.
        baseline: Folder of the SavedModel that serves, or None.

    Raises:
        StatusError: A model has no signature that takes serialized examples, or cannot answer.
        ValueError: A row has no label.
    """
    import numpy as np

    head = HEADS[spec.head]
    columns = list(dict.fromkeys(name for names in spec.slices for name in names))
    values: dict[str, list[str | None]] = {name: [] for name in columns}
    with ExitStack() as opened:
        folders = [candidate] if baseline is None else [candidate, baseline]
        models = [opened.enter_context(closing(load(folder, is_warm=False))) for folder in folders]
        kept: list[_Kept] = [tuple(map(array, head.kept)) for _ in models]
        for records in serialized_batches(patterns):
            labels = _read(records, spec.label, values)
            asked = np.array(records, object)
            for model, columns_of_model in zip(models, kept, strict=True):
                found = model.run(TF_EXAMPLE, {"examples": asked})
                _keep(head, labels, found, columns_of_model)
    arrays = [
        tuple(np.frombuffer(each, each.typecode) for each in model_columns)
        for model_columns in kept
    ]
    return Answers(arrays[0], None if baseline is None else arrays[1], values)


def serialized_batches(patterns: Sequence[str]) -> Iterator[list[bytes]]:
    """Serialized tf.Examples in the order of the files."""
    import tensorflow as tf

    names = sorted({name for pattern in patterns for name in tf.io.gfile.glob(pattern)})
    compression = "GZIP" if any(name.endswith(".gz") for name in names) else ""
    records = tf.data.TFRecordDataset(names, compression).batch(BATCH_ROWS)
    for batch in records.as_numpy_iterator():
        yield batch.tolist()


def _read(
    records: Sequence[bytes], label: str, values: Mapping[str, list[str | None]]
) -> list[Any]:
    """The labels; adds the values of slicing columns, which are few and therefore interned."""
    import tensorflow as tf

    labels = []
    for record in records:
        features = tf.train.Example.FromString(record).features.feature
        found = _value(features.get(label))
        if found is None:
            raise ValueError(f"A row of the test split has no label {label!r}")
        labels.append(found)
        for name, column in values.items():
            value = _value(features.get(name))
            text = value.decode(errors="replace") if isinstance(value, bytes) else value
            column.append(None if text is None else sys.intern(str(text)))
    return labels


def _value(feature: Any) -> Any:
    """The only value of a feature, or None where it has none."""
    kind = feature.WhichOneof("kind") if feature is not None else None
    found = getattr(feature, kind).value if kind else ()
    return found[0] if found else None


def _keep(head: Head, labels: Sequence[Any], found: Mapping[str, np.ndarray], kept: _Kept) -> None:
    for place, label in enumerate(labels):
        record = head.record(label, {name: each[place] for name, each in found.items()})
        for column, value in zip(kept, record, strict=True):
            column.append(value)
