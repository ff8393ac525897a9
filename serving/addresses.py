"""Addresses that servers listen at, alone or several processes together."""

from __future__ import annotations

import socket

from goldlake_core.contracts.errors import UsageError

_WAITING = 1024


def listening(host: str, port: int, *, is_shared: bool = False) -> socket.socket:
    """Returns a socket that listens.

    Args:
        host: Address of this machine.
        port: TCP port; 0 takes a free one.
        is_shared: Whether further processes listen at the same address. Each connection goes to
            one of them.

    Raises:
        UsageError: The port is taken.
    """
    return _bound(host, port, _WAITING, is_shared=is_shared)


def reserved(host: str, port: int) -> socket.socket:
    """Returns a socket that keeps an address for processes that share it, and does not listen.

    Args:
        host: Address of this machine.
        port: TCP port; 0 takes a free one.

    Raises:
        UsageError: Somebody listens there, also if they would share it.
    """
    with _bound(host, port, 1) as alone:
        port = alone.getsockname()[1]
    return _bound(host, port, 0, is_shared=True)


def _bound(host: str, port: int, waiting: int, *, is_shared: bool = False) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol spelled out asyncio switches Nagle's algorithm off, which would hold back
    # the body of every answer for 40 ms; `socket.create_server` leaves it out.
    found = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if is_shared:
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        found.bind((host, port))
        if waiting:
            found.listen(waiting)
        return found
    except OSError as error:
        found.close()
        raise UsageError(
            f"Cannot listen at {host}:{port}: {error.strerror or error}",
            valid="a free port and an address of this machine; port 0 takes a free one",
            hint="goldlake serve --rest-port 0",
        ) from error


def url_of(scheme: str, listener: socket.socket) -> str:
    """Returns the base URL of what listens.

    Args:
        scheme: Either ``http`` or ``https``.
        listener: A bound socket.
    """
    host, port = listener.getsockname()[:2]
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"
