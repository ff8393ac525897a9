"""A home of before silver had versions is carried over: from its landed pages, without landing."""

from __future__ import annotations

import tarfile
from pathlib import Path
from typing import Any

import pytest

from goldlake_core.contracts.sections import UseCase
from goldlake_core.storage.home import Home
from lakehouse import audit, catalog, delta, epochs, specs, stages
from tests.lakehouse.records import silent

pytestmark = pytest.mark.spark

ARCHIVE = Path(__file__).parents[1] / "homes" / "before_goldlake_core.tar.xz"


def test_the_same_rows_under_a_new_epoch(spark: Any, usecase: UseCase, tmp_path: Path) -> None:
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(tmp_path, filter="data")
    (folder,) = (path for path in tmp_path.iterdir() if path.is_dir())
    home = Home.at(folder)
    names = list(usecase.silver.names)
    before = delta.read(spark, home.table(usecase.name, "silver", "crimes")).select(*names)
    totals = catalog.fates(usecase.name, home)
    said: list[str] = []
    result = stages.refine(spark, usecase, home, "run", lambda kind, text, **_: said.append(text))
    assert "made by an earlier version of goldlake; epoch 2 begins, from bronze" in said[0]
    assert result.totals == totals
    assert epochs.current(home, usecase.name) == 2
    after = delta.read(spark, specs.silver(usecase, home, 2).uri).select(*names)
    assert after.count() == totals.silver
    assert before.exceptAll(after).count() == 0
    assert catalog.fates(usecase.name, home) == totals
    assert [entry.id.partition(".")[2] for entry in catalog.tables(usecase.name, home)] == [
        "bronze.crimes",
        "silver.crimes",
        "silver.crimes_versions",
        "gold.area_day",
        "gold.arrest_features",
    ]
    audit.deep(spark, usecase, home, 2, silent)
