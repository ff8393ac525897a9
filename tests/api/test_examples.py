"""Every example in the API's docstrings prints what it says, on a small home written by hand."""

from __future__ import annotations

import doctest
import importlib
import json
import pkgutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import goldlake.api
from serving import config
from serving.config import ModelsConfig
from serving.signatures import Signature
from tests.api.examples import run_examples
from tests.goldlake_core.storage.test_deltalog import add, commit
from tests.lakehouse.test_rows import meta
from tests.serving.lines import FLOATS, Line, running, save

FIELDS = [
    {"name": "station", "type": "string", "nullable": False, "metadata": {}},
    {"name": "minutes", "type": "long", "nullable": False, "metadata": {}},
    {"name": "is_late", "type": "boolean", "nullable": True, "metadata": {}},
]


CONTRACT = """
name: city_bikes
title: Rentals of bicycles
source: {kind: files}
silver:
  table: rentals
  comment: One row per rental.
  key: [station]
  columns:
    station: {type: string, nullable: false, comment: Where it began.}
    minutes: {type: double, nullable: false, comment: Length in minutes.}
    is_late: {type: boolean, comment: Whether it came back late.}
gold:
  trips:
    mode: rows
    key: [station]
    comment: One row per rental.
    keep: [station, minutes, is_late]
"""
MODEL = """
name: is_late
title: Late return
description: Whether a bicycle comes back late.
table: trips
label: is_late
split: {kind: hash}
features: {minutes: numeric}
thresholds: {auc: {min: 0.6}}
serving: {request_log: {}, record_key: x-rental}
"""


ABOUT = {"table_version": 1, "model_sha256": "0", "pushed_at": "2026-04-02T08:00:00.000000Z"}


def logged(key: str, probability: float) -> dict[str, object]:
    """A line of the request log."""
    return {
        "at": "2026-04-02T09:00:00.000+00:00",
        "status": "OK",
        "version": 1,
        "signature": "serving_default",
        "record_key": key,
        "inputs": {"minutes": 20},
        "outputs": {"probability": probability},
        "redacted": [],
    }


class Minutes(Line):
    """A line over ``minutes``."""

    @property
    def signatures(self) -> Mapping[str, Signature]:
        found = super().signatures["serving_default"]
        return {"serving_default": replace(found, inputs={"minutes": FLOATS})}

    def run(self, signature_name: str, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        return super().run(signature_name, {"x": inputs["minutes"]})


def load(path: str) -> Minutes:
    return Minutes(float(Path(path, "b.txt").read_text()))


@pytest.fixture
def _demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """``var/demo`` with two tables and a model of two versions, and a server of it."""
    home = tmp_path / "var" / "demo"
    trips = home / "tables" / "city_bikes" / "gold" / "trips"
    basis = json.dumps({"as_of": "2026-04-01T00:00:00Z", "silver_version": 1})
    commit(trips, 0, meta(FIELDS))
    first = {"station": ["MARKET", "MARKET"], "minutes": [12, 20], "is_late": [False, True]}
    pl.DataFrame(first).write_parquet(trips / "a.parquet")
    commit(trips, 1, add("a.parquet", 2), metadata=basis)
    second = {"station": ["HARBOUR"], "minutes": [31], "is_late": [None]}
    pl.DataFrame(second, schema_overrides={"is_late": pl.Boolean}).write_parquet(
        trips / "b.parquet"
    )
    commit(trips, 2, add("b.parquet", 1), metadata=basis)
    rentals = home / "tables" / "city_bikes" / "silver" / "rentals"
    commit(rentals, 0, meta(FIELDS))
    pl.DataFrame(second, schema_overrides={"is_late": pl.Boolean}).write_parquet(
        rentals / "a.parquet"
    )
    commit(rentals, 1, add("a.parquet", 1))
    name, base = "city_bikes.is_late", home / "models" / "city_bikes.is_late"
    found = ModelsConfig()
    for version, label in ((1, "stable"), (2, "canary")):
        save(base, version, version)
        about = base / str(version) / "assets.extra" / "goldlake.json"
        about.parent.mkdir()
        learned = {"usecase": "city_bikes", "model": "is_late", "version": version}
        about.write_text(json.dumps({**learned, **ABOUT}))
        found = config.with_label(found, name, version, label, str(base))
    (tmp_path / "city_bikes" / "models").mkdir(parents=True)
    (tmp_path / "city_bikes" / "contract.yaml").write_text(CONTRACT)
    (tmp_path / "city_bikes" / "models" / "is_late.yaml").write_text(MODEL)
    requests = home / "requests" / name
    requests.mkdir(parents=True)
    lines = [logged("MARKET", 0.3), logged("HARBOUR", 0.8)]
    (requests / "1.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    config.write(str(home / "models" / "models.config"), found)
    monkeypatch.chdir(tmp_path)
    with running(home / "models" / "models.config", load=load):
        yield


def texts() -> dict[str, str]:
    modules = [
        "goldlake",
        *(f"goldlake.api.{m.name}" for m in pkgutil.iter_modules(goldlake.api.__path__)),
    ]
    tests = [
        test
        for name in modules
        for test in doctest.DocTestFinder().find(importlib.import_module(name))
    ]
    return {test.name.rpartition("api.")[2]: test.docstring for test in tests if test.examples}


@pytest.mark.usefixtures("_demo")
def test_examples_print_what_they_say() -> None:
    assert run_examples(texts()).attempted > 20


def test_what_a_person_begins_with_has_an_example() -> None:
    wanted = {"goldlake.open", "home.Home", "home.Home.predict", "tables.Table", "tables.Tables"}
    wanted |= {"tables.Table.scan", "tables.Table.to_polars", "models.Model", "usecases.UseCase"}
    assert wanted <= set(texts())


@pytest.mark.usefixtures("_demo")
def test_an_example_that_says_something_else_is_noticed() -> None:
    with pytest.raises(AssertionError, match="Expected:\n    3\nGot:\n    2"):
        run_examples(
            {"x": '>>> goldlake.open("var/demo").tables["city_bikes.gold.trips"].version\n3\n'}
        )
