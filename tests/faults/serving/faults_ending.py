"""What is in flight when the server is told to end."""

from __future__ import annotations

import socket
import threading
import time

import pytest

from tests.faults.serving.catalog import fault
from tests.faults.serving.faults_wire import ANSWER
from tests.faults.serving.lab import ROW, Client, Place, named, request


@fault("E1", "a request runs", "answered with `Connection: close`, then ended", is_end=True)
def running(place: Place) -> None:
    client = place.client()
    client.send(request(named(ROW, "slow")))
    assert place.model.entered.wait(10)
    place.server.stop()
    time.sleep(0.2)
    place.model.gate.set()
    found = client.answer()
    assert (found.document, found.headers["connection"]) == (ANSWER, "close")
    assert client.seconds_to_end() < 1


@fault(
    "E2", "a client asks again and again on one connection", "its last answer says so", is_end=True
)
def steady(place: Place) -> None:
    answers: list[object] = []

    def ask(client: Client) -> None:
        while True:
            client.send(request(ROW))
            found = client.answer()
            answers.append(found.document)
            if found.headers.get("connection") == "close":
                answers.append("told")
                return

    clients = [place.client() for _ in range(4)]
    asking = [threading.Thread(target=ask, args=(client,)) for client in clients]
    for thread in asking:
        thread.start()
    time.sleep(0.2)
    place.server.stop()
    for thread in asking:
        thread.join(10)
    assert answers.count("told") == 4
    assert answers.count(ANSWER) == len(answers) - 4


@fault(
    "E3",
    "a connection is idle, and asks just after",
    "answered with `Connection: close`",
    is_end=True,
)
def idle(place: Place) -> None:
    client, other = place.client(), place.client()
    for each in (client, other):
        each.send(request(ROW))
        assert each.answer().document == ANSWER
    place.server.stop()
    time.sleep(0.05)
    client.send(request(ROW))
    assert client.answer().headers["connection"] == "close"
    assert other.seconds_to_end() < 2


@fault(
    "E4",
    "half a request, of which no more comes",
    "ended when the grace period is over",
    is_end=True,
)
def half(place: Place) -> None:
    client = place.client()
    client.send(request(ROW)[:-3])
    time.sleep(0.1)
    place.server.stop()
    # Its own time ends first here.
    assert client.answer().status == 408
    assert client.seconds_to_end() < 4


@fault("E5", "half a request, of which the rest comes", "answered, then ended", is_end=True)
def rest(place: Place) -> None:
    client = place.client()
    client.send(request(ROW)[:-3])
    time.sleep(0.1)
    place.server.stop()
    time.sleep(0.1)
    client.send(request(ROW)[-3:])
    assert client.answer().document == ANSWER


@fault("E6", "a new connection after the end was asked for", "refused by the system", is_end=True)
def late(place: Place) -> None:
    place.server.stop()
    time.sleep(0.4)
    with pytest.raises(OSError, match="refused"), socket.create_connection(place.address):
        pass
