"""The log reader against logs written by hand: commits, checkpoints, versions, times."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from goldlake_core.contracts.errors import StoreError
from goldlake_core.storage.deltalog import DeltaLog

SCHEMA = json.dumps(
    {
        "type": "struct",
        "fields": [
            {"name": "a", "type": "long", "nullable": False, "metadata": {"comment": "An a."}},
            {"name": "b", "type": "string", "nullable": True, "metadata": {}},
        ],
    }
)
META = {"id": "u-1", "schemaString": SCHEMA, "configuration": {"x": "1"}}


def add(path: str, rows: int, size: int = 10) -> dict[str, Any]:
    return {"add": {"path": path, "size": size, "stats": json.dumps({"numRecords": rows})}}


def remove(path: str) -> dict[str, Any]:
    return {"remove": {"path": path}}


def commit(
    table: Path, version: int, *actions: dict[str, Any], metadata: str | None = None
) -> None:
    info = {"timestamp": 1_000_000 * (version + 1), "operation": "WRITE", "userMetadata": metadata}
    log = table / "_delta_log"
    log.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps(a) for a in ({"commitInfo": info}, *actions)]
    (log / f"{version:020d}.json").write_text("\n".join(lines) + "\n")


@pytest.fixture
def table(tmp_path: Path) -> Path:
    folder = tmp_path / "t"
    commit(folder, 0, {"metaData": META})
    commit(folder, 1, add("one.parquet", 3), metadata='{"as_of": "x"}')
    commit(folder, 2, add("two%20.parquet", 4, size=7), remove("one.parquet"))
    return folder


def test_a_snapshot_holds_what_was_added_and_not_removed(table: Path):
    snapshot = DeltaLog(str(table)).snapshot()
    assert (snapshot.version, snapshot.uuid, snapshot.rows, snapshot.bytes) == (2, "u-1", 4, 7)
    assert [f.path for f in snapshot.files] == ["two .parquet"]
    assert DeltaLog(str(table)).snapshot(1).rows == 3
    assert snapshot.properties == {"x": "1"}


def test_a_missing_version_and_a_missing_table_are_named(table: Path, tmp_path: Path):
    with pytest.raises(StoreError, match=r"has no version 7\. Valid: 0 to 2"):
        DeltaLog(str(table)).snapshot(7)
    with pytest.raises(StoreError, match="no Delta table"):
        DeltaLog(str(tmp_path / "none")).snapshot()
    assert DeltaLog(str(tmp_path / "none")).latest() is None


def test_metadata_and_time_find_a_version(table: Path):
    log = DeltaLog(str(table))
    found = log.last_commit_with("as_of")
    assert found is not None
    assert (found.version, found.metadata) == (1, {"as_of": "x"})
    assert log.last_commit_with("as_of", 0) is None
    assert log.version_at(datetime.fromtimestamp(2500, timezone.utc)) == 1
    assert log.version_at(datetime.fromtimestamp(1, timezone.utc)) is None


META_ROW = {**META, "configuration": [("x", "2")]}


def _checkpoint(table: Path, version: int, rows: list[dict[str, Any]], parts: int = 1) -> None:
    """Writes a checkpoint in one file, or in one for each row."""
    adds = pa.struct([("path", pa.string()), ("size", pa.int64()), ("stats", pa.string())])
    meta = pa.struct(
        [
            ("id", pa.string()),
            ("schemaString", pa.string()),
            ("configuration", pa.map_(pa.string(), pa.string())),
        ]
    )
    for number in range(parts):
        name = f"{version:020d}.checkpoint"
        name += f".{number + 1:010d}.{parts:010d}.parquet" if parts > 1 else ".parquet"
        chunk = rows if parts == 1 else rows[number : number + 1]
        schema = pa.schema([("add", adds), ("metaData", meta)])
        pq.write_table(pa.Table.from_pylist(chunk, schema), table / "_delta_log" / name)


@pytest.mark.parametrize("parts", [1, 2])
def test_a_checkpoint_stands_for_the_commits_before_it(table: Path, parts: int):
    rows: list[dict[str, Any]] = [{"metaData": META_ROW}, add("two%20.parquet", 4)]
    _checkpoint(table, 2, rows, parts)
    log = table / "_delta_log"
    for version in (0, 1):
        (log / f"{version:020d}.json").unlink()
    commit(table, 3, add("three.parquet", 5))
    snapshot = DeltaLog(str(table)).snapshot()
    assert (snapshot.version, snapshot.rows, snapshot.properties) == (3, 9, {"x": "2"})
    with pytest.raises(StoreError, match="has no version 1"):
        DeltaLog(str(table)).snapshot(1)


def test_reading_fills_columns_that_came_later(table: Path):
    pq.write_table(pa.table({"a": [1, 2]}), table / "two .parquet")
    pq.write_table(pa.table({"a": [3], "b": ["x"]}), table / "three.parquet")
    commit(table, 3, add("three.parquet", 1))
    log = DeltaLog(str(table))
    assert log.read().to_pydict() == {"a": [1, 2, 3], "b": [None, None, "x"]}
    assert log.read(["b"], version=2).to_pydict() == {"b": [None, None]}


def test_another_ones_commit_metadata_is_passed_over(table: Path):
    commit(table, 3, metadata="nightly job")
    assert DeltaLog(str(table)).commit(3).metadata == {}


@pytest.mark.parametrize(
    ("version", "content", "problem"),
    [
        (2, b'{"commitInfo": {"timest', "is damaged: "),
        (2, b"\xff\xfe", "is damaged: "),
        (2, b"", "is empty"),
        (1, b"\n", "is empty"),
        (0, None, "is missing"),
        (1, None, "is missing"),
    ],
)
def test_a_damaged_entry_is_named(
    tmp_path: Path, table: Path, version: int, content: bytes | None, problem: str
):
    place = tmp_path / "tables" / "bikes" / "silver" / "rentals"
    place.parent.mkdir(parents=True)
    table.rename(place)
    entry = place / "_delta_log" / f"{version:020d}.json"
    entry.unlink()
    if content is not None:
        entry.write_bytes(content)
    log = DeltaLog(str(place))
    with pytest.raises(StoreError) as caught:
        log.snapshot()
    assert caught.value.problem.startswith(f"{entry}, a part of a table, {problem}")
    assert str(caught.value.hint).endswith("make the table again: goldlake rebuild bikes")


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="no /proc lists threads")
def test_a_reader_leaves_no_thread_that_could_outlive_the_interpreter(tmp_path: Path):
    rows = pa.table({"a": pa.array(range(3)), "b": ["x", "y", "z"]})
    commit(tmp_path, 0, {"metaData": META}, add("rows.parquet", 3))
    pq.write_table(rows, tmp_path / "rows.parquet")
    _checkpoint(tmp_path, 0, [{"metaData": META_ROW}, add("rows.parquet", 3)])
    script = (
        "import os, sys, pyarrow.parquet\n"
        "from goldlake_core.storage.deltalog import DeltaLog\n"
        "before = len(os.listdir('/proc/self/task'))\n"
        "read = DeltaLog(sys.argv[1]).read()\n"
        "print(read.num_rows, len(os.listdir('/proc/self/task')) - before)"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["3", "0"]


def test_a_damaged_checkpoint_is_named(table: Path):
    checkpoint = table / "_delta_log" / f"{1:020d}.checkpoint.parquet"
    checkpoint.write_bytes(b"PAR1")
    with pytest.raises(StoreError, match=rf"{checkpoint}, .* is damaged"):
        DeltaLog(str(table)).snapshot()
