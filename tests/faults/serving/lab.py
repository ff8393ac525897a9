"""A server in this process, asked over bare sockets, and what must be true of it after a fault."""

from __future__ import annotations

import contextlib
import json
import logging
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from serving import config
from serving.config import ModelsConfig, ServedModel
from serving.errors import StatusError
from serving.limits import Limits
from serving.server import Server
from serving.signatures import Servable, Signature, TensorSpec

PREDICT = "/v1/models/line:predict"
ROW = b'{"instances": [1.0]}'
SMALL = Limits(
    max_body_bytes=100_000,
    max_held_bytes=250_000,
    max_target_bytes=1_000,
    max_head_bytes=4_000,
    max_headers=20,
    max_pipelined=4,
    max_connections=20,
    max_requests=4,
    request_s=0.5,
    idle_s=1.0,
    write_s=0.5,
    linger_s=0.3,
    drain_idle_s=0.2,
    min_bytes_per_s=1_000_000,
)
_FLOATS = TensorSpec("x:0", "float", (-1,))
_PREDICT = "tensorflow/serving/predict"


class Model:
    """Several ways to be a model; each has the input ``x`` and the output ``y``.

    ``line`` is x / 2 + 1; ``mean`` takes the mean of all rows from each; ``strict`` refuses what is
    below zero; ``slow`` waits for `gate`; ``pair`` takes rows of any width; ``wide`` returns
    100,000 numbers a row.
    """

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.entered = threading.Event()
        self.sizes: list[tuple[str, int]] = []

    @property
    def signatures(self) -> Mapping[str, Signature]:
        line = Signature(_PREDICT, {"x": _FLOATS}, {"y": _FLOATS})
        wide = TensorSpec("w:0", "float", (-1, -1))
        return {
            "serving_default": line,
            **dict.fromkeys(("mean", "strict", "slow"), line),
            "pair": Signature(_PREDICT, {"x": wide}, {"y": wide}),
            "wide": Signature(_PREDICT, {"x": _FLOATS}, {"y": wide}),
        }

    def run(self, name: str, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        x = inputs["x"]
        self.sizes.append((name, len(x)))
        if name == "slow":
            self.entered.set()
            assert self.gate.wait(20)
        if name == "strict" and (x < 0).any():
            raise StatusError("OUT_OF_RANGE", f"{x[x < 0][0]:g} is below zero")
        if name == "mean":
            return {"y": x - x.mean()}
        if name == "wide":
            return {"y": np.repeat(x[:, None], 100_000, axis=1)}
        return {"y": x / 2 + 1}

    def close(self) -> None:
        pass


@dataclass(frozen=True)
class Found:
    """One answer.

    Attributes:
        status: Status code.
        headers: By name in lower case.
        body: Whole.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def error(self) -> str:
        """The text of the error."""
        return str(self.document["error"])


class Client:
    """One connection."""

    def __init__(self, address: tuple[str, int], *, receives: int | None = None) -> None:
        self._socket = socket.socket()
        if receives is not None:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receives)
        self._socket.settimeout(20)
        self._socket.connect(address)
        self._rest = b""

    def send(self, data: bytes) -> None:
        """Sends bytes as they are."""
        self._socket.sendall(data)

    def half_close(self) -> None:
        """Sends no more."""
        self._socket.shutdown(socket.SHUT_WR)

    def answer(self, *, is_head: bool = False) -> Found:
        """The next answer; those of status 100 are passed over."""
        while True:
            while b"\r\n\r\n" not in self._rest:
                self._more()
            head, _, self._rest = self._rest.partition(b"\r\n\r\n")
            first, *lines = head.decode("latin-1").split("\r\n")
            status = int(first.split(" ")[1])
            if status != 100:
                break
        headers = {
            name.lower(): value for name, _, value in (line.partition(": ") for line in lines)
        }
        size = 0 if is_head else int(headers["content-length"])
        while len(self._rest) < size:
            self._more()
        body, self._rest = self._rest[:size], self._rest[size:]
        return Found(status, headers, body)

    def seconds_to_end(self) -> float:
        """How long it takes until the server ends the connection; nothing more may come."""
        started = time.monotonic()
        with contextlib.suppress(ConnectionError):
            assert self._rest + self._socket.recv(65536) == b""
        return time.monotonic() - started

    def close(self) -> None:
        """Ends it."""
        self._socket.close()

    def _more(self) -> None:
        data = self._socket.recv(65536)
        if not data:
            raise EOFError(f"The server ended the connection after {self._rest!r}")
        self._rest += data


class Place:
    """A running server and its clients.

    Attributes:
        server: The server, in this process.
        model: What it serves as ``line``.
        address: Where it listens.
        headers: What its own requests bring.
    """

    def __init__(
        self, server: Server, model: Model, address: tuple[str, int], headers: tuple[str, ...]
    ) -> None:
        self.server = server
        self.model = model
        self.address = address
        self.headers = headers
        self._clients: list[Client] = []

    def client(self, *, receives: int | None = None) -> Client:
        """A new connection."""
        client = Client(self.address, receives=receives)
        self._clients.append(client)
        return client

    def asked(self, data: bytes) -> Found:
        """The first answer to some bytes on a new connection."""
        client = self.client()
        client.send(data)
        return client.answer()

    def predicted(self, body: bytes, signature: str = "") -> Found:
        """The answer to a predict request on a new connection."""
        return self.asked(request(named(body, signature), *self.headers))

    def close_clients(self) -> None:
        """Ends every connection."""
        for client in self._clients:
            client.close()
        self._clients.clear()

    def close_clients_but(self, kept: Client) -> None:
        """Ends every other connection."""
        self._clients.remove(kept)
        self.close_clients()
        self._clients.append(kept)

    def check(self) -> None:
        """Asserts what must be true after any fault: it answers, and nothing is left of it."""
        self.model.gate.set()
        self.close_clients()
        http = self.server.http
        assert http is not None
        until = time.monotonic() + 10
        while http.connections and time.monotonic() < until:
            time.sleep(0.02)
        assert not http.connections
        assert http.held_bytes == 0
        assert self.predicted(ROW).document == {"predictions": [1.5]}
        self.close_clients()


def request(body: bytes, *headers: str, method: str = "POST", target: str = PREDICT) -> bytes:
    """A request with a length."""
    lines = [f"{method} {target} HTTP/1.1", "Host: x", *headers, f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


def named(body: bytes, signature: str) -> bytes:
    """A body that names a signature, too."""
    return (
        body if not signature else b'{"signature_name": "%b", %b' % (signature.encode(), body[1:])
    )


@contextlib.contextmanager
def place(folder: Path, **settings: Any) -> Iterator[Place]:
    """A server with small limits; after the block it must be whole, and have logged no error."""
    model = Model()
    (folder / "line" / "1").mkdir(parents=True)
    models_config = folder / "models.config"
    served = ServedModel("line", str(folder / "line"))
    config.write(str(models_config), ModelsConfig((served,)))
    urls: list[str] = []
    is_ready = threading.Event()

    def ready(url: str) -> None:
        urls.append(url)
        is_ready.set()

    def load(path: str) -> Servable:
        return model

    options = {"limits": SMALL, "grace_s": 3.0, **settings}
    server = Server(str(models_config), 0, load=load, on_ready=ready, **options)
    running = threading.Thread(target=server.run)
    with _errors() as errors:
        running.start()
        try:
            assert is_ready.wait(20)
            tokens = server.access.tokens[:1]
            headers = tuple(f"Authorization: Bearer {token.decode()}" for token in tokens)
            here = Place(server, model, ("127.0.0.1", int(urls[0].rsplit(":", 1)[1])), headers)
            yield here
        finally:
            model.gate.set()
            server.stop()
            running.join(20)
            here.close_clients()
    assert not running.is_alive()
    assert errors == []


@contextlib.contextmanager
def _errors() -> Iterator[list[str]]:
    found: list[str] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found.append(record.getMessage() + (str(record.exc_info[1]) if record.exc_info else ""))

    handler = Handler(logging.ERROR)
    loggers = [logging.getLogger(name) for name in ("serving", "asyncio")]
    for logger in loggers:
        logger.addHandler(handler)
    try:
        yield found
    finally:
        for logger in loggers:
            logger.removeHandler(handler)
