"""The client against servers that answer, refuse, are busy, late, or not there."""

from __future__ import annotations

import http.server
import json
import math
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from goldlake_core.contracts.errors import InstanceError, UsageError
from goldlake_core.contracts.sections import WireNull
from goldlake_core.contracts.wire import RawInput
from serving import calls, client
from serving.client import ServerBusy, ServerRefused, ServerUnreachable, Share, connect
from tests.serving.lines import two_labels

INPUTS = (
    RawInput("name", "string", True, WireNull("text", "(none)"), "string"),
    RawInput("x", "double", True, WireNull("nan"), "float32"),
)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Version 1 is ``stable`` and adds 1, version 2 is ``canary`` and adds 2."""
    with two_labels(tmp_path_factory.mktemp("served")) as url:
        yield url


Answer = tuple[int, dict[str, str], bytes]


class Stub(http.server.ThreadingHTTPServer):
    """A server of HTTP whose answers a test decides, and which notes what it got."""

    def __init__(self, answer: Callable[[int], Answer]) -> None:
        self.answer = answer
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.connections = 0
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Stub

    def setup(self) -> None:
        super().setup()
        self.server.connections += 1

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((dict(self.headers), body))
        status, headers, content = self.server.answer(len(self.server.got))
        if status == 0:
            self.close_connection = True
            return
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def stub(answer: Callable[[int], Answer]) -> Iterator[Stub]:
    server = Stub(answer)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


GOOD: Answer = (200, {}, b'{"predictions": [1.0]}')


def test_rows_are_checked_and_filled_by_the_contract_before_they_leave() -> None:
    with stub(lambda n: GOOD) as server, connect(server.url) as asked:
        model = asked.model("toy.line", inputs=INPUTS, signature_name="greet")
        assert model.predict([{"x": 1}]) == [1.0]
        assert json.loads(server.got[0][1]) == {
            "instances": [{"name": "(none)", "x": 1.0}],
            "signature_name": "greet",
        }
        with pytest.raises(InstanceError) as error:
            model.predict([{"x": 1, "nam": "a"}])
        assert error.value.message == (
            "instance 0: nam: the model has no such input. Valid: name (nearest); all: name, x."
        )
        with pytest.raises(InstanceError, match="instance 0: x: expected double, got 'b'"):
            model.predict([{"x": "b"}])
        assert len(server.got) == 1


def test_answers_are_in_order_over_many_batches(url: str) -> None:
    rows = [{"x": float(number)} for number in range(1000)]
    with connect(url, batch_rows=7, in_flight=4) as server:
        answers = server.model("toy.line", label="stable").predict(rows)
    assert answers == [number / 2 + 1 for number in range(1000)]


def test_a_bad_row_comes_after_the_answers_before_it(url: str) -> None:
    rows = [{"x": 1.0, "name": "a"}] * 25 + [{"x": 1.0, "name": 3}] + [{"x": 1.0}] * 50
    answered = []
    with connect(url, batch_rows=10) as server:
        model = server.model("toy.line", inputs=INPUTS, signature_name="greet")
        with pytest.raises(InstanceError, match="instance 25: name: expected string") as error:
            answered.extend(p.value["greeting"] for p in model.stream(rows))
    assert answered == ["hello a"] * 20
    assert error.value.index == 25


def test_little_is_read_ahead(url: str) -> None:
    read = 0

    def rows() -> Iterator[dict[str, float]]:
        nonlocal read
        for _ in range(10_000):
            read += 1
            yield {"x": 0.0}

    with connect(url, batch_rows=10, in_flight=2) as server:
        answers = server.model("toy.line").stream(rows())
        assert next(answers).value == 2.0
        assert read <= 50
        answers.close()


def test_connections_are_kept(url: str) -> None:
    with stub(lambda n: GOOD) as server, connect(server.url) as asked:
        model = asked.model("toy.line")
        for _ in range(5):
            assert model.predict([1.0]) == [1.0]
        assert (len(server.got), server.connections) == (5, 1)


def test_a_share_of_the_rows_goes_to_another_label(url: str) -> None:
    rows = [{"x": float(number)} for number in range(2000)]
    with connect(url) as server:
        model = server.model("toy.line", label="stable", share=Share("canary", 0.1))
        found = list(model.stream(rows))
        again = list(model.stream(rows))
    for number, (value, label) in enumerate(found):
        assert value == number / 2 + (2 if label == "canary" else 1)
    assert 150 < sum(label == "canary" for _, label in found) < 250
    assert again == found
    for none in (0, 1, -0.5, math.nan):
        with pytest.raises(UsageError, match="is not a share of rows"):
            Share("canary", none)


def test_record_keys_go_into_the_header_and_not_to_the_model() -> None:
    two = (200, {}, b'{"predictions": [1.0, 2.0]}')
    with stub(lambda n: two if n == 1 else GOOD) as server, connect(server.url) as asked:
        model = asked.model("toy.line", inputs=INPUTS, record_key=("x-record-key", "id"))
        model.predict([{"x": 1, "id": 7}, {"x": 2, "id": "ü"}])
        model.predict([{"x": 1, "id": 7}])
        with pytest.raises(InstanceError, match="instance 0: id: the record key is missing"):
            model.predict([{"x": 1}])
    assert [
        headers["X-Record-Key"] if "X-Record-Key" in headers else headers["x-record-key"]
        for headers, _ in server.got
    ] == ['["7", "\\u00fc"]', "7"]
    assert b"id" not in server.got[0][1]


@pytest.mark.parametrize(
    ("first", "tries"),
    [
        ((503, {"Retry-After": "0"}, b'{"error": "queue full"}'), 2),
        ((429, {"Retry-After": "0"}, b'{"error": "later"}'), 2),
        ((0, {}, b""), 2),
        ((429, {}, b'{"error": "too large"}'), 1),
        ((400, {}, b'{"error": "wrong"}'), 1),
        ((500, {}, b'{"error": "broken"}'), 1),
        ((200, {}, b"[1]"), 1),
        ((200, {}, b'{"predictions": [1, 2]}'), 1),
        ((302, {"Location": "http://127.0.0.1:9/"}, b""), 1),
    ],
)
def test_it_is_tried_again_only_where_that_is_safe(first: Answer, tries: int) -> None:
    with stub(lambda n: first if n == 1 else GOOD) as server, connect(server.url) as asked:
        model = asked.model("toy.line")
        if tries == 2:
            assert model.predict([1.0]) == [1.0]
        else:
            with pytest.raises(ServerRefused) as error:
                model.predict([1.0])
            assert error.value.status == first[0]
        assert len(server.got) == tries


def test_attempts_end_and_the_time_is_for_all_of_them() -> None:
    busy: Answer = (503, {}, b'{"error": "queue full"}')
    with stub(lambda n: busy) as server:
        with connect(server.url, attempts=3) as asked, pytest.raises(ServerBusy) as error:
            asked.model("toy.line").predict([1.0])
        assert error.value.is_retryable
        assert len(server.got) == 3
        busy = (503, {"Retry-After": "60"}, b'{"error": "queue full"}')
        started = time.monotonic()
        with connect(server.url, timeout_s=5) as asked, pytest.raises(ServerBusy):
            asked.model("toy.line").predict([1.0])
        assert time.monotonic() - started < 4
        assert len(server.got) == 4


def test_a_late_answer_is_none() -> None:
    def slow(number: int) -> Answer:
        time.sleep(3)
        return GOOD

    with stub(slow) as server, connect(server.url, timeout_s=0.2, attempts=1) as asked:
        started = time.monotonic()
        with pytest.raises(ServerUnreachable, match=r"it took more than 0\.2 s") as error:
            asked.model("toy.line").predict([1.0])
        assert time.monotonic() - started < 2.5
        assert "http://127.0.0.1:" in error.value.message


def test_a_token_is_sent_and_never_in_an_error() -> None:
    with stub(lambda n: (401, {}, b'{"error": "no"}')) as server:
        with connect(server.url, token="s3cret") as asked, pytest.raises(ServerRefused) as error:
            asked.model("toy.line").predict([1.0])
        assert server.got[0][0]["Authorization"] == "Bearer s3cret"
        assert "s3cret" not in error.value.message


@pytest.mark.parametrize("url", ["127.0.0.1:8501", "ftp://a", "http://", "grpc://a", "file:///x"])
def test_what_cannot_be_asked_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="cannot be asked"):
        connect(url)


def test_certificates_that_are_none_are_refused(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing")
    with pytest.raises(UsageError, match="cannot be used as certificates"):
        connect("https://127.0.0.1:1", ca_file=str(tmp_path / "ca.pem"))


def test_a_model_without_a_contract_here_has_none() -> None:
    assert client.contract_inputs("toy.line") is None
    assert client.contract_inputs("no name") is None
    names = [each.name for each in client.contract_inputs("chicago_crime.arrest") or ()]
    assert names[-1] == "has_community_area"


def test_retries_spread_out(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr(calls.time, "sleep", waits.append)

    def fail(left_s: float) -> None:
        raise calls.no_answer("a", "b")

    with pytest.raises(ServerUnreachable):
        calls.retried(fail, 60, 5)
    assert len(waits) == 4
    for number, wait in enumerate(waits):
        assert 0.05 * 2**number <= wait <= 0.1 * 2**number


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The models of the conformance suite in a server process: how to reach it, by scheme."""
    from tfx_pipeline import conformance_models

    folder = tmp_path_factory.mktemp("models")
    conformance_models.write(folder)
    command = [sys.executable, "-m", "serving", "--model-config-file", f"{folder}/models.config"]
    command += ["--rest-port", "0", "--grpc-port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        ready = json.loads(server.stdout.readline())
        try:
            yield {"http": ready["url"], "grpc": f"grpc://{ready['grpc']}"}
        finally:
            server.terminate()


@pytest.mark.tfx
@pytest.mark.parametrize("scheme", ["http", "grpc"])
def test_both_ways_to_a_real_server(process: dict[str, str], scheme: str) -> None:
    with connect(process[scheme], batch_rows=10) as server:
        rows = [{"x": float(number)} for number in range(100)]
        stable = server.model("line", label="stable")
        assert stable.predict(rows) == [number / 2 + 1 for number in range(100)]
        assert server.model("line", version=2).predict([1.0]) == [2.5]
        [nan] = stable.predict([{"x": math.nan}])
        assert math.isnan(nan)
        pair = server.model("pair")
        assert pair.input_types() == {"count": "int32", "name": "string"}
        rows = [{"count": 1, "name": "é"}, {"count": -2, "name": ""}]
        assert pair.predict(rows) == rows
        raw = server.model("pair", signature_name="bytes")
        assert raw.predict([{"name": b"\x00\xff"}, {"name": "a"}]) == [
            {"b64": "AP8="},
            {"b64": "YQ=="},
        ]
        assert server.model("echo").predict([[1.5, 2.5], [3, 4]]) == [[1.5, 2.5], [3.0, 4.0]]
        for dtype, values in (
            ("int8", [-128, 127]),
            ("uint64", [0, 2**64 - 1]),
            ("int64", [-(2**63), 2**63 - 1]),
            ("bool", [True, False]),
            ("double", [0.1, 1e300]),
            ("float", [0.1, 1 / 3]),
        ):
            found = server.model("echo", signature_name=dtype).predict(values)
            assert found == pytest.approx(values, rel=1e-7), dtype
            assert {type(value) for value in found} == {type(values[0])}
        assert server.states("line") == {1: ("AVAILABLE", ""), 2: ("AVAILABLE", "")}
        with pytest.raises((ServerRefused, InstanceError), match="cunt"):
            pair.predict([{"cunt": 1, "name": "a"}])
        with pytest.raises((ServerRefused, InstanceError), match="count"):
            pair.predict([{"count": "1", "name": "a"}])
        with pytest.raises(ServerRefused, match="Servable not found|Could not find") as error:
            server.model("none").predict([1.0])
        assert error.value.status == 404
        with pytest.raises(ServerRefused, match="there is no signature 'no', only bytes, serving"):
            server.model("pair", signature_name="no").input_types()


@pytest.mark.tfx
def test_floats_are_the_same_by_both_ways(process: dict[str, str]) -> None:
    values = [0.1, 1 / 3, 1e-7, 3e38, 16777217.0, 0.60664415359497]
    with connect(process["http"]) as rest, connect(process["grpc"]) as grpc:
        assert rest.model("echo").predict(values) == grpc.model("echo").predict(values)


def test_grpc_without_a_server() -> None:
    text = "No answer from grpc://127.0.0.1:9/"
    with (
        connect("grpc://127.0.0.1:9", attempts=1, timeout_s=5) as server,
        pytest.raises(ServerUnreachable, match=text),
    ):
        server.model("line").predict([1.0])
