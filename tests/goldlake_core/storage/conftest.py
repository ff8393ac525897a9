"""A home on the local disk and one in memory: what holds for the one holds for the other."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from goldlake_core.storage.home import Home


@pytest.fixture(params=["local", "memory"])
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Home:
    if request.param == "local":
        return Home.at(tmp_path / "home")
    return Home.at(f"memory://{uuid.uuid4().hex}")
