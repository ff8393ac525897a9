"""Runs as a Delta table: what is written is read, by several writers, and by later versions."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import fsspec
import pytest

from goldlake_core.contracts.errors import StoreError
from goldlake_core.documents.history import RunRow
from goldlake_core.storage.deltalog import DeltaLog, Field
from goldlake_core.storage.home import Home
from metadata import deltatable, history


def row(name: str, **fields: Any) -> RunRow:
    values: dict[str, Any] = {
        "usecase": "toy",
        "command": "ingest",
        "status": "ok",
        "began_at": datetime(2026, 4, 1, 9, 30, 0, 123456, tzinfo=timezone.utc),
        **fields,
    }
    return RunRow(run_id=name, **values)


FULL = row(
    "b",
    landed=3,
    seconds=1.5,
    reasons={"ward.range": 2},
    source={"kind": "files", "data set": "é"},
    limits={"source": {"page_rows": 10, "overlap": "1d"}},
    error="It broke",
)


@pytest.mark.parametrize("place", ["local", "memory"])
def test_what_is_appended_is_read(place: str, tmp_path: Path) -> None:
    home = Home(str(tmp_path) if place == "local" else f"memory://{tmp_path.name}")
    assert history.read(home, "toy") == []
    history.append(home, "toy", [row("a")])
    history.append(home, "toy", [FULL])
    assert history.read(home, "toy") == [FULL, row("a")]
    snapshot = DeltaLog(history.location(home, "toy")).snapshot()
    assert (snapshot.version, snapshot.rows) == (1, 2)
    comments = {field.name: field.comment for field in snapshot.schema}
    assert comments["landed"] == "Number of records in them."
    assert None not in comments.values(), "every column has its sentence"
    if place == "memory":
        fsspec.filesystem("memory").rm(f"/{tmp_path.name}", recursive=True)


def test_writers_at_the_same_time_lose_no_row(tmp_path: Path) -> None:
    home = Home(str(tmp_path))
    names = [f"r{number:02d}" for number in range(24)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: history.append(home, "toy", [row(name)]), names))
    assert sorted(each.run_id for each in history.read(home, "toy")) == names
    log = DeltaLog(history.location(home, "toy"))
    assert log.versions() == list(range(24))
    assert log.snapshot().uuid, "one of them made the table, and only one"


def test_a_table_of_before_gets_new_columns_and_one_of_later_keeps_its(tmp_path: Path) -> None:
    uri = str(tmp_path / "t")
    name, count = Field("name", "string", True, {}), Field("count", "long", True, {})
    deltatable.append(uri, deltatable.Schema("Old.", (name,)), [{"name": "a"}])
    both = deltatable.Schema("New.", (name, count))
    deltatable.append(uri, both, [{"name": "b", "count": 2}])
    deltatable.append(uri, deltatable.Schema("Old.", (name,)), [{"name": "c"}])
    log = DeltaLog(uri)
    assert log.read().to_pylist() == [
        {"name": "a", "count": None},
        {"name": "b", "count": 2},
        {"name": "c", "count": None},
    ]
    assert len({log.snapshot(version).uuid for version in range(3)}) == 1


def test_many_small_files_become_one_and_no_row_is_lost(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(deltatable, "MOST_FILES", 4)
    home = Home(str(tmp_path))
    names = [f"r{number:02d}" for number in range(11)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda name: history.append(home, "toy", [row(name, landed=1)]), names))
    history.append(home, "toy", [FULL])
    found = history.read(home, "toy")
    assert FULL in found
    assert sorted(each.run_id for each in found) == sorted([*names, "b"])
    snapshot = DeltaLog(history.location(home, "toy")).snapshot()
    assert len(snapshot.files) <= 4
    assert snapshot.rows == 12


def test_a_version_that_others_always_take_is_an_error(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(deltatable, "write_new", lambda *arguments: False)
    with pytest.raises(StoreError, match="written by others all the time: 50 attempts failed"):
        history.append(Home(str(tmp_path)), "toy", [row("a")])


@pytest.mark.spark
def test_spark_reads_it_and_writes_on(
    spark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Home(str(tmp_path))
    history.append(home, "toy", [row("a"), FULL])
    uri = history.location(home, "toy")
    frame = spark.read.format("delta").load(uri)
    found = frame.orderBy("run_id").selectExpr(
        "run_id", "date_format(began_at, 'HH:mm:ss.SSSSSS')", "landed", "reasons"
    )
    assert [tuple(each) for each in found.collect()] == [
        ("a", "09:30:00.123456", None, "{}"),
        ("b", "09:30:00.123456", 3, json.dumps({"ward.range": 2})),
    ]
    spark.sql(f"OPTIMIZE delta.`{uri}`").collect()
    history.append(home, "toy", [row("c")])
    monkeypatch.setattr(deltatable, "MOST_FILES", 2)
    history.append(home, "toy", [row("d")])
    assert [each.run_id for each in history.read(home, "toy")] == ["d", "c", "b", "a"]
    assert spark.read.format("delta").load(uri).count() == 4
    assert len(DeltaLog(uri).snapshot().files) == 1
