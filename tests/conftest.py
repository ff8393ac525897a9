"""What every test can use: the folder of real data, one Spark session."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

# A time limit would fail on a busy machine.
settings.register_profile("goldlake", deadline=None)
settings.load_profile("goldlake")


@pytest.fixture(autouse=True, scope="session")
def _state(tmp_path_factory: pytest.TempPathFactory) -> None:
    """What commands remember of this person's homes stays as it was."""
    os.environ["XDG_STATE_HOME"] = str(tmp_path_factory.mktemp("state"))


@pytest.fixture(scope="session")
def test_data() -> Path:
    """Folder of real files (`chicago/`, `uk_police/`, ...), named by GOLDLAKE_TEST_DATA.

    Without it a test that asks for it is skipped; in CI that would hide what was not tested,
    so there it is an error.
    """
    named = os.environ.get("GOLDLAKE_TEST_DATA", "")
    if named and Path(named).is_dir():
        return Path(named).resolve()
    problem = (
        f"GOLDLAKE_TEST_DATA={named} is not a folder" if named else "GOLDLAKE_TEST_DATA is not set"
    )
    message = f"{problem}; run: export GOLDLAKE_TEST_DATA=<folder that holds chicago/, ...>"
    if os.environ.get("CI") == "true":
        pytest.fail(message, pytrace=False)
    pytest.skip(message)


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
