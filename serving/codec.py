"""Requests from JSON to numpy and to tf.Example, as TF Serving's json_tensor.cc does it.

Predict requests come in two formats: row (``instances`` → ``predictions``) and columnar (``inputs``
→ ``outputs``). Values are taken in bulk where a whole column has one type; anything else goes
element by element, which also words the errors.
"""

from __future__ import annotations

import base64
import binascii
import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from serving import jsontext
from serving.errors import StatusError, invalid
from serving.jsontext import debug_text, members
from serving.signatures import NUMPY_TYPES, TensorSpec

# What an integer in JSON must fit for a tensor type. Narrow types wrap around, as in TF Serving.
_INT32 = (-(2**31), 2**31 - 1)
INTEGER_RANGES = {
    "int8": _INT32,
    "uint8": _INT32,
    "int16": _INT32,
    "int32": _INT32,
    "int64": (-(2**63), 2**63 - 1),
    "uint32": (0, 2**32 - 1),
    "uint64": (0, 2**64 - 1),
}
MAX_RANK = 32  # numpy's limit
_BASE64 = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")

Inputs = Mapping[str, TensorSpec]
Shape = tuple[int, ...]


@dataclass(frozen=True)
class RequestBody:
    """The body of a request, of which only the signature's name is decoded.

    Attributes:
        signature_name: "" for the default signature.
        document: The whole body.
    """

    signature_name: str
    document: Mapping[str, object]


@dataclass(frozen=True)
class PredictRequest:
    """A decoded predict request.

    Attributes:
        inputs: One array per input, rows first.
        is_row: Whether it came in row format, which is also the answer's.
    """

    inputs: dict[str, np.ndarray]
    is_row: bool


def read_body(body: bytes) -> RequestBody:
    """Reads the body of a request as far as no model is needed.

    TF Serving reports what is wrong here before it looks for the model.

    Args:
        body: The request's body, JSON in UTF-8.

    Raises:
        StatusError: With TF Serving's code and text.
    """
    document = jsontext.read(body)
    if not isinstance(document, dict):
        raise invalid(f"JSON Value: {debug_text(document)} Is not object")
    name = document.get("signature_name", "")
    if not isinstance(name, str):
        raise _format_error(
            document, "not formatted correctly. 'signature_name' key must be a string value."
        )
    return RequestBody(name, document)


def decode_predict(body: RequestBody, specs: Inputs) -> PredictRequest:
    """Decodes the inputs of a predict request.

    Args:
        body: What `read_body` returned.
        specs: The inputs of the signature that the request names.

    Raises:
        StatusError: With TF Serving's code and text.
    """
    if not specs:
        raise invalid(f"Failed to get input map for signature: {body.signature_name or 'DEFAULT'}")
    return _decode_predict(body.document, specs)


def _decode_predict(document: Mapping[str, object], specs: Inputs) -> PredictRequest:
    if "instances" in document:
        if "inputs" in document:
            raise _format_error(
                document,
                "Not formatted correctly expecting only one of 'inputs' or 'instances' keys "
                "to exist ",
            )
        instances = document["instances"]
        if not isinstance(instances, list):
            raise _format_error(document, "Expecting 'instances' to be an list/array")
        if not instances:
            raise _format_error(document, "No values in 'instances' array")
        return PredictRequest(_decode_rows(instances, specs), True)
    if "inputs" in document:
        return PredictRequest(_decode_columns(document["inputs"], specs), False)
    raise invalid("Missing 'inputs' or 'instances' key")


def _format_error(document: Any, problem: str) -> StatusError:
    return invalid(f"JSON Value: {debug_text(document)} {problem}")


def _decode_rows(instances: list[Any], specs: Inputs) -> dict[str, np.ndarray]:
    first = instances[0]
    if not isinstance(first, dict) and len(specs) > 1:
        raise invalid(
            "instances is a plain list, but expecting list of objects as multiple input tensors "
            "required as per tensorinfo_map"
        )
    has_names = _is_named(first)
    columns: dict[str, list[Any]] | None = None
    if not has_names:
        if not any(isinstance(row, dict) for row in instances):
            columns = {next(iter(specs)): instances}
    elif all(type(row) is dict and row.keys() == specs.keys() for row in instances):
        columns = {name: [row[name] for row in instances] for name in specs}
    if columns is not None:
        arrays = {name: _bulk(column, specs[name]) for name, column in columns.items()}
        found = {name: array for name, array in arrays.items() if array is not None}
        if len(found) == len(arrays):
            return found
    return _decode_rows_singly(instances, specs, has_names)


