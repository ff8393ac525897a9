"""``/healthz`` and ``/readyz``: whether the process lives, and whether it may get requests."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from serving.http1 import Answer, Application, Request, Respond

HEALTHZ, READYZ = "/healthz", "/readyz"


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of both addresses.

    Attributes:
        ready: Whether the first round of loading has ended and the server is not ending.
        problems: Why it is not ready, or what it could not do as ``models.config`` says.
    """

    ready: bool
    problems: tuple[str, ...]


class HealthApp:
    """An application that answers both addresses and passes on all others.

    Args:
        app: The application for all other addresses.
        state: Returns whether the server is ready, and what is wrong.
    """

    def __init__(self, app: Application, state: Callable[[], tuple[bool, tuple[str, ...]]]) -> None:
        self._app = app
        self._state = state

    def __call__(self, request: Request, respond: Respond) -> None:
        """Answers one request; 503 where the server is alive and not ready."""
        path = request.target.partition("?")[0]
        if path not in (HEALTHZ, READYZ) or request.method not in ("GET", "HEAD"):
            self._app(request, respond)
            return
        is_ready, problems = self._state()
        body = msgspec.json.encode(Health(ready=is_ready, problems=problems)) + b"\n"
        respond(Answer(200 if is_ready or path == HEALTHZ else 503, body))
