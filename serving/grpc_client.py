"""Calls of TF Serving's gRPC API, without TensorFlow: its messages are built from field numbers.

Imports gRPC: nothing imports this module before a ``grpc://`` URL is asked for. Answers have the
form of the REST API's row format, so that both ways give the same.
"""

from __future__ import annotations

import base64
import math
import struct
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import grpc

from goldlake_core.contracts.errors import InstanceError, UsageError
from goldlake_core.contracts.names import nearest
from serving.calls import (
    DEFAULT_SIGNATURE,
    MAX_ANSWER_BYTES,
    Asked,
    InputSpec,
    ServerBusy,
    ServerRefused,
    no_answer,
    no_signature,
)
from serving.errors import CODES
from serving.messages import message_classes
from serving.rest_client import jsonable

# A map is a list of entries on the wire, and an enumeration is a number.
_MESSAGES = {
    "Version": ("int64 value = 1",),
    "ModelSpec": (
        "string name = 1",
        "Version version = 2",
        "string signature_name = 3",
        "string version_label = 4",
    ),
    "Dim": ("int64 size = 1", "string name = 2"),
    "Shape": ("repeated Dim dim = 2", "bool unknown_rank = 3"),
    "Tensor": (
        "int32 dtype = 1",
        "Shape tensor_shape = 2",
        "bytes tensor_content = 4",
        "repeated float float_val = 5",
        "repeated double double_val = 6",
        "repeated int32 int_val = 7",
        "repeated bytes string_val = 8",
        "repeated int64 int64_val = 10",
        "repeated bool bool_val = 11",
        "repeated uint32 uint32_val = 16",
        "repeated uint64 uint64_val = 17",
    ),
    "TensorEntry": ("string key = 1", "Tensor value = 2"),
    "PredictRequest": ("ModelSpec model_spec = 1", "repeated TensorEntry inputs = 2"),
    "PredictResponse": ("repeated TensorEntry outputs = 1", "ModelSpec model_spec = 2"),
    "Status": ("int32 error_code = 1", "string error_message = 2"),
    "VersionStatus": ("int64 version = 1", "int32 state = 2", "Status status = 3"),
    "StatusRequest": ("ModelSpec model_spec = 1",),
    "StatusResponse": ("repeated VersionStatus model_version_status = 1",),
    "TensorInfo": ("string name = 1", "int32 dtype = 2"),
    "InfoEntry": ("string key = 1", "TensorInfo value = 2"),
    "Signature": ("repeated InfoEntry inputs = 1",),
    "SignatureEntry": ("string key = 1", "Signature value = 2"),
    "Signatures": ("repeated SignatureEntry signature_def = 1",),
    "Any": ("string type_url = 1", "bytes value = 2"),
    "AnyEntry": ("string key = 1", "Any value = 2"),
    "MetadataRequest": ("ModelSpec model_spec = 1", "repeated string metadata_field = 2"),
    "MetadataResponse": ("ModelSpec model_spec = 1", "repeated AnyEntry metadata = 2"),
}
_STATES = {0: "UNKNOWN", 10: "START", 20: "LOADING", 30: "AVAILABLE", 40: "UNLOADING", 50: "END"}
# TensorFlow's number of a type -> its name, and the field that has the values.
_TYPES = {
    1: ("float", "float_val"),
    2: ("double", "double_val"),
    3: ("int32", "int_val"),
    4: ("uint8", "int_val"),
    5: ("int16", "int_val"),
    6: ("int8", "int_val"),
    7: ("string", "string_val"),
    9: ("int64", "int64_val"),
    10: ("bool", "bool_val"),
    22: ("uint32", "uint32_val"),
    23: ("uint64", "uint64_val"),
}
_NUMBERS = {name: number for number, (name, _) in _TYPES.items()}
_FLOAT32 = struct.Struct("<f")
_FLOAT32_MAX = 3.4028234663852886e38
_PREDICTION, _MODEL = "PredictionService", "ModelService"


