"""Landed pages refined again in an empty home make the same rows; what differs is found by step."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from goldlake.workflows.landed_again import copied, landed_of
from goldlake_core.contracts.ids import ModelId
from goldlake_core.contracts.sections import Column, Feature, Model, Split, UseCase
from goldlake_core.documents.reproducing import Remade, RemakeRequest
from goldlake_core.storage.home import Home
from lakehouse import export, specs, stages
from lakehouse.remade import remade
from lakehouse.remade_steps import GONE
from tests.lakehouse.records import crime, land, silent

pytestmark = pytest.mark.spark
TABLE = "chicago_crime.gold.arrest_features"


@pytest.fixture(scope="module")
def small(usecase: UseCase) -> UseCase:
    """The use case with windows for eighty days of data and few features."""
    split = Split("relative", eval_days=10, test_days=20)
    features = (Feature("primary_type", "categorical", ("primary_type",)),)
    model = replace(usecase.models["arrest"], split=split, features=features)
    return replace(usecase, models={"arrest": model})


def day(number: int, **changes: Any) -> dict[str, Any]:
    """The incident of one of the days from 1 January 2016."""
    month, first = next((m, d) for m, d in ((3, 60), (2, 31), (1, 0)) if number >= d)
    time = f"2016-{month:02d}-{number - first + 1:02d}T12:00:00.000"
    changes = {"updated_on": "2016-03-21T00:00:00.000", **changes}
    return crime(number + 1, date=time, **changes)


@pytest.fixture(scope="module")
def exported(spark: Any, small: UseCase, module_home: Home) -> Any:
    """An export of three batches, with an amendment, a quarantined record and a line of junk."""
    batches = (
        [day(number) for number in range(50)],
        [*(day(number) for number in range(50, 80)), day(3, ward="51"), b"junk"],
        [day(7, primary_type="ARSON", updated_on="2016-03-21T00:00:01.000"), day(2)],
    )
    for number, rows in enumerate(batches):
        land(module_home, small, f"page {number}", rows)
        stages.refine(spark, small, module_home, f"run {number}", silent)
    model = small.models["arrest"]
    found = export.export(lambda: spark, small, model, module_home, silent)
    # What comes later is not in the export.
    land(module_home, small, "later", [day(9, primary_type="ARSON"), crime(900)])
    stages.refine(spark, small, module_home, "later", silent)
    return found


def remade_of(spark: Any, usecase: UseCase, home: Home, of: Any, place: Home) -> Remade:
    """What comes of the pages of an export."""
    model: Model = usecase.models["arrest"]
    version = ModelId(usecase.name, model.name, 1)
    landed = landed_of(usecase, home, version, f"{of.table}@{of.version}")
    copied(usecase, landed, place)
    request = RemakeRequest(
        usecase=usecase.name,
        home=home.root,
        run_id="again",
        model=model.name,
        place=place.root,
        export_id=of.export_id,
        manifest_sha256=of.manifest_sha256,
        epoch=landed.epoch,
        through=landed.through,
    )
    return remade(spark, usecase, model, request, silent, stages.refine)


@pytest.fixture
def copy(module_home: Home, tmp_path: Path) -> Home:
    """A copy of the home, for a test that damages it."""
    return Home(shutil.copytree(module_home.root, tmp_path / "copy").as_posix())


def test_three_batches_and_one_make_the_same_rows(
    spark: Any, small: UseCase, module_home: Home, exported: Any, home: Home
) -> None:
    found = remade_of(spark, small, module_home, exported, home)
    assert (found.pages, found.records) == (3, 84)
    assert [(each.step, each.state, each.then, each.now) for each in found.steps] == [
        ("bronze", "equal", 84, 84),
        ("silver", "equal", 84, 84),
        ("gold", "equal", 80, 80),
        ("export", "equal", 50, 50),
    ]
    assert (found.is_equal, found.causes, found.has_same_columns) == (True, (), True)
    assert not Path(home.path("tables", small.name, "gold", "monthly_offenses")).exists()


def test_a_record_that_bronze_has_twice_is_found_there(
    spark: Any, small: UseCase, copy: Home, exported: Any, home: Home
) -> None:
    bronze = spark.read.format("delta").load(specs.bronze(small, copy).uri).where("line = 5")
    one = bronze.where("sequence = 1")
    one.write.format("delta").mode("append").save(specs.bronze(small, copy).uri)
    found = remade_of(spark, small, copy, exported, home)
    first = found.steps[0]
    assert (first.step, first.state, first.only_then, first.only_now) == ("bronze", "differs", 1, 0)
    assert [each.state for each in found.steps[1:]] == ["equal"] * 3


def test_a_changed_contract_is_found_in_silver_and_named_and_rows_are_counted(
    spark: Any, small: UseCase, module_home: Home, exported: Any, home: Home
) -> None:
    def other(column: Column) -> Column:
        is_type = column.name == "primary_type"
        return replace(column, replace={"THEFT": "ROBBERY"}) if is_type else column

    silver = replace(small.silver, columns=tuple(map(other, small.silver.columns)))
    found = remade_of(spark, replace(small, silver=silver), module_home, exported, home)
    # All but the line of junk and the incident that was amended to arson.
    assert [(each.step, each.state, each.only_then, each.only_now) for each in found.steps] == [
        ("bronze", "equal", None, None),
        ("silver", "differs", 82, 82),
        ("gold", "differs", 79, 79),
        ("export", "differs", 49, 49),
    ]
    assert "train/part-2016-01.csv" in found.steps[-1].files
    assert found.causes == ("the contract changed since in silver.columns.primary_type.replace",)
    assert not found.is_equal


def test_what_is_gone_is_not_compared_and_digests_still_tell(
    spark: Any, small: UseCase, copy: Home, exported: Any, home: Home
) -> None:
    for layer in ("bronze", "silver"):
        shutil.rmtree(copy.path("tables", small.name, layer))
    found = remade_of(spark, small, copy, exported, home)
    assert [(each.step, each.state, each.note) for each in found.steps] == [
        ("bronze", "not compared", GONE),
        ("silver", "not compared", GONE),
        ("gold", "equal", ""),
        ("export", "equal", ""),
    ]
    assert found.is_equal
