"""Clients that ask a server without a pause, check each answer, and note how long it took."""

from __future__ import annotations

import asyncio
import json
import time
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Question:
    """A request, and what may be answered.

    Attributes:
        data: The bytes of the request.
        answers: The numbers that are right; a server that is being reloaded has several.
    """

    data: bytes
    answers: tuple[float, ...]


@dataclass
class Asked:
    """What came of many requests.

    Attributes:
        seconds: How long each right answer took.
        problems: Wrong answers and failures, as far as they are kept.
        failures: How many there were.
    """

    seconds: array[float] = field(default_factory=lambda: array("f"))
    problems: list[str] = field(default_factory=list)
    failures: int = 0

    def failed(self, problem: str) -> None:
        """Notes a failure."""
        self.failures += 1
        if len(self.problems) < 10:
            self.problems.append(problem)

    def p(self, share: float) -> float:
        """The time in milliseconds that this share of the answers kept to."""
        ordered = sorted(self.seconds)
        return 1e3 * ordered[min(int(share * len(ordered)), len(ordered) - 1)]


def question(url: str, target: str, row: object, answers: Sequence[float]) -> Question:
    """A request of one row.

    Args:
        url: Base URL of the server.
        target: Such as ``/v1/models/M:predict``.
        row: The row in row format.
        answers: The numbers that are right.
    """
    body = json.dumps({"instances": [row]}).encode()
    head = f"POST {target} HTTP/1.1\r\nHost: {urlsplit(url).netloc}\r\n"
    return Question(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body, tuple(answers))


async def ask(
    url: str,
    questions: Sequence[Question],
    connections: int,
    goes_on: Callable[[], bool],
    tolerance: float,
) -> Asked:
    """Asks on some connections, one request at a time on each, until told.

    Args:
        url: Base URL of the server.
        questions: Asked in turn.
        connections: How many connections there are.
        goes_on: Called before each request.
        tolerance: How far a right answer may be off.
    """
    found = Asked()
    place = urlsplit(url)

    async def one(start: int) -> None:
        reader, writer = await asyncio.open_connection(place.hostname, place.port)
        number = start
        while goes_on():
            asked = questions[number % len(questions)]
            number += connections
            began = time.perf_counter()
            writer.write(asked.data)
            try:
                head = await reader.readuntil(b"\r\n\r\n")
                length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
                body = await reader.readexactly(int(length))
            except (OSError, EOFError, ValueError) as error:
                found.failed(f"{type(error).__name__}: {error}")
                writer.close()
                reader, writer = await asyncio.open_connection(place.hostname, place.port)
                continue
            took = time.perf_counter() - began
            try:
                [answer] = json.loads(body)["predictions"]
                is_right = any(abs(answer - right) <= tolerance for right in asked.answers)
            except (ValueError, KeyError, TypeError):
                is_right = False
            if is_right and head.startswith(b"HTTP/1.1 200"):
                found.seconds.append(took)
            else:
                found.failed(f"{head[:20]!r} {body[:200]!r}, not {asked.answers}")
        writer.close()

    await asyncio.gather(*(one(start) for start in range(connections)))
    return found
