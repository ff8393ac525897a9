"""Every landed record has one fate, and gold is what a rebuild makes: drafted and shipped alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from goldlake.workflows.drafting.draft import draft
from goldlake_core.contracts.loader import load_contract
from goldlake_core.contracts.registry import load_usecase
from goldlake_core.contracts.sections import UseCase
from goldlake_core.storage.home import Home
from goldlake_simulators.files import generated_files
from lakehouse import delta, specs, stages
from lakehouse.gold import tables as gold
from lakehouse.sources.land import land
from tests.lakehouse.records import silent
from tests.usecases.datasets import MADE, REAL, DataSet

pytestmark = [pytest.mark.spark, pytest.mark.long]

SHIPPED = {
    # Use case: table, a column that has a value in every row, and one that need not.
    "turbofan": ("cycles", "flights_left", "t50_trend"),
    "germany_pks": ("counties", "offence", "clearance"),
    "uk_street_crime": ("outcomes", "season", "spot"),
    "crime_text": ("texts", "words", "kind"),
}


def account(spark: Any, usecase: UseCase, home: Home, source: str) -> dict[str, int]:
    """The fates of all records of a source, gold compared with a rebuild."""
    land(usecase, home, source, None, None, "one", silent)
    fates = stages.refine(spark, usecase, home, "one", silent).fates
    for table in usecase.gold.values():
        gold.require_rebuilt(spark, usecase, home, 1, table)
    found: dict[str, int] = msgspec.to_builtins(fates)
    assert found.pop("landed") == sum(found.values())
    landed = sum(page.rows for page in specs.landing(usecase, home).manifest())
    assert sum(found.values()) == landed
    return {fate: number for fate, number in found.items() if number}


@pytest.mark.parametrize("each", [*MADE, *REAL], ids=lambda each: each.name)
def test_records_of_a_drafted_use_case(
    spark: Any, tmp_path: Path, request: pytest.FixtureRequest, each: DataSet
) -> None:
    real = None if each.lines else request.getfixturevalue("test_data")
    draft(str(tmp_path / each.name), each.at(tmp_path, real), each.label or None)
    usecase = load_contract(tmp_path / each.name)
    fates = account(spark, usecase, Home.at(tmp_path / "home"), "live")
    assert fates.pop("quarantined", 0) == (1 if each.name == "cut" else 0)
    assert sum(fates.values()) == each.records - (each.name == "cut")
    assert fates["inserted"] > 0


@pytest.mark.parametrize("name", SHIPPED)
def test_records_of_a_shipped_use_case(spark: Any, tmp_path: Path, name: str) -> None:
    from pyspark.sql import functions as F

    usecase, home = load_usecase(name), Home.at(tmp_path / "home")
    folder = generated_files(usecase, 2_000, 3, tmp_path)
    fates = account(spark, usecase, home, str(folder))
    assert set(fates) == {"inserted"}
    table, always, sometimes = SHIPPED[name]
    rows = delta.read(spark, specs.gold(usecase, home, usecase.gold[table]).uri)
    counted = [F.count(F.col(column)) for column in (always, sometimes)]
    number, of_always, of_sometimes = rows.agg(F.count("*"), *counted).collect()[0]
    assert number == of_always == sum(fates.values())
    assert 0 < of_sometimes < number
