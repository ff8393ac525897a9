"""Rules over one row: what is SQL, what it names, and what Spark's own functions are."""

from __future__ import annotations

import pytest

from lakehouse.checks.expressions import expression_remarks
from lakehouse.checks.spark_functions import (
    AGGREGATES,
    ARGUMENTS,
    FUNCTIONS,
    GENERATORS,
    UNCOUNTED,
    WINDOWS,
)

COLUMNS = {
    "berth": "long",
    "is_open": "boolean",
    "arrived": "timestamp",
    "date": "timestamp",
    "name": "string",
}
ALL = "berth, is_open, arrived, date, name"
VALID = "one Spark SQL expression over the silver columns of one row that is true or false"


def said(sql: str) -> list[tuple[str, str, str | None]]:
    return [(r.severity, r.problem, r.valid) for r in expression_remarks(sql, COLUMNS)]


HOLDS = [
    "(berth is null) = (name is null)",
    "date >= arrived",
    "LOWER(NAME) = 'x' and Is_Open",
    "is_open",
    "not (is_open)",
    "`name` rlike '^[a-z]+$'",
    "name = ';' or name = '--' or name = '/* x */'",
    "name like any ('x', 'y') and name not like all ('z')",
    "cast(berth as decimal(10, 2)) > 1 and berth::int > 1",
    "timestampdiff(HOUR, arrived, date) > 1 and datediff(DAY, arrived, date) < 9",
    "extract(year from arrived) > 2000",
    "trim(both 'x' from name) <> '' and position('x' in name) = 0",
    "exists(array(berth), b -> b > berth)",
    "filter(array(berth), b -> b > 0)[0] > 1",
    "case when is_open then berth > 1 end",
    "coalesce(is_open, true)",
    "name = \"it's\" and name <> 'it\\'s'",
    "berth in (1, 2) and(is_open)",
    "arrived + interval 1 day > date '2020-01-01'",
    "name collate UTF8_LCASE = 'x'",
    "berth <=> 1 and berth % 2 = 0 and !is_open",
    "try_to_timestamp(name, 'yyyy') is null",
    "nvl2(name, berth, 1) > 1 and if(is_open, berth, 2) > 1",
    "coalesce(name, 'a', 'b', 'c') = 'a' and greatest(berth, 1, 2) > 1",
    "size(cast(array(berth) as array<decimal(10, 2)>)) > 1",
    "size(cast(map(name, berth) as map<string, decimal(10, 2)>)) > 1",
    "regexp_replace(name, 'a', 'b') = 'x' and regexp_replace(name, 'a', 'b', 2) = 'x'",
    "substring(name, 1, 2) = 'a' and substring(name from 2) = 'b' and trim(name) = 'c'",
    "date_add(arrived, 1) > date and date_add(DAY, 1, arrived) > date",
    "aggregate(array(berth), 0L, (x, y) -> x + y) > 1",
    "make_date(year(arrived), month(arrived), (1 + (2))) > date",
    "berth div (2) > 1 and berth in(1, 2) and not(is_open) and(is_open) or(is_open)",
    "array(berth, 2)[least(0, 1)] > 1 and pi() > berth and log(berth) > log(2, berth)",
]


@pytest.mark.parametrize("sql", HOLDS)
def test_rules_that_hold(sql: str) -> None:
    assert said(sql) == []


UNPARSABLE = [
    ("berth >", " at '>', after 'berth'"),
    ("berth = 1, is_open", " at ',', after 'berth = 1'"),
    ("(berth", " at 'berth', after '('"),
    ("berth = 1 as x", " at 'as', after 'berth = 1'"),
    ("drop table calls", " at 'drop'"),
    ("select 1", " at 'select'"),
    ("berth > 1 limit 3", " at 'limit', after 'berth > 1'"),
    ("name = 'x", ""),
]


@pytest.mark.parametrize(("sql", "where"), UNPARSABLE)
def test_what_does_not_parse_says_where(sql: str, where: str) -> None:
    valid = VALID if where else "text in quotes that are closed"
    assert said(sql) == [("error", f"the rule does not parse{where}: {sql}", valid)]


