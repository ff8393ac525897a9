"""Follows a source until SIGTERM or Ctrl-C, and says how it stands to whoever asks."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import msgspec

from goldlake.workflows import planning
from goldlake.workflows.history import recorded
from goldlake.workflows.processes import OnEvent, Run
from goldlake_core.contracts.errors import GoldlakeError, UsageError
from goldlake_core.contracts.registry import load_usecase
from goldlake_core.documents import codec
from goldlake_core.documents.lakehouse import Followed
from goldlake_core.documents.reports import FollowReport
from goldlake_core.documents.stages import FollowRequest
from goldlake_core.instants import of_text
from goldlake_core.storage.home import Home

STATE = "follow.state.json"
LOOPBACK = "127.0.0.1"
# A poll and a batch take their time; so many intervals, or so many seconds, without one are ill.
HEALTHY_INTERVALS, HEALTHY_S = 3, 120.0
END_S = 7.0


@recorded("follow")
def follow(
    usecase: str,
    home: Home,
    source: str,
    every_s: float,
    on_event: OnEvent,
    *,
    accept_rejected: bool = False,
    gate_every_s: float = 0.0,
    health_port: int | None = None,
) -> FollowReport:
    """Polls a source again and again, and refines what comes, until SIGTERM or Ctrl-C.

    Args:
        usecase: Name or path of the use case.
        home: Where everything is kept.
        source: ``live`` or a URL.
        every_s: Seconds from one poll to the next.
        on_event: Called with the stage's events.
        accept_rejected: Whether any share of rejected records is accepted.
        gate_every_s: Least number of seconds from one judgement of the gate to the next.
        health_port: Port of loopback on which ``/healthz`` answers, or None.

    Returns:
        How it stood when it was ended.

    Raises:
        UsageError: The home cannot follow the contract, nothing was fetched; or the port is taken.
        StageFailed: Something failed that does not pass by itself.
    """
    contract = load_usecase(usecase)
    planning.tell(contract, home, on_event, "follow")
    run = Run.new(home)
    state = run.directory.path / STATE
    request = run.request(
        FollowRequest,
        usecase,
        contract,
        source=source,
        every=every_s,
        state=str(state),
        accept_rejected=accept_rejected,
        gate_every_s=gate_every_s,
    )
    with _answering(health_port, state, every_s):
        run.stages("lakehouse", [request], on_event, end_s=END_S)
    return FollowReport(
        run_id=run.run_id,
        home=home.root,
        logs=str(run.logs),
        usecase=usecase,
        follow=_read(state) or Followed(),
    )


def is_healthy(state: Followed | None, every_s: float, now: datetime) -> bool:
    """Whether a poll ended well not long ago, or the first one is still to come."""
    if state is None or (state.polled_at is None and not state.failures):
        return True
    if state.polled_at is None:
        return False
    since = (now - of_text(state.polled_at)).total_seconds()
    return since <= max(HEALTHY_INTERVALS * every_s, HEALTHY_S)


def _read(state: Path) -> Followed | None:
    try:
        return codec.decode(state.read_bytes(), Followed, str(state))
    except (FileNotFoundError, GoldlakeError):
        return None


@contextmanager
def _answering(port: int | None, state: Path, every_s: float) -> Iterator[None]:
    """A block during which ``/healthz`` says how it stands: 200, or 503 where it is ill."""
    if port is None:
        yield
        return

    class Handler(BaseHTTPRequestHandler):
        timeout = 10

        def do_GET(self) -> None:
            if self.path != "/healthz":
                self.send_error(404)
                return
            found = _read(state)
            is_well = is_healthy(found, every_s, datetime.now(timezone.utc))
            document = {"healthy": is_well, **(msgspec.to_builtins(found) if found else {})}
            body = json.dumps(document).encode() + b"\n"
            self.send_response(200 if is_well else 503)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_more: object) -> None:
            """Says nothing: a probe comes every few seconds."""

    try:
        server = ThreadingHTTPServer((LOOPBACK, port), Handler)
    except (OSError, OverflowError) as error:
        raise UsageError(
            f"Port {port} of {LOOPBACK} cannot be used: {error}", valid="a port that is free"
        ) from error
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
