"""The app in a real Chromium, over a small home: what people see, and a promotion end to end."""

from __future__ import annotations

from typing import Any

import pytest

from goldlake.workflows.jobs.queue import Queue
from goldlake_core.storage.home import Home
from tests.ui.browsing import opened
from tests.ui.conftest import running

PAGES = (
    "/",
    "/tables",
    "/tables/chicago_crime.silver.crimes",
    "/quarantine",
    "/map",
    "/drift",
    "/models",
    "/models/chicago_crime.arrest",
    "/predict",
    "/lineage",
    "/runs",
    "/runs/20260101-000001-beef",
)


def test_pages_are_clean_and_usable(browser: Any, home: Home) -> None:
    """No error, no request elsewhere, and axe finds nothing serious."""
    with running(home) as (address, _), opened(browser, address) as tab:
        for path in PAGES:
            tab.go(path)
            assert tab.problems() == [], path
            assert tab.page.locator("h1").count() == 1, path


def test_a_promotion_by_a_double_click(browser: Any, own_home: Home) -> None:
    """The version is promoted once, the page tells it, and shows it without a reload."""
    with running(own_home) as (address, _), opened(browser, address) as tab:
        page = tab.page
        tab.go("/models/chicago_crime.arrest")
        assert page.get_by_role("row").filter(has_text="✓ serves").inner_text().startswith("@1")
        # Both clicks reach the page before it leaves.
        page.get_by_role("button", name="Promote @2").dblclick(no_wait_after=True)
        page.wait_for_url("**/runs*")
        tab.go("/models/chicago_crime.arrest")
        toast = page.get_by_role("status").get_by_text("Promote chicago_crime.arrest@2: done")
        toast.wait_for()
        page.get_by_role("row").filter(has_text="@2 ✓ serves").wait_for()
        assert len(Queue(own_home).jobs()) == 1
        page.get_by_role("link", name="Promote chicago_crime.arrest@2: done").click()
        page.get_by_text("has the label stable now").first.wait_for()


@pytest.mark.long
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_pages_on_each_screen(browser: Any, home: Home, width: int, scheme: str) -> None:
    size = {"width": width, "height": 844}
    with (
        running(home) as (address, _),
        opened(browser, address, viewport=size, color_scheme=scheme) as tab,
    ):
        for path in PAGES:
            tab.go(path)
            assert tab.problems() == [], path
            assert not tab.is_wide(), path


@pytest.mark.long
def test_signing_in_beyond_loopback(browser: Any, home: Home) -> None:
    with running(home, "--host", "0.0.0.0") as (address, printed):
        token = printed.partition("shown only once: ")[2].split()[0]
        here = address.replace("0.0.0.0", "127.0.0.1")
        with opened(browser, here) as tab:
            tab.page.goto(f"{here}/tables")
            assert tab.problems() == []
            tab.page.get_by_label("Token").fill(token)
            tab.page.get_by_role("button", name="Sign in").click()
            tab.page.get_by_text("Rows in silver").wait_for()
            tab.page.get_by_role("button", name="Sign out").click()
            tab.page.get_by_label("Token").wait_for()
            tab.page.goto(f"{here}/tables")
            assert tab.page.url.endswith("/sign-in")
