"""TF Serving's REST API as a plain ASGI application: finds the route, decodes, asks, encodes."""

from __future__ import annotations

import asyncio
import logging
import re
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from urllib.parse import unquote_to_bytes

from goldlake_core.asgi import Receive, Scope, Send
from serving import answers, codec, inference, jsontext
from serving.dataplane import DataPlane, ModelSpec
from serving.errors import StatusError, invalid

log = logging.getLogger("serving")

# As in TF Serving's http_rest_api_util.cc.
_API = re.compile(r"/v1/.*", re.IGNORECASE | re.DOTALL)
_WHICH = r"(?:/versions/(?P<version>[0-9]+)|/labels/(?P<label>[^/:]+))?"
_CALL = re.compile(
    rf"/v1/models/(?P<name>[^/:]+){_WHICH}:(?P<verb>classify|regress|predict)", re.IGNORECASE
)
_LOOK = re.compile(
    rf"/v1/models(?:/(?P<name>[^/:]+))?{_WHICH}(?:/(?P<verb>metadata))?", re.IGNORECASE
)
_MAX_VERSION = 2**63 - 1
_CORS_HEADERS = (
    (b"access-control-allow-origin", b"*"),
    (b"access-control-allow-methods", b"POST, GET"),
    (b"access-control-allow-headers", b"Content-Type"),
)

Handler = Callable[[DataPlane, ModelSpec, bytes], bytes]
Header = tuple[bytes, bytes]


@dataclass(frozen=True)
class Answer:
    """A whole HTTP answer.

    Attributes:
        status: Status code of the HTTP answer.
        body: JSON, or what `content_type` says.
        content_type: Value of the header ``Content-Type``.
        request_id: Value of the header ``X-Request-Id``, or "" for none.
    """

    status: int
    body: bytes
    content_type: str = "application/json"
    request_id: str = ""


_NOT_FOUND = Answer(404, b"<html><body><h1>Not Found</h1></body></html>\n", "text/html")


def predict(plane: DataPlane, spec: ModelSpec, body: bytes) -> bytes:
    """Answers ``:predict`` in row or columnar format."""
    read = codec.read_body(body)
    with plane.use(spec) as version:
        request = codec.decode_predict(read, version.signature(read.signature_name).inputs)
        outputs = version.predict(read.signature_name, request.inputs)
    return answers.encode_predict(outputs, request.is_row)


def classify(plane: DataPlane, spec: ModelSpec, body: bytes) -> bytes:
    """Answers ``:classify``."""
    read = codec.read_body(body)
    examples = codec.decode_examples(read)
    with plane.use(spec) as version:
        found = inference.classify(version, read.signature_name, examples)
    return answers.encode_classify(found.labels, found.scores)


def regress(plane: DataPlane, spec: ModelSpec, body: bytes) -> bytes:
    """Answers ``:regress``."""
    read = codec.read_body(body)
    examples = codec.decode_examples(read)
    with plane.use(spec) as version:
        found = inference.regress(version, read.signature_name, examples)
    return answers.encode_regress(found)


def status(plane: DataPlane, spec: ModelSpec, body: bytes) -> bytes:
    """Answers a request for the states of a model's versions."""
    return answers.encode_status(
        [(v.version, v.state.value, v.code, v.text) for v in plane.status(spec)]
    )


def metadata(plane: DataPlane, spec: ModelSpec, body: bytes) -> bytes:
    """Answers a request for a model's signatures."""
    with plane.use(spec) as version:
        return answers.encode_metadata(spec.name, version.number, version.servable.signatures)


CALLS: dict[str, Handler] = {"classify": classify, "predict": predict, "regress": regress}
LOOKS: dict[str, Handler] = {"": status, "metadata": metadata}


def answer(
    plane: DataPlane,
    method: str,
    target: str,
    body: bytes,
    header: Callable[[str], str | None] = lambda name: None,
) -> Answer:
    """Answers one request and counts it.

    Args:
        plane: The models that are served.
        method: HTTP method in capitals.
        target: Path as it was sent, with its query if it has one: TF Serving does not split them.
        body: Request body, no longer compressed.
        header: Returns a header by its name in lower case.
    """
    if not _API.fullmatch(target):
        return _NOT_FOUND
    started = time.perf_counter()
    name, verb, code = "", "", "OK"
    exchange = None
    try:
        handler, verb, spec = _route(method, target)
        name = spec.name
        if plane.observer is not None and method == "POST" and plane.knows(name):
            exchange = plane.observer.begin(name, spec.label, "REST", header)
            spec = replace(spec, exchange=exchange)
        found = Answer(200, handler(plane, spec, body))
    except StatusError as error:
        code = error.code
        # TF Serving fails on a bad version before it has a body to write the message into.
        text = b"" if isinstance(error, _BadVersion) else _error_document(error.text)
        found = Answer(error.http_status, text)
    except Exception as error:  # a fault of this server; the next request may well succeed
        log.exception("%s %s failed", method, target)
        code = "INTERNAL"
        text = _error_document(f"Internal error: {type(error).__name__}: {error}")
        found = Answer(500, text)
    # Any client can make up names; only those of models are kept.
    name = name if plane.knows(name) else ""
    seconds = time.perf_counter() - started
    plane.metrics.answered(name, verb, "REST", code, seconds)
    if exchange is not None:
        exchange.ended(code, seconds, len(body))
        found = replace(found, request_id=exchange.request_id)
    return found


class _BadVersion(StatusError):
    """The version in the path does not fit a 64-bit integer."""


