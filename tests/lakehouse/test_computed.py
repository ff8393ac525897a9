"""Gold columns that the contract computes: windows over a unit, and files that are joined."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from goldlake.workflows.planning import outlook
from goldlake_core.contracts.errors import PermanentError
from goldlake_core.contracts.loader import load_contract
from goldlake_core.contracts.sections import UseCase
from goldlake_core.storage.home import Home
from lakehouse import audit, delta, specs, stages
from lakehouse.gold import tables as gold
from lakehouse.gold.changed import Changed
from lakehouse.sources.land import land
from tests.lakehouse.records import silent

pytestmark = pytest.mark.spark

CONTRACT = """\
name: engines
source: {kind: files, path: "data/*.csv"}
silver:
  key: [unit, cycle]
  columns:
    unit: {type: long, nullable: false}
    cycle: {type: long, nullable: false}
    site: string
    heat: double
gold:
  cycles:
    per: [unit]
    order: [site]
    windows: {last3: 3, life: all}
    lookups:
      sites:
        path: sites.csv
        key: [site]
        columns:
          site: string
          hall: {type: string, field: name}
          opened: {type: timestamp, format: yyyy-MM-dd, time_zone: Europe/Berlin}
    columns:
      heat_mean: {type: double, expr: avg(heat) over last3}
      heat_before: {type: double, expr: "lag(heat, 1) over last3"}
      rise: {type: double, expr: heat - heat_before}
      left: {type: long, expr: "least(max(cycle) over life - cycle, 4)"}
      place: {type: string, expr: "concat(hall, ' over life')"}
"""
SITES = "site,name,opened\na,North,2020-01-01\nb,South,2021-07-03\n"
CRIMES = """\
name: engines
source: {kind: files, path: "data/*.csv"}
silver:
  key: [id]
  event_time: at
  columns:
    id: {type: long, nullable: false}
    at: {type: timestamp, format: epoch_s, nullable: false}
    town: string
gold:
  events:
    lookups:
      weather:
        path: weather.csv
        key: [town]
        at: measured
        of: at
        within: 3h
        columns:
          town: string
          measured: {type: timestamp, format: epoch_s}
          warm: double
          wind: long
    columns:
      is_warm: {type: boolean, expr: warm > 20}
"""
RECENT = """\
name: engines
source: {kind: files, path: "data/*.csv"}
silver:
  key: [id]
  event_time: at
  columns:
    id: {type: long, nullable: false}
    at: {type: timestamp, format: epoch_s, nullable: false}
    town: string
    loss: double
gold:
  towns:
    per: [town]
    order: [at]
    windows: {month: 28d, week: 7d}
    columns:
      before: {type: long, expr: count(*) over month}
      lost: {type: double, expr: sum(loss) over week}
  all_towns:
    order: [at]
    windows: {week: 7d}
    columns:
      before: {type: long, expr: count(*) over week}
      share: {type: double, expr: loss / sum(loss) over week}
"""
NUMBERED = """\
name: engines
source: {kind: files, path: "data/*.csv"}
silver:
  key: [id]
  event_time: at
  columns:
    id: {type: long, nullable: false}
    at: {type: timestamp, format: epoch_s, nullable: false}
    number: string
    is_closed: boolean
gold:
  reports:
    per: [block]
    order: [number]
    windows: {last3: 3}
    columns:
      block: {type: string, expr: "substring(number, 1, 2)"}
      delay: {type: long, expr: unix_seconds(max(at) over last3) - unix_seconds(at)}
      is_late: {type: boolean, expr: delay > 600}
      state: {type: string, expr: "concat(if(is_closed, 'closed', 'open'), ' ', block)"}
