"""Who asks how a followed source stands gets an answer: the probe, and the end of the command."""

from __future__ import annotations

import socket
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
import requests

from goldlake.workflows import follow
from goldlake_core.contracts.errors import UsageError
from goldlake_core.documents import codec
from goldlake_core.documents.lakehouse import Followed

NOW = datetime(2026, 4, 1, 9, 30, tzinfo=timezone.utc)


def _state(age_s: float | None, failures: int = 0) -> Followed:
    at = None if age_s is None else (NOW - timedelta(seconds=age_s)).isoformat()
    return Followed(polled_at=at and at.replace("+00:00", "Z"), failures=failures)


@pytest.mark.parametrize(
    ("state", "every_s", "wanted"),
    [
        (None, 30.0, True),
        (_state(None), 30.0, True),
        (_state(None, failures=1), 30.0, False),
        (_state(119), 30.0, True),
        (_state(121), 30.0, False),
        (_state(299), 100.0, True),
        (_state(301), 100.0, False),
    ],
)
def test_healthy_is_what_polled_well_not_long_ago(
    state: Followed | None, every_s: float, wanted: bool
):
    assert follow.is_healthy(state, every_s, NOW) is wanted


def _free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


def test_the_probe_answers_on_loopback(tmp_path: Path):
    state, port = tmp_path / "state.json", _free_port()
    with follow._answering(port, state, 30.0):
        url = f"http://127.0.0.1:{port}"
        assert requests.get(f"{url}/healthz", timeout=5).json() == {"healthy": True}
        state.write_bytes(codec.encode(Followed(polls=3, polled_at="2026-04-01T09:30:00.000Z")))
        ill = requests.get(f"{url}/healthz", timeout=5)
        assert (ill.status_code, ill.json()["healthy"], ill.json()["polls"]) == (503, False, 3)
        state.write_bytes(b"{")
        assert requests.get(f"{url}/healthz", timeout=5).status_code == 200
        assert requests.get(f"{url}/else", timeout=5).status_code == 404
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{url}/healthz", timeout=5)


def test_a_taken_port_is_refused(tmp_path: Path):
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        port = held.getsockname()[1]
        wanted = rf"Port {port} of 127\.0\.0\.1 cannot be used: .*a port that is free"
        with (
            pytest.raises(UsageError, match=wanted),
            follow._answering(port, tmp_path / "state.json", 30.0),
        ):
            pass
