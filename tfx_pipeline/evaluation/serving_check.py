"""Checks that the exported model serves, as TF Serving would load it, before it is pushed.

TFX's InfraValidator starts a TF Serving container, which needs Docker; this check needs nothing.
The loader that serves restores the model, every signature is run, and rows sent as plain values
must get the same answers as the same rows sent as tf.Example. The rows are examples of the data,
and for each nullable column the same rows without it, so that the wire's nulls are compared too.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING

import msgspec

from goldlake_core.contracts.errors import InstanceError
from goldlake_core.contracts.wire import DTYPES, PLACEHOLDERS, WireValue, inputs_of
from serving.errors import StatusError
from serving.loader import SavedModel, load
from serving.signatures import NUMPY_TYPES
from tfx_pipeline.heads.base import Head
from tfx_pipeline.heads.registry import HEADS
from tfx_pipeline.modules.explain import BASE_VALUE, CONTRIBUTION
from tfx_pipeline.modules.raw_rows import SAMPLE_ROWS as SAMPLE_ROWS
from tfx_pipeline.modules.raw_rows import Row, serialize, wire_arrays
from tfx_pipeline.modules.raw_rows import sample_rows as sample_rows
from tfx_pipeline.modules.saved_model import (
    EXPLAIN,
    SERVING_DEFAULT,
    TF_EXAMPLE,
    TRANSFORM_FEATURES,
)
from tfx_pipeline.spec import ColumnSpec, ServingSpec

if TYPE_CHECKING:
    import numpy as np

VARIED_ROWS = 4
"""Rows that are repeated with each column missing, empty and zero."""
WARMUP_ROWS = (1, 32)
"""Rows of each warm-up request."""
EXPLAINED_ROWS = 2
TIMED_CALLS = 30
"""Calls of which the median is taken, after as many that are not timed."""
TOLERANCE = 1e-5
"""Largest difference between two answers to the same row."""
_NOTHING: Mapping[str, WireValue] = {"long": 0, "double": 0.0, "boolean": False}


class ServingReport(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The file ``serving_check.json``: whether a model serves.

    Attributes:
        is_servable: Whether there are no problems.
        problems: What is wrong, one sentence each.
        rows: Number of rows that were compared.
        signatures: Names of the model's signatures.
        largest_difference: Largest difference between two answers to a row, or None where nothing
            could be compared.
        megabytes: Size of the model's files.
        milliseconds: Median time of a call with one row, or None where nothing could be asked.
    """

    is_servable: bool
    problems: tuple[str, ...]
    rows: int
    signatures: tuple[str, ...]
    largest_difference: float | None
    megabytes: float | None = None
    milliseconds: float | None = None


def check_model(
    folder: str,
    columns: Sequence[ColumnSpec],
    rows: Sequence[Row],
    bounds: ServingSpec | None = None,
    head: Head = HEADS["binary"],
) -> ServingReport:
    """Runs every signature of a SavedModel on rows and their variants; read-only.

    Args:
        folder: Folder that holds ``saved_model.pb``.
        columns: The columns the model reads.
        rows: Raw rows to ask the model about.
        bounds: How large and how slow the model may be, or None.
        head: What kind of answer the model gives.
    """
    asked = [*rows, *variants(rows[:VARIED_ROWS], columns)]
    signatures: tuple[str, ...] = ()
    difference: float | None = None
    megabytes, milliseconds = _megabytes(folder), None
    problems: list[str] = []
    try:
        with closing(load(folder)) as model:
            # TensorFlow adds further signatures, such as __saved_model_init_op.
            signatures = tuple(n for n in model.signatures if not n.startswith("__saved_model"))
            problems += _signature_problems(model, columns)
            if not problems:
                serialized = _serialized(asked, columns)
                found, difference = _compare(model, head, columns, asked, serialized)
                problems += found
            if difference is not None:
                problems += _transform_problems(model, serialized)
                problems += _explain_problems(model, head, columns, rows)
                milliseconds = _milliseconds(model, columns, rows)
    except InstanceError as error:
        problems.append(f"The rows cannot be sent as plain values: {error.message}")
    except (StatusError, LookupError, TypeError, ValueError) as error:
        name = error.code if isinstance(error, StatusError) else type(error).__name__
        text = (str(error).strip().splitlines() or [""])[0]
        problems.append(f"{name}: {text[:500]}")
    problems += _bound_problems(bounds or ServingSpec(), megabytes, milliseconds)
    return ServingReport(
        is_servable=not problems,
        problems=tuple(problems),
        rows=len(asked),
        signatures=signatures,
        largest_difference=difference,
        megabytes=megabytes,
        milliseconds=milliseconds,
    )


