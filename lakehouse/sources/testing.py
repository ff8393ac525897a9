"""A test kit for connectors: a server that misbehaves, and the laws as checks.

For example, for a connector whose API answers ``GET /rows?after=N`` with a JSON array::

    def answer(target: str, rows: Rows) -> bytes:
        after = int(parse_qs(urlsplit(target).query)["after"][0])
        return rows.page([row for row in rows.all if number(row) > after], limit=100)

    kit = Kit(connector=lambda url: MyConnector(usecase, url), answer=answer, rows=SOME_ROWS)
    assert findings(kit) == []
"""

from __future__ import annotations

import gzip
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import msgspec

from goldlake_core.contracts.errors import GoldlakeError
from goldlake_core.storage.landing import Cursor
from lakehouse.sources.base import Connector, KeyPages, Page
from lakehouse.sources.laws import broken_keyset

HTML = b"<!DOCTYPE html><html><body>We will be back soon.</body></html>"
ODD_VALUES = (
    b"41.10",
    b"1e400",
    b"12345678901234567890123",
    b"NaN",
    b'"\\ud800"',
    b'"a\\u0000b\\/"',
    b'"tab\there"',
)
"""Values that a parser changes or refuses, and that are landed as they are."""


@dataclass
class Rows:
    """The records of a source, and what goes wrong with its pages.

    Attributes:
        all: Each record as one line, in the source's order.
        cap: Most records of a page, whatever was asked for.
        empty_pages: Numbers of pages, from 0, that are empty although records follow.
        shuffled_pages: Numbers of pages that are answered in reverse.
        repeats: Whether each page is the first one once more.
        pages: How many pages were answered so far.
    """

    all: list[bytes]
    cap: int | None = None
    empty_pages: set[int] = field(default_factory=set)
    shuffled_pages: set[int] = field(default_factory=set)
    repeats: bool = False
    pages: int = 0

    def page(self, matching: Sequence[bytes], limit: int) -> bytes:
        """The body of a page, as a JSON array.

        Args:
            matching: All records that follow what was asked for.
            limit: How many were asked for.
        """
        number, self.pages = self.pages, self.pages + 1
        size = min(limit, self.cap or limit)
        rows = list((self.all if self.repeats else matching)[:size])
        if number in self.empty_pages:
            rows = []
        if number in self.shuffled_pages:
            rows.reverse()
        return b"[" + b",".join(rows) + b"]"


Answer = Callable[[str, Rows], bytes]
"""From the target of a request (path and query) to the body of a good answer."""


