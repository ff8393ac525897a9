"""What is kept of requests, what is not, and that it lands as a source."""

from __future__ import annotations

import contextlib
import json
import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
from msgspec.structs import replace

from goldlake_core.contracts.errors import StoreError
from goldlake_core.contracts.sections import RequestLog as Section
from goldlake_core.contracts.sections import Source, UseCase
from goldlake_core.storage.home import Home
from goldlake_core.storage.landing import LandingZone
from lakehouse.sources.land import land
from serving import client, config, erasing, logfile, policies, requestlog
from serving.access import Access
from serving.config import ModelsConfig
from serving.dataplane import DataPlane
from serving.exchange import Exchange
from serving.logfile import LogFile
from serving.metrics import Metrics
from serving.observing import RequestObserver
from serving.policies import Policies, Policy
from serving.requestlog import RequestLog, records
from serving.server import Server
from serving.signatures import Signature, TensorSpec
from tests.serving.lines import load, save
from tests.simulators.conftest import toy  # noqa: F401

NAME = "toy.line"
WHOLE = Policy(Section(), record_key="x-record-key", inputs=frozenset({"x", "name"}))


def wait_until(what: Any, timeout_s: float = 10.0) -> None:
    until = time.monotonic() + timeout_s
    while not what():
        assert time.monotonic() < until
        time.sleep(0.02)


