"""Gold follows silver's change feed and ends as if it had been built from scratch."""

from __future__ import annotations

import random
from collections import Counter
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace

from goldlake_core.contracts.errors import PermanentError
from goldlake_core.contracts.hashing import section_hash
from goldlake_core.contracts.registry import resolve
from goldlake_core.contracts.sections import UseCase
from goldlake_core.storage.deltalog import DeltaLog
from goldlake_core.storage.home import Home
from lakehouse import changefeed, computed, delta, specs, stages
from lakehouse.gold import build
from lakehouse.gold import tables as gold
from lakehouse.gold.basis import SILVER_VERSION, Basis, basis_of
from tests.lakehouse.records import crime, land, silent

pytestmark = pytest.mark.spark

Cell = tuple[int, str, date]
Incident = tuple[int, datetime, int | None, str, bool]
COLUMNS = "id bigint, date timestamp, community_area bigint, primary_type string, arrest boolean"
VALUES = ["incidents", "arrests", "arrest_rate", "incidents_7d", "incidents_28d"]
CHICAGO = ZoneInfo("America/Chicago")


def counted(incidents: list[Incident], *, is_dense: bool = False) -> dict[Cell, tuple[Any, ...]]:
    """area_day in plain Python, straight from its description; dense: as `calendar` gives it."""
    number, arrests = Counter[Cell](), Counter[Cell]()
    for _, time, area, kind, arrest in incidents:
        if area is not None:
            day = time.astimezone(CHICAGO).date()
            number[area, kind, day] += 1
            arrests[area, kind, day] += arrest
    if not number:
        return {}
    first, last = min(day for *_, day in number), max(day for *_, day in number)
    cells = {}
    for area, kind in {(a, k) for a, k, _ in number}:
        for day in (first + timedelta(n) for n in range((last - first).days + 1)):
            here, of_them = number[area, kind, day], arrests[area, kind, day]
            sums = (
                sum(number[area, kind, day - timedelta(n)] for n in range(width))
                for width in (7, 28)
            )
            if here or is_dense:
                rate = of_them / here if here else None
                cells[area, kind, day] = (here, of_them, rate, *sums)
    return cells


def _as_cells(rows: list[Any]) -> dict[Cell, tuple[Any, ...]]:
    return {
        (r["community_area"], r["primary_type"], r["day"]): tuple(r[v] for v in VALUES)
        for r in rows
    }


def _random_incident(rng: random.Random, key: int, days: tuple[int, int]) -> Incident:
    noon = datetime(2016, 3, 1, 12, tzinfo=timezone.utc)
    time = noon + timedelta(days=rng.randint(*days), hours=rng.randint(-12, 11))
    area = rng.choice([None, 1, 2])
    return key, time, area, rng.choice(["THEFT", "ARSON"]), rng.random() < 0.4


