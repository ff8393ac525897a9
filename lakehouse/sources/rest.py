"""The plug-in ``rest``: reads an API that answers with JSON, as the contract declares it.

A landed line is the record's exact bytes. ``source.address`` is the URL without its query, and
``source.rest`` says which parameters it takes, where the records are, how they are divided into
pages, and who asks. A secret is read from the environment, stays in a header, and so never enters a
URL, the manifest or a log; it is sent over https only, or to this machine.

With ``incremental`` records are read by the values of a field (paging ``keyset``): a request asks
for those from the newest value on, and what the page before had is passed over.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode, urljoin, urlsplit

import msgspec
import requests.utils

from goldlake_core.contracts.addresses import is_private
from goldlake_core.contracts.errors import PermanentError, UsageError
from goldlake_core.contracts.fields import content_id
from goldlake_core.contracts.sections import PagesOf, Rest, UseCase
from goldlake_core.storage.landing import Cursor
from lakehouse.sources import split
from lakehouse.sources.base import Origin, Page, Paging, Patience, SourceKind, Traffic
from lakehouse.sources.http import Http, Response
from lakehouse.sources.split import Unreadable

_START, _NEXT = "start", "next"


class RestConnector:
    """A `lakehouse.sources.base.Connector` for an API at an address.

    Args:
        usecase: Its source's address, page size and section ``rest`` are used.
        address: Another address; "" for the contract's own.
        patience: How often a request is sent; None for what the contract says.

    Raises:
        UsageError: A secret is not in the environment, or would be sent for anybody to read.
    """

    def __init__(
        self, usecase: UseCase, address: str = "", patience: Patience | None = None
    ) -> None:
        source = usecase.source
        self.traffic = Traffic()
        self._usecase = usecase
        self._rest = rest = source.rest or Rest()
        self._address = (address or source.address).rstrip("?")
        self._rows = source.page_rows
        self.patience = patience or Patience(rest.attempts)
        self.paging: Paging = _paging(rest)
        self._full = self._rows
        ca_file = str(usecase.folder / rest.ca_file) if rest.ca_file else ""
        if ca_file and not os.path.isfile(ca_file):
            raise UsageError(f"source.rest.ca_file is {rest.ca_file}", valid="a PEM file")
        self._http = Http(
            self.traffic,
            headers=auth_headers(rest, self._address),
            patience=self.patience,
            timeout_s=float(rest.timeout_s),
            proxy=proxy_of(rest),
            ca_file=ca_file,
            interval_s=1 / rest.requests_per_s if patience is None else 0.0,
            explain=self._explained,
        )

    def origin(self) -> Origin:
        """Which data set the API holds. The identity does not say where it answers."""
        dataset = self._usecase.source.dataset or self._usecase.name
        return Origin({"kind": "rest", "dataset": dataset}, self._address)

    def page(self, cursor: Cursor | None, since: str | None, until: str | None) -> Page:
        """The page that follows a cursor; see `Connector.page`.

        Raises:
            UsageError: A range of days was asked for, which an API of this kind does not know.
            RetryableError: The API still failed after several tries.
            PermanentError: It refuses, leads to another host, or holds more records of one value
                than a page has.
        """
        if since or until:
            raise UsageError("A source of kind 'rest' takes no --since or --until")
        if self._rest.incremental is not None:
            return self._after(cursor)
        url = self._url(cursor)
        paging = self._rest.paging
        rows, following = self._http.get(url, lambda response: self._read(response, paging))
        if paging is None:
            return Page(rows, url)
        if paging.kind in ("offset", "page"):
            number = int(cursor.value) if cursor else paging.first
            step = len(rows) if paging.kind == "offset" else 1
            return Page(rows, url, Cursor(str(number + step), _NEXT) if rows else None)
        return Page(rows, url, Cursor(following, _NEXT) if following else None)

    def key(self, record: bytes) -> Cursor | None:
        """A record's value of the ascending field, and its id; None for other ways of paging."""
        incremental = self._rest.incremental
        if incremental is None:
            return None
        value = _value_at(record, incremental.field)
        if value is None:
            return None
        own = _value_at(record, incremental.id) if incremental.id else content_id(record)
        return Cursor(value, own) if own else None

    def count(self, cursor: Cursor | None, since: str | None, until: str | None) -> int | None:
        """Unknown: the contract does not say where an API counts."""
        return None

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    def _after(self, cursor: Cursor | None) -> Page:
        """The records from a value on, without those that the page before had."""
        url = self._url(cursor)
        rows, _ = self._http.get(url, lambda response: self._read(response, None))
        if cursor is None or not cursor.tiebreak:
            return Page(rows, url)
        keys = [self.key(row) for row in rows]
        passed = max((n for n, key in enumerate(keys, start=1) if key == cursor), default=0)
        new = rows[passed:]
        if new:
            self._full = min(self._full, len(rows))
        elif len(rows) >= self._full and all(key and key.value == cursor.value for key in keys):
            raise PermanentError(
                f"{self._address} has {len(rows):,} records or more with the value {cursor.value} "
                "in one page, and so does not lead to later ones",
                hint="a larger source.page_rows in the contract, or paging without incremental",
            )
        return Page(new, url)

    def _url(self, cursor: Cursor | None) -> str:
        rest, paging = self._rest, self._rest.paging
        if paging is not None and paging.kind == "link" and cursor is not None:
            return cursor.value
        parameters = dict(rest.parameters)
        if paging is not None and paging.kind in ("offset", "page"):
            parameters[paging.parameter or paging.kind] = (
                cursor.value if cursor else str(paging.first)
            )
        elif paging is not None and paging.kind == "cursor" and cursor is not None:
            parameters[paging.parameter or paging.kind] = cursor.value
        elif rest.incremental is not None and cursor is not None:
            parameters[rest.incremental.parameter] = cursor.value
        if paging is not None and paging.size_parameter:
            parameters[paging.size_parameter] = str(self._rows)
        query = urlencode(parameters, quote_via=quote)
        joint = "&" if "?" in self._address else "?"
        return f"{self._address}{joint}{query}" if query else self._address

    def _read(self, response: Response, paging: PagesOf | None) -> tuple[list[bytes], str]:
        """The records of an answer, and what leads to the next page; "" for nothing."""
        body = split.as_utf8(response.body, response.headers.get("Content-Type", ""))
        rows = split.records(_part(body, self._rest.records) if self._rest.records else body)
        if paging is None or paging.kind in ("offset", "page"):
            return rows, ""
        if paging.kind == "link":
            return rows, self._linked(response)
        if paging.header:
            return rows, response.headers.get(paging.header, "").strip()
        return rows, _value_at(body, paging.path) or ""

    def _linked(self, response: Response) -> str:
        links = requests.utils.parse_header_links(response.headers.get("Link", ""))
        found = next((link["url"] for link in links if link.get("rel") == "next"), "")
        url = urljoin(response.url, found) if found else ""
        # A secret in a header goes to the host of the contract and to no other.
        if url and _host(url) != _host(self._address):
            raise PermanentError(
                f"{self._address} leads to another host: {_host(url)[1]}",
                hint="name that host in source.address of the contract, if it is right",
            )
        return url

    def _explained(self, status: int, body: bytes) -> str | None:
        auth = self._rest.auth
        if status in (401, 403):
            return (
                f"is {auth.env} right?" if auth else "it wants to know who asks: source.rest.auth"
            )
        return {404: "is source.address right?", 429: "a lower source.rest.requests_per_s"}.get(
            status
        )


