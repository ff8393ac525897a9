"""Tables by the Python API: one version each, its rows in every library, and what is refused."""

from __future__ import annotations

import json
from datetime import date, datetime, timezone
from pathlib import Path

import polars as pl
import pytest

import goldlake
from tests.goldlake_core.storage.test_deltalog import add, commit, remove
from tests.lakehouse.test_rows import FIELDS, SEEN, home, meta  # noqa: F401

NAME = "toy.silver.calls"


@pytest.fixture
def calls(home, tmp_path: Path) -> goldlake.Table:  # noqa: F811
    return goldlake.open(tmp_path).tables[NAME]


def folder_of(table: goldlake.Table) -> Path:
    return Path(table.uri)


def test_a_table_says_what_it_is(calls: goldlake.Table) -> None:
    assert repr(calls) == "Table('toy.silver.calls@4', 4 rows, 4 columns)"
    assert (calls.id, calls.name, calls.version) == (f"{NAME}@4", NAME, 4)
    assert (calls.rows, len(calls), calls.bytes) == (4, 4, 20)
    assert calls.columns == ["id", "name", "seen", "reasons"]
    assert calls.versions == [0, 1, 2, 3, 4]
    assert calls.committed_at == datetime(1970, 1, 1, 1, 23, 20, tzinfo=timezone.utc)
    assert (calls.as_of, calls.metadata) == (None, {})
    assert calls.schema["reasons"] == goldlake.Column("reasons", "array<string>", True, "")
    assert repr(calls.schema).splitlines()[0] == "id: long"
    assert [calls.schema[name].is_nullable for name in calls.schema] == [False, True, True, True]


def test_rows_in_every_library(calls: goldlake.Table) -> None:
    frame = calls.to_polars().sort("id")
    assert frame["id"].to_list() == [1, 2, 3, 4]
    assert frame["name"].to_list() == ["a", None, "", "[red]\x1b[31m"]
    assert frame["seen"].to_list() == [None, None, SEEN, None]
    arrow = calls.to_arrow().sort_by("id")
    assert arrow.column("seen").to_pylist() == [None, None, SEEN, None]
    assert str(arrow.schema.field("seen").type) == "timestamp[us, tz=UTC]"
    pandas = calls.to_pandas().sort_values("id")
    assert pandas["id"].tolist() == [1, 2, 3, 4]
    assert pandas["seen"].isna().tolist() == [True, True, False, True]
    assert calls.scan().select(pl.col("id").sum()).collect().item() == 10
    assert calls.head(2).height == 2


def test_columns_conditions_and_limits(calls: goldlake.Table) -> None:
    found = calls.to_polars(["name", "id"], where="id >= 2 and id < 4", limit=1)
    assert (found.columns, found.height) == (["name", "id"], 1)
    assert calls.to_polars("id").columns == ["id"]
    assert calls.to_pandas(columns=["id"], where="seen is not null")["id"].tolist() == [3]
    assert calls.to_arrow(limit=0).num_rows == 0


def test_what_is_asked_for_wrongly_names_what_is_valid(calls: goldlake.Table) -> None:
    with pytest.raises(goldlake.UsageError, match=r"no column 'nam'.*Valid: name \(nearest\)"):
        calls.to_polars(["nam"])
    for where in ("nothing = 1", "id >", "id > 'a'"):
        with pytest.raises(goldlake.UsageError, match="cannot be used") as caught:
            calls.to_polars(where=where)
        assert caught.value.valid == "SQL over the columns id, name, seen, reasons"
    with pytest.raises(goldlake.UsageError, match=r"limit=-1 is not a number of rows\."):
        calls.to_polars(limit=-1)


def test_an_unknown_table_or_version_names_the_nearest(
    calls: goldlake.Table, tmp_path: Path
) -> None:
    tables = goldlake.open(tmp_path).tables
    assert (list(tables), NAME in tables, "toy.silver.x" in tables) == ([NAME], True, False)
    assert tables.get("toy.silver.call") is None
    assert tables.get(NAME) == calls
    with pytest.raises(goldlake.UsageError, match=rf"no table .*Valid: {NAME} \(nearest\)"):
        tables["toy.silver.call"]
    with pytest.raises(goldlake.UsageError, match="calls has no version 7.*goldlake tables"):
        calls.at(7)
    with pytest.raises(goldlake.UsageError, match="'calls' names no table"):
        tables["calls"]


def test_an_older_version_has_its_rows(calls: goldlake.Table, tmp_path: Path) -> None:
    old = calls.at(1)
    assert (old.id, old.rows, old.columns) == (f"{NAME}@1", 2, ["id", "name"])
    assert sorted(old.to_polars()["id"]) == [1, 2]
    assert old == goldlake.open(tmp_path).table(f"{NAME}@1") != calls
    assert len({old, calls, calls.at(4)}) == 2


def test_a_vacuumed_version_names_those_that_can_be_read(calls: goldlake.Table) -> None:
    (folder_of(calls) / "gone.parquet").unlink()
    with pytest.raises(goldlake.StoreError) as caught:
        calls.at(3)
    assert caught.value.message == (
        "toy.silver.calls@3 cannot be read any more: 1 of its 3 files are gone. "
        "Valid: toy.silver.calls@4 to toy.silver.calls@4. Next: goldlake tables"
    )
    assert calls.to_polars().height == 4


