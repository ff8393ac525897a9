"""Starts the app: where it listens, and who may come in."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Callable
from dataclasses import dataclass

import uvicorn

from goldlake.ui.app import application
from goldlake.ui.security import LOOPBACK, Access
from goldlake_core.contracts.errors import PermanentError, UsageError
from goldlake_core.storage.home import Home


@dataclass(frozen=True)
class Options:
    """How to run the app.

    Attributes:
        host: Address to listen on.
        port: TCP port; 0 for a free one.
        is_read_only: Whether every action is refused.
        token_file: File with a token in each line, or None.
        tls_cert: Chain in PEM, or None.
        tls_key: Its private key in PEM, or None.
    """

    host: str = "127.0.0.1"
    port: int = 8600
    is_read_only: bool = False
    token_file: str | None = None
    tls_cert: str | None = None
    tls_key: str | None = None


OnReady = Callable[[str, str | None], None]
"""Gets the address of the app, and the token where one was made."""


def run(home: Home, options: Options, on_ready: OnReady) -> None:
    """Runs the app until Ctrl-C or SIGTERM. Jobs of its queue go on.

    Args:
        home: The home that it shows.
        options: How to run.
        on_ready: Called once it answers.

    Raises:
        UsageError: The file of the tokens cannot be read, or one of certificate and key is missing.
        PermanentError: The address cannot be listened on.
    """
    if (options.tls_cert is None) != (options.tls_key is None):
        raise UsageError("A certificate goes with its key", valid="--tls-cert and --tls-key")
    tokens, told = _tokens(options)
    listener = _listen(options.host, options.port)
    port = listener.getsockname()[1]
    access = Access(
        tokens=tokens,
        is_read_only=options.is_read_only,
        is_secure=options.tls_cert is not None,
        cookie=f"goldlake_ui_{port}",
    )
    server = uvicorn.Server(
        uvicorn.Config(
            application(home, access),
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=2,
            ssl_certfile=options.tls_cert,
            ssl_keyfile=options.tls_key,
        )
    )
    host = f"[{options.host}]" if ":" in options.host else options.host
    on_ready(f"{'https' if access.is_secure else 'http'}://{host}:{port}", told)
    with listener:
        server.run(sockets=[listener])


def _tokens(options: Options) -> tuple[tuple[str, ...], str | None]:
    """The tokens that are asked for, and the one that was made."""
    if options.token_file is not None:
        try:
            with open(options.token_file, encoding="utf-8") as file:
                held = tuple(line.strip() for line in file if line.strip())
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(
                f"{options.token_file} cannot be read: {error}", valid="a token in each line"
            ) from error
        if not held:
            raise UsageError(f"{options.token_file} holds no token", valid="a token in each line")
        return held, None
    if options.host in LOOPBACK:
        return (), None
    made = secrets.token_urlsafe(24)
    return (made,), made


def _listen(host: str, port: int) -> socket.socket:
    """A socket that listens already, so that the address answers once it is shown."""
    try:
        family, _, _, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, socket.SOCK_STREAM)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(place)
            listener.listen(128)
        except OSError:
            listener.close()
            raise
    except OSError as error:
        raise PermanentError(
            f"{host} port {port} cannot be listened on: {error.strerror}",
            valid="a free port; 0 takes one",
            hint="goldlake ui --port 0",
        ) from error
    return listener
