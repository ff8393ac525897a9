"""Requests with retries, bounded bodies and clear errors: what every API connector asks through."""

from __future__ import annotations

import ipaddress
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import TypeVar
from urllib.parse import urlsplit

import requests

from goldlake_core.contracts.errors import PermanentError, RetryableError, UsageError
from lakehouse.sources.base import Patience, Traffic
from lakehouse.sources.split import Unreadable

RETRIED_STATUSES = frozenset({202, 408, 423, 425, 429})
"""Statuses of faults that may pass, beside all from 500 on."""
MAX_BODY_BYTES = 256 * 2**20
MAX_WAIT_S = 60.0
MAX_RETRY_AFTER_S = 600.0
"""Longest wait that a server may ask for."""

T = TypeVar("T")

_BROKEN = (
    requests.exceptions.ConnectionError,
    requests.exceptions.Timeout,
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.ContentDecodingError,
)


def base_url(address: str, what: str, without: str) -> str:
    """The address of an API without a slash at its end.

    Args:
        address: A URL as a person wrote it.
        what: What answers there, such as ``the API``; the error names it.
        without: What is valid in place of credentials; the error says it.

    Raises:
        UsageError: It is not an http(s) URL, or holds credentials.
    """
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query:
        raise UsageError(
            f"{address!r} is not the address of {what}",
            valid="live, or a URL such as http://127.0.0.1:8080",
        )
    if parts.username or parts.password:
        raise UsageError(f"The address of {parts.hostname} holds credentials", valid=without)
    return address.rstrip("/")


@dataclass(frozen=True)
class Response:
    """A whole answer with status 200.

    Attributes:
        url: URL of the request, as it was asked.
        body: Decoded of any transfer compression.
        headers: Headers of the answer; their names are compared without case.
    """

    url: str
    body: bytes
    headers: Mapping[str, str]


class Refused(PermanentError):
    """A server refused a request, or said what asking again does not change.

    Attributes:
        status: Status of its answer.
    """

    def __init__(self, problem: str, status: int, *, hint: str | None = None) -> None:
        self.status = status
        super().__init__(problem, hint=hint)


