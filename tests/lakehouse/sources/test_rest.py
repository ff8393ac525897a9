"""A declared REST source keeps the laws of its paging, and keeps its secrets."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from goldlake_core.contracts.errors import ContractError, PermanentError, UsageError
from goldlake_core.contracts.loader import load_contract
from goldlake_core.contracts.sections import UseCase
from goldlake_core.storage.home import Home
from goldlake_core.storage.landing import LandingZone
from lakehouse.sources.base import Patience
from lakehouse.sources.land import land
from lakehouse.sources.rest import RestConnector
from lakehouse.sources.testing import ODD_VALUES, Kit, Rows, Server, findings

PATIENCE = Patience(attempts=3, backoff_s=0.0005)
ROWS = [
    b'{"id": "r%02d", "at": "2024-01-01T00:00:%02d", "v": %s}'
    % (n, n // 2, ODD_VALUES[n] if n < 3 else b"1")
    for n in range(30)
]


def usecase(folder: Path, rest: str, url: str = "http://127.0.0.1/rows", rows: int = 10) -> UseCase:
    target = folder / "feed"
    target.mkdir(exist_ok=True)
    text = f"name: feed\nsource:\n  kind: rest\n  address: {url}\n  page_rows: {rows}\n"
    text += f"  rest: {rest}\n" if rest else ""
    text += "silver:\n  key: [id]\n  columns: {id: {type: string, nullable: false}}\n"
    (target / "contract.yaml").write_text(text, encoding="utf-8")
    return load_contract(target)


def asked(target: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(target).query).items()}


def by_offset(target: str, rows: Rows) -> bytes:
    query = asked(target)
    return rows.page(rows.all[int(query["skip"]) :], int(query["limit"]))


def by_number(target: str, rows: Rows) -> bytes:
    query = asked(target)
    size = min(int(query["limit"]), rows.cap or 1000)
    return rows.page(rows.all[(int(query["page"]) - 1) * size :], size)


def by_cursor(target: str, rows: Rows) -> bytes:
    begin = int(asked(target).get("after", "0"))
    page = rows.page(rows.all[begin:], 10)
    end = begin + min(10, rows.cap or 10)
    following = b"null" if end >= len(rows.all) else b'"%d"' % end
    return b'{"data": {"items": ' + page + b'}, "meta": {"next": ' + following + b"}}"


def by_value(target: str, rows: Rows) -> bytes:
    begin = asked(target).get("since", "")
    found = [row for row in rows.all if row.split(b'"')[7].decode() >= begin]
    return rows.page(found, 10)


KINDS: dict[str, tuple[str, Callable[[str, Rows], bytes]]] = {
    "offset": ("{paging: {kind: offset, parameter: skip, size_parameter: limit}}", by_offset),
    "page": ("{paging: {kind: page, first: 1, size_parameter: limit}}", by_number),
    "cursor": (
        "{records: data.items, paging: {kind: cursor, parameter: after, path: meta.next}}",
        by_cursor,
    ),
    "incremental": ("{incremental: {field: at, parameter: since, id: id}}", by_value),
    "incremental without ids": ("{incremental: {field: at, parameter: since}}", by_value),
    "whole": ("", lambda target, rows: rows.page(rows.all, 1000)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_way_of_paging_keeps_the_laws(tmp_path: Path, kind: str) -> None:
    rest, answer = KINDS[kind]
    case = usecase(tmp_path, rest)
    kit = Kit(connector=lambda url: RestConnector(case, url, PATIENCE), answer=answer, rows=ROWS)
    found = findings(kit)
    if kind == "whole":  # it has no pages that could be short
        found = [each for each in found if not each.startswith("reads everything in short pages")]
    assert found == []


def read(case: UseCase, url: str) -> list[bytes]:
    reader = RestConnector(case, url, PATIENCE)
    try:
        rows, page = [], reader.page(None, None, None)
        while True:
            rows += page.rows
            if page.next_cursor is None:
                return rows
            page = reader.page(page.next_cursor, None, None)
    finally:
        reader.close()


@pytest.mark.parametrize("kind", ["link", "cursor in a header"])
def test_pages_that_a_header_leads_to(tmp_path: Path, kind: str) -> None:
    def answer(target: str, rows: Rows) -> bytes:
        begin = int(asked(target).get("cursor", "0"))
        end = begin + 7
        server.headers = {}
        if end < len(rows.all):
            link = {"Link": f'</rows?cursor={end}&a=b>; rel="next", </>; rel="first"'}
            server.headers = link if kind == "link" else {"X-Next": str(end)}
        return rows.page(rows.all[begin:], 7)

    rest = (
        "{paging: {kind: link}}" if kind == "link" else "{paging: {kind: cursor, header: X-Next}}"
    )
    server = Server(answer, Rows(list(ROWS)))
    with server.running():
        assert read(usecase(tmp_path, rest), f"{server.url}/rows") == ROWS


def test_a_link_to_another_host_is_refused(tmp_path: Path) -> None:
    server = Server(lambda target, rows: rows.page(rows.all, 5), Rows(list(ROWS)))
    server.headers = {"Link": '<http://127.0.0.2:1/rows>; rel="next"'}
    with server.running(), pytest.raises(PermanentError, match=r"another host: 127\.0\.0\.2:1"):
        read(usecase(tmp_path, "{paging: {kind: link}}"), server.url)


def test_more_records_of_one_value_than_a_page_has_are_refused(tmp_path: Path) -> None:
    rows = [b'{"id": "%d", "at": "a"}' % n for n in range(25)]
    case = usecase(tmp_path, "{incremental: {field: at, parameter: since, id: id}}")
    server = Server(by_value, Rows(rows))
    with server.running():
        reader = RestConnector(case, server.url, PATIENCE)
        page = reader.page(None, None, None)
        assert len(page.rows) == 10
        last = reader.key(page.rows[-1])
        with pytest.raises(PermanentError, match="10 records or more with the value a"):
            reader.page(last, None, None)


def test_a_second_poll_asks_for_what_is_new(tmp_path: Path) -> None:
    case = usecase(tmp_path, "{incremental: {field: at, parameter: since, id: id}}")
    server = Server(by_value, Rows(list(ROWS)))
    home = Home.at(tmp_path / "home")

    def quiet(kind: str, message: str, **fields: Any) -> None:
        pass

    with server.running():
        first = land(case, home, server.url, None, None, "run", quiet)
        assert first.rows == 30
        before = len(server.asked)
        server.rows.all.append(b'{"id": "new", "at": "2024-02-01T00:00:00", "v": 1}')
        second = land(case, home, server.url, None, None, "run", quiet)
    assert second.rows == 1
    assert all("since=" in target for target in server.asked[before:])
    zone = LandingZone(home, "feed", "feed")
    landed = [line for entry in zone.manifest() for line in zone.read_page(entry)]
    assert landed == server.rows.all


def test_parameters_are_sent_as_they_are_declared(tmp_path: Path) -> None:
    case = usecase(tmp_path, '{parameters: {q: "a b&c", "lat": "52.6"}}')
    server = Server(lambda target, rows: rows.page(rows.all, 99), Rows(list(ROWS)))
    with server.running():
        read(case, f"{server.url}/v1/rows")
    assert server.asked == ["/v1/rows?q=a%20b%26c&lat=52.6"]


@pytest.mark.parametrize(
    ("auth", "secret", "header"),
    [
        ("{kind: bearer, env: FEED_SECRET}", "t0k", "Authorization: Bearer t0k"),
        ("{kind: basic, env: FEED_SECRET}", "me:pass", "Authorization: Basic bWU6cGFzcw=="),
        ("{kind: header, env: FEED_SECRET, header: X-Key}", "k3y", "X-Key: k3y"),
    ],
)
def test_a_secret_travels_in_a_header_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, auth: str, secret: str, header: str
) -> None:
    case = usecase(tmp_path, f"{{auth: {auth}}}")
    monkeypatch.delenv("FEED_SECRET", raising=False)
    with pytest.raises(UsageError, match="FEED_SECRET is not set.*export FEED_SECRET"):
        RestConnector(case)
    monkeypatch.setenv("FEED_SECRET", secret)
    name, value = header.split(": ")
    reader = RestConnector(case)
    assert reader._http._session.headers[name] == value
    assert secret not in json.dumps([reader.origin().identity, reader.origin().address])
    with pytest.raises(UsageError, match="for anybody to read"):
        RestConnector(case, "http://api.example.org/rows")
    RestConnector(case, "https://api.example.org/rows")


def test_a_proxy_and_a_file_of_authorities(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case = usecase(tmp_path, "{proxy: {env: FEED_PROXY}, ca_file: ca.pem}")
    with pytest.raises(UsageError, match=r"ca_file is ca\.pem"):
        RestConnector(case)
    (case.folder / "ca.pem").write_text("", encoding="utf-8")
    monkeypatch.delenv("FEED_PROXY", raising=False)
    with pytest.raises(UsageError, match="FEED_PROXY, which names the proxy, is not set"):
        RestConnector(case)
    proxied = Server(lambda target, rows: rows.page(rows.all, 99), Rows(list(ROWS)))
    with proxied.running():
        monkeypatch.setenv("FEED_PROXY", proxied.url)
        assert read(case, "http://api.example.invalid/rows") == ROWS
    assert proxied.asked == ["http://api.example.invalid/rows"]


def test_requests_keep_their_pace(tmp_path: Path) -> None:
    from lakehouse.sources.base import Traffic
    from lakehouse.sources.http import Http

    waits: list[float] = []
    server = Server(lambda target, rows: rows.page(rows.all, 99), Rows(list(ROWS)))
    with server.running():
        http = Http(Traffic(), interval_s=5.0, sleep=waits.append)
        for _ in range(3):
            http.get(server.url, lambda response: response.body)
    assert len(waits) == 2
    assert 4 < waits[0] <= 5 < waits[1] <= 10


@pytest.mark.parametrize(
    ("rest", "reason"),
    [
        ("{paging: {kind: cursor}}", "the next cursor has no place"),
        ("{paging: {kind: cursor, path: a, header: B}}", "the next cursor has two places"),
        ("{paging: {kind: page, path: a}}", "path does not go with paging of kind page"),
        ("{paging: {kind: pages}}", "unknown value 'pages'"),
        ("{auth: {kind: header, env: A}}", "the key 'header' is missing"),
        ("{auth: {kind: basic, env: A, header: B}}", "the header has a fixed name"),
        (
            "{paging: {kind: link}, incremental: {field: a, parameter: b}}",
            "incremental pages follow the last record",
        ),
        ("{requests_per_s: 0}", "0.0 is out of bounds"),
    ],
)
def test_what_does_not_hold_is_named(tmp_path: Path, rest: str, reason: str) -> None:
    with pytest.raises(ContractError, match=reason):
        usecase(tmp_path, rest)


def test_an_answer_of_another_shape_is_asked_for_again_and_refused_in_words(tmp_path: Path) -> None:
    case = usecase(tmp_path, "{records: data.items}")
    server = Server(lambda target, rows: b'{"data": {"rows": []}}', Rows(list(ROWS)))
    with server.running(), pytest.raises(Exception, match="it has no data.items"):
        read(case, server.url)
    assert len(server.asked) == PATIENCE.attempts