def auth_headers(rest: Rest, address: str) -> Mapping[str, str]:
    """The headers that say who asks.

    Raises:
        UsageError: The variable is not set, or the secret would be sent for anybody to read.
    """
    auth = rest.auth
    if auth is None:
        return {}
    secret = os.environ.get(auth.env, "")
    if not secret or not secret.isprintable():
        raise UsageError(
            f"The environment variable {auth.env} is {'not set' if not secret else 'not one line'}",
            hint=f"export {auth.env}=…",
        )
    if not is_private(address):
        raise UsageError(
            f"The secret of {auth.env} would be sent to {address} for anybody to read",
            valid="https://…",
        )
    if auth.kind == "header":
        return {auth.header: secret}
    if auth.kind == "basic":
        return {"Authorization": f"Basic {base64.b64encode(secret.encode()).decode()}"}
    return {"Authorization": f"Bearer {secret}"}


def proxy_of(rest: Rest) -> str:
    """The address of the contract's proxy; "" for that of the environment.

    Raises:
        UsageError: The variable that holds it is not set.
    """
    if rest.proxy is None or rest.proxy.text:
        return rest.proxy.text if rest.proxy else ""
    found = os.environ.get(rest.proxy.env, "")
    if not found:
        raise UsageError(
            f"The environment variable {rest.proxy.env}, which names the proxy, is not set",
            hint=f"export {rest.proxy.env}=http://…",
        )
    return found


def _paging(rest: Rest) -> Paging:
    if rest.incremental is not None:
        return "keyset"
    if rest.paging is None:
        return "whole"
    return "offsets" if rest.paging.kind == "offset" else "numbered"


def _host(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc


def _part(body: bytes, path: str) -> bytes:
    """The value at a path of a body, as its bytes.

    Raises:
        Unreadable: There is none.
    """
    part = body
    for name in path.split("."):
        try:
            members = msgspec.json.decode(part, type=dict[str, msgspec.Raw])
            part = bytes(members[name])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, KeyError) as error:
            raise Unreadable(f"it has no {path}") from error
    return part


def _value_at(body: bytes, path: str) -> str | None:
    """The text or number at a path, as text; None where there is none."""
    try:
        value: Any = msgspec.json.decode(_part(body, path))
    except (Unreadable, msgspec.DecodeError):
        texts: Sequence[str] | None = split.texts_of(body, (path,)) if "." not in path else None
        return texts[0] if texts else None
    return None if value is None or isinstance(value, (dict, list, bool)) else str(value)


KIND = SourceKind(connector=RestConnector, options={})
