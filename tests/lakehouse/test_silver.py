"""One fate per record, exactly once, wherever the process dies."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from goldlake_core.contracts.errors import StoreError
from goldlake_core.contracts.sections import Column, UseCase
from goldlake_core.storage.home import Home
from lakehouse import audit, bronze, delta, silver, specs
from tests.lakehouse.records import crime, land, silent

pytestmark = pytest.mark.spark

OLD, NOW, NEW = (f"2016-0{month}-01T00:00:00.000" for month in (3, 5, 7))
STORED = (1, 2, 3, 4)


def stored(base: int) -> list[dict[str, Any]]:
    """Rows that silver has before the page of `mixed` comes."""
    return [crime(base + key, updated_on=NOW) for key in STORED]


def mixed(base: int) -> list[dict[str, Any] | bytes]:
    """A page with a record of every fate; see FATES."""
    return [
        crime(base),
        crime(base + 1, updated_on=NEW, arrest=True),
        crime(base + 2, updated_on=NOW),
        crime(base + 3, updated_on=OLD),
        crime(base + 4, updated_on=NOW, arrest=True),
        b"{ not json",
        crime(base + 5, updated_on=NEW, block="B"),
        crime(base + 5, updated_on=OLD, block="A"),
        crime(base + 6),
        crime(base + 6),
        crime(base + 3, updated_on=OLD),
        crime(base + 7, ward="51"),
    ]


FATES = [
    "inserted",
    "amended",
    "unchanged",
    "stale",  # older than silver's row
    "amended",  # the same version with other content: what came last counts
    "quarantined",
    "inserted",
    "stale",  # older than the winner of its page
    "unchanged",  # the same as the winner of its page
    "inserted",
    "stale",  # an older record, twice: silver's row is still newer
    "quarantined",
]


def refine(spark: Any, usecase: UseCase, home: Home, run: str = "run") -> list[int]:
    bronze.ingest(spark, usecase, home, silent)
    return silver.refine(spark, usecase, home, run, silent)


def fates_of(spark: Any, usecase: UseCase, home: Home, page: str) -> list[str]:
    rows = delta.read(spark, specs.fates(usecase, home).uri).where(f"file = '{page}'")
    return [row["fate"] for row in rows.orderBy("line").collect()]


def silver_rows(spark: Any, usecase: UseCase, home: Home, base: int) -> dict[int, tuple[Any, ...]]:
    rows = delta.read(spark, specs.silver(usecase, home).uri)
    rows = rows.where(f"id >= {base} and id < {base + 10}")
    return {
        row["id"] - base: (row["arrest"], row["block"], str(row["updated_on"])[5:7], row["_line"])
        for row in rows.collect()
    }


BLOCK = "014XX S AVERS AVE"
SILVER = {
    0: (False, BLOCK, "03", 1),
    1: (True, BLOCK, "07", 2),
    2: (False, BLOCK, "05", None),
    3: (False, BLOCK, "05", None),
    4: (True, BLOCK, "05", 5),
    5: (False, "B", "07", 7),
    6: (False, BLOCK, "03", 10),
}


def check_account(
    spark: Any, usecase: UseCase, home: Home, base: int, page: str, first_line: int
) -> None:
    assert fates_of(spark, usecase, home, page) == FATES
    expected = {
        key: (*row[:3], row[3] or first_line + STORED.index(key)) for key, row in SILVER.items()
    }
    assert silver_rows(spark, usecase, home, base) == expected
    rejected = delta.read(spark, specs.quarantine(usecase, home).uri).where(f"file = '{page}'")
    found = [(r["line"], r["reasons"]) for r in rejected.orderBy("line").collect()]
    assert found == [(6, ["json.invalid"]), (12, ["ward.range"])]


class Killed(Exception):
    """Stands for the process dying."""


def _die_in(monkeypatch: pytest.MonkeyPatch, name: str, table: str, when: str) -> None:
    write: Callable[..., None] = getattr(delta, name)

    def dying(rows: Any, uri: str, *args: Any, **kwargs: Any) -> None:
        if not uri.endswith(table):
            return write(rows, uri, *args, **kwargs)
        if when == "after":
            write(rows, uri, *args, **kwargs)
        raise Killed(f"{when} {table}")

    monkeypatch.setattr(delta, name, dying)


DEATHS = [
    ("append", "bronze/crimes", "after"),
    ("append", "audit/fates", "before"),
    ("append", "audit/fates", "after"),
    ("append", "audit/quarantine", "after"),
    ("merge", "silver/crimes", "before"),
    ("merge", "silver/crimes", "after"),
]


def test_every_fate_and_the_same_ones_after_any_death(
    spark: Any, usecase: UseCase, home: Home, monkeypatch: pytest.MonkeyPatch
):
    bases = [1000 + 10 * n for n in range(len(DEATHS) + 1)]
    land(home, usecase, "stored", [row for base in bases for row in stored(base)])
    assert refine(spark, usecase, home) == [0]
    for number, base in enumerate(bases):
        page = land(home, usecase, f"mixed{base}", mixed(base))
        if number < len(DEATHS):
            with monkeypatch.context() as patch:
                _die_in(patch, *DEATHS[number])
                with pytest.raises(Killed):
                    refine(spark, usecase, home, "died")
        if number in (0, len(DEATHS)):
            bronze.ingest(spark, usecase, home, silent)
        assert silver.refine(spark, usecase, home, "run", silent) == [number + 1]
        check_account(spark, usecase, home, base, page, 1 + number * len(STORED))
    totals = audit.check(spark, usecase, home, silent)
    per_page = {fate: FATES.count(fate) for fate in audit.FATES}
    pages, before = len(bases), len(bases) * len(STORED)
    assert totals == {
        "landed": before + pages * len(FATES),
        **{fate: count * pages for fate, count in per_page.items()},
        "inserted": before + per_page["inserted"] * pages,
        "silver": before + per_page["inserted"] * pages,
    }
    assert refine(spark, usecase, home) == []


def test_a_bad_row_is_refused_by_the_table_itself(spark: Any, usecase: UseCase, home: Home):
    land(home, usecase, "one", [crime(1)])
    refine(spark, usecase, home)
    spec = specs.silver(usecase, home)
    good = delta.read(spark, spec.uri)
    for change, constraint in (
        ("78L", "community_area_range"),
        ("null", "primary_type"),
    ):
        column = "community_area" if "range" in constraint else "primary_type"
        kind = "bigint" if "range" in constraint else "string"
        bad = good.selectExpr(
            *(f"cast({change} as {kind}) as {n}" if n == column else n for n in spec.names)
        )
        with pytest.raises(Exception, match=constraint):
            delta.append(bad, spec.uri)
    assert delta.read(spark, spec.uri).count() == 1


def test_the_table_is_its_own_catalogue(spark: Any, usecase: UseCase, home: Home):
    from lakehouse.deltalog import DeltaLog

    spec = specs.silver(usecase, home)
    delta.create(spark, spec)
    schema = {f.name: f for f in DeltaLog(spec.uri).snapshot().schema}
    assert schema["ward"].comment == "City Council district."
    assert (schema["x_coordinate"].comment or "").endswith("Unit: foot.")
    assert [n for n, f in schema.items() if not f.nullable][:3] == ["id", "date", "iucr"]


def test_a_new_nullable_column_is_followed_and_a_new_type_refused(
    spark: Any, usecase: UseCase, home: Home
):
    land(home, usecase, "one", [crime(1)])
    refine(spark, usecase, home)
    added = Column("zone", "string", "A zone.", field="zone", domain=("N", "S"))
    columns = (*usecase.silver.columns, added)
    wider = _with_columns(usecase, columns, "wider")
    land(home, usecase, "two", [crime(1), crime(2, zone="N"), crime(3, zone="W")])
    refine(spark, wider, home)
    rows = delta.read(spark, specs.silver(wider, home).uri).orderBy("id").collect()
    assert [(r["id"], r["zone"]) for r in rows] == [(1, None), (2, "N")]
    retyped = tuple(
        replace(c, type="string", range=None) if c.name == "ward" else c for c in columns
    )
    with pytest.raises(StoreError, match=r"column ward was long and is string.*another --home"):
        refine(spark, _with_columns(usecase, retyped, "retyped"), home)
    narrow = tuple(replace(c, domain=("S",)) if c.name == "zone" else c for c in columns)
    with pytest.raises(StoreError, match="stored rows break it"):
        refine(spark, _with_columns(usecase, narrow, "narrow"), home)


def _with_columns(usecase: UseCase, columns: tuple[Column, ...], name: str) -> UseCase:
    return replace(
        usecase,
        silver=replace(usecase.silver, columns=columns),
        hashes={**usecase.hashes, "silver": name},
    )


def test_a_page_as_old_as_the_archive_is_still_read(spark: Any, usecase: UseCase, home: Home):
    land(home, usecase, "new", [crime(1)])
    bronze.ingest(spark, usecase, home, silent)
    page = land(home, usecase, "old", [crime(2)])
    os.utime(Path(specs.landing(usecase, home).page_uri(page)), (0, 0))
    bronze.ingest(spark, usecase, home, silent)
    assert delta.read(spark, specs.bronze(usecase, home).uri).count() == 2
