"""Who may see and do what: sessions, sign-in, forgery, sizes and the headers of every answer.

On loopback nobody signs in, and only names of loopback are answered, so that a page of another
site cannot reach the app under that site's name (DNS rebinding). Elsewhere a token is asked for.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK = ("127.0.0.1", "localhost", "::1")
MOST_FORM_BYTES = 64 * 1024
MOST_FILE_BYTES = 20 * 1024 * 1024
UPLOADS = ("/predict/file",)
"""Paths that take a file."""
SESSION_S = 12 * 3600.0
MOST_SESSIONS = 1000
MOST_WRONG_TOKENS = 10
"""Wrong tokens in a minute, of everybody together; more are refused without a look."""
OPEN_PATHS = ("/static/", "/sign-in", "/healthz")


@dataclass
class Session:
    """A browser that the app knows.

    Attributes:
        id: Secret that its cookie holds.
        csrf: Secret that every form of its pages holds.
        is_signed_in: Whether it brought the token.
        seen: When it was seen last, in seconds of `time.monotonic`.
    """

    id: str
    csrf: str
    is_signed_in: bool
    seen: float


@dataclass
class Access:
    """Who may see and do what.

    Attributes:
        tokens: Tokens of which one has to be brought; none: nobody signs in.
        is_read_only: Whether every action is refused.
        is_secure: Whether the app answers by HTTPS.
        cookie: Name of the session's cookie. Cookies do not tell ports apart.
    """

    tokens: tuple[str, ...] = ()
    is_read_only: bool = False
    is_secure: bool = False
    cookie: str = "goldlake_ui"
    _sessions: dict[str, Session] = field(default_factory=dict, repr=False)
    _wrong: list[float] = field(default_factory=list, repr=False)

    @property
    def needs_token(self) -> bool:
        """Whether a token is asked for."""
        return bool(self.tokens)

    def session(self, cookie: str) -> Session | None:
        """The session of a cookie, or None where it is unknown or too old."""
        found = self._sessions.get(cookie)
        now = time.monotonic()
        if found is None or now - found.seen > SESSION_S:
            self._sessions.pop(cookie, None)
            return None
        found.seen = now
        return found

    def new_session(self, *, is_signed_in: bool) -> Session:
        """A new session; the one that was seen least lately makes room where there are too many."""
        while len(self._sessions) >= MOST_SESSIONS:
            del self._sessions[min(self._sessions.values(), key=lambda each: each.seen).id]
        made = Session(
            secrets.token_urlsafe(32), secrets.token_urlsafe(32), is_signed_in, time.monotonic()
        )
        self._sessions[made.id] = made
        return made

    def end(self, session: Session) -> None:
        """Forgets a session."""
        self._sessions.pop(session.id, None)

    def is_token(self, text: str) -> bool | None:
        """Whether a text is a token; None where too many were wrong lately."""
        now = time.monotonic()
        self._wrong = [at for at in self._wrong if now - at < 60]
        if len(self._wrong) >= MOST_WRONG_TOKENS:
            return None
        matches = [secrets.compare_digest(text.encode(), each.encode()) for each in self.tokens]
        if not any(matches):
            self._wrong.append(now)
        return any(matches)

    def cookie_text(self, session: Session) -> str:
        """The header that gives a browser its session."""
        secure = "; Secure" if self.is_secure else ""
        return f"{self.cookie}={session.id}; Path=/; HttpOnly; SameSite=Strict{secure}"


class Guard:
    """Wraps the app: refuses what may not be, and sets the headers of every answer.

    Args:
        app: What it wraps.
        access: Who may see and do what.
    """

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request; see the class."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        cookie = ""
        session = self._session(request)
        response = self._refusal(request, session)
        if response is None and session is None and not request.url.path.startswith("/static/"):
            session = self._access.new_session(is_signed_in=False)
            cookie = self._access.cookie_text(session)
        scope.setdefault("state", {})
        scope["state"] |= {"session": session}

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                _add_headers(message, _HEADERS, cookie)
            await send(message)

        if response is not None:
            await response(scope, receive, sending)
            return
        most = MOST_FILE_BYTES if request.url.path in UPLOADS else MOST_FORM_BYTES
        try:
            await self._app(scope, _counted(receive, most), sending)
        except TooLarge:
            text = f"The request has more than {most:,} bytes."
            await PlainTextResponse(text, 413)(scope, receive, sending)

    def _session(self, request: Request) -> Session | None:
        try:
            held = SimpleCookie(request.headers.get("cookie", "")).get(self._access.cookie)
        except CookieError:
            held = None
        return self._access.session(held.value) if held is not None else None

    def _refusal(self, request: Request, session: Session | None) -> Response | None:
        """Why a request is not answered, or None."""
        access, path = self._access, request.url.path
        host = request.headers.get("host", "")
        if not access.needs_token and urlsplit(f"//{host}").hostname not in LOOPBACK:
            return PlainTextResponse(f"{host} is not a name of this machine's loopback.", 421)
        length = request.headers.get("content-length", "0")
        most = MOST_FILE_BYTES if path in UPLOADS else MOST_FORM_BYTES
        if not length.isdecimal() or int(length) > most:
            return PlainTextResponse(f"The request has more than {most:,} bytes.", 413)
        if request.method not in ("GET", "HEAD"):
            origin = request.headers.get("origin")
            if origin is not None and urlsplit(origin).netloc != host:
                return PlainTextResponse("The request comes from a page of another site.", 403)
            if access.is_read_only and path not in ("/sign-in", "/sign-out", *READS):
                return PlainTextResponse("This app is read-only.", 403)
        is_known = session is not None and session.is_signed_in
        if access.needs_token and not is_known and not path.startswith(OPEN_PATHS):
            if request.method == "GET" and not path.startswith("/live/"):
                return RedirectResponse("/sign-in", 303)
            return PlainTextResponse("Sign in first.", 401)
        return None


_EMPTY_STYLE = "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='"
"""Lets a page have style elements without content, which plotly.js makes and adds rules to."""
_HEADERS: Mapping[str, str] = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; connect-src 'self'; img-src 'self' data:; "
        f"style-src 'self' {_EMPTY_STYLE}; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    # Under "no-referrer" browsers send the origin of a form as "null".
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
READS = ("/predict", "/predict/file")
"""Paths that take a form and change nothing."""


class TooLarge(Exception):
    """A request has more bytes than it may."""


def is_csrf(request: Request, sent: object) -> bool:
    """Whether a form holds the secret of its session."""
    session: Session | None = request.state.session
    if session is None or not isinstance(sent, str):
        return False
    return secrets.compare_digest(sent.encode(), session.csrf.encode())


def _counted(receive: Receive, most: int) -> Callable[[], Awaitable[MutableMapping[str, Any]]]:
    read = 0

    async def counted() -> MutableMapping[str, Any]:
        nonlocal read
        message = await receive()
        read += len(message.get("body", b""))
        if read > most:
            raise TooLarge
        return message

    return counted


def _add_headers(message: Message, headers: Mapping[str, str], cookie: str) -> None:
    """Adds headers that an answer does not set itself."""
    held = {name.lower() for name, _ in message["headers"]}
    added = [
        (name.encode(), value.encode())
        for name, value in headers.items()
        if name.encode() not in held
    ]
    if cookie and b"set-cookie" not in held:
        added.append((b"set-cookie", cookie.encode()))
    message["headers"] = [*message["headers"], *added]