def _decode_rows_singly(
    instances: list[Any], specs: Inputs, has_names: bool
) -> dict[str, np.ndarray]:
    columns: dict[str, _Column] = {}
    expected = set(specs)
    for number, row in enumerate(instances):
        where = f"Failed to process element: {number}"
        if has_names != _is_named(row):
            raise invalid(
                f"Expecting object but got list at item {number} of input list"
                if has_names
                else f"Expecting value/list but got object at item {number} of input list"
            )
        if not has_names:
            try:
                _add_item(columns, next(iter(specs)), row, specs)
            except StatusError as error:
                text = f"{where} of 'instances' list. Error: {error.status_text}"
                raise invalid(text) from error
            continue
        for name, value in members(row):
            try:
                _add_item(columns, name, value, specs)
            except StatusError as error:
                text = f"{where} key: {name} of 'instances' list. Error: {error.status_text}"
                raise invalid(text) from error
        if row.keys() != expected:
            raise invalid(
                f"{where} of 'instances' list. JSON object: {debug_text(row)} keys must be equal "
                f"to: {','.join(sorted(expected))}"
            )
    return {
        name: _array(column.values, specs[name].dtype, (len(instances), *column.shape))
        for name, column in columns.items()
    }


@dataclass
class _Column:
    """Values of one input so far, flat, and the shape that every row must have."""

    shape: Shape
    size: int
    values: list[Any]


def _add_item(columns: dict[str, _Column], name: str, value: Any, specs: Inputs) -> None:
    if name not in specs:
        raise invalid(f"JSON object: does not have named input: {name}")
    shape = _dense_shape(value)
    flat: list[Any] = []
    _fill(value, 0, shape, specs[name].dtype, flat)
    # A repeated key adds its values again; a tensor takes as many as its shape holds.
    column = columns.setdefault(name, _Column(shape, len(flat), []))
    if column.size != len(flat):
        raise invalid(f"Expecting tensor size: {column.size} but got: {len(flat)}")
    if column.shape != shape:
        raise invalid(f"Expecting shape {_shape_text(column.shape)} but got: {_shape_text(shape)}")
    column.values.extend(flat)


def _decode_columns(inputs: Any, specs: Inputs) -> dict[str, np.ndarray]:
    if not _is_named(inputs):
        if len(specs) > 1:
            raise invalid(
                "inputs is a plain value/list, but expecting an object as multiple input tensors "
                "required as per tensorinfo_map"
            )
        name, spec = next(iter(specs.items()))
        return {name: _tensor(inputs, spec)}
    arrays = {}
    for name, spec in specs.items():
        if name not in inputs:
            raise invalid(f"Missing named input: {name} in 'inputs' object.")
        arrays[name] = _tensor(inputs[name], spec)
    return arrays


def _tensor(value: Any, spec: TensorSpec) -> np.ndarray:
    if isinstance(value, list):
        array = _bulk(value, spec)
        if array is not None:
            return array
    shape = _dense_shape(value)
    flat: list[Any] = []
    _fill(value, 0, shape, spec.dtype, flat)
    return _array(flat, spec.dtype, shape)


def _bulk(values: list[Any], spec: TensorSpec) -> np.ndarray | None:
    """An array of a list whose values all fit, or None where a closer look is needed."""
    shape: list[int] = [len(values)]
    while values and isinstance(values[0], list):
        width = len(values[0])
        if not all(isinstance(v, list) and len(v) == width for v in values):
            return None
        shape.append(width)
        values = list(itertools.chain.from_iterable(values))
    if not _is_uniform(values, spec.dtype):
        return None
    if spec.dtype == "string":
        values = [v.encode("utf-8", "surrogateescape") for v in values]
    return _array(values, spec.dtype, tuple(shape))


