"""What the portal answers to queries of a small data set, compared with plain Python."""

from __future__ import annotations

import sqlite3
from typing import Any
from urllib.parse import urlencode

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldlake_simulators.clock import Clock
from goldlake_simulators.faults import Faults
from goldlake_simulators.replies import Reply
from goldlake_simulators.socrata.dataset import Dataset, Record
from goldlake_simulators.socrata.portal import Portal

TYPES = {"name": "text", "size": "number", "open": "checkbox", "day": "floating_timestamp"}
ROWS: list[dict[str, Any]] = [
    {"name": "b", "size": "10", "open": True, "day": "2016-03-01T00:00:00.000"},
    {"name": "a", "size": "9", "open": False, "day": "2016-02-29T23:59:59.999"},
    {"name": "", "size": "9.5", "day": "2016-03-01T12:00:00.000"},
    {"size": "-1", "open": True},
    {"name": "it's"},
]


def time_of(number: int) -> str:
    return f"2018-02-10T21:50:{number:02}.000Z"


def dataset(rows: list[dict[str, Any]] = ROWS) -> Dataset:
    # Two rows share each time of change.
    return Dataset(
        TYPES,
        [
            Record(f"row-{i}", time_of(i // 2), time_of(i // 2), orjson.dumps(row))
            for i, row in enumerate(rows)
        ],
    )


def reply(data: Dataset | None = None, at: str | None = None, **parameters: str) -> Reply:
    """The portal's answer to ``$name=value&…``; with ``at``, at that instant."""
    whole = dataset() if data is None else data
    clock = Clock(at or time_of(0), None if at is None else 1.0, now=lambda: 0.0)
    query = urlencode({f"${name}": value for name, value in parameters.items()})
    return Portal("test-data", whole, {}, clock, Faults()).reply(
        "GET", "/resource/test-data.json", query, {}
    )


def ask(data: Dataset | None = None, at: str | None = None, **parameters: str) -> Any:
    answer = reply(data, at, **parameters)
    assert answer.status == 200, answer.body
    return orjson.loads(answer.body)


def refused(**parameters: str) -> dict[str, Any]:
    """The document of an answer with status 400."""
    answer = reply(**parameters)
    assert answer.status == 400, answer.body
    document: dict[str, Any] = orjson.loads(answer.body)
    return document


def names(where: str) -> list[int]:
    """Numbers of the rows that fulfil a condition."""
    rows = ask(select=":id", where=where, order=":updated_at,:id")
    return [int(row[":id"].removeprefix("row-")) for row in rows]


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("size > 9", [0, 2]),  # as numbers: '10' > '9'
        ("size = '9.5'", [2]),
        ("9 >= size", [1, 3]),
        ("name = ''", [2]),  # empty is not missing
        ("name is null", [3]),
        ("name is not null and not name = 'a'", [0, 2, 4]),
        ("not size > 9", [1, 3]),  # null stays null: row 4 is on neither side
        ("open", [0, 3]),
        ("open = false", [1]),
        ("open is null or size < 0", [2, 3, 4]),
        ("day >= '2016-03-01'", [0, 2]),
        ("day < '2016-03-01T00:00:00'", [1]),
        ("day between '2016-02-29' and '2016-03-01'", [0, 1]),
        ("name in ('a', 'it''s')", [1, 4]),
        ("size not in (9, 10)", [2, 3]),
        ("name like '%t_s'", [4]),
        ("starts_with(name, 'it')", [4]),
        ("upper(name) = 'A'", [1]),
        (":id = 'row-3'", [3]),
        (":updated_at = '2018-02-10T15:50:01-06:00'", [2, 3]),
    ],
)
def test_conditions(where: str, expected: list[int]) -> None:
    assert names(where) == expected


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"where": "nope = 1"}, "query.soql.no-such-column"),
        ({"order": "nope"}, "query.soql.no-such-column"),
        ({"select": "nope"}, "query.soql.no-such-column"),
        ({"where": "size = 'big'"}, "query.soql.type-mismatch"),
        ({"where": "day > 'yesterday'"}, "query.soql.type-mismatch"),
        ({"where": "name"}, "query.soql.type-mismatch"),
        ({"where": "frobnicate(name) = 'a'"}, "query.soql.no-such-function"),
        ({"select": "median(size)"}, "query.soql.no-such-function"),
        ({"select": "name, count(*)"}, "query.soql.column-not-in-group-bys"),
        ({"limit": "50001"}, "query.soql.invalid-parameter"),
        ({"limit": "-1"}, "query.soql.invalid-parameter"),
        ({"offset": "x"}, "query.soql.invalid-parameter"),
        ({"group": "name"}, "query.soql.unsupported-parameter"),
    ],
)
def test_what_is_refused(parameters: dict[str, str], code: str) -> None:
    assert refused(**parameters)["code"] == code


