"""What simulators answer: replies, how they are sent, and faults on the way."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from goldlake_core.asgi import Send
from lakehouse.sources.told import IDENTITY_HEADER, Told


@dataclass(frozen=True)
class Reply:
    """An HTTP answer before it is sent.

    Attributes:
        status: Status of the HTTP answer.
        body: JSON text, in UTF-8.
        headers: Headers beside those that every answer has.
    """

    status: int
    body: bytes
    headers: Mapping[str, str]


async def sent(
    send: Send, reply: Reply, told: Told, *, has_body: bool = True, is_cut: bool = False
) -> None:
    """Sends a reply with the header that says whose rows are served.

    Args:
        send: Takes the messages (ASGI).
        reply: What to send.
        told: What the header says.
        has_body: Whether the body is sent; an answer to HEAD has none.
        is_cut: Whether the connection ends in the middle of the body.

    Raises:
        ConnectionAbortedError: The answer is cut, which makes the server close the connection.
    """
    headers = {
        "Content-Type": "application/json;charset=utf-8",
        "Content-Length": str(len(reply.body)),
        IDENTITY_HEADER: json.dumps(msgspec.to_builtins(told)),
        **reply.headers,
    }
    raw = [(k.lower().encode(), v.encode("latin-1")) for k, v in headers.items()]
    if reply.status == 304:
        raw = [(k, v) for k, v in raw if k not in (b"content-length", b"content-type")]
    await send({"type": "http.response.start", "status": reply.status, "headers": raw})
    body = reply.body if has_body else b""
    if is_cut:
        half = {"type": "http.response.body", "body": body[: len(body) // 2]}
        await send({**half, "more_body": True})
        raise ConnectionAbortedError("cut on request")
    await send({"type": "http.response.body", "body": body})
