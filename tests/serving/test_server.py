from __future__ import annotations

import contextlib
import gzip
import math
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from goldlake_core.contracts.errors import UsageError
from serving import client, config
from serving.client import NotAvailable, ServerRefused, ServerUnreachable
from serving.config import ModelsConfig
from serving.limits import Limits
from serving.registry import living_servers
from serving.server import Server, serve
from tests.serving.lines import load, running, save


@pytest.fixture
def models_config(tmp_path: Path) -> Path:
    for version in (1, 2):
        save(tmp_path / "toy.line", version, version)
    path = tmp_path / "models.config"
    base = str(tmp_path / "toy.line")
    config.write(str(path), config.with_label(ModelsConfig(), "toy.line", 1, "stable", base))
    return path


@pytest.fixture
def url(models_config: Path) -> Iterator[str]:
    with running(models_config, limits=Limits(max_body_bytes=10_000)) as url:
        yield url


def rewrite(path: Path, change: object, *args: object) -> None:
    config.write(str(path), change(config.read(str(path)), "toy.line", *args))  # type: ignore[operator]


def test_a_client_gets_predictions_status_and_metadata(url: str) -> None:
    assert client.predict(url, "toy.line", [1.0, 3]) == [1.5, 2.5]
    assert client.predict(url, "toy.line", [{"x": 1}], version=1) == [1.5]
    assert client.predict(url + "/", "toy.line", [1], label="stable") == [1.5]
    rows = [{"name": b"\xc3\xa9", "x": math.nan}, {"name": "you", "x": -math.inf}]
    first, second = client.predict(url, "toy.line", rows, signature_name="greet")
    assert first["greeting"] == "hello é"
    assert math.isnan(first["x"])
    assert second == {"greeting": "hello you", "x": -math.inf}
    assert client.status(url, "toy.line") == {1: "AVAILABLE"}
    assert client.metadata(url, "toy.line").model_spec.version == "1"


def test_errors_carry_the_servers_text(url: str) -> None:
    with pytest.raises(ServerRefused) as error:
        client.predict(url, "toy.line", ["a"])
    assert error.value.status == 400
    assert error.value.text == (
        "Failed to process element: 0 of 'instances' list. Error: INVALID_ARGUMENT: "
        'JSON Value: "a" Type: String is not of expected type: float'
    )
    assert not error.value.is_retryable
    with pytest.raises(ServerRefused, match="404: Could not find any versions of model toy.no"):
        client.status(url, "toy.no")
    with pytest.raises(ServerRefused, match="400: Unrecognized servable version label: no"):
        client.predict(url, "toy.line", [1], label="no")


def test_nobody_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(ServerUnreachable, match="No answer from http://127.0.0.1:") as error:
        client.predict(url, "toy.line", [1])
    assert error.value.is_retryable
    assert "goldlake serve" in error.value.message
    with pytest.raises(NotAvailable, match="toy.line@1 is not available at http://127"):
        client.wait_available(url, "toy.line", 1, timeout_s=0.1, poll_wait_s=0.05)


def test_a_promotion_leaves_no_request_unanswered(url: str, models_config: Path) -> None:
    answers: list[float] = []
    is_over = threading.Event()

    def ask() -> None:
        while not is_over.is_set():
            answers.extend(client.predict(url, "toy.line", [0], label="stable"))

    asking = [threading.Thread(target=ask) for _ in range(2)]
    for thread in asking:
        thread.start()
    rewrite(models_config, config.with_version, 2)
    client.wait_available(url, "toy.line", 2, timeout_s=10)
    assert client.predict(url, "toy.line", [0], label="stable") == [1.0]
    rewrite(models_config, config.with_label, 2, "stable")
    client.wait_label(url, "toy.line", "stable", 2, timeout_s=10)
    is_over.set()
    for thread in asking:
        thread.join(10)
    assert set(answers) <= {1.0, 2.0}
    assert client.predict(url, "toy.line", [0], label="stable") == [2.0]
    with contextlib.suppress(NotAvailable):
        client.wait_available(url, "toy.line", 1, timeout_s=1)
    assert client.status(url, "toy.line") == {2: "AVAILABLE", 1: "END"}


