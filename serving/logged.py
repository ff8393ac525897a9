"""Finds a request in the request log of a home. Read-only."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import msgspec

from goldlake_core.contracts.errors import UsageError
from goldlake_core.documents.lineage import Output, RequestStep
from goldlake_core.storage.home import Home
from serving.logfile import DONE, OPEN, log_names


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """What is read of a line of the log; see `serving.requestlog`."""

    request_id: str
    at: str
    model: str
    status: str
    version: int | None = None
    label: str | None = None
    rows: int = 0
    record_key: str | None = None
    outputs: dict[str, Output] = {}


MOST_KEYS = 20
"""Record keys of one request that are shown."""


def find(model: str, request_id: str, home: Home, folder: str | None = None) -> RequestStep:
    """The lines of a request, as one answer.

    Files are read from the newest back, and not further than the one that has the request.

    Args:
        model: Name of the model, such as ``city_bikes.is_late``.
        request_id: The header ``X-Request-Id`` of the answer.
        home: Home whose log is read.
        folder: Folder of the log where the server was given another one.

    Raises:
        UsageError: The log does not have the request.
    """
    place = Path(folder or home.path("requests")) / model
    files = [name for suffix in (DONE, OPEN) for name in log_names(str(place), suffix)]
    for name in sorted(files, reverse=True):
        lines = list(_lines(place / name, request_id))
        if lines:
            return _request(lines, name)
    raise UsageError(
        f"The request {request_id!r} of {model} is not in the request log {place}",
        valid="the X-Request-Id of an answer that was kept"
        if files
        else "nothing yet: the contract's serving.request_log says what is kept",
        hint="docs/request-log.md",
    )


def _lines(file: Path, request_id: str) -> Iterator[Line]:
    wanted = json.dumps(request_id).encode()
    with file.open("rb") as lines:
        for line in lines:
            # A line is a few hundred bytes: it is read as JSON only where the id is in it.
            if wanted in line and line.endswith(b"\n"):
                found = msgspec.json.decode(line, type=Line)
                if found.request_id == request_id:
                    yield found


def _request(lines: list[Line], file: str) -> RequestStep:
    first = lines[0]
    keys = dict.fromkeys(line.record_key for line in lines if line.record_key)
    return RequestStep(
        request_id=first.request_id,
        at=first.at,
        model=first.model,
        version=first.version,
        label=first.label or None,
        status=first.status,
        rows=first.rows,
        record_keys=tuple(keys)[:MOST_KEYS],
        outputs=first.outputs,
        file=file,
    )
