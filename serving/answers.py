"""Answers to calls, status and metadata as JSON documents with TF Serving's keys."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from serving import jsontext
from serving.documents import (
    Dimension,
    Metadata,
    ModelMetadata,
    ModelSpec,
    ModelStatus,
    SignatureDefinition,
    SignatureMap,
    Status,
    TensorInfo,
    TensorShape,
    VersionStatus,
)
from serving.errors import invalid
from serving.signatures import NUMPY_TYPES, Signature, TensorSpec

_BYTES_SUFFIX = "_bytes"
_NAMES = {np.dtype(kind): name for name, kind in NUMPY_TYPES.items()}
_WITHOUT_JSON = frozenset({"half", "uint16", "complex64", "complex128"})


def encode_predict(outputs: Mapping[str, np.ndarray], is_row: bool) -> bytes:
    """Returns the answer to a predict request.

    Args:
        outputs: At least one array by output name; row format takes the first axis for rows.
        is_row: Row (``predictions``) or columnar (``outputs``) format.

    Raises:
        StatusError: A type that JSON cannot hold, or rows that do not match.
    """
    if not outputs:
        raise invalid("Cannot convert empty tensor map to JSON")
    if is_row:
        _check_rows(outputs)
    values = {name: _values(array, name) for name, array in outputs.items()}
    answer: Any = values
    if len(values) == 1:
        answer = next(iter(values.values()))
    elif is_row:
        answer = [dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True)]
    is_finite = all(np.isfinite(a).all() for a in outputs.values() if a.dtype.kind == "f")
    return jsontext.write({"predictions" if is_row else "outputs": answer}, is_finite=is_finite)


def encode_classify(labels: np.ndarray, scores: np.ndarray) -> bytes:
    """Returns the answer to a classify request.

    Args:
        labels: Labels of the classes, one row per example.
        scores: Their scores, of the same shape.
    """
    results = [
        list(map(list, zip(map(_text, names), _decimals(numbers), strict=True)))
        for names, numbers in zip(labels, scores, strict=True)
    ]
    return jsontext.write({"results": results}, is_finite=bool(np.isfinite(scores).all()))


def encode_regress(values: np.ndarray) -> bytes:
    """Returns the answer to a regress request.

    Args:
        values: One value per example.
    """
    return jsontext.write({"results": values}, is_finite=bool(np.isfinite(values).all()))


def _decimals(values: np.ndarray) -> list[float]:
    """Numbers with as few digits as tell each float32 from its neighbors."""
    found: list[float] = values.astype(str).astype(float).tolist()
    return found


def _check_rows(outputs: Mapping[str, np.ndarray]) -> None:
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


def _values(array: np.ndarray, name: str) -> Any:
    """An array in a form that `jsontext.write` takes.

    Raises:
        StatusError: The type has no JSON form and there is a value to write.
    """
    dtype = _NAMES.get(array.dtype, array.dtype.name)
    if array.size and dtype in _WITHOUT_JSON:
        raise invalid(f"Failed to write JSON value for tensor type: {dtype}")
    if dtype != "string":
        return np.ascontiguousarray(array).reshape(array.shape) if array.size else array.tolist()
    encode = _base64_object if name.endswith(_BYTES_SUFFIX) else _text
    encoded: np.ndarray = np.empty(array.size, object)
    encoded[:] = [encode(value) for value in array.ravel()]
    return encoded.reshape(array.shape).tolist()


def _text(value: bytes | str) -> str:
    return value if isinstance(value, str) else value.decode("utf-8", "surrogateescape")


def _base64_object(value: bytes | str) -> dict[str, str]:
    raw = value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value
    return {"b64": base64.b64encode(raw).decode()}


def encode_status(versions: Sequence[tuple[int, str, str, str]]) -> bytes:
    """Returns the answer to a status request.

    Args:
        versions: (version, state, canonical code, error text), newest first.
    """
    found = tuple(
        VersionStatus(
            version=str(version),
            state=state,
            status=Status(error_code=code, error_message=text),
        )
        for version, state, code, text in versions
    )
    return jsontext.write(msgspec.to_builtins(ModelStatus(model_version_status=found)))


def encode_metadata(name: str, version: int, signatures: Mapping[str, Signature]) -> bytes:
    """Returns the answer to a metadata request: every signature of one version."""
    definitions = {
        key: SignatureDefinition(
            inputs={n: _tensor_info(spec) for n, spec in signature.inputs.items()},
            outputs={n: _tensor_info(spec) for n, spec in signature.outputs.items()},
            method_name=signature.method,
        )
        for key, signature in signatures.items()
    }
    document = ModelMetadata(
        model_spec=ModelSpec(name=name, version=str(version)),
        metadata=Metadata(signature_def=SignatureMap(signature_def=definitions)),
    )
    return jsontext.write(msgspec.to_builtins(document))


def _tensor_info(spec: TensorSpec) -> TensorInfo:
    return TensorInfo(
        dtype=f"DT_{spec.dtype.upper()}",
        tensor_shape=TensorShape(
            dim=tuple(Dimension(size=str(size)) for size in spec.shape or ()),
            unknown_rank=spec.shape is None,
        ),
        name=spec.name,
    )
