"""The home that faults of tables are made in, prepared once."""

from __future__ import annotations

from typing import Any

import pytest

from tests.faults.store import Ready


@pytest.fixture(scope="session")
def ready(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Ready:
    """A home of the pier that is ready."""
    return Ready(spark, tmp_path_factory.mktemp("ready"))
