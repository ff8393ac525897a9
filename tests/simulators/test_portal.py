"""The simulated portal over real HTTP: statuses, headers, bodies, time."""

from __future__ import annotations

import json
import socket
from typing import Any

import pytest
import requests

from goldlake_core.contracts.errors import UsageError
from goldlake_core.contracts.sections import UseCase
from goldlake_simulators.base import SimulatorOptions
from goldlake_simulators.clock import Clock
from goldlake_simulators.server import running
from goldlake_simulators.socrata.portal import Portal
from goldlake_simulators.socrata.simulator import portal
from tests.simulators.conftest import Serve, with_source

PATH = "/resource/harb-cal1.json"


@pytest.fixture
def url(toy: UseCase, serve: Serve) -> str:
    return serve(toy, rows=600, seed=1)


def test_rows_and_headers(url: str) -> None:
    answer = requests.get(f"{url}{PATH}", params={"$limit": 2, "$select": "call_id,crew,pilot,:id"})
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json;charset=utf-8"
    assert json.loads(answer.headers["X-SODA2-Fields"]) == ["call_id", "crew", "pilot", ":id"]
    assert json.loads(answer.headers["X-SODA2-Types"]) == [
        "text",
        "number",
        "checkbox",
        "row_identifier",
    ]
    assert answer.headers["Last-Modified"].endswith("GMT")
    rows = answer.json()
    assert len(rows) == 2
    assert isinstance(rows[0]["crew"], str)
    again = requests.get(answer.url, headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_the_default_limit_is_a_thousand(toy: UseCase, serve: Serve) -> None:
    url = serve(toy, rows=1_200, seed=1)
    assert len(requests.get(url + PATH).json()) == 1_000
    assert len(requests.get(url + PATH, params={"$limit": 50_000}).json()) == 1_200


def test_errors_have_the_bodies_of_the_api(url: str) -> None:
    answer = requests.get(f"{url}{PATH}?$where=nope=1")
    assert answer.status_code == 400
    assert answer.json() == {
        "code": "query.soql.no-such-column",
        "error": True,
        "message": "No such column: nope",
        "data": {"query": "$where=nope=1"},
    }
    missing = requests.get(f"{url}/resource/abcd-1234.json")
    assert missing.status_code == 404
    assert missing.json()["data"] == {"id": "abcd-1234"}
    assert requests.post(url + PATH, json={}).status_code == 405
    assert requests.get(f"{url}{PATH}?$where=%FF").status_code == 400


def test_a_head_request_has_headers_only(url: str) -> None:
    answer = requests.head(url + PATH)
    assert (answer.status_code, answer.content) == (200, b"")
    assert "X-SODA2-Fields" in answer.headers


def test_the_identity_is_that_of_the_rows_not_of_the_port(toy: UseCase, serve: Serve) -> None:
    def told(**options: Any) -> Any:
        return json.loads(requests.get(serve(toy, **options) + PATH).headers["X-Goldlake-Source"])

    first = told(rows=50, seed=1)
    assert first["identity"] == {
        "kind": "generated",
        "usecase": "toy_harbour",
        "generator": "generate.rows",
        "seed": 1,
    }
    assert first["inputs"]["rows"] == 50
    assert told(rows=50, seed=1, speed=10.0, faults="slow:0.0") == first
    assert told(rows=50, seed=2)["identity"] != first["identity"]
    more = told(rows=51, seed=1)
    assert (more["identity"], more["inputs"]["rows"]) == (first["identity"], 51)


def test_the_root_tells_what_is_served(url: str) -> None:
    about = requests.get(url).json()
    assert (about["dataset"], about["path"], about["rows"]) == ("harb-cal1", PATH, 600)
    assert about["at"] is None


@pytest.mark.parametrize("status", [202, 429, 500])
def test_faults_on_request(toy: UseCase, serve: Serve, status: int) -> None:
    answer = requests.get(serve(toy, rows=10, faults=f"{status}:1") + PATH)
    assert answer.status_code == status
    assert answer.json()["error"] is True


def test_a_cut_breaks_the_connection_midway(toy: UseCase, serve: Serve) -> None:
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        requests.get(serve(toy, rows=100, faults="cut:1") + PATH)


class Ticks:
    """A clock that goes where the test says."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_time_plays_forward_and_shows_amendments(toy: UseCase) -> None:
    """At each instant the portal shows of each row its newest version till then."""
    whole = portal(toy, SimulatorOptions(rows=600, seed=1))
    dataset, ticks = whole.dataset, Ticks()
    clock = Clock(str(dataset.earliest), 86_400.0, now=ticks)
    playing = Portal("harb-cal1", dataset, {}, clock, whole.faults)

    def rows() -> list[dict[str, Any]]:
        query = "$select=:*,*&$limit=50000&$order=:updated_at,:id"
        found: list[dict[str, Any]] = json.loads(playing.reply("GET", PATH, query, {}).body)
        return found

    seen: set[tuple[str, str]] = set()
    counts = []
    for _ in range(40):
        shown = rows()
        assert all(row[":updated_at"] <= str(clock.at()) for row in shown)
        assert len({row[":id"] for row in shown}) == len(shown)
        seen |= {(row[":id"], row[":updated_at"]) for row in shown}
        counts.append(len(shown))
        ticks.now += 10
    assert counts[0] == 1
    assert counts == sorted(counts)
    final = json.loads(whole.reply("GET", PATH, "$select=:*&$limit=50000", {}).body)
    assert seen >= {(row[":id"], row[":updated_at"]) for row in final}
    assert len(rows()) == len(final) == len(dataset)


def test_a_taken_port_is_one_clear_error(toy: UseCase) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with (
            pytest.raises(UsageError, match=f"Cannot listen on 127.0.0.1:{port}") as caught,
            running(toy, SimulatorOptions(rows=1), port=port),
        ):
            pass
    assert "--port 0" in caught.value.message


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rows": 0}, "--rows is 0"),
        ({"speed": 0.0}, "--speed is 0.0"),
        ({"faults": "tea:1"}, "'tea:1' is not a valid fault"),
        ({"start": "soon", "speed": 1.0}, "'soon' is not a valid timestamp"),
    ],
)
def test_options_that_do_not_hold(toy: UseCase, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        portal(toy, SimulatorOptions(**options))


def test_a_use_case_without_generator_needs_data(toy: UseCase) -> None:
    with pytest.raises(UsageError, match="no generator of rows") as caught:
        portal(with_source(toy, generator=None), SimulatorOptions())
    assert "--data FILE" in caught.value.message
