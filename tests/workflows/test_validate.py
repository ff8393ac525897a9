"""What `goldlake validate` and `goldlake accept` refuse."""

from __future__ import annotations

from pathlib import Path

import pytest

from goldlake.workflows.validate import accept, validate
from goldlake_core.contracts.errors import UsageError
from goldlake_core.storage.home import Home
from tests.goldlake_core.contracts.conftest import TOY
from tests.goldlake_core.storage.test_deltalog import META, commit


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A bronze table, at which the gate does not look."""
    monkeypatch.setenv("GOLDLAKE_USECASES", str(TOY.parent))
    home = Home.at(tmp_path / "lake")
    commit(Path(home.table("toy_harbour", "bronze", "calls")), 0, {"metaData": META})
    return home


def test_a_table_without_periods_is_refused(home: Home) -> None:
    with pytest.raises(UsageError, match="The gate does not look at toy_harbour.bronze.calls in"):
        validate("toy_harbour.bronze.calls", home)


def test_an_acceptance_has_a_run_and_a_reason(home: Home) -> None:
    with pytest.raises(UsageError, match='--because "" gives no reason'):
        accept("20260101-000000-abcd", "length_m", "  ", home)
    with pytest.raises(UsageError, match="The gate judged nothing in a run '20260101-000000-abcd'"):
        accept("20260101-000000-abcd", "length_m", "new ships", home)
    assert not (Path(home.root) / "gate").exists()
