"""TF Serving's REST API: finds the route, decodes, asks for a call of a model, encodes."""

from __future__ import annotations

import dataclasses
import functools
import logging
import re
import time
import zlib
from collections.abc import Callable, Mapping
from urllib.parse import unquote_to_bytes

from serving import answers, codec, inference
from serving.batching import Batcher, Call, Outputs, run_calls
from serving.dataplane import DataPlane, ModelSpec, check_inputs
from serving.errors import StatusError, invalid
from serving.exchange import REQUEST_ID, Exchange
from serving.http1 import RETRY_LATER, Answer, Request, Respond, refusal
from serving.limits import Limits
from serving.signatures import Signature

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
_ALLOWED_HEADERS = b"access-control-allow-headers"
_CORS_HEADERS = (
    (b"access-control-allow-origin", b"*"),
    (b"access-control-allow-methods", b"POST, GET"),
    (_ALLOWED_HEADERS, b"Content-Type"),
)
_CORS_HEADERS_WITH_TOKEN = (
    *_CORS_HEADERS[:-1],
    (_ALLOWED_HEADERS, b"Content-Type, Authorization"),
)

# Larger bodies are read, computed and answered in a thread: they would hold up all others.
LARGE_BODY_BYTES = 16 * 1024

Prepare = Callable[[DataPlane, ModelSpec, bytes], Call]
Look = Callable[[DataPlane, ModelSpec], bytes]

_NOT_FOUND = Answer(404, b"<html><body><h1>Not Found</h1></body></html>\n", "text/html")


def predict(plane: DataPlane, spec: ModelSpec, body: bytes) -> Call:
    """Prepares ``:predict`` in row or columnar format."""
    read = codec.read_body(body)
    version = plane.acquire(spec)
    try:
        signature = version.signature(read.signature_name)
        plan = version.plan(read.signature_name)
        columns = plan.columns(read.document)
        if columns is not None:
            return Call(version, plan, "Predict", _encode_rows, columns=columns, is_row=True)
        request = codec.decode_predict(read, signature.inputs)
        check_inputs(signature, request.inputs)
        encode = _encode_rows if request.is_row else _encode_columns
        return Call(version, plan, "Predict", encode, request.inputs, is_row=request.is_row)
    except BaseException:
        version.release()
        raise


def _encode_rows(outputs: Outputs) -> bytes:
    return answers.encode_predict(outputs, True)


def _encode_columns(outputs: Outputs) -> bytes:
    return answers.encode_predict(outputs, False)


def classify(plane: DataPlane, spec: ModelSpec, body: bytes) -> Call:
    """Prepares ``:classify``."""

    def encode(outputs: Outputs) -> bytes:
        found = inference.classification(outputs, count)
        return answers.encode_classify(found.labels, found.scores)

    call = _examples(plane, spec, body, "Classify", inference.check_classification, encode)
    count = call.rows
    return call


def regress(plane: DataPlane, spec: ModelSpec, body: bytes) -> Call:
    """Prepares ``:regress``."""

    def encode(outputs: Outputs) -> bytes:
        return answers.encode_regress(inference.regression(outputs, count))

    call = _examples(plane, spec, body, "Regress", inference.check_regression, encode)
    count = call.rows
    return call


def _examples(
    plane: DataPlane,
    spec: ModelSpec,
    body: bytes,
    api: str,
    check: Callable[[Signature], None],
    encode: Callable[[Outputs], bytes],
) -> Call:
    read = codec.read_body(body)
    examples = codec.decode_examples(read)
    version = plane.acquire(spec)
    try:
        check(inference.signature_of(version, read.signature_name))
        inputs = inference.inputs_of(version, examples)
        return Call(version, version.plan(read.signature_name), api, encode, inputs)
    except BaseException:
        version.release()
        raise


def status(plane: DataPlane, spec: ModelSpec) -> bytes:
    """Answers a request for the states of a model's versions."""
    return answers.encode_status(
        [(v.version, v.state.value, v.code, v.text) for v in plane.status(spec)]
    )


def metadata(plane: DataPlane, spec: ModelSpec) -> bytes:
    """Answers a request for a model's signatures."""
    with plane.use(spec) as version:
        return answers.encode_metadata(spec.name, version.number, version.servable.signatures)


