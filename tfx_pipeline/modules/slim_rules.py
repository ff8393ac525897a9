"""Rules by which a graph is written with fewer kernels; see `tfx_pipeline.modules.terms.Rule`.

Each is exact wherever it applies: it changes no bit of any tensor.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tfx_pipeline.modules.terms import CELLWISE, Kind, Rule, Tensor, Terms, attribute, frozen

_FEWEST = 3
"""Columns from which on a step is shared: putting them side by side is a kernel, too."""
_COLUMN_OF_ROWS = (None, 1)


def _reshape(
    terms: Terms, attributes: Mapping[str, Any], inputs: tuple[Tensor, ...], kind: Kind
) -> Tensor | None:
    tensor, sizes = inputs
    if sizes.value is None:
        return None
    if kind.shape == (None,) and tensor.is_row:
        return tensor
    before = tensor.inputs("Reshape")
    return terms.of("Reshape", attributes, (before[0], sizes), kind) if before else None


def _select(
    terms: Terms, attributes: Mapping[str, Any], inputs: tuple[Tensor, ...], kind: Kind
) -> Tensor | None:
    choice, yes, no = inputs
    for flag, kept in ((True, yes), (False, no)):
        if choice.is_all(flag) and kept.is_row:
            return kept
    return None


def _and(
    terms: Terms, attributes: Mapping[str, Any], inputs: tuple[Tensor, ...], kind: Kind
) -> Tensor | None:
    for one, other in (inputs, inputs[::-1]):
        if one.is_all(True) and other.is_row:
            return other
    return None


def _not(
    terms: Terms, attributes: Mapping[str, Any], inputs: tuple[Tensor, ...], kind: Kind
) -> Tensor | None:
    for flag in (True, False):
        if inputs[0].is_all(flag):
            sizes, _ = inputs[0].inputs("Fill")
            return _filled(terms, sizes, not flag)
    before = inputs[0].inputs("LogicalNot")
    return before[0] if before else None


def _is_nan(
    terms: Terms, attributes: Mapping[str, Any], inputs: tuple[Tensor, ...], kind: Kind
) -> Tensor | None:
    """No number of a column is NaN if each that was has become the default."""
    if not (chosen := inputs[0].inputs("SelectV2")):
        return None
    flags, values, default = chosen
    tested = flags.inputs("LogicalNot") and flags.inputs("LogicalNot")[0].inputs("IsNan")
    if not tested or tested[0] != values or default.value is None or np.isnan(default.value).any():
        return None
    return _filled(terms, _shape(terms, values), False)


def _sparse_column(
    terms: Terms, attributes: Mapping[str, Any], inputs: tuple[Tensor, ...], kind: Kind
) -> Tensor | None:
    """The column of a sparse matrix that holds the values of the rows where a flag is set."""
    made = inputs[0].inputs("SparseToDense")
    if not made or kind.shape != (None,) or not _is_first_column(attributes, inputs):
        return None
    places, sizes, values, default = made
    flag, rows = _rows_of_flag(places)
    shape = sizes.inputs("Pack")
    if flag is None or len(shape) != 2 or shape[1].value != 1 or default.value is None:
        return None
    if values.is_all(True) or _is_true(values):
        return flag if default.value == np.False_ else None
    picked = values.inputs("GatherV2")
    if not picked or picked[2].value != 0 or not picked[0].is_row:
        return None
    taken = picked[1].inputs("StridedSlice")
    if not taken or taken[0] != rows or not _is_first_column(picked[1].term.attributes, taken):
        return None
    types = {"T": attribute(type=kind.dtype)}
    if _is_made_of(flag, picked[0]):
        return terms.of("SelectV2", types, (flag, picked[0], default), kind)
    if default.value not in (0, b""):
        return None
    # A flag of the client: the older operation refuses columns of unequal length.
    blank = terms.of("ZerosLike", types, (picked[0],), kind)
    return terms.of("Select", types, (flag, picked[0], blank), kind)


def _rows_of_flag(places: Tensor) -> tuple[Tensor | None, Tensor | None]:
    """The flag, and the numbers of its rows, if places are those rows in the first column."""
    padded = places.inputs("Pad")
    flags = padded[0].inputs("Where") if padded else ()
    if not flags or not flags[0].is_row:
        return None, None
    is_column = np.array_equal(padded[1].value, [[0, 0], [0, 1]])
    return (flags[0], padded[0]) if is_column else (None, None)


def _is_first_column(attributes: Mapping[str, Any], inputs: tuple[Tensor, ...]) -> bool:
    """Whether a slice is ``[:, 0]``."""
    _, begin, _, strides = inputs
    if begin.value is None or strides.value is None or len(begin.value) != 2:
        return False
    masks = [attributes[f"{name}_mask"].i for name in ("begin", "end", "shrink_axis")]
    others = [attributes[f"{name}_mask"].i for name in ("ellipsis", "new_axis")]
    is_whole = masks[0] & 1 and masks[1] & 1 and masks[2] == 2 and not any(others)
    return bool(is_whole and begin.value[1] == 0 and strides.value[0] == 1)


def _is_true(values: Tensor) -> bool:
    """Whether all of some flags are set, however many there are."""
    filled = values.inputs("Fill")
    value = filled[1].value if filled else None
    return value is not None and value.dtype == np.bool_ and bool(value)


def _is_made_of(flag: Tensor, values: Tensor) -> bool:
    """Whether a flag follows from values, and so has their length."""
    inverse = flag.inputs("LogicalNot")
    made = (inverse[0] if inverse else flag).term
    return made.op in ("IsNan", "NotEqual") and values in made.inputs


def _table_size(
    terms: Terms, attributes: Mapping[str, Any], inputs: tuple[Tensor, ...], kind: Kind
) -> Tensor | None:
    size = terms.size(inputs[0])
    return None if size is None else terms.constant(np.int64(size))


def _all_columns(
    terms: Terms, attributes: Mapping[str, Any], inputs: tuple[Tensor, ...], kind: Kind
) -> Tensor | None:
    """Some columns of a matrix that are all of them, in their order."""
    matrix, columns, axis = inputs
    shape = matrix.kind.shape
    is_all = (
        shape is not None
        and len(shape) == 2
        and shape[1] is not None
        and axis.value == 1
        and columns.value is not None
        and np.array_equal(columns.value, np.arange(shape[1]))
    )
    return matrix if is_all else None


def _concat(
    terms: Terms, attributes: Mapping[str, Any], inputs: tuple[Tensor, ...], kind: Kind
) -> Tensor | None:
    """Columns that were rows: they are put side by side without becoming matrices."""
    *parts, axis = inputs
    if (
        axis.value is None
        or axis.value not in (1, -1)
        or kind.shape is None
        or len(kind.shape) != 2
    ):
        return None
    made: list[Tensor] = []
    rows: list[Tensor] = []
    for part in (*parts, None):
        before = part.inputs("Reshape") if part and part.kind.shape == _COLUMN_OF_ROWS else ()
        if before and before[0].is_row:
            rows.append(before[0])
            continue
        if rows:
            made.append(terms.packed(rows))
            rows = []
        if part:
            made.append(part)
    return terms.joined(made, kind) if len(made) < len(parts) else None


def _pack(
    terms: Terms, attributes: Mapping[str, Any], inputs: tuple[Tensor, ...], kind: Kind
) -> Tensor | None:
    """Columns made by the same step: the step is done once, on what they are made from."""
    if attributes["axis"].i not in (1, -1) or not all(each.is_row for each in inputs):
        return None
    groups: dict[object, list[int]] = {}
    for number, each in enumerate(inputs):
        groups.setdefault(_step(each), []).append(number)
    alone = groups.pop(None, [])
    for step in [step for step, numbers in groups.items() if len(numbers) < _FEWEST]:
        alone += groups.pop(step)
    if not groups:
        return None
    parts = [_shared(terms, [inputs[n] for n in numbers]) for numbers in groups.values()]
    order = [number for numbers in groups.values() for number in numbers]
    if alone:
        parts.append(terms.packed([inputs[number] for number in sorted(alone)]))
        order += sorted(alone)
    joined = terms.joined(parts, kind)
    if order == sorted(order):
        return joined
    axis, places = terms.constant(np.int32(1)), terms.constant(np.argsort(order).astype(np.int32))
    types = {
        "Tparams": attribute(type=kind.dtype),
        "Tindices": attribute(type=places.kind.dtype),
        "Taxis": attribute(type=axis.kind.dtype),
        "batch_dims": attribute(i=0),
    }
    return terms.of("GatherV2", types, (joined, places, axis), kind)


def _step(tensor: Tensor) -> object:
    """What rows have in common that one operation can make, or None."""
    term = tensor.term
    is_row = [each.is_row for each in term.inputs]
    is_scalar = [each.value is not None and each.value.ndim == 0 for each in term.inputs]
    if term.op not in CELLWISE or not all(a or b for a, b in zip(is_row, is_scalar, strict=True)):
        return None
    return (term.op, frozen(term.attributes), tuple(is_row))


def _shared(terms: Terms, rows: Sequence[Tensor]) -> Tensor:
    """The same step of several rows as one on a matrix."""
    term = rows[0].term
    inputs = []
    for number, first in enumerate(term.inputs):
        column = [each.term.inputs[number] for each in rows]
        if first.is_row:
            inputs.append(terms.packed(column))
        elif all(each == first for each in column):
            inputs.append(first)
        else:
            inputs.append(terms.constant(np.stack([each.value for each in column])))
    return terms.of(term.op, term.attributes, inputs, Kind(rows[0].kind.dtype, (None, len(rows))))


def _filled(terms: Terms, sizes: Tensor, flag: bool) -> Tensor:
    value = terms.constant(np.bool_(flag))
    types = {
        "T": attribute(type=value.kind.dtype),
        "index_type": attribute(type=sizes.kind.dtype),
    }
    return terms.of("Fill", types, (sizes, value), Kind(value.kind.dtype, (None,)))


def _shape(terms: Terms, values: Tensor) -> Tensor:
    int32 = terms.constant(np.int32(0)).kind.dtype
    types = {"T": attribute(type=values.kind.dtype), "out_type": attribute(type=int32)}
    return terms.of("Shape", types, (values,), Kind(int32, (1,)))


RULES: Mapping[str, Rule] = {
    "ConcatV2": _concat,
    "GatherV2": _all_columns,
    "IsNan": _is_nan,
    "LogicalAnd": _and,
    "LogicalNot": _not,
    "LookupTableSizeV2": _table_size,
    "Pack": _pack,
    "Reshape": _reshape,
    "Select": _select,
    "SelectV2": _select,
    "StridedSlice": _sparse_column,
}
"""The rules by operation."""
