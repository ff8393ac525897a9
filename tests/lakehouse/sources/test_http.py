"""Requests with retries: what is tried again, how long is waited, what is refused at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from goldlake_core.contracts.errors import PermanentError, RetryableError
from lakehouse.sources import http
from lakehouse.sources.base import Patience, Traffic
from lakehouse.sources.http import Http, Refused, Response, is_loopback
from lakehouse.sources.split import Unreadable, records

Script = list[tuple[int, dict[str, str], bytes]]


def body(response: Response) -> bytes:
    return response.body


class Server:
    """A real server that gives the answers of a script, the last one for ever."""

    def __init__(self) -> None:
        self.script: Script = []
        self.asked: list[dict[str, str]] = []
        self.forms: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked.append(dict(self.headers))
                status, headers, body = outer.script[0]
                if len(outer.script) > 1:
                    outer.script.pop(0)
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self) -> None:
                size = int(self.headers["Content-Length"])
                outer.forms.append(self.rfile.read(size).decode())
                self.do_GET()

            def log_message(self, *args: Any) -> None:
                pass

        self.httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.httpd.server_address[1]}/x"


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.httpd.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.httpd.shutdown()
    server.httpd.server_close()
    thread.join()


def test_faults_that_may_pass_are_waited_for(server: Server) -> None:
    server.script = [
        (202, {}, b"{}"),
        (429, {"Retry-After": "7"}, b"{}"),
        (500, {}, b"{}"),
        (200, {"Content-Length": "9"}, b"short"),  # the connection ends before the body does
        (200, {}, b"[]"),
    ]
    traffic, waits = Traffic(), list[float]()
    client = Http(traffic, patience=Patience(backoff_s=1.0), sleep=waits.append, timeout_s=1.0)
    assert client.get(server.url, body) == b"[]"
    assert (traffic.requests, traffic.retries) == (5, 4)
    assert waits[1] == 7.0
    for number in (0, 2, 3):  # doubled each time, up to twice as long by chance
        assert 2**number <= waits[number] <= 2 ** (number + 1)


@pytest.mark.parametrize("status", [408, 423, 425, 429, 500, 501, 507, 520, 522, 524, 530])
def test_statuses_that_may_pass_are_asked_again(server: Server, status: int) -> None:
    server.script = [(status, {}, b"{}"), (200, {}, b"[]")]
    client = Http(Traffic(), sleep=lambda s: None)
    assert client.get(server.url, body) == b"[]"


def test_a_wait_is_told_as_a_number_or_as_a_date(server: Server) -> None:
    at = format_datetime(datetime.now(timezone.utc) + timedelta(seconds=90), usegmt=True)
    server.script = [
        (429, {"Retry-After": at}, b"{}"),
        (503, {"Retry-After": "86400"}, b"{}"),
        (503, {"Retry-After": "soon"}, b"{}"),
        (200, {}, b"[]"),
    ]
    waits = list[float]()
    Http(Traffic(), sleep=waits.append).get(server.url, body)
    assert 80 < waits[0] <= 90
    assert waits[1] == http.MAX_RETRY_AFTER_S
    assert waits[2] < 60


def test_an_answer_that_cannot_be_read_is_asked_for_again(server: Server) -> None:
    def rows(response: Response) -> list[bytes]:
        return records(response.body)

    server.script = [
        (200, {}, b"<html>maintenance</html>"),
        (200, {}, b'[{"a": 1}, {"a"'),
        (200, {}, b'{"error": true}'),
        (200, {}, b'[{"a": 1}]'),
    ]
    traffic = Traffic()
    client = Http(traffic, sleep=lambda s: None)
    assert client.get(server.url, rows) == [b'{"a": 1}']
    assert traffic.retries == 3
    server.script = [(200, {}, b"<html>")]
    with pytest.raises(RetryableError, match="could not be read: it begins with b'<html>'"):
        Http(Traffic(), patience=Patience(2), sleep=lambda s: None).get(server.url, rows)
    with pytest.raises(Unreadable):
        records(b"")


def test_it_gives_up_after_so_many_tries(server: Server) -> None:
    server.script = [(503, {}, b"{}")]
    client = Http(Traffic(), patience=Patience(3), sleep=lambda s: None)
    with pytest.raises(RetryableError, match="failed 3 times; the last time HTTP 503"):
        client.get(server.url, body)
    assert len(server.asked) == 3


def test_nobody_there_is_a_fault_that_may_pass(server: Server) -> None:
    client = Http(Traffic(), patience=Patience(2), sleep=lambda s: None)
    with pytest.raises(RetryableError, match=r"the connection failed \(ConnectionError\)"):
        client.get("http://127.0.0.1:9/x", body)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 301])
def test_refusals_are_not_tried_again(server: Server, status: int) -> None:
    server.script = [(status, {"Location": "https://elsewhere.example/"}, b"no")]
    client = Http(Traffic(), explain=lambda s, body: f"it said {body.decode()}")
    with pytest.raises(PermanentError, match=f"was refused: HTTP {status}, it said no") as caught:
        client.get(server.url, body)
    assert len(server.asked) == 1
    if status == 301:
        assert "moved to: https://elsewhere.example/" in caught.value.message


def test_a_body_without_end_is_refused(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "MAX_BODY_BYTES", 2**20)
    server.script = [(200, {}, b" " * (2**20 + 1))]
    with pytest.raises(PermanentError, match="answered more than 1 MiB"):
        Http(Traffic()).get(server.url, body)


def test_headers_are_sent_and_a_proxy_never_stands_before_this_machine(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    server.script = [(200, {}, b"[]")]
    Http(Traffic(), headers={"X-App-Token": "t"}, patience=Patience(1)).get(server.url, body)
    assert server.asked[0]["X-App-Token"] == "t"


def test_what_is_this_machine() -> None:
    assert is_loopback("http://127.0.0.1:80/x")
    assert is_loopback("http://localhost/")
    assert is_loopback("http://[::1]:1/")
    assert not is_loopback("https://portal.example/")


def test_a_form_is_sent_again_whole(server: Server) -> None:
    server.script = [(500, {}, b""), (200, {}, b"[1]")]
    traffic = Traffic()
    client = Http(traffic, patience=Patience(backoff_s=0.0), sleep=lambda s: None)
    assert client.post(server.url, {"poly": "1,2:3,4", "date": "2023-01"}, body) == b"[1]"
    assert server.forms == ["poly=1%2C2%3A3%2C4&date=2023-01"] * 2
    server.script = [(413, {}, b"")]
    with pytest.raises(Refused, match=f"POST {server.url} was refused: HTTP 413") as caught:
        client.post(server.url, {}, body)
    assert caught.value.status == 413


def test_a_status_may_be_an_answer(server: Server) -> None:
    server.script = [(503, {}, b"")]
    traffic = Traffic()
    client = Http(traffic, patience=Patience(attempts=3, backoff_s=0.0), sleep=lambda s: None)
    with pytest.raises(Refused) as caught:
        client.get(server.url, body, final=frozenset({503}))
    assert (caught.value.status, traffic.requests) == (503, 1)
    with pytest.raises(RetryableError):
        client.get(server.url, body)
    assert traffic.requests == 4


def test_some_requests_may_follow_each_other_at_once(server: Server) -> None:
    server.script = [(200, {}, b"[]")]
    waits: list[float] = []
    client = Http(Traffic(), interval_s=50.0, burst=3, sleep=waits.append)
    for _ in range(3):
        client.get(server.url, body)
    assert waits == []
    for _ in range(2):
        client.get(server.url, body)
    assert [round(wait / 50) for wait in waits] == [1, 2], "no time passes in this test"
