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
from typing import Any

from goldlake_core.contracts.errors import InstanceError
from goldlake_core.contracts.wire import DTYPES, PLACEHOLDERS, fill_nulls, inputs_of
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

SAMPLE_ROWS = 64
VARIED_ROWS = 4
"""Rows that are repeated with each column missing, empty and zero."""
TOLERANCE = 1e-5
"""Largest difference between two answers to the same row."""

Row = Mapping[str, Any]


def check_model(folder: str, columns: Sequence[ColumnSpec], rows: Sequence[Row]) -> dict[str, Any]:
    """Runs every signature of a SavedModel on rows and their variants; read-only.

    Args:
        folder: Folder that holds ``saved_model.pb``.
        columns: The columns the model reads.
        rows: Raw rows; a missing value is None or absent.

    Returns:
        ``{"is_servable": bool, "problems": [text], "rows": number compared, "signatures": names,
        "largest_difference": number or None}``.
    """
    asked = [*rows, *variants(rows[:VARIED_ROWS], columns)]
    report: dict[str, Any] = {
        "is_servable": False,
        "problems": [],
        "rows": len(asked),
        "signatures": [],
        "largest_difference": None,
    }
    try:
        with closing(load(folder)) as model:
            # TensorFlow adds further signatures, such as __saved_model_init_op.
            names = [name for name in model.signatures if not name.startswith("__saved_model")]
            report["signatures"] = names
            report["problems"] += _compare(model, columns, asked, report)
    except InstanceError as error:
        report["problems"].append(f"The rows cannot be sent as plain values: {error.message}")
    except (StatusError, LookupError, TypeError, ValueError) as error:
        name = error.code if isinstance(error, StatusError) else type(error).__name__
        text = (str(error).strip().splitlines() or [""])[0]
        report["problems"].append(f"{name}: {text[:500]}")
    report["is_servable"] = not report["problems"]
    return report


def _compare(
    model: SavedModel, columns: Sequence[ColumnSpec], rows: Sequence[Row], report: dict[str, Any]
) -> list[str]:
    import numpy as np

    lacking = {SERVING_DEFAULT, TF_EXAMPLE, TRANSFORM_FEATURES} - set(model.signatures)
    if lacking:
        return [f"The model lacks the signature {name!r}" for name in sorted(lacking)]
    expected = {each.name: each.dtype for each in inputs_of(columns)}
    inputs = model.signatures[SERVING_DEFAULT].inputs
    found = {name: _type_name(spec.dtype) for name, spec in inputs.items()}
    if found != expected:
        return [f"{SERVING_DEFAULT} takes {found}, not {expected}"]
    serialized = np.array([serialize(row, columns) for row in rows], object)
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
        return problems
    difference = np.abs(plain - parsed)
    report["largest_difference"] = float(difference.max())
    worst = int(difference.argmax())
    if difference[worst] > TOLERANCE:
        problems.append(
            f"{SERVING_DEFAULT} answers {plain[worst]} and {TF_EXAMPLE} {parsed[worst]} "
            f"for the row {dict(rows[worst])}"
        )
    for name, values in model.run(TRANSFORM_FEATURES, {"examples": serialized}).items():
        if len(values) != len(rows):
            problems.append(f"{TRANSFORM_FEATURES} answers {len(values)} rows of {name!r}")
    return problems


def _type_name(dtype: str) -> str:
    """Returns the contract's name of a tensor type: ``float32`` for TensorFlow's ``float``."""
    import numpy as np

    return dtype if dtype == "string" else np.dtype(NUMPY_TYPES[dtype]).name


def variants(rows: Iterable[Row], columns: Sequence[ColumnSpec]) -> list[dict[str, Any]]:
    """Each row with each column missing (where nullable), and with each empty or zero."""
    changed: list[dict[str, Any]] = []
    for row in rows:
        for column in columns:
            if column.nullable:
                changed.append({**row, column.name: None})
            nothing: Any = PLACEHOLDERS[DTYPES[column.type]]
            changed.append({**row, column.name: nothing})
    return changed


def wire_arrays(rows: Sequence[Row], columns: Sequence[ColumnSpec]) -> dict[str, Any]:
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


def _bytes(value: Any) -> Any:
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
            feature.bytes_list.value.append(value.encode())
        elif column.example_type == "int64":
            feature.int64_list.value.append(int(value))
        else:
            feature.float_list.value.append(value)
    return bytes(example.SerializeToString())


def sample_rows(
    patterns: Sequence[str], columns: Sequence[ColumnSpec], count: int = SAMPLE_ROWS
) -> list[dict[str, Any]]:
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


def _row(example: Any, columns: Sequence[ColumnSpec]) -> dict[str, Any]:
    row: dict[str, Any] = {}
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