def test_waiting_for_what_does_not_load(url: str, models_config: Path) -> None:
    save(models_config.parent / "toy.line", 3, "broken")
    rewrite(models_config, config.with_version, 3)
    with pytest.raises(NotAvailable, match=r"toy.line@3 .*END.*could not convert") as error:
        client.wait_available(url, "toy.line", 3, timeout_s=10)
    assert error.value.is_retryable
    with pytest.raises(NotAvailable, match="The label 'stable' of toy.line is not at version 3"):
        client.wait_label(url, "toy.line", "stable", 3, timeout_s=0.1)


def test_compressed_and_large_bodies(url: str) -> None:
    address = f"{url}/v1/models/toy.line:predict"
    headers = {"Content-Encoding": "gzip"}
    body = gzip.compress(b'{"instances": [1.0]}')
    assert requests.post(address, body, headers=headers, timeout=10).json() == {
        "predictions": [1.5]
    }
    for data, sent in ((b" " * 10_001, {}), (gzip.compress(b" " * 20_000), headers)):
        answer = requests.post(address, data, headers=sent, timeout=10)
        assert answer.status_code == 413
        assert answer.json()["error"].startswith("Request body is larger than 10000 bytes")
    chunks = (b" " * 4_000 for _ in range(5))
    assert requests.post(address, chunks, timeout=10).status_code == 413
    answer = requests.post(address, b"no gzip", headers=headers, timeout=10)
    assert (answer.status_code, answer.json()) == (
        400,
        {"error": "JSON Parse error: The document is empty"},
    )


def test_an_answer_is_not_held_back(url: str) -> None:
    # Nagle's algorithm against delayed acknowledgement costs 40 ms a request on one connection.
    with requests.Session() as session:
        durations = []
        for _ in range(20):
            started = time.perf_counter()
            session.get(f"{url}/v1/models/toy.line", timeout=10)
            durations.append(time.perf_counter() - started)
    assert sorted(durations)[10] < 0.03


def test_preflight_requests_get_a_bare_status(url: str) -> None:
    address = f"{url}/v1/models/toy.line"
    origin = {"Origin": "http://localhost"}
    assert requests.options(address, headers=origin, timeout=10).status_code == 200
    assert requests.options(address, timeout=10).status_code == 400


CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "POST, GET",
    "Access-Control-Allow-Headers": "Content-Type",
}


def test_pages_of_anywhere_may_read_answers_where_that_is_switched_on(
    url: str, models_config: Path
) -> None:
    with running(models_config, has_cors=True) as open_url:
        for method, path, status in (
            ("OPTIONS", "/v1/models/toy.line", 200),
            ("GET", "/v1/models/toy.line", 200),
            ("POST", "/v1/models/toy.line:predict", 400),
        ):
            origin = {"Origin": "http://localhost"}
            found = requests.request(method, open_url + path, headers=origin, timeout=10)
            assert (found.status_code, {**found.headers, **CORS}) == (status, found.headers)
            closed = requests.request(method, url + path, headers=origin, timeout=10)
            assert not closed.headers.keys() & CORS.keys()
        elsewhere = requests.options(f"{open_url}/no", headers=origin, timeout=10)
        assert elsewhere.status_code == 404
        assert not elsewhere.headers.keys() & CORS.keys()


def test_metrics_are_told_under_their_path_and_nowhere_else(url: str, models_config: Path) -> None:
    with running(models_config, metrics_path="/metrics") as counted:
        client.predict(counted, "toy.line", [1])
        page = requests.get(f"{counted}/metrics", timeout=10)
        assert page.headers["content-type"].startswith("text/plain")
        assert 'request_count{model_name="toy.line",status="OK"} 1' in page.text
        default = "/monitoring/prometheus/metrics"
        assert requests.get(counted + default, timeout=10).status_code == 404
    assert requests.get(url + default, timeout=10).status_code == 404


