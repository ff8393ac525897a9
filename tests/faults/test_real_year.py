"""The real year 2016 from a portal that fails, caps and shows a page of HTML is the clean year."""

from __future__ import annotations

import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import polars as pl
import pytest

from goldlake_core.contracts.registry import load_usecase
from goldlake_core.contracts.sections import UseCase
from goldlake_core.storage.deltalog import DeltaLog
from goldlake_core.storage.home import Home
from lakehouse import specs
from lakehouse.sources.testing import HTML
from tests.end_to_end.commands import goldlake_json, source

pytestmark = [pytest.mark.long, pytest.mark.spark, pytest.mark.timeout(2400)]

ROWS_2016 = 268_813
CAP = 2_000
FAULTS = "429:0.01,500:0.01,202:0.01,cut:0.02"
HTML_AT = 20


class Portal:
    """Passes requests on, with fewer rows than were asked for, and one page of HTML.

    Attributes:
        asked: Number of requests so far.
        is_html_shown: Whether the page of HTML was the answer to one.
        failed: Number of answers of the source behind it that were not 200.
    """

    def __init__(self, source: str) -> None:
        self._source = source
        self.asked = 0
        self.is_html_shown = False
        self.failed = 0

    def target(self, path: str) -> str:
        """The request that is passed on."""
        parts = urlsplit(path)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        if "$limit" in query:
            query["$limit"] = str(min(CAP, int(query["$limit"])))
        return f"{self._source}{parts.path}?{urlencode(query)}"

    def answer(self, path: str) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body."""
        self.asked += 1
        if self.asked == HTML_AT:
            self.is_html_shown = True
            return 200, {"Content-Type": "text/html"}, HTML
        try:
            with urllib.request.urlopen(self.target(path), timeout=60) as reply:
                status, headers, body = reply.status, dict(reply.headers), _whole(reply)
        except urllib.error.HTTPError as error:
            status, headers, body = error.code, dict(error.headers), error.read()
        if status != 200 or body is None:
            self.failed += 1
        # A body that was cut is passed on as it is: its length says what it should have been.
        return status, headers, body or b""


def _whole(reply: Any) -> bytes | None:
    import http.client

    try:
        body: bytes = reply.read()
    except http.client.IncompleteRead:
        return None
    return body


@contextmanager
def _running(portal: Portal) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, headers, body = portal.answer(self.path)
            self.send_response(status)
            for name, value in headers.items():
                if name.lower() not in ("transfer-encoding", "connection", "date", "server"):
                    self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _ingest(url: str, home: Path) -> Any:
    return goldlake_json(
        "ingest", "chicago_crime", "--source", url, "--home", str(home), folder=home.parent
    )


def _bronze(usecase: UseCase, home: Path) -> pl.Series:
    table = DeltaLog(specs.bronze(usecase, Home.at(home)).uri).read(["value"])
    return pl.Series(table["value"]).sort()


def _silver(usecase: UseCase, home: Path) -> pl.DataFrame:
    table = DeltaLog(specs.silver(usecase, Home.at(home), 1).uri)
    frame = pl.from_arrow(table.read([*usecase.silver.names, "_content_hash", "_source_updated"]))
    assert isinstance(frame, pl.DataFrame)
    return frame.sort(*usecase.silver.key)


def test_the_year_with_faults_is_the_clean_year(test_data: Path, tmp_path: Path) -> None:
    usecase = load_usecase("chicago_crime")
    export = ["--data", str(test_data / "chicago" / "crimes_2016.csv.gz")]
    clean, faulty = tmp_path / "clean", tmp_path / "faulty"
    with source("chicago_crime", *export, folder=tmp_path) as url:
        wanted = _ingest(url, clean)
    with (
        source("chicago_crime", *export, "--faults", FAULTS, folder=tmp_path) as url,
        _running(portal := Portal(url)) as capped,
    ):
        found = _ingest(capped, faulty)
    assert portal.is_html_shown
    assert portal.failed > 0
    assert found["land"]["pages"] > ROWS_2016 // CAP > wanted["land"]["pages"]
    assert found["land"]["retries"] > portal.failed
    assert found["land"]["rows"] == wanted["land"]["rows"] == ROWS_2016
    assert found["land"]["missing"] == 0
    assert found["refine"]["fates"] == wanted["refine"]["fates"]
    assert found["refine"]["totals"] == wanted["refine"]["totals"]
    assert _bronze(usecase, faulty).equals(_bronze(usecase, clean))
    assert _silver(usecase, faulty).equals(_silver(usecase, clean))
