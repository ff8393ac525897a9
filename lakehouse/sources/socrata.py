"""Reads a Socrata data set by key: ``:updated_at``, then ``:id``, never a bare offset.

A landed line is the record's exact bytes, as the portal sent them. Only a record that is spread
over several lines is written again, as compact JSON: a landed record is one line.

An app token is taken from SOCRATA_APP_TOKEN and sent over https only. It is optional, stays in a
header and so never enters a URL, the manifest or a log.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any, TypeAlias
from urllib.parse import quote, urlsplit

import msgspec
import orjson

from goldlake_core.contracts.errors import PermanentError, UsageError
from goldlake_core.contracts.sections import UseCase
from goldlake_core.documents.lakehouse import Identity
from lakehouse.landing import Cursor
from lakehouse.sources.base import Located, Page, SourceKind, Traffic, json_line, options_of
from lakehouse.sources.http import Http, Response

TOKEN_VARIABLE = "SOCRATA_APP_TOKEN"
IDENTITY_HEADER = "X-Goldlake-Source"
"""Header in which a simulator says which data set it serves; the portal itself sends none."""
MAX_LIMIT = 50_000
"""Most rows per page (SODA 2.1, `$limit`)."""
OPTIONS: Mapping[str, Any] = {"attempts": 8, "backoff_s": 0.5, "timeout_s": 120.0}

Record: TypeAlias = Mapping[str, object]
"""A row as the portal sent it, by field; the contract says later what its values are."""

_ORDER = ":updated_at,:id"
_SAFE = "$:,*@_-.()'="


class SocrataConnector:
    """A `lakehouse.sources.base.Connector` for one data set at one address.

    Args:
        usecase: Its source's data set, page size, time field and options (attempts, backoff_s,
            timeout_s) are used.
        address: Base URL; "" for the contract's own.

    Raises:
        UsageError: The address is not an http(s) URL, the page size over 50,000, an option unknown.
    """

    def __init__(self, usecase: UseCase, address: str = "") -> None:
        source = usecase.source
        self.traffic = Traffic()
        self._source = source
        self._address = _base_url(address or source.address)
        if not 0 < source.page_rows <= MAX_LIMIT:
            raise UsageError(
                f"source.page_rows is {source.page_rows}", valid=f"1 to {MAX_LIMIT} rows per page"
            )
        options = options_of(source, OPTIONS)
        token = os.environ.get(TOKEN_VARIABLE, "")
        has_token = bool(token) and self._address.startswith("https://")
        self._http = Http(
            self.traffic,
            headers={"X-App-Token": token} if has_token else None,
            attempts=int(options["attempts"]),
            backoff_s=float(options["backoff_s"]),
            timeout_s=float(options["timeout_s"]),
            explain=_explained,
        )

    def identity(self) -> Identity:
        """A simulator's own account of its rows, or kind, address and data set; asks for a row."""
        response = self._http.get(self._url({"$select": ":id", "$limit": "1"}))
        _rows(response)
        told = response.headers.get(IDENTITY_HEADER)
        if told is None:
            dataset = self._source.dataset
            return Located(kind="socrata", address=self._address, dataset=dataset).identity()
        try:
            identity = json.loads(told)
        except ValueError:
            identity = None
        if not isinstance(identity, dict):
            raise PermanentError(
                f"{self._address} sent {IDENTITY_HEADER}: {told[:200]!r}, not JSON"
            )
        return identity

    def page(self, cursor: Cursor | None, since: str | None, until: str | None) -> Page:
        """The page that follows a cursor, ordered by (:updated_at, :id); see `Connector.page`."""
        size = self._source.page_rows
        parameters = {"$select": ":*,*", "$order": _ORDER, "$limit": str(size)}
        condition = self._condition(cursor, since, until)
        if condition:
            parameters["$where"] = condition
        response = self._http.get(self._url(parameters))
        rows = _rows(response)
        if len(rows) > size:
            raise PermanentError(f"GET {response.url} answered {len(rows)} rows, more than asked")
        last = _cursor(rows[-1]) if rows else None
        return Page(_lines(response, rows), response.url, last, is_last=len(rows) < size)

    def resumed(self, cursor: Cursor | None, rows: list[bytes]) -> Cursor:
        """The place of a landed page's last record: its ``:updated_at`` and ``:id``."""
        return _cursor(orjson.loads(rows[-1]))

    def count(self, cursor: Cursor | None, since: str | None, until: str | None) -> int | None:
        """How many records follow a cursor (``$select=count(*)``)."""
        parameters = {"$select": "count(*) as n"}
        condition = self._condition(cursor, since, until)
        if condition:
            parameters["$where"] = condition
        rows = _rows(self._http.get(self._url(parameters)))
        try:
            return int(str(rows[0]["n"]))
        except (IndexError, KeyError, ValueError):
            return None

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    def _condition(self, cursor: Cursor | None, since: str | None, until: str | None) -> str:
        parts = []
        if cursor:
            time, row = _text(cursor.value), _text(cursor.tiebreak)
            parts.append(f"(:updated_at > {time} or (:updated_at = {time} and :id > {row}))")
        for day, operator in ((since, ">="), (until, "<")):
            if day:
                parts.append(f"{self._source.time_field} {operator} {_text(day + 'T00:00:00.000')}")
        return " and ".join(parts)

    def _url(self, parameters: Mapping[str, str]) -> str:
        query = "&".join(f"{name}={quote(value, safe=_SAFE)}" for name, value in parameters.items())
        return f"{self._address}/resource/{quote(self._source.dataset)}.json?{query}"