class Http:
    """Asks one host. Not for several threads.

    Args:
        traffic: Counters that every request adds to.
        headers: Sent with every request, such as an app token; never written anywhere.
        patience: How often one request is sent before it fails.
        timeout_s: Read timeout in seconds.
        proxy: Proxy of all requests; "" for that of the environment.
        ca_file: PEM file of the authorities that vouch for servers; "" for the system's.
        interval_s: Least time between the beginnings of two requests, in the long run.
        burst: So many requests may begin without that time between them.
        sleep: Waits; a parameter so that tests need not.
        explain: Text for a person from a status and an error body, or None for the standard one.
    """

    def __init__(
        self,
        traffic: Traffic,
        *,
        headers: Mapping[str, str] | None = None,
        patience: Patience = Patience(),  # noqa: B008 (frozen)
        timeout_s: float = 120.0,
        proxy: str = "",
        ca_file: str = "",
        interval_s: float = 0.0,
        burst: int = 1,
        sleep: Callable[[float], None] = time.sleep,
        explain: Callable[[int, bytes], str | None] = lambda status, body: None,
    ) -> None:
        self._traffic = traffic
        self._session = requests.Session()
        self._session.headers.update({"Accept": "application/json", "User-Agent": "goldlake"})
        self._session.headers.update(headers or {})
        if proxy:
            self._session.proxies.update({"http": proxy, "https": proxy})
        self._has_proxy = bool(proxy)
        self._verify: bool | str = ca_file or True
        self._interval_s, self._next_s = interval_s, 0.0
        self._ahead_s = interval_s * (burst - 1)
        self._patience = patience
        self._timeout_s = timeout_s
        self._sleep = sleep
        self._explain = explain
        self._jitter = random.Random(0)

    def get(
        self, url: str, parse: Callable[[Response], T], *, final: frozenset[int] = frozenset()
    ) -> T:
        """What a GET answers, after as many tries as allowed.

        Args:
            url: What to ask.
            parse: Makes something of an answer of status 200. Where it raises `Unreadable`, such as
                for a maintenance page or half a body, the request is sent again.
            final: Statuses that would be retried elsewhere, and are an answer here.

        Raises:
            RetryableError: Every try met a fault that may pass.
            Refused: The server refuses, or answers with a status of ``final``.
            PermanentError: It answers more than 256 MiB.
        """
        return self._asked(url, None, parse, final)

    def post(
        self,
        url: str,
        form: Mapping[str, str],
        parse: Callable[[Response], T],
        *,
        final: frozenset[int] = frozenset(),
    ) -> T:
        """What a POST of a form answers: for questions that are too long for a URL.

        The request must be one that only reads: it is sent again like a GET.

        Args:
            url: What to ask.
            form: Fields of the form.
            parse: As of `get`.
            final: As of `get`.

        Raises:
            RetryableError: As of `get`.
            Refused: As of `get`.
            PermanentError: As of `get`.
        """
        return self._asked(url, form, parse, final)

    def _asked(
        self,
        url: str,
        form: Mapping[str, str] | None,
        parse: Callable[[Response], T],
        final: frozenset[int],
    ) -> T:
        asked = f"{'GET' if form is None else 'POST'} {url}"
        problem, hint = "", "the same command again, later: it goes on where it stopped"
        for attempt in range(self._patience.attempts):
            if attempt:
                self._traffic.retries += 1
            self._traffic.requests += 1
            wait_s = min(wait_before(self._patience, attempt, self._jitter), MAX_WAIT_S)
            try:
                status, response = self._once(url, form)
                if status == 200:
                    return parse(response)
            except _BROKEN as error:
                problem = f"the connection failed ({type(error).__name__})"
            except Unreadable as error:
                problem = f"the answer could not be read: {error}"
                hint = "the same command again, later; or another address: is this the right one?"
            else:
                problem = f"HTTP {status}{self._said(status, response.body)}"
                is_final = status not in RETRIED_STATUSES and status < 500
                if is_final or status in final:
                    raise Refused(
                        f"{asked} was refused: {problem}",
                        status,
                        hint=_hint(status, response.headers),
                    )
                wait_s = _retry_after_s(response.headers) or wait_s
            if attempt + 1 < self._patience.attempts:
                self._sleep(wait_s)
        raise RetryableError(
            f"{asked} failed {self._patience.attempts} times; the last time {problem}", hint=hint
        )

    def close(self) -> None:
        """Closes the connections."""
        self._session.close()

    def _once(self, url: str, form: Mapping[str, str] | None) -> tuple[int, Response]:
        # A proxy of the environment must not stand between us and this machine, and a .netrc file
        # must not replace the contract's own credentials.
        self._session.trust_env = not is_loopback(url) and not self._has_proxy
        self._keep_pace()
        with self._session.request(
            "GET" if form is None else "POST",
            url,
            data=form,
            timeout=(10.0, self._timeout_s),
            stream=True,
            allow_redirects=False,
            verify=self._verify,
        ) as answer:
            parts, size = [], 0
            for part in answer.iter_content(1 << 20):
                parts.append(part)
                size += len(part)
                if size > MAX_BODY_BYTES:
                    raise PermanentError(
                        f"{url} answered more than {MAX_BODY_BYTES >> 20} MiB",
                        hint="a smaller page_rows in the contract's source",
                    )
            self._traffic.bytes += size
            return answer.status_code, Response(url, b"".join(parts), answer.headers)

    def _keep_pace(self) -> None:
        if not self._interval_s:
            return
        now = time.monotonic()
        if now < self._next_s - self._ahead_s:
            self._sleep(self._next_s - self._ahead_s - now)
        self._next_s = max(now, self._next_s) + self._interval_s

    def _said(self, status: int, body: bytes) -> str:
        text = self._explain(status, body)
        return f", {text}" if text else ""


def is_loopback(url: str) -> bool:
    """Whether a URL's host is this machine by its name or address."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def wait_before(patience: Patience, attempt: int, jitter: random.Random) -> float:
    """Seconds to wait after a failed try, the first of which is number 0."""
    return patience.backoff_s * 2**attempt * (1 + jitter.random())


def _retry_after_s(headers: Mapping[str, str]) -> float | None:
    value = headers.get("Retry-After", "").strip()
    if value.isdigit():
        return min(float(value), MAX_RETRY_AFTER_S)
    try:
        until = parsedate_to_datetime(value)
    except (TypeError, ValueError):
        return None
    if until.tzinfo is None:
        until = until.replace(tzinfo=timezone.utc)
    seconds = (until - datetime.now(timezone.utc)).total_seconds()
    return min(max(seconds, 0.0), MAX_RETRY_AFTER_S)


def _hint(status: int, headers: Mapping[str, str]) -> str | None:
    if status in (301, 302, 303, 307, 308):
        return f"the address it moved to: {headers.get('Location', 'not told')}"
    return None
