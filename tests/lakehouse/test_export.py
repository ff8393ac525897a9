"""Same version, same bytes; zero, empty and missing stay three things."""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import msgspec
import pytest
from msgspec.structs import replace

from goldlake_core.contracts.errors import LockedError, PermanentError, StoreError
from goldlake_core.contracts.sections import Feature, Model, Split, UseCase
from goldlake_core.storage.deltalog import DeltaLog
from goldlake_core.storage.home import Home
from goldlake_core.storage.locks import FileLock
from lakehouse import catalog, export, stages
from tests.lakehouse.records import crime, land, silent

pytestmark = pytest.mark.spark

UPDATED = "2016-03-21T00:00:00.000"


@pytest.fixture
def model(usecase: UseCase) -> Model:
    """The arrest model with windows for eighty days of data and a few of its features."""
    split = Split("relative", eval_days=10, test_days=20)
    texts = ("primary_type", "description", "location_description")
    features = (
        Feature("hour", "cyclic", ("hour",)),
        Feature("place", "position", ("latitude", "longitude")),
        *(Feature(name, "categorical", (name,)) for name in texts),
        Feature("words", "text", ("description",)),
    )
    return replace(usecase.models["arrest"], split=split, features=features)


def _days(first: int) -> list[dict[str, Any]]:
    """One incident on each of 80 days from 1 January 2016 in Chicago, amended on 21 March."""
    rows = []
    for n in range(80):
        month, day = next((m, n - s + 1) for m, s in ((3, 60), (2, 31), (1, 0)) if n >= s)
        time = f"2016-{month:02d}-{day:02d}T12:00:00.000"
        rows.append(crime(first + n, date=time, updated_on=UPDATED))
    return rows


def no_session() -> Any:
    """What an export that is there needs of Spark."""
    raise AssertionError("Spark was started")


def _files(folder: str) -> dict[str, bytes]:
    return {
        str(p.relative_to(folder)): p.read_bytes() for p in Path(folder).rglob("*") if p.is_file()
    }


