"""The terminal of all tests of the command line."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """80 columns, whatever runs the tests."""
    monkeypatch.setenv("COLUMNS", "80")
