"""A home that `goldlake run` filled with a few generated rows of the reference use case."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.end_to_end.commands import goldlake_json

ROWS = 8000


@pytest.fixture(scope="session")
def chicago_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tables, an export, one pipeline run and a promoted model."""
    folder: Path = tmp_path_factory.mktemp("chicago")
    arguments = ("run", "chicago_crime", "--rows", str(ROWS), "--home", "home")
    account = goldlake_json(*arguments, folder=folder)
    assert account["refine"]["totals"]["landed"] == ROWS
    return folder / "home"
