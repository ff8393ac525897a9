"""Requests that are too large, too many or too slow."""

from __future__ import annotations

import gzip
import threading
import time

from tests.faults.serving.catalog import fault
from tests.faults.serving.faults_wire import ANSWER, CHUNKED
from tests.faults.serving.lab import PREDICT, ROW, SMALL, Found, Place, named, request

SLOW = named(ROW, "slow")


def refused(place: Place, data: bytes, status: int) -> Found:
    client = place.client()
    client.send(data)
    found = client.answer()
    assert (found.status, found.headers["connection"]) == (status, "close")
    return found


@fault("B1", "a body longer than allowed, by its Content-Length", "413 before it is sent")
def long_body(place: Place) -> None:
    head = f"POST {PREDICT} HTTP/1.1\r\nHost: x\r\nContent-Length: 100001\r\n\r\n".encode()
    assert refused(place, head, 413).error == "Request body is larger than 100000 bytes"


@fault("B2", "a body longer than allowed, in chunks", "413 as soon as it is too long")
def long_chunks(place: Place) -> None:
    client = place.client()
    client.send(CHUNKED)
    for _ in range(11):
        client.send(b"2710\r\n" + b" " * 10_000 + b"\r\n")
    assert client.answer().status == 413


@fault("B3", "a small gzip body of much more", "413, and the connection goes on")
def bomb(place: Place) -> None:
    client = place.client()
    client.send(request(gzip.compress(b" " * 5_000_000), "Content-Encoding: gzip"))
    assert client.answer().error == "Request body is larger than 100000 bytes unpacked"
    client.send(request(gzip.compress(ROW), "Content-Encoding: gzip"))
    assert client.answer().document == ANSWER


@fault("B4", "several bodies that are more together than allowed", "503 with Retry-After for one")
def held(place: Place) -> None:
    head = f"POST {PREDICT} HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n".encode()
    clients = [place.client() for _ in range(3)]
    for client in clients:
        client.send(head + b" " * 90_000)
    found = clients[-1].answer()
    assert (found.status, found.headers["retry-after"]) == (503, "1")
    for client in clients[:2]:
        client.send(b" " * 10_000)
        assert client.answer().status == 400


@fault("B5", "a target longer than allowed, whole and without an end", "414")
def long_target(place: Place) -> None:
    target = b"/v1/" + b"a" * 1_000
    refused(place, b"GET " + target + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414)
    refused(place, b"GET " + target, 414)


@fault("B6", "more headers than allowed; headers longer than allowed; one without an end", "431")
def long_head(place: Place) -> None:
    start = b"GET / HTTP/1.1\r\nHost: x\r\n"
    refused(place, start + b"a: b\r\n" * 20 + b"\r\n", 431)
    refused(place, start + b"a: " + b"b" * 5_000 + b"\r\n\r\n", 431)
    client = place.client()
    client.send(start + b"a: ")
    for _ in range(10):
        client.send(b"b" * 1_000)
        time.sleep(0.01)
    assert client.answer().status == 431


@fault("B7", "a trailer, and an extension of a chunk, without an end", "431")
def long_trailer(place: Place) -> None:
    for start in (b"0\r\na: ", b"1;"):
        client = place.client()
        client.send(CHUNKED + start)
        for _ in range(10):
            client.send(b"b" * 1_000)
            time.sleep(0.01)
        assert client.answer().status == 431


@fault("B8", "more requests at once on one connection than allowed", "some answered, then ended")
def many_pipelined(place: Place) -> None:
    client = place.client()
    client.send(request(SLOW) + request(ROW) * 50)
    assert place.model.entered.wait(10)
    place.model.gate.set()
    found = [client.answer() for _ in range(5)]
    assert [f.status for f in found] == [200] * 5
    assert [f.headers.get("connection") for f in found] == [None] * 4 + ["close"]


