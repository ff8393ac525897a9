"""Predict answers, status and metadata as JSON text, as TF Serving lays them out."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from serving.errors import invalid
from serving.jsonwrite import indent, quoted
from serving.signatures import NUMPY_TYPES, Signature, TensorSpec

_BYTES_SUFFIX = "_bytes"
_INTEGERS = frozenset({"int8", "uint8", "int16", "int32", "int64", "uint32", "uint64"})
_NAMES = {np.dtype(kind): name for name, kind in NUMPY_TYPES.items()}

# Writes the next leaf at a depth of open brackets.
_Leaf = Callable[[int], str]


def encode_predict(outputs: Mapping[str, np.ndarray], is_row: bool) -> str:
    """The answer to a predict request.

    Args:
        outputs: At least one array by output name; row format takes the first axis for rows.
        is_row: Row (``predictions``) or columnar (``outputs``) format.

    Raises:
        StatusError: A type that JSON cannot hold, or rows that do not match.
    """
    if not outputs:
        raise invalid("Cannot convert empty tensor map to JSON")
    return _rows(outputs) if is_row else _columns(outputs)


def _rows(outputs: Mapping[str, np.ndarray]) -> str:
    size = -1
    for name, array in outputs.items():
        if array.ndim == 0:
            raise invalid(f"Tensor name: {name} has no shape information ")
        if size not in (-1, array.shape[0]):
            raise invalid(
                f"Tensor name: {name} has inconsistent batch size: {array.shape[0]} "
                f"expecting: {size}"
            )
        size = array.shape[0]
    leaves = {name: _leaves(array, name) for name, array in outputs.items()}
    if len(outputs) == 1:
        name, array = next(iter(outputs.items()))
        rows = ", ".join(_one_line(leaves[name], array.shape[1:], 2) for _ in range(size))
    else:
        rows = ",".join(
            indent(2)
            + "{"
            + ",".join(
                f"{indent(3)}{quoted(name)}: {_one_line(leaves[name], array.shape[1:], 3)}"
                for name, array in outputs.items()
            )
            + indent(2)
            + "}"
            for _ in range(size)
        )
    end = indent(1) if size else ""
    return f'{{{indent(1)}"predictions": [{rows}{end}]{indent(0)}}}'


def _columns(outputs: Mapping[str, np.ndarray]) -> str:
    if len(outputs) == 1:
        name, array = next(iter(outputs.items()))
        value = _many_lines(_leaves(array, name), array.shape, 1)
    else:
        members = (
            f"{indent(2)}{quoted(name)}: " + _many_lines(_leaves(array, name), array.shape, 2)
            for name, array in outputs.items()
        )
        value = "{" + ",".join(members) + indent(1) + "}"
    return f'{{{indent(1)}"outputs": {value}{indent(0)}}}'


def _one_line(leaf: _Leaf, shape: Sequence[int], depth: int) -> str:
    if not shape:
        return leaf(depth)
    inner = (_one_line(leaf, shape[1:], depth + 1) for _ in range(shape[0]))
    return f"[{', '.join(inner)}]"


def _many_lines(leaf: _Leaf, shape: Sequence[int], depth: int) -> str:
    if not shape:
        return leaf(depth)
    if not shape[0]:
        return "[]"
    inner = (indent(depth + 1) + _many_lines(leaf, shape[1:], depth + 1) for _ in range(shape[0]))
    return f"[{','.join(inner)}{indent(depth)}]"


def _leaves(array: np.ndarray, name: str) -> _Leaf:
    """A function that gives the leaves' texts one after another.

    Raises:
        StatusError: The type has no JSON form and there is a value to write.
    """
    dtype = _NAMES.get(array.dtype, array.dtype.name)
    if dtype == "string" and name.endswith(_BYTES_SUFFIX):
        values = iter(array.ravel())
        return lambda depth: _base64_object(next(values), depth)
    texts = _texts(array.ravel(), dtype) if array.size else iter(())
    return lambda depth: next(texts)


def _texts(flat: np.ndarray, dtype: str) -> Iterator[str]:
    if dtype in ("float", "double"):
        return iter(_decimals(flat, 9 if dtype == "float" else 17))
    if dtype in _INTEGERS:
        return map(str, flat.tolist())
    if dtype == "bool":
        return ("true" if value else "false" for value in flat.tolist())
    if dtype == "string":
        return (quoted(_text(value)) for value in flat)
    raise invalid(f"Failed to write JSON value for tensor type: {dtype}")


def _decimals(flat: np.ndarray, digits: int) -> list[str]:
    """Six significant digits where they bring the value back, else as many as its type needs."""
    texts = [f"{value:.6g}" for value in flat.tolist()]
    with np.errstate(over="ignore"):
        is_same = np.array(texts, dtype=np.float64).astype(flat.dtype) == flat
    special = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}
    for index in np.flatnonzero(~is_same):
        if texts[index] not in special:
            texts[index] = f"{float(flat[index]):.{digits}g}"
    # A whole number keeps its point, so that a list of decimals reads as such.
    return [
        special.get(text) or (text if "." in text or "e" in text else text + ".0") for text in texts
    ]


def _text(value: bytes | str) -> str:
    return value if isinstance(value, str) else value.decode("utf-8", "surrogateescape")


def _base64_object(value: bytes | str, depth: int) -> str:
    raw = value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value
    text = base64.b64encode(raw).decode()
    return f'{{{indent(depth + 1)}"b64": "{text}"{indent(depth)}}}'


def encode_status(versions: Sequence[tuple[int, str, str, str]]) -> str:
    """The answer to a status request.

    Args:
        versions: (version, state, canonical code, error text), newest first.
    """
    return _pretty(
        {
            "model_version_status": [
                {
                    "version": str(version),
                    "state": state,
                    "status": {"error_code": code, "error_message": text},
                }
                for version, state, code, text in versions
            ]
        }
    )


def encode_metadata(name: str, version: int, signatures: Mapping[str, Signature]) -> str:
    """The answer to a metadata request: every signature of one version."""
    definitions = {
        key: {
            "inputs": {n: _tensor_info(spec) for n, spec in signature.inputs.items()},
            "outputs": {n: _tensor_info(spec) for n, spec in signature.outputs.items()},
            "method_name": signature.method,
            "defaults": {},
        }
        for key, signature in signatures.items()
    }
    return _pretty(
        {
            "model_spec": {"name": name, "signature_name": "", "version": str(version)},
            "metadata": {"signature_def": {"signature_def": definitions}},
        }
    )


def _tensor_info(spec: TensorSpec) -> dict[str, Any]:
    sizes = spec.shape or ()
    return {
        "dtype": f"DT_{spec.dtype.upper()}",
        "tensor_shape": {
            "dim": [{"size": str(size), "name": ""} for size in sizes],
            "unknown_rank": spec.shape is None,
        },
        "name": spec.name,
    }


def _pretty(document: Any) -> str:
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"
