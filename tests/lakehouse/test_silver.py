"""One fate per record, exactly once, wherever the process dies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from goldlake_core.contracts.sections import UseCase
from goldlake_core.documents.lakehouse import Fates
from goldlake_core.storage.home import Home
from lakehouse import audit, commits, delta, epochs, specs, stages
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
    "stale",  # older than the record before it
    "inserted",
    "unchanged",  # the same as the record before it
    "stale",  # an older record, twice: silver's row is still newer
    "quarantined",
]


def refine(spark: Any, usecase: UseCase, home: Home, run: str = "run") -> Fates:
    """Without gold, which has tests of its own."""
    return stages.refine(spark, replace(usecase, gold={}), home, run, silent).fates


def versions_of(spark: Any, usecase: UseCase, home: Home, page: str) -> list[Any]:
    uri = specs.versions(usecase, home, 1).uri
    rows = delta.read(spark, uri).where(f"_file = '{page}'")
    return list(rows.orderBy("_line").collect())


def silver_rows(spark: Any, usecase: UseCase, home: Home, base: int) -> dict[int, tuple[Any, ...]]:
    rows = delta.read(spark, specs.silver(usecase, home, 1).uri)
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
    6: (False, BLOCK, "03", 9),
}


def check_account(
    spark: Any, usecase: UseCase, home: Home, base: int, page: str, first_line: int
) -> None:
    versions = versions_of(spark, usecase, home, page)
    assert [row["_fate"] for row in versions] == FATES
    expected = {
        key: (*row[:3], row[3] or first_line + STORED.index(key)) for key, row in SILVER.items()
    }
    assert silver_rows(spark, usecase, home, base) == expected
    found = [(r["_line"], r["_reasons"]) for r in versions if r["_kind"] == "quarantined"]
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
    ("append", "silver/crimes_versions", "after"),
    ("merge", "silver/crimes", "before"),
    ("merge", "silver/crimes", "after"),
]


def test_every_fate_and_the_same_ones_after_any_death(
    spark: Any, usecase: UseCase, home: Home, monkeypatch: pytest.MonkeyPatch
):
    bases = [1000 + 10 * n for n in range(len(DEATHS) + 1)]
    land(home, usecase, "stored", [row for base in bases for row in stored(base)])
    assert refine(spark, usecase, home).inserted == len(bases) * len(STORED)
    for number, base in enumerate(bases):
        page = land(home, usecase, f"mixed{base}", mixed(base))
        if number < len(DEATHS):
            with monkeypatch.context() as patch:
                _die_in(patch, *DEATHS[number])
                with pytest.raises(Killed):
                    refine(spark, usecase, home, "died")
        is_decided = number < len(DEATHS) and DEATHS[number][1:] in (
            ("silver/crimes_versions", "after"),
            ("silver/crimes", "before"),
            ("silver/crimes", "after"),
        )
        assert refine(spark, usecase, home).landed == (0 if is_decided else len(FATES))
        check_account(spark, usecase, home, base, page, 1 + number * len(STORED))
    totals = audit.check(spark, usecase, home, 1, silent)
    audit.deep(spark, replace(usecase, gold={}), home, 1, silent)
    per_page = {fate: FATES.count(fate) for fate in specs.FATES}
    pages, before = len(bases), len(bases) * len(STORED)
    assert msgspec.structs.asdict(totals) == {
        "landed": before + pages * len(FATES),
        **{fate: count * pages for fate, count in per_page.items()},
        "inserted": before + per_page["inserted"] * pages,
        "silver": before + per_page["inserted"] * pages,
    }
    assert refine(spark, usecase, home) == commits.NO_RECORDS


def test_a_bad_row_is_refused_by_the_table_itself(spark: Any, usecase: UseCase, home: Home):
    land(home, usecase, "one", [crime(1)])
    refine(spark, usecase, home)
    spec = specs.silver(usecase, home, 1)
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
    from goldlake_core.storage.deltalog import DeltaLog

    spec = specs.silver(usecase, home, 1)
    delta.create(spark, spec)
    schema = {f.name: f for f in DeltaLog(spec.uri).snapshot().schema}
    assert schema["ward"].comment == "City Council district."
    assert (schema["x_coordinate"].comment or "").endswith("Unit: foot.")
    assert [n for n, f in schema.items() if not f.nullable][:3] == ["id", "date", "iucr"]


def _silver_at(spark: Any, usecase: UseCase, home: Home) -> list[Any]:
    epoch = epochs.current(home, usecase.name)
    rows = delta.read(spark, specs.silver(usecase, home, epoch).uri)
    return list(rows.orderBy("id").collect())


VERSION_1, VERSION_2 = (f"2016-0{month}-01T00:00:00.000" for month in (3, 5))
DELETED = b'{"$deleted": true, "id": "1"}'
RECORDS: list[dict[str, Any] | bytes] = [
    crime(1, updated_on=VERSION_1),
    crime(1, updated_on=VERSION_2, arrest=True),
    crime(1, updated_on=VERSION_1, block="LATE"),
    crime(1, updated_on=VERSION_2, block="TIE"),
    crime(1, updated_on=VERSION_2, block="TIE"),
    crime(1, updated_on=NEW, ward="51"),
    crime(1, updated_on="2099-01-01T00:00:00.000"),
    DELETED,
    DELETED,
    crime(1, updated_on=VERSION_1),
    crime(1, updated_on=VERSION_2, block="BACK"),
    b'{"$deleted": true, "id": "2"}',
    crime(2, block=["a", {"b": 1}]),
    crime(2, block="[a]", **{":updated_at": "2016-03-02T00:00:00.000Z"}),
    crime(2, block="[b]", **{":updated_at": "2016-03-01T00:00:00.000Z"}),
]
DECIDED = [
    ("inserted", None),
    ("amended", None),
    ("stale", None),
    ("amended", None),
    ("unchanged", None),
    ("quarantined", ["ward.range"]),
    ("quarantined", ["updated_on.future"]),
    ("deleted", None),
    ("unchanged", None),
    ("stale", None),
    ("inserted", None),
    ("stale", None),
    ("quarantined", ["block.unparsable"]),
    ("inserted", None),
    ("stale", None),
]


@pytest.mark.parametrize("cuts", [(), (1, 9)])
def test_fates_do_not_depend_on_where_batches_are_cut(
    spark: Any, usecase: UseCase, home: Home, cuts: tuple[int, ...]
):
    ends = [*cuts, len(RECORDS)]
    for start, end in zip([0, *cuts], ends, strict=True):
        land(home, usecase, f"p{start:02d}", RECORDS[start:end])
        refine(spark, usecase, home)
    rows = delta.read(spark, specs.versions(usecase, home, 1).uri)
    found = rows.orderBy("_sequence", "_line").select("_fate", "_reasons").collect()
    assert [(row[0], row[1] or None) for row in found] == DECIDED
    final = _silver_at(spark, usecase, home)
    assert [(r["id"], r["block"], r["_newest_is_quarantined"]) for r in final] == [
        (1, "BACK", True),
        (2, "[a]", False),
    ]
    audit.deep(spark, replace(usecase, gold={}), home, 1, silent)
