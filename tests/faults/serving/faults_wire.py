"""Requests that HTTP/1.1 allows and few clients send, and those that it does not allow."""

from __future__ import annotations

from tests.faults.serving.catalog import fault
from tests.faults.serving.lab import PREDICT, ROW, Place, request

ANSWER = {"predictions": [1.5]}
CHUNKED = f"POST {PREDICT} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode()


def refused(place: Place, data: bytes, status: int = 400) -> str:
    client = place.client()
    client.send(data)
    found = client.answer()
    assert (found.status, found.headers["connection"]) == (status, "close")
    client.seconds_to_end()
    return found.error


@fault("W1", "the request comes in pieces of one byte", "answered")
def pieces(place: Place) -> None:
    client = place.client()
    for byte in request(ROW):
        client.send(bytes([byte]))
    assert client.answer().document == ANSWER


@fault("W2", "three requests at once on one connection", "answered in order")
def pipelined(place: Place) -> None:
    client = place.client()
    client.send(b"".join(request(b'{"instances": [%d]}' % number) for number in range(3)))
    assert [client.answer().document["predictions"] for _ in range(3)] == [[1.0], [1.5], [2.0]]


@fault("W3", "a body in chunks, with an extension and a trailer", "answered")
def chunks(place: Place) -> None:
    body = b"5;a=b\r\n%b\r\n%x\r\n%b\r\n0\r\nTrailer: x\r\n\r\n" % (ROW[:5], len(ROW) - 5, ROW[5:])
    assert place.asked(CHUNKED + body).document == ANSWER


@fault("W4", "both Content-Length and Transfer-Encoding", "400, and the connection ends")
def both_lengths(place: Place) -> None:
    data = request(ROW, "Transfer-Encoding: chunked")
    assert "is not HTTP/1.1" in refused(place, data + request(ROW))


@fault("W5", "two lengths that differ; one with a sign; one that is a word", "400")
def bad_lengths(place: Place) -> None:
    for line in (
        "Content-Length: 1\r\nContent-Length: 2",
        "Content-Length: +3",
        "Content-Length: x",
    ):
        refused(place, f"POST {PREDICT} HTTP/1.1\r\nHost: x\r\n{line}\r\n\r\n123".encode())


@fault("W6", "the target names a server: `POST http://other/v1/…`", "answered as without it")
def absolute_target(place: Place) -> None:
    for prefix in ("http://x", "HTTP://x:8501", "https://u@[::1]:1"):
        assert place.asked(request(ROW, target=prefix + PREDICT)).document == ANSWER
    assert place.asked(request(b"", method="GET", target="http://x")).status == 404


@fault("W7", "an upgrade to WebSocket, by GET", "answered as without it")
def websocket(place: Place) -> None:
    client = place.client()
    headers = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: x")
    client.send(request(b"", *headers, method="GET", target="/v1/models/line"))
    assert client.answer().status == 200
    client.send(request(ROW))
    assert client.answer().document == ANSWER


@fault("W8", "a POST that offers HTTP/2 (h2c), as Java's client sends it", "answered, body and all")
def h2c(place: Place) -> None:
    client = place.client()
    headers = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMA")
    data = request(ROW, *headers)
    client.send(data + request(ROW))
    assert [client.answer().document for _ in range(2)] == [ANSWER] * 2
    client.send(data[:-3])
    client.send(data[-3:])
    assert client.answer().document == ANSWER


@fault(
    "W18",
    "an offer of another protocol whose body is too long, or that is the last request",
    "413; answered, then ended",
)
def upgrade_and_end(place: Place) -> None:
    offer = ("Connection: Upgrade, close", "Upgrade: websocket")
    client = place.client()
    client.send(request(ROW, *offer))
    assert client.answer().document == ANSWER
    client.seconds_to_end()
    client = place.client()
    head = request(b"", "Connection: Upgrade", "Upgrade: h2c").decode()
    client.send(head.replace("Content-Length: 0", "Content-Length: 100001").encode())
    assert client.answer().status == 413
    client.seconds_to_end()


@fault("W9", "a whole request, and then the client closes its side", "answered, then ended")
def half_closed(place: Place) -> None:
    client = place.client()
    client.send(request(ROW))
    client.half_close()
    assert client.answer().document == ANSWER
    client.seconds_to_end()


@fault("W10", "half a request, and then the client closes its side", "400, then ended")
def half_request(place: Place) -> None:
    client = place.client()
    client.send(request(ROW)[:-3])
    client.half_close()
    assert client.answer().error == "The request ends before it is complete"
    client.seconds_to_end()


@fault("W11", "no Host, two of them, and none in HTTP/1.0", "400, 400, and answered")
def hosts(place: Place) -> None:
    plain = request(ROW)
    assert refused(place, plain.replace(b"Host: x\r\n", b"")) == "The request needs one header Host"
    refused(place, plain.replace(b"Host: x", b"Host: x\r\nHost: y"))
    old = plain.replace(b"Host: x\r\n", b"").replace(b"HTTP/1.1", b"HTTP/1.0")
    found = place.asked(old)
    assert (found.document, found.headers["connection"]) == (ANSWER, "close")


@fault("W12", "`Expect: 100-continue`, the body only after the answer to it", "asked for, answered")
def expects(place: Place) -> None:
    client = place.client()
    head, body = request(ROW, "Expect: 100-continue").split(b"\r\n\r\n", 1)
    client.send(head + b"\r\n\r\n")
    place.client().send(b"")
    assert client._socket.recv(100).startswith(b"HTTP/1.1 100 Continue\r\n\r\n")
    client.send(body)
    assert client.answer().document == ANSWER


@fault("W13", "HTTP/2's preface, TLS, a space before a colon, a folded line, bare line ends", "400")
def not_http(place: Place) -> None:
    for data in (
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/1.1\r\nHost : x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n",
        b"GET / HTTP/1.1\nHost: x\n\n",
        b"GET / HTTP/9.9\r\nHost: x\r\n\r\n",
        b"NOTHING / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n",
    ):
        refused(place, data)


@fault("W14", "`CONNECT`", "400, and the connection ends")
def connect(place: Place) -> None:
    assert "does not connect" in refused(place, b"CONNECT y:1 HTTP/1.1\r\nHost: y:1\r\n\r\nabc")


@fault("W15", "`HEAD` of a health address", "the head of the answer, without a body")
def head(place: Place) -> None:
    client = place.client()
    client.send(request(b"", method="HEAD", target="/healthz"))
    assert int(client.answer(is_head=True).headers["content-length"]) > 10
    client.send(request(ROW))
    assert client.answer().document == ANSWER


@fault("W16", "a good request, then nonsense", "the first is answered, then 400")
def nonsense_after(place: Place) -> None:
    client = place.client()
    client.send(request(ROW) + b"nonsense\r\n\r\n")
    assert client.answer().document == ANSWER
    assert client.answer().status == 400
    client.seconds_to_end()


@fault("W17", "a request, and the client is gone before the answer", "the answer goes nowhere")
def gone(place: Place) -> None:
    client = place.client()
    client.send(request(b'{"signature_name": "slow", "instances": [1.0]}'))
    assert place.model.entered.wait(10)
    client.close()
