"""`goldlake conformance` and the options of `goldlake serve` that need no model."""

from __future__ import annotations

import json
import socket
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from goldlake.cli.main import main
from goldlake_core.documents.conformance import Conformance
from serving.conformance import is_equal
from serving.conformance_cases import cases


def ran(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


class Agreeable(BaseHTTPRequestHandler):
    """A server that says yes to everything, but for PUT, to which it says nothing."""

    def do_GET(self) -> None:
        if self.command == "PUT":
            self.close_connection = True
            return
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(b'{"predictions": [1.0]}')

    do_POST = do_PUT = do_DELETE = do_OPTIONS = do_GET

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Agreeable) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_server_that_says_yes_to_everything_is_found_out(url: str) -> None:
    result = ran("conformance", url, "--json")
    assert result.exit_code == 3
    found = msgspec.json.decode(result.stdout, type=Conformance)
    assert found.asked + len(found.skipped) == len(cases())
    assert 0 < found.equal < found.asked / 4
    assert len(found.differences) == found.asked - found.equal
    problems = {difference.case: difference.problems for difference in found.differences}
    assert problems["wrong-json/nothing"][0] == "status is 200, not 400"
    [silence] = problems["wrong-paths/PUT/v1/models/line:predict"]
    assert silence.startswith(f"No answer from {url}: RemoteDisconnected")
    text = ran("conformance", url)
    assert text.exit_code == 3
    assert f"{found.equal} of {found.asked} answers as TensorFlow Serving's" in text.stdout


def test_wrong_usage_is_told(tmp_path: Path) -> None:
    full = tmp_path / "full"
    full.mkdir()
    (full / "file").touch()
    for arguments, problem in (
        ((), "There has to be a URL or --write-models"),
        (("http://a", "--write-models", "b"), "There has to be a URL or --write-models"),
        (("127.0.0.1:8501",), "is not the address of a server. Valid: http://"),
        (("http://127.0.0.1:port",), "is not the address of a server"),
        (("--write-models", str(full)), f"{full} holds something"),
        (("--write-models", str(full / "file")), f"{full}/file holds something"),
    ):
        result = ran("conformance", *arguments)
        assert (result.exit_code, result.stdout) == (2, "")
        assert problem in result.stderr


def test_nobody_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    result = ran("conformance", f"http://127.0.0.1:{port}")
    assert (result.exit_code, result.stdout) == (1, "")
    assert f"No answer from http://127.0.0.1:{port}" in result.stderr


def test_names_of_cases_are_unique() -> None:
    names = [case.name for case in cases()]
    assert len(names) == len(set(names)) > 187


@pytest.mark.parametrize(
    ("expected", "found", "is_part", "outcome"),
    [
        (1.0, 1.0000001, False, True),
        (1.0, 1.00001, False, False),
        (float("nan"), float("nan"), False, True),
        (1, 1.0, False, False),
        (1, True, False, False),
        ([1], [1, 2], True, False),
        ({"a": 1}, {"a": 1, "b": 2}, True, True),
        ({"a": 1}, {"a": 1, "b": 2}, False, False),
        ({"a": None}, {}, True, False),
    ],
)
def test_equal(expected: object, found: object, is_part: bool, outcome: bool) -> None:
    assert is_equal(expected, found, is_part=is_part) is outcome


def test_serve_refuses_what_cannot_be_served(tmp_path: Path) -> None:
    home = ("--home", str(tmp_path / "home"))
    base = ("--model-base-path", str(tmp_path))
    for arguments, problem in (
        (("--model-base-path", str(tmp_path / "no")), f"There is no folder {tmp_path}/no"),
        ((*base, "--model-config-file", "f"), "Valid: --model-config-file or --model-base-path"),
        ((*base, "--model-name", "a/b"), "'a/b' cannot be served"),
        ((*base, "--monitoring-config-file", str(tmp_path / "m")), "MonitoringConfig"),
        ((*base, "--batching-parameters-file", str(tmp_path / "b")), "BatchingParameters"),
    ):
        result = ran("serve", *home, *arguments)
        assert (result.exit_code, result.stdout) == (2, ""), result.output
        assert problem in result.stderr


def test_the_document_is_in_the_book() -> None:
    schema = Path(__file__).parents[2] / "docs" / "reference" / "json" / "conformance.json"
    assert json.loads(schema.read_text())["$defs"].keys() == {"Conformance", "Difference"}


def test_models_that_could_not_be_written_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a process that can write them; the real one is in ``tests/serving``."""
    broken = [sys.executable, "-c", "raise SystemExit('no such signature')"]
    monkeypatch.setattr("goldlake.workflows.conformance.module_command", lambda *_: broken)
    result = ran("conformance", "--write-models", str(tmp_path / "models"))
    assert "The models were not written: exit status 1, no such signature" in result.output
    assert result.exit_code == 1


def test_one_model_and_a_file_of_models_exclude_each_other(tmp_path: Path) -> None:
    options = ("--model-config-file", str(tmp_path / "f"), "--model-base-path", str(tmp_path))
    result = ran("serve", *options, "--home", str(tmp_path))
    assert "There are both a file of models and the folder of one model" in result.output
    assert result.exit_code == 2
