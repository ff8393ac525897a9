"""Rows are those of the version's files, read without Spark."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from goldlake_core.contracts.errors import StoreError, UsageError
from goldlake_core.contracts.ids import TableId
from goldlake_core.storage.home import Home
from lakehouse.rows import read_rows
from tests.goldlake_core.storage.test_deltalog import add, commit, remove

TABLE = TableId("toy", "silver", "calls")
FIELDS = [
    {"name": "id", "type": "long", "nullable": False, "metadata": {}},
    {"name": "name", "type": "string", "nullable": True, "metadata": {}},
    {"name": "seen", "type": "timestamp", "nullable": True, "metadata": {}},
    {
        "name": "reasons",
        "type": {"type": "array", "elementType": "string", "containsNull": True},
        "nullable": True,
        "metadata": {},
    },
]
SEEN = datetime(2024, 2, 29, 12, tzinfo=timezone.utc)


def meta(fields: list[dict[str, Any]], **configuration: str) -> dict[str, Any]:
    schema = json.dumps({"type": "struct", "fields": fields})
    return {"metaData": {"id": "u", "schemaString": schema, "configuration": configuration}}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Version 1 has ids 1 and 2; version 2 has 3 in place of them, and a column that came later."""
    home = Home.at(tmp_path)
    folder = Path(home.table("toy", "silver", "calls"))
    commit(folder, 0, meta(FIELDS[:2]))
    pl.DataFrame({"id": [1, 2], "name": ["a", None]}).write_parquet(folder / "old.parquet")
    commit(folder, 1, add("old.parquet", 2))
    rows = {
        "id": [3, 4],
        "name": ["", "[red]\x1b[31m"],
        "seen": [SEEN, None],
        "reasons": [["x"], None],
    }
    pl.DataFrame(rows).write_parquet(folder / "new %.parquet")
    commit(folder, 2, meta(FIELDS), add("new%20%25.parquet", 2))
    pl.DataFrame({"id": [9], "name": ["removed"]}).write_parquet(folder / "gone.parquet")
    commit(folder, 3, add("gone.parquet", 1))
    commit(folder, 4, remove("gone.parquet"))
    return home


def test_rows_of_the_newest_version(home: Home) -> None:
    found = read_rows(TABLE, home)
    assert found.table == "toy.silver.calls@4"
    assert found.columns == ("id", "name", "seen", "reasons")
    assert sorted(found.rows) == [
        (1, "a", None, None),
        (2, None, None, None),
        (3, "", SEEN, ["x"]),
        (4, "[red]\x1b[31m", None, None),
    ]
    assert found.total == 4


def test_times_of_files_that_store_them_differently(home: Home) -> None:
    folder = Path(home.table("toy", "silver", "calls"))
    naive = pl.Series([SEEN.replace(tzinfo=None)], dtype=pl.Datetime("ns"))  # as INT96 is read
    pl.DataFrame({"id": [5], "name": ["b"], "seen": naive}).write_parquet(folder / "ns.parquet")
    commit(folder, 5, add("ns.parquet", 1))
    found = read_rows(TABLE, home, where="seen is not null", columns=("id", "seen"))
    assert sorted(found.rows) == [(3, SEEN), (5, SEEN)]


def test_rows_of_an_older_version(home: Home) -> None:
    assert read_rows(TABLE.at(1), home).rows == ((1, "a"), (2, None))
    empty = read_rows(TABLE.at(0), home)
    assert (empty.columns, empty.rows, empty.total) == (("id", "name"), (), 0)
    assert len(read_rows(TABLE.at(3), home).rows) == 5


def test_condition_columns_and_limit(home: Home) -> None:
    found = read_rows(TABLE, home, where="id >= 2 and id < 4", columns=("name", "id"), limit=1)
    assert (found.columns, len(found.rows), found.total) == (("name", "id"), 1, 2)
    assert read_rows(TABLE, home, where="seen is not null").total == 1
    assert read_rows(TABLE, home, limit=0).rows == ()


@pytest.mark.parametrize("where", ["nothing = 1", "id >", "id; drop", "id + 1", "select 1"])
def test_a_condition_that_does_not_hold_names_the_columns(home: Home, where: str) -> None:
    with pytest.raises(UsageError, match="cannot be used") as caught:
        read_rows(TABLE, home, where=where)
    assert caught.value.valid == "SQL over the columns id, name, seen, reasons"


def test_wrong_names_name_the_nearest(home: Home) -> None:
    with pytest.raises(UsageError, match=r"no column 'nam'.*Valid: name \(nearest\)"):
        read_rows(TABLE, home, columns=("nam",))
    with pytest.raises(UsageError, match=r"no table 'toy.silver.call'.*toy.silver.calls \(nearest"):
        read_rows(TableId("toy", "silver", "call"), home)
    with pytest.raises(StoreError, match="has no version 7"):
        read_rows(TABLE.at(7), home)


@pytest.mark.parametrize(
    ("action", "feature"),
    [
        ({"protocol": {"readerFeatures": ["deletionVectors"]}}, "deletionVectors"),
        (meta(FIELDS, **{"delta.columnMapping.mode": "name"}), "columnMapping"),
    ],
)
def test_a_table_that_files_alone_do_not_tell_is_refused(
    home: Home, action: dict[str, Any], feature: str
) -> None:
    commit(Path(home.table("toy", "silver", "calls")), 5, action)
    with pytest.raises(StoreError, match=f"uses {feature}, which only Spark reads"):
        read_rows(TABLE, home)
    assert read_rows(TABLE.at(4), home).total == 4
