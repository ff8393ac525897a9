"""A page in Chromium that notes what a person would not want: errors, and requests to elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe

PATIENCE_MS = 120_000


class Tab:
    """A tab of the browser at the app.

    Args:
        page: Playwright's page.
        address: Address of the app.
    """

    def __init__(self, page: Any, address: str) -> None:
        self.page = page
        self.address = address
        self.errors: list[str] = []
        self.elsewhere: list[str] = []
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", self._request)

    def go(self, path: str) -> None:
        """Opens a page, and waits until its charts are drawn."""
        answer = self.page.goto(self.address + path)
        assert answer.status == 200, (path, answer.status)
        self.page.wait_for_function(
            "[...document.querySelectorAll('[data-plot]')].every(e => e.querySelector('svg'))"
        )

    def problems(self) -> list[tuple[str, str, str]]:
        """What axe finds on the page that is serious: rule, help, element."""
        found = Axe().run(self.page).response["violations"]
        return [
            (each["id"], each["help"], each["nodes"][0]["html"][:200])
            for each in found
            if each["impact"] in ("serious", "critical")
        ]

    def is_wide(self) -> bool:
        """Whether the page has to be moved sideways."""
        return bool(
            self.page.evaluate("document.documentElement.scrollWidth > window.innerWidth + 1")
        )

    def _console(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.errors.append(message.text)

    def _request(self, request: Any) -> None:
        if urlsplit(request.url).hostname not in ("127.0.0.1", None):
            self.elsewhere.append(request.url)


@contextmanager
def opened(browser: Any, address: str, **options: Any) -> Iterator[Tab]:
    """A tab of a browser of its own, whose errors fail the test."""
    context = browser.new_context(**options)
    tab = Tab(context.new_page(), address)
    yield tab
    context.close()
    assert not tab.errors, tab.errors
    assert not tab.elsewhere, tab.elsewhere
