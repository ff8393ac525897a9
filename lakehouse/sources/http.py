"""GET with retries, bounded bodies and clear errors: what every API connector asks through."""

from __future__ import annotations

import ipaddress
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import requests

from goldlake_core.contracts.errors import PermanentError, RetryableError
from lakehouse.sources.base import Traffic

RETRIED_STATUSES = frozenset({202, 408, 429, 500, 502, 503, 504})
MAX_BODY_BYTES = 256 * 2**20
MAX_WAIT_S = 60.0

_BROKEN = (
    requests.exceptions.ConnectionError,
    requests.exceptions.Timeout,
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.ContentDecodingError,
)


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


class Http:
    """Asks one host. Not for several threads.

    Args:
        traffic: Counters that every request adds to.
        headers: Sent with every request, such as an app token; never written anywhere.
        attempts: Tries of one request before it fails.
        backoff_s: Wait before the second try; doubled with each further one, up to a minute.
        timeout_s: Read timeout in seconds.
        sleep: Waits; a parameter so that tests need not.
        explain: Text for a person from a status and an error body, or None for the standard one.
    """

    def __init__(
        self,
        traffic: Traffic,
        *,
        headers: Mapping[str, str] | None = None,
        attempts: int = 8,
        backoff_s: float = 0.5,
        timeout_s: float = 120.0,
        sleep: Callable[[float], None] = time.sleep,
        explain: Callable[[int, bytes], str | None] = lambda status, body: None,
    ) -> None:
        self._traffic = traffic
        self._session = requests.Session()
        self._session.headers.update({"Accept": "application/json", "User-Agent": "goldlake"})
        self._session.headers.update(headers or {})
        self._attempts = attempts
        self._backoff_s = backoff_s
        self._timeout_s = timeout_s
        self._sleep = sleep
        self._explain = explain
        self._jitter = random.Random(0)

    def get(self, url: str) -> Response:
        """The answer to a GET, after as many tries as allowed.

        Raises:
            RetryableError: Every try met a fault that may pass.
            PermanentError: The server refuses, or answers more than 256 MiB.
        """
        problem = ""
        for attempt in range(self._attempts):
            if attempt:
                self._traffic.retries += 1
            self._traffic.requests += 1
            wait_s = self._backoff_s * 2**attempt * (1 + self._jitter.random())
            try:
                status, response = self._once(url)
            except _BROKEN as error:
                problem = f"the connection failed ({type(error).__name__})"
            else:
                if status == 200:
                    return response
                problem = f"HTTP {status}{self._said(status, response.body)}"
                if status not in RETRIED_STATUSES:
                    raise PermanentError(
                        f"GET {url} was refused: {problem}", hint=_hint(status, response.headers)
                    )
                wait_s = _retry_after_s(response.headers) or wait_s
            if attempt + 1 < self._attempts:
                self._sleep(min(wait_s, MAX_WAIT_S))
        raise RetryableError(
            f"GET {url} failed {self._attempts} times; the last time {problem}",
            hint="the same command again, later: it goes on where it stopped",
        )

    def close(self) -> None:
        """Closes the connections."""
        self._session.close()

    def _once(self, url: str) -> tuple[int, Response]:
        # A proxy of the environment must not stand between us and this machine.
        self._session.trust_env = not is_loopback(url)
        with self._session.get(
            url, timeout=(10.0, self._timeout_s), stream=True, allow_redirects=False
        ) as answer:
            parts, size = [], 0
            for part in answer.iter_content(1 << 20):
                parts.append(part)
                size += len(part)
                if size > MAX_BODY_BYTES:
                    raise PermanentError(
                        f"GET {url} answered more than {MAX_BODY_BYTES >> 20} MiB",
                        hint="a smaller page_rows in the contract's source",
                    )
            self._traffic.bytes += size
            return answer.status_code, Response(url, b"".join(parts), answer.headers)

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


def _retry_after_s(headers: Mapping[str, str]) -> float | None:
    value = headers.get("Retry-After", "")
    return float(value) if value.isdigit() else None


def _hint(status: int, headers: Mapping[str, str]) -> str | None:
    if status in (301, 302, 303, 307, 308):
        return f"the address it moved to: {headers.get('Location', 'not told')}"
    return None