def _is_uniform(values: list[Any], dtype: str) -> bool:
    kinds = set(map(type, values))
    if dtype in ("float", "double"):
        return kinds <= {int, float}
    if dtype in INTEGER_RANGES:
        low, high = INTEGER_RANGES[dtype]
        return kinds <= {int} and (not values or (low <= min(values) and max(values) <= high))
    return kinds <= {str} if dtype == "string" else kinds <= {bool} if dtype == "bool" else False


def flat_array(column: Sequence[Any], dtype: str) -> np.ndarray:
    """Returns a column of values that fit a tensor's type as an array of one axis.

    Args:
        column: Numbers, flags or texts.
        dtype: TensorFlow's name of the type.
    """
    if dtype == "string":
        column = [value.encode("utf-8", "surrogateescape") for value in column]
    return _array(column, dtype, (len(column),))


def _array(flat: Sequence[Any], dtype: str, shape: Shape) -> np.ndarray:
    """A flat list of values that fit, as an array of the tensor's type."""
    _refuse_rank(len(shape))
    flat = flat[: math.prod(shape)]
    array: np.ndarray
    if dtype == "string":
        array = np.empty(len(flat), dtype=object)
        array[:] = flat
    elif dtype in ("float", "double"):
        with np.errstate(over="ignore"):  # beyond float32 is infinity, as in TF Serving
            array = np.array(flat, dtype=np.float64).astype(NUMPY_TYPES[dtype])
    elif dtype in INTEGER_RANGES:
        wide = np.uint64 if dtype == "uint64" else np.int64
        array = np.array(flat, dtype=wide).astype(NUMPY_TYPES[dtype])
    else:
        array = np.array(flat, dtype=NUMPY_TYPES[dtype])
    return array.reshape(shape)


def _refuse_rank(rank: int) -> None:
    if rank > MAX_RANK:
        raise invalid(f"A tensor of rank {rank} is beyond what this server takes: {MAX_RANK}")


def _is_base64(value: Any) -> bool:
    # A second "b64" makes it two members, and no base64.
    return type(value) is dict and len(value) == 1 and isinstance(value.get("b64"), str)


def _is_named(value: Any) -> bool:
    return isinstance(value, dict) and not _is_base64(value)


def _dense_shape(value: Any) -> Shape:
    shape: list[int] = []
    while isinstance(value, list):
        shape.append(len(value))
        if not value:
            break
        value = value[0]
    _refuse_rank(len(shape))
    return tuple(shape)


def _shape_text(shape: Shape) -> str:
    return f"[{','.join(map(str, shape))}]"


def _fill(value: Any, level: int, shape: Shape, dtype: str, flat: list[Any]) -> None:
    """Appends the leaves of ``value`` to ``flat``; every list must be as long as ``shape`` says."""
    if not isinstance(value, list):
        if level != len(shape):
            raise invalid(
                f"JSON Value: {debug_text(value)} found at incorrect level: {level + 1} in the "
                f"JSON DOM. Expected at level: {len(shape)}"
            )
        flat.append(_leaf(value, dtype))
        return
    if level >= len(shape):
        raise invalid(f"Encountered list at unexpected level: {level} expected < {len(shape)}")
    if len(value) != shape[level]:
        raise invalid(
            f"Encountered list at unexpected size: {len(value)} at level: {level} expected size: "
            f"{shape[level]}"
        )
    for element in value:
        _fill(element, level + 1, shape, dtype, flat)


def _leaf(value: Any, dtype: str) -> Any:
    if isinstance(value, dict):
        if dtype != "string":
            raise _type_error(value, dtype)
        if not _is_base64(value):
            raise invalid(
                f"JSON Value: {debug_text(value)} not formatted correctly for base64 data"
            )
        return _unescaped(value["b64"])
    if dtype not in ("float", "double", "string", "bool", *INTEGER_RANGES):
        raise StatusError(
            "UNIMPLEMENTED", f"Conversion of JSON Value: {debug_text(value)} to type: {dtype}"
        )
    if not _is_uniform([value], dtype):
        raise _type_error(value, dtype)
    return value.encode("utf-8", "surrogateescape") if dtype == "string" else value


def _type_error(value: Any, dtype: str) -> StatusError:
    return invalid(
        f"JSON Value: {debug_text(value)} Type: {_type_name(value)} is not of expected type: "
        f"{dtype}"
    )


