"""The simulated API of the police: what it answers, refuses and amends, over real HTTP."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import requests

from goldlake_core.contracts.errors import UsageError
from goldlake_core.contracts.registry import load_usecase
from goldlake_core.contracts.sections import UseCase
from goldlake_simulators.base import SimulatorOptions
from goldlake_simulators.police_uk.api import Api
from goldlake_simulators.police_uk.crimes import (
    GONE,
    KEPT_MONTHS,
    Crimes,
    distance_km,
    is_inside,
    month_after,
)
from goldlake_simulators.police_uk.limits import Bucket, Limits
from goldlake_simulators.police_uk.replay import history, versions
from goldlake_simulators.police_uk.simulator import api
from tests.simulators.conftest import Serve, with_source

FROZEN = 1e-6
POLYGON = "52.615,-1.16:52.645,-1.16:52.645,-1.105:52.615,-1.105"
STREET = "/api/crimes-street/all-crime"
ALL = [(-90.0, -180.0), (90.0, -180.0), (90.0, 180.0), (-90.0, 180.0)]


@pytest.fixture(scope="module")
def case() -> UseCase:
    return load_usecase("uk_street_api")


@pytest.fixture
def url(case: UseCase, serve: Serve) -> str:
    return serve(case, rows=600, seed=1, faults="rate:1000")


def get(url: str, path: str, **parameters: str) -> Any:
    answer = requests.get(url + path, params=parameters)
    answer.raise_for_status()
    return answer.json()


def test_rows_have_the_fields_of_the_api(url: str) -> None:
    rows = get(url, STREET, poly=POLYGON, date="2023-03")
    assert len(rows) == 25
    assert list(rows[0]) == [
        *("category", "location_type", "location", "context", "outcome_status"),
        *("persistent_id", "id", "location_subtype", "month"),
    ]
    assert {row["month"] for row in rows} == {"2023-03"}
    assert list(rows[0]["location"]) == ["latitude", "street", "longitude"]
    assert isinstance(rows[0]["location"]["latitude"], str)
    assert len({row["id"] for row in rows}) == 25


def test_what_else_it_tells(url: str) -> None:
    dates = get(url, "/api/crimes-street-dates")
    assert (dates[0], dates[-1]["date"]) == (
        {"date": "2024-12", "stop-and-search": ["simulated"]},
        "2023-01",
    )
    assert get(url, "/api/crime-last-updated") == {"date": "2025-03-01"}
    assert get(url, "/api/forces") == [{"id": "simulated", "name": "Simulated Police"}]
    categories = get(url, "/api/crime-categories", date="2023-03")
    assert categories[0] == {"url": "all-crime", "name": "All crime"}
    assert {"url": "bicycle-theft", "name": "Bicycle theft"} in categories
    about = get(url, "/")
    assert (about["rows"], about["from"], about["until"]) == (600, "2023-03", "2025-03")
    assert about["months"][0] == "2023-01"
    assert about["identity"]["kind"] == "generated"


def test_areas_and_categories(url: str) -> None:
    rows = get(url, STREET, poly=POLYGON, date="2023-03")
    places = [(float(r["location"]["latitude"]), float(r["location"]["longitude"])) for r in rows]
    west = get(url, STREET, poly="52.5,-1.2:52.7,-1.2:52.7,-1.13:52.5,-1.13", date="2023-03")
    assert len(west) == sum(longitude < -1.13 for _, longitude in places)
    near = get(url, STREET, lat="52.63", lng="-1.13", date="2023-03")
    assert len(near) == sum(distance_km(each, (52.63, -1.13)) <= 1.609344 for each in places)
    assert 0 < len(near) < 25
    (kind, count), *_ = Counter(row["category"] for row in rows).most_common()
    assert len(get(url, f"/api/crimes-street/{kind}", poly=POLYGON, date="2023-03")) == count
    newest = get(url, STREET, poly=POLYGON)
    assert {row["month"] for row in newest} == {"2024-12"}
    assert get(url, "/api/crimes-no-location", category="all-crime", force="simulated") == []


@pytest.mark.parametrize(
    ("path", "parameters", "status"),
    [
        (STREET, {"poly": POLYGON, "date": "2019-01"}, 404),
        (STREET, {"poly": POLYGON, "date": "soon"}, 404),
        ("/api/crimes-street/litter", {"poly": POLYGON}, 404),
        ("/api/crimes-no-location", {"category": "all-crime", "force": "lancashire"}, 404),
        ("/api/nothing", {}, 404),
        (STREET, {"date": "2023-03"}, 400),
        (STREET, {"poly": "52,-1:53,-1"}, 400),
        (STREET, {"poly": "52,-1:53,-1:x,1"}, 400),
        (STREET, {"poly": ":".join(["52.615,-1.16"] * 400)}, 400),
    ],
)
def test_what_it_refuses(url: str, path: str, parameters: dict[str, str], status: int) -> None:
    assert requests.get(url + path, params=parameters).status_code == status


def test_long_questions_are_posted(url: str) -> None:
    corners = [f"{52.615 + n * 0.03 / 300:.6f},-1.16" for n in range(300)]
    polygon = ":".join([*corners, "52.645,-1.16", "52.645,-1.105", "52.615,-1.105"])
    answer = requests.post(url + STREET, data={"poly": polygon, "date": "2023-03"})
    assert (answer.status_code, len(answer.json())) == (200, 25)
    assert requests.post(f"{url}/api/crimes-street-dates").status_code == 405
    assert requests.head(f"{url}/api/crimes-street-dates").content == b""


def test_too_many_records_are_refused(case: UseCase, serve: Serve) -> None:
    url = serve(case, rows=600, seed=1, faults="most:24,rate:1000")
    month = {"poly": POLYGON, "date": "2023-03"}
    assert requests.get(url + STREET, params=month).status_code == 503
    assert len(get(url, "/api/crimes-street/drugs", **month)) < 24
    url = serve(case, rows=600, seed=1, faults="most:25,rate:1000")
    assert len(get(url, STREET, **month)) == 25


def test_too_many_requests_are_refused(case: UseCase, serve: Serve) -> None:
    url = serve(case, rows=10, seed=1, faults="rate:0.001")
    statuses = [requests.get(f"{url}/api/forces").status_code for _ in range(32)]
    assert statuses == [200] * 30 + [429] * 2


def test_a_bucket_leaks() -> None:
    times = iter([0.0, *[0.0] * 31, 1.0, *[1.0] * 15])
    bucket = Bucket(Limits(), now=lambda: next(times))
    assert [bucket.takes() for _ in range(31)] == [True] * 30 + [False]
    assert [bucket.takes() for _ in range(16)] == [True] * 15 + [False]


@pytest.mark.parametrize("spec", ["most:0", "most:many", "rate:0", "rate:-1", "rate"])
def test_limits_that_are_none(spec: str) -> None:
    with pytest.raises(UsageError, match="has a limit that is not a number above 0"):
        Limits.parse(spec)


def test_limits_and_faults_are_one_list() -> None:
    assert Limits.parse("429:0.1,most:500, rate:20,cut:0.2") == (
        Limits(500, 20.0, 30),
        "429:0.1,cut:0.2",
    )
    assert Limits.parse(None) == (Limits(10_000, 15.0, 30), "")


def shown(app: Api, month: str) -> dict[str, dict[str, Any]]:
    """The crimes of a month as the newest update shows them, by their lasting id."""
    update = app.crimes.update_at(app.clock.at())
    assert update is not None
    rows = [json.loads(each.body) for each in app.crimes.shown(update)[month]]
    return {row["persistent_id"]: row for row in rows if row["persistent_id"]}


def test_outcomes_are_amended_by_later_updates(case: UseCase) -> None:
    options = {"rows": 2_400, "seed": 1, "speed": FROZEN}
    states = [
        shown(api(case, SimulatorOptions(start=start, **options)), "2023-06")  # type: ignore[arg-type]
        for start in ("2023-08-02", "2023-11-02")
    ]
    same = [key for key in states[0] if key in states[1]]
    outcomes = [{key: state[key]["outcome_status"] for key in same} for state in states]
    changed = [key for key in same if outcomes[0][key] != outcomes[1][key]]
    assert 10 < len(changed) < len(same)
    for key in changed:
        before, after = (state[key] for state in outcomes)
        assert before["category"] == "Under investigation"
        assert after["date"] > before["date"]
    assert all(states[0][key]["id"] != states[1][key]["id"] for key in same), "numbered anew"
    late = api(case, SimulatorOptions(start="2023-02-02", **options))  # type: ignore[arg-type]
    assert late.about().months == ()


def crime(month: str, updated: str, crime: str = "a", **fields: Any) -> dict[str, Any]:
    place = {"latitude": "52.6", "street": {"id": 1, "name": "x"}, "longitude": "-1.1"}
    row = {"category": "drugs", "location": place, "month": month}
    return {**row, ":crime": crime, ":updated": updated, **fields}


def test_old_months_are_dropped_and_empty_ones_are_not() -> None:
    rows = [crime("2020-01", "2020-03", "a"), crime("2023-06", "2023-08", "b")]
    crimes = Crimes(rows)
    assert crimes.months("2020-03") == ["2020-01"]
    months = crimes.months("2023-08")
    assert (len(months), months[0], months[-1]) == (KEPT_MONTHS, "2020-07", "2023-06")
    assert crimes.update_at("2020-02-28T00:00:00.000Z") is None
    assert crimes.update_at(None) == "2023-08"


def test_a_crime_may_be_taken_out() -> None:
    rows = [crime("2023-01", "2023-03"), crime("2023-01", "2023-05", **{GONE: True})]
    crimes = Crimes(rows)
    assert len(crimes.shown("2023-03")["2023-01"]) == 1
    assert crimes.shown("2023-05") == {}
    assert crimes.months("2023-05") == []


def test_places() -> None:
    assert is_inside((1.0, 1.0), ALL)
    assert not is_inside((91.0, 1.0), ALL)
    assert distance_km((52.0, 0.0), (53.0, 0.0)) == pytest.approx(111.2, abs=0.1)
    assert [month_after("2023-11", n) for n in (0, 1, 2, 14)] == [
        *("2023-11", "2023-12", "2024-01", "2025-01")
    ]


def test_a_history_follows_the_outcome() -> None:
    late = crime("2023-01", "", outcome_status={"category": "Local resolution", "date": "2023-04"})
    before, after = history("a", late)
    assert (before[":updated"], after[":updated"]) == ("2023-03", "2023-06")
    assert before["outcome_status"] == {"category": "Under investigation", "date": "2023-01"}
    assert after["outcome_status"] == late["outcome_status"]
    (only,) = history("a", crime("2023-01", "", outcome_status=None))
    assert only[":updated"] == "2023-03"


def test_a_body_of_the_real_api_is_replayed(case: UseCase, serve: Serve, test_data: Path) -> None:
    file = test_data / "uk_police" / "api_crimes_leicester_2023-01.json.gz"
    real = json.loads(gzip.decompress(file.read_bytes()))
    url = serve(case, data=(file,), faults="rate:1000")
    assert get(url, "/")["rows"] == len(real) == 1_448
    rows = get(url, STREET, poly="52.6,-1.2:52.7,-1.2:52.7,-1.1:52.6,-1.1", date="2023-01")

    def kept(records: list[dict[str, Any]]) -> Counter[str]:
        told = ({n: v for n, v in record.items() if n != "id"} for record in records)
        return Counter(json.dumps(each, sort_keys=True) for each in told)

    assert kept(rows) == kept(real)
    assert get(url, "/")["identity"] == {"kind": "replay", "dataset": "all-crime"}
    first = serve(case, data=(file,), faults="rate:1000", start="2023-03-01", speed=FROZEN)
    before = get(first, STREET, poly="52.6,-1.2:52.7,-1.2:52.7,-1.1:52.6,-1.1")
    open_cases = Counter((row["outcome_status"] or {}).get("category") for row in before)
    late = [r for r in real if r["outcome_status"] and r["outcome_status"]["date"] > "2023-01"]
    assert open_cases["Under investigation"] == len(late) == 642


def test_files_of_the_archive_are_replayed(case: UseCase, test_data: Path) -> None:
    files = tuple(sorted((test_data / "uk_police").glob("*-street.csv.gz")))
    app = api(case, SimulatorOptions(data=files))
    assert (len(app.crimes), len(app.about().months)) == (9_992, 12)
    (january,) = [app.crimes.shown(app.crimes.updates[-1])["2024-01"]]
    without = [each for each in january if each.point is None]
    assert json.loads(january[0].body)["persistent_id"].startswith("e7b720d0e1302d2d")
    reply = app.reply(
        "GET", "/api/crimes-no-location", "category=all-crime&force=simulated&date=2024-01"
    )
    assert len(json.loads(reply.body)) == len(without)
    inside = sum(is_inside(each.point, ALL) for each in january if each.point)
    assert inside + len(without) == len(january)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.txt", "", "unknown file type"),
        ("a.json", "{", "is not JSON"),
        ("a.json", '{"a": 1}', "does not hold crimes as the API answers them"),
        ("a.json", '[{"a": 1}]', "does not hold crimes"),
        ("a.csv", "a,b\n1,2\n", "the header lacks Crime ID, Crime type, Last"),
        (
            "a.csv",
            "Crime ID,Month,Longitude,Latitude,Location,Crime type,Last outcome category\n1,2\n",
            "a.csv:2: the line has too few fields. Next: download the file again",
        ),
    ],
)
def test_files_that_are_not_of_the_api(tmp_path: Path, name: str, text: str, message: str) -> None:
    file = tmp_path / name
    file.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        list(versions(file, print))
    assert message in caught.value.message


def test_nothing_to_serve(case: UseCase, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("[]", encoding="utf-8")
    with pytest.raises(UsageError, match="There are no rows to serve"):
        api(case, SimulatorOptions(data=(tmp_path / "a.json",)))
    with pytest.raises(UsageError, match="has no generator of rows"):
        api(with_source(case, generator=None), SimulatorOptions())
    with pytest.raises(UsageError, match="'soon' is not a valid timestamp"):
        api(case, SimulatorOptions(rows=10, start="soon", speed=1.0))
    with pytest.raises(UsageError, match="--speed is 0"):
        api(case, SimulatorOptions(rows=10, speed=0.0))