def test_files_that_go_while_a_table_is_open_are_named(calls: goldlake.Table) -> None:
    opened, lazy = calls.at(3), calls.at(3).scan()
    (folder_of(calls) / "gone.parquet").unlink()
    with pytest.raises(goldlake.StoreError, match="1 of its 3 files are gone"):
        opened.to_polars()
    assert "1 of its 3 files are gone" in opened._repr_html_()
    with pytest.raises(OSError, match=r"gone\.parquet"):
        lazy.collect()
    (folder_of(calls) / "old.parquet").write_bytes(b"damaged")
    with pytest.raises(goldlake.StoreError, match=r"A file of .*calls@4 cannot be read"):
        calls.to_polars(where="id = 1")


def test_an_open_table_stays_as_it_is_while_others_write(
    calls: goldlake.Table, tmp_path: Path
) -> None:
    lazy = calls.scan().select(pl.len())
    pl.DataFrame({"id": [7], "name": ["new"]}).write_parquet(folder_of(calls) / "7.parquet")
    commit(folder_of(calls), 5, add("7.parquet", 1), remove("old.parquet"))
    assert (calls.rows, calls.to_polars().height, lazy.collect().item()) == (4, 4, 4)
    newest = goldlake.open(tmp_path).tables[NAME]
    assert (newest.version, newest.rows) == (5, 3)
    assert sorted(newest.to_polars()["id"]) == [3, 4, 7]


def test_the_version_that_existed_at_an_instant(calls: goldlake.Table) -> None:
    at = datetime(1970, 1, 1, 0, 40, tzinfo=timezone.utc)
    assert sorted(calls.scan(as_of=at).collect()["id"]) == [1, 2]
    assert sorted(calls.scan(as_of="1970-01-01T00:40:00").collect()["id"]) == [1, 2]
    with pytest.raises(goldlake.UsageError, match="There was no table"):
        calls.scan(as_of="1970-01-01")
    with pytest.raises(goldlake.UsageError, match="--as-of 'soon' is not a valid instant"):
        calls.scan(as_of="soon")


def test_a_condition_reaches_the_files(home, tmp_path: Path) -> None:  # noqa: F811
    """Both what is read and which row groups: a table larger than the memory can be asked."""
    calls = goldlake.open(tmp_path).tables[NAME]
    plan = calls.scan().filter(pl.col("id") > 2).select("name").explain()
    assert "SELECTION" in plan
    assert "PROJECT 2/" in plan or "PROJECT 1/" in plan


def test_deletion_vectors_are_refused_as_by_show(calls: goldlake.Table, tmp_path: Path) -> None:
    commit(folder_of(calls), 5, {"protocol": {"readerFeatures": ["deletionVectors"]}})
    newest = goldlake.open(tmp_path).tables[NAME]
    for read in (newest.scan, newest.to_polars, newest.to_arrow, newest.to_pandas):
        with pytest.raises(goldlake.StoreError, match="uses deletionVectors, which only Spark"):
            read()
    assert "uses deletionVectors" in newest._repr_html_()


def test_html_escapes_what_data_holds(tmp_path: Path) -> None:
    hostile = '<script>alert("x")</script>'
    fields = [
        {"name": hostile, "type": "string", "nullable": True, "metadata": {"comment": hostile}}
    ]
    folder = tmp_path / "tables" / "toy" / "silver" / "calls"
    commit(folder, 0, meta(fields), metadata=json.dumps({"through": 3}))
    pl.DataFrame({hostile: [hostile, None]}).write_parquet(folder / "a.parquet")
    commit(folder, 1, add("a.parquet", 2))
    calls = goldlake.open(tmp_path).tables[NAME]
    for shown in (calls._repr_html_(), calls.schema._repr_html_()):
        assert "<script" not in shown
        assert "&lt;script&gt;" in shown
    assert "<td>null</td>" not in calls._repr_html_()  # the first column heads its rows
    assert '<th scope="row">null</th>' in calls._repr_html_()
    assert calls.metadata == {"through": 3}


def test_tables_of_a_home_as_html(calls: goldlake.Table, tmp_path: Path) -> None:
    tables = goldlake.open(tmp_path).tables
    assert repr(tables) == "Tables(toy.silver.calls)"
    assert tables._ipython_key_completions_() == [NAME]
    shown = tables._repr_html_()
    assert '<td class="n">@4</td>' in shown
    assert "1970-01-01 01:23" in shown
    assert date(1970, 1, 1) == calls.committed_at.date()


def test_a_use_case_has_its_tables_and_account(calls: goldlake.Table, tmp_path: Path) -> None:
    lake = goldlake.open(tmp_path)
    assert repr(lake.usecases) == "UseCases(toy)"
    toy = lake.usecases["toy"]
    assert repr(toy) == "UseCase('toy', 0 landed records)"
    assert (toy.fates.silver, list(toy.tables), toy.tables[NAME]) == (4, [NAME], calls)
    with pytest.raises(goldlake.UsageError, match=r"is a table of another use case\. Valid: toy\."):
        toy.tables["other.silver.calls"]
    with pytest.raises(goldlake.UsageError, match="There is no use case called 'toy'"):
        _ = toy.contract
    with pytest.raises(goldlake.UsageError, match=r"Valid: toy \(nearest\)"):
        lake.usecases["toi"]
    shown = lake._repr_html_()
    assert shown.count("<table") == 2  # use cases and tables; a home without models shows none
    assert lake.models._repr_html_() == f"<p>Models of {tmp_path}: nothing yet</p>"
    assert "Tables of toy" in toy._repr_html_()
    assert '<td class="n">4</td>' in toy._repr_html_()
