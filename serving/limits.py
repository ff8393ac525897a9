"""What a client may cost this server."""

from __future__ import annotations

from dataclasses import dataclass

MAX_BODY_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True)
class Limits:
    """Bounds of the HTTP server. Times are in seconds.

    A request or an answer that takes longer than its time has to move `min_bytes_per_s` from there
    on; the connection of one that does not is closed.

    Attributes:
        max_body_bytes: Largest body of a request, also after decompression; 413 beyond.
        max_held_bytes: All bodies together that are held in memory at a time; 503 beyond.
        max_target_bytes: Longest target of a request; 414 beyond.
        max_head_bytes: Request line and headers of a request; 431 beyond.
        max_headers: Headers of a request; 431 beyond.
        max_pipelined: Requests that wait on one connection for those before them. The connection
            is closed after that many, and the client repeats the rest.
        max_connections: Open connections. One more closes the one that has waited longest for its
            client, or gets 503 where none waits.
        max_requests: Requests that wait or run; 503 beyond.
        request_s: Time for a request to arrive, counted from its first byte; 408 beyond.
        idle_s: Time that a connection stays open without a request.
        write_s: Time for the client to take an answer.
        linger_s: Time that a refused client has to read its answer before the connection is reset.
        drain_idle_s: Time that a connection without a request stays open when the server ends.
        min_bytes_per_s: Slowest rate of long requests and answers.
    """

    max_body_bytes: int = MAX_BODY_BYTES
    max_held_bytes: int = 4 * MAX_BODY_BYTES
    max_target_bytes: int = 16 * 1024
    max_head_bytes: int = 64 * 1024
    max_headers: int = 100
    max_pipelined: int = 32
    max_connections: int = 1000
    max_requests: int = 512
    request_s: float = 20.0
    idle_s: float = 60.0
    write_s: float = 30.0
    linger_s: float = 2.0
    drain_idle_s: float = 0.5
    min_bytes_per_s: int = 16 * 1024