"""
Row = tuple[int, int, str, float]


class Lab:
    """Engines in files, a lookup, and a home."""

    def __init__(self, spark: Any, folder: Path, contract: str = CONTRACT) -> None:
        self.spark = spark
        self.folder = folder / "engines"
        (self.folder / "data").mkdir(parents=True)
        (self.folder / "contract.yaml").write_text(contract, encoding="utf-8")
        (self.folder / "sites.csv").write_text(SITES, encoding="utf-8")
        self.home = Home.at(folder / "home")
        self.told: list[str] = []
        self.held: dict[tuple[int, int], Row] = {}

    @property
    def usecase(self) -> UseCase:
        return load_contract(self.folder)

    def emit(self, kind: str, message: str, **fields: Any) -> None:
        self.told.append(message)

    def refined(self, rows: list[Row]) -> None:
        """One more file, and everything made of it."""
        self.write("unit,cycle,site,heat", rows)
        self.held |= {row[:2]: row for row in rows}

    def write(self, header: str, rows: Sequence[tuple[Any, ...]]) -> None:
        number = len(list((self.folder / "data").iterdir()))
        lines = [",".join(map(str, row)) for row in rows]
        text = "\n".join([header, *lines, ""])
        (self.folder / "data" / f"{number}.csv").write_text(text, encoding="utf-8")
        land(self.usecase, self.home, "live", None, None, f"run{number}", silent)
        self.again(f"run{number}")

    def again(self, run: str) -> None:
        self.told = []
        stages.refine(self.spark, self.usecase, self.home, run, self.emit)

    def rows(self) -> dict[tuple[int, int], tuple[Any, ...]]:
        table = self.usecase.gold["cycles"]
        found = delta.read(self.spark, specs.gold(self.usecase, self.home, table).uri).collect()
        names = ("heat_mean", "heat_before", "rise", "left", "place")
        return {(r["unit"], r["cycle"]): tuple(r[name] for name in names) for r in found}

    def expected(self) -> dict[tuple[int, int], tuple[Any, ...]]:
        """The table in plain Python, straight from the contract."""
        made = {}
        halls = {"a": "North", "b": "South"}
        for unit in {key[0] for key in self.held}:
            of_unit = [row for row in self.held.values() if row[0] == unit]
            ordered = sorted(of_unit, key=lambda row: (row[2], row[1]))
            last = max(row[1] for row in ordered)
            for place, (_, cycle, site, heat) in enumerate(ordered):
                near = [row[3] for row in ordered[max(0, place - 2) : place + 1]]
                before = ordered[place - 1][3] if place else None
                rise = None if before is None else heat - before
                hall = f"{halls[site]} over life" if site in halls else None
                mean = sum(near) / len(near)
                made[unit, cycle] = (mean, before, rise, min(last - cycle, 4), hall)
        return made


@pytest.fixture(scope="module")
def lab(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Lab:
    return Lab(spark, tmp_path_factory.mktemp("computed"))


def test_windows_follow_what_changed_in_their_unit(lab: Lab) -> None:
    rng = random.Random(5)
    lab.refined(
        [(u, c, rng.choice("abx"), float(rng.randint(0, 9))) for u in (1, 2) for c in (1, 2, 4)]
    )
    assert lab.rows() == lab.expected()
    # A row between others, a longer life, an amendment, and a unit that nothing touches.
    lab.refined([(1, 3, "a", 2.0), (1, 9, "b", 8.0), (1, 1, "b", 5.0), (3, 1, "x", 1.0)])
    assert lab.rows() == lab.expected()
    assert lab.told[-2:] == [
        "gold: engines.gold.cycles: 1 row has a key that lookup sites lacks (x)",
        "gold: engines.gold.cycles: 9 rows",
    ]
    usecase = lab.usecase
    gold.require_rebuilt(lab.spark, usecase, lab.home, 1, usecase.gold["cycles"])
    audit.deep(lab.spark, usecase, lab.home, 1, silent)


def test_a_changed_lookup_makes_the_table_again_and_is_told_before(lab: Lab) -> None:
    if not lab.held:  # alone
        lab.refined([(1, 1, "a", 1.0), (3, 1, "x", 1.0)])
    before = lab.rows()
    sites = lab.folder / "sites.csv"
    sites.write_text(SITES + "x,East,2022-01-01\n", encoding="utf-8")
    (change,) = outlook(lab.usecase, lab.home).changes
    assert (change.key, change.consequence) == ("gold.cycles.lookups.sites (file)", "rebuild")
    lab.again("lookup")
    assert [each for each in lab.told if "lacks" in each] == []
    changed = {key for key, row in lab.rows().items() if row != before[key]}
    assert changed == {key for key, row in lab.held.items() if row[2] == "x"}
    # A key that is there twice is refused, and what was there stays.
    sites.write_text(SITES + "b,West,2022-01-01\n", encoding="utf-8")
    with pytest.raises(PermanentError, match=r"sites\.csv has the key site=b 2 times"):
        lab.again("twice")
    assert {row[4] for row in lab.rows().values()} >= {"East over life"}


def test_a_second_feed_is_joined_as_it_was_known_at_the_event(spark: Any, tmp_path: Path) -> None:
    lab = Lab(spark, tmp_path, CRIMES)
    rng, hour = random.Random(9), 3_600
    measured = {
        (town, rng.randrange(0, 200) * 900): (float(rng.randint(0, 40)), rng.randint(0, 9))
        for town in "ab"
        for _ in range(40)
    }
    lines = [f"{t},{at},{warm},{wind}" for (t, at), (warm, wind) in measured.items()]
    text = "\n".join(["town,measured,warm,wind", *lines, ""])
    (lab.folder / "weather.csv").write_text(text, encoding="utf-8")
    events: dict[int, tuple[int, str]] = {}
    for first in (0, 25):  # a rebuild, then an increment
        new = {
            n: (rng.randrange(0, 200) * 900, rng.choice("abc")) for n in range(first, first + 25)
        }
        events |= new
        lab.write("id,at,town", [(n, at, town) for n, (at, town) in new.items()])
        table = lab.usecase.gold["events"]
        rows = delta.read(spark, specs.gold(lab.usecase, lab.home, table).uri).collect()
        found = {r["id"]: (r["warm"], r["wind"], r["is_warm"]) for r in rows}
        expected = {}
        for n, (at, town) in events.items():
            known = [each for each in measured if each[0] == town and at - 3 * hour < each[1] <= at]
            warm, wind = measured[max(known)] if known else (None, None)
            expected[n] = (warm, wind, None if warm is None else warm > 20)
        assert found == expected
        lacking = sum(expected[n][0] is None for n in new)
        assert any(f"{lacking} rows have keys that lookup weather lacks" in t for t in lab.told)
    gold.require_rebuilt(spark, lab.usecase, lab.home, 1, lab.usecase.gold["events"])


def test_windows_by_time_follow_what_they_reach(spark: Any, tmp_path: Path) -> None:
    lab = Lab(spark, tmp_path, RECENT)
    rng, day = random.Random(4), 86_400
    events: dict[int, tuple[int, str, float]] = {}

    def added(keys: range) -> None:
        # Whole hours, so that several happen at one instant and some at the edge of a window.
        new = {
            key: (rng.randrange(60 * 24) * 3_600, rng.choice("ab"), float(rng.randint(1, 9)))
            for key in keys
        }
        events.update(new)
        lab.write("id,at,town,loss", [(key, *event) for key, event in new.items()])

    def held(name: str) -> dict[int, tuple[Any, ...]]:
        table = lab.usecase.gold[name]
        rows = delta.read(spark, specs.gold(lab.usecase, lab.home, table).uri).collect()
        own = [column.name for column in table.columns if column.expr]
        return {row["id"]: tuple(row[each] for each in own) for row in rows}

    def near(key: int, days: int, town: str | None) -> list[float]:
        own = events[key][0]
        return [
            loss
            for at, place, loss in events.values()
            if own - days * day < at <= own and town in (None, place)
        ]

    for keys in (range(80), range(80, 86), range(3, 5)):  # a rebuild, new rows, amendments
        added(keys)
        assert held("towns") == {
            key: (len(near(key, 28, town)), sum(near(key, 7, town)))
            for key, (_, town, _) in events.items()
        }
        assert held("all_towns") == {
            key: (len(near(key, 7, None)), loss / sum(near(key, 7, None)))
            for key, (_, _, loss) in events.items()
        }
    usecase = lab.usecase
    for table in usecase.gold.values():
        gold.require_rebuilt(spark, usecase, lab.home, 1, table)
    # An increment makes no more than what the change reaches.
    written = []
    merge = delta.merge

    def watched(rows: Any, *args: Any, **more: Any) -> None:
        written.append({row["at"].timestamp() for row in rows.select("at").collect()})
        merge(rows, *args, **more)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(delta, "merge", watched)
        events[500] = (30 * day, "a", 1.0)
        lab.write("id,at,town,loss", [(500, *events[500])])
    reached = [max(times) - 30 * day for times in written]
    assert [min(times) for times in written] == [30 * day] * 2
    assert reached[0] < 28 * day
    assert reached[1] < 7 * day


def test_an_amendment_that_no_window_reads_makes_its_own_row_again(
    spark: Any, tmp_path: Path
) -> None:
    lab = Lab(spark, tmp_path, NUMBERED)
    rng = random.Random(8)
    events: dict[int, tuple[int, str, bool]] = {}
    parts: list[tuple[int, int]] = []
    parted = Changed._parted

    def watched(step: Any, feed: Any) -> Any:
        moved, kept = parted(step, feed)
        parts.append((moved.select("id").distinct().count(), kept.count()))
        return moved, kept

    def added(new: dict[int, tuple[int, str, bool]]) -> None:
        events.update(new)
        lines = [(key, at, number, str(done).lower()) for key, (at, number, done) in new.items()]
        lab.write("id,at,number,is_closed", lines)
        table = lab.usecase.gold["reports"]
        rows = delta.read(spark, specs.gold(lab.usecase, lab.home, table).uri).collect()
        assert {r["id"]: (r["delay"], r["is_late"], r["state"]) for r in rows} == expected()

    def expected() -> dict[int, tuple[Any, ...]]:
        made = {}
        ordered = sorted(events, key=lambda key: (events[key][1], key))
        for key, (at, number, done) in events.items():
            unit = [each for each in ordered if events[each][1][:2] == number[:2]]
            place = unit.index(key)
            newest = max(events[each][0] for each in unit[max(0, place - 2) : place + 1])
            state = f"{'closed' if done else 'open'} {number[:2]}"
            made[key] = (newest - at, newest - at > 600, state)
        return made

    def numbered(keys: range) -> dict[int, tuple[int, str, bool]]:
        return {k: (rng.randrange(5_000), f"{rng.randrange(30):03}", False) for k in keys}

    added(numbered(range(60)))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Changed, "_parted", watched)
        closed = {key: (*events[key][:2], True) for key in (3, 4, 5)}
        added(closed)
        # At once: a row that comes, one that moves within its unit, one that leaves it, and some
        # that are closed, in the same units and in others.
        mixed = {key: (*events[key][:2], True) for key in range(10, 20)}
        mixed |= {60: (9_999, events[10][1], False), 20: (9_000, events[20][1], True)}
        mixed |= {21: (events[21][0], "299", True)}
        added(mixed)
    assert parts == [(0, 3), (3, 10)]
    usecase = lab.usecase
    gold.require_rebuilt(spark, usecase, lab.home, 1, usecase.gold["reports"])
    audit.deep(spark, usecase, lab.home, 1, silent)
