"""A run asks about the contract's examples; without any, about rows of gold."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
from msgspec.structs import replace

from goldlake.workflows.asked import ROWS, asked_rows
from goldlake_core.contracts.registry import load_usecase
from goldlake_core.contracts.wire import fill_nulls, raw_inputs
from goldlake_core.storage.home import Home
from tests.goldlake_core.storage.test_deltalog import add, commit


def test_rows_of_gold_where_there_are_no_examples(tmp_path: Path) -> None:
    usecase = load_usecase("germany_pks")
    model = usecase.models["cases"]
    assert asked_rows(usecase, model, Home.at(tmp_path)) == [dict(model.examples[0])]
    types = {"long": pl.Int64, "double": pl.Float64, "string": pl.String, "boolean": pl.Boolean}
    columns = usecase.gold["counties"].columns
    rows = {
        "offence_key": ["------", "435*00", "111000"],
        "county_kind": ["LK", None, "KfS"],
        "state": ["05", "06", "07"],
        "population_log": [11.5, float("nan"), 12.0],
        "population": [100_000, 200_000, 160_000],
    }
    schema = {column.name: types[column.type] for column in columns}
    frame = pl.DataFrame({name: rows.get(name, [None] * 3) for name in schema}, schema=schema)
    home = Home.at(tmp_path)
    folder = Path(home.table("germany_pks", "gold", "counties"))
    fields = [
        {"name": column.name, "type": column.type, "nullable": True, "metadata": {}}
        for column in columns
    ]
    schema_text = json.dumps({"type": "struct", "fields": fields})
    meta = {"metaData": {"id": "u", "schemaString": schema_text, "configuration": {}}}
    commit(folder, 0, meta)
    frame.write_parquet(folder / "a.parquet")
    commit(folder, 1, add("a.parquet", 3))
    found = asked_rows(usecase, replace(model, examples=()), home)
    first = {"offence_key": "------", "county_kind": "LK", "state": "05", "population_log": 11.5}
    second = {"offence_key": "435*00", "state": "06", "population": 200_000}
    assert (ROWS, found) == (2, [{**first, "population": 100_000}, second])
    # A client sends them as they are.
    sent = fill_nulls(raw_inputs(model, usecase.gold["counties"]), found)
    assert [row["population"] for row in sent] == [100_000, 200_000]
