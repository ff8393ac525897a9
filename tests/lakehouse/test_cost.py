"""What an increment costs, in what does not depend on the machine: jobs, commits, files."""

from __future__ import annotations

from typing import Any

import pytest

from goldlake_core.contracts.sections import UseCase
from goldlake_core.storage.deltalog import DeltaLog
from goldlake_core.storage.home import Home
from lakehouse import specs, stages
from tests.lakehouse.records import crime, land, silent
from tests.lakehouse.test_transaction import jobs_of

pytestmark = pytest.mark.spark

JOBS_OF_AN_INCREMENT = 42


def test_an_increment_is_one_commit_per_table_and_a_fixed_number_of_jobs(
    spark: Any, usecase: UseCase, home: Home
):
    land(home, usecase, "one", (crime(key) for key in range(1, 40)))
    stages.refine(spark, usecase, home, "first", silent)
    tables = specs.all_tables(usecase, home, 1)
    before = {spec.id: DeltaLog(spec.uri).snapshot() for spec in tables}
    late = {"updated_on": "2016-09-01T00:00:00.000"}
    changes = [crime(7, arrest=True, **late), crime(50), crime(51, latitude="4171.5")]
    land(home, usecase, "two", changes)
    number = jobs_of(spark, lambda: stages.refine(spark, usecase, home, "second", silent))
    assert number <= JOBS_OF_AN_INCREMENT
    for spec in tables:
        assert DeltaLog(spec.uri).latest() == before[spec.id].version + 1, spec.id
    appended = [spec for spec in tables if spec.id.endswith(("bronze.crimes", "_versions"))]
    assert len(appended) == 2
    for spec in appended:
        held = {file.path for file in DeltaLog(spec.uri).snapshot().files}
        assert {file.path for file in before[spec.id].files} < held
    again = jobs_of(spark, lambda: stages.refine(spark, usecase, home, "third", silent))
    assert again == 0
