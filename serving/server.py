"""The embedded server: a data plane, its follower and HTTP in one process.

Each server registers beside the ``models.config`` that it follows, so that promotions wait for it.
On SIGINT or SIGTERM it takes no new connection, lets running requests end, and ends itself after
its grace period whatever is still running; a second signal ends it at once.

For example::

    serve("var/models/models.config", rest_port=8501)
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import FrameType
from typing import Any

from serving import batching, loader
from serving.access import Access, warn_if_exposed
from serving.addresses import listening, url_of
from serving.batching import Batcher
from serving.config import ModelsConfig
from serving.dataplane import DataPlane
from serving.health import HealthApp
from serving.http1 import Answer, Headers, HttpServer
from serving.limits import Limits
from serving.observing import RequestObserver
from serving.registry import Registration
from serving.reload import Follower
from serving.rest import RestApp, readable
from serving.signatures import Servable

log = logging.getLogger("serving")
DEFAULT_REST_PORT = 8501
GRACE_S = 10.0
# Between the end of the grace period and the hard end, for what follows the requests.
SLACK_S = 1.0
# How long a thread may keep Python's lock while others wait. A model is loaded in Python, and the
# requests meanwhile would wait 5 ms, the default, after each call of a model.
_SWITCH_S = 0.0005
# Threads for gRPC calls that compute nothing: a reload waits for models, reflection for its client.
_GRPC_WAITING = 8


class Server:
    """One embedded server. `run` blocks; `stop` may be called from anywhere.

    Args:
        models_config: Path or URL of the ``models.config`` to follow.
        rest_port: TCP port; 0 takes a free one.
        host: Address to listen at; other machines reach only what is not loopback.
        poll_wait_s: Seconds between two looks at ``models.config``.
        limits: What a client may cost.
        access: What a client has to bring.
        threads: Threads for what takes long.
        max_batch_rows: Most rows of several requests in one call of a model; 1 for no batching.
        grace_s: Seconds that running requests have to end after `stop`.
        has_cors: Whether browsers may read answers from pages of anywhere.
        metrics_path: Path of the metrics, or None for none.
        grpc_port: TCP port for gRPC, 0 for a free one, or None for no gRPC.
        request_log: Folder of the request log, a local path, or None for none. The contract of a
            model says what is kept.
        on_ready: Called once with the server's URL, when it listens and the first round of loading
            has ended.
        on_grpc: Called with host and port of gRPC when it listens.
        load: Loads the model in a version folder.

    Attributes:
        access: What a client has to bring.
        http: The connections, while they are served.
    """

    def __init__(
        self,
        models_config: str,
        rest_port: int = DEFAULT_REST_PORT,
        *,
        shared_rest_port: int | None = None,
        host: str = "127.0.0.1",
        poll_wait_s: float = 1.0,
        limits: Limits | None = None,
        access: Access | None = None,
        threads: int | None = None,
        max_batch_rows: int = batching.MAX_ROWS,
        grace_s: float = GRACE_S,
        has_cors: bool = False,
        metrics_path: str | None = None,
        grpc_port: int | None = None,
        request_log: str | None = None,
        on_ready: Callable[[str], None] | None = None,
        on_grpc: Callable[[str], None] | None = None,
        load: Callable[[str], Servable] = loader.load,
    ) -> None:
        self.plane = DataPlane(load)
        self._observer: RequestObserver | None = None
        if request_log is not None:
            self._observer = RequestObserver(self.plane, request_log)
            self.plane.observer = self._observer
        self.follower = Follower(self.plane, models_config, self._round_ended)
        self._models_config = models_config
        self._registration: Registration | None = None
        self._problems: tuple[str, ...] | None = None
        self._address = (host, rest_port)
        self._shared_rest_port = shared_rest_port
        self._poll_wait_s = poll_wait_s
        self._limits = limits or Limits()
        self.access = access or Access()
        self._threads = threads or min(4, os.cpu_count() or 1)
        self._max_batch_rows = max_batch_rows
        self.grace_s = grace_s
        self._has_cors = has_cors
        self._metrics_path = metrics_path
        self._grpc_port = grpc_port
        self._on_ready = on_ready
        self._on_grpc = on_grpc
        self.http: HttpServer | None = None
        self._is_answering = threading.Event()
        self._is_stopped = False
        self._end_http: Callable[[], object] = lambda: None

    def run(self) -> None:
        """Serves until `stop`.

        Raises:
            UsageError: ``models.config`` is missing, or the port is taken.
            PermanentError: ``models.config`` does not parse, or asks for what cannot be served.
        """
        first = self.follower.first()
        warn_if_exposed([self._address[0]], self.access)
        with contextlib.ExitStack() as stack:
            listeners = [stack.enter_context(listening(*self._address))]
            if self._shared_rest_port is not None:
                shared = listening(self._address[0], self._shared_rest_port, is_shared=True)
                listeners.append(stack.enter_context(shared))
            stack.enter_context(self._grpc())
            url = url_of(self.access.scheme, listeners[0])
            self._registration = Registration(self._models_config, url)
            self._registration.start()
            models = threading.Thread(
                target=self._follow, args=(first, url), name="serving-models", daemon=True
            )
            models.start()
            # Not in this thread, which takes signals: a call of a model would hold them up.
            with ThreadPoolExecutor(1, "serving-http") as http:
                ended = http.submit(asyncio.run, self._http(listeners))
            self.stop()
            models.join()
            ended.result()
        if self._observer is not None:
            self._observer.close()
        self.plane.close()

    async def _http(self, listeners: Sequence[socket.socket]) -> None:
        loop, end = asyncio.get_running_loop(), asyncio.Event()
        with ThreadPoolExecutor(self._threads, "serving-rest") as executor:
            rest = RestApp(
                self.plane,
                Batcher(loop, executor, self._threads, self._max_batch_rows),
                self._limits,
                has_cors=self._has_cors,
                has_tokens=bool(self.access.tokens),
                metrics_path=self._metrics_path,
            )
            health = HealthApp(rest, self._state)
            self.http = HttpServer(health, self._limits, self._refused)
            self._end_http = lambda: loop.call_soon_threadsafe(end.set)
            self._is_answering.set()
            if self._is_stopped:
                end.set()
            await self.http.serve(listeners, self.access.context, end, self.grace_s)
            self._end_http = lambda: None

    def _refused(self, method: str, target: str, headers: Headers) -> Answer | None:
        found = self.access.refused(method, target, headers)
        # A page may read the refusal, too, or it would not learn that a token is missing.
        return readable(found, True) if found is not None and self._has_cors else found

    @contextlib.contextmanager
    def _grpc(self) -> Iterator[None]:
        if self._grpc_port is None:
            yield
            return
        from serving import grpc

        with grpc.serving(
            self.plane,
            self._address[0],
            self._grpc_port,
            threads=self._threads + _GRPC_WAITING,
            max_message_bytes=self._limits.max_body_bytes,
            grace_s=self.grace_s,
            is_ready=lambda: self._state()[0],
            reload=self.follower.reload,
            access=self.access,
            is_shared=self._shared_rest_port is not None,
        ) as address:
            if self._on_grpc is not None:
                self._on_grpc(address)
            yield

    def stop(self) -> None:
        """Lets running requests end, then makes `run` return."""
        self._is_stopped = True
        self.follower.stop()
        # A loop that is closed has ended already.
        with contextlib.suppress(RuntimeError):
            self._end_http()

    def withdraw(self) -> None:
        """Takes the registration away: promotions no longer wait for this server."""
        if self._registration is not None:
            self._registration.withdraw()

    def _follow(self, first: ModelsConfig, url: str) -> None:
        try:
            self.follower.apply(first)
            while not self._is_stopped and not self._is_answering.wait(0.1):
                pass  # a model that loads at once is ready before the loop of HTTP runs
            if self._on_ready is not None and not self._is_stopped:
                self._on_ready(url)
            self.follower.follow(self._poll_wait_s)
        finally:
            self.withdraw()

    def _round_ended(self, began: str, is_changed: bool, problems: tuple[str, ...]) -> None:
        if self._observer is not None:
            self._observer.prepare(self.plane.names())
        self._problems = problems
        if self._registration is not None:
            self._registration.round_ended(began, is_changed, problems)

    def _state(self) -> tuple[bool, tuple[str, ...]]:
        """Whether the server is ready, and what is wrong; see `serving.health`."""
        if self._is_stopped:
            return False, ("the server is ending",)
        if self._problems is None:
            return False, ("the first round of loading has not ended",)
        return True, self._problems


def serve(
    models_config: str,
    rest_port: int = DEFAULT_REST_PORT,
    host: str = "127.0.0.1",
    on_ready: Callable[[str], None] | None = None,
    **settings: Any,
) -> int | None:
    """Serves in the foreground until SIGINT or SIGTERM, which let running requests end.

    What still runs after the grace period ends with this process, which then ends at once.

    Args:
        models_config: Path or URL of the ``models.config`` to follow.
        rest_port: TCP port; 0 takes a free one.
        host: Address to listen at.
        on_ready: Called with the server's URL once it answers.
        **settings: Further arguments of `Server`.

    Returns:
        The number of the signal that ended it, or None.

    Raises:
        UsageError: ``models.config`` is missing, or the port is taken.
    """
    sys.setswitchinterval(_SWITCH_S)
    server = Server(models_config, rest_port, host=host, on_ready=on_ready, **settings)
    with _signals(server) as received:
        server.run()
    return received[0] if received else None


@contextlib.contextmanager
def _signals(server: Server) -> Iterator[list[int]]:
    """Notes SIGINT and SIGTERM and stops a server, where this is the main thread."""
    received: list[int] = []
    is_over = threading.Event()

    def end(number: int) -> None:
        log.error("what was running did not end in time and ends with this process")
        server.withdraw()
        logging.shutdown()
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        # Threads inside TensorFlow cannot be ended, and Python would wait for them.
        os._exit(128 + number)

    def end_late(number: int) -> None:
        if not is_over.wait(server.grace_s + SLACK_S):
            end(number)

    def note(number: int, frame: FrameType | None) -> None:
        received.append(number)
        # In a thread, as the signal may have come while the main one held a lock of the log.
        target = end_late if len(received) == 1 else end
        threading.Thread(target=target, args=(number,), daemon=True).start()
        server.stop()

    if threading.current_thread() is not threading.main_thread():
        yield received
        return
    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield received
    finally:
        is_over.set()
        for number, handler in before.items():
            signal.signal(number, handler)
