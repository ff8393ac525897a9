"""Batch inference over Parquet: every row answered, with its key, in its order."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from goldlake_core.contracts.errors import InstanceError, UsageError
from goldlake_core.documents.scoring import Scored, ScoreRequest
from goldlake_core.storage.home import Home
from tests.tfx_pipeline.heads.test_served import numbers, trained

pytestmark = [pytest.mark.tfx, pytest.mark.long]
ROWS = 250


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A use case, and a home with a version of its model."""
    folder = tmp_path_factory.mktemp("scoring")
    (folder / "shop" / "models").mkdir(parents=True)
    double = {"type": "double", "nullable": False}
    columns = {"id": {"type": "string", "nullable": False}, "a": double, "b": double}
    columns |= {"area": double, "size": "string"}
    contract = {
        "name": "shop",
        "source": {"kind": "files", "path": "*.csv"},
        "silver": {"key": ["id"], "columns": columns},
    }
    model = {
        "name": "size",
        "label": "size",
        "features": dict.fromkeys(["a", "b", "area"], "numeric"),
        "thresholds": {"accuracy": {"min": 0.5}},
    }
    (folder / "shop/contract.yaml").write_text(json.dumps(contract), encoding="utf-8")
    (folder / "shop/models/size.yaml").write_text(json.dumps(model), encoding="utf-8")
    trained("multiclass", Path(Home.at(folder / "home").model("shop", "size", "3")))
    return folder


def scored(shop: Path, rows: pl.DataFrame, out: Path, keep: tuple[str, ...] = ("id",)) -> Scored:
    from tfx_pipeline.scoring import score

    file = out / "rows.parquet"
    rows.write_parquet(file, row_group_size=100)
    request = ScoreRequest(
        usecase=str(shop / "shop"),
        home=str(shop / "home"),
        run_id="r",
        model="size",
        model_version=3,
        rows=str(file),
        keep=keep,
        out=str(out / "scores"),
    )
    return score(request, lambda kind, message, **_: None)


def rows_of(count: int = ROWS) -> pl.DataFrame:
    columns = {name: values[:count].astype("float64") for name, values in numbers().items()}
    return pl.DataFrame({"id": [f"k{n}" for n in range(count)], **columns, "other": [1] * count})


def test_every_row_is_answered_once_with_its_key(shop: Path, tmp_path: Path) -> None:
    rows = rows_of()
    found = scored(shop, rows, tmp_path)
    assert (found.rows, len(found.files)) == (ROWS, 3)
    scores = pl.concat([pl.read_parquet(file) for file in found.files])
    assert scores.columns == ["id", "class", "score"]
    assert scores["id"].to_list() == rows["id"].to_list()
    # What the labels were made of.
    expected = np.array(["low", "middle", "high"])[np.digitize(rows["a"], [-0.5, 0.5])]
    assert (scores["class"].to_numpy() == expected).mean() > 0.9
    assert scores["score"].min() > 0.3
    before = [Path(file).read_bytes() for file in found.files]
    again = scored(shop, rows, tmp_path)
    assert [Path(file).read_bytes() for file in again.files] == before


def test_a_row_without_an_input_is_named(shop: Path, tmp_path: Path) -> None:
    rows = rows_of(150).with_columns(
        pl.when(pl.col("id") == "k120").then(None).otherwise(pl.col("b")).alias("b")
    )
    with pytest.raises((InstanceError, RuntimeError), match="row 121: b: the value is missing"):
        scored(shop, rows, tmp_path)


def test_rows_that_lack_an_input_are_refused(shop: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="The rows lack area, which shop.size reads"):
        scored(shop, rows_of(3).drop("area"), tmp_path)


def test_no_rows_are_no_scores(shop: Path, tmp_path: Path) -> None:
    found = scored(shop, rows_of(0), tmp_path)
    assert found.rows == 0
