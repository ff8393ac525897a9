"""The report of every head in a real Chromium: from disk, in light and dark, on a phone."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from goldlake.workflows.model_views import Search
from goldlake.workflows.report import evaluation, explanation, map, page, training, verdict
from goldlake_core.documents.examining import Examined
from goldlake_core.storage.home import Home
from tests.ui.browsing import opened
from tests.workflows.report import made

HEADS: dict[str, Callable[[], Examined]] = {
    "binary": made.examined,
    "regression": lambda: made.number_examined("regression"),
    "count": lambda: made.number_examined("count", has_exposure=True),
    "multiclass": lambda: made.class_examined([f"a class {n}" for n in range(20)] + [made.EVIL]),
}
SCREENS = {
    "light": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "light"},
    "dark": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "dark"},
    "phone": {"viewport": {"width": 390, "height": 800}, "color_scheme": "light"},
}


@pytest.mark.parametrize(
    "screen", ["light", *(pytest.param(s, marks=pytest.mark.long) for s in ("dark", "phone"))]
)
@pytest.mark.parametrize("head", HEADS)
def test_a_report_is_clean_on_each_screen(
    browser: Any, tmp_path: Path, head: str, screen: str
) -> None:
    """No error, no request, nothing wider than the screen, and axe finds nothing serious."""
    home = Home.at(tmp_path / "home")
    made.put_version(home, 1)
    search = Search(run_id="r", export_id=made.EXPORT, found=made.tuned())
    found = dataclasses.replace(made.gathered(home), examined=HEADS[head](), search=search)
    parts = [each.part(found) for each in (verdict, training, evaluation, explanation, map)]
    file = tmp_path / "report.html"
    file.write_text(page.page(head, "subtitle", "footer", parts), encoding="utf-8")
    # The policy forbids every script, that of axe as well.
    with opened(browser, file.as_uri(), bypass_csp=True, **SCREENS[screen]) as tab:
        tab.page.goto(file.as_uri())
        tab.page.evaluate("document.querySelectorAll('details').forEach(e => e.open = true)")
        assert tab.problems() == []
        assert not tab.is_wide()
        assert tab.page.locator("svg").count() >= 5
