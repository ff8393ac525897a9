"""Requests that wait together, and must not notice each other."""

from __future__ import annotations

import threading
import time

from tests.faults.serving.catalog import fault
from tests.faults.serving.lab import ROW, Client, Place, named, request


def proven(place: Place, signature: str) -> None:
    """Asks until the signature is known to be one whose rows do not depend on each other."""
    place.model.gate.set()
    for number in range(8):
        place.close_clients()
        body = named(b'{"instances": [%d]}' % number, signature)
        assert place.predicted(body).status == 200


def together(place: Place, bodies: list[bytes]) -> list[Client]:
    """Sends requests one after the other, each on a connection, without reading an answer."""
    clients = [place.client() for _ in bodies]
    for client, body in zip(clients, bodies, strict=True):
        client.send(request(body))
    return clients


@fault("Q1", "requests that wait", "run in one call, and each gets its rows")
def batched(place: Place) -> None:
    proven(place, "slow")
    place.model.gate.clear()
    place.model.entered.clear()
    # Until a call is known to be slow it runs in the thread of the loop, which it holds up.
    [held] = together(place, [named(ROW, "slow")])
    assert place.model.entered.wait(10)
    bodies = [named(b'{"instances": [%d, %d]}' % (n, n + 1), "slow") for n in range(3)]
    clients = together(place, bodies)
    place.model.sizes.clear()
    time.sleep(0.2)
    place.model.gate.set()
    assert held.answer().document == {"predictions": [1.5]}
    found = [client.answer().document["predictions"] for client in clients]
    assert found == [[n / 2 + 1, (n + 1) / 2 + 1] for n in range(3)]
    assert max(rows for _, rows in place.model.sizes) > 2


@fault(
    "Q2", "one bad row among good requests", "the bad one gets its error, the others their answers"
)
def bad_row(place: Place) -> None:
    proven(place, "strict")
    for number in range(20):
        place.close_clients()
        bodies = [named(b'{"instances": [%d]}' % n, "strict") for n in (1, -number - 1, 3)]
        one, bad, other = (client.answer() for client in together(place, bodies))
        assert (one.document, other.document) == ({"predictions": [1.5]}, {"predictions": [2.5]})
        assert (bad.status, bad.error) == (400, f"{-number - 1} is below zero")


@fault("Q3", "a signature whose answers depend on other rows", "each request runs by itself")
def dependent(place: Place) -> None:
    for _ in range(10):
        place.close_clients()
        bodies = [named(b'{"instances": [%d, %d]}' % (n, n + 2), "mean") for n in range(3)]
        for client in together(place, bodies):
            assert client.answer().document == {"predictions": [-1.0, 1.0]}


@fault("Q4", "requests whose rows differ in width", "each is answered as if alone")
def widths(place: Place) -> None:
    for _ in range(10):
        place.close_clients()
        bodies = [
            named(b'{"instances": [%b]}' % row, "pair") for row in (b"[1]", b"[1, 2]", b"[3]")
        ]
        found = [client.answer().document for client in together(place, bodies)]
        assert [f["predictions"] for f in found] == [[[1.5]], [[1.5, 2.0]], [[2.5]]]


@fault("Q5", "the same requests in row and in columnar format", "each in its format")
def formats(place: Place) -> None:
    for _ in range(10):
        place.close_clients()
        one, other = together(place, [ROW, b'{"inputs": [1.0]}'])
        assert one.answer().document == {"predictions": [1.5]}
        assert other.answer().document == {"outputs": [1.5]}


@fault("Q6", "the version is unloaded while requests run", "they are answered, then it ends")
def unloaded(place: Place) -> None:
    clients = together(place, [named(ROW, "slow")] * 2)
    assert place.model.entered.wait(10)
    time.sleep(0.2)
    plane = place.server.plane
    unloading = threading.Thread(target=plane.unload, args=("line", 1))
    unloading.start()
    time.sleep(0.1)
    place.model.gate.set()
    assert [client.answer().document for client in clients] == [{"predictions": [1.5]}] * 2
    unloading.join(10)
    assert plane.load("line", 1, "")