@pytest.mark.parametrize("seed", [1, 2])
def test_area_day_maintained_is_area_day_rebuilt(spark: Any, usecase: UseCase, seed: int):
    area_day = resolve(usecase, "tables.area_day", "gold.area_day.build")
    rng = random.Random(seed)
    table: dict[int, Incident] = {}
    held: dict[Cell, tuple[Any, ...]] = {}
    # New rows inside, behind and before the calendar; then amendments and deletions of everything.
    for days, new in (((20, 40), 6), ((20, 40), 2), ((41, 70), 2), ((0, 5), 1), ((30, 31), 0)):
        before = dict(table)
        for key in rng.sample(sorted(table), len(table) // 3):
            if rng.random() < 0.5:
                del table[key]
            else:
                table[key] = _random_incident(rng, key, (20, 40))
        for _ in range(new):
            key = max([*before, *table, 0]) + 1
            table[key] = _random_incident(rng, key, days)
        images = [(*before[k], "old") for k in before if before[k] != table.get(k)]
        images += [(*table[k], "new") for k in table if before.get(k) != table[k]]
        silver = spark.createDataFrame(list(table.values()), COLUMNS)
        changes = spark.createDataFrame(images, f"{COLUMNS}, _change_type string")
        gold_rows = spark.createDataFrame(
            [(*cell, *values) for cell, values in held.items()],
            "community_area bigint, primary_type string, day date, incidents bigint, "
            "arrests bigint, arrest_rate double, incidents_7d bigint, incidents_28d bigint",
        )
        built = area_day(silver, changes, gold_rows).collect()
        gone = set(_as_cells([r for r in built if r["_deleted"]]))
        held = {cell: v for cell, v in held.items() if cell not in gone}
        held |= _as_cells([r for r in built if not r["_deleted"]])
        assert held == counted(list(table.values()))
    whole = area_day(silver, None, None)
    assert _as_cells(whole.collect()) == held
    filled = resolve(usecase, "tables.calendar", "gold.area_day.build")(whole)
    assert _as_cells(filled.collect()) == counted(list(table.values()), is_dense=True)


def test_local_clock_of_the_features(spark: Any, usecase: UseCase):
    table = usecase.gold["arrest_features"]
    utc = [
        datetime(2016, 1, 4, 5, 59, tzinfo=timezone.utc),  # Sunday evening in Chicago
        datetime(2016, 1, 4, 6, 0, tzinfo=timezone.utc),  # Monday, midnight
        datetime(2016, 7, 1, 4, 59, tzinfo=timezone.utc),  # still June: summer time
        datetime(2016, 11, 6, 6, 30, tzinfo=timezone.utc),  # 1:30 the first time
        datetime(2016, 11, 6, 7, 30, tzinfo=timezone.utc),  # 1:30 the second time
    ]
    rows = [(number, f"JG10000{number}", t) for number, t in enumerate(utc)]
    frame = spark.createDataFrame(rows, "id bigint, case_number string, date timestamp")
    made = computed.with_computed(frame, table).orderBy("date").collect()
    found = [(r["hour"], r["weekday"], r["month"]) for r in made]
    assert found == [(23, 7, 1), (0, 1, 1), (23, 4, 6), (1, 7, 11), (1, 7, 11)]


def _gold(spark: Any, usecase: UseCase, home: Home, name: str) -> Any:
    return delta.read(spark, specs.gold(usecase, home, usecase.gold[name]).uri)


def test_gold_follows_amendments_and_stores_what_it_stands_for(
    spark: Any, usecase: UseCase, home: Home, monkeypatch: pytest.MonkeyPatch
):
    land(home, usecase, "one", [crime(1), crime(2), crime(3, date="2016-01-07T23:00:00.000")])
    stages.refine(spark, usecase, home, "first", silent)
    features = DeltaLog(specs.gold(usecase, home, usecase.gold["arrest_features"]).uri)
    commit = features.last_commit_with(SILVER_VERSION)
    assert commit is not None
    assert basis_of(commit) == Basis(
        1,
        DeltaLog(specs.silver(usecase, home, 1).uri).snapshot().uuid,
        "2016-03-01T21:50:01.000000Z",
        "2016-01-08T06:00:00.000000Z",
        "first",
        epoch=1,
        through=1,
        silver_contract=section_hash(usecase.silver),
        gold_contract=specs.gold_hash(usecase, usecase.gold["arrest_features"]),
    )
    late = "2016-09-01T00:00:00.000"
    amended = crime(1, arrest=True, updated_on=late)
    moved = crime(2, community_area="8", date="2016-01-01T00:30:00.000", updated_on=late)
    land(home, usecase, "two", [amended, moved, crime(4, community_area=None)])
    # The same must come out when the process dies in the first gold commit.
    with monkeypatch.context() as patch:
        patch.setattr(delta, "merge", _failing(delta.merge, "gold"))
        with pytest.raises(InterruptedError):
            stages.refine(spark, usecase, home, "died", silent)
    result = stages.refine(spark, usecase, home, "second", silent)
    assert result.new_records == 0
    rows = _gold(spark, usecase, home, "arrest_features").orderBy("id").collect()
    assert [(r["id"], r["arrest"], r["community_area"], r["month"]) for r in rows] == [
        (1, True, 29, 1),
        (2, False, 8, 1),
        (3, False, 29, 1),
        (4, False, None, 1),
    ]
    commit = features.last_commit_with(SILVER_VERSION)
    assert commit is not None
    assert commit.metadata["as_of"] == "2016-09-01T05:00:00.000000Z"
    cells = _gold(spark, usecase, home, "area_day")
    build = resolve(usecase, "tables.area_day", "gold.area_day.build")
    silver = delta.read(spark, specs.silver(usecase, home, 1).uri)
    assert _as_cells(cells.collect()) == _as_cells(build(silver, None, None).collect())
    assert cells.count() == 3  # of four incidents, one has no area


def _failing(write: Any, layer: str) -> Any:
    def failing(rows: Any, uri: str, *args: Any, **kwargs: Any) -> None:
        if f"/{layer}/" in uri:
            raise InterruptedError(uri)
        write(rows, uri, *args, **kwargs)

    return failing


def test_a_changed_table_is_rebuilt_and_a_comment_does_not_count(
    spark: Any, usecase: UseCase, home: Home, monkeypatch: pytest.MonkeyPatch
):
    land(home, usecase, "one", [crime(1)])
    stages.refine(spark, usecase, home, "first", silent)
    table = usecase.gold["arrest_features"]
    log = DeltaLog(specs.gold(usecase, home, table).uri)
    commented = tuple(replace(c, comment=f"{c.comment} Edited.") for c in table.columns)
    other = replace(usecase, gold={"arrest_features": replace(table, columns=commented)})
    gold.refine(spark, other, home, 1, "commented", silent)
    commit = log.last_commit_with(SILVER_VERSION)
    assert commit is not None
    assert commit.metadata["run_id"] == "first"
    assert log.snapshot().schema[0].comment.endswith("Edited.")
    narrow = tuple(c for c in table.columns if c.name != "beat")
    other = replace(usecase, gold={"arrest_features": replace(table, columns=narrow)})
    uuid = log.snapshot().uuid
    gold.refine(spark, other, home, 1, "narrow", silent)
    commit = log.last_commit_with(SILVER_VERSION)
    assert commit is not None
    assert commit.metadata["run_id"] == "narrow"
    assert "beat" not in [f.name for f in log.snapshot().schema]
    assert log.snapshot().uuid == uuid
    assert delta.read(spark, log.uri).count() == 1
    monkeypatch.setattr(build, "resolve", lambda *_: lambda silver, *_more: silver.drop("iucr"))
    alone = replace(table, build="tables.calendar", per=(), order=(), windows={}, reach=())
    other = replace(usecase, gold={"arrest_features": alone})
    with pytest.raises(PermanentError, match=r"lacks iucr, hour, minute, weekday, month"):
        gold.refine(spark, other, home, 1, "run", silent)


def test_the_feed_has_the_net_changes_of_the_files_that_differ(
    spark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(delta, "SMALL_TABLE_ROWS", 0)
    uri = str(tmp_path / "table")
    spec = specs.TableSpec(
        "t",
        uri,
        "A table.",
        (specs.Field("id", "bigint", "Key.", False), specs.Field("v", "string", "V.")),
    )
    delta.create(spark, spec)

    def rows(*pairs: tuple[int, str | None, bool]) -> Any:
        return spark.createDataFrame(list(pairs), f"id bigint, v string, {delta.DELETED} boolean")

    delta.append(rows((1, "a", False), (2, "b", False), (3, None, False)).drop(delta.DELETED), uri)
    delta.append(rows((4, "d", False)).drop(delta.DELETED), uri)
    delta.merge(rows((1, "x", False), (2, "b", True), (5, "e", False)), uri, ["id"])
    delta.merge(rows((1, "y", False), (3, None, False), (5, "e", True)), uri, ["id"])

    def feed(first: int, last: int, touched: Any = None) -> list[tuple[Any, ...]]:
        found = changefeed.between(spark, uri, first, last, ["id"], ["id", "v"], touched)
        return sorted((r["id"], r["v"], r["_change_type"]) for r in found.collect())

    assert feed(3, 4) == [
        (1, "a", "update_preimage"),
        (1, "y", "update_postimage"),
        (2, "b", "delete"),
    ]
    assert feed(4, 4) == [
        (1, "x", "update_preimage"),
        (1, "y", "update_postimage"),
        (5, "e", "delete"),
    ]
    assert feed(1, 1) == [(1, "a", "insert"), (2, "b", "insert"), (3, None, "insert")]
    only = spark.createDataFrame([(2,)], "id bigint")
    assert feed(3, 4, only) == [(2, "b", "delete")]
    assert changefeed.can_follow(uri, 3, 4)
    untouched = {file.path for file in DeltaLog(uri).snapshot(2).files}
    before, after = (DeltaLog(uri).snapshot(version).files for version in (2, 4))
    assert len([file for file in after if file.path in untouched]) == 1, "only what holds a key"
    gone = next(file for file in before if file.path not in {f.path for f in after})
    (Path(uri) / gone.path).unlink()
    assert not changefeed.can_follow(uri, 3, 4)