@fault("B9", "more requests than may wait", "503 with Retry-After; health answers; then all again")
def many_requests(place: Place) -> None:
    clients = [place.client() for _ in range(4)]
    for client in clients:
        client.send(request(SLOW))
    assert place.model.entered.wait(10)
    time.sleep(0.1)
    client = place.client()
    client.send(request(ROW))
    found = client.answer()
    assert (found.status, found.headers["retry-after"]) == (503, "1")
    assert found.error == "There are 4 requests already"
    client.send(request(b"", method="GET", target="/readyz"))
    assert client.answer().status == 200
    place.model.gate.set()
    assert [c.answer().document for c in clients] == [ANSWER] * 4
    client.send(request(ROW))
    assert client.answer().document == ANSWER


@fault("B10", "more connections than allowed, all idle", "the oldest ends, and the new is answered")
def many_connections(place: Place) -> None:
    client = place.client()
    client.send(request(ROW))
    assert client.answer().document == ANSWER
    time.sleep(0.05)
    others = [place.client() for _ in range(SMALL.max_connections - 1)]
    time.sleep(0.4)
    for other in others:
        other.send(request(ROW))
        assert other.answer().document == ANSWER
    time.sleep(0.65)
    assert place.asked(request(ROW)).document == ANSWER
    assert client.seconds_to_end() < 0.2


@fault("B11", "more connections than allowed, all of them new", "503 with Retry-After")
def many_new_connections(place: Place) -> None:
    clients = [place.client() for _ in range(SMALL.max_connections)]
    found = place.client().answer()
    assert (found.status, found.headers["retry-after"]) == (503, "1")
    clients[0].send(request(ROW))
    assert clients[0].answer().document == ANSWER


@fault("T1", "a head that does not end", "408 when its time is over")
def slow_head(place: Place) -> None:
    client = place.client()
    client.send(b"GET / HTTP/1.1\r\n")
    started = time.monotonic()
    assert client.answer().status == 408
    assert 0.4 < time.monotonic() - started < 3


@fault("T2", "a body of which a byte comes now and then", "408 when its time is over")
def slow_body(place: Place) -> None:
    client = place.client()
    client.send(request(b" " * 1_000)[:-1_000])
    is_over = threading.Event()

    def drip() -> None:
        while not is_over.wait(0.05):
            client.send(b" ")

    dripping = threading.Thread(target=drip)
    dripping.start()
    found = client.answer()
    is_over.set()
    dripping.join()
    assert found.status == 408


@fault("T3", "a connection without a request", "ended when its time is over")
def idle(place: Place) -> None:
    client = place.client()
    client.send(request(ROW))
    assert client.answer().document == ANSWER
    assert 0.5 < client.seconds_to_end() < 4


@fault("T4", "only line ends between requests", "ended when its time is over")
def line_ends(place: Place) -> None:
    client = place.client()
    for _ in range(3):
        client.send(b"\r\n" * 10)
        time.sleep(0.1)
    assert client.seconds_to_end() < 4


@fault("T5", "a large answer that the client does not read", "ended when its time is over")
def unread(place: Place) -> None:
    client = place.client(receives=4096)
    rows = b'{"instances": [%b]}' % b",".join([b"1.0"] * 40)
    client.send(request(named(rows, "wide")) + request(ROW) * 3)
    http = place.server.http
    assert http is not None
    time.sleep(0.5)
    until = time.monotonic() + 30
    while http.connections and time.monotonic() < until:
        assert place.predicted(ROW).document == ANSWER
        place.close_clients_but(client)
        time.sleep(0.05)
    assert not http.connections


@fault("T6", "a large answer that the client reads slowly", "all of it arrives")
def slow_reader(place: Place) -> None:
    client = place.client(receives=65536)
    rows = b'{"instances": [%b]}' % b",".join([b"0.5"] * 20)
    client.send(request(named(rows, "wide")))
    time.sleep(0.6)
    assert len(client.answer().document["predictions"]) == 20


@fault("T7", "a client that refuses to read its refusal and goes on sending", "reset in the end")
def deaf(place: Place) -> None:
    client = place.client()
    started = time.monotonic()
    try:
        while time.monotonic() - started < 10:
            client.send(b"nonsense" * 100)
            time.sleep(0.01)
    except ConnectionError:
        pass
    assert time.monotonic() - started < 5
