"""GET with retries: what is tried again, how long is waited, what is refused at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from goldlake_core.contracts.errors import PermanentError, RetryableError
from lakehouse.sources import http
from lakehouse.sources.base import Traffic
from lakehouse.sources.http import Http, is_loopback

Script = list[tuple[int, dict[str, str], bytes]]


class Server:
    """A real server that gives the answers of a script, the last one for ever."""

    def __init__(self) -> None:
        self.script: Script = []
        self.asked: list[dict[str, str]] = []
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
    client = Http(traffic, backoff_s=1.0, sleep=waits.append, timeout_s=1.0)
    assert client.get(server.url).body == b"[]"
    assert (traffic.requests, traffic.retries) == (5, 4)
    assert waits[1] == 7.0
    for number in (0, 2, 3):  # doubled each time, up to twice as long by chance
        assert 2**number <= waits[number] <= 2 ** (number + 1)


def test_it_gives_up_after_so_many_tries(server: Server) -> None:
    server.script = [(503, {}, b"{}")]
    client = Http(Traffic(), attempts=3, sleep=lambda s: None)
    with pytest.raises(RetryableError, match="failed 3 times; the last time HTTP 503"):
        client.get(server.url)
    assert len(server.asked) == 3


def test_nobody_there_is_a_fault_that_may_pass(server: Server) -> None:
    client = Http(Traffic(), attempts=2, sleep=lambda s: None)
    with pytest.raises(RetryableError, match=r"the connection failed \(ConnectionError\)"):
        client.get("http://127.0.0.1:9/x")


@pytest.mark.parametrize("status", [400, 401, 403, 404, 301])
def test_refusals_are_not_tried_again(server: Server, status: int) -> None:
    server.script = [(status, {"Location": "https://elsewhere.example/"}, b"no")]
    client = Http(Traffic(), explain=lambda s, body: f"it said {body.decode()}")
    with pytest.raises(PermanentError, match=f"was refused: HTTP {status}, it said no") as caught:
        client.get(server.url)
    assert len(server.asked) == 1
    if status == 301:
        assert "moved to: https://elsewhere.example/" in caught.value.message


def test_a_body_without_end_is_refused(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "MAX_BODY_BYTES", 2**20)
    server.script = [(200, {}, b" " * (2**20 + 1))]
    with pytest.raises(PermanentError, match="answered more than 1 MiB"):
        Http(Traffic()).get(server.url)


def test_headers_are_sent_and_a_proxy_never_stands_before_this_machine(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    server.script = [(200, {}, b"[]")]
    Http(Traffic(), headers={"X-App-Token": "t"}, attempts=1).get(server.url)
    assert server.asked[0]["X-App-Token"] == "t"


def test_what_is_this_machine() -> None:
    assert is_loopback("http://127.0.0.1:80/x")
    assert is_loopback("http://localhost/")
    assert is_loopback("http://[::1]:1/")
    assert not is_loopback("https://portal.example/")
