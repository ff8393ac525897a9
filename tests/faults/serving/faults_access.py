"""Clients without a token, with a wrong one, and those that send it in odd ways."""

from __future__ import annotations

from serving.access import NEEDS_TOKEN, Access
from tests.faults.serving.catalog import fault
from tests.faults.serving.faults_wire import ANSWER
from tests.faults.serving.lab import PREDICT, ROW, Place, request

KEPT = Access(tokens=(b"secret-1", b"secret-2"))


@fault(
    "A1", "no token; a wrong one; a part of it; another scheme", "401 with a challenge", access=KEPT
)
def no_token(place: Place) -> None:
    for headers in (
        [],
        ["Bearer x"],
        ["Bearer secret"],
        ["Basic secret-1"],
        ["secret-1"],
        ["Bearer "],
    ):
        found = place.asked(request(ROW, *(f"Authorization: {value}" for value in headers)))
        assert (found.status, found.error) == (401, NEEDS_TOKEN)
        assert found.headers["www-authenticate"] == "Bearer"


@fault("A2", "no token and a large body", "401 before the body is sent", access=KEPT)
def no_token_large(place: Place) -> None:
    head = f"POST {PREDICT} HTTP/1.1\r\nHost: x\r\nContent-Length: 90000\r\n\r\n".encode()
    client = place.client()
    client.send(head)
    assert client.answer().status == 401


@fault("A3", "each of two tokens, the scheme in small letters", "answered", access=KEPT)
def two_tokens(place: Place) -> None:
    for value in ("Bearer secret-1", "bearer secret-2"):
        assert place.asked(request(ROW, f"Authorization: {value}")).document == ANSWER


@fault("A4", "health and a preflight request without a token", "answered", access=KEPT)
def health(place: Place) -> None:
    for target in ("/healthz", "/readyz"):
        assert place.asked(request(b"", method="GET", target=target)).status == 200
    origin = "Origin: http://x"
    found = place.asked(request(b"", origin, method="OPTIONS", target="/v1/models/line"))
    assert found.status == 200
    assert place.asked(request(b"", method="GET", target="/v1/models/line")).status == 401
