"""The app over a small home: in process for its answers, and as a process for browsers."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from goldlake.ui.app import application
from goldlake.ui.security import Access
from goldlake_core.storage.home import Home
from tests.ui import made

START = "import sys; from goldlake.cli.main import main; main(sys.argv[1:])"
Start = Callable[..., Any]


def chromium_path() -> str:
    """Chromium of the system. Without one a test is skipped, and fails where CI runs it."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    message = "no Chromium on this machine; run: apt-get install -y chromium"
    if os.environ.get("CI") == "true":
        pytest.fail(message, pytrace=False)
    pytest.skip(message)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium without a screen."""
    path = chromium_path()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # In a container without user namespaces Chromium has no sandbox of its own.
        found = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield found
        found.close()


@contextmanager
def running(home: Home, *options: str) -> Iterator[tuple[str, str]]:
    """`goldlake ui` as people start it.

    Yields:
        Its address, and all that it printed until it was ready.
    """
    command = [sys.executable, "-c", START, "ui", "--port", "0", "--home", home.root, *options]
    environment = {**os.environ, "COLUMNS": "200", "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        printed, address = "", ""
        wanted = 2 if "--host" in options else 0
        for line in process.stdout:
            printed += line
            if found := re.search(r"https?://\S+\d", line):
                address = found[0]
            if address and (wanted == 0 or "unencrypted" in line):
                break
        try:
            yield address, printed
        finally:
            process.terminate()
            process.wait(30)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home that tests only read."""
    return made.home_at(tmp_path_factory.mktemp("ui") / "home")


@pytest.fixture
def own_home(tmp_path: Path) -> Home:
    """A home that a test may change."""
    return made.home_at(tmp_path / "home")


@pytest.fixture
def client(home: Home) -> TestClient:
    """A browser that knows the app on loopback."""
    return client_of(home, Access())


def client_of(home: Home, access: Access) -> TestClient:
    """A client of an app over a home."""
    return TestClient(application(home, access), base_url="http://127.0.0.1:8600")


def csrf_of(client: TestClient, path: str = "/") -> str:
    """The secret that the forms of a page hold."""
    found = re.search(r'name="csrf" value="([^"]+)"', client.get(path).text)
    assert found is not None
    return found[1]