def _route(method: str, target: str) -> tuple[Handler, str, ModelSpec]:
    routes = {"POST": (_CALL, CALLS), "GET": (_LOOK, LOOKS)}
    pattern, handlers = routes.get(method, (None, {}))
    found = pattern.fullmatch(target) if pattern else None
    if found is None:
        raise invalid(f"Malformed request: {method} {target}")
    version = found["version"]
    if version is not None and int(version) > _MAX_VERSION:
        raise _BadVersion("INVALID_ARGUMENT", f"Failed to convert version: {version} to numeric.")
    # Verbs are matched in any case and called in lower case only, as in TF Serving.
    verb = found["verb"] or ""
    if method == "GET" and verb not in handlers:
        verb = ""
    if verb not in handlers:
        raise invalid(f"Malformed request: {method} {target}")
    if not found["name"]:
        raise invalid("Missing model name in request.")
    label = _decoded(found["label"]) if found["label"] else None
    spec = ModelSpec(_decoded(found["name"]), int(version) if version else None, label)
    return handlers[verb], verb if method == "POST" else "", spec


def _decoded(text: str) -> str:
    return unquote_to_bytes(text).decode("utf-8", "surrogateescape")


class RestApp:
    """The ASGI application.

    Args:
        plane: The models that are served.
        executor: Threads in which requests are decoded, computed and encoded.
        max_body_bytes: Largest request body, also after decompression; larger ones get 413.
        has_cors: Whether answers tell browsers that pages from anywhere may read them.
        metrics_path: Path that answers with the metrics, or None for no such path.
    """

    def __init__(
        self,
        plane: DataPlane,
        executor: Executor,
        max_body_bytes: int,
        *,
        has_cors: bool = False,
        metrics_path: str | None = None,
    ) -> None:
        self._plane = plane
        self._executor = executor
        self._max_body_bytes = max_body_bytes
        self._has_cors = has_cors
        self._metrics_path = metrics_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one HTTP request."""
        if scope["type"] != "http":
            raise RuntimeError(f"No answer to a connection of type {scope['type']!r}")
        target = scope["raw_path"].decode("latin-1")
        path = target
        if scope["query_string"]:
            target += "?" + scope["query_string"].decode("latin-1")
        if self._metrics_path is not None and path == self._metrics_path:
            page = self._plane.metrics.page().encode("utf-8", "replace")
            await _send(send, Answer(200, page, "text/plain"))
            return
        found = await self._found(scope["method"], target, dict(scope["headers"]), receive)
        is_api = _API.fullmatch(target) is not None
        await _send(send, found, _CORS_HEADERS if self._has_cors and is_api else ())

    async def _found(
        self, method: str, target: str, headers: Mapping[bytes, bytes], receive: Receive
    ) -> Answer:
        body = await self._body(headers, receive)
        if body is None:
            problem = f"Request body is larger than {self._max_body_bytes} bytes"
            return Answer(413, _error_document(problem))
        if method == "OPTIONS":
            if not _API.fullmatch(target):
                return _NOT_FOUND
            # TF Serving gives the bare status of a preflight request.
            is_browser = re.search(rb"https?://", headers.get(b"origin", b"")) is not None
            code = "OK" if is_browser else "FAILED_PRECONDITION"
            self._plane.metrics.answered("", "", "REST", code, 0)
            return Answer(200 if is_browser else 400, b"", "text/plain")
        return await asyncio.get_running_loop().run_in_executor(
            self._executor, self._answer, headers, method, target, body
        )

    async def _body(self, headers: Mapping[bytes, bytes], receive: Receive) -> bytes | None:
        """The whole body, or None where it is too large."""
        if int(headers.get(b"content-length", b"0")) > self._max_body_bytes:
            return None
        parts: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            part = message.get("body", b"")
            size += len(part)
            if size > self._max_body_bytes:
                return None
            parts.append(part)
            if not message.get("more_body"):
                return b"".join(parts)

    def _answer(
        self, headers: Mapping[bytes, bytes], method: str, target: str, body: bytes
    ) -> Answer:
        if b"gzip" in headers.get(b"content-encoding", b""):
            try:
                body = _unpacked(body, self._max_body_bytes)
            except StatusError as error:
                return Answer(413, _error_document(error.text))

        def header(name: str) -> str | None:
            value = headers.get(name.encode("latin-1"))
            return None if value is None else value.decode("latin-1")

        return answer(self._plane, method, target, body, header)


def _unpacked(body: bytes, limit: int) -> bytes:
    """Unpacks a gzip body; b"" for anything else, which TF Serving reports as empty."""
    reader = zlib.decompressobj(16 + zlib.MAX_WBITS)
    try:
        plain = reader.decompress(body, limit)
        if reader.unconsumed_tail:
            raise StatusError(
                "RESOURCE_EXHAUSTED", f"Request body is larger than {limit} bytes unpacked"
            )
        return plain if reader.eof else b""
    except zlib.error:
        return b""


def _error_document(text: str) -> bytes:
    return jsontext.write({"error": text})


async def _send(send: Send, found: Answer, more: Sequence[Header] = ()) -> None:
    headers = [
        (b"content-type", found.content_type.encode()),
        (b"content-length", str(len(found.body)).encode()),
        *more,
    ]
    if found.request_id:
        headers.append((b"x-request-id", found.request_id.encode("ascii")))
    await send({"type": "http.response.start", "status": found.status, "headers": headers})
    await send({"type": "http.response.body", "body": found.body})
