"""What `goldlake score` refuses before it starts anything, and what it takes out of files."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from goldlake.workflows.score import _of_file, _require_keys, score
from goldlake_core.contracts.errors import UsageError
from goldlake_core.contracts.loader import load_contract
from goldlake_core.contracts.sections import UseCase
from goldlake_core.storage.home import Home

TEXT = "id,a,count,known,other\nx,1.5,7,true,9\ny,,8,,9\n"


@pytest.fixture
def usecase(tmp_path: Path) -> UseCase:
    (tmp_path / "shop" / "models").mkdir(parents=True)
    columns = {"id": {"type": "string", "nullable": False}, "a": "double", "count": "long"}
    columns |= {"known": "boolean", "size": "string"}
    contract = {
        "name": "shop",
        "source": {"kind": "files", "path": "*.csv"},
        "silver": {"key": ["id"], "columns": columns},
    }
    model = {
        "name": "size",
        "label": "size",
        "features": {"a": "numeric", "count": "numeric", "known": "categorical"},
        "thresholds": {"accuracy": {"min": 0.5}},
    }
    (tmp_path / "shop/contract.yaml").write_text(json.dumps(contract), encoding="utf-8")
    (tmp_path / "shop/models/size.yaml").write_text(json.dumps(model), encoding="utf-8")
    return load_contract(tmp_path / "shop")


def test_rows_of_a_file_get_the_types_of_the_contract(usecase: UseCase, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text(TEXT, encoding="utf-8")
    target = tmp_path / "rows.parquet"
    keep = _of_file(usecase, usecase.models["size"], str(tmp_path / "rows.csv"), target)
    assert keep == ("id",)
    assert pl.read_parquet(target).rows() == [("x", 1.5, 7, True), ("y", None, 8, None)]
    (tmp_path / "rows.jsonl").write_text('{"a": 1.0, "count": 2}\n', encoding="utf-8")
    keep = _of_file(usecase, usecase.models["size"], str(tmp_path / "rows.jsonl"), target)
    assert keep == ()
    assert pl.read_parquet(target).rows() == [(1.0, 2, None)]
    (tmp_path / "rows.csv").write_text(TEXT.replace("7", "seven"), encoding="utf-8")
    with pytest.raises(UsageError, match="A row does not have the contract's types:"):
        _of_file(usecase, usecase.models["size"], str(tmp_path / "rows.csv"), target)


def test_what_cannot_be_scored_is_refused_first(
    usecase: UseCase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    home = Home.at(tmp_path / "home")

    def refused(model: str, source: str, out: str | None = None) -> str:
        with pytest.raises(UsageError) as caught:
            score(model, source, home, out, lambda event: None)
        return caught.value.problem

    assert "No version of shop.size serves in" in refused("shop.size", "rows.csv")
    assert "shop.size@9 is not a version that was pushed to" in refused("shop.size@9", "rows.csv")
    assert "There is no folder" in refused("shop.size", "rows.csv", "no/such/file.csv")
    assert not (tmp_path / "home" / "runs").exists()


def test_rows_without_names_or_keys_are_refused(usecase: UseCase, tmp_path: Path) -> None:
    model, unnamed = usecase.models["size"], tmp_path / "rows.jsonl"
    unnamed.write_text("[1.5]\n", encoding="utf-8")
    with pytest.raises(UsageError, match="has no rows with names"):
        _of_file(usecase, model, str(unnamed), tmp_path / "rows.parquet")
    with pytest.raises(UsageError) as caught:
        _require_keys(usecase, model, (), None)
    wanted = "The rows lack the key id, by which the table of scores tells them apart"
    assert caught.value.problem == wanted
    _require_keys(usecase, model, (), "scores.csv")