def test_select_picks_renames_and_keeps_missing_values_missing() -> None:
    rows = ask(select="name, size as metres, :id", order=":id", limit="4")
    assert rows[0] == {"name": "b", "metres": "10", ":id": "row-0"}
    assert rows[2] == {"name": "", "metres": "9.5", ":id": "row-2"}
    assert rows[3] == {"metres": "-1", ":id": "row-3"}
    whole = ask(select=":*,*", order=":id", limit="1")[0]
    assert whole == {
        ":id": "row-0",
        ":created_at": time_of(0),
        ":updated_at": time_of(0),
        **ROWS[0],
    }


def test_aggregates() -> None:
    assert ask(select="count(*)") == [{"count": "5"}]
    assert ask(select="count(name) as named, min(size), max(day)", where="size > 0") == [
        {"named": "3", "min_size": "9", "max_day": "2016-03-01T12:00:00.000"}
    ]
    assert ask(select="sum(size), avg(size)", where="size > 9") == [
        {"sum_size": "19.5", "avg_size": "9.75"}
    ]
    assert ask(select="max(size)", where="size > 99") == [{}]


def test_order_puts_nulls_last_ascending_and_first_descending() -> None:
    assert [r.get("name") for r in ask(order="name")] == ["", "a", "b", "it's", None]
    assert [r.get("name") for r in ask(order="name desc")] == [None, "it's", "b", "a", ""]
    ordered = ask(order="open desc, size", select="size, open", where="size is not null")
    assert [r["size"] for r in ordered] == ["9.5", "-1", "10", "9"]


def test_without_order_pages_by_offset_do_not_fit_together() -> None:
    rows = [{"name": str(i)} for i in range(50)]
    pages = [ask(dataset(rows), limit="10", offset=str(o)) for o in range(0, 50, 10)]
    seen = [row["name"] for page in pages for row in page]
    assert len(seen) == 50
    assert len(set(seen)) < 50
    assert ask(dataset(rows), limit="10") == ask(dataset(rows), limit="10")


def test_versions_show_the_newest_till_an_instant() -> None:
    data = Dataset(
        TYPES,
        [
            Record("row-a", time_of(1), time_of(1), b'{"size":"1"}'),
            Record("row-a", time_of(1), time_of(5), b'{"size":"2"}'),
            Record("row-b", time_of(3), time_of(3), b'{"size":"3"}'),
        ],
    )
    assert (len(data), data.versions) == (2, 3)

    def sizes(at: str | None) -> list[str]:
        return [r["size"] for r in ask(data, at=at, order=":updated_at,:id", select="size")]

    assert sizes(time_of(0)) == []
    assert sizes(time_of(1)) == ["1"]
    assert sizes(time_of(4)) == ["1", "3"]
    assert sizes(time_of(5)) == sizes(None) == ["3", "2"]


@given(
    times=st.lists(st.integers(0, 3), max_size=30),
    page_rows=st.integers(1, 7),
    keeps=st.integers(0, 2),
)
def test_paging_by_key_gives_each_row_once(times: list[int], page_rows: int, keeps: int) -> None:
    """However many rows share a time, with and without another condition."""
    data = Dataset(
        TYPES,
        [
            Record(
                f"row-{(i * 7) % 31:02}", time_of(t), time_of(t), orjson.dumps({"size": str(i % 3)})
            )
            for i, t in enumerate(times)
        ],
    )
    seen: list[tuple[str, str]] = []
    where = f"size >= {keeps}"
    while True:
        if seen:
            time, row_id = seen[-1]
            behind = f"(:updated_at > '{time}' or (:updated_at = '{time}' and :id > '{row_id}'))"
            where = f"{behind} and size >= {keeps}"
        page = ask(data, select=":*", where=where, order=":updated_at,:id", limit=str(page_rows))
        if not page:
            break
        seen += [(row[":updated_at"], row[":id"]) for row in page]
    expected = sorted(
        (time_of(t), f"row-{(i * 7) % 31:02}") for i, t in enumerate(times) if i % 3 >= keeps
    )
    assert seen == expected


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("({keyset}) and size > -9", [3]),
        ("({keyset}) or size > 9", [0, 2, 3, 4]),
        (":updated_at > '2018-02-10T21:50:01Z'", [4]),
        (":updated_at >= '2018-02-10T21:50:01Z' and :id > 'row-2'", [3, 4]),
        (":id > 'row-2' and (:updated_at >= '2018-02-10T21:50:01Z' or :id > 'row-3')", [3, 4]),
        (
            "(:id > 'row-3' or :updated_at = '2018-02-10T21:50:00Z')"
            " and :updated_at > '2017-01-01'",
            [0, 1, 4],
        ),
        ("not :updated_at > '2018-02-10T21:50:01Z'", [0, 1, 2, 3]),
        ("not (not ({keyset}))", [3, 4]),
    ],
)
def test_a_keyset_among_other_conditions(condition: str, expected: list[int]) -> None:
    time = "2018-02-10T21:50:01.000Z"
    keyset = f":updated_at > '{time}' or (:updated_at = '{time}' and :id > 'row-2')"
    assert names(condition.format(keyset=keyset)) == expected


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        # AND binds closer than OR, and NOT closest.
        ("size = 10 or size = 9 AND not open = false", [0]),
        ("(size = 10 or size = 9) and open = false", [1]),
        ("not open = true or open = true", [0, 1, 3]),
        ("not not open", [0, 3]),
        ("size IS NULL", [4]),
        ("size is not null and `open` == true", [0, 3]),
        ("name in ('a', 'it''s')", [1, 4]),
        ("size not in (10)", [1, 2, 3]),
        ("size between -1 and 9.5", [1, 2, 3]),
        ("size <> 10 and size != 9", [2, 3]),
        ("'a' < name", [0, 4]),
        ("(size > 9) = open", [0, 1]),
        ("name like 'IT%'", []),
    ],
)
def test_operators(where: str, expected: list[int]) -> None:
    assert names(where) == expected


