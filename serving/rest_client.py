"""Calls of TF Serving's REST API over connections that are kept open."""

from __future__ import annotations

import base64
import json
import ssl
import time
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

import msgspec
import urllib3

from goldlake_core.contracts.errors import UsageError
from serving.calls import (
    DEFAULT_SIGNATURE,
    MAX_ANSWER_BYTES,
    Asked,
    InputSpec,
    ServerBusy,
    ServerRefused,
    ServerUnreachable,
    no_answer,
    no_signature,
)
from serving.documents import ModelMetadata, ModelStatus, Predicted

T = TypeVar("T")
_CHUNK_BYTES = 1 << 20
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


class RestTransport:
    """A `serving.calls.Transport` over HTTP. Redirects are not followed.

    Proxies are taken from the environment (``HTTPS_PROXY``, ``NO_PROXY``), never for loopback.

    Args:
        url: Base URL of the server, such as ``http://127.0.0.1:8501``.
        connections: How many are kept open at most.
        token: Bearer token to send, or "".
        ca_file: File of certificates to trust in place of the system's, or None.

    Raises:
        UsageError: The URL is not one of HTTP, or the file holds no certificates.
    """

    def __init__(
        self, url: str, *, connections: int = 1, token: str = "", ca_file: str | None = None
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UsageError(
                f"{url!r} cannot be asked",
                valid="http://HOST:PORT, https://HOST:PORT, grpc://HOST:PORT or grpcs://HOST:PORT",
            )
        self.url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        settings: dict[str, Any] = {"maxsize": connections, "block": True}
        if parts.scheme == "https":
            settings["ssl_context"] = _tls(ca_file)
        proxy = _proxy(parts.scheme, parts.hostname)
        self._pools = (
            urllib3.ProxyManager(proxy, **settings) if proxy else urllib3.PoolManager(**settings)
        )

    def predict(self, asked: Asked, rows: Sequence[Any], timeout_s: float) -> list[Any]:
        """See `serving.calls.Transport.predict`."""
        body: dict[str, object] = {"instances": [jsonable(row) for row in rows]}
        if asked.signature_name is not None:
            body["signature_name"] = asked.signature_name
        address = self.address(asked.model, asked.version, asked.label) + ":predict"
        found = self._ask(address, body, timeout_s, Predicted, asked.headers).predictions
        if len(found) != len(rows):
            text = f"{len(found)} predictions for {len(rows)} rows"
            raise ServerRefused(address, 200, text)
        return found

    def states(self, model: str, timeout_s: float) -> dict[int, tuple[str, str]]:
        """See `serving.calls.Transport.states`."""
        return self.version_states(model, None, timeout_s)

    def version_states(
        self, model: str, version: int | None, timeout_s: float
    ) -> dict[int, tuple[str, str]]:
        """Returns state and error text of one version, or of all without a version."""
        answer = self._ask(self.address(model, version, None), None, timeout_s, ModelStatus)
        return {
            int(entry.version): (entry.state, entry.status.error_message)
            for entry in answer.model_version_status
        }

    def inputs(self, asked: Asked, timeout_s: float) -> tuple[InputSpec, ...]:
        """See `serving.calls.Transport.inputs`."""
        document = self.metadata(asked, timeout_s)
        signatures = document.metadata.signature_def.signature_def
        found = signatures.get(asked.signature_name or DEFAULT_SIGNATURE)
        if found is None:
            raise no_signature(asked, signatures, self.address(asked.model, asked.version, None))
        return tuple(
            InputSpec(name, spec.dtype.removeprefix("DT_").lower())
            for name, spec in found.inputs.items()
        )

    def metadata(self, asked: Asked, timeout_s: float) -> ModelMetadata:
        """Returns the server's metadata document of a version."""
        address = self.address(asked.model, asked.version, asked.label) + "/metadata"
        return self._ask(address, None, timeout_s, ModelMetadata)

    def close(self) -> None:
        """Closes every connection."""
        self._pools.clear()

    def address(self, model: str, version: int | None, label: str | None) -> str:
        """Returns the URL of a model, of one of its versions, or of a label."""
        address = f"{self.url}/v1/models/{quote(model, safe='')}"
        if label is not None:
            return f"{address}/labels/{quote(label, safe='')}"
        return address if version is None else f"{address}/versions/{version}"

    def _ask(
        self,
        address: str,
        body: Mapping[str, object] | None,
        timeout_s: float,
        kind: type[T],
        headers: Mapping[str, str] | None = None,
    ) -> T:
        status, found, content = self._exchange(address, body, timeout_s, headers or {})
        try:
            document = json.loads(content.decode("utf-8"))
        except ValueError:
            document = None
        if status != 200 or not isinstance(document, dict):
            text = document.get("error") if isinstance(document, dict) else None
            shown = str(text or content.decode("utf-8", "replace").strip()[:200])
            wait_s = _wait_s(found.get("Retry-After"))
            # Without a time 429 means that the request is too large, and it stays so.
            if status in (503, 504) or (status == 429 and wait_s is not None):
                raise ServerBusy(address, status, shown, wait_s)
            raise ServerRefused(address, status, shown)
        try:
            return msgspec.convert(document, kind)
        except msgspec.ValidationError as error:
            raise ServerRefused(address, 200, f"not an answer of TF Serving: {error}") from error

    def _exchange(
        self,
        address: str,
        body: Mapping[str, object] | None,
        timeout_s: float,
        headers: Mapping[str, str],
    ) -> tuple[int, Mapping[str, str], bytes]:
        until = time.monotonic() + timeout_s
        sent = {**self._headers, **headers}
        data = None
        if body is not None:
            # The encoder writes NaN as the bare token, which is how a missing number travels.
            data = json.dumps(body, separators=(",", ":")).encode("ascii")
            sent["Content-Type"] = "application/json"
        try:
            answer = self._pools.request(
                "GET" if data is None else "POST",
                address,
                body=data,
                headers=sent,
                timeout=urllib3.Timeout(total=timeout_s),
                retries=False,
                redirect=False,
                preload_content=False,
            )
            try:
                content = _content(answer, address, until, timeout_s)
            except BaseException:
                answer.close()
                raise
            answer.release_conn()
        except urllib3.exceptions.NewConnectionError as error:  # a kind of time-out in urllib3
            raise no_answer(address, _reason(error)) from error
        except urllib3.exceptions.TimeoutError as error:
            raise _too_late(address, timeout_s) from error
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise no_answer(address, _reason(error)) from error
        return answer.status, answer.headers, content


def jsonable(value: Any) -> Any:
    """Returns a value as JSON has it: bytes become ``{"b64": …}``."""
    if isinstance(value, bytes):
        return {"b64": base64.b64encode(value).decode("ascii")}
    if isinstance(value, Mapping):
        return {name: jsonable(member) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(element) for element in value]
    return value


def _content(answer: Any, address: str, until: float, timeout_s: float) -> bytes:
    """The body. A server that sends it byte by byte does not hold the client beyond its time."""
    parts: list[bytes] = []
    size = 0
    # urllib3 1.26, which kfp asks for, has no `read1`: there a chunk has to be whole.
    read = getattr(answer, "read1", answer.read)
    while part := read(_CHUNK_BYTES):
        parts.append(part)
        size += len(part)
        if size > MAX_ANSWER_BYTES:
            text = f"an answer of more than {MAX_ANSWER_BYTES} bytes"
            raise ServerRefused(address, answer.status, text)
        if time.monotonic() > until:
            raise _too_late(address, timeout_s)
    return b"".join(parts)


def _too_late(address: str, timeout_s: float) -> ServerUnreachable:
    return no_answer(address, f"it took more than {timeout_s:.3g} s")


def _reason(error: BaseException) -> str:
    """The operating system's words where it has any."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
        cause = cause.__cause__ or cause.__context__
    return str(error) or type(error).__name__


def _wait_s(text: str | None) -> float | None:
    # A date, which is also allowed, counts as no time.
    return float(text) if text and text.isdecimal() else None


def _tls(ca_file: str | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:  # which ssl.SSLError is
        raise UsageError(
            f"{ca_file} cannot be used as certificates: {error.strerror or error}",
            valid="a file of certificates in PEM format",
        ) from error


def _proxy(scheme: str, host: str) -> str | None:
    if host in _LOOPBACK:
        return None
    from urllib.request import getproxies, proxy_bypass

    return None if proxy_bypass(host) else getproxies().get(scheme)
