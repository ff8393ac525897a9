"""HTTP/1.1 on asyncio: llhttp parses (httptools), and `Limits` bound what a client may cost.

An application is a function of a request and of a function that takes its answer, both called in
the thread of the event loop. Requests of one connection are answered in order, one at a time.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus
from typing import cast

import httptools

from serving import jsontext
from serving.limits import Limits

log = logging.getLogger("serving")
_READ_BYTES = 64 * 1024
_SWEEP_S = 1.0
_DRAIN_SWEEP_S = 0.05
_HANDSHAKE_S = 10.0
# Connections beyond the limit that may wait for their client to read a refusal.
_MOST_REFUSED = 100
# A connection that has waited for less long than this is not closed in favor of a new one.
_PATIENCE_S = 1.0

Headers = Mapping[bytes, bytes]
Header = tuple[bytes, bytes]


@dataclass(frozen=True)
class Request:
    """A whole request.

    Attributes:
        method: HTTP method in capitals.
        target: Path and query as they were sent.
        headers: By name in lower case; of equal names the last one.
        body: Without its transfer coding.
    """

    method: str
    target: str
    headers: Headers
    body: bytes


@dataclass(frozen=True)
class Answer:
    """A whole answer.

    Attributes:
        status: Status code of the answer.
        body: JSON, or what `content_type` says.
        content_type: Value of the header ``Content-Type``.
        headers: Headers beside those of every answer.
    """

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: tuple[Header, ...] = ()


Respond = Callable[[Answer], None]
Application = Callable[[Request, Respond], None]
# Looks at method, target and headers before the body is read; refuses with an answer.
Admit = Callable[[str, str, Headers], Answer | None]

RETRY_LATER = ((b"retry-after", b"1"),)


def refusal(status: int, text: str, headers: tuple[Header, ...] = ()) -> Answer:
    """Returns an answer with TF Serving's document of an error.

    Args:
        status: Status code of the answer.
        text: What is wrong.
        headers: Headers beside those of every answer.
    """
    return Answer(status, jsontext.write({"error": text}), headers=headers)


class HttpServer:
    """The connections of one listening socket. Everything runs in the event loop's thread.

    Args:
        application: What answers each request.
        limits: What a client may cost.
        admit: Refuses requests before their body is read.
    """

    def __init__(self, application: Application, limits: Limits, admit: Admit) -> None:
        self.application = application
        self.limits = limits
        self.admit = admit
        self.buffer = memoryview(bytearray(_READ_BYTES))
        self.connections: set[_Connection] = set()
        self.held_bytes = 0
        self.is_draining = False
        self.date = b""

    async def serve(
        self,
        listeners: Sequence[socket.socket],
        context: ssl.SSLContext | None,
        stop: asyncio.Event,
        grace_s: float,
    ) -> None:
        """Serves until ``stop``, then lets requests end and closes every connection.

        Args:
            listeners: Bound and listening.
            context: For TLS, or None.
            stop: Set to end.
            grace_s: Seconds that requests have to end after ``stop``.
        """
        loop = asyncio.get_running_loop()
        servers = [
            await loop.create_server(
                lambda: _Connection(self, loop),
                sock=listener,
                ssl=context,
                ssl_handshake_timeout=None if context is None else _HANDSHAKE_S,
            )
            for listener in listeners
        ]
        while not stop.is_set():
            self.sweep(loop.time())
            try:
                await asyncio.wait_for(stop.wait(), _SWEEP_S)
            except asyncio.TimeoutError:
                continue
        self.is_draining = True
        until = loop.time() + grace_s
        await asyncio.sleep(0)  # who has connected already is accepted
        for server in servers:
            server.close()
        for connection in list(self.connections):
            connection.drain()
        while self.connections and loop.time() < until:
            self.sweep(loop.time())
            await asyncio.sleep(_DRAIN_SWEEP_S)
        for connection in list(self.connections):
            connection.abort()
        await asyncio.sleep(0)

    def sweep(self, now: float) -> None:
        """Ends what takes too long."""
        self.date = formatdate(usegmt=True).encode()
        for connection in list(self.connections):
            connection.check(now)

    def has_room(self, now: float) -> bool:
        """Whether one more connection may stay; makes room if it can."""
        if len(self.connections) < self.limits.max_connections:
            return True
        waiting = [c for c in self.connections if c.waits_for_client]
        oldest = min(waiting, key=lambda c: c.since, default=None)
        if oldest is None or now - oldest.since < _PATIENCE_S:
            return False
        oldest.abort()
        return True


class _Refused(Exception):
    """The request is refused before it is complete.

    Attributes:
        answer: What the client gets.
    """

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


class _Stopped(Exception):
    """Nothing more is read from this connection."""


class _Connection(asyncio.BufferedProtocol):
    """One connection: parses, hands over one request at a time, and writes answers.

    Attributes:
        since: When the client began to send, or the connection to wait for it, in loop time.
    """

    def __init__(self, server: HttpServer, loop: asyncio.AbstractEventLoop) -> None:
        self._server = server
        self._limits = server.limits
        self._loop = loop
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self.since = 0.0
        # What is being received.
        self._is_receiving = False
        self._is_further = False
        self._unparsed_bytes = self._head_bytes = self._hosts = 0
        self._url = b""
        self._pairs: list[Header] = []
        self._method = self._target = ""
        self._headers: dict[bytes, bytes] = {}
        self._parts: list[bytes] = []
        self._body_bytes = 0
        self._owes_continue = False
        # What was received, whether to keep the connection after it, and what is being answered.
        self._waiting: deque[tuple[Request | Answer, bool]] = deque()
        self._is_answering = False
        self._is_in_turn = False
        self._keeps_alive = True
        self._is_head_request = False
        self._answering_bytes = 0
        # How it ends.
        self._is_last = False
        self._is_lingering = False
        self._is_blocked = False
        self._drained_at: float | None = None

    # ---------------------------------------------------------------- asyncio

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Takes a connection, or refuses it where there are too many."""
        self._transport = cast(asyncio.Transport, transport)
        # `pause_writing` then says exactly when the client does not take an answer at once.
        if self._transport.get_extra_info("sslcontext") is None:
            self._transport.set_write_buffer_limits(high=0)
        else:
            # From Python 3.11 on TLS pauses at the limit, not above it, and counts what is left to
            # send of the handshake, which goes out after this method.
            self._loop.call_soon(self._transport.set_write_buffer_limits, 1, 0)
        server, self.since = self._server, self._loop.time()
        if not server.has_room(self.since):
            most = self._limits.max_connections
            if len(server.connections) >= most + _MOST_REFUSED:
                self._transport.abort()
                return
            server.connections.add(self)
            self._refuse(refusal(503, f"There are {most} connections already", RETRY_LATER))
            return
        server.connections.add(self)
        if server.is_draining:
            self.drain()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forgets what belonged to the connection."""
        self._transport = None
        self._server.connections.discard(self)
        self._forget_waiting()
        self._server.held_bytes -= self._body_bytes + self._answering_bytes
        self._body_bytes = self._answering_bytes = 0

    def get_buffer(self, sizehint: int) -> memoryview:
        """The buffer of all connections: what is in it is parsed before anybody else's turn."""
        return self._server.buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Parses what has arrived."""
        if self._is_last:
            return
        self._is_further = False
        self._feed(self._server.buffer[:nbytes])
        # httptools holds a header until it is complete, however long it is.
        self._unparsed_bytes = 0 if self._is_further else self._unparsed_bytes + nbytes
        if self._is_receiving and self._unparsed_bytes > self._limits.max_head_bytes:
            self._refuse(self._head_refusal())
        self._pace()

    def eof_received(self) -> bool:
        """Answers what was received whole; the client reads on, though it sends no more."""
        if self._transport is None or self._is_lingering:
            return False
        if self._is_receiving and not self._is_last:
            self._refuse(refusal(400, "The request ends before it is complete"))
        self._is_last = True
        has_more = self._is_answering or bool(self._waiting) or self._is_blocked
        # Over TLS asyncio closes anyway.
        return has_more and self._transport.get_extra_info("sslcontext") is None

    def pause_writing(self) -> None:
        """Notes that the client does not take its answer."""
        self._is_blocked = True
        self.since = self._loop.time()
        self._pace()

    def resume_writing(self) -> None:
        """Goes on with the next request."""
        self._is_blocked = False
        self.since = self._loop.time()
        self._turn()
        self._pace()

    # ---------------------------------------------------------------- what the server asks for

    @property
    def waits_for_client(self) -> bool:
        """Whether nothing is to be done before the client sends or reads more."""
        return not (self._is_answering or self._waiting)

    def check(self, now: float) -> None:
        """Ends what takes too long."""
        if self._transport is None:
            return
        limits, waited = self._limits, now - self.since
        if self._is_lingering:
            if waited > limits.linger_s:
                self.abort()
        elif self._is_blocked or self._transport.is_closing():
            size = self._transport.get_write_buffer_size()
            if waited > limits.write_s + size / limits.min_bytes_per_s:
                self.abort()
        elif self._is_answering or self._waiting:
            return
        elif self._is_receiving:
            if waited > limits.request_s + self._body_bytes / limits.min_bytes_per_s:
                self._refuse(refusal(408, "The request did not arrive in time"))
        elif self._drained_at is not None:
            if now - self._drained_at > limits.drain_idle_s:
                self._close()
        elif waited > limits.idle_s:
            self._close()

    def drain(self) -> None:
        """Ends after the next answer, or soon where nothing is asked."""
        self._drained_at = self._loop.time()

    def abort(self) -> None:
        """Ends at once."""
        if self._transport is not None:
            self._transport.abort()

    # ---------------------------------------------------------------- httptools

    def on_message_begin(self) -> None:
        """Begins a request."""
        self._is_receiving = self._is_further = True
        self._head_bytes = self._hosts = self._body_bytes = 0
        self._url, self._pairs, self._parts = b"", [], []
        if not self._is_answering:
            self.since = self._loop.time()

    def on_url(self, part: bytes) -> None:
        """Takes a part of the target."""
        self._url += part
        if len(self._url) > self._limits.max_target_bytes:
            raise _Refused(refusal(414, f"The target has over {len(self._url) - 1} bytes"))

    def on_header(self, name: bytes, value: bytes) -> None:
        """Takes a header; those after a body are only counted."""
        name = name.lower()
        self._pairs.append((name, value))
        self._hosts += name == b"host"
        self._head_bytes += len(name) + len(value)
        is_long = self._head_bytes > self._limits.max_head_bytes
        if is_long or len(self._pairs) > self._limits.max_headers:
            raise _Refused(self._head_refusal())

    def on_headers_complete(self) -> None:
        """Decides whether to take the body."""
        self._is_further = True
        headers = self._headers = dict(self._pairs)
        self._method = self._parser.get_method().decode("latin-1")
        self._target = _origin_form(self._url.decode("latin-1"))
        is_newer = self._parser.get_http_version() != "1.0"
        if is_newer and self._hosts != 1:
            raise _Refused(refusal(400, "The request needs one header Host"))
        refused = self._server.admit(self._method, self._target, headers)
        if refused is not None:
            raise _Refused(refused)
        # llhttp has refused what is not a number.
        if int(headers.get(b"content-length", b"0")) > self._limits.max_body_bytes:
            raise _Refused(self._body_refusal())
        self._owes_continue = is_newer and headers.get(b"expect", b"").lower() == b"100-continue"
        if self._owes_continue:
            self._continue()

    def on_body(self, part: bytes) -> None:
        """Takes a part of the body."""
        self._is_further = True
        self._parts.append(part)
        self._body_bytes += len(part)
        self._server.held_bytes += len(part)
        self._owes_continue = False
        if self._body_bytes > self._limits.max_body_bytes:
            raise _Refused(self._body_refusal())
        if self._server.held_bytes > self._limits.max_held_bytes:
            raise _Refused(refusal(503, "Other requests fill the memory", RETRY_LATER))

    def on_chunk_header(self) -> None:
        """Notes that another part of the body begins."""
        self._is_further = True

    def on_message_complete(self) -> None:
        """Takes a request that is complete."""
        if self._parser.should_upgrade():
            return  # llhttp stops here; see `_feed`
        request = Request(self._method, self._target, self._headers, b"".join(self._parts))
        self._is_receiving = self._owes_continue = False
        self._parts, self._body_bytes = [], 0
        keeps_alive = self._parser.should_keep_alive()
        if len(self._waiting) + 1 >= self._limits.max_pipelined:
            keeps_alive = False
        self._waiting.append((request, keeps_alive))
        self._is_last = self._is_last or not keeps_alive
        self._turn()
        if self._is_last:
            raise _Stopped

    # ---------------------------------------------------------------- reading

    def _feed(self, data: memoryview | bytes) -> None:
        rest: memoryview | bytes | None = data
        while rest is not None:
            rest = self._parsed(rest)

    def _parsed(self, data: memoryview | bytes) -> bytes | None:
        """Parses bytes; returns what is to be parsed again, if they ask for another protocol."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as error:
            parsed = error.args[0]
        except httptools.HttpParserCallbackError as error:
            found = error.__context__
            if isinstance(found, _Refused):
                self._refuse(found.answer)
            elif not isinstance(found, _Stopped):
                raise
            return None
        except httptools.HttpParserError as error:
            self._refuse(refusal(400, f"The request is not HTTP/1.1: {error}"))
            return None
        else:
            return None
        return self._without_upgrade(bytes(data)[parsed:])

    def _without_upgrade(self, rest: bytes) -> bytes | None:
        """A request that asks for another protocol as if it did not, which RFC 9110 allows.

        llhttp leaves the body of such a request to that protocol.
        """
        version = self._parser.get_http_version()
        self._parser = httptools.HttpRequestParser(self)
        if self._method == "CONNECT":
            self._refuse(refusal(400, "This server does not connect to others"))
            return None
        lines = b""
        for name, value in self._pairs:
            if name == b"connection":
                value = b",".join(each for each in value.split(b",") if not _is_of_upgrade(each))
                if not value:
                    continue
            if name not in (b"upgrade", b"expect", b"http2-settings"):
                lines += b"%b: %b\r\n" % (name, value)
        head = b"%b %b HTTP/%b\r\n" % (self._method.encode(), self._url, version.encode())
        return head + lines + b"\r\n" + rest

    def _refuse(self, answer: Answer) -> None:
        """Answers what came before, then this, and ends."""
        self._is_receiving, self._is_last = False, True
        self._server.held_bytes -= self._body_bytes
        self._parts, self._body_bytes = [], 0
        self._waiting.append((answer, False))
        self._turn()

    def _continue(self) -> None:
        """Asks for the body, if no answer is to be written before."""
        if self._transport is not None and not self._is_answering and not self._waiting:
            self._owes_continue = False
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _pace(self) -> None:
        """Stops to read where the client is ahead of its answers."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        is_ahead = self._is_blocked or (self._is_answering and bool(self._waiting))
        if is_ahead and transport.is_reading():
            transport.pause_reading()
        elif not is_ahead and not transport.is_reading():
            transport.resume_reading()

    def _head_refusal(self) -> Answer:
        limits = self._limits
        return refusal(
            431,
            f"The request has over {limits.max_headers} headers or {limits.max_head_bytes} "
            "bytes of them",
        )

    def _body_refusal(self) -> Answer:
        return refusal(413, f"Request body is larger than {self._limits.max_body_bytes} bytes")

    # ---------------------------------------------------------------- answering

    def _turn(self) -> None:
        """Hands over requests until one is not answered at once."""
        if self._is_in_turn:
            return
        self._is_in_turn = True
        try:
            while self._waiting and not self._is_answering and not self._is_blocked:
                found, self._keeps_alive = self._waiting.popleft()
                if isinstance(found, Answer):
                    self._is_head_request = False
                    self._write(found)
                    self._linger()
                    return
                self._is_answering = True
                self._is_head_request = found.method == "HEAD"
                self._answering_bytes = len(found.body)
                self._server.application(found, self._respond)
        finally:
            self._is_in_turn = False
        if self._owes_continue:
            self._continue()

    def _respond(self, answer: Answer) -> None:
        self._server.held_bytes -= self._answering_bytes
        self._answering_bytes = 0
        self._is_answering = False
        if self._transport is None:
            return
        self._write(answer)
        if not self._keeps_alive or (self._is_last and not self._waiting):
            self._close()
            return
        self.since = self._loop.time()
        if self._waiting:
            self._turn()
            self._pace()

    def _write(self, answer: Answer) -> None:
        if self._transport is None:
            return
        if self._drained_at is not None:
            self._keeps_alive = False
        lines = b"".join(b"%b: %b\r\n" % header for header in answer.headers)
        head = b"HTTP/1.1 %b\r\ndate: %b\r\ncontent-type: %b\r\ncontent-length: %d\r\n%b%b\r\n" % (
            _STATUS_LINES[answer.status],
            self._server.date,
            answer.content_type.encode(),
            len(answer.body),
            lines,
            b"" if self._keeps_alive else b"connection: close\r\n",
        )
        self._transport.write(head if self._is_head_request else head + answer.body)

    def _close(self) -> None:
        """Ends when the client has taken what is written."""
        self._is_last = True
        self._forget_waiting()
        if self._transport is not None:
            self._transport.close()

    def _forget_waiting(self) -> None:
        for each, _ in self._waiting:
            if isinstance(each, Request):
                self._server.held_bytes -= len(each.body)
        self._waiting.clear()

    def _linger(self) -> None:
        """Lets the client read a refusal: closed at once, what it still sends would reset it."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if not transport.can_write_eof():
            transport.close()
            return
        transport.write_eof()
        self._is_lingering = True
        self.since = self._loop.time()
        if not transport.is_reading():
            transport.resume_reading()


def _is_of_upgrade(token: bytes) -> bool:
    """Whether a token of the header Connection belongs to the other protocol."""
    return token.strip().lower() in (b"upgrade", b"http2-settings")


def _origin_form(target: str) -> str:
    """Path and query of a target that may name a server, as requests to proxies do."""
    if not target[:8].lower().startswith(("http://", "https://")):
        return target
    _, _, rest = target.partition("://")
    at = min((i for i in (rest.find("/"), rest.find("?")) if i >= 0), default=len(rest))
    rest = rest[at:]
    return rest if rest.startswith("/") else f"/{rest}"


_STATUS_LINES = {
    **{status.value: f"{status.value} {status.phrase}".encode() for status in HTTPStatus},
    499: b"499 Client Closed Request",
}