def _base_url(address: str) -> str:
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query:
        raise UsageError(
            f"{address!r} is not the address of a Socrata portal",
            valid="live, or a URL such as http://127.0.0.1:8080",
        )
    if parts.username or parts.password:
        raise UsageError(
            f"The address of {parts.hostname} holds credentials",
            valid=f"an address without them; an app token goes into {TOKEN_VARIABLE}",
        )
    return address.rstrip("/")


def _rows(response: Response) -> list[Record]:
    kind = response.headers.get("Content-Type", "")
    if "json" not in kind:
        raise PermanentError(
            f"GET {response.url} answered {kind or 'no content type'}, not JSON",
            hint="check the address: something else than a Socrata portal answers there",
        )
    try:
        rows = orjson.loads(response.body)
    except ValueError as error:
        raise PermanentError(f"GET {response.url} answered broken JSON: {error}") from error
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise PermanentError(f"GET {response.url} answered JSON that is not an array of rows")
    return rows


def _lines(response: Response, rows: list[Record]) -> list[bytes]:
    try:
        texts = map(bytes, msgspec.json.decode(response.body, type=list[msgspec.Raw]))
    except RecursionError as error:
        raise PermanentError(f"GET {response.url} answered JSON nested too deeply") from error
    # JSON has line breaks between its tokens only: in a string they are escaped.
    return [
        json_line(row) if b"\n" in text or b"\r" in text else text
        for text, row in zip(texts, rows, strict=True)
    ]


def _cursor(row: Record) -> Cursor:
    time, row_id = row.get(":updated_at"), row.get(":id")
    if not isinstance(time, str) or not isinstance(row_id, str):
        raise PermanentError(
            f"A row came without :updated_at or :id: {str(dict(row))[:200]}",
            hint="check that the data set's portal serves system fields ($select=:*,*)",
        )
    return Cursor(time, row_id)


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _explained(status: int, body: bytes) -> str | None:
    try:
        document = orjson.loads(body)
    except ValueError:
        document = None
    said = ""
    if isinstance(document, dict):
        parts = (document.get("code"), document.get("message"))
        said = ": ".join(str(part)[:300] for part in parts if part)
    advice = {
        401: f"is {TOKEN_VARIABLE} a valid app token?",
        403: f"is {TOKEN_VARIABLE} a valid app token, and the data set public?",
        404: "is the data set's id right?",
        429: f"an app token in {TOKEN_VARIABLE} gets a separate quota",
    }.get(status)
    return "; ".join(part for part in (said, advice) if part) or None


KIND = SourceKind(connector=SocrataConnector, options=OPTIONS, updated_field=":updated_at")
