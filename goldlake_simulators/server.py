"""Runs the simulator of a use case's API on a loopback port: in the foreground or in a thread.

For example::

    with running(usecase, SimulatorOptions(rows=1_000, seed=7)) as url:
        land(usecase, home, url, None, None, "run-1", emit)
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from goldlake_core.asgi import Application
from goldlake_core.contracts.errors import GoldlakeError, UsageError
from goldlake_core.contracts.sections import UseCase
from goldlake_simulators.base import SimulatorOptions, simulator

if TYPE_CHECKING:
    import uvicorn

LOOPBACK = "127.0.0.1"
_START_TIMEOUT_S = 10.0


def application(usecase: UseCase, options: SimulatorOptions) -> Application:
    """The ASGI application of a use case's simulated source.

    Raises:
        UsageError: The kind of source has no simulator, or the options do not hold.
    """
    return simulator(usecase.source.kind)(usecase, options)


def serve(
    usecase: UseCase,
    data: Sequence[Path] = (),
    rows: int = 20_000,
    seed: int = 7,
    port: int = 0,
    faults: str | None = None,
    speed: float | None = None,
    on_ready: Callable[[str], None] = lambda url: None,
    *,
    start: str | None = None,
    warn: Callable[[str], None] = lambda message: None,
) -> None:
    """Serves until SIGINT or SIGTERM, then raises or dies as that signal does by default.

    Args:
        usecase: The use case whose API is played back.
        data: Exports to replay; none: generated rows.
        rows: Number of rows to generate.
        seed: Seed of generated rows and of faults.
        port: Port on 127.0.0.1; 0: any free one.
        faults: ``KIND:SHARE,…``, see the simulator of the kind of source.
        speed: Simulated seconds per second; None: everything is visible at once.
        on_ready: Called with the base URL when requests are answered.
        start: Simulated instant at the start (ISO 8601), with ``speed``.
        warn: Called with one line for each part of the data that is skipped.

    Raises:
        UsageError: The options do not hold, or the port is taken.
    """
    options = SimulatorOptions(tuple(data), rows, seed, faults, speed, start, warn)
    # The port is taken first: that it is not free need not wait for the data.
    with _listening(port) as listener:
        server = _server(application(usecase, options), on_ready=lambda: on_ready(_url(listener)))
        server.run(sockets=[listener])


@contextlib.contextmanager
def running(usecase: UseCase, options: SimulatorOptions, port: int = 0) -> Iterator[str]:
    """Serves in a thread of this process while the block runs; gives the base URL.

    Raises:
        UsageError: As `serve`.
    """
    with _listening(port) as listener:
        server = _server(application(usecase, options))
        thread = threading.Thread(
            target=server.run, kwargs={"sockets": [listener]}, name="simulator", daemon=True
        )
        thread.start()
        try:
            deadline = time.monotonic() + _START_TIMEOUT_S
            while not server.started:
                if time.monotonic() > deadline or not thread.is_alive():
                    raise GoldlakeError("The simulator's server did not start")
                time.sleep(0.005)
            yield _url(listener)
        finally:
            server.should_exit = True
            thread.join(_START_TIMEOUT_S)


def _server(app: Application, on_ready: Callable[[], None] | None = None) -> uvicorn.Server:
    import uvicorn

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if on_ready is not None and self.started:
                on_ready()

    config = uvicorn.Config(
        app,
        log_config=None,
        log_level="critical",
        access_log=False,
        lifespan="off",
        interface="asgi3",
        server_header=False,
        timeout_graceful_shutdown=2,
    )
    return Server(config)


@contextlib.contextmanager
def _listening(port: int) -> Iterator[socket.socket]:
    # Named as TCP, so that asyncio turns off Nagle: small answers else wait 40 ms for an ACK.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((LOOPBACK, port))
        except (OSError, OverflowError) as error:
            raise UsageError(
                f"Cannot listen on {LOOPBACK}:{port}: {error}",
                valid="a free port, or 0 for any",
                hint="the same command with --port 0",
            ) from error
        yield listener
    finally:
        listener.close()


def _url(listener: socket.socket) -> str:
    return f"http://{LOOPBACK}:{listener.getsockname()[1]}"
