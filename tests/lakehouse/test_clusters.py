"""Clusters of gold rows: fitted once per interval, on earlier rows only, and reused."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from goldlake.workflows.copied_parts import survey
from goldlake.workflows.planning import outlook
from goldlake_core.contracts.errors import PermanentError, StoreError
from goldlake_core.contracts.loader import load_contract
from goldlake_core.instants import micros_of, of_text
from goldlake_core.storage.deltalog import DeltaLog
from goldlake_core.storage.fits import Center, Fit, FitStore
from goldlake_core.storage.home import Home
from goldlake_core.storage.restores import Restore, Restores
from lakehouse import audit, clusters, delta, specs, stages
from lakehouse.clusters import Clusters
from lakehouse.gold import tables as gold
from lakehouse.gold.basis import basis_of
from tests.lakehouse.records import silent
from tests.lakehouse.test_computed import Lab

CONTRACT = """\
name: engines
source: {kind: files, path: "data/*.csv"}
silver:
  key: [id]
  event_time: at
  columns:
    id: {type: long, nullable: false}
    at: {type: timestamp, format: epoch_s, nullable: false}
    x: double
    y: long
gold:
  events:
    clusters:
      place: {columns: [x, y], k: 3, every: 10d, comment: Where it was.}
"""
DAY = 86_400
MIDDLES = {0: (0.0, 0), 1: (100.0, 0), 2: (0.0, 5)}
Event = tuple[int, int, float | str, int]


def fit(number: int = 1, *centers: tuple[float, ...]) -> Fit:
    made = tuple(Center(number=n, values=values) for n, values in enumerate(centers))
    return Fit(
        number=number,
        before="",
        start="1970-01-11T00:00:00.000000Z",
        rows=5,
        columns=("x",),
        scales=(1.0,),
        centers=made,
        through=1,
        run_id="run",
    )


def stored(tmp_path: Path) -> FitStore:
    return FitStore(Home(str(tmp_path)), "mill", "cycles", "place", "a" * 64)


def test_fits_are_a_chain_that_a_pin_names(tmp_path: Path) -> None:
    store = stored(tmp_path)
    assert store.newest() is None
    known = store.begin("the first")
    empty = known.pin
    for _ in range(3):
        known = store.add(known, fit())
    assert store.newest() == known
    assert [each.number for each in known.fits] == [1, 2, 3]
    assert known.holds(empty)
    assert known.holds(known.first(2).pin)
    assert not known.first(2).holds(known.pin)
    assert not known.holds(known.pin[:-1] + "x")
    assert not known.holds("")
    # Another meaning has its own sets; a new set of the same meaning counts, with what it keeps.
    assert FitStore(store.home, "mill", "cycles", "place", "b" * 64).newest() is None
    kept = store.begin("pages were taken back", known.fits[:1])
    assert store.newest() == kept
    assert store.before(kept) == known
    assert not kept.holds(known.pin)
    store.keep_only(kept)
    assert store.before(kept) is None
    assert store.newest() == kept


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda path: path.unlink(), "0002.json is missing"),
        (lambda path: path.write_text("{"), "0002.json is damaged"),
        (
            lambda path: path.write_text(path.read_text().replace('"rows": 5', '"rows": 6')),
            "0003.json does not follow the fit before it: one of the two was changed",
        ),
    ],
)
def test_a_damaged_fit_is_told_and_those_before_it_stay(
    tmp_path: Path, harm: Callable[[Path], object], message: str
) -> None:
    store = stored(tmp_path)
    known = store.begin("the first")
    for _ in range(3):
        known = store.add(known, fit())
    harm(Path(known.folder) / "0002.json")
    with pytest.raises(StoreError, match=message) as caught:
        store.newest()
    assert caught.value.hint == "goldlake rebuild mill"
    sound = store.newest(is_whole=False)
    assert sound is not None
    assert len(sound.fits) == (2 if "follow" in message else 1)


def test_a_cluster_keeps_its_number_from_fit_to_fit() -> None:
    before = [Center(number=2, values=(0.0,)), Center(number=0, values=(10.0,))]
    made = clusters._numbered([(-4.0,), (1.0,), (11.0,)], [1.0], before, 4)
    assert [(c.number, c.values) for c in made] == [(0, (11.0,)), (1, (-4.0,)), (2, (1.0,))]
    assert [c.number for c in clusters._numbered([(3.0,), (7.0,)], [1.0], (), 4)] == [0, 1]


def test_fits_that_saw_pages_which_do_not_count_are_made_again(tmp_path: Path) -> None:
    folder = tmp_path / "engines"
    folder.mkdir()
    (folder / "contract.yaml").write_text(CONTRACT, encoding="utf-8")
    usecase, home = load_contract(folder), Home.at(tmp_path / "home")
    table = usecase.gold["events"]
    made = Clusters.of(usecase, home, table)
    assert not made.hold({})
    made.prepare(silent)
    (store,) = clusters._stores(usecase, home)
    known = made.sets["place"]
    for through in (1, 2, 3):
        known = store.add(known, replace(fit(), through=through))
    # A copy of the home holds them, and so a moved home.
    copied = {item.path for item in survey(home, None, tmp_path).items}
    place = Path(known.folder).relative_to(home.root)
    assert {f"{place}/{name}" for name in ("set.json", "0001.json", "0003.json")} <= copied
    back = Restore(run_id="back", at="2024-01-01T00:00:00Z", given=3, stands=((1, 2),))
    specs.landing(usecase, home).write_restores(Restores(restores=(back,)))
    cut = Clusters.of(usecase, home, table)
    assert not cut.hold({"place": known.pin})
    told: list[str] = []
    cut.prepare(lambda kind, message, **_: told.append(message))
    assert told == [
        "gold: engines.gold.events: cluster place is fitted anew where pages were taken back"
    ]
    assert [each.through for each in cut.sets["place"].fits] == [1, 2]
    again = Clusters.of(usecase, home, table)
    assert again.sets == cut.sets
    assert again.hold(again.pins)
    assert again.hold({"place": again.sets["place"].first(1).pin})
    assert not again.hold({"place": known.first(1).pin})


def numbered(events: Iterable[Event], fits: Iterable[Fit]) -> dict[int, int | None]:
    """Each event's number by stored centers, in plain Python."""
    by_start = {micros_of(of_text(each.start)) // 1_000_000: each for each in fits}
    found: dict[int, int | None] = {}
    for key, at, x, y in events:
        made = by_start[at - at % (10 * DAY)]
        found[key] = None
        if made.centers and x != "":
            point = (float(x), float(y))
            found[key] = min(
                made.centers,
                key=lambda center: sum(
                    ((a - b) / s) ** 2
                    for a, b, s in zip(point, center.values, made.scales, strict=True)
                ),
            ).number
    return found


class Groups(Lab):
    """Events around three middles, in files, and a home."""

    def __init__(self, spark: Any, folder: Path, contract: str = CONTRACT) -> None:
        super().__init__(spark, folder, contract)
        self.events: dict[int, Event] = {}

    def land(self, events: list[Event]) -> None:
        self.events |= {event[0]: event for event in events}
        self.write("id,at,x,y", events)

    def numbers(self) -> dict[int, int | None]:
        table = self.usecase.gold["events"]
        rows = delta.read(self.spark, specs.gold(self.usecase, self.home, table).uri).collect()
        return {row["id"]: row["place"] for row in rows}

    def fits(self) -> tuple[Fit, ...]:
        table = self.usecase.gold["events"]
        return Clusters.of(self.usecase, self.home, table).sets["place"].fits

    def expected(self) -> dict[int, int | None]:  # type: ignore[override]
        return numbered(self.events.values(), self.fits())


def events(rng: random.Random, first: int, days: range, number: int) -> list[Event]:
    found: list[Event] = []
    for key in range(first, first + number):
        x, y = MIDDLES[rng.randrange(3)]
        at = rng.choice(days) * DAY + rng.randrange(DAY)
        found.append((key, at, round(x + rng.random(), 3), y + rng.randrange(2)))
    return found


@pytest.fixture(scope="module")
def groups(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Groups:
    made = Groups(spark, tmp_path_factory.mktemp("clusters"))
    rng = random.Random(7)
    made.land([*events(rng, 0, range(25), 60), (900, 24 * DAY, "", 1)])
    return made


@pytest.mark.spark
def test_rows_are_numbered_by_a_fit_on_earlier_rows(groups: Groups) -> None:
    found = groups.numbers()
    assert found == groups.expected()
    # The first interval has no earlier rows, and a row without a value is nowhere.
    early = [key for key, event in groups.events.items() if event[1] < 10 * DAY]
    assert {found[key] for key in early} == {None}
    assert found[900] is None
    assert {found[key] for key in groups.events.keys() - set(early) - {900}} == {0, 1, 2}
    first, second, third = groups.fits()
    assert (first.rows, first.centers) == (0, ())
    assert second.rows == len(early)
    assert third.rows == sum(event[1] < 20 * DAY for event in groups.events.values())
    # A number means the same place in both.
    for one, other in zip(second.centers, third.centers, strict=True):
        assert one.number == other.number
        assert abs(one.values[0] - other.values[0]) < 2


@pytest.mark.spark
def test_an_increment_looks_up_and_a_new_interval_is_fitted(
    groups: Groups, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, numbers = groups.fits(), groups.numbers()
    rng = random.Random(8)
    with monkeypatch.context() as patched:
        patched.setattr(clusters, "_fitted", lambda *_: pytest.fail("fitted"))
        # What comes late and happened early changes no number, whatever it is.
        groups.land([(100, 3 * DAY, 5000.0, 90), *events(rng, 101, range(25), 9)])
    assert groups.fits() == before
    assert groups.numbers() == groups.expected()
    assert {key: groups.numbers()[key] for key in numbers} == numbers
    groups.land(events(rng, 200, range(28, 36), 12))
    assert groups.fits()[:3] == before
    assert [each.start[:10] for each in groups.fits()[3:]] == ["1970-01-31"]
    assert groups.fits()[3].rows == sum(
        event[1] < 30 * DAY and event[2] != "" for event in groups.events.values()
    )
    assert groups.numbers() == groups.expected()
    assert groups.told[-2] == (
        "gold: engines.gold.events: cluster place was fitted once, on rows before 1970-01-31"
    )
    usecase, table = groups.usecase, groups.usecase.gold["events"]
    gold.require_rebuilt(groups.spark, usecase, groups.home, 1, table)
    audit.deep(groups.spark, usecase, groups.home, 1, silent)
    commit = DeltaLog(specs.gold(usecase, groups.home, table).uri).last_commit_with("clusters")
    assert commit is not None
    assert basis_of(commit).clusters == Clusters.of(usecase, groups.home, table).pins


@pytest.mark.long
@pytest.mark.spark
def test_a_rebuild_reuses_the_fits_and_a_damaged_one_is_made_again(groups: Groups) -> None:
    before, numbers = groups.fits(), groups.numbers()
    spark, usecase, home = groups.spark, groups.usecase, groups.home
    stages.refine(spark, usecase, home, "rebuilt", silent, is_rebuild=True)
    assert (groups.fits(), groups.numbers()) == (before, numbers)
    table = usecase.gold["events"]
    folder = Path(Clusters.of(usecase, home, table).sets["place"].folder)
    last = sorted(folder.glob("0*.json"))[-1]
    last.write_text("{", encoding="utf-8")
    with pytest.raises(StoreError, match=rf"{last.name} is damaged"):
        groups.again("damaged")
    groups.told = []
    stages.refine(spark, usecase, home, "mended", groups.emit, is_rebuild=True)
    assert any("it and those after it are made again" in each for each in groups.told)
    assert groups.fits()[:-1] == before[:-1]
    assert groups.numbers() == groups.expected()


@pytest.mark.long
@pytest.mark.spark
def test_fits_are_made_anew_when_asked_and_old_ones_go_with_an_erasure(groups: Groups) -> None:
    usecase, home = groups.usecase, groups.home
    before, numbers = groups.fits(), groups.numbers()
    stages.refine(groups.spark, usecase, home, "anew", silent, is_rebuild=True, refit=True)
    assert groups.fits()[1].rows > before[1].rows or groups.fits()[1:] != before[1:]
    assert groups.numbers() == groups.expected()
    # The outlier that came late counts now, and places keep their numbers where they are the same.
    same = [key for key in numbers if numbers[key] == groups.numbers()[key]]
    assert len(same) > len(numbers) / 2
    folder = Path(Clusters.of(usecase, home, usecase.gold["events"]).sets["place"].folder)
    assert len(list(folder.parent.iterdir())) > 1
    clusters.fit_anew(usecase, home, "erasure 1")
    clusters.fit_anew(usecase, home, "erasure 1")
    groups.again("erased")
    clusters.forget(usecase, home)
    assert len(list(folder.parent.iterdir())) == 1
    assert groups.numbers() == groups.expected()
    # An edit of the comment fits nothing anew; another number of clusters does.
    contract = groups.folder / "contract.yaml"
    text = contract.read_text(encoding="utf-8")
    contract.write_text(text.replace("Where it was", "The place"), encoding="utf-8")
    assert {each.consequence for each in outlook(groups.usecase, home).changes} == {"follow"}
    contract.write_text(text.replace("k: 3", "k: 2"), encoding="utf-8")
    changes = {each.key: each.consequence for each in outlook(groups.usecase, home).changes}
    assert changes["gold.events.clusters.place.k"] == "rebuild"
    groups.again("two")
    # The outlier, which no row is near to, may be a cluster of its own.
    assert {len(each.centers) for each in groups.fits()[1:]} == {2}
    assert groups.numbers() == groups.expected()
    contract.write_text(text.replace("every: 10d", "every: 1d"), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(clusters, "MOST_FITS", 5)
        with pytest.raises(PermanentError) as caught:
            groups.again("often")
    assert "intervals of 1d to fit, of at most 5" in str(caught.value)
    contract.write_text(text, encoding="utf-8")


@pytest.mark.spark
def test_a_fit_does_not_depend_on_how_rows_are_divided(spark: Any) -> None:
    from goldlake_core.contracts.sections import Cluster

    rng = random.Random(3)
    rows = [(n, rng.choice([0.0, 5.0]) + rng.random(), rng.random()) for n in range(300)]
    frame = spark.createDataFrame(rows, "id bigint, x double, y double")
    frame = frame.selectExpr("*", "timestamp_seconds(id) as at")
    cluster = Cluster(name="g", columns=("x", "y"), k=4, time="at", rows=100)
    made = [
        clusters._fitted(clusters._points(each, cluster, ["id"]), cluster, 10**15)
        for each in (frame.coalesce(1), frame.repartition(7), frame.orderBy("y"))
    ]
    assert made[0] == made[1] == made[2]
    assert (made[0][0], len(made[0][2])) == (100, 4)
    # Of two different points there are two clusters.
    twice = frame.selectExpr("id", "at", "cast(id % 2 as double) as x", "1D as y")
    number, scales, centers = clusters._fitted(
        clusters._points(twice, cluster, ["id"]), cluster, 10**15
    )
    assert (number, len(centers), scales[1]) == (100, 2, 1.0)
    assert centers[0] == pytest.approx((0, 1), abs=1e-9)
    assert centers[1] == pytest.approx((1, 1), abs=1e-9)
