"""Landing over real HTTP: each row once, whatever breaks on the way."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import orjson
import pytest
import requests

from goldlake_core.contracts.errors import (
    LockedError,
    PermanentError,
    RetryableError,
    StoreError,
    UsageError,
)
from goldlake_core.contracts.registry import load_usecase
from goldlake_core.contracts.sections import UseCase
from goldlake_core.documents.lakehouse import CursorState, Landed
from goldlake_core.storage.home import Home
from goldlake_core.storage.landing import LandingZone, content_of
from goldlake_core.storage.locks import StoreLock
from goldlake_simulators import server as simulator
from goldlake_simulators.base import SimulatorOptions
from lakehouse.sources.land import land
from lakehouse.sources.socrata import SocrataConnector
from lakehouse.sources.testing import Rows, Server
from tests.faults.lab import row, soda
from tests.simulators.conftest import Serve, with_source


def quiet(kind: str, message: str, **fields: Any) -> None:
    """Takes an event and says nothing."""


def zone_of(home: Home, usecase: UseCase) -> LandingZone:
    return LandingZone(home, usecase.name, usecase.source.dataset)


def landed_lines(home: Home, usecase: UseCase) -> list[bytes]:
    """All landed records in the order of the manifest; checks the manifest on the way."""
    zone = zone_of(home, usecase)
    lines: list[bytes] = []
    for entry in zone.manifest():
        page = zone.read_page(entry)
        assert (entry.rows, entry.content) == (len(page), content_of(page))
        lines += page
    return lines


def served_rows(usecase: UseCase, rows: int, seed: int) -> list[bytes]:
    """What the portal shows in the end, in the order of paging."""
    app: Any = simulator.application(usecase, SimulatorOptions(rows=rows, seed=seed))
    path = f"/resource/{usecase.source.dataset}.json"
    query = "$select=:*,*&$order=:updated_at,:id&$limit=50000"
    body: bytes = app.reply("GET", path, query, {}).body
    return body.removeprefix(b"[").removesuffix(b"]\n").split(b"\n,")


def ingest(
    usecase: UseCase, home: Home, url: str, since: str | None = None, until: str | None = None
) -> Landed:
    return land(usecase, home, url, since, until, "run-1", quiet)


@pytest.mark.parametrize("location", ["local", "memory"])
def test_everything_lands_once_and_again_nothing(
    toy: UseCase, serve: Serve, tmp_path: Path, location: str
) -> None:
    home = Home.at(tmp_path if location == "local" else f"memory://land{tmp_path.name}")
    url = serve(toy, rows=1_100, seed=1)
    events: list[dict[str, Any]] = []
    result = land(toy, home, url, None, None, "r", lambda k, m, **f: events.append({"m": m, **f}))
    assert (result.pages, result.rows, result.retries) == (6, 1_100, 0)
    assert result.identity["kind"] == "generated"
    assert events[-1] == {"m": "landed 1,100 rows", "done": 1_100, "total": 1_100}
    assert landed_lines(home, toy) == served_rows(toy, 1_100, 1)
    last = orjson.loads(landed_lines(home, toy)[-1])
    assert result.cursor == CursorState(value=last[":updated_at"], tiebreak=last[":id"])
    before = zone_of(home, toy).manifest()
    again = ingest(toy, home, url)
    assert (again.pages, again.rows, again.cursor) == (0, 0, result.cursor)
    assert zone_of(home, toy).manifest() == before


def test_pages_are_named_by_cursor_and_their_urls_hold_no_offset(
    toy: UseCase, serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOCRATA_APP_TOKEN", "secret-token")
    home = Home.at(tmp_path)
    ingest(toy, home, serve(toy, rows=500, seed=1))
    zone = zone_of(home, toy)
    first, *others = zone.manifest()
    assert first.first_cursor is None
    for entry, earlier in zip(others, [first, *others], strict=False):
        assert entry.sequence == earlier.sequence + 1
        assert entry.first_cursor == earlier.last_cursor
        assert entry.name == zone.page_name(earlier.last_cursor, sequence=entry.sequence)
        assert "$offset" not in entry.url
        assert "$order=:updated_at,:id" in entry.url
    everything = "".join(p.read_text() for p in tmp_path.rglob("*") if p.suffix == ".json")
    assert "secret-token" not in everything


@pytest.mark.parametrize("faults", ["429:0.2,500:0.1,202:0.1,cut:0.2", "503:0.4"])
def test_faults_lose_and_double_nothing(
    toy: UseCase, serve: Serve, tmp_path: Path, faults: str
) -> None:
    small = with_source(toy, page_rows=20, options={"backoff_s": 0.0001, "attempts": 20})
    result = ingest(small, Home.at(tmp_path), serve(toy, rows=600, seed=1, faults=faults))
    assert result.retries > 5
    assert result.requests == 30 + 1 + 2 + result.retries  # an empty page; identity, count
    assert landed_lines(Home.at(tmp_path), toy) == served_rows(toy, 600, 1)


def test_a_time_that_many_pages_share_is_got_past(
    toy: UseCase, serve: Serve, tmp_path: Path
) -> None:
    """As after a bulk change: 900 of 1,000 rows with one time, and pages of 70."""
    file = tmp_path / "rows.jsonl"
    rows = [
        {"call_id": f"C{i:05}", "changed": f"2024-01-{1 + (i > 50) + (i > 950):02}T08:00:00.000"}
        for i in range(1_000)
    ]
    file.write_bytes(b"\n".join(map(orjson.dumps, rows)))
    home = Home.at(tmp_path / "home")
    result = ingest(with_source(toy, page_rows=70), home, serve(toy, data=(file,)))
    assert (result.rows, result.pages) == (1_000, 15)
    landed = Counter(json.loads(line)["call_id"] for line in landed_lines(home, toy))
    assert landed == Counter(f"C{i:05}" for i in range(1_000))


class Killed(BaseException):
    """Ends a run as a signal would: nothing catches it on the way."""


def killed(method: Callable[..., Any], *, after: bool, at_call: int) -> Callable[..., Any]:
    """The method, dying before or after what it does at its n-th call."""
    calls = 0

    def dying(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == at_call and not after:
            raise Killed
        result = method(*args, **kwargs)
        if calls == at_call:
            raise Killed
        return result

    return dying


@pytest.mark.parametrize("at_call", [1, 2, 5])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("step", ["write_page", "write_manifest"])
def test_killed_at_any_step_it_lands_the_same_rows(
    toy: UseCase,
    serve: Serve,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    step: str,
    after: bool,
    at_call: int,
) -> None:
    small, home = with_source(toy, page_rows=50), Home.at(tmp_path)
    url = serve(toy, rows=240, seed=1)
    with monkeypatch.context() as patch:
        method = getattr(LandingZone, step)
        patch.setattr(LandingZone, step, killed(method, after=after, at_call=at_call))
        with pytest.raises(Killed):
            ingest(small, home, url)
    pages = {p.name: p.read_bytes() for p in Path(zone_of(home, toy).pages_uri).glob("*.gz")}
    committed = {entry.name for entry in zone_of(home, toy).manifest()}
    ingest(small, home, url)
    assert landed_lines(home, toy) == served_rows(toy, 240, 1)
    folder = Path(zone_of(home, toy).pages_uri)
    kept = {name: data for name, data in pages.items() if name in committed}
    assert {name: (folder / name).read_bytes() for name in kept} == kept, "a page was rewritten"
    names = {entry.name for entry in zone_of(home, toy).manifest()}
    assert {page.name for page in folder.iterdir()} == names, "a page without a line is left"
    assert ingest(small, home, url).rows == 0


def test_a_source_that_grows_lands_what_is_new(toy: UseCase, serve: Serve, tmp_path: Path) -> None:
    """The last page was written without its line when the run died: it counts for nothing."""
    files = [tmp_path / "rows.jsonl", tmp_path / "more.jsonl"]
    rows = [
        {"call_id": f"C{i:05}", "changed": f"2024-01-{i + 1:02}T08:00:00.000"} for i in range(9)
    ]
    for file, count in zip(files, (6, 9), strict=True):
        file.write_bytes(b"\n".join(map(orjson.dumps, rows[:count])))
    home, small = Home.at(tmp_path / "home"), with_source(toy, page_rows=4)
    with pytest.MonkeyPatch.context() as patch:
        method = LandingZone.write_manifest
        patch.setattr(LandingZone, "write_manifest", killed(method, after=False, at_call=2))
        with pytest.raises(Killed):
            ingest(small, home, serve(toy, data=(files[0],)))
    result = ingest(small, home, serve(toy, data=(files[1],)))
    ids = [json.loads(line)["call_id"] for line in landed_lines(home, toy)]
    assert ids == [row["call_id"] for row in rows]
    assert (result.rows, result.missing) == (5, 0)


def test_a_source_that_fails_for_good_keeps_what_landed(
    toy: UseCase, serve: Serve, tmp_path: Path
) -> None:
    small = with_source(toy, page_rows=100, options={"attempts": 2, "backoff_s": 0.0001})
    home = Home.at(tmp_path)
    with pytest.raises(RetryableError, match="it goes on where it stopped"):
        ingest(small, home, serve(toy, rows=1_100, seed=1, faults="500:0.35"))
    kept = len(landed_lines(home, toy))
    assert kept < 1_100
    result = ingest(small, home, serve(toy, rows=1_100, seed=1))
    assert result.rows == 1_100 - kept
    assert landed_lines(home, toy) == served_rows(toy, 1_100, 1)


def test_another_source_is_refused_and_nothing_lands(
    toy: UseCase, serve: Serve, tmp_path: Path
) -> None:
    home = Home.at(tmp_path)
    ingest(toy, home, serve(toy, rows=300, seed=1))
    before = landed_lines(home, toy)
    with pytest.raises(StoreError) as caught:
        ingest(toy, home, serve(toy, rows=300, seed=2))
    assert "seed 1, usecase toy_harbour), and this source is generated" in caught.value.message
    assert "Rows of two sources are never mixed" in caught.value.message
    assert f"--home {tmp_path}-2" in caught.value.message
    assert landed_lines(home, toy) == before
    assert ingest(toy, home, serve(toy, rows=300, seed=1)).rows == 0, "another port is the same"


def test_a_range_has_its_own_cursor(toy: UseCase, serve: Serve, tmp_path: Path) -> None:
    home, url = Home.at(tmp_path), serve(toy, rows=600, seed=1)
    february = ingest(toy, home, url, "2024-02-01", "2024-03-01")
    lines = [json.loads(line) for line in landed_lines(home, toy)]
    expected = [
        row
        for row in map(orjson.loads, served_rows(toy, 600, 1))
        if "2024-02-01" <= row["arrived"] < "2024-03-01"
    ]
    assert lines == expected
    assert february.rows == len(expected) > 50
    assert ingest(toy, home, url, "2024-02-01", "2024-03-01").rows == 0
    assert ingest(toy, home, url).rows == 600 - len(expected)
    assert {e.since for e in zone_of(home, toy).manifest()} == {None, "2024-02-01"}


@pytest.mark.parametrize(
    ("since", "until", "message"),
    [
        ("yesterday", None, "--since is 'yesterday'. Valid: a day, such as 2016-03-01"),
        (None, "20160301", "--until is '20160301'"),
        ("2016-03-01", "2016-03-01", "--since 2016-03-01 is not before --until 2016-03-01"),
    ],
)
def test_ranges_that_are_none(
    toy: UseCase, tmp_path: Path, since: str | None, until: str | None, message: str
) -> None:
    with pytest.raises(UsageError) as caught:
        ingest(toy, Home.at(tmp_path), "http://127.0.0.1:9", since, until)
    assert message in caught.value.message


def test_a_range_needs_a_time_field(toy: UseCase, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="toy_harbour names none"):
        ingest(with_source(toy, time_field=""), Home.at(tmp_path), "live", "2016-03-01")


def test_two_landings_at_once_are_refused(toy: UseCase, serve: Serve, tmp_path: Path) -> None:
    home, url = Home.at(tmp_path), serve(toy, rows=100, seed=1)

    def inside(kind: str, message: str, **fields: Any) -> None:
        with pytest.raises(LockedError):
            simulate_other(home, toy.name)

    assert land(toy, home, url, None, None, "r", inside).rows == 100


def simulate_other(home: Home, usecase: str) -> None:
    """Asks for the lock as another thread would."""
    import threading

    met: list[BaseException] = []

    def ask() -> None:
        try:
            with StoreLock(home, usecase):
                pass
        except LockedError as error:
            met.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    if met:
        raise met[0]


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("ftp://x", "is not the address of a Socrata portal"),
        ("somewhere", "is not the address of a Socrata portal"),
        ("https://me:pw@portal.example", "holds credentials"),
    ],
)
def test_addresses_that_are_none(toy: UseCase, tmp_path: Path, address: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        ingest(toy, Home.at(tmp_path), address)
    assert "pw" not in caught.value.message


def test_another_data_set_is_not_found(toy: UseCase, serve: Serve, tmp_path: Path) -> None:
    url = serve(toy, rows=10, seed=1)
    with pytest.raises(PermanentError, match="dataset.missing: Not found; is the data set's id"):
        ingest(with_source(toy, dataset="abcd-1234"), Home.at(tmp_path), url)
    assert not (tmp_path / "landing" / "toy_harbour" / "identity.json").exists()


def test_unknown_options_of_the_contract_are_refused(toy: UseCase) -> None:
    with pytest.raises(UsageError, match="source.options.retries is not an option") as caught:
        SocrataConnector(with_source(toy, options={"retries": 3}), "http://127.0.0.1:9")
    assert "attempts, backoff_s, timeout_s" in caught.value.message


def test_a_token_goes_over_https_only(toy: UseCase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOCRATA_APP_TOKEN", "secret-token")
    safe = SocrataConnector(toy, "https://portal.example")
    plain = SocrataConnector(toy, "http://127.0.0.1:9")
    assert safe._http._session.headers["X-App-Token"] == "secret-token"
    assert "X-App-Token" not in plain._http._session.headers


def test_what_was_committed_late_is_found_by_looking_back(toy: UseCase, tmp_path: Path) -> None:
    home, rows = Home.at(tmp_path), Rows([row(number) for number in (1, 2, 5)])

    def ingest(*, looks_back: bool) -> Landed:
        return land(toy, home, server.url, None, None, "run", quiet, looks_back=looks_back)

    with Server(soda, rows).running() as server:
        assert ingest(looks_back=False).rows == 3
        rows.all += [row(3), row(6)]
        server.asked.clear()
        assert ingest(looks_back=False).rows == 1
        assert not any(":updated_at >=" in unquote(target) for target in server.asked)
        assert ingest(looks_back=False).rows == 0
        assert ingest(looks_back=True).rows == 1
        assert ingest(looks_back=True).rows == 0
    landed = [json.loads(line)[":id"] for line in landed_lines(home, toy)]
    assert landed == [f"row-{number:06}" for number in (1, 2, 5, 6, 3)]


@pytest.mark.parametrize("looks_back", [True, False])
def test_time_played_forward_makes_a_stream(
    toy: UseCase, serve: Serve, tmp_path: Path, looks_back: bool
) -> None:
    """Polling a portal whose time passes lands rows bit by bit, amended ones once more."""
    chicago = with_source(load_usecase("chicago_crime"), options={"backoff_s": 0.001})
    url = serve(chicago, rows=1_000, seed=3, speed=40_000_000.0)  # the two years in 1.7 seconds
    home = Home.at(tmp_path)
    is_over = False
    while not is_over:
        about = requests.get(url).json()
        is_over = about["at"] > about["until"]  # what is landed from here on is all there is
        land(chicago, home, url, None, None, "run", quiet, looks_back=looks_back)
    assert len(zone_of(home, chicago).manifest()) > 3
    rows = [json.loads(line) for line in landed_lines(home, chicago)]
    newest = {row[":id"]: row for row in rows}
    assert sorted(newest.values(), key=lambda r: (r[":updated_at"], r[":id"])) == [
        orjson.loads(line) for line in served_rows(chicago, 1_000, 3)
    ]
    versions = Counter(row[":id"] for row in rows)
    assert len(versions) == 1_000
    assert max(versions.values()) > 1, "no amendment was seen"


@pytest.mark.long
def test_the_real_year_lands_whole(serve: Serve, tmp_path: Path, test_data: Path) -> None:
    """264,339 rows share the day of one bulk change: 27 pages, each row once."""
    chicago = load_usecase("chicago_crime")
    url = serve(chicago, data=(test_data / "chicago" / "crimes_2016.csv.gz",))
    home = Home.at(tmp_path)
    result = ingest(chicago, home, url)
    assert (result.rows, result.pages, result.retries) == (268_813, 27, 0)
    ids = {orjson.loads(line)["id"] for line in landed_lines(home, chicago)}
    assert len(ids) == 268_813
