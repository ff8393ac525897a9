"""Reads a Socrata data set by key: ``:updated_at``, then ``:id``, never a bare offset.

A landed line is the record's exact bytes, as the portal sent them; `lakehouse.sources.split` names
the two cases in which they are not one line.

A portal orders ``:id`` by the number that is encoded in it, so ids cannot be ordered by their
texts. The laws of keyset paging hold for ``:updated_at``; ids only tell rows of one instant apart.

An app token is taken from SOCRATA_APP_TOKEN and sent over https only. It is optional, stays in a
header and so never enters a URL, the manifest or a log.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlsplit

import msgspec
import orjson

from goldlake_core.contracts.errors import UsageError
from goldlake_core.contracts.sections import UseCase
from goldlake_core.documents.lakehouse import Identity
from goldlake_core.storage.landing import Cursor
from lakehouse.sources import split
from lakehouse.sources.base import (
    DataSet,
    Origin,
    Page,
    Paging,
    Patience,
    SourceKind,
    Traffic,
    options_of,
)
from lakehouse.sources.http import Http, Response, base_url
from lakehouse.sources.told import Told, told_by

TOKEN_VARIABLE = "SOCRATA_APP_TOKEN"
MAX_LIMIT = 50_000
"""Most rows per page (SODA 2.1, `$limit`)."""
OPTIONS: Mapping[str, Any] = {"attempts": 8, "backoff_s": 0.5, "timeout_s": 120.0}

_ROW_ID, _ROW_VERSION = ":id", ":updated_at"
_ORDER = f"{_ROW_VERSION},{_ROW_ID}"
_RESOURCE = re.compile(
    r"(?P<address>https?://[^/?#]+)/resource/(?P<dataset>[a-z0-9]{4}-[a-z0-9]{4})\.json/?"
)
_SAFE = "$:,*@_-.()'="


class _Key(msgspec.Struct):
    time: str = msgspec.field(name=":updated_at")
    id: str = msgspec.field(name=":id")


class _Count(msgspec.Struct):
    n: int | str


class SocrataConnector:
    """A `lakehouse.sources.base.Connector` for one data set at one address.

    Args:
        usecase: Its source's data set, page size, time field and options (attempts, backoff_s,
            timeout_s) are used.
        address: Base URL; "" for the contract's own.

    Raises:
        UsageError: The address is not an http(s) URL, the page size over 50,000, an option unknown.
    """

    paging: Paging = "keyset"

    def __init__(self, usecase: UseCase, address: str = "") -> None:
        source = usecase.source
        self.traffic = Traffic()
        self._source = source
        without = f"an address without them; an app token goes into {TOKEN_VARIABLE}"
        self._address = base_url(address or source.address, "a Socrata portal", without)
        if not 0 < source.page_rows <= MAX_LIMIT:
            raise UsageError(
                f"source.page_rows is {source.page_rows}", valid=f"1 to {MAX_LIMIT} rows per page"
            )
        options = options_of(source, OPTIONS)
        self.patience = Patience(int(options["attempts"]), float(options["backoff_s"]))
        token = os.environ.get(TOKEN_VARIABLE, "")
        has_token = bool(token) and self._address.startswith("https://")
        self._http = Http(
            self.traffic,
            headers={"X-App-Token": token} if has_token else None,
            patience=self.patience,
            timeout_s=float(options["timeout_s"]),
            explain=_explained,
        )

    def origin(self) -> Origin:
        """A simulator's own account of its rows, or publisher and data set; asks for a row."""
        url = self._url({"$select": ":id", "$limit": "1"})
        told = self._http.get(url, self._told)
        if told is not None:
            return Origin(told.identity, self._address, told.inputs)
        publisher = urlsplit(self._source.address or self._address).hostname or ""
        live: Identity = {"kind": "socrata", "publisher": publisher}
        return Origin({**live, "dataset": self._source.dataset}, self._address)

    def page(self, cursor: Cursor | None, since: str | None, until: str | None) -> Page:
        """The page that follows a cursor, ordered by (:updated_at, :id); see `Connector.page`."""
        condition = self._condition(cursor, since, until)
        return self._page(":*,*", self._source.page_rows, condition)

    def key_page(self, cursor: Cursor | None, fields: Sequence[str]) -> Page:
        """As `page`, with :updated_at, :id and some fields of up to 50,000 records."""
        select = ",".join(dict.fromkeys((*_ORDER.split(","), *fields)))
        return self._page(select, MAX_LIMIT, self._condition(cursor, None, None))

    def key(self, record: bytes) -> Cursor | None:
        """A record's ``:updated_at`` and ``:id``."""
        try:
            key = msgspec.json.decode(record, type=_Key)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            texts = split.texts_of(record, (":updated_at", ":id"))
            return Cursor(*texts) if texts else None
        return Cursor(key.time, key.id)

    def count(self, cursor: Cursor | None, since: str | None, until: str | None) -> int | None:
        """How many records follow a cursor (``$select=count(*)``)."""
        parameters = {"$select": "count(*) as n"}
        condition = self._condition(cursor, since, until)
        if condition:
            parameters["$where"] = condition
        return self._http.get(self._url(parameters), _counted)

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    def _page(self, select: str, limit: int, condition: str) -> Page:
        parameters = {"$select": select, "$order": _ORDER, "$limit": str(limit)}
        if condition:
            parameters["$where"] = condition
        return self._http.get(self._url(parameters), _page)

    def _told(self, response: Response) -> Told | None:
        split.records(response.body, response.headers.get("Content-Type", ""))
        return told_by(response.headers, self._address)

    def _condition(self, cursor: Cursor | None, since: str | None, until: str | None) -> str:
        parts = []
        if cursor and not cursor.tiebreak:
            parts.append(f":updated_at >= {_text(cursor.value)}")
        elif cursor:
            time, row = _text(cursor.value), _text(cursor.tiebreak)
            parts.append(f"(:updated_at > {time} or (:updated_at = {time} and :id > {row}))")
        for day, operator in ((since, ">="), (until, "<")):
            if day:
                parts.append(f"{self._source.time_field} {operator} {_text(day + 'T00:00:00.000')}")
        return " and ".join(parts)

    def _url(self, parameters: Mapping[str, str]) -> str:
        query = "&".join(f"{name}={quote(value, safe=_SAFE)}" for name, value in parameters.items())
        return f"{self._address}/resource/{quote(self._source.dataset)}.json?{query}"


