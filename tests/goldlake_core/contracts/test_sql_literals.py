"""Text in SQL is text."""

from __future__ import annotations

import pytest

from goldlake_core.contracts.sql_literals import without_literals


@pytest.mark.parametrize(
    ("sql", "bare"),
    [
        ("a = 'x;y' and b", "a = '' and b"),
        ('a = "-- x"', "a = ''"),
        ("a = 'it\\'s; x'", "a = ''"),
        ("a = 'it''s; x'", "a = ''''"),
        ("a = 'x\\\\' ; b", "a = '' ; b"),
        ("a rlike r'\\' ; b", "a rlike '' ; b"),
        ("`a` = 1 -- b", "a = 1 -- b"),
        ("a = '/*' /* b */", "a = '' /* b */"),
        ("a = 'open; b", "a = 'open; b"),
    ],
)
def test_literals_are_left_out(sql: str, bare: str) -> None:
    assert without_literals(sql) == bare
