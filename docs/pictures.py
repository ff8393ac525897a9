"""The README's pictures of the web app and of the report, from a home that `make run` made.

usage: python docs/pictures.py [HOME]

Needs Chromium. Where the home lies on this machine is not shown.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import sync_playwright

FOLDER = Path(__file__).resolve().parent / "_static"
MODEL = "chicago_crime.arrest"
SIZE = {"width": 1280, "height": 860}
_GOLDLAKE = str(Path(sys.executable).with_name("goldlake"))
_SETTLED_MS = 1500


@contextmanager
def web_app(home: str) -> Iterator[str]:
    """The web app over a home, as people start it.

    Args:
        home: The home's folder.

    Yields:
        Its address.

    Raises:
        RuntimeError: It ended before it answered.
    """
    command = [_GOLDLAKE, "ui", "--read-only", "--port", "0", "--home", home]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                if found := re.search(r"http://\S+\d", line):
                    yield found[0]
                    return
            raise RuntimeError("goldlake ui ended before it answered")
        finally:
            process.terminate()


def main(home: str) -> None:
    """Writes ``ui.png`` and ``report.png`` into `FOLDER`.

    Args:
        home: The home's folder.

    Raises:
        RuntimeError: There is no Chromium.
    """
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        raise RuntimeError("There is no Chromium; on Debian: apt-get install -y chromium")
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        report = Path(folder) / "report.html"
        command = [_GOLDLAKE, "report", MODEL, "--home", home, "--out", str(report)]
        subprocess.run(command, check=True)
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport=SIZE)
        with web_app(home) as address:
            page.goto(address)
            page.evaluate("document.querySelector('.foot p').textContent = 'var/demo'")
            page.wait_for_timeout(_SETTLED_MS)
            page.screenshot(path=FOLDER / "ui.png")
        page.goto(report.as_uri())
        page.screenshot(path=FOLDER / "report.png")
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "var/demo")
