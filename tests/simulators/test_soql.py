"""SoQL texts to syntax trees, and what is none."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldlake.simulators.socrata.soql import (
    Compare,
    Field,
    In,
    IsNull,
    Literal_,
    Logic,
    Not,
    OrderBy,
    SoqlError,
    parse_order,
    parse_select,
    parse_where,
)


def test_and_binds_closer_than_or_and_not_closest() -> None:
    a, b, c = (Compare("=", Field(n), Literal_(1.0)) for n in "abc")
    assert parse_where("a = 1 or b=1 AND not c=1") == Logic("or", a, Logic("and", b, Not(c)))
    assert parse_where("(a = 1 or b = 1) and c = 1") == Logic("and", Logic("or", a, b), c)


def test_predicates() -> None:
    x = Field("x")
    assert parse_where("x is null") == IsNull(x)
    assert parse_where("x IS NOT NULL") == Not(IsNull(x))
    assert parse_where("x in ('a', 'b''c')") == In(x, (Literal_("a"), Literal_("b'c")))
    assert parse_where("x not in (1)") == Not(In(x, (Literal_(1.0),)))
    between = Logic("and", Compare(">=", x, Literal_(1.0)), Compare("<=", x, Literal_(-2.5)))
    assert parse_where("x between 1 and -2.5") == between
    assert parse_where("x = true") == Compare("=", x, Literal_(True))
    assert parse_where(":updated_at > '2016'") == Compare(
        ">", Field(":updated_at"), Literal_("2016")
    )
    assert parse_where(":@computed_region_1 != 2").left == Field(":@computed_region_1")  # type: ignore[union-attr]


def test_select_and_order() -> None:
    assert [s.name for s in parse_select(":*, *, count(*), min(date) as first")] == [
        ":*",
        "*",
        "count",
        "first",
    ]
    assert parse_order(":updated_at, `date` DESC, id asc") == [
        OrderBy(":updated_at", False),
        OrderBy("date", True),
        OrderBy("id", False),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "a value or a column"),
        ("a =", "a value or a column"),
        ("(a = 1", "expected ')'"),
        ("a = 1 b", "at position 6; expected the end"),
        ("a = 'open", "at position 3; expected a name"),
        ("a is 3", "expected 'null'"),
        ("a not 3", "'in', 'between' or 'like'"),
        ("a ; drop table", "at position 1"),
        ("(" * 200 + "a" + ")" * 200, "at most 100 levels"),
    ],
)
def test_what_does_not_parse_is_told_where(text: str, expected: str) -> None:
    with pytest.raises(SoqlError) as caught:
        parse_where(text)
    assert caught.value.code == "query.compiler.malformed"
    assert expected in str(caught.value)


@given(st.text(alphabet="a1'()=<>! ,:*@`andornotisnull.%", max_size=60))
def test_no_text_breaks_the_parser(text: str) -> None:
    for parse in (parse_where, parse_select, parse_order):
        with contextlib.suppress(SoqlError):
            parse(text)