CALLS: dict[str, Prepare] = {"classify": classify, "predict": predict, "regress": regress}
LOOKS: dict[str, Look] = {"": status, "metadata": metadata}


def no_header(name: str) -> None:
    """The headers of a request that has none."""


def answer(
    plane: DataPlane,
    method: str,
    target: str,
    body: bytes,
    header: Callable[[str], str | None] = no_header,
) -> Answer:
    """Answers one request, by itself, and counts it.

    Args:
        plane: The models that are served.
        method: HTTP method in capitals.
        target: Path as it was sent, with its query if it has one: TF Serving does not split them.
        body: Request body, no longer compressed.
        header: Returns a header by its name in lower case.
    """
    asked = Asked(plane, method, target, header)
    found = asked.prepare(body)
    if isinstance(found, Answer):
        return found
    [result] = run_calls([found])
    return asked.answer(result)


class Asked:
    """One request to the API, from its target to its answer.

    Args:
        plane: The models that are served.
        method: HTTP method in capitals.
        target: Path as it was sent, with its query if it has one: TF Serving does not split them.
        header: Returns a header by its name in lower case.
    """

    def __init__(
        self, plane: DataPlane, method: str, target: str, header: Callable[[str], str | None]
    ) -> None:
        self._plane = plane
        self._header = header
        self._method = method
        self._target = target
        self._started = time.perf_counter()
        self._model = self._verb = ""
        self._call: Call | None = None
        self._exchange: Exchange | None = None
        self._body_bytes = 0

    def prepare(self, body: bytes) -> Answer | Call:
        """Answers the request, or returns the call of a model that it needs.

        The call is followed by `answer`.

        Args:
            body: Request body, no longer compressed.
        """
        if not _API.fullmatch(self._target):
            return _NOT_FOUND
        try:
            verb, spec = _route(self._method, self._target)
            self._model = spec.name
            if verb in CALLS:
                self._verb = verb
                spec = self._begun(spec, body)
                self._call = CALLS[verb](self._plane, spec, body)
                return self._call
            return self.answer(LOOKS[verb](self._plane, spec))
        except Exception as error:  # a fault of the request, or else of this server
            return self.answer(error)

    def _begun(self, spec: ModelSpec, body: bytes) -> ModelSpec:
        """The version that is asked for, with what notes the request where somebody asks for it."""
        observer = self._plane.observer
        if observer is None or not self._plane.knows(spec.name):
            return spec
        self._body_bytes = len(body)
        self._exchange = observer.begin(spec.name, spec.label, "REST", self._header)
        return dataclasses.replace(spec, exchange=self._exchange)

    def answer(self, result: bytes | Exception) -> Answer:
        """Releases the model, counts the request and returns its answer.

        Args:
            result: The body of the answer, or why there is none.
        """
        if self._call is not None:
            self._call.version.release()
            self._call = None
        code = "OK"
        if isinstance(result, bytes):
            found = Answer(200, result)
        elif isinstance(result, StatusError):
            code = result.code
            # TF Serving fails on a bad version before it has a body to write the message into.
            is_bare = isinstance(result, _BadVersion)
            found = Answer(result.http_status, b"") if is_bare else _refusal(result)
        else:  # the next request may well succeed
            log.error("%s %s failed", self._method, self._target, exc_info=result)
            code = "INTERNAL"
            found = refusal(500, f"Internal error: {type(result).__name__}: {result}")
        # Any client can make up names; only those of models are kept.
        model = self._model if self._plane.knows(self._model) else ""
        seconds = time.perf_counter() - self._started
        self._plane.metrics.answered(model, self._verb, "REST", code, seconds)
        if self._exchange is None:
            return found
        self._exchange.ended(code, seconds, self._body_bytes)
        named = (REQUEST_ID.encode(), self._exchange.request_id.encode("ascii"))
        return dataclasses.replace(found, headers=(*found.headers, named))


def _refusal(error: StatusError) -> Answer:
    return refusal(error.http_status, error.text)


class _BadVersion(StatusError):
    """The version in the path does not fit a 64-bit integer."""


