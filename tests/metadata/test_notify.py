"""Somebody hears of a run that failed: by a real command, and at a real address."""

from __future__ import annotations

import http.server
import json
import threading
import time
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, ClassVar

import pytest
from msgspec.structs import replace

from goldlake_core.contracts.addresses import Hidden
from goldlake_core.contracts.sections import Notify, UseCase
from goldlake_core.documents.history import RunRow, Status
from metadata import notify as notifications
from metadata.notify import notify


def row(status: Status = "failed") -> RunRow:
    return RunRow(
        run_id="r",
        usecase="toy",
        command="ingest",
        status=status,
        began_at=datetime(2026, 4, 1, tzinfo=timezone.utc),
        error="It broke",
    )


class Server(http.server.BaseHTTPRequestHandler):
    """Answers with the statuses in turn and keeps what came."""

    statuses: ClassVar[list[int]] = []
    seen: ClassVar[list[tuple[str, Any, dict[str, str]]]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.seen.append((self.path, json.loads(body), dict(self.headers)))
        self.send_response(self.statuses.pop(0) if self.statuses else 200)
        self.send_header("Location", "http://127.0.0.1:1/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *arguments: Any) -> None:
        """Says nothing."""


@pytest.fixture
def url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(notifications, "FIRST_PAUSE_S", 0.001)
    server = http.server.HTTPServer(("127.0.0.1", 0), Server)
    Server.statuses, Server.seen = [], []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/hook/?token=s3cret"
    server.shutdown()
    server.server_close()


def told(usecase: UseCase, status: Status = "failed", **keys: Any) -> list[str]:
    return notify(replace(usecase, notify=Notify(**keys)), row(status))


def test_a_command_reads_the_run_from_standard_input(
    harbour: UseCase,
    tmp_path: Path,
) -> None:
    file = tmp_path / "it's $HOME"
    script = 'cat > "$1"; pwd >> "$1"'
    assert told(harbour, command=("sh", "-c", script, "x", str(file))) == []
    document, folder = file.read_text().splitlines()
    assert json.loads(document)["error"] == "It broke"
    assert Path(folder) == harbour.folder.resolve()


def test_what_goes_wrong_with_a_command_is_one_sentence(
    harbour: UseCase,
    tmp_path: Path,
) -> None:
    assert told(harbour, command=("no-such-program",)) == [
        "notify of toy_harbour: no-such-program cannot be started: No such file or directory"
    ]
    assert told(harbour, command=("sh", "-c", "echo no luck >&2; exit 3")) == [
        "notify of toy_harbour: sh ended with exit status 3: no luck"
    ]
    mark = tmp_path / "mark"
    late = ("sh", "-c", f"(sleep 3; touch {mark}) & sleep 60")
    started = time.monotonic()
    assert told(harbour, command=late, timeout_s=1) == [
        "notify of toy_harbour: sh took longer than 1 s and was ended"
    ]
    assert time.monotonic() - started < 30
    time.sleep(2.5)
    assert not mark.exists(), "what it started was ended too"


def test_which_ends_are_told(harbour: UseCase, tmp_path: Path) -> None:
    file = tmp_path / "told"
    command = ("sh", "-c", f"cat > /dev/null; echo x >> {file}")
    statuses: tuple[Status, ...] = ("ok", "interrupted", "refused", "failed", "killed")
    for status in statuses:
        assert told(harbour, status, command=command) == []
    assert len(file.read_text().splitlines()) == 3
    told(harbour, "interrupted", command=command, when=("interrupted",))
    told(harbour, "failed", command=command, when=("interrupted",))
    assert len(file.read_text().splitlines()) == 4
    assert notify(harbour, row()) == [], "a contract without notify tells nobody"


def test_a_webhook_gets_the_run_and_secrets_of_the_environment(
    harbour: UseCase,
    url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOOK", url)
    monkeypatch.setenv("TOKEN", "Bearer s3cret")
    headers = {"Authorization": Hidden(env="TOKEN"), "X-From": Hidden(text="lake")}
    Server.statuses = [503, 429]
    assert told(harbour, webhook=Hidden(env="HOOK"), headers=headers) == []
    path, document, sent = Server.seen[-1]
    assert len(Server.seen) == 3, "what may pass is tried again"
    assert path == "/hook/?token=s3cret"
    assert document["status"] == "failed"
    assert (sent["Authorization"], sent["X-From"]) == ("Bearer s3cret", "lake")
    assert sent["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    ("statuses", "problem", "requests"),
    [
        ([302], "answered with status 302; redirects are not followed", 1),
        ([404], "answered with status 404", 1),
        ([500, 500, 500], "answered with status 500", 3),
    ],
)
def test_what_a_webhook_refuses_is_one_sentence(
    harbour: UseCase,
    url: str,
    statuses: list[int],
    problem: str,
    requests: int,
) -> None:
    Server.statuses = list(statuses)
    found = told(harbour, webhook=Hidden(text=url))
    assert found == [f"notify of toy_harbour: http://127.0.0.1 {problem}"]
    assert len(Server.seen) == requests


def test_no_message_shows_a_secret_and_none_goes_out_in_the_clear(
    harbour: UseCase,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(notifications, "FIRST_PAUSE_S", 0.001)
    monkeypatch.setenv("HOOK", "http://127.0.0.1:9/s3cret")
    [gone] = told(harbour, webhook=Hidden(env="HOOK"), attempts=2)
    assert gone == "notify of toy_harbour: http://127.0.0.1 was not reached (ConnectionError)"
    monkeypatch.setenv("TOKEN", "s3cret\r\nX: y")
    headers = {"Authorization": Hidden(env="TOKEN")}
    [odd] = told(harbour, webhook=Hidden(env="HOOK"), headers=headers)
    assert "s3cret" not in odd
    monkeypatch.setenv("HOOK", "http://example.org/s3cret")
    [plain] = told(harbour, webhook=Hidden(env="HOOK"))
    assert plain.endswith(
        "http://example.org is another machine without TLS, and plain_http is not set"
    )
    monkeypatch.setenv("HOOK", "s3cret")
    [none] = told(harbour, webhook=Hidden(env="HOOK"))
    assert none.endswith("the variable HOOK does not hold a web address")
    monkeypatch.delenv("HOOK")
    [unset] = told(harbour, webhook=Hidden(env="HOOK"))
    assert unset.endswith("the environment variable HOOK is not set")


def test_both_are_told_and_one_that_fails_does_not_stop_the_other(
    harbour: UseCase,
    url: str,
) -> None:
    found = told(harbour, command=("no-such-program",), webhook=Hidden(text=url))
    assert len(found) == 1
    assert len(Server.seen) == 1
