"""Tables that hold everything are known without Spark, and every doubt is told apart."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from goldlake_core.contracts.sections import UseCase
from goldlake_core.documents.lakehouse import Totals
from goldlake_core.documents.stages import RefineRequest
from goldlake_core.storage.deltalog import DeltaLog
from goldlake_core.storage.home import Home
from lakehouse import epochs, session, specs, stages, standing
from tests.lakehouse.records import crime, land, silent

pytestmark = pytest.mark.spark


def _unchanged(usecase: UseCase, home: Home) -> Totals | None:
    return standing.unchanged(usecase, home, epochs.plan(usecase, home))


def test_what_is_up_to_date_is_known_without_spark(
    spark: Any, usecase: UseCase, home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert _unchanged(usecase, home) is None
    land(home, usecase, "one", [crime(1), crime(2), crime(2), crime(3, ward="99")])
    refined = stages.refine(spark, usecase, home, "run", silent, accept_rejected=True)
    totals = _unchanged(usecase, home)
    assert totals == refined.totals
    assert totals is not None
    assert (totals.landed, totals.silver) == (4, 2)

    def no_session(**settings: object) -> Any:
        raise AssertionError("Spark was started")

    monkeypatch.setattr(session, "spark_session", no_session)
    monkeypatch.setattr(stages, "load_usecase", lambda name: usecase)
    again = stages.refine_stage(RefineRequest(usecase="x", home=home.root, run_id="again"), silent)
    assert again.totals == refined.totals
    assert again.tables == refined.tables
    assert again.new_records == 0

    # Every doubt is left to Spark.
    first = usecase.silver.columns[0]
    columns = (replace(first, comment="Edited."), *usecase.silver.columns[1:])
    edited = replace(usecase, silver=replace(usecase.silver, columns=columns))
    assert _unchanged(edited, home) is None
    table = usecase.gold["arrest_features"]
    other = replace(
        usecase, gold={**usecase.gold, "arrest_features": replace(table, key=("date",))}
    )
    assert _unchanged(other, home) is None
    for name, spoil in _SPOILED.items():
        copy = Home.at(tmp_path / name)
        shutil.copytree(home.root, copy.root)
        assert _unchanged(usecase, copy) == totals, "a copied home is up to date, too"
        spoil(usecase, copy)
        assert _unchanged(usecase, copy) is None, name


def _land_more(usecase: UseCase, home: Home) -> None:
    land(home, usecase, "two", [crime(4)])


def _lose(layer: str) -> Any:
    def lose(usecase: UseCase, home: Home) -> None:
        shutil.rmtree(home.path("tables", usecase.name, layer))

    return lose


def _spoil_log(usecase: UseCase, home: Home) -> None:
    log = DeltaLog(specs.silver(usecase, home, 1).uri)
    newest = Path(log.uri) / "_delta_log" / f"{log.latest():020d}.json"
    newest.write_bytes(newest.read_bytes()[:20])


def _foreign_rows(usecase: UseCase, home: Home) -> None:
    """Another program takes a data file out of gold."""
    log = DeltaLog(specs.gold(usecase, home, usecase.gold["arrest_features"]).uri)
    version = log.latest() or 0
    path = log.snapshot().files[0].path
    action = {"remove": {"path": path, "dataChange": True, "deletionTimestamp": 0}}
    file = Path(log.uri) / "_delta_log" / f"{version + 1:020d}.json"
    file.write_bytes(msgspec.json.encode({"commitInfo": {"timestamp": 0}}) + b"\n")
    with file.open("ab") as more:
        more.write(msgspec.json.encode(action) + b"\n")


_SPOILED = {
    "landed": _land_more,
    "bronze": _lose("bronze"),
    "gold": _lose("gold"),
    "log": _spoil_log,
    "foreign": _foreign_rows,
}
