"""What the copy to MLflow says when nothing, or something else, answers. No MLflow is needed."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

from goldlake.cli.main import main
from goldlake_core.contracts.errors import RetryableError, UsageError
from metadata.mlflow import Content, Mlflow, MlflowRefused, VersionCopy

Answering = Callable[[int, bytes], AbstractContextManager[str]]
seen: list[str] = []


@pytest.fixture
def answering() -> Answering:
    """Makes a server that answers everything alike."""

    @contextmanager
    def make(status: int, body: bytes) -> Iterator[str]:
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                seen.append(str(self.headers.get("Authorization")))
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                pass

        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            thread = threading.Thread(target=server.serve_forever, args=(0.05,))
            thread.start()
            yield f"http://127.0.0.1:{server.server_port}"
            server.shutdown()
            thread.join()

    return make


def content() -> Content:
    raise AssertionError("nothing is made before MLflow answers")


VERSION = VersionCopy(
    model="bikes.is_late",
    version=1,
    model_sha256="0" * 64,
    pushed_ms=0,
    description="",
    tags={},
    aliases=(),
    content=content,
)


@pytest.mark.parametrize(
    "uri", ["ftp://x", "127.0.0.1:5000", "http://", "sqlite:///x.db", "file:x"]
)
def test_only_a_server_is_an_address(uri: str) -> None:
    with pytest.raises(UsageError, match=r"is not the address of an MLflow server\. Valid: http"):
        Mlflow(uri)


def test_a_password_in_an_address_is_refused_and_not_shown() -> None:
    with pytest.raises(UsageError) as caught:
        Mlflow("https://me:secret@mlflow.example")
    assert "secret" not in str(caught.value)


def test_a_server_that_is_not_there_is_worth_another_try(answering: Answering) -> None:
    with answering(200, b"{}") as url:
        pass
    with pytest.raises(RetryableError, match=r"does not answer \(ConnectionError\)"):
        Mlflow(url).copy(VERSION)


@pytest.mark.parametrize(
    ("status", "body", "text"),
    [
        (500, b"<html>", "answered 500 : Internal Server Error"),
        (200, b"<html>", "answered 200 : OK"),
        (200, b"[]", "answered 200 : OK"),
        (302, b"", "answered 302 : Found"),
        (403, b'{"error_code": "PERMISSION_DENIED", "message": "no"}', "PERMISSION_DENIED: no"),
    ],
)
def test_what_is_not_mlflow_s_answer_is_an_error(
    answering: Answering, status: int, body: bytes, text: str
) -> None:
    with answering(status, body) as url, pytest.raises(MlflowRefused, match=text) as caught:
        Mlflow(url).copy(VERSION)
    assert caught.value.status == status
    assert ("MLFLOW_TRACKING_TOKEN" in str(caught.value)) == (status == 403)


def test_credentials_are_sent_and_not_shown(answering: Answering, monkeypatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "hush")
    seen.clear()
    with answering(401, b"{}") as url, pytest.raises(MlflowRefused) as caught:
        Mlflow(url).copy(VERSION)
    assert seen == ["Bearer hush"]
    assert "hush" not in str(caught.value)


def test_a_home_without_models_asks_nobody(tmp_path: Path) -> None:
    arguments = ["models", "--mlflow", "http://127.0.0.1:9", "--home", str(tmp_path)]
    answer = CliRunner().invoke(main, arguments)
    assert answer.exit_code == 0, answer.output
    assert "No models yet" in answer.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_remote_home_is_refused() -> None:
    arguments = ["models", "--mlflow", "http://127.0.0.1:9", "--home", "memory://lake"]
    answer = CliRunner().invoke(main, arguments)
    assert answer.exit_code == 2
    assert "The versions of memory://lake cannot be copied to MLflow" in answer.stderr
