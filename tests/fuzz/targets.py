"""What any bytes are given to, and what must hold whatever they are.

Each target takes bytes and raises AssertionError, or any error that the server would not expect.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, cast

import numpy as np

from serving import codec
from serving.errors import StatusError
from serving.http1 import Answer, HttpServer, Request, Respond, _Connection
from serving.limits import Limits
from serving.plans import Plan
from serving.signatures import Signature, TensorSpec

_TYPES = ("float", "string", "int64", "bool", "uint8", "double")
_ROWS = TensorSpec("y:0", "float", (-1,))


def _plan(*dtypes: str) -> Plan:
    inputs = {f"{'abc'[i]}": TensorSpec(f"{i}:0", dtype, (-1,)) for i, dtype in enumerate(dtypes)}
    return Plan("serving_default", Signature("", inputs, {"y": _ROWS}))


PLANS = [*map(_plan, _TYPES), _plan("float", "string"), _plan("int64", "bool", "string")]


def body(data: bytes) -> None:
    """A request's body is read, or refused in TF Serving's words; a plan decodes as its codec."""
    try:
        read = codec.read_body(data)
    except StatusError:
        return
    try:
        examples = codec.decode_examples(read)
    except StatusError:
        pass
    else:
        assert examples
    for plan in PLANS:
        try:
            found = codec.decode_predict(read, plan.signature.inputs)
        except StatusError:
            assert plan.columns(read.document) is None
            continue
        columns = plan.columns(read.document)
        if columns is not None:
            assert found.is_row
            for name, array in plan.arrays([columns]).items():
                np.testing.assert_array_equal(array, found.inputs[name])
                assert array.dtype == found.inputs[name].dtype


LIMITS = Limits(
    max_body_bytes=500,
    max_held_bytes=1_000,
    max_target_bytes=100,
    max_head_bytes=400,
    max_headers=10,
    max_pipelined=3,
)
_HEAD = re.compile(rb"HTTP/1\.1 (\d{3}) [^\r\n]+\r\n((?:[^\r\n:]+: [^\r\n]*\r\n)*)\r\n", re.DOTALL)
_LENGTH = re.compile(rb"content-length: (\d+)\r\n")


class _Loop:
    """As much of an event loop as a connection asks for."""

    def time(self) -> float:
        return 0.0


class _Transport:
    """Keeps what is written."""

    def __init__(self) -> None:
        self.written = b""
        self.is_ended = False

    def write(self, data: bytes) -> None:
        assert not self.is_ended
        self.written += data

    def close(self) -> None:
        self.is_ended = True

    abort = write_eof = close

    def is_closing(self) -> bool:
        return self.is_ended

    def is_reading(self) -> bool:
        return True

    def can_write_eof(self) -> bool:
        return True

    def get_extra_info(self, name: str) -> None:
        return None

    def set_write_buffer_limits(self, high: int) -> None:
        pass

    def pause_reading(self) -> None:
        pass

    resume_reading = pause_reading


def http(data: bytes) -> None:
    """Bytes on a connection get whole answers of known status, and leave nothing behind.

    The first byte says in pieces of which size the others come.
    """
    if not data:
        return
    requests: list[Request] = []

    def application(request: Request, respond: Respond) -> None:
        requests.append(request)
        respond(Answer(200, request.body))

    server = HttpServer(application, LIMITS, lambda method, target, headers: None)
    connection = _Connection(server, cast(Any, _Loop()))
    transport = _Transport()
    connection.connection_made(cast(Any, transport))
    size = data[0] + 1
    for start in range(1, len(data), size):
        if transport.is_ended:
            break
        piece = data[start : start + size]
        connection.get_buffer(-1)[: len(piece)] = piece
        connection.buffer_updated(len(piece))
    if not transport.is_ended:
        connection.eof_received()
    connection.connection_lost(None)
    assert server.held_bytes == 0
    assert not server.connections
    _check(transport.written, requests)


def _check(written: bytes, requests: list[Request]) -> None:
    """Every answer is whole; each request that was handed over has one of status 200."""
    answered = iter(requests)
    while written:
        head = _HEAD.match(written)
        assert head is not None, written
        written, status = written[head.end() :], int(head[1])
        if status == 100:
            continue
        assert status == 200 or 400 <= status < 500 or status == 503, status
        length = _LENGTH.search(head[2])
        assert length is not None
        request = next(answered) if status == 200 else None
        size = 0 if request is not None and request.method == "HEAD" else int(length[1])
        assert len(written) >= size
        if request is not None:
            assert written[:size] == request.body[:size]
            assert len(request.body) <= LIMITS.max_body_bytes
            assert len(request.target) <= LIMITS.max_target_bytes + 1
            assert len(request.headers) <= LIMITS.max_headers
        written = written[size:]
    assert next(answered, None) is None


TARGETS: dict[str, Callable[[bytes], None]] = {"body": body, "http": http}
