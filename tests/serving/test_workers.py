from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from goldlake_core.contracts.errors import UsageError
from serving import client, config
from serving.addresses import listening
from serving.client import ServerUnreachable
from serving.config import ModelsConfig
from serving.registry import living_servers
from serving.workers import WorkerEnded, Workers
from tests.serving.lines import save

ROOT = Path(__file__).parents[2]
# A server whose model adds the number of its process.
WORKER = """
import json, os, sys, time
from serving.server import serve
from serving.workers import end_with_parent
from tests.serving import lines

path, seconds, _, port = sys.argv[1:]
end_with_parent()

class Slow(lines.Line):
    def run(self, name, inputs):
        time.sleep(float(seconds))
        return super().run(name, inputs)

def load(path):
    lines.load(path)
    return Slow(os.getpid())

def ready(url):
    print(json.dumps({"url": url}), flush=True)

settings = {"shared_rest_port": int(port), "load": load, "poll_wait_s": 0.05}
sys.exit(128 + serve(path, 0, on_ready=ready, **settings))
"""


@pytest.fixture
def models_config(tmp_path: Path) -> Path:
    save(tmp_path / "toy.line", 1, 1)
    path = tmp_path / "models.config"
    base = str(tmp_path / "toy.line")
    config.write(str(path), config.with_label(ModelsConfig(), "toy.line", 1, "stable", base))
    return path


def command(models_config: Path, seconds: float = 0) -> list[str]:
    return [sys.executable, "-c", WORKER, str(models_config), str(seconds)]


@contextlib.contextmanager
def working(
    models_config: Path, monkeypatch: pytest.MonkeyPatch, seconds: float = 0
) -> Iterator[tuple[str, Workers]]:
    """Two workers; yields their URL."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    urls: list[str] = []
    is_ready = threading.Event()

    def ready(url: str) -> None:
        urls.append(url)
        is_ready.set()

    workers = Workers(
        command(models_config, seconds), 2, host="127.0.0.1", rest_port=0, on_ready=ready
    )
    thread = threading.Thread(target=workers.run)
    thread.start()
    try:
        assert is_ready.wait(60)
        yield urls[0], workers
    finally:
        workers.stop()
        thread.join(60)
        assert not thread.is_alive()


def eventually(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.05)


def pids(url: str, asked: int = 40) -> set[int]:
    """Numbers of the processes that answer, each on a new connection."""
    return {int(client.predict(url, "toy.line", [0], label="stable")[0]) for _ in range(asked)}


def test_each_process_answers_and_is_registered(
    models_config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with working(models_config, monkeypatch) as (url, _):
        registered = [about.url for about in living_servers(str(models_config)).values()]
        assert len(set(registered)) == 2
        assert url not in registered
        answering = [pids(each, 3) for each in registered]
        assert [len(each) for each in answering] == [1, 1]
        assert pids(url) == set.union(*answering)
        save(models_config.parent / "toy.line", 2, 1)
        config.update(str(models_config), lambda now: config.with_version(now, "toy.line", 2))
        for each in registered:
            client.wait_available(each, "toy.line", 2, timeout_s=20)
    assert living_servers(str(models_config)) == {}


def test_a_process_that_dies_is_started_again(
    models_config: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with working(models_config, monkeypatch) as (url, _):
        before = pids(url)
        died = min(before)
        os.kill(died, signal.SIGKILL)
        with contextlib.suppress(ServerUnreachable):
            assert pids(url, 5) <= before

        def is_replaced() -> bool:
            # A connection that the dead process had not accepted is reset.
            with contextlib.suppress(ServerUnreachable):
                return len(living_servers(str(models_config))) == 2 and died not in pids(url)
            return False

        eventually(is_replaced)
        assert len(pids(url)) == 2
    [told] = [text for text in caplog.messages if "started again" in text]
    assert "ended with SIGKILL" in told


def test_a_request_that_runs_is_answered_before_the_end(
    models_config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers: list[object] = []
    with working(models_config, monkeypatch, seconds=0.7) as (url, workers):
        asking = [threading.Thread(target=lambda: answers.append(pids(url, 1))) for _ in range(6)]
        for thread in asking:
            thread.start()
        time.sleep(0.3)
        workers.stop()
        for thread in asking:
            thread.join(30)
    assert len(answers) == 6


def test_what_cannot_begin_ends_all(models_config: Path) -> None:
    broken = [sys.executable, "-c", "import sys; sys.exit(2)"]
    workers = Workers(broken, 2, host="127.0.0.1", rest_port=0)
    with pytest.raises(WorkerEnded, match="Worker [12] ended with exit status 2 before it was"):
        workers.run()


@pytest.mark.parametrize("is_shared", [False, True])
def test_a_taken_port_is_refused_even_where_it_could_be_shared(is_shared: bool) -> None:
    with listening("127.0.0.1", 0, is_shared=is_shared) as taken:
        port = taken.getsockname()[1]
        workers = Workers(["true"], 2, host="127.0.0.1", rest_port=port)
        with pytest.raises(UsageError, match=f"Cannot listen at 127.0.0.1:{port}"):
            workers.run()


PARENT = """
import sys
from serving.workers import Workers, serve

def ready(url):
    print(url, flush=True)

workers = Workers(sys.argv[1:], 2, host="127.0.0.1", rest_port=0, on_ready=ready)
sys.exit(128 + serve(workers))
"""


@contextlib.contextmanager
def parent_process(models_config: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A process with two workers, and their URL."""
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, *command(models_config)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as process:
        assert process.stdout is not None
        yield process, process.stdout.readline().strip()


def test_processes_end_with_their_parent(models_config: Path) -> None:
    with parent_process(models_config) as (process, url):
        assert len(pids(url)) == 2
        process.kill()
    eventually(lambda: living_servers(str(models_config)) == {})

    def is_closed() -> bool:
        with socket.socket() as asking:
            return asking.connect_ex(("127.0.0.1", int(url.rsplit(":", 1)[1]))) != 0

    # A process that ends closes its lock first, and its socket a moment later.
    eventually(is_closed)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_them_all(models_config: Path, number: signal.Signals) -> None:
    with parent_process(models_config) as (process, url):
        assert url.startswith("http://127.0.0.1:")
        process.send_signal(number)
        assert process.wait(60) == 128 + number
    assert living_servers(str(models_config)) == {}
