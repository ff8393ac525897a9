"""From files to a served answer, near gradient boosting: drafted and shipped use cases alike."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest

from benchmarks.usecase_records import WHOLE
from benchmarks.usecases import REASONS
from tests.usecases.whole import CASES, Case, whole_run

pytestmark = [
    *(pytest.mark.spark, pytest.mark.tfx, pytest.mark.long),
    pytest.mark.timeout(2400),  # a year, and boosting on it
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_table_becomes_a_served_model(
    tmp_path: Path, request: pytest.FixtureRequest, case: Case
) -> None:
    real = request.getfixturevalue("test_data") if case.place else None
    run = whole_run(case, tmp_path, real)
    kept = os.environ.get("GOLDLAKE_RECORD")
    if kept:
        (Path(kept) / f"{case.name}{WHOLE}").write_bytes(msgspec.json.encode(run))
    assert sum(run.fates.values()) == run.landed
    assert run.answer is not None
    is_better = run.value > run.constant if run.is_high else run.value < run.constant
    assert is_better
    assert run.is_near or run.may_be_equal or case.name in REASONS
