"""A client of TF Serving's REST API: the embedded server or a real one.

For example::

    predict("http://127.0.0.1:8501", "toy.color", [{"hue": 0.2, "name": "red"}])
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import quote

import msgspec
import requests

from goldlake_core.contracts.errors import PermanentError, RetryableError
from serving.documents import ModelMetadata, ModelStatus, Predicted

T = TypeVar("T")
TIMEOUT_S = 60.0
_RETRYABLE = frozenset({429, 503, 504})


class ServerRefused(PermanentError):
    """The server answered with an error.

    Attributes:
        status: Status code of the HTTP answer.
        text: The server's own message.
    """

    def __init__(self, url: str, status: int, text: str) -> None:
        self.url = url
        self.status = status
        self.text = text
        super().__init__(f"{url} answered {status}: {text}")


class ServerBusy(ServerRefused, RetryableError):
    """The server answered that it cannot now (429, 503, 504)."""

    is_retryable = True


class ServerUnreachable(RetryableError):
    """There was no answer."""


class NotAvailable(RetryableError):
    """A version did not become available in time, or could not be loaded."""


def predict(
    url: str,
    model: str,
    instances: Sequence[Any],
    signature_name: str | None = None,
    version: int | None = None,
    label: str | None = None,
    timeout_s: float = TIMEOUT_S,
) -> list[Any]:
    """What a model answers, one prediction per instance (row format).

    Args:
        url: The server, such as ``http://127.0.0.1:8501``.
        model: Name that the model is served under.
        instances: Plain values, or mappings with every input of the signature; NaN is sent as the
            bare token, bytes as ``{"b64": …}``.
        signature_name: None for the default one.
        version: A version number; the newest available one without it.
        label: A version label, in place of ``version``.
        timeout_s: For the connection and for the answer.

    Raises:
        ServerRefused: With the server's text.
        ServerUnreachable: No answer.
    """
    body: dict[str, object] = {"instances": [_jsonable(instance) for instance in instances]}
    if signature_name is not None:
        body["signature_name"] = signature_name
    address = _address(url, model, version, label) + ":predict"
    return _ask(address, body, timeout_s, Predicted).predictions


def status(
    url: str, model: str, version: int | None = None, timeout_s: float = TIMEOUT_S
) -> dict[int, str]:
    """State by version (``START``, ``LOADING``, ``AVAILABLE``, ``UNLOADING``, ``END``).

    Raises:
        ServerRefused: With the server's text; status 404 for a model it does not know.
        ServerUnreachable: No answer.
    """
    return {v: state for v, (state, _) in _status(url, model, version, timeout_s).items()}


def version_state(
    url: str, model: str, version: int, timeout_s: float = TIMEOUT_S
) -> tuple[str, str]:
    """State of one version, and why it is in that state ("" where there is nothing to say).

    Raises:
        ServerRefused: With the server's text; status 404 for a version it does not know.
        ServerUnreachable: No answer.
    """
    return _status(url, model, version, timeout_s)[version]


def metadata(
    url: str,
    model: str,
    version: int | None = None,
    label: str | None = None,
    timeout_s: float = TIMEOUT_S,
) -> ModelMetadata:
    """The server's metadata document.

    Raises:
        ServerRefused: With the server's text.
        ServerUnreachable: No answer.
    """
    return _ask(_address(url, model, version, label) + "/metadata", None, timeout_s, ModelMetadata)


def wait_available(
    url: str, model: str, version: int, timeout_s: float = 60.0, poll_wait_s: float = 0.2
) -> None:
    """Returns when a version is available.

    Args:
        url: Base URL of the server.
        model: Name that the model is served under.
        version: Number of the version.
        timeout_s: How long to wait at most.
        poll_wait_s: Between two looks.

    Raises:
        NotAvailable: The time is over, or the version could not be loaded.
    """
    until = time.monotonic() + timeout_s
    while True:
        try:
            state, text = _status(url, model, version, TIMEOUT_S)[version]
        except ServerRefused as error:
            state, text = "", error.text
        except ServerUnreachable as error:
            state, text = "", error.problem
        if state == "AVAILABLE":
            return
        is_failed = state == "END" and text
        if is_failed or time.monotonic() >= until:
            raise NotAvailable(
                f"{model}@{version} is not available at {url}"
                + (f" after {timeout_s:g} s" if not is_failed else "")
                + f": {' '.join(filter(None, (state, text)))}",
                hint=f"curl {_address(url, model, None, None)}",
            )
        time.sleep(poll_wait_s)


def wait_label(
    url: str,
    model: str,
    label: str,
    version: int,
    timeout_s: float = 60.0,
    poll_wait_s: float = 0.2,
) -> None:
    """Returns when a label answers with a version.

    Raises:
        NotAvailable: The time is over.
    """
    until = time.monotonic() + timeout_s
    while True:
        try:
            found = metadata(url, model, label=label).model_spec.version
        except (ServerRefused, ServerUnreachable) as error:
            found = error.problem
        if found == str(version):
            return
        if time.monotonic() >= until:
            raise NotAvailable(
                f"The label {label!r} of {model} is not at version {version} at {url} after "
                f"{timeout_s:g} s: {found}",
                hint="look into the server's log: it says why it refuses models.config",
            )
        time.sleep(poll_wait_s)


def _address(url: str, model: str, version: int | None, label: str | None) -> str:
    address = f"{url.rstrip('/')}/v1/models/{quote(model, safe='')}"
    if label is not None:
        return f"{address}/labels/{quote(label, safe='')}"
    return address if version is None else f"{address}/versions/{version}"


def _status(
    url: str, model: str, version: int | None, timeout_s: float
) -> dict[int, tuple[str, str]]:
    answer = _ask(_address(url, model, version, None), None, timeout_s, ModelStatus)
    return {
        int(entry.version): (entry.state, entry.status.error_message)
        for entry in answer.model_version_status
    }


def _ask(address: str, body: Mapping[str, object] | None, timeout_s: float, kind: type[T]) -> T:
    try:
        if body is None:
            answer = requests.get(address, timeout=timeout_s)
        else:
            # requests' own encoder refuses NaN, which is how a missing number travels.
            answer = requests.post(
                address,
                data=json.dumps(body, ensure_ascii=False).encode("utf-8"),
                headers={"Content-Type": "application/json"},
                timeout=timeout_s,
            )
    except requests.RequestException as error:
        raise ServerUnreachable(
            f"No answer from {address}: {error}",
            hint="goldlake serve, or name another server with --url",
        ) from error
    try:
        document = json.loads(answer.content.decode("utf-8"))
    except ValueError:
        document = None
    if answer.status_code != 200 or not isinstance(document, dict):
        text = document.get("error") if isinstance(document, dict) else None
        refusal = ServerBusy if answer.status_code in _RETRYABLE else ServerRefused
        raise refusal(address, answer.status_code, str(text or answer.text.strip()[:200]))
    try:
        return msgspec.convert(document, kind)
    except msgspec.ValidationError as error:
        raise ServerRefused(address, 200, f"not an answer of TF Serving: {error}") from error


def _jsonable(value: Any) -> Any:
    if isinstance(value, bytes):
        return {"b64": base64.b64encode(value).decode("ascii")}
    if isinstance(value, Mapping):
        return {name: _jsonable(member) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [_jsonable(element) for element in value]
    return value