REFUSED = [
    ("brth > 1", "there is no silver column 'brth'", f"berth (nearest); all: {ALL}"),
    ("`berth ` > 1", "there is no silver column 'berth '", f"berth (nearest); all: {ALL}"),
    ("calls.berth > 1", "there is no silver column 'calls.berth'", f"berth (nearest); all: {ALL}"),
    ("exists(array(berth), b -> b > c)", "there is no silver column 'c'", ALL),
    ("loewr(name) = 'x'", "there is no function 'loewr' in Spark SQL", "lower (nearest)"),
    (
        "safe_divide(berth, 2) > 1",
        "there is no function 'safe_divide' in Spark SQL",
        "try_divide (nearest)",
    ),
    (
        "qqxxqqxx(berth) > 1",
        "there is no function 'qqxxqqxx' in Spark SQL",
        "a built-in function of Spark",
    ),
    (
        "harbour.lower(name) = 'x'",
        "there is no function 'harbour.lower' in Spark SQL",
        "lower (nearest)",
    ),
    ("sum(berth) > 1", "sum works over many rows, and the rule applies to one row", VALID),
    ("ANY(is_open)", "ANY works over many rows, and the rule applies to one row", VALID),
    ("count(*) > berth", "count works over many rows, and the rule applies to one row", VALID),
    ("lag(berth) > 1", "lag needs a window, and the rule applies to one row", VALID),
    (
        "row_number() over (order by berth) = 1",
        "the rule contains a window (OVER), and it applies to one row",
        VALID,
    ),
    (
        "explode(array(berth)) = 1",
        "explode returns a table, and the rule applies to one row",
        VALID,
    ),
    (
        "berth in (select 1)",
        "the rule contains a subquery, and it applies to one row",
        VALID,
    ),
    ("exists (select berth)", "the rule contains a subquery, and it applies to one row", VALID),
    ("is_open; is_open", "the rule contains several statements", VALID),
    ("berth > :least", "the rule contains a parameter, and nothing sets its value", VALID),
    ("*", "the rule contains *, which is not one value", VALID),
    ("berth + 1", "the rule returns a number, not true or false", VALID),
    ("(name)", "the rule returns a string, not true or false", VALID),
    ("1 < 2", "the rule names no silver column", ALL),
    (
        "lower(name, 'x') = 'x'",
        "lower takes 1 argument, and is called with 2",
        "lower with 1 argument",
    ),
    ("name = LOWER()", "LOWER takes 1 argument, and is called with 0", "LOWER with 1 argument"),
    (
        "levenshtein(name) > 1",
        "levenshtein takes 2 to 3 arguments, and is called with 1",
        "levenshtein with 2 to 3 arguments",
    ),
    (
        "if(is_open, (berth + 1) in (2, 3))",
        "if takes 3 arguments, and is called with 2",
        "if with 3 arguments",
    ),
    ("pi(berth) > 3", "pi takes 0 arguments, and is called with 1", "pi with 0 arguments"),
    (
        "hour() > berth",
        "hour takes 1 or more arguments, and is called with 0",
        "hour with 1 or more arguments",
    ),
    (
        "date_trunc() > arrived",
        "date_trunc takes 2 arguments, and is called with 0",
        "date_trunc with 2 arguments",
    ),
]


@pytest.mark.parametrize(("sql", "problem", "valid"), REFUSED)
def test_what_spark_would_refuse(sql: str, problem: str, valid: str) -> None:
    assert said(sql) == [("error", problem, valid)]


@pytest.mark.parametrize("now", ["now()", "current_date", "current_timestamp()", "rand()"])
def test_a_rule_that_depends_on_more_than_the_row_is_a_warning(now: str) -> None:
    name = now.removesuffix("()")
    problem = f"{name} depends on more than the row, so a rebuild may quarantine other rows"
    assert said(f"arrived <= {now}") == [("warning", problem, "columns of the row only")]


def test_a_column_may_have_the_name_of_a_function() -> None:
    columns = {"user": "string", "current_date": "date", "day": "long"}
    assert expression_remarks("user = r'now' and current_date is null", columns) == ()
    assert expression_remarks("day > 1 and day(current_date) > 1", columns) == ()
    assert said("name = 'now()' and name <> r'current_date'") == []
    assert [problem for _, problem, _ in said("name = user")] == [
        "user depends on more than the row, so a rebuild may quarantine other rows"
    ]


@pytest.mark.parametrize("sql", ["shuffle(array(berth), 1)[0] = 1", "map(name) is null"])
def test_a_call_that_only_sqlglot_refuses_is_left_to_spark(sql: str) -> None:
    problem = f"the rule has a call that cannot be read here, and was not checked: {sql}"
    assert said(sql) == [("warning", problem, VALID)]


def test_counts_are_those_of_functions_over_one_row() -> None:
    over_one = FUNCTIONS - AGGREGATES - WINDOWS - GENERATORS
    assert ARGUMENTS.keys() <= over_one - UNCOUNTED
    assert all(0 <= low <= high for low, high in ARGUMENTS.values())


def test_every_wrong_name_is_told() -> None:
    assert [problem for _, problem, _ in said("brth > 1 and sbu(nam) = brth")] == [
        "there is no function 'sbu' in Spark SQL",
        "there is no silver column 'brth'",
        "there is no silver column 'nam'",
    ]


def test_a_rule_that_is_nested_too_deeply() -> None:
    sql = "(" * 5000 + "berth" + ")" * 5000
    assert said(sql) == [("error", "the rule is nested too deeply to be parsed", "several rules")]
