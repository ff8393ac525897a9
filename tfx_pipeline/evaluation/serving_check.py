"""Checks that the exported model serves, as TF Serving would load it, before it is pushed.

TFX's InfraValidator starts a TF Serving container, which needs Docker; this check needs nothing.
The loader that serves restores the model, every signature is run, and rows sent as plain values
must get the same answers as the same rows sent as tf.Example. The rows are examples of the data,
and for each nullable column the same rows without it, so that the wire's nulls are compared too.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from goldlake_core.contracts.errors import InstanceError
from goldlake_core.contracts.wire import DTYPES, PLACEHOLDERS, WireValue, fill_nulls, inputs_of
from serving.errors import StatusError
from serving.loader import SavedModel, load
from serving.signatures import NUMPY_TYPES
from tfx_pipeline.modules.saved_model import (
    PROBABILITY,
    SERVING_DEFAULT,
    TF_EXAMPLE,
    TRANSFORM_FEATURES,
)
from tfx_pipeline.spec import ColumnSpec

if TYPE_CHECKING:
    import numpy as np

SAMPLE_ROWS = 64
VARIED_ROWS = 4
"""Rows that are repeated with each column missing, empty and zero."""
TOLERANCE = 1e-5
"""Largest difference between two answers to the same row."""
_NOTHING: Mapping[str, WireValue] = {"long": 0, "double": 0.0, "boolean": False}

Row: TypeAlias = Mapping[str, WireValue | None]
"""A raw row by column; a missing value is None or absent."""


class ServingReport(msgspec.Struct, frozen=True, kw_only=True):
    """The file ``serving_check.json``: whether a model serves.

    Attributes:
        is_servable: Whether there are no problems.
        problems: What is wrong, one sentence each.
        rows: Number of rows that were compared.
        signatures: Names of the model's signatures.
        largest_difference: Largest difference between two answers to a row, or None where nothing
            could be compared.
    """

    is_servable: bool
    problems: tuple[str, ...]
    rows: int
    signatures: tuple[str, ...]
    largest_difference: float | None


def check_model(folder: str, columns: Sequence[ColumnSpec], rows: Sequence[Row]) -> ServingReport:
    """Runs every signature of a SavedModel on rows and their variants; read-only.

    Args:
        folder: Folder that holds ``saved_model.pb``.
        columns: The columns the model reads.
        rows: Raw rows to ask the model about.
    """
    asked = [*rows, *variants(rows[:VARIED_ROWS], columns)]
    signatures: tuple[str, ...] = ()
    difference: float | None = None
    problems: list[str] = []
    try:
        with closing(load(folder)) as model:
            # TensorFlow adds further signatures, such as __saved_model_init_op.
            signatures = tuple(n for n in model.signatures if not n.startswith("__saved_model"))
            problems += _signature_problems(model, columns)
            if not problems:
                serialized = _serialized(asked, columns)
                found, difference = _compare(model, columns, asked, serialized)
                problems += found
            if difference is not None:
                problems += _transform_problems(model, serialized)
    except InstanceError as error:
        problems.append(f"The rows cannot be sent as plain values: {error.message}")
    except (StatusError, LookupError, TypeError, ValueError) as error:
        name = error.code if isinstance(error, StatusError) else type(error).__name__
        text = (str(error).strip().splitlines() or [""])[0]
        problems.append(f"{name}: {text[:500]}")
    return ServingReport(
        is_servable=not problems,
        problems=tuple(problems),
        rows=len(asked),
        signatures=signatures,
        largest_difference=difference,
    )


def _signature_problems(model: SavedModel, columns: Sequence[ColumnSpec]) -> list[str]:
    lacking = {SERVING_DEFAULT, TF_EXAMPLE, TRANSFORM_FEATURES} - set(model.signatures)
    if lacking:
        return [f"The model lacks the signature {name!r}" for name in sorted(lacking)]
    expected = {each.name: each.dtype for each in inputs_of(columns)}
    inputs = model.signatures[SERVING_DEFAULT].inputs
    found = {name: _type_name(spec.dtype) for name, spec in inputs.items()}
    if found != expected:
        return [f"{SERVING_DEFAULT} takes {found}, not {expected}"]
    return []


def _compare(
    model: SavedModel, columns: Sequence[ColumnSpec], rows: Sequence[Row], serialized: np.ndarray
) -> tuple[list[str], float | None]:
    """What is wrong with the answers, and their largest difference where both are probabilities."""
    import numpy as np

    plain = model.run(SERVING_DEFAULT, wire_arrays(rows, columns))[PROBABILITY]
    parsed = model.run(TF_EXAMPLE, {"examples": serialized})[PROBABILITY]
    problems = []
    for name, answer in ((SERVING_DEFAULT, plain), (TF_EXAMPLE, parsed)):
        if answer.shape != (len(rows),) or answer.dtype != np.float32:
            problems.append(f"{name} answers {answer.dtype} {answer.shape} for {len(rows)} rows")
        elif not np.all((answer >= 0) & (answer <= 1)):
            bad = int(np.flatnonzero(~((answer >= 0) & (answer <= 1)))[0])
            problems.append(f"{name} answers {answer[bad]} for the row {dict(rows[bad])}")
    if problems:
        return problems, None
    difference = np.abs(plain - parsed)
    worst = int(difference.argmax())
    if difference[worst] > TOLERANCE:
        problems.append(
            f"{SERVING_DEFAULT} answers {plain[worst]} and {TF_EXAMPLE} {parsed[worst]} "
            f"for the row {dict(rows[worst])}"
        )
    return problems, float(difference.max())


def _transform_problems(model: SavedModel, serialized: np.ndarray) -> list[str]:
    return [
        f"{TRANSFORM_FEATURES} answers {len(values)} rows of {name!r}"
        for name, values in model.run(TRANSFORM_FEATURES, {"examples": serialized}).items()
        if len(values) != len(serialized)
    ]


def _serialized(rows: Sequence[Row], columns: Sequence[ColumnSpec]) -> np.ndarray:
    import numpy as np

    return np.array([serialize(row, columns) for row in rows], object)


def _type_name(dtype: str) -> str:
    """Returns the contract's name of a tensor type: ``float32`` for TensorFlow's ``float``."""
    import numpy as np

    return dtype if dtype == "string" else np.dtype(NUMPY_TYPES[dtype]).name


def variants(rows: Iterable[Row], columns: Sequence[ColumnSpec]) -> list[Row]:
    """Each row with each column missing (where nullable), and with each empty or zero."""
    changed: list[Row] = []
    for row in rows:
        for column in columns:
            if column.nullable:
                changed.append({**row, column.name: None})
            changed.append({**row, column.name: PLACEHOLDERS[DTYPES[column.type]]})
    return changed


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
    patterns: Sequence[str], columns: Sequence[ColumnSpec], count: int = SAMPLE_ROWS
) -> list[Row]:
    """Raw rows spread over the first records of TFRecord files; read-only and deterministic.

    Args:
        patterns: File patterns of TFRecord files.
        columns: The columns the model reads.
        count: Number of rows; fewer if the files hold fewer.
    """
    import tensorflow as tf

    names = sorted({name for pattern in patterns for name in tf.io.gfile.glob(pattern)})
    compression = "GZIP" if any(name.endswith(".gz") for name in names) else ""
    records = list(
        tf.data.TFRecordDataset(names, compression).take(100 * count).as_numpy_iterator()
    )
    chosen = random.Random(0).sample(records, min(count, len(records)))
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