def test_an_export_is_its_version_and_stays_it(
    spark: Any,
    usecase: UseCase,
    home: Home,
    model: Model,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    rows = _days(1)
    rows[0].update(block="", location_description="", latitude="0", longitude="0")
    rows[0].update(latitude="41.5", longitude="-87.5", description='A "quoted", text\nof two ')
    del rows[1]["location_description"], rows[1]["latitude"], rows[1]["longitude"]
    land(home, usecase, "one", rows)
    stages.refine(spark, usecase, home, "first", silent)
    first = export.export(lambda: spark, usecase, model, home, silent)
    assert first.rows == {"train": 20, "eval": 10, "test": 20, "immature": 30, "outside": 0}
    assert first.boundaries.until == "2016-02-20T05:00:00.000000Z"
    assert (first.version, first.reused) == (1, False)
    files = _files(first.uri)
    assert sorted(files) == [
        "eval/part-2016-01.csv",
        "manifest.json",
        "test/part-2016-01.csv",
        "test/part-2016-02.csv",
        "train/part-2016-01.csv",
    ]
    manifest = json.loads(files["manifest.json"])
    assert hashlib.sha256(files["manifest.json"]).hexdigest() == first.manifest_sha256
    for split in manifest["splits"].values():
        for part in split["parts"]:
            data = files[part["path"]]
            assert (len(data), hashlib.sha256(data).hexdigest()) == (part["bytes"], part["sha256"])
            assert len(list(csv.reader(data.decode().splitlines(True)))) == part["rows"] + 1
    lines = files["train/part-2016-01.csv"].decode().split("\n")
    assert lines[0] == (
        "id,date,primary_type,description,location_description,latitude,longitude,arrest,hour"
    )
    assert lines[0].split(",") == [c["name"] for c in manifest["columns"]]
    assert lines[1] == '1,2016-01-01T18:00:00.000000Z,THEFT,"A ""quoted"", text'
    assert lines[2] == 'of two ","",41.5,-87.5,false,12'
    assert lines[3] == "2,2016-01-02T18:00:00.000000Z,THEFT,$500 AND UNDER,,,,false,12"
    again = export.export(no_session, usecase, model, home, silent, out=str(tmp_path / "copy"))
    assert again == msgspec.structs.replace(first, reused=True)
    assert _files(str(tmp_path / "copy")) == files

    # What was damaged is found and made again, to the same bytes; nobody is handed the damage.
    for spoil in (
        lambda file: file.write_bytes(files["train/part-2016-01.csv"].replace(b"THEFT", b"ARSON")),
        lambda file: file.unlink(),
        lambda file: file.parents[1].joinpath("manifest.json").write_text("{"),
    ):
        spoil(Path(first.uri) / "train/part-2016-01.csv")
        told = Mock()
        assert export.export(lambda: spark, usecase, model, home, told) == first
        assert _files(first.uri) == files
        kind, text = told.call_args_list[0].args
        assert kind == "info"
        assert text.endswith(("is damaged; it is written again", "is missing; it is written again"))

    # One writer per model; the second one waits, here not at all.
    monkeypatch.setattr(export, "LOCK_WAIT_S", 0)
    lock = home.export(usecase.name, f"{model.name}.lock")
    with (
        ThreadPoolExecutor(1) as other,
        FileLock(lock, work="export"),
        pytest.raises(LockedError, match="is in use by export, process"),
    ):
        other.submit(export.export, no_session, usecase, model, home, silent).result()

    # Later rows make a new version; the old one still gives the same bytes, made anew.
    land(
        home, usecase, "two", [{**rows[5], "arrest": True, "updated_on": "2016-04-20T00:00:00.000"}]
    )
    stages.refine(spark, usecase, home, "second", silent)
    newer = export.export(lambda: spark, usecase, model, home, silent)
    assert newer.version > first.version
    assert newer.content_hash != first.content_hash
    assert newer.rows["immature"] == 0
    shutil.rmtree(first.uri)
    (Path(f"{first.uri}.staging") / "left").mkdir(parents=True)
    assert export.export(lambda: spark, usecase, model, home, silent, version=1) == first
    assert _files(first.uri) == files
    assert not Path(f"{first.uri}.staging").exists()

    with pytest.raises(StoreError, match=r"has no version 99\. Valid: at most"):
        export.export(lambda: spark, usecase, model, home, silent, version=99)
    _check_catalog(usecase, home)


def _check_catalog(usecase: UseCase, home: Home) -> None:
    tables = {t.id: t for t in catalog.tables(usecase.name, home)}
    assert [t.split(".", 1)[1] for t in tables] == [
        *("bronze.crimes", "silver.crimes", "silver.crimes_versions"),
        *("gold.area_day", "gold.arrest_features"),
    ]
    assert tables["chicago_crime.silver.crimes"].rows == 80
    assert tables["chicago_crime.bronze.crimes"].rows == 81
    features = tables["chicago_crime.gold.arrest_features"]
    assert features.as_of == "2016-04-20T05:00:00.000000Z"
    assert features.bytes > 1000
    log = DeltaLog(features.uri)
    then = {t.id: t for t in catalog.tables(None, home, log.commit(1).time)}
    assert then[features.id].version == 1
    assert then[features.id].as_of == "2016-03-21T05:00:00.000000Z"
    assert log.read(["id"], 1)["id"].to_pylist() == list(range(1, 81))
    assert msgspec.structs.asdict(catalog.fates(usecase.name, home)) == {
        "landed": 81,
        "inserted": 80,
        "amended": 1,
        "unchanged": 0,
        "stale": 0,
        "quarantined": 0,
        "deleted": 0,
        "silver": 80,
    }


def test_an_empty_split_says_which_key_to_change(
    spark: Any, usecase: UseCase, home: Home, model: Model
):
    with pytest.raises(StoreError, match="nothing to export.*goldlake ingest chicago_crime"):
        export.export(lambda: spark, usecase, model, home, silent)
    land(home, usecase, "one", [crime(1, updated_on="2016-09-01T00:00:00.000")])
    stages.refine(spark, usecase, home, "first", silent)
    with pytest.raises(PermanentError) as caught:
        export.export(lambda: spark, usecase, model, home, silent)
    assert "no rows in train and eval: 0 train, 0 eval, 1 test" in caught.value.message
    assert "test_from 2015-12-17T06:00:00.000000Z" in caught.value.message
    assert "change split.test_days" in caught.value.message
    assert not Path(home.export(usecase.name, "arrest")).exists()
