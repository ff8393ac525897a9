"""Planted faults of rows: in every table one is lost, doubled, swapped or changed."""

from __future__ import annotations

from typing import Any

import pytest

from goldlake_core.contracts.errors import StoreError
from goldlake_core.storage.deltalog import DeltaLog
from lakehouse import delta, specs
from tests.faults.catalog import table_fault
from tests.faults.dying import Killed, dies
from tests.faults.lab import refused
from tests.faults.store import LATER, Store, call, refused_or_derived

_ONE = {
    "bronze": "sequence = 1 and line = 3",
    "versions": "_sequence = 1 and _line = 3",
    "silver": "id = 2",
    "facts": "id = 2",
    "kinds": "kind = 'A'",
}
_OTHER = {
    "bronze": "sequence = 1 and line = 4",
    "versions": "_sequence = 1 and _line = 4",
    "silver": "id = 3",
    "facts": "id = 3",
    "kinds": "kind = 'B'",
}
_VALUE = {
    "bronze": ("value", "replace(value, 'note', 'mote')"),
    "versions": ("note", "'planted'"),
    "silver": ("note", "'planted'"),
    "facts": ("hour", "hour + 1"),
    "kinds": ("calls", "calls + 1"),
}


def _table(store: Store, name: str) -> Any:
    from delta.tables import DeltaTable

    return DeltaTable.forPath(store.spark, store.tables()[name])


def _lose(store: Store, name: str) -> None:
    _table(store, name).delete(_ONE[name])


def _double(store: Store, name: str) -> None:
    uri = store.tables()[name]
    delta.append(delta.read(store.spark, uri).where(_ONE[name]), uri)


def _swap(store: Store, name: str) -> None:
    """Two rows exchange one value."""
    column = "n" if name == "facts" else _VALUE[name][0]
    uri = store.tables()[name]
    values = [
        delta.read(store.spark, uri).where(where[name]).collect()[0][column]
        for where in (_ONE, _OTHER)
    ]
    from pyspark.sql import functions as F

    for where, value in ((_ONE, values[1]), (_OTHER, values[0])):
        _table(store, name).update(where[name], {column: F.lit(value)})
    if values[0] == values[1]:
        raise AssertionError("the rows are alike")


def _change(store: Store, name: str) -> None:
    column, value = _VALUE[name]
    _table(store, name).update(_ONE[name], {column: value})


_PLANTED = {"lost": _lose, "doubled": _double, "swapped": _swap, "changed": _change}
# In aggregates a row is named by its key, elsewhere by page and line.
_PLACE = {"bronze": ":3", "versions": ":3", "silver": ":3", "facts": "2", "kinds": "A"}
_SHORT = {("silver", "swapped"), ("versions", "changed"), ("bronze", "doubled")}


def _plant(number: int, name: str, what: str) -> None:
    made = {"swapped": "two rows exchange a value", "changed": "a value is changed"}.get(
        what, f"a row is {what}"
    )

    @table_fault(
        f"D{number}",
        f"{name}: {made}",
        "the deep account names it",
        short=(name, what) in _SHORT,
    )
    def run(store: Store) -> None:
        _PLANTED[what](store, name)
        is_by_page = name == "bronze" and what in ("swapped", "changed")
        refused(store.deep, StoreError, "00000001-" if is_by_page else _PLACE[name])


_number = 10
for _name in _ONE:
    for _what in _PLANTED:
        _number += 1
        _plant(_number, _name, _what)


@table_fault("D0", "nothing", "the account balances, and says what became of each record")
def untouched(store: Store) -> None:
    store.deep()
    totals = store.refine().totals
    assert (totals.landed, totals.silver) == (40, 33)
    assert (totals.inserted, totals.amended, totals.stale) == (33, 1, 1)
    assert (totals.unchanged, totals.quarantined, totals.deleted) == (1, 4, 0)


@table_fault("D1", "a value of silver is changed", "found by its content against the versions")
def silver_value(store: Store) -> None:
    _change(store, "silver")
    refused(store.deep, StoreError, "has other values than its record")


@table_fault("D3", "bronze: every kind is changed, page and line are kept", "found")
def bronze_values(store: Store) -> None:
    _table(store, "bronze").update(
        "true", {"value": 'replace(value, \'"kind": "A"\', \'"kind": "B"\')'}
    )
    refused(store.deep, StoreError, "another text in")


@table_fault("D4", "quarantine: one record is lost, another is there twice", "both are named")
def quarantine(store: Store) -> None:
    uri = store.versions
    again = "_kind = 'quarantined' and _sequence = 1 and _line = 32"
    delta.append(delta.read(store.spark, uri).where(again), uri)
    _table(store, "versions").delete("_kind = 'quarantined' and _sequence = 1 and _line = 31")
    refused(store.deep, StoreError, "missing: ", ":31", "more than once: ", ":32")


@table_fault("D5", "the fate of a record is changed in the versions", "found")
def fate(store: Store) -> None:
    _table(store, "versions").update("_fate = 'unchanged'", {"_fate": "'stale'"})
    refused(store.deep, StoreError, "fates", "unchanged")


@table_fault("D8", "silver loses a row, and the next run comes", "refused with the numbers")
def silver_row(store: Store) -> None:
    _lose(store, "silver")
    refused(store.refine, StoreError, "has 32 rows and 33 records were inserted")


@table_fault(
    "D6",
    "gold loses a row and gets wrong values, and the next run comes",
    "found or mended: gold is what a rebuild gives",
)
def gold_row(store: Store) -> None:
    _lose(store, "facts")
    _table(store, "facts").update("id = 5", {"hour": "1"})
    store.land(call(6, updated_on=LATER))
    refused_or_derived(store, "facts")


@table_fault("D9", "bronze holds a batch that is not the landed one", "nothing of it is written")
def before_the_write(store: Store) -> None:
    page = store.land(call(50), call(51))
    with dies("append", "silver/calls_versions", "before"), pytest.raises(Killed):
        store.refine()
    where = f"file = '{page.name}' and line = 2"
    _table(store, "bronze").update(where, {"value": "replace(value, 'note', 'mote')"})
    before = DeltaLog(specs.versions(store.usecase, store.home, 1).uri).latest()
    refused(store.refine, StoreError, page.name, "nothing was written")
    assert DeltaLog(specs.versions(store.usecase, store.home, 1).uri).latest() == before