def warmup_requests(
    columns: Sequence[ColumnSpec], rows: Sequence[Row]
) -> list[dict[str, np.ndarray]]:
    """Returns the inputs of requests that warm the model up, of one row and of many.

    Args:
        columns: The columns the model reads.
        rows: Raw rows; those whose values can be sent are used.
    """
    return [wire_arrays(rows[:size], columns) for size in WARMUP_ROWS if rows]


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
    model: SavedModel,
    head: Head,
    columns: Sequence[ColumnSpec],
    rows: Sequence[Row],
    serialized: np.ndarray,
) -> tuple[list[str], float | None]:
    """What is wrong with the answers, and their largest difference where both are answers."""
    plain = model.run(SERVING_DEFAULT, wire_arrays(rows, columns))
    parsed = model.run(TF_EXAMPLE, {"examples": serialized})
    problems = [
        f"{name} answers what is not one: {problem}"
        for name, answers in ((SERVING_DEFAULT, plain), (TF_EXAMPLE, parsed))
        for problem in head.problems(answers, len(rows))
    ]
    if problems:
        return problems, None
    differences = [_difference(plain[name], parsed[name]) for name in plain]
    largest = max(float(each.max()) for each in differences)
    for name, difference in zip(plain, differences, strict=True):
        worst = int(difference.argmax())
        if difference[worst] > TOLERANCE:
            problems.append(
                f"{SERVING_DEFAULT} answers {name} {plain[name][worst]} and {TF_EXAMPLE} "
                f"{parsed[name][worst]} for the row {dict(rows[worst])}"
            )
    return problems, largest


def _difference(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """How far two answers to each row are apart, [n]; as a part of an answer that is above 1."""
    import numpy as np

    if one.dtype.kind not in "fiu":
        apart = (one != other).astype(np.float64)
    else:
        apart = np.abs(one.astype(np.float64) - other) / np.maximum(1.0, np.abs(one))
    return apart.reshape(len(apart), -1).max(axis=1)


def _transform_problems(model: SavedModel, serialized: np.ndarray) -> list[str]:
    return [
        f"{TRANSFORM_FEATURES} answers {len(values)} rows of {name!r}"
        for name, values in model.run(TRANSFORM_FEATURES, {"examples": serialized}).items()
        if len(values) != len(serialized)
    ]


def _explain_problems(
    model: SavedModel, head: Head, columns: Sequence[ColumnSpec], rows: Sequence[Row]
) -> list[str]:
    """Whether base value and contributions sum up to the answer."""
    if EXPLAIN not in model.signatures:
        return []
    sent = wire_arrays(rows[:EXPLAINED_ROWS], columns)
    found = model.run(EXPLAIN, sent)
    answered = model.run(SERVING_DEFAULT, sent)[head.number]
    total = sum((found[f"{CONTRIBUTION}{column.name}"] for column in columns), found[BASE_VALUE])
    return [
        f"{EXPLAIN} explains {one} and {SERVING_DEFAULT} answers {other}"
        for one, other in zip(total.tolist(), answered.tolist(), strict=True)
        if not abs(one - other) <= 10 * TOLERANCE * max(1.0, abs(other))
    ]


def _megabytes(folder: str) -> float:
    files = (os.path.join(place, name) for place, _, names in os.walk(folder) for name in names)
    return round(sum(map(os.path.getsize, files)) / 1e6, 3)


def _milliseconds(
    model: SavedModel, columns: Sequence[ColumnSpec], rows: Sequence[Row]
) -> float | None:
    if not rows:
        return None
    sent = wire_arrays(rows[:1], columns)
    times = []
    for _ in range(2 * TIMED_CALLS):
        started = time.perf_counter()
        model.run(SERVING_DEFAULT, sent)
        times.append(time.perf_counter() - started)
    return round(statistics.median(times[TIMED_CALLS:]) * 1e3, 3)


def _bound_problems(bounds: ServingSpec, megabytes: float, milliseconds: float | None) -> list[str]:
    found = []
    if bounds.most_megabytes is not None and megabytes > bounds.most_megabytes:
        most = bounds.most_megabytes
        found.append(f"The model has {megabytes:g} MB, and serving.most_megabytes is {most:g}")
    if bounds.most_milliseconds is not None and (milliseconds or 0) > bounds.most_milliseconds:
        most = bounds.most_milliseconds
        found.append(
            f"A call with one row takes {milliseconds:g} ms, and serving.most_milliseconds is "
            f"{most:g}"
        )
    return found


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