class Server:
    """A server on this machine that plays an API and answers some requests wrongly.

    Attributes:
        url: The address of the server.
        rows: What it serves.
        content_type: Header of good answers.
        headers: Further headers of good answers and of statuses.
        encode: What becomes of a good answer's body before it is sent.
        faults: What goes wrong with the next requests, in this order: ``html``, ``html as json``,
            ``error``, ``cut``, ``cut gzip``, ``bad gzip``, ``gzip``, a status, or "" for nothing.
        asked: Targets of all requests so far.
    """

    def __init__(self, answer: Answer, rows: Rows) -> None:
        self.rows = rows
        self.content_type = "application/json;charset=utf-8"
        self.headers: dict[str, str] = {}
        self.encode: Callable[[bytes], bytes] = bytes
        self.faults: list[str] = []
        self.asked: list[str] = []
        self._answer = answer
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"

    @contextmanager
    def running(self) -> Iterator[Server]:
        """The server, until the block ends."""
        thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._http.shutdown()
            self._http.server_close()
            thread.join()

    def reply(self, target: str) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of the answer to a request."""
        self.asked.append(target)
        fault = self.faults.pop(0) if self.faults else ""
        json_type = {"Content-Type": self.content_type}
        if fault.isdigit():
            return int(fault), {**json_type, **self.headers}, b'{"error": true}'
        if fault in ("html", "html as json"):
            return 200, {"Content-Type": "text/html"} if fault == "html" else json_type, HTML
        if fault == "error":
            return 200, json_type, b'{"error": true, "message": "try again"}'
        body = self.encode(self._answer(target, self.rows))
        headers = {**json_type, **self.headers}
        if fault == "cut":
            headers["Content-Length"] = str(len(body))
            return 200, headers, body[: len(body) // 2]
        if fault in ("gzip", "cut gzip"):
            packed = gzip.compress(body)
            headers["Content-Encoding"] = "gzip"
            return 200, headers, packed if fault == "gzip" else packed[: len(packed) // 2]
        if fault == "bad gzip":
            headers["Content-Encoding"] = "gzip"
        return 200, headers, body


def _handler(server: Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, headers, body = server.reply(self.path)
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Handler


@dataclass(frozen=True)
class Kit:
    """What the checks need to know of a connector.

    Attributes:
        connector: Makes one for an address. It should not wait long between tries.
        answer: How the connector's API answers.
        rows: Records of the API in its order, more than two pages of them.
        key_fields: Top-level fields of the records that hold the key of the silver table, for
            connectors that give keys alone (`lakehouse.sources.base.KeyPages`).
        record: The source's own bytes of a line, of connectors that add a key to a record.
    """

    connector: Callable[[str], Connector]
    answer: Answer
    rows: Sequence[bytes]
    key_fields: Sequence[str] = ()
    record: Callable[[bytes], bytes] = bytes


PASSING_FAULTS = (
    *("html", "html as json", "error", "cut", "cut gzip", "bad gzip"),
    *("202", "408", "425", "429", "500", "502", "503", "504", "520"),
)
"""Faults of one answer that a connector asks past."""


def findings(kit: Kit) -> list[str]:
    """The laws that a connector breaks, each in one line; [] for none."""
    found = [f"reads everything: {problem}" for problem in _read(kit, Rows(list(kit.rows)))]
    capped = Rows(list(kit.rows), cap=max(1, len(kit.rows) // 7))
    found += [f"reads everything in short pages: {problem}" for problem in _read(kit, capped)]
    for fault in PASSING_FAULTS:
        problems = _read(kit, Rows(list(kit.rows)), faults=["", fault])
        found += [f"asks again after {fault}: {problem}" for problem in problems]
    found += _refuses_garbage(kit)
    found += _has_one_identity(kit)
    found += [f"gives keys alone: {problem}" for problem in _gives_keys(kit)]
    return found


def _read(kit: Kit, rows: Rows, faults: Sequence[str] = ()) -> list[str]:
    """What is wrong with reading all rows to the end, at most one line."""
    with Server(kit.answer, rows).running() as server:
        reader = kit.connector(server.url)
        server.faults = list(faults)
        try:
            landed, problem = _pages(reader, len(rows.all))
            count = reader.count(None, None, None)
        except GoldlakeError as error:
            return [error.message]
        except Exception as error:
            return [f"{type(error).__name__}: {error}"]
        finally:
            reader.close()
    if problem:
        return [problem]
    landed = [kit.record(line) for line in landed]
    if landed != rows.all:
        lost = [row for row in rows.all if row not in landed]
        what = f"{lost[0][:80]!r} is missing or changed" if lost else "in another order, or twice"
        return [f"{len(landed)} of {len(rows.all)} records came; {what}"]
    if count is not None and count != len(rows.all):
        return [f"it counts {count} of {len(rows.all)} records"]
    return []


def _pages(reader: Connector | _KeysOnly, most: int) -> tuple[list[bytes], str]:
    """All records, and the first law that a page breaks."""
    landed: list[bytes] = []
    cursor: Cursor | None = None
    for _ in range(most + 2):
        page = reader.page(cursor, None, None)
        landed += page.rows
        if reader.paging == "keyset":
            keys = [reader.key(row) for row in page.rows]
            problem = broken_keyset(page.rows, keys, cursor)
            if problem or not page.rows:
                return landed, problem
            cursor = next(key for key in reversed(keys) if key is not None)
        elif page.next_cursor is None:
            return landed, ""
        else:
            cursor = page.next_cursor
    return landed, f"it does not end after {most + 2} pages"


def _gives_keys(kit: Kit) -> list[str]:
    """What is wrong with the pages of keys, where there are any, at most one line."""
    with Server(
        kit.answer, Rows(list(kit.rows), cap=max(1, len(kit.rows) // 7))
    ).running() as server:
        reader = kit.connector(server.url)
        if not isinstance(reader, KeyPages):
            return []
        try:
            keyed = _KeysOnly(reader, kit.key_fields)
            records, problem = _pages(keyed, len(kit.rows))
        except GoldlakeError as error:
            return [error.message]
        finally:
            reader.close()
    wanted = [(_fields(row, kit.key_fields), reader.key(row)) for row in kit.rows]
    found = [(_fields(row, kit.key_fields), reader.key(row)) for row in records]
    if not problem and found != wanted:
        lost = [place for place in wanted if place not in found]
        problem = f"{lost[0] if lost else found} is missing, changed, or in another order"
    return [problem] if problem else []


class _KeysOnly:
    """A connector whose pages hold keys alone."""

    def __init__(self, reader: Connector, fields: Sequence[str]) -> None:
        self.paging, self.key = reader.paging, reader.key
        self._reader, self._fields = reader, fields

    def page(self, cursor: Cursor | None, since: str | None, until: str | None) -> Page:
        assert isinstance(self._reader, KeyPages)
        return self._reader.key_page(cursor, self._fields)


def _fields(record: bytes, names: Sequence[str]) -> dict[str, bytes]:
    fields = msgspec.json.decode(record, type=dict[str, msgspec.Raw])
    return {name: bytes(fields[name]) for name in names if name in fields}


def _refuses_garbage(kit: Kit) -> list[str]:
    with Server(kit.answer, Rows(list(kit.rows))).running() as server:
        reader = kit.connector(server.url)
        server.faults = ["html"] * 1_000
        try:
            reader.page(None, None, None)
        except GoldlakeError:
            return []
        except Exception as error:
            return [f"refuses garbage in words: {type(error).__name__}: {error}"]
        finally:
            reader.close()
    return ["refuses garbage in words: HTML was taken for a page"]


def _has_one_identity(kit: Kit) -> list[str]:
    identities = []
    for _ in range(2):  # two ports
        with Server(kit.answer, Rows(list(kit.rows))).running() as server:
            reader = kit.connector(server.url)
            try:
                identities.append(reader.origin().identity)
            finally:
                reader.close()
    if identities[0] == identities[1]:
        return []
    return [f"has one identity at two addresses: {identities[0]} and {identities[1]}"]