class Running:
    """A server in this process with a request log, whose contract a test decides."""

    def __init__(self, folder: Path, policy: Policy, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(policies, "of_contract", lambda model: policy)
        monkeypatch.setattr(Policies.__init__, "__defaults__", (lambda model: policy,))
        found = ModelsConfig()
        for version, label in ((1, "stable"), (2, "shadow")):
            save(folder / NAME, version, version)
            found = config.with_label(found, NAME, version, label, str(folder / NAME))
        path = folder / "models.config"
        config.write(str(path), found)
        self.folder = folder / "requests"
        self.models: dict[str, Any] = {}
        self.url = ""
        ready = threading.Event()

        def note(url: str) -> None:
            self.url = url
            ready.set()

        def loaded(path: str) -> Any:
            self.models[Path(path).name] = load(path)
            return self.models[Path(path).name]

        self.server = Server(
            str(path),
            0,
            load=loaded,
            poll_wait_s=0.05,
            on_ready=note,
            request_log=str(self.folder),
            metrics_path="/metrics",
        )
        self._thread = threading.Thread(target=self.server.run)
        self._thread.start()
        assert ready.wait(20)

    def ask(self, rows: Any, headers: Mapping[str, str] | None = None, **more: Any) -> Any:
        where = f"{self.url}/v1/models/{NAME}{more.pop('at', '')}:predict"
        body = json.dumps({"instances": rows, **more})
        return requests.post(where, body, headers=dict(headers or {}), timeout=30)

    def metrics(self) -> dict[str, float]:
        text = requests.get(f"{self.url}/metrics", timeout=30).text
        pairs = (line.rsplit(" ", 1) for line in text.splitlines() if line.startswith("goldlake_"))
        return {name: float(value) for name, value in pairs}

    def stop(self) -> list[dict[str, Any]]:
        """Ends the server; what the log holds."""
        self.server.stop()
        self._thread.join(20)
        return log_of(self.folder)


def log_of(folder: Path) -> list[dict[str, Any]]:
    files = sorted((folder / NAME).glob("*.jsonl"))
    return [json.loads(line) for file in files for line in file.read_bytes().splitlines()]


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    running: list[Running] = []

    def begin(policy: Policy = WHOLE) -> Running:
        running.append(Running(tmp_path / str(len(running)), policy, monkeypatch))
        return running[-1]

    yield begin
    for each in running:
        each.server.stop()


def test_a_request_is_a_line_per_row(start: Any) -> None:
    running = start(replace_policy(shadow_sample=1e-12))
    answer = running.ask([{"x": 1.0}, {"x": 2.5}], {"X-Request-Id": "r-1", "X-Record-Key": "k"})
    assert answer.headers["X-Request-Id"] == "r-1"
    assert answer.json() == {"predictions": [1.5, 2.25]}
    keys = {"X-Record-Key": '["a", 7]'}
    rows = [{"x": math.nan, "name": "é"}, {"x": math.inf, "name": ""}]
    answer = running.ask(rows, keys, signature_name="greet", at="/labels/stable")
    given = answer.headers["X-Request-Id"]
    assert len(given) == 16
    bad = running.ask(["a"], {"X-Request-Id": "bad id\u00e9".encode("latin-1").decode("latin-1")})
    assert bad.status_code == 400
    first, second, third, fourth, fifth = running.stop()
    assert first.pop("at").endswith("+00:00")
    assert first.pop("milliseconds") > 0
    assert first == {
        "request_id": "r-1",
        "model": NAME,
        "label": None,
        "entrypoint": "REST",
        "status": "OK",
        "version": 1,
        "api": "Predict",
        "signature": "serving_default",
        "row": 0,
        "rows": 2,
        "record_key": "k",
        "inputs": {"x": 1.0},
        "outputs": {"y": 1.5},
        "redacted": [],
    }
    assert (second["row"], second["inputs"], second["record_key"]) == (1, {"x": 2.5}, "k")
    assert (third["request_id"], third["label"], third["record_key"]) == (given, "stable", "a")
    assert third["inputs"] == {"name": "é", "x": None}
    assert third["outputs"] == {"greeting": "hello é", "x": "NaN"}
    assert (fourth["record_key"], fourth["inputs"]["x"]) == ("7", "Infinity")
    assert (fifth["status"], fifth["row"], fifth["rows"]) == ("INVALID_ARGUMENT", None, 0)
    assert fifth["request_id"] != "bad id\u00e9"


def replace_policy(**changes: Any) -> Policy:
    import dataclasses

    return dataclasses.replace(WHOLE, **changes)


def test_the_shadow_answers_after_the_client(start: Any) -> None:
    running = start()
    answer = running.ask([{"x": 1.0}, {"x": 2.0}])
    assert answer.json() == {"predictions": [1.5, 2.0]}
    assert running.ask([1.0], at="/labels/shadow").json() == {"predictions": [2.5]}
    assert running.ask([1.0], signature_name="fail").status_code == 400
    wait_until(lambda: running.metrics().get('goldlake_shadow_scored_total{model_name="toy.line"}'))
    first, second, third, fourth = sorted(running.stop(), key=lambda r: r["at"])
    assert first["shadow"] == {
        "version": 2,
        "problem": None,
        "outputs": {"y": 2.5},
        "difference": {"y": 1.0},
    }
    assert second["shadow"]["outputs"] == {"y": 3.0}
    assert "shadow" not in third
    assert "shadow" not in fourth


def test_a_shadow_that_hangs_delays_nothing_and_drops_are_counted(
    start: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from serving import shadow

    monkeypatch.setattr(shadow.Shadow.__init__, "__defaults__", (20_000,))
    running = start()
    hanging = running.models["2"]
    hanging.gate.clear()
    try:
        for _ in range(50):
            assert running.ask([1.0]).json() == {"predictions": [1.5]}
        name = 'goldlake_shadow_dropped_total{model_name="toy.line"}'
        wait_until(lambda: running.metrics().get(name, 0) > 20)
    finally:
        hanging.gate.set()
    found = running.stop()
    # What the shadow was not asked about is kept without its answer.
    assert len(found) == 50
    assert 0 < sum("shadow" in record for record in found) < 30


def test_a_shadow_that_fails_is_a_part_of_the_log(start: Any) -> None:
    running = start()
    running.models["2"].b = np.array("no number")
    assert running.ask([1.0]).json() == {"predictions": [1.5]}
    wait_until(lambda: "shadow_failed" in str(running.metrics()))
    running.models["2"].b = 2.0
    assert running.ask([1.0]).json() == {"predictions": [1.5]}
    wait_until(lambda: "shadow_scored" in str(running.metrics()))
    first, second = running.stop()
    assert first["shadow"]["problem"].startswith("UFunc")
    assert (first["shadow"]["outputs"], first["shadow"]["difference"]) == ({}, {"y": None})
    assert second["shadow"]["problem"] is None


def test_an_unlabeled_request_never_gets_the_shadow(start: Any) -> None:
    running = start()
    for _ in range(3):
        assert running.ask([1.0]).json() == {"predictions": [1.5]}
    assert client.metadata(running.url, NAME, label="shadow").model_spec.version == "2"


def exchange(**inputs: Any) -> Exchange:
    made = Exchange("r", NAME, None, "REST", None, True, False, on_end=lambda e: None)
    arrays = {name: np.array(value) for name, value in inputs.items()}
    made.ran(1, "Predict", "", arrays, {"y": np.array([0.1, 1 / 3], np.float32)})
    return made


def test_what_is_redacted_is_nowhere() -> None:
    policy = Policy(
        Section(redact=("x",)),
        inputs=frozenset({"x", "has_x", "n"}),
        redacted=frozenset({"x", "has_x"}),
    )
    made = exchange(x=[1.5, 2.5], has_x=[True, False], n=[3, 4], other=[5, 6])
    first, second = records(made, policy)
    assert first["inputs"] == {"n": 3}
    assert first["redacted"] == ["has_x", "other", "x"]
    assert first["outputs"] == {"y": 0.1}
    assert second["outputs"] == {"y": 0.33333334}
    # Another signature, such as transform_features, may answer with what it was given.
    made.runs[0] = made.runs[0]._replace(signature_name="transform_features")
    assert [record["outputs"] for record in records(made, policy)] == [{}, {}]


def test_the_policy_of_a_contract(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import shutil

    from tests.goldlake_core.contracts.conftest import TOY

    shutil.copytree(TOY, tmp_path / TOY.name)
    file = tmp_path / TOY.name / "models" / "overdue.yaml"
    monkeypatch.setenv("GOLDLAKE_USECASES", str(tmp_path))
    monkeypatch.chdir(tmp_path.parent)
    assert policies.of_contract("toy_harbour.overdue") is None
    assert policies.of_contract("toy_harbour.none") is None
    text = file.read_text()
    file.write_text(
        text + "serving:\n  record_key: x-call-id\n  shadow_sample: 0.5\n"
        "  request_log: {sample: 0.25, redact: [crew, cargo]}\n"
    )
    found = policies.of_contract("toy_harbour.overdue")
    assert found is not None
    assert found.log == Section(sample=0.25, redact=("crew", "cargo"))
    assert (found.record_key, found.shadow_sample) == ("x-call-id", 0.5)
    assert found.redacted == {"crew", "has_crew", "cargo"}
    assert "hour" in found.inputs
    # Nothing is kept rather than too much.
    file.write_text(text + "serving: {request_log: {redact: [crw]}}\n")
    assert policies.of_contract("toy_harbour.overdue") is None


def test_a_sample_is_kept(start: Any) -> None:
    running = start(replace_policy(log=Section(sample=0.2), shadow_sample=1e-12))
    for _ in range(300):
        running.ask([1.0])
    assert 25 < len(running.stop()) < 110


def test_losses_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    metrics = Metrics()
    kept = RequestLog(str(tmp_path), Policies(lambda model: WHOLE), metrics, max_waiting_bytes=9000)
    entered, gate = threading.Event(), threading.Event()
    write = LogFile.write

    def slow(self: LogFile, lines: Any) -> None:
        entered.set()
        assert gate.wait(10)
        write(self, lines)

    monkeypatch.setattr(LogFile, "write", slow)
    kept.offer(exchange(x=[1.0, 2.0]))
    assert entered.wait(10)
    for _ in range(10):
        kept.offer(exchange(x=[1.0, 2.0]))
    gate.set()
    kept.close()
    lines = len(log_of(tmp_path))
    page = metrics.page()
    assert f'goldlake_request_log_lines_total{{model_name="toy.line"}} {lines}' in page
    assert lines == 8
    assert 'goldlake_request_log_dropped_total{model_name="toy.line"} 7' in page


def test_a_full_disk_loses_lines_and_no_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    metrics = Metrics()
    kept = RequestLog(str(tmp_path), Policies(lambda model: WHOLE), metrics)
    kept.offer(exchange(x=[1.0, 2.0]))
    wait_until(lambda: "log_lines" in metrics.page())
    real = os.write

    def full(handle: int, data: Any) -> int:
        if len(data) > 100 and bytes(data[:1]) == b"{":
            return real(handle, data[:100])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(logfile.os, "write", full)
    kept.offer(exchange(x=[3.0, 4.0]))
    wait_until(lambda: "log_dropped" in metrics.page())
    monkeypatch.setattr(logfile.os, "write", real)
    kept.offer(exchange(x=[5.0, 6.0]))
    kept.close()
    assert [record["inputs"]["x"] for record in log_of(tmp_path)] == [1.0, 2.0, 5.0, 6.0]


def test_files_end_by_size_and_age_and_old_ones_go(tmp_path: Path) -> None:
    file = LogFile(str(tmp_path), max_bytes=100, max_age_s=math.inf, files=3)
    for number in range(6):
        file.write([b'{"n": %d, "text": "%s"}\n' % (number, b"x" * 100)])
        assert not list(tmp_path.glob(f"*{logfile.OPEN}"))
    names = sorted(path.name for path in tmp_path.iterdir())
    assert [json.loads((tmp_path / name).read_text())["n"] for name in names] == [3, 4, 5]
    file = LogFile(str(tmp_path), max_bytes=10_000, max_age_s=0.05, files=9)
    file.write([b"1\n"])
    assert len(list(tmp_path.glob(f"*{logfile.OPEN}"))) == 1
    time.sleep(0.1)
    file.tick()
    assert not list(tmp_path.glob(f"*{logfile.OPEN}"))


def test_a_file_that_is_written_is_left_alone(tmp_path: Path) -> None:
    file = LogFile(str(tmp_path), 10_000, math.inf, 9)
    file.write([b"1\n"])
    LogFile(str(tmp_path), 10_000, math.inf, 9)
    assert logfile.adopt(str(tmp_path)) == 0
    file.write([b"2\n"])
    file.finish()
    [done] = tmp_path.iterdir()
    assert done.read_bytes() == b"1\n2\n"


@pytest.mark.parametrize("left", [b"", b'{"a"', b'{"a": 1}\n', b'{"a": 1}\n{"b', b"x" * 200_000])
def test_what_a_killed_process_left_is_finished(tmp_path: Path, left: bytes) -> None:
    (tmp_path / f"1{logfile.OPEN}").write_bytes(left)
    LogFile(str(tmp_path), 10_000, math.inf, 9)
    [done] = tmp_path.iterdir()
    assert done.name == "1.jsonl"
    assert done.read_bytes() == left[: left.rfind(b"\n") + 1]


WRITER = """
import sys, time
import numpy as np
from serving.exchange import Exchange
from serving.metrics import Metrics
from serving.policies import Policies, Policy
from serving.requestlog import RequestLog
from goldlake_core.contracts.sections import RequestLog as Section
log = RequestLog(sys.argv[1], Policies(lambda model: Policy(Section())), Metrics())
number = 0
while True:
    made = Exchange(f"r{number}", "toy.line", None, "REST", None, True, False, on_end=log.offer)
    made.ran(1, "Predict", "", {"x": np.array([float(number)])}, {"y": np.array([number / 2])})
    made.ended("OK", 0.001, 100)
    number += 1
    time.sleep(0.0005)
"""


def test_a_log_whose_writer_was_killed_lands_as_a_source(
    toy: UseCase,  # noqa: F811
    tmp_path: Path,
) -> None:
    folder = tmp_path / "requests"

    def written() -> int:
        """The size of all files; one may be renamed meanwhile."""
        with contextlib.suppress(FileNotFoundError):
            return sum(path.stat().st_size for path in folder.glob("*/*"))
        return 0

    for least in (10_000, 20_000):
        with subprocess.Popen([sys.executable, "-c", WRITER, str(folder)]) as writer:
            wait_until(lambda: written() > least, 60)  # noqa: B023 - called at once
            writer.send_signal(signal.SIGKILL)
    # Half a line is what a kill in the middle of a write leaves.
    for path in folder.glob("*/*.open"):
        path.write_bytes(path.read_bytes() + b'{"request_id":"r')
    served = RequestLog(str(folder), Policies(lambda model: WHOLE), Metrics())
    served.adopt(NAME)
    served.close()
    source = Source(kind="files", address=str(folder / NAME), dataset="requests", page_rows=500)
    usecase = replace(toy, folder=tmp_path, source=source)
    home = Home.at(tmp_path / "home")

    def landed() -> Any:
        return land(usecase, home, "live", None, None, "run", lambda *a, **k: None)

    count = landed().rows
    assert count > 20
    assert landed().rows == 0
    zone = LandingZone(home, usecase.name, "requests")
    lines = [json.loads(line) for entry in zone.manifest() for line in zone.read_page(entry)]
    assert len(lines) == count
    for line in lines:
        assert line["outputs"]["y"] == line["inputs"]["x"] / 2
    # The file that a living server writes is not landed before it is whole.
    again = RequestLog(str(folder), Policies(lambda model: WHOLE), Metrics())
    again.offer(exchange(x=[1.0, 2.0]))
    wait_until(lambda: list(folder.glob("*/*.open")))
    assert landed().rows == 0
    again.close()
    assert landed().rows == 2


def keys_of(found: list[dict[str, Any]]) -> list[str | None]:
    return [record["record_key"] for record in found]


def test_rows_of_a_record_are_erased_while_the_server_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = Running(tmp_path, WHOLE, monkeypatch)
    folder = str(served.folder / NAME)
    for key in ("a", "b", '["a", "c"]'):
        assert served.ask([1.0, 2.0], {"X-Record-Key": key}).status_code == 200
    assert served.ask([1.0]).status_code == 200
    wait_until(lambda: erasing.rows_of(folder, {"a", "b", "c", None}) == 7)  # type: ignore[arg-type]
    assert erasing.rows_of(folder, {"a"}) == 3
    assert erasing.rows_of(folder, {"A", "[", "d"}) == 0
    assert erasing.erase_rows(folder, {"a"}) == 3
    assert erasing.erase_rows(folder, {"a"}) == 0
    assert served.ask([3.0], {"X-Record-Key": "e"}).status_code == 200
    assert keys_of(served.stop()) == ["b", "b", "c", None, "e"]


def test_what_a_killed_server_left_is_erased_too(tmp_path: Path) -> None:
    line = json.dumps({"record_key": "a"}).encode() + b"\n"
    (tmp_path / "1.jsonl.open").write_bytes(line + b"{}\nno json\n[]\n" + line[:10])
    assert erasing.rows_of(str(tmp_path), {"a"}) == 1
    assert erasing.erase_rows(str(tmp_path), {"a"}) == 1
    assert (tmp_path / "1.jsonl").read_bytes() == b"{}\nno json\n[]\n"


def test_a_server_that_goes_on_with_its_file_is_told(tmp_path: Path) -> None:
    file = LogFile(str(tmp_path), 1000, math.inf, 5)
    file.write([b"{}\n"])
    with pytest.raises(StoreError, match=r"goes on writing .*\.jsonl\.open"):
        erasing.erase_rows(str(tmp_path), {"a"}, wait_s=0)
    file.tick()
    assert erasing.erase_rows(str(tmp_path), {"a"}, wait_s=0) == 0


def test_a_model_without_a_log_has_nothing_to_erase(tmp_path: Path) -> None:
    assert erasing.rows_of(str(tmp_path / "no"), {"a"}) == 0
    assert erasing.erase_rows(str(tmp_path / "no"), {"a"}) == 0
    assert not (tmp_path / "no").exists()


def test_differences() -> None:
    one = {"a": np.array([[1.0, 2.0]]), "t": np.array([b"x"], object), "n": np.array([np.nan])}
    other = {"a": np.array([[1.5, 0.0]]), "t": np.array([b"y"], object), "n": np.array([1.0])}
    assert requestlog.differences(one, other, 0) == {"a": 2.0, "t": 1.0, "n": None}
    assert requestlog.differences(one, {}, 0) == {"a": None, "t": None, "n": None}


def test_the_home_is_where_serve_keeps_requests(tmp_path: Path) -> None:
    from goldlake.workflows.serve import Serving, _request_log

    home = Home.at(tmp_path)
    assert _request_log(home, Serving()) == str(tmp_path / "requests")
    assert _request_log(home, Serving(model_base_path="x")) is None
    assert _request_log(home, Serving(model_base_path="x", request_log="/y")) == "/y"


@pytest.mark.tfx
def test_both_ways_to_a_server_process_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import shutil

    from tests.goldlake_core.contracts.conftest import TOY
    from tests.serving.test_tensorflow import save_line

    shutil.copytree(TOY, tmp_path / "contracts" / TOY.name)
    file = tmp_path / "contracts" / TOY.name / "models" / "overdue.yaml"
    serving = "serving: {record_key: x-call-id, request_log: {}}\n"
    file.write_text(file.read_text() + serving)
    monkeypatch.setenv("GOLDLAKE_USECASES", str(tmp_path / "contracts"))
    name, found = "toy_harbour.overdue", ModelsConfig()
    for version, label in ((1, "stable"), (2, "shadow")):
        save_line(tmp_path / name / str(version), version)
        found = config.with_label(found, name, version, label, str(tmp_path / name))
    path = tmp_path / "models.config"
    config.write(str(path), found)
    command = [sys.executable, "-m", "serving", "--model-config-file", str(path)]
    command += ["--rest-port", "0", "--grpc-port", "0", "--request-log", str(tmp_path / "log")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        for url in (ready["url"], f"grpc://{ready['grpc']}"):
            with client.connect(url) as server:
                key = ("x-call-id", "call")
                model = server.model(name, inputs=(), signature_name="serving_default")
                model.inputs = None
                model._record_key = key
                assert model.predict([{"x": 1.0, "call": "a"}, {"x": 2.0, "call": "b"}]) == [1.5, 2]
        process.terminate()
        assert process.wait(120) == 143
    files = sorted((tmp_path / "log" / name).iterdir())
    records = [json.loads(line) for each in files for line in each.read_text().splitlines()]
    assert [each.suffix for each in files] == [".jsonl"]
    assert [record["entrypoint"] for record in records] == ["REST", "REST", "GRPC", "GRPC"]
    assert [record["record_key"] for record in records] == ["a", "b", "a", "b"]
    for record in records:
        assert record["inputs"] == {"x": record["row"] + 1.0}
        assert record["outputs"] == {"y": (record["row"] + 1) / 2 + 1}
        assert record["shadow"]["difference"] == {"y": 1.0}


class Examples:
    """One example is one class and one number: how many bytes it has."""

    signatures = {
        "serving_default": Signature(
            "tensorflow/serving/regress",
            {"inputs": TensorSpec("i:0", "string", (-1,))},
            {"outputs": TensorSpec("o:0", "float", (-1,))},
        ),
        "classify": Signature(
            "tensorflow/serving/classify",
            {"inputs": TensorSpec("i:0", "string", (-1,))},
            {"scores": TensorSpec("s:0", "float", (-1, 1))},
        ),
    }

    def run(self, name: str, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        sizes = np.array([len(each) for each in inputs["inputs"]], np.float32)
        return {"scores": sizes[:, None]} if name == "classify" else {"outputs": sizes}

    def close(self) -> None:
        pass


@pytest.mark.tfx
def test_each_task_of_a_multi_inference_is_kept(tmp_path: Path) -> None:
    import grpc
    from tensorflow_serving.apis import inference_pb2, prediction_service_pb2_grpc

    from serving import grpc as service

    plane = DataPlane(lambda path: Examples())
    plane.observer = observer = RequestObserver(plane, str(tmp_path), Policies(lambda name: WHOLE))
    plane.load(NAME, 1, "")
    request = inference_pb2.MultiInferenceRequest()
    for number in (1, 2):
        example = request.input.example_list.examples.add()
        example.features.feature["x"].int64_list.value.append(number)
    for verb, signature in (("classify", "classify"), ("regress", "")):
        task = request.tasks.add(method_name=f"tensorflow/serving/{verb}")
        task.model_spec.name, task.model_spec.signature_name = NAME, signature
    settings: dict[str, Any] = {"threads": 2, "max_message_bytes": 1000, "grace_s": 1}
    settings |= {"is_ready": lambda: True, "reload": lambda text: None, "access": Access()}
    with (
        service.serving(plane, "127.0.0.1", 0, **settings) as address,
        grpc.insecure_channel(address) as channel,
    ):
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        stub.MultiInference(request, metadata=(("x-record-key", '["a", "b"]'),), timeout=60)
        request.tasks[1].model_spec.signature_name = "classify"
        with pytest.raises(grpc.RpcError, match="Duplicate evaluation"):
            stub.MultiInference(request, timeout=60)
    observer.close()
    *kept, refused = log_of(tmp_path)
    assert [(each["api"], each["row"], each["record_key"]) for each in kept] == [
        ("Classify", 0, "a"),
        ("Classify", 1, "b"),
        ("Regress", 2, "a"),
        ("Regress", 3, "b"),
    ]
    assert all(each["outputs"] for each in kept)
    assert len({each["request_id"] for each in kept}) == 1
    assert (refused["status"], refused["row"]) == ("INVALID_ARGUMENT", None)
