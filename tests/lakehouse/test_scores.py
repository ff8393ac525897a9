"""Scores of a model as a Delta table: appended once per run, with version and time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from goldlake_core.contracts.errors import StoreError
from goldlake_core.contracts.ids import TableId
from goldlake_core.contracts.loader import load_contract
from goldlake_core.documents.scoring import KeepRequest
from goldlake_core.storage.home import Home
from goldlake_core.storage.locks import StoreLock
from lakehouse import catalog, rows
from lakehouse.scores import keep, scores_spec

pytestmark = pytest.mark.spark


def test_scores_are_added_once_per_run(spark: Any, tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    (folder / "models").mkdir(parents=True)
    columns = {"id": {"type": "string", "nullable": False}, "a": "double", "size": "string"}
    contract = {
        "name": "shop",
        "source": {"kind": "files", "path": "*.csv"},
        "silver": {"key": ["id"], "columns": columns},
    }
    model = {
        "name": "size",
        "label": "size",
        "features": {"a": "numeric"},
        "thresholds": {"accuracy": {"min": 0.5}},
    }
    (folder / "contract.yaml").write_text(json.dumps(contract), encoding="utf-8")
    (folder / "models/size.yaml").write_text(json.dumps(model), encoding="utf-8")
    usecase, home = load_contract(folder), Home.at(tmp_path / "home")
    spec = scores_spec(usecase, usecase.models["size"], home)

    def kept(run_id: str, version: int, ids: list[str]) -> Any:
        file = tmp_path / f"{run_id}.parquet"
        answers = {"class": ["low"] * len(ids), "score": [0.5] * len(ids)}
        pl.DataFrame({"id": ids, **answers}).write_parquet(file)
        request = KeepRequest(
            usecase="shop",
            home=home.root,
            run_id=run_id,
            model="size",
            model_version=version,
            source="shop.gold.rows@1",
            scored_at="2026-01-02T03:04:05.000000Z",
            files=(str(file),),
        )
        with StoreLock(home, "shop", "score"):
            return keep(spark, spec, request)

    first = kept("one", 3, ["a", "b"])
    assert (first.table, first.version, first.rows) == ("shop.scores.size", 1, 2)
    assert kept("one", 3, ["a", "b"]).version == 1  # the same run again adds nothing
    assert kept("two", 4, ["a"]).version == 2
    found = rows.read_rows(TableId.parse("shop.scores.size"), home, where="id = 'a'")
    assert found.total == 2
    records = [dict(zip(found.columns, row, strict=True)) for row in found.rows]
    assert sorted(record["model_version"] for record in records) == [3, 4]
    assert {record["scored_at"].isoformat() for record in records} == {"2026-01-02T03:04:05+00:00"}
    assert [entry.id for entry in catalog.tables("shop", home)] == ["shop.scores.size"]
    (folder / "models/size.yaml").write_text(
        json.dumps(
            {**model, "label": "a", "features": {"size": "categorical"}}
            | {"thresholds": {"rmse": {"max": 1}}}
        ),
        encoding="utf-8",
    )
    again = load_contract(folder)
    spec = scores_spec(again, again.models["size"], home)
    with pytest.raises(StoreError, match="has other columns than shop.size answers now"):
        kept("three", 5, ["a"])
