"""`goldlake run NAME` of each shipped use case, by generated records: a blessed model answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.end_to_end.commands import goldlake_json
from tests.usecases_tests.test_shipped import SHIPPED

pytestmark = [pytest.mark.spark, pytest.mark.tfx, pytest.mark.long]


@pytest.mark.parametrize("name", [*SHIPPED, "uk_street_api"])
def test_a_shipped_use_case_runs_by_its_name(tmp_path: Path, name: str) -> None:
    document = goldlake_json("run", name, "--home", "home", folder=tmp_path)
    [part] = document["models"].values()
    assert part["train"]["blessed"], part["train"]["thresholds"]
    assert part["promotion"] is not None
    assert [answer["answer"] for answer in part["answers"]]
