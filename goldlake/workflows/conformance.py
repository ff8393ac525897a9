"""Asks a server what TensorFlow Serving's answers are known for, and compares."""

from __future__ import annotations

import http.client
import json
import math
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from goldlake.workflows.launch import module_command
from goldlake_core.contracts.errors import GoldlakeError, UsageError
from goldlake_core.documents.conformance import Conformance, ConformanceModels, Difference
from goldlake_core.storage.files import writing
from serving.client import ServerUnreachable
from serving.conformance_cases import METRICS, Case, Expected, cases

_TIMEOUT_S = 60.0
_TOLERANCE = 1e-6
MODELS = ("line", "echo", "pair", "constants", "examples")
_SHOWN_CHARACTERS = 200
WRITE_MODELS = "goldlake conformance --write-models FOLDER"


class ModelsNotWritten(GoldlakeError):
    """The process that writes the models failed."""


def compare(url: str) -> Conformance:
    """Asks every case and returns what is different.

    Args:
        url: Base URL of a server that serves the models of `write_models`.

    Raises:
        UsageError: The URL is none, or the server does not serve these models.
        ServerUnreachable: Nobody answers there.
    """
    server = _Server(url)
    server.require_models()
    switches = server.switches()
    skipped: list[str] = []
    differences: list[Difference] = []
    asked = 0
    for case in cases():
        if case.needs and case.needs not in switches:
            skipped.append(case.name)
            continue
        asked += 1
        body = b""
        try:
            status, headers, body = server.ask(case)
            problems = tuple(_problems(case.expected, status, headers, body))
        except ServerUnreachable as error:
            problems = (error.problem,)
        if problems:
            differences.append(
                Difference(
                    case=case.name,
                    request=f"{case.method} {case.path}",
                    problems=problems,
                    answer=body.decode("utf-8", "replace")[:_SHOWN_CHARACTERS],
                )
            )
    return Conformance(
        url=url,
        asked=asked,
        equal=asked - len(differences),
        skipped=tuple(skipped),
        differences=tuple(differences),
    )


def write_models(folder: str) -> ConformanceModels:
    """Writes the models that the cases ask, and a ``models.config`` for them.

    Args:
        folder: A folder that does not exist or is empty.

    Raises:
        UsageError: The folder holds something.
        StoreError: The folder cannot be made.
        ModelsNotWritten: TensorFlow could not write them.
    """
    place = Path(folder).absolute()
    if place.exists() and (not place.is_dir() or any(place.iterdir())):
        raise UsageError(f"{place} holds something", valid="a folder that is empty or not there")
    with writing(str(place)):
        place.mkdir(parents=True, exist_ok=True)
    command = module_command("tfx_pipeline.conformance_models", str(place))
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    config = place / "models.config"
    if done.returncode or not config.exists():
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise ModelsNotWritten(
            f"The models were not written: exit status {done.returncode}, {last}",
            hint=f"rm -r {place}, then once more",
        )
    return ConformanceModels(folder=str(place), models_config=str(config))


class _Server:
    """A server that is asked over one connection per request."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        try:
            port = parts.port
        except ValueError:
            port = -1
        if parts.scheme not in ("http", "https") or not parts.hostname or port == -1:
            raise UsageError(
                f"{url!r} is not the address of a server", valid="http://127.0.0.1:8501"
            )
        kinds = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}
        self._url = url
        self._connection = kinds[parts.scheme]
        self._address = parts.hostname, port
        self._prefix = parts.path.rstrip("/")

    def ask(self, case: Case) -> tuple[int, Mapping[str, str], bytes]:
        """Status, headers by lower-case name, and body of the answer to a case.

        Raises:
            ServerUnreachable: There was none.
        """
        connection = self._connection(*self._address, timeout=_TIMEOUT_S)
        try:
            connection.putrequest(case.method, self._prefix + case.path, skip_accept_encoding=True)
            for name, value in case.headers.items():
                connection.putheader(name, value)
            if case.body or case.method in ("POST", "PUT"):
                connection.putheader("Content-Length", str(len(case.body)))
            connection.endheaders(case.body or None)
            answer = connection.getresponse()
            headers = {name.lower(): value for name, value in answer.getheaders()}
            return answer.status, headers, answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise ServerUnreachable(
                f"No answer from {self._url}: {type(error).__name__}: {error}",
                hint="goldlake serve --model-config-file FOLDER/models.config",
            ) from error
        finally:
            connection.close()

    def require_models(self) -> None:
        """Raises UsageError where the models are not all served."""
        for name in MODELS:
            look = Case("", "GET", f"/v1/models/{name}", b"", Expected(200))
            status, _, _ = self.ask(look)
            if status != 200:
                raise UsageError(
                    f"{self._url} does not serve the model {name!r} of the cases",
                    valid=f"a server of {', '.join(MODELS)}",
                    hint=WRITE_MODELS,
                )

    def switches(self) -> set[str]:
        """Which way the server's switches are, in the words of `Case.needs`."""
        _, headers, _ = self.ask(Case("", "GET", "/v1/models/line", b"", Expected(200)))
        status, _, _ = self.ask(Case("", "GET", METRICS, b"", Expected(200)))
        return {
            "cors" if "access-control-allow-origin" in headers else "no cors",
            "metrics" if status == 200 else "no metrics",
        }


def _problems(
    expected: Expected, status: int, headers: Mapping[str, str], body: bytes
) -> Iterator[str]:
    if status != expected.status:
        yield f"status is {status}, not {expected.status}"
    text = body.decode("utf-8", "replace")
    try:
        document = json.loads(text)
    except ValueError:
        document = None
    if expected.document is not None and not is_equal(expected.document, document):
        yield f"the document is not {json.dumps(expected.document)}"
    if expected.part is not None and not is_equal(expected.part, document, is_part=True):
        yield f"the document does not hold {json.dumps(expected.part)}"
    error = document.get("error") if isinstance(document, dict) else None
    if expected.error is not None and error != expected.error:
        yield f"the error is not {expected.error!r}"
    for part in expected.error_parts:
        if not isinstance(error, str) or part not in error:
            yield f"the error does not hold {part!r}"
    for part in expected.body_parts:
        if part not in text:
            yield f"the body does not hold {part!r}"
    if not headers.get("content-type", "").startswith(expected.content_type):
        yield f"the content type is not {expected.content_type}"
    for name, value in expected.headers.items():
        if headers.get(name.lower()) != value:
            yield f"the header {name} is {headers.get(name.lower())!r}, not {value!r}"
    if expected.is_empty and body:
        yield "the body is not empty"
    if expected.is_no_document and isinstance(document, dict):
        yield "the body is a JSON object"


def is_equal(expected: Any, found: Any, *, is_part: bool = False) -> bool:
    """Whether two JSON values are the same, with a tolerance for numbers with a fraction.

    Args:
        expected: The value wanted.
        found: The value received.
        is_part: Whether objects may have further keys.
    """
    if type(expected) is not type(found):
        return False
    if isinstance(expected, float):
        is_nan = math.isnan(expected) and math.isnan(found)
        return is_nan or expected == found or math.isclose(expected, found, rel_tol=_TOLERANCE)
    if isinstance(expected, dict):
        return (is_part or expected.keys() == found.keys()) and all(
            key in found and is_equal(value, found[key], is_part=is_part)
            for key, value in expected.items()
        )
    if isinstance(expected, list):
        return len(expected) == len(found) and all(
            is_equal(one, other, is_part=is_part)
            for one, other in zip(expected, found, strict=True)
        )
    return bool(expected == found)
