"""Street-level crimes land once each: divided areas, amended months, an API that forgets."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from goldlake.workflows.planning import plan_ingest
from goldlake_core.contracts.errors import PermanentError, RetryableError, UsageError
from goldlake_core.contracts.registry import load_usecase
from goldlake_core.contracts.sections import UseCase
from goldlake_core.documents.lakehouse import Landed
from goldlake_core.storage.home import Home
from goldlake_core.storage.landing import Cursor, LandingZone
from goldlake_simulators.base import SimulatorOptions
from goldlake_simulators.police_uk.crimes import is_inside
from goldlake_simulators.police_uk.simulator import api
from lakehouse.sources.land import land
from lakehouse.sources.police_uk.connector import MOST_URL, PoliceUkConnector
from lakehouse.sources.police_uk.records import Mixed, bytes_of, keyed, merged, place_of
from lakehouse.sources.testing import ODD_VALUES, Kit, Rows, Server, findings
from tests.lakehouse.sources.test_land import Killed, killed
from tests.simulators.conftest import Serve, with_source

QUICK = "rate:100000"
FROZEN = 1e-6
"""Speed of a simulated API whose time stands still at its start."""
TOWN = ((52.615, -1.160), (52.645, -1.160), (52.645, -1.105), (52.615, -1.105))


@pytest.fixture(scope="module")
def case() -> UseCase:
    """The shipped use case, asked without waiting."""
    return asked(load_usecase("uk_street_api"))


def asked(usecase: UseCase, **options: Any) -> UseCase:
    quick = {"requests_per_s": 100_000, "backoff_s": 0.0001}
    return with_source(usecase, options={**usecase.source.options, **quick, **options})


def ingest(usecase: UseCase, home: Home, url: str, *days: str | None, told: Any = None) -> Landed:
    since, until = days or (None, None)

    def emit(kind: str, message: str, **fields: Any) -> None:
        if kind == "info" and told is not None:
            told.append(message)

    return land(usecase, home, url, since, until, "run", emit)


def landed(usecase: UseCase, home: Home) -> list[bytes]:
    """All landed lines in the order of the manifest; a page is of one month."""
    zone, lines = LandingZone(home, usecase.name, usecase.source.dataset), list[bytes]()
    for entry in zone.manifest():
        page = zone.read_page(entry)
        places = [place_of(line) for line in page]
        assert len({place.value for place in places if place}) == 1
        lines += page
    return lines


def served(usecase: UseCase, **options: Any) -> list[bytes]:
    """All records that the simulated API has in the area of the use case."""
    crimes = api(usecase, SimulatorOptions(**options)).crimes
    update = crimes.update_at(options.get("start"))
    assert update is not None
    shown = [each for month in crimes.shown(update).values() for each in month]
    return sorted(s.body for s in shown if s.point and is_inside(s.point, list(TOWN)))


@pytest.mark.parametrize("most", [10_000, 100, 40])
def test_each_record_lands_once_however_the_area_is_divided(
    case: UseCase, serve: Serve, tmp_path: Path, most: int
) -> None:
    home, told = Home.at(tmp_path), list[str]()
    url = serve(case, rows=3_000, seed=1, faults=f"{QUICK},most:{most}")
    result = ingest(case, home, url, told=told)
    lines = landed(case, home)
    assert sorted(map(bytes_of, lines)) == served(case, rows=3_000, seed=1)
    assert (result.pages, result.rows, result.retries) == (24, len(lines), 0)
    assert result.identity["kind"] == "generated"
    is_divided = most < 10_000
    assert any("it was divided" in text for text in told) == is_divided
    zone = LandingZone(home, case.name, case.source.dataset)
    assert [f"date={n}" in e.url for n, e in zip(months(24), zone.manifest(), strict=True)]
    assert all("#answers=" in entry.url for entry in zone.manifest()) == is_divided
    again = ingest(case, home, url)
    assert (again.pages, again.rows, again.repeated > 500) == (0, 0, True)


def months(count: int) -> list[str]:
    return [f"{2023 + n // 12}-{n % 12 + 1:02}" for n in range(count)]


def test_pages_do_not_depend_on_how_the_area_was_divided(
    case: UseCase, serve: Serve, tmp_path: Path
) -> None:
    lines = []
    for most in (10_000, 30):
        home = Home.at(tmp_path / str(most))
        ingest(case, home, serve(case, rows=1_500, seed=1, faults=f"{QUICK},most:{most}"))
        lines.append(landed(case, home))
    assert lines[0] == lines[1]


def test_places_whose_miles_overlap_give_a_record_once(
    case: UseCase, serve: Serve, tmp_path: Path
) -> None:
    points = [[52.63, -1.14], [52.63, -1.13], [52.632, -1.135]]
    near = asked(case, points=points, polygon=())
    home, url = Home.at(tmp_path), serve(case, rows=1_000, seed=1, faults=QUICK)
    result = ingest(near, home, url)
    records = list(map(bytes_of, landed(near, home)))
    assert len(records) == len(set(records)) == result.rows > 500
    one = asked(case, points=points[:1], polygon=())
    other = Home.at(tmp_path / "one")
    ingest(one, other, url)
    assert set(map(bytes_of, landed(one, other))) < set(records)
    zone = LandingZone(home, case.name, case.source.dataset)
    assert zone.manifest()[0].url.endswith("&lat=52.63&lng=-1.14#answers=3")


def test_a_place_with_too_many_records_cannot_be_divided(
    case: UseCase, serve: Serve, tmp_path: Path
) -> None:
    near = asked(case, points=[[52.63, -1.13]], polygon=())
    url = serve(case, rows=1_000, seed=1, faults=f"{QUICK},most:5")
    with pytest.raises(RetryableError, match="503: which cannot be divided. Next: a polygon in"):
        ingest(near, Home.at(tmp_path), url)


def test_a_long_polygon_is_posted(case: UseCase, serve: Serve, tmp_path: Path) -> None:
    corners = [
        *([52.615 + n * 0.03 / 200, -1.16] for n in range(200)),
        *([52.645, -1.16 + n * 0.055 / 200] for n in range(200)),
        [52.645, -1.105],
        [52.615, -1.105],
    ]
    long = asked(case, polygon=corners)
    home, url = Home.at(tmp_path), serve(case, rows=600, seed=1, faults=QUICK)
    ingest(long, home, url)
    assert sorted(map(bytes_of, landed(long, home))) == served(case, rows=600, seed=1)
    (first, *_) = LandingZone(home, case.name, case.source.dataset).manifest()
    assert first.url.startswith(f"{url}/api/crimes-street/all-crime?date=2023-01&poly=sha256:")
    assert len(first.url) < MOST_URL


@pytest.mark.parametrize("most", [10_000, 60])
@pytest.mark.parametrize("faults", ["429:0.2,500:0.1,cut:0.2", "503:0.3,504:0.1"])
def test_faults_lose_and_double_nothing(
    case: UseCase, serve: Serve, tmp_path: Path, faults: str, most: int
) -> None:
    patient, home = asked(case, attempts=20), Home.at(tmp_path)
    result = ingest(
        patient, home, serve(case, rows=900, seed=1, faults=f"{QUICK},most:{most},{faults}")
    )
    assert result.requests > 30
    assert sorted(map(bytes_of, landed(case, home))) == served(case, rows=900, seed=1)


def test_an_api_that_is_down_is_not_divided_for_ever(
    case: UseCase, serve: Serve, tmp_path: Path
) -> None:
    url = serve(case, rows=100, seed=1, faults=f"{QUICK},503:1")
    with pytest.raises(RetryableError, match="even for an area of fifty meters") as caught:
        ingest(case, Home.at(tmp_path), url)
    assert caught.value.hint == "the same command again, later: it goes on where it stopped"


def test_requests_keep_to_what_the_bucket_takes(
    case: UseCase, serve: Serve, tmp_path: Path
) -> None:
    hasty = asked(case, attempts=3)
    with pytest.raises(RetryableError, match=r"HTTP 429, a lower source\.options\.requests_per_s"):
        ingest(
            hasty,
            Home.at(tmp_path / "hasty"),
            serve(case, rows=900, seed=1, faults="rate:1,most:9"),
        )
    url = serve(case, rows=900, seed=1, faults="rate:40,most:30")
    result = ingest(asked(case, requests_per_s=40), Home.at(tmp_path / "calm"), url)
    assert (result.retries, result.requests > 60) == (0, True)


@pytest.mark.parametrize("at_call", [1, 3])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("step", ["write_page", "write_manifest"])
def test_killed_at_any_step_it_lands_the_same_records(
    case: UseCase,
    serve: Serve,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    step: str,
    after: bool,
    at_call: int,
) -> None:
    home, url = Home.at(tmp_path), serve(case, rows=700, seed=1, faults=f"{QUICK},most:20")
    with monkeypatch.context() as patch:
        method = getattr(LandingZone, step)
        patch.setattr(LandingZone, step, killed(method, after=after, at_call=at_call))
        with pytest.raises(Killed):
            ingest(case, home, url)
    ingest(case, home, url)
    assert sorted(map(bytes_of, landed(case, home))) == served(case, rows=700, seed=1)
    assert ingest(case, home, url).rows == 0


def test_a_lost_page_is_fetched_again_as_it_was(
    case: UseCase, serve: Serve, tmp_path: Path
) -> None:
    home, url = Home.at(tmp_path), serve(case, rows=600, seed=1, faults=f"{QUICK},most:15")
    ingest(case, home, url)
    before, zone = landed(case, home), LandingZone(home, case.name, case.source.dataset)
    Path(zone.page_uri(zone.manifest()[3].name)).unlink()
    assert ingest(case, home, url).restored == 1
    assert landed(case, home) == before


def test_amended_outcomes_and_new_months_of_a_later_poll(
    case: UseCase, serve: Serve, tmp_path: Path
) -> None:
    home, told = Home.at(tmp_path), list[str]()
    options: dict[str, Any] = {"rows": 2_400, "seed": 1, "speed": FROZEN, "faults": QUICK}
    first = ingest(case, home, serve(case, start="2024-01-10", **options))
    assert first.pages == 11, "2023-01 to 2023-11"
    second = ingest(case, home, serve(case, start="2024-03-10", **options), told=told)
    newest: dict[str, dict[str, Any]] = {}
    versions: Counter[str] = Counter()
    for line in landed(case, home):
        record = json.loads(line)
        newest[record["$key"]] = record
        versions[record["$key"]] += 1
    # 2023-05 to 2023-11 come again with other numbers, 2023-12 and 2024-01 for the first time.
    assert second.pages == 9
    assert max(versions.values()) == 2
    assert second.rows == sum(versions.values()) - first.rows
    shown = [json.loads(body) for body in served(case, rows=2_400, seed=1, start="2024-03-10")]
    current = Counter(outcome_of(record) for record in shown if record["month"] >= "2023-05")
    mine = Counter(outcome_of(r) for r in newest.values() if r["month"] >= "2023-05")
    gone = mine - current
    assert not current - mine
    assert sum(gone.values()) <= 8, "what was taken out or moved stays until goldlake reconcile"
    assert not told


def outcome_of(record: dict[str, Any]) -> str:
    kept = {name: value for name, value in record.items() if name not in ("id", "$key")}
    return json.dumps(kept, sort_keys=True)


def test_days_and_months_that_are_wanted(case: UseCase, serve: Serve, tmp_path: Path) -> None:
    url = serve(case, rows=900, seed=1, faults=QUICK)
    home = Home.at(tmp_path / "days")
    ingest(case, home, url, "2023-03-01", "2023-05-01")
    assert wanted(case, home) == ["2023-03", "2023-04"]
    some, home, told = asked(case, first_month="2020-05", last_month="2023-02"), home, list[str]()
    home = Home.at(tmp_path / "months")
    ingest(some, home, url, told=told)
    assert wanted(case, home) == ["2023-01", "2023-02"]
    assert told == ["the API has no months before 2023-01; 2020-05 was asked for"]


def test_a_plan_names_the_months(case: UseCase, serve: Serve, tmp_path: Path) -> None:
    home, url = Home.at(tmp_path), serve(case, rows=900, seed=1, faults=QUICK)
    plan = plan_ingest(case, home, url, None, None)
    assert (plan.parts, plan.records, plan.begins) == (tuple(months(24)), None, None)
    ingest(case, home, url)
    plan = plan_ingest(case, home, url, None, None)
    assert plan.parts == tuple(months(24)[-7:])
    assert plan.begins is not None
    assert plan.begins.value == "2024-05-29T00:00:00"
    assert plan_ingest(case, home, url, "2023-02-01", "2023-04-01").parts == ("2023-02", "2023-03")


def test_a_poll_may_begin_with_a_month(case: UseCase, server: Server) -> None:
    reader = PoliceUkConnector(case, server.url)
    begins = "2023-02-01T00:00:00"
    assert reader.parts(Cursor(begins, ""), None, None) == ["2023-02", "2023-03"]
    assert reader.parts(Cursor(begins, "2023-02:x"), None, None) == ["2023-03"]


def wanted(case: UseCase, home: Home) -> list[str]:
    return sorted({json.loads(line)["month"] for line in landed(case, home)})


def test_another_area_is_read_from_its_start(case: UseCase, serve: Serve, tmp_path: Path) -> None:
    """What both areas hold is not landed again."""
    home, url = Home.at(tmp_path), serve(case, rows=900, seed=1, faults=QUICK)
    half = [[52.615, -1.16], [52.645, -1.16], [52.645, -1.1325], [52.615, -1.1325]]
    first = ingest(asked(case, polygon=half), home, url)
    told: list[str] = []
    second = ingest(case, home, url, told=told)
    assert told == ["the source is made from other inputs: it is read from its start"]
    assert second.repeated == first.rows
    assert sorted(map(bytes_of, landed(case, home))) == served(case, rows=900, seed=1)


def crimes_of(target: str, rows: Rows) -> bytes:
    """Answers as the API: dates, the last update, and records of a month in a polygon."""
    parts, query = urlsplit(target), parse_qs(urlsplit(target).query)
    if parts.path == "/api/crime-last-updated":
        return b'{"date": "2023-09-01"}'
    if parts.path == "/api/crimes-street-dates":
        dates = {json.loads(row)["month"] for row in ROWS}
        return json.dumps([{"date": date, "stop-and-search": []} for date in dates]).encode()
    corners = [tuple(map(float, pair.split(","))) for pair in query["poly"][0].split(":")]
    month = query["date"][0].encode()

    def is_wanted(row: bytes) -> bool:
        at = json.loads(row[row.index(b'{"latitude') : row.index(b"}") + 1])
        point = float(at["latitude"]), float(at["longitude"])
        return b'"month":"%b"' % month in row and is_inside(point, corners)  # type: ignore[arg-type]

    return rows.page([row for row in rows.all if is_wanted(row)], 10_000)


ROWS = [
    b'{"category":"drugs","location":{"latitude":"52.63%04d","longitude":"-1.13"},"context":%s,'
    b'"persistent_id":"%064x","id":%d,"month":"2023-%02d"}'
    % (n * 37 % 9_000, b'""', n, 1000 - n, n // 10 + 1)
    for n in range(30)
]


def test_the_connector_breaks_no_law(case: UseCase) -> None:
    rows = list(ROWS)
    for n, value in enumerate(ODD_VALUES):
        rows[n] = rows[n].replace(b'"context":""', b'"context":%s' % value)
    kit = Kit(
        connector=lambda url: PoliceUkConnector(asked(case, attempts=3), url),
        answer=crimes_of,
        rows=rows,
        record=bytes_of,
    )
    # An answer is a whole month: it has no pages that could be short.
    found = [f for f in findings(kit) if not f.startswith("reads everything in short pages")]
    assert found == []


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(crimes_of, Rows(list(ROWS))).running() as running:
        yield running


def pages(reader: PoliceUkConnector) -> list[bytes]:
    lines, page = [], reader.page(None, None, None)
    while page.rows:
        lines += page.rows
        page = reader.page(reader.key(page.rows[-1]), None, None)
    return lines


def test_months_without_records_are_passed_over(case: UseCase, server: Server) -> None:
    server.rows.all = [row for row in ROWS if b"2023-02" not in row]
    assert list(map(bytes_of, pages(PoliceUkConnector(case, server.url)))) == server.rows.all


def test_an_update_between_two_answers_is_waited_out(case: UseCase, server: Server) -> None:
    """The records are numbered anew after the first half of the area was asked for."""
    updates = iter(["2023-09-01", "2023-10-01"])

    def answer(target: str, rows: Rows) -> bytes:
        if "last-updated" in target:
            return b'{"date": "%b"}' % next(updates, "2023-10-01").encode()
        if "crimes-street/" in target and len(server.asked) == 5:
            renumbered = [row.replace(b'"id":', b'"id":7') for row in rows.all]
            rows.all[:] = renumbered
        return crimes_of(target, rows)

    server._answer = answer
    reader = PoliceUkConnector(case, server.url)
    server.faults = ["", "", "503"]
    lines = pages(reader)
    assert sorted(map(bytes_of, lines)) == sorted(server.rows.all)
    assert len({place_of(line) for line in lines}) == 30
    assert reader.traffic.retries == 1


def test_an_api_that_never_stays_the_same_is_told(case: UseCase, server: Server) -> None:
    numbers = iter(range(1_000))

    def answer(target: str, rows: Rows) -> bytes:
        if "last-updated" in target:
            return b'{"date": "%d"}' % next(numbers)
        return crimes_of(target, rows)

    server._answer = answer
    server.faults = ["", *["", "503", "", ""] * 3]
    with pytest.raises(RetryableError, match="of 2023-01 at .* were updated each of 3 times"):
        PoliceUkConnector(asked(case, attempts=3), server.url).page(None, None, None)


def test_a_month_that_is_none_is_not_believed(case: UseCase, server: Server) -> None:
    server._answer = lambda target, rows: b'[{"date": "2023-13"}]'
    with pytest.raises(RetryableError, match="could not be read: '2023-13' is not a month"):
        PoliceUkConnector(asked(case, attempts=2), server.url).page(None, None, None)


def test_a_record_of_another_month_is_not_believed(case: UseCase, server: Server) -> None:
    server._answer = lambda target, rows: crimes_of(target, rows).replace(
        b'"month":"2023-01"', b'"month":"2033-01"'
    )
    with pytest.raises(RetryableError, match="a record of 2033-01 is in the answer for 2023-01"):
        PoliceUkConnector(asked(case, attempts=2), server.url).page(None, None, None)


def test_a_month_that_the_api_dropped_meanwhile_is_passed_over(
    case: UseCase, server: Server
) -> None:
    reader = PoliceUkConnector(case, server.url)
    assert reader.holds(Cursor("2023-01-01T00:00:00", "x"))

    def answer(target: str, rows: Rows) -> bytes:
        body = crimes_of(target, rows)
        return body.replace(b'"2023-01"', b'"2023-02"') if "dates" in target else body

    server._answer = answer
    server.faults = ["", "404"]
    page = reader.page(None, None, None)
    assert b'"month":"2023-02"' in page.rows[0]
    assert not reader.holds(Cursor("2023-01-01T00:00:00", "x"))


def test_a_category_that_is_none_is_told(case: UseCase, serve: Serve, tmp_path: Path) -> None:
    other = with_source(case, dataset="litter")
    with pytest.raises(PermanentError, match=r"HTTP 404, is source\.dataset a category"):
        ingest(other, Home.at(tmp_path), serve(case, rows=100, seed=1, faults=QUICK))


def test_records_without_a_place_of_a_force(case: UseCase, serve: Serve, tmp_path: Path) -> None:
    file = tmp_path / "body.json"
    records = [json.loads(row) | {"month": "2023-01"} for row in ROWS]
    for record in records[::3]:
        record["location"] = None
    file.write_text(json.dumps(records), encoding="utf-8")
    url = serve(case, data=(file,), faults=QUICK)
    counts = []
    for forces in ([], ["simulated"]):
        home = Home.at(tmp_path / str(len(forces)))
        counts.append(ingest(asked(case, forces=forces), home, url).rows)
    assert counts == [20, 30]


def row(number: int | None, persistent: str = "", **fields: Any) -> bytes:
    told = {"category": "x", "persistent_id": persistent, "month": "2023-01", **fields}
    return json.dumps(told if number is None else {**told, "id": number}).encode()


def test_records_that_only_their_number_tells_apart_are_counted() -> None:
    first = keyed([row(3), row(1), row(2), row(9, "a" * 64)], "2023-01")
    second = keyed([row(9, "a" * 64), row(11), row(12), row(13)], "2023-01")
    keys = [
        [place.tiebreak for place in map(place_of, lines) if place] for lines in (first, second)
    ]
    assert keys[0] == keys[1]
    assert len(set(keys[0])) == 4
    assert {key.partition(":")[0] for key in keys[0]} == {"2023-01"}
    assert f"2023-01:{'a' * 64}" in keys[0]


def test_an_outcome_does_not_change_a_key() -> None:
    outcomes = [None, {"category": "Under investigation", "date": "2023-01"}]
    keys = {
        place.tiebreak
        for outcome in outcomes
        for line in keyed([row(1, outcome_status=outcome)], "2023-01")
        if (place := place_of(line))
    }
    assert len(keys) == 1


def test_a_lasting_id_that_two_records_have_is_two_keys() -> None:
    lines = keyed([row(1, "b" * 64, category="y"), row(2, "b" * 64)], "2023-01")
    assert [place_of(line) for line in lines] == [
        Cursor("2023-01-01T00:00:00", f"2023-01:{'b' * 64}"),
        Cursor("2023-01-01T00:00:00", f"2023-01:{'b' * 64}-2"),
    ]
    assert [json.loads(line)["category"] for line in lines] == ["x", "y"]


def test_answers_that_overlap_are_merged() -> None:
    alike = row(None)
    assert merged([[row(1), row(2)], [row(2), row(3)]]) == [row(1), row(2), row(3)]
    assert merged([[alike, alike], [alike]]) == [alike, alike], "without numbers, as many as in one"
    assert merged([[row(1), row(1)]]) == [row(1)]
    with pytest.raises(Mixed, match="two records have the id 1"):
        merged([[row(1)], [row(1, "c" * 64)]])


@pytest.mark.parametrize(
    "record", [b"{}", b'{ "a": 1}', b'{"a":"\\ud800"}', b'{"persistent_id":"\\""}']
)
def test_the_bytes_of_a_record_are_kept(record: bytes) -> None:
    (line,) = keyed([record], "2023-01")
    assert bytes_of(line) == record
    assert line.startswith(b'{"$key":"2023-01:')


def test_what_is_not_an_object_has_no_key_and_is_kept() -> None:
    others = [b"17", b'{"$bytes": "/w=="}', b"null"]
    lines = keyed([*others, row(1)], "2023-01")
    assert sorted(lines[:3]) == sorted(others)
    assert [place_of(line) for line in lines[:3]] == [None] * 3


SQUARE = [[52.6, -1.2], [52.7, -1.2], [52.7, -1.0], [52.6, -1.0]]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"polygon": ()}, "source.options: there is no area. Valid: polygon or points."),
        ({"points": [[52, -1]]}, "source.options.points: there is a polygon, too"),
        (
            {"polygon": "52,-1"},
            "source.options.polygon: 52,-1 are not places. Valid: places as",
        ),
        ({"polygon": [[52, "-1"]]}, "are not places"),
        (
            {"polygon": [[b, a] for a, b in SQUARE]},
            "[-1.2, 52.6] lies outside of the country; latitude and longitude seem to be swapped",
        ),
        ({"polygon": SQUARE[:2]}, "source.options.polygon: it has 2 corners. Valid: 3 to 500"),
        ({"polygon": [*SQUARE[2:], *SQUARE[1::-1]]}, "crosses the one from"),
        ({"forces": "leicestershire"}, "source.options.forces: 'leicestershire' are not forces"),
        ({"first_month": "2023-1"}, "source.options.first_month: '2023-1' is not a month"),
        (
            {"first_month": "2023-05", "last_month": "2023-04"},
            "source.options.last_month: 2023-04 is before 2023-05. Valid: 2023-05 or later",
        ),
        ({"requests_per_s": 0}, "source.options.requests_per_s: 0 is not above 0"),
        ({"backoff_s": -1}, "source.options.backoff_s: -1 is not above 0"),
        ({"timeout_s": "long"}, "source.options.timeout_s: 'long' is not a number"),
        ({"radius": 3}, "source.options.radius is not an option of a police_uk source"),
    ],
)
def test_options_that_do_not_hold(case: UseCase, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        PoliceUkConnector(asked(case, **options), "http://127.0.0.1:9")
    assert message in caught.value.message


def test_a_polygon_may_end_where_it_begins(case: UseCase) -> None:
    closed, open_ = (asked(case, polygon=p) for p in ([*SQUARE, SQUARE[0]], SQUARE))
    digests = {
        PoliceUkConnector(c, "http://127.0.0.1:9")._settings.area_digest for c in (closed, open_)
    }
    assert len(digests) == 1


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("ftp://x", "is not the address of the API"),
        ("https://me:pw@api.example", "holds credentials"),
    ],
)
def test_addresses_that_are_none(case: UseCase, address: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        PoliceUkConnector(case, address)
    assert "pw" not in caught.value.message


def test_the_live_api_is_known_by_its_publisher(case: UseCase, server: Server) -> None:
    origin = PoliceUkConnector(case, f"{server.url}/api/").origin()
    assert origin.identity == {
        "kind": "police_uk",
        "publisher": "data.police.uk",
        "dataset": "all-crime",
    }
    assert (origin.address, set(origin.inputs)) == (server.url, {"area", "first_month"})