class GrpcTransport:
    """A `serving.calls.Transport` over gRPC.

    Args:
        url: Such as ``grpc://127.0.0.1:8500``; ``grpcs://`` is the same over TLS.
        token: Bearer token to send, or "".
        ca_file: File of certificates to trust in place of the system's, or None.

    Raises:
        UsageError: The URL names no host and port, or the file cannot be read.
    """

    def __init__(self, url: str, *, token: str = "", ca_file: str | None = None) -> None:
        parts = urlsplit(url)
        if not parts.hostname or not parts.port:
            raise UsageError(f"{url!r} cannot be asked", valid="grpc://HOST:PORT")
        self.url = url.rstrip("/")
        self._classes = message_classes("goldlake.client", _MESSAGES)
        options = [
            ("grpc.max_receive_message_length", MAX_ANSWER_BYTES),
            ("grpc.max_send_message_length", -1),
            # `serving.calls.retried` decides about further attempts.
            ("grpc.enable_retries", 0),
        ]
        if parts.scheme == "grpcs":
            credentials = grpc.ssl_channel_credentials(_certificates(ca_file))
            self._channel = grpc.secure_channel(parts.netloc, credentials, options)
        else:
            self._channel = grpc.insecure_channel(parts.netloc, options)
        self._token = token
        self._inputs: dict[tuple[Any, ...], tuple[InputSpec, ...]] = {}
        self._guard = threading.Lock()

    def predict(self, asked: Asked, rows: Sequence[Any], timeout_s: float) -> list[Any]:
        """See `serving.calls.Transport.predict`.

        Raises:
            InstanceError: A row does not have the inputs of the signature, or a value has another
                type.
        """
        request = self._classes["PredictRequest"]()
        self._fill(request.model_spec, asked)
        specs = self.inputs(asked, timeout_s)
        for spec, values in zip(specs, _columns(specs, rows), strict=True):
            entry = request.inputs.add(key=spec.name)
            _fill_tensor(entry.value, spec, values)
        method = "Predict"
        response = self._call(_PREDICTION, method, request, "PredictResponse", asked, timeout_s)
        return self._predictions(response, len(rows))

    def inputs(self, asked: Asked, timeout_s: float) -> tuple[InputSpec, ...]:
        """See `serving.calls.Transport.inputs`; the server is asked once for each signature."""
        key = (asked.model, asked.version, asked.label, asked.signature_name)
        with self._guard:
            known = self._inputs.get(key)
        if known is not None:
            return known
        request = self._classes["MetadataRequest"](metadata_field=["signature_def"])
        self._fill(request.model_spec, asked)
        method = "GetModelMetadata"
        response = self._call(_PREDICTION, method, request, "MetadataResponse", asked, timeout_s)
        signatures = {
            entry.key: entry.value
            for packed in response.metadata
            for entry in self._classes["Signatures"].FromString(packed.value.value).signature_def
        }
        name = asked.signature_name or DEFAULT_SIGNATURE
        if name not in signatures:
            raise no_signature(asked, signatures, self._address(_PREDICTION, method))
        found = tuple(
            InputSpec(entry.key, _TYPES[entry.value.dtype][0])
            for entry in signatures[name].inputs
            if entry.value.dtype in _TYPES
        )
        with self._guard:
            self._inputs[key] = found
        return found

    def states(self, model: str, timeout_s: float) -> dict[int, tuple[str, str]]:
        """See `serving.calls.Transport.states`."""
        asked = Asked(model)
        request = self._classes["StatusRequest"]()
        self._fill(request.model_spec, asked)
        method = "GetModelStatus"
        response = self._call(_MODEL, method, request, "StatusResponse", asked, timeout_s)
        return {
            found.version: (_STATES.get(found.state, "UNKNOWN"), found.status.error_message)
            for found in response.model_version_status
        }

    def close(self) -> None:
        """Closes every connection."""
        self._channel.close()

    def _fill(self, spec: Any, asked: Asked) -> None:
        spec.name = asked.model
        spec.signature_name = asked.signature_name or ""
        if asked.label is not None:
            spec.version_label = asked.label
        elif asked.version is not None:
            spec.version.value = asked.version

    def _call(
        self, service: str, method: str, request: Any, answer: str, asked: Asked, timeout_s: float
    ) -> Any:
        call = self._channel.unary_unary(
            f"/tensorflow.serving.{service}/{method}",
            request_serializer=type(request).SerializeToString,
            response_deserializer=self._classes[answer].FromString,
        )
        metadata = [(name.lower(), value) for name, value in asked.headers.items()]
        if self._token:
            metadata.append(("authorization", f"Bearer {self._token}"))
        try:
            return call(request, timeout=timeout_s, metadata=metadata)
        except grpc.RpcError as error:
            raise self._failure(error, self._address(service, method), timeout_s) from error

    def _address(self, service: str, method: str) -> str:
        return f"{self.url}/tensorflow.serving.{service}/{method}"

    def _failure(self, error: Any, address: str, timeout_s: float) -> Exception:
        code, text = error.code().name, error.details() or ""
        if code == "DEADLINE_EXCEEDED":
            return no_answer(address, f"it took more than {timeout_s:.3g} s")
        if code == "UNAVAILABLE":
            if "connect" in text or "Socket closed" in text or "reset" in text:
                return no_answer(address, text)
            return ServerBusy(address, CODES[code][1], text)
        return ServerRefused(address, CODES.get(code, (0, 500))[1], text)

    def _predictions(self, response: Any, count: int) -> list[Any]:
        outputs = {entry.key: _values(entry.key, entry.value) for entry in response.outputs}
        for name, values in outputs.items():
            if not isinstance(values, list) or len(values) != count:
                size = len(values) if isinstance(values, list) else "one value"
                text = f"the output {name!r} has {size} for {count} rows"
                raise ServerRefused(self._address(_PREDICTION, "Predict"), 200, text)
        if len(outputs) == 1:
            return list(next(iter(outputs.values())))
        names = sorted(outputs)
        columns = (outputs[name] for name in names)
        return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def _columns(specs: Sequence[InputSpec], rows: Sequence[Any]) -> list[list[Any]]:
    """The values of each input; a plain row is the value of the only one."""
    names = [spec.name for spec in specs]
    for index, row in enumerate(rows):
        if not isinstance(row, Mapping):
            if len(names) == 1:
                continue
            raise InstanceError("expected an object of inputs", index=index, valid=", ".join(names))
        if row.keys() != set(names):
            for name in row:
                if name not in names:
                    raise InstanceError(
                        "the signature has no such input",
                        index=index,
                        key=str(name),
                        valid=nearest(str(name), names),
                    )
            missing = [name for name in names if name not in row]
            raise InstanceError("the value is missing", index=index, key=missing[0])
    return [[row[n] if isinstance(row, Mapping) else row for row in rows] for n in names]


