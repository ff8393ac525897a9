"""Faults of gold: it is what a rebuild would give, whatever the build function does."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from goldlake_core.contracts.errors import GoldlakeError
from goldlake_core.storage.deltalog import DeltaLog
from lakehouse import catalog
from tests.faults.catalog import table_fault
from tests.faults.dying import Killed, dies
from tests.faults.faults_contract import another_key
from tests.faults.lab import refused
from tests.faults.store import LATER, Store, call, refused_or_derived

_QUIET_S = 40 * 86_400
_HOUR = 'F.hour(local).cast("bigint").alias("hour")'


@table_fault("C23", "a build function is edited", "built again")
def code(store: Store) -> None:
    store.edit_code("tables.py", _HOUR, '(F.hour(local) + 1).cast("bigint").alias("hour")')
    store.refine()
    assert {row["hour"] for row in store.rows(store.gold("facts")).values()} == {13}
    store.derives()


@table_fault("C24", "a module beside the build function, which it names, is edited", "built again")
def helper(store: Store) -> None:
    store.edit_code("clock.py", "SHIFT_H = 0", "SHIFT_H = 1")
    store.land(call(50))
    store.refine()
    assert {row["hour"] for row in store.rows(store.gold("facts")).values()} == {13}
    store.derives()


@table_fault(
    "R4",
    "a module beside the build function, which it imports, is edited",
    "built again",
)
def imported(store: Store) -> None:
    text = store.usecase.folder / "tables.py"
    source = text.read_text(encoding="utf-8")
    begin, end = source.index("_spec ="), source.index("def facts")
    load = "import sys\nsys.path.insert(0, str(Path(__file__).parent))\nimport clock\n\n\n"
    store.edit_code("tables.py", source[begin:end], load)
    _forget_clock()
    try:
        store.refine()
        store.edit_code("clock.py", "SHIFT_H = 0", "SHIFT_H = 1")
        _forget_clock()
        store.land(call(50))
        store.refine()
        assert {row["hour"] for row in store.rows(store.gold("facts")).values()} == {13}
    finally:
        _forget_clock()


def _forget_clock() -> None:
    import importlib
    import sys

    sys.modules.pop("clock", None)
    importlib.invalidate_caches()


@table_fault("C25", "a gold column is added", "followed")
def column(store: Store) -> None:
    twice = {"type": "long", "comment": "Twice the people."}
    store.change(lambda document: document["gold"]["facts"]["columns"].update(twice=twice))
    store.edit_code("tables.py", _HOUR, f'{_HOUR}, (F.col("n") * 2).alias("twice")')
    store.refine()
    assert store.rows(store.gold("facts"))[6]["twice"] == 12
    store.derives()


@table_fault("C33", "the key of a gold table in another order than silver's", "refused, with both")
def key_order(store: Store) -> None:
    another_key(store)
    refused(
        lambda: store.edit_gold("facts", key=["kind", "id"]),
        GoldlakeError,
        "kind, id",
        "[id, kind]",
    )


@table_fault(
    "G1",
    "records are amended, moved to another cell, rejected and deleted",
    "as a rebuild",
)
def increments(store: Store) -> None:
    store.land(
        call(1, kind="A", updated_on=LATER),
        call(2, n="999", updated_on=LATER),
        b'{"$deleted": true, "id": "3"}',
        call(43, kind="A", updated_on=LATER),
    )
    store.refine()
    assert "OLD" not in store.rows(store.gold("kinds"), "kind")
    store.derives()


@table_fault("G2", "a build function no longer returns some keys", "they leave")
def fewer(store: Store) -> None:
    store.edit_code("tables.py", "return silver.select(", "return silver.where('n > 3').select(")
    store.refine()
    store.land(call(6, n="1", updated_on=LATER), call(7, n="6", updated_on=LATER))
    store.refine()
    rows = store.rows(store.gold("facts"))
    assert 6 not in rows
    assert rows[7]["n"] == 6
    store.derives()


@table_fault(
    "G5",
    "a build in mode `rows` looks at other rows: the mean per kind",
    "refused, or equal to a rebuild",
)
def window(store: Store) -> None:
    mean = "F.avg('n').over(Window.partitionBy('kind')).cast('bigint').alias('hour')"
    store.edit_code("tables.py", _HOUR, mean)
    first = "from pyspark.sql import DataFrame"
    store.edit_code("tables.py", first, f"{first}, Window")
    refused_or_derived(store, "facts")
    store.land(call(6, n="90", updated_on=LATER))
    refused_or_derived(store, "facts")


@table_fault(
    "G6",
    "a build function uses `rand` or `current_timestamp`",
    "refused, with the function's name",
)
def differs(store: Store) -> None:
    for value in ("F.rand()", "F.unix_timestamp(F.current_timestamp())"):
        other = f'{value}.cast("bigint").alias("hour")'
        store.edit_code("tables.py", _HOUR, other)
        refused(store.refine, GoldlakeError, "facts")
        store.edit_code("tables.py", other, _HOUR)


@table_fault("G7", "silver loses its last row", "gold is empty")
def emptied(store: Store) -> None:
    numbers = list(store.rows(store.silver))
    store.land(*(b'{"$deleted": true, "id": "%d"}' % number for number in numbers))
    store.refine()
    assert store.rows(store.gold("facts")) == {}
    store.derives()


@table_fault(
    "G8",
    "a gold table leaves the contract",
    "its rows are not told as if they were kept up",
)
def orphan(store: Store) -> None:
    store.change(lambda document: document["gold"].pop("kinds"))
    store.refine()
    ids = [entry.id for entry in catalog.tables("pier", store.home)]
    assert "pier.gold.kinds" not in ids or any("kinds" in line for line in store.said)


@table_fault("K1", "killed inside a rebuild of gold for a changed contract", "completed")
def killed(store: Store) -> None:
    store.edit_code("tables.py", _HOUR, '(F.hour(local) + 1).cast("bigint").alias("hour")')
    for when in ("before", "after"):
        with dies("overwrite", "gold/facts", when), pytest.raises(Killed):
            store.refine()
    store.refine()
    store.derives()


@table_fault(
    "R5",
    "gold was quiet for longer than Delta keeps a log by default, and Delta cleans it",
    "our entries stay: gold is not built again, and an export finds its rows",
)
def cleaned(store: Store) -> None:
    uri = store.gold("facts")
    store.spark.sql(f"ALTER TABLE delta.`{uri}` SET TBLPROPERTIES ('a' = 'b')")
    for entry in Path(uri, "_delta_log").iterdir():
        os.utime(entry, (time.time() - _QUIET_S,) * 2)
    log = store.spark._jvm.org.apache.spark.sql.delta.DeltaLog
    log.clearCache()
    log.forTable(store.spark._jsparkSession, uri).checkpoint()  # which cleans up, too
    before = DeltaLog(uri).latest()
    assert DeltaLog(uri).last_commit_with("silver_version") is not None
    store.refine()
    assert DeltaLog(uri).latest() == before