def _page(response: Response) -> Page:
    rows = split.records(response.body, response.headers.get("Content-Type", ""))
    try:
        told = msgspec.json.decode(response.headers.get("X-SODA2-Fields", "[]"), type=list[str])
    except msgspec.DecodeError:
        told = []
    return Page(rows, response.url, fields=tuple(told))


def _counted(response: Response) -> int | None:
    rows = split.records(response.body, response.headers.get("Content-Type", ""))
    try:
        return int(msgspec.json.decode(rows[0], type=_Count).n)
    except (IndexError, ValueError):
        return None


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


class _Column(msgspec.Struct):
    field: str = msgspec.field(name="fieldName")
    type: str = msgspec.field(name="dataTypeName", default="")
    title: str = msgspec.field(name="name", default="")
    about: str | None = msgspec.field(name="description", default=None)


class _Licence(msgspec.Struct, frozen=True):
    name: str = ""


class _View(msgspec.Struct):
    name: str = ""
    description: str | None = None
    license: _Licence = _Licence()
    columns: list[_Column] = []


def data_set(where: str, rows: int) -> DataSet | None:
    """The data set that the address of its rows names, with the portal's metadata. Read-only.

    Fields of the portal's own are left out but for the row's id and time of change.

    Args:
        where: Such as ``https://HOST/resource/ID.json``.
        rows: Most records to read.

    Returns:
        The data set, or None where the address is none of rows.

    Raises:
        UsageError: The data set has no rows.
        PermanentError: The portal refuses.
        RetryableError: The portal did not answer.
    """
    named = _RESOURCE.fullmatch(where)
    if named is None:
        return None
    address, dataset = named["address"], named["dataset"]
    http = Http(Traffic(), patience=Patience(attempts=3), explain=_explained)
    view = http.get(f"{address}/api/views/{dataset}.json", _view)
    most = min(rows, MAX_LIMIT)
    query = f"$select=:*,*&$order={_ORDER}&$limit={most}"
    found = http.get(f"{address}/resource/{dataset}.json?{query}", _rows)
    if not found:
        raise UsageError(f"There is no record in {where}", valid="a data set with rows")
    return DataSet(
        kind="socrata",
        address=address,
        dataset=dataset,
        records=[{n: v for n, v in row.items() if _is_kept(n)} for row in found],
        is_whole=len(found) < most,
        key=_ROW_ID,
        version=_ROW_VERSION,
        title=_line(view.name),
        description=_line(view.description or ""),
        licence=_line(view.license.name),
        texts=frozenset(column.field for column in view.columns if column.type == "text"),
        comments={column.field: _line(column.about or column.title) for column in view.columns},
    )


def _is_kept(field: str) -> bool:
    return not field.startswith(":") or field in (_ROW_ID, _ROW_VERSION)


def _line(text: str) -> str:
    """A text of the portal as one line, at most 300 characters of it."""
    return " ".join(text.split())[:300]


def _view(response: Response) -> _View:
    try:
        return msgspec.json.decode(response.body, type=_View)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise split.Unreadable(f"it has no metadata of a data set: {error}") from error


def _rows(response: Response) -> list[dict[str, object]]:
    try:
        return msgspec.json.decode(response.body, type=list[dict[str, object]])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise split.Unreadable(f"it has no array of records: {error}") from error


KIND = SourceKind(
    connector=SocrataConnector, options=OPTIONS, updated_field=_ROW_VERSION, data_set=data_set
)
