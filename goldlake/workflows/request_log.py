"""Finds a request in the request log of a home. Read-only."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from goldlake_core.contracts.errors import UsageError
from goldlake_core.documents.lineage import RequestStep
from goldlake_core.storage.home import Home

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
    files = sorted((*place.glob("*.jsonl"), *place.glob("*.jsonl.open")), reverse=True)
    for file in files:
        lines = list(_lines(file, request_id))
        if lines:
            return _request(lines, file.name)
    raise UsageError(
        f"The request {request_id!r} of {model} is not in the request log {place}",
        valid="the X-Request-Id of an answer that was kept"
        if files
        else "nothing yet: the contract's serving.request_log says what is kept",
        hint="docs/request-log.md",
    )


def _lines(file: Path, request_id: str) -> Iterator[dict[str, Any]]:
    wanted = json.dumps(request_id).encode()
    with file.open("rb") as lines:
        for line in lines:
            # A line is a few hundred bytes: it is read as JSON only where the id is in it.
            if wanted in line and line.endswith(b"\n"):
                found = json.loads(line)
                if found.get("request_id") == request_id:
                    yield found


def _request(lines: list[dict[str, Any]], file: str) -> RequestStep:
    first = lines[0]
    keys = dict.fromkeys(str(line["record_key"]) for line in lines if line.get("record_key"))
    return RequestStep(
        request_id=str(first["request_id"]),
        at=str(first["at"]),
        model=str(first["model"]),
        version=first.get("version"),
        label=first.get("label") or None,
        status=str(first["status"]),
        rows=int(first.get("rows") or 0),
        record_keys=tuple(keys)[:MOST_KEYS],
        outputs=first.get("outputs") or {},
        file=file,
    )
