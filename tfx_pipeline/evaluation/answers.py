"""Asks models about the rows of the test split. Imports TensorFlow inside its functions.

Both models answer the same batch, so that their answers are paired by row, and no row is kept: of
each there are the numbers that its head scores, and the values of the slicing columns.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import ExitStack, closing
from typing import Any, Protocol

from goldlake_core.contracts.heads import HeadKind
from serving.loader import load
from tfx_pipeline.evaluation.examples import Kind, Values, columns_of, serialized_batches
from tfx_pipeline.evaluation.slices import Answers
from tfx_pipeline.heads.base import Columns, Head
from tfx_pipeline.heads.registry import HEADS
from tfx_pipeline.modules.saved_model import TF_EXAMPLE


class Asked(Protocol):
    """Columns and kind of answers to read of each row; `EvaluationSpec` has them."""

    @property
    def label(self) -> str:
        """Name of the label."""

    @property
    def head(self) -> HeadKind:
        """Kind of the answers."""

    @property
    def slices(self) -> Sequence[Sequence[str]]:
        """Lists of slicing columns."""


def answers_of(
    patterns: Sequence[str], spec: Asked, candidate: str, baseline: str | None = None
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
    slicing = list(dict.fromkeys(name for names in spec.slices for name in names))
    values: dict[str, list[str | None]] = {name: [] for name in slicing}
    kinds: dict[str, Kind] = {}
    folders = [candidate] if baseline is None else [candidate, baseline]
    found: list[list[Columns]] = [[] for _ in folders]
    with ExitStack() as opened:
        models = [opened.enter_context(closing(load(folder, is_warm=False))) for folder in folders]
        for records in serialized_batches(patterns):
            columns = columns_of(records, [spec.label, *slicing])
            labels = _labels(columns[spec.label], spec.label)
            asked = np.array(records, object)
            for model, parts in zip(models, found, strict=True):
                parts.append(head.records(labels, model.run(TF_EXAMPLE, {"examples": asked})))
            for name, column in values.items():
                column += _texts(columns[name])
                if (kind := columns[name].kind) is not None:
                    kinds[name] = kind
    whole = [_joined(head, parts) for parts in found]
    return Answers(whole[0], None if baseline is None else whole[1], values, kinds)


def _labels(column: Values, label: str) -> list[Any]:
    if (column.places < 0).any():
        raise ValueError(f"A row of the test split has no label {label!r}")
    return [column.distinct[place] for place in column.places.tolist()]


def _texts(column: Values) -> list[str | None]:
    """The values as texts, which are few and therefore interned."""
    texts: list[str | None] = [
        sys.intern(value.decode(errors="replace") if isinstance(value, bytes) else str(value))
        for value in column.distinct
    ]
    texts.append(None)
    return [texts[place] for place in column.places.tolist()]


def _joined(head: Head, parts: Sequence[Columns]) -> Columns:
    """The parts one after another; columns without rows where there are none."""
    import numpy as np

    if not parts:
        return tuple(np.array([], code) for code in head.kept)
    return tuple(map(np.concatenate, zip(*parts, strict=True)))