def test_select_and_order_with_quotes_and_any_case() -> None:
    rows = ask(select=":*, *, `size` AS metres", order=":updated_at, `size` DESC, :id asc")
    assert [row[":id"] for row in rows] == ["row-0", "row-1", "row-2", "row-3", "row-4"]
    assert rows[0] == {"metres": "10", **ROWS[0], **ask(select=":*", order=":id")[0]}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("size =", "a value or a column"),
        ("(size = 1", "expected ')'"),
        ("a = 1 b", "at position 6; expected the end"),
        ("a = 'open", "at position 3; expected a name"),
        ("a is 3", "expected 'null'"),
        ("a not 3", "'in', 'between' or 'like'"),
        ("a ; drop table", "at position 1"),
        ("a like 3", "a text after 'like'"),
        ("(" * 200 + "a" + ")" * 200, "at most 100 levels"),
    ],
)
def test_what_does_not_parse_is_told_where(text: str, expected: str) -> None:
    document = refused(where=text)
    assert document["code"] == "query.compiler.malformed"
    assert expected in document["message"]


@given(st.text(alphabet="a1'()=<>! ,:*@`andornotisnull.%", max_size=60))
def test_no_text_breaks_the_portal(text: str) -> None:
    for name in ("where", "select", "order"):
        assert reply(**{name: text}).status in (200, 400)


@pytest.mark.parametrize(
    "value", ["'", "''", "a' or 'a'='a", "'); DROP TABLE version; --", "?1", "\0", "`name`", "{}"]
)
def test_texts_are_values_and_never_sql(value: str) -> None:
    data = dataset([{"name": value}, {"name": "other"}])
    quoted = value.replace("'", "''")
    assert ask(data, where=f"name = '{quoted}'", select="name") == [{"name": value}]
    assert ask(data, select="count(*)") == [{"count": "2"}]


def test_sql_beyond_reading_is_refused_by_the_data_set() -> None:
    data = dataset()
    for sql in (
        "DELETE FROM version",
        "UPDATE version SET body = 'x'",
        "ATTACH DATABASE ':memory:' AS other",
        "PRAGMA journal_mode",
        "CREATE TABLE other (x)",
    ):
        with pytest.raises(sqlite3.DatabaseError, match="not authorized"):
            data.query(sql)
    assert len(ask(data)) == len(ROWS)


def test_long_and_deep_conditions_are_answered_or_refused() -> None:
    either = " or ".join(["size = 10"] * 300)
    assert names(either) == [0]
    assert "too complex" in refused(where=" or ".join(["size = 10"] * 5_000))["message"]
    deep = "size = 10"
    for _ in range(20):
        deep = f"size > 99 or (open and ({deep}))"
    assert names(deep) == [0]
    for _ in range(25):
        deep = f"size > 99 or (open and ({deep}))"
    assert reply(where=deep).status in (200, 400)  # by the version of SQLite
    calls = "upper(" * 99 + "name" + ")" * 99
    assert reply(where=f"{calls} = 'A'").status in (200, 400)


def test_what_cannot_be_compared_is_null_and_objects_are_not() -> None:
    types = {"size": "number", "day": "floating_timestamp", "open": "checkbox", "spot": "location"}
    rows = [
        {"size": "many", "day": "soon", "open": "N/A", "spot": {"latitude": "1"}},
        {"size": "1", "day": "2016-03-01T00:00:00.000", "open": True},
    ]
    records = [
        Record(f"row-{i}", time_of(i), time_of(i), orjson.dumps(r)) for i, r in enumerate(rows)
    ]
    data = Dataset(types, records)
    for field in ("size", "day", "open"):
        found = ask(data, where=f"{field} is null", select=":id")
        assert found == [{":id": "row-0"}]
    assert ask(data, where="spot is not null", select=":id") == [{":id": "row-0"}]
    assert ask(data, select="min(size), max(open), count(spot)") == [
        {"min_size": "1", "max_open": True, "count_spot": "1"}
    ]
    assert reply(data, select="max(spot)").status == 400