def test_a_websocket_is_answered_as_any_other_request(url: str) -> None:
    headers = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    found = requests.get(f"{url}/v1/models/toy.line", headers=headers, timeout=10)
    assert found.status_code == 200


def test_a_server_without_models_waits_for_them(tmp_path: Path) -> None:
    path = tmp_path / "models.config"
    config.write(str(path), ModelsConfig())
    save(tmp_path / "toy.line", 1, 1)
    with running(path) as url:
        base = str(tmp_path / "toy.line")
        config.write(str(path), config.with_label(ModelsConfig(), "toy.line", 1, "stable", base))
        client.wait_available(url, "toy.line", 1, timeout_s=10)
        assert client.predict(url, "toy.line", [2], label="stable") == [2.0]


def test_a_taken_port_and_a_missing_file_are_told(models_config: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=f"Cannot listen at 127.0.0.1:{port}: Address already"):
            Server(str(models_config), port, load=load).run()
    with pytest.raises(UsageError, match="There is no models.config at"):
        serve(str(tmp_path / "no.config"), 0, load=load)


_SLOW = """
import sys, time
from serving.server import serve
from tests.serving import lines

what, seconds = sys.argv[2], float(sys.argv[3])

class Slow(lines.Line):
    def run(self, name, inputs):
        print("running", flush=True)
        time.sleep(seconds)
        return super().run(name, inputs)

def load(path):
    if what == "load":
        print("loading", flush=True)
        time.sleep(seconds)
    return Slow(lines.load(path).b)

def ready(url):
    print(url, flush=True)

ended = serve(sys.argv[1], 0, load=load, grace_s=1, on_ready=ready)
sys.exit(128 + ended)
"""


def _server_process(models_config: Path, what: str, seconds: float) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", _SLOW, str(models_config), what, str(seconds)]
    return subprocess.Popen(command, stdout=-1, stderr=-1, text=True, cwd=Path(__file__).parents[2])


def test_sigterm_lets_a_running_request_end(models_config: Path) -> None:
    answers: list[object] = []
    with _server_process(models_config, "request", 0.7) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        asking = threading.Thread(
            target=lambda: answers.append(client.predict(url, "toy.line", [1.0]))
        )
        asking.start()
        assert process.stdout.readline() == "running\n"
        process.send_signal(signal.SIGTERM)
        asking.join(20)
        _, errors = process.communicate(timeout=20)
    assert (answers, process.returncode, errors) == ([[1.5]], 143, "")
    assert living_servers(str(models_config)) == {}


@pytest.mark.parametrize("what", ["request", "load", "half a request"])
def test_sigterm_ends_the_server_whatever_is_in_flight(models_config: Path, what: str) -> None:
    with _server_process(models_config, what, 60) as process:
        assert process.stdout is not None
        connection = socket.socket()
        if what == "load":
            assert process.stdout.readline() == "loading\n"
        else:
            url = process.stdout.readline().strip()
            body = b'{"instances": [1.0]}' if what == "request" else b'{"inst'
            connection.connect(("127.0.0.1", int(url.rsplit(":", 1)[1])))
            head = b"POST /v1/models/toy.line:predict HTTP/1.1\r\nHost: x\r\n"
            connection.sendall(head + b"Content-Length: 20\r\n\r\n" + body)
            if what == "request":
                assert process.stdout.readline() == "running\n"
        started = time.monotonic()
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=20)
        seconds = time.monotonic() - started
        connection.close()
    assert process.returncode == 143, errors
    assert seconds < 5
    is_in_time = what == "half a request"
    assert ("did not end in time" in errors) is not is_in_time
    assert living_servers(str(models_config)) == {}
