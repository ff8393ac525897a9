"""One Spark session for all tests of the lakehouse, and the Chicago contract."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from goldlake_core.contracts.registry import load_usecase
from goldlake_core.contracts.sections import UseCase
from goldlake_core.storage.home import Home


@pytest.fixture(scope="session")
def spark() -> Iterator[Any]:
    """A session with one thread and one shuffle partition."""
    from lakehouse.session import spark_session

    session = spark_session(cores=1, shuffle_partitions=1, rows=1000)
    # On a handful of rows, compiling a plan takes longer than interpreting it.
    session.conf.set("spark.sql.codegen.wholeStage", "false")
    session.conf.set("spark.sql.codegen.factoryMode", "NO_CODEGEN")
    yield session
    session.stop()


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
