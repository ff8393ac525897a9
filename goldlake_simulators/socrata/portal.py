"""The simulated portal as an ASGI application: HTTP around `query.answer`.

``GET /resource/ID.json`` speaks SODA 2.x, ``GET /api/views/ID.json`` has the metadata of the data
set, and ``GET /`` tells what is served. Every answer carries the
header X-Goldlake-Source with the rows' identity, which is the same on any port, and their inputs.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qsl

import msgspec
import orjson

from goldlake_core.asgi import Receive, Scope, Send
from goldlake_core.documents import codec
from goldlake_core.documents.lakehouse import Identity
from goldlake_core.instants import of_text
from goldlake_simulators.clock import Clock
from goldlake_simulators.faults import SLOW_S, Faults
from goldlake_simulators.replies import Reply, sent
from goldlake_simulators.socrata.dataset import Dataset
from goldlake_simulators.socrata.query import answer
from goldlake_simulators.socrata.records import EPOCH
from goldlake_simulators.socrata.values import SoqlError
from lakehouse.sources.told import Told

_FAULT_ANSWERS = {
    202: ("processing", "Request processing. Please retry."),
    400: ("query.compiler.malformed", "Could not parse SoQL query"),
    401: ("authentication_required", "Authentication required"),
    403: ("permission_denied", "Invalid app_token specified"),
    404: ("dataset.missing", "Not found"),
    429: ("too-many-requests", "Too many requests"),
    500: ("internal-error", "Internal error"),
    502: ("bad-gateway", "Bad gateway"),
    503: ("unavailable", "Service unavailable"),
    504: ("timeout", "Request timed out"),
}


class About(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to ``GET /``: what is served.

    Attributes:
        dataset: Id of the data set.
        path: Path of its rows.
        identity: Which source they come from.
        inputs: What they are made from.
        rows: Number of rows.
        versions: Number of their versions.
        earliest: Instant of the first version, as ``from``.
        latest: Instant of the last version, as ``until``.
        at: The portal's instant, or null for the end of all times.
        speed: Seconds that pass at the portal in one second, or null.
    """

    dataset: str
    path: str
    identity: Identity
    inputs: Identity
    rows: int
    versions: int
    earliest: str | None = msgspec.field(name="from")
    latest: str | None = msgspec.field(name="until")
    at: str | None
    speed: float | None


@dataclass(frozen=True)
class View:
    """What a portal says of a data set.

    Attributes:
        title: Name of the data set.
        description: A paragraph about it.
        licence: Terms under which it may be used.
        comments: What it says about a column, by field.
    """

    title: str
    description: str
    licence: str
    comments: Mapping[str, str]


_UNTOLD = View("", "", "", {})


class Portal:
    """The application. One data set; read-only.

    Attributes:
        dataset_id: The data set's 4x4 id.
        dataset: The rows that the portal publishes.
        told: What the header says of the data set's rows.
        clock: Which versions are visible.
        faults: What goes wrong on request.
        view: What the portal says of the data set, but for its columns' types.
    """

    def __init__(
        self,
        dataset_id: str,
        dataset: Dataset,
        told: Told,
        clock: Clock,
        faults: Faults,
        view: View = _UNTOLD,
    ) -> None:
        self.dataset_id = dataset_id
        self.dataset = dataset
        self.told = told
        self.clock = clock
        self.faults = faults
        self.view = view

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request (ASGI)."""
        if scope["type"] != "http":
            return
        is_data = scope["path"].startswith("/resource/")
        fault = self.faults.next() if is_data else None
        if fault == "slow":
            await asyncio.sleep(SLOW_S)
        if fault is not None and fault.isdigit():
            reply = _error(int(fault), *_FAULT_ANSWERS[int(fault)], data={})
        else:
            reply = self.reply(
                scope["method"],
                scope["path"],
                scope["query_string"].decode("latin-1"),
                {k.decode("latin-1"): v.decode("latin-1") for k, v in scope["headers"]},
            )
        has_body = scope["method"] != "HEAD"
        await sent(send, reply, self.told, has_body=has_body, is_cut=fault == "cut")

    def reply(self, method: str, path: str, query: str, headers: Mapping[str, str]) -> Reply:
        """The answer to a request, without the socket.

        Args:
            method: Method of the HTTP request.
            path: Path of the request, decoded.
            query: Query string as sent.
            headers: By lower-case name.
        """
        if method not in ("GET", "HEAD"):
            return _error(405, "method_not_allowed", f"{method} is not allowed", data={})
        if path == "/":
            return Reply(200, orjson.dumps(codec.plain(self.about())) + b"\n", {})
        if path == f"/api/views/{self.dataset_id}.json":
            return Reply(200, orjson.dumps(self._metadata()) + b"\n", {})
        if path != f"/resource/{self.dataset_id}.json":
            wanted = path.rsplit("/", 1)[-1].removesuffix(".json")
            return _error(404, "dataset.missing", "Not found", data={"id": wanted})
        try:
            parameters = parse_qsl(query, keep_blank_values=True, errors="strict")
            return self._rows(parameters, headers.get("if-none-match"))
        except SoqlError as error:
            return _error(400, error.code, str(error), data={"query": query})
        except (RecursionError, UnicodeDecodeError, OverflowError) as error:
            return _error(400, "query.compiler.malformed", str(error), data={})

    def about(self) -> About:
        """What is served: data set, identity, rows and versions, the portal's time."""
        return About(
            dataset=self.dataset_id,
            path=f"/resource/{self.dataset_id}.json",
            identity=self.told.identity,
            inputs=self.told.inputs,
            rows=len(self.dataset),
            versions=self.dataset.versions,
            earliest=self.dataset.earliest,
            latest=self.dataset.latest,
            at=self.clock.at(),
            speed=self.clock.speed,
        )

    def _metadata(self) -> dict[str, object]:
        columns = [
            {
                "name": field.replace("_", " ").title(),
                "fieldName": field,
                "dataTypeName": kind,
                "description": self.view.comments.get(field, ""),
            }
            for field, kind in self.dataset.types.items()
        ]
        return {
            "id": self.dataset_id,
            "name": self.view.title,
            "description": self.view.description,
            "license": {"name": self.view.licence},
            "columns": columns,
        }

    def _rows(self, parameters: list[tuple[str, str]], known_tag: str | None) -> Reply:
        at = self.clock.at()
        result = answer(parameters, self.dataset, at)
        tag = f'W/"{hashlib.blake2b(result.body, digest_size=12).hexdigest()}"'
        headers = {
            "ETag": tag,
            "X-SODA2-Fields": json.dumps(list(result.types)),
            "X-SODA2-Types": json.dumps(list(result.types.values())),
            "Last-Modified": self._last_modified(at),
        }
        if known_tag == tag:
            return Reply(304, b"", headers)
        return Reply(200, result.body, headers)

    def _last_modified(self, at: str | None) -> str:
        newest = self.dataset.latest or EPOCH
        text = min(newest, at) if at else newest
        instant = of_text(text)
        return format_datetime(instant, usegmt=True)


def _error(status: int, code: str, message: str, *, data: Mapping[str, Any]) -> Reply:
    document = {"code": code, "error": True, "message": message, "data": dict(data)}
    return Reply(status, orjson.dumps(document) + b"\n", {})