def _type_name(value: Any) -> str:
    """RapidJSON's name of a value's type; true and false have one each."""
    names = {type(None): "Null", str: "String", list: "Array", bool: str(value)}
    return "Object" if isinstance(value, dict) else names.get(type(value), "Number")


def _unescaped(text: str) -> bytes:
    """Base64 as absl reads it: white space anywhere, padding left out or complete."""
    raw = "".join(text.split()).encode("utf-8", "surrogateescape")
    bare = raw.rstrip(b"=.")
    padding = len(raw) - len(bare)
    if not _BASE64.issuperset(bare) or len(bare) % 4 == 1 or padding not in (0, -len(bare) % 4):
        raise invalid("Unable to base64 decode")
    try:
        return base64.b64decode(bare + b"=" * (-len(bare) % 4))
    except binascii.Error as error:
        raise invalid("Unable to base64 decode") from error


def decode_examples(body: RequestBody) -> list[bytes]:
    """Decodes the examples of a classify or regress request.

    Args:
        body: What `read_body` returned.

    Returns:
        One serialized ``tf.Example`` per example, each with the features of the context in front.

    Raises:
        StatusError: With TF Serving's code and text.
    """
    document = body.document
    context = _example(document["context"]) if "context" in document else b""
    if "examples" not in document:
        raise _format_error(
            document, "When method is classify, key 'examples' is expected and was not found"
        )
    examples = document["examples"]
    if not isinstance(examples, list):
        raise _format_error(document, "Expecting 'examples' value to be an list/array")
    if not examples:
        raise _format_error(document, "'examples' value is an empty array")
    return [context + _example(example) for example in examples]


def _example(value: Any) -> bytes:
    if not isinstance(value, dict):
        raise invalid(f"Example must be JSON object but got JSON {_type_name(value)}")
    # Of a repeated name the last feature stays, after all of them have been looked at.
    features = {name: _feature(name, content) for name, content in members(value)}
    entries = [
        _field(1, _field(1, name.encode("utf-8", "surrogateescape")) + _field(2, feature))
        for name, feature in features.items()
    ]
    return _field(1, b"".join(entries)) if entries else b""


def _feature(name: str, content: Any) -> bytes:
    """A serialized ``tf.train.Feature``: bytes, floats or integers, as its first value decides."""
    values = content if isinstance(content, list) else [content]
    kind = ""
    for value in values:
        found = _feature_kind(name, value)
        if kind and found != kind:
            raise invalid(f"Unexpected element type in feature: {name} expecting type: {kind}")
        kind = found
        if kind == "int64" and value > INTEGER_RANGES["int64"][1]:
            raise invalid(f"Feature: {name} has uint64_t element. Only int64_t is supported.")
    if kind == "bytes":
        texts = [
            _unescaped(v["b64"]) if isinstance(v, dict) else v.encode("utf-8", "surrogateescape")
            for v in values
        ]
        return _field(1, b"".join(_field(1, text) for text in texts))
    if kind == "float":
        with np.errstate(over="ignore"):
            packed = np.array(values, dtype=np.float64).astype("<f4").tobytes()
        return _field(2, _field(1, packed))
    if kind == "int64":
        return _field(3, _field(1, b"".join(_varint(int(v) & (2**64 - 1)) for v in values)))
    return b""


def _feature_kind(name: str, value: Any) -> str:
    if isinstance(value, str) or _is_base64(value):
        return "bytes"
    if value is None or isinstance(value, list | dict):
        raise invalid(f"Feature: {name} has element with unexpected JSON type: {_type_name(value)}")
    # RapidJSON reads an integer beyond 64 bits as a double.
    return "int64" if isinstance(value, int) and -(2**63) <= value < 2**64 else "float"


def _field(number: int, payload: bytes) -> bytes:
    """One field of a protobuf message that holds bytes, such as a text or another message."""
    return bytes([number << 3 | 2]) + _varint(len(payload)) + payload


def _varint(value: int) -> bytes:
    if value < 0x80:
        return bytes([value])
    groups = bytearray()
    while value >= 0x80:
        groups.append(value & 0x7F | 0x80)
        value >>= 7
    groups.append(value)
    return bytes(groups)
