"""The Chicago contract, and homes."""

from __future__ import annotations

from pathlib import Path

import pytest

from goldlake_core.contracts.registry import load_usecase
from goldlake_core.contracts.sections import UseCase
from goldlake_core.storage.home import Home
from tests.simulators.conftest import serve  # noqa: F401


@pytest.fixture(scope="session")
def usecase() -> UseCase:
    """The Chicago contract."""
    return load_usecase("chicago_crime")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """An empty home."""
    return Home(str(tmp_path / "home"))


@pytest.fixture(scope="module")
def module_home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home that the tests of one module share."""
    return Home(str(tmp_path_factory.mktemp("home")))