@functools.lru_cache(maxsize=256)
def _route(method: str, target: str) -> tuple[str, ModelSpec]:
    routes: dict[str, tuple[re.Pattern[str], Mapping[str, object]]] = {
        "POST": (_CALL, CALLS),
        "GET": (_LOOK, LOOKS),
    }
    if method not in routes:
        raise invalid(f"Malformed request: {method} {target}")
    pattern, handlers = routes[method]
    found = pattern.fullmatch(target)
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
    return verb, spec


def _decoded(text: str) -> str:
    return unquote_to_bytes(text).decode("utf-8", "surrogateescape")


class RestApp:
    """The application: what `serving.http1` asks for each request.

    Args:
        plane: The models that are served.
        batcher: Runs calls of models, and large requests in threads.
        limits: What a client may cost.
        has_cors: Whether answers tell browsers that pages from anywhere may read them.
        has_tokens: Whether clients bring a token, so that pages may send one.
        metrics_path: Path that answers with the metrics, or None for no such path.
    """

    def __init__(
        self,
        plane: DataPlane,
        batcher: Batcher,
        limits: Limits,
        *,
        has_cors: bool = False,
        has_tokens: bool = False,
        metrics_path: str | None = None,
    ) -> None:
        self._plane = plane
        self._batcher = batcher
        self._limits = limits
        self._has_cors = has_cors
        self._has_tokens = has_tokens
        self._metrics_path = metrics_path
        self._requests = 0

    def __call__(self, request: Request, respond: Respond) -> None:
        """Answers one request, now or later."""
        target = request.target
        if self._metrics_path is not None and target.partition("?")[0] == self._metrics_path:
            page = self._plane.metrics.page().encode("utf-8", "replace")
            respond(Answer(200, page, "text/plain"))
            return
        if self._has_cors and _API.fullmatch(target):
            respond = _with_cors(respond, self._has_tokens)
        if request.method == "OPTIONS":
            respond(self._preflight(request))
            return
        if self._requests >= self._limits.max_requests:
            text = f"There are {self._limits.max_requests} requests already"
            code, found = "UNAVAILABLE", refusal(503, text, RETRY_LATER)
            self._plane.metrics.answered("", "", "REST", code, 0)
            respond(found)
            return
        self._requests += 1

        def done(found: Answer) -> None:
            self._requests -= 1
            respond(found)

        is_packed = b"gzip" in request.headers.get(b"content-encoding", b"")
        if is_packed or len(request.body) > LARGE_BODY_BYTES:
            self._batcher.in_thread(lambda: self._whole(request, is_packed), done)
            return
        asked = Asked(self._plane, request.method, target, _headers(request))
        call = asked.prepare(request.body)
        if isinstance(call, Answer):
            done(call)
        else:
            self._batcher.submit(call, lambda result: done(asked.answer(result)))

    def _preflight(self, request: Request) -> Answer:
        if not _API.fullmatch(request.target):
            return _NOT_FOUND
        # TF Serving gives the bare status of a preflight request.
        is_browser = re.search(rb"https?://", request.headers.get(b"origin", b"")) is not None
        code = "OK" if is_browser else "FAILED_PRECONDITION"
        self._plane.metrics.answered("", "", "REST", code, 0)
        return Answer(200 if is_browser else 400, b"", "text/plain")

    def _whole(self, request: Request, is_packed: bool) -> Answer:
        try:
            body = request.body
            if is_packed:
                body = _unpacked(body, self._limits.max_body_bytes)
        except StatusError as error:
            return refusal(413, error.text)
        except MemoryError:
            return refusal(503, "There is no memory for the body", RETRY_LATER)
        return answer(self._plane, request.method, request.target, body, _headers(request))


def _headers(request: Request) -> Callable[[str], str | None]:
    def header(name: str) -> str | None:
        value = request.headers.get(name.encode("latin-1"))
        return None if value is None else value.decode("latin-1")

    return header


def readable(answer: Answer, has_tokens: bool) -> Answer:
    """Returns an answer that tells browsers that pages from anywhere may read it.

    Args:
        answer: Any answer of the API.
        has_tokens: Whether clients bring a token.
    """
    headers = _CORS_HEADERS_WITH_TOKEN if has_tokens else _CORS_HEADERS
    return dataclasses.replace(answer, headers=answer.headers + headers)


def _with_cors(respond: Respond, has_tokens: bool) -> Respond:
    return lambda found: respond(readable(found, has_tokens))


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
