"""``/healthz`` and ``/readyz``: whether the process lives, and whether it may get requests."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from goldlake_core.asgi import Application, Receive, Scope, Send

HEALTHZ, READYZ = b"/healthz", b"/readyz"


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of both addresses.

    Attributes:
        ready: Whether the first round of loading has ended and the server is not ending.
        problems: Why it is not ready, or what it could not do as ``models.config`` says.
    """

    ready: bool
    problems: tuple[str, ...]


class HealthApp:
    """An ASGI application that answers both addresses and passes on all others.

    Args:
        app: The application for all other addresses.
        state: Returns whether the server is ready, and what is wrong.
    """

    def __init__(self, app: Application, state: Callable[[], tuple[bool, tuple[str, ...]]]) -> None:
        self._app = app
        self._state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request; 503 where the server is alive and not ready."""
        path = scope.get("raw_path")
        is_read = scope["type"] == "http" and scope["method"] in ("GET", "HEAD")
        if not is_read or path not in (HEALTHZ, READYZ):
            await self._app(scope, receive, send)
            return
        is_ready, problems = self._state()
        body = msgspec.json.encode(Health(ready=is_ready, problems=problems)) + b"\n"
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
        ]
        status = 200 if is_ready or path == HEALTHZ else 503
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send(
            {"type": "http.response.body", "body": body if scope["method"] == "GET" else b""}
        )