def _fill_tensor(tensor: Any, spec: InputSpec, rows: list[Any]) -> None:
    """Writes a column as a tensor; every row has the shape of the first one."""
    tensor.dtype = _NUMBERS[spec.dtype]
    shape: list[int] = []
    value = rows[0] if rows else None
    while isinstance(value, list | tuple):
        shape.append(len(value))
        value = value[0] if value else None
    tensor.tensor_shape.SetInParent()
    for size in (len(rows), *shape):
        tensor.tensor_shape.dim.add(size=size)
    field = getattr(tensor, _TYPES[tensor.dtype][1])
    kinds = _KINDS[_TYPES[tensor.dtype][1]]
    for index, row in enumerate(rows):
        try:
            flat = _flat(row, shape)
            if spec.dtype == "string":
                flat = [_bytes(each) for each in flat]
            if not all(type(each) in kinds for each in flat):
                raise TypeError
            field.extend(flat)
        except (TypeError, ValueError, UnicodeEncodeError) as error:
            of_shape = f" of the shape {shape}" if shape else ""
            raise InstanceError(
                f"expected {spec.dtype}{of_shape}, got {repr(row)[:60]}",
                index=index,
                key=spec.name,
            ) from error


_KINDS: Mapping[str, tuple[type, ...]] = {
    "float_val": (int, float),
    "double_val": (int, float),
    "string_val": (bytes,),
    "bool_val": (bool,),
    "int_val": (int,),
    "int64_val": (int,),
    "uint32_val": (int,),
    "uint64_val": (int,),
}


def _bytes(value: Any) -> Any:
    if isinstance(value, dict) and value.keys() == {"b64"}:
        return base64.b64decode(value["b64"], validate=True)
    return value.encode() if isinstance(value, str) else value


def _flat(value: Any, shape: Sequence[int]) -> list[Any]:
    """The leaves of nested lists; raises TypeError where these have another shape."""
    level = [value]
    for size in shape:
        if not all(isinstance(each, list | tuple) and len(each) == size for each in level):
            raise TypeError
        level = [inner for each in level for inner in each]
    return level


def _values(name: str, tensor: Any) -> Any:
    """A tensor as nested lists, with values as the REST API has them."""
    if tensor.dtype not in _TYPES:
        text = f"the output {name!r} has the type {tensor.dtype}, which REST cannot carry either"
        raise ServerRefused("the server", 200, text)
    dtype, field = _TYPES[tensor.dtype]
    shape = [dim.size for dim in tensor.tensor_shape.dim]
    flat = list(getattr(tensor, field))
    size = math.prod(shape)
    if tensor.tensor_content:
        flat = _unpacked(dtype, tensor.tensor_content)
    if len(flat) < size and flat:
        # One value for all, or the last one repeated: how protobuf tensors may be shortened.
        flat += [flat[-1]] * (size - len(flat))
    flat = list(map(_shown(name, dtype), flat))
    for width in reversed(shape[1:]):
        flat = [flat[start : start + width] for start in range(0, len(flat), width or 1)]
    return flat if shape else flat[0]


def _shown(name: str, dtype: str) -> Callable[[Any], Any]:
    if dtype == "float":
        return _shortest
    if dtype == "string":
        if name.endswith("_bytes"):
            return jsonable
        return lambda value: value.decode("utf-8", "replace")
    return lambda value: value


def _shortest(value: float) -> float:
    """A float32 with as few digits as tell it from its neighbors, as REST answers it."""
    for digits in (6, 7, 8):
        short = float(f"{value:.{digits}g}")
        if abs(short) <= _FLOAT32_MAX and _FLOAT32.unpack(_FLOAT32.pack(short))[0] == value:
            return short
    return float(f"{value:.9g}")


def _unpacked(dtype: str, content: bytes) -> list[Any]:
    import array

    kinds = {
        "float": "f",
        "double": "d",
        "int32": "i",
        "uint8": "B",
        "int16": "h",
        "int8": "b",
        "int64": "q",
        "uint32": "I",
        "uint64": "Q",
        "bool": "B",
    }
    values = array.array(kinds[dtype], content).tolist()
    return [bool(value) for value in values] if dtype == "bool" else values


def _certificates(ca_file: str | None) -> bytes | None:
    if ca_file is None:
        return None
    try:
        with open(ca_file, "rb") as file:
            return file.read()
    except OSError as error:
        raise UsageError(f"{ca_file} cannot be read: {error.strerror}") from error
