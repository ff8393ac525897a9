"""Datetime patterns: what Spark refuses, and what it takes and reads as something else."""

from __future__ import annotations

import pytest

from goldlake_core.contracts.column_types import ColumnType
from goldlake_core.contracts.sections import Column
from lakehouse.checks.formats import format_remarks

EXAMPLE = "a Spark datetime pattern, such as yyyy-MM-dd'T'HH:mm:ss.SSS"


def said(pattern: str, kind: ColumnType = "timestamp", zone: str | None = None) -> list[str]:
    column = Column(name="t", type=kind, comment="", format=pattern, time_zone=zone)
    return [
        f"{remark.severity}: {remark.problem}" + (f" ({remark.valid})" if remark.valid else "")
        for remark in format_remarks(column)
    ]


GOOD = [
    "yyyy-MM-dd'T'HH:mm:ss.SSS",
    "yyyy-MM-dd HH:mm:ssXXX",
    "MM/dd/yyyy hh:mm:ss a",
    "d LLL yy",
    "yyyy-DDD",
    "yyyy-MM-dd",
    "yyyyMMddHHmmss",
    "yyyy-MM-dd''HH",
    "yyyy-MM-dd[ HH:mm]",
    "yyyy-MM-dd[ HH:mm",
    "yyyy-MM-dd G",
    "yyyy-MM-dd'{YYYY}#'",
    "yyyy-MM-dd kk:mm VV",
    "yyyy-MM-dd é",
]


@pytest.mark.parametrize("pattern", GOOD)
def test_patterns_that_mean_what_they_say(pattern: str) -> None:
    assert said(pattern) == []


def test_a_column_without_a_format_has_no_remarks() -> None:
    assert format_remarks(Column(name="n", type="long", comment="")) == ()


@pytest.mark.parametrize("word", ["epoch", "EPOCH", "unix", "iso8601", "timestamp"])
def test_words_are_not_patterns(word: str) -> None:
    assert said(word) == [
        f"error: {word!r} is not a pattern, and Spark would read it letter by letter "
        f"({EXAMPLE}, or iso, epoch_s, epoch_ms)"
    ]


REFUSED = [
    (
        "YYYY-MM-dd",
        "YYYY is the week-based year, which Spark refuses (yyyy, the calendar year)",
    ),
    ("uuuu-MM-dd", "uuuu is the day of the week, which Spark refuses"),
    ("yyyy-'W'ww-dd", "ww is the week of the year, which Spark refuses"),
    ("EEE, dd MMM yyyy", "EEE is the name of the day of the week, which Spark writes but does"),
    (
        "yyyy-QQ-dd",
        "QQ is the quarter, which Spark writes but does not parse (MM for the month)",
    ),
    ("yyyy-MM-dd A", "A is the millisecond of the day, which Spark refuses (HH:mm:ss.SSS)"),
    ("yyyy-MM-dd N", "N is the nanosecond of the day, which Spark refuses"),
    (
        "yyyy-MM-ddTHH:mm",
        "T is not a letter of patterns (the letters G g y D M L d a h K k H m s",
    ),
    ("yyyy-MM-dd b", "b is not a letter of patterns"),
    ("yyyyyyy-MM-dd", "yyyyyyy has 7 letters y (1 to 6 of them in a row)"),
    ("yyyy-MM-ddd", "ddd has 3 letters d (1 or 2 of them in a row)"),
    ("yyyy-MM-dd HHH", "HHH has 3 letters H (1 or 2 of them in a row)"),
    ("yyyy-MM-dd hh aa", "aa has 2 letters a (1 of them in a row)"),
    ("yyyy-MM-dd V", "V has 1 letters V (2 of them in a row)"),
    ("yyyy-MM-dd OO", "OO has 2 letters O (1 or 4 of them in a row)"),
    ("dd MMMMM yyyy", "MMMMM has 5 letters M (1 to 4 of them in a row)"),
    ("yyyy-MM-dd'T", "a quote is not closed ('text', and '' for one quote)"),
    ("yyyy-MM-dd'T''", "a quote is not closed"),
    ("yyyy-MM-dd {HH}", "{ is reserved in patterns ('{' in quotes)"),
    ("yyyy-MM-dd #HH", "# is reserved in patterns ('#' in quotes)"),
    ("yyyy-MM-dd HH]", "a ] closes an optional part that no [ opens ([ and ] in pairs)"),
]


@pytest.mark.parametrize(("pattern", "problem"), REFUSED)
def test_patterns_that_spark_refuses(pattern: str, problem: str) -> None:
    found = said(pattern)
    assert found[0].startswith(f"error: {problem}"), found
    assert all(text.startswith("error: ") for text in found)


def test_every_error_of_a_pattern_is_told_once_and_no_warning_with_it() -> None:
    assert said("YYYY-MM-DD YYYY {") == [
        "error: YYYY is the week-based year, which Spark refuses (yyyy, the calendar year)",
        "error: { is reserved in patterns ('{' in quotes)",
    ]


@pytest.mark.parametrize(
    ("pattern", "problems"),
    [
        ("yyyy-mm-dd", ["mm is the minute, so every value falls in January (MM for the month)"]),
        ("mm/dd/yyyy", ["mm is the minute, so every value falls in January (MM for the month)"]),
        (
            "yyyy-MM-DD",
            [
                "DD is the day of the year, and next to a month both must agree "
                "(dd for the day of the month)"
            ],
        ),
        (
            "HH:mm:ss",
            [
                "the format has no year, so every value falls in 1970 (yyyy)",
                "the format has no month, so every value falls in January (MM)",
                "the format has no day, so every value falls on the first of its month (dd)",
            ],
        ),
        ("MM-dd HH:mm", ["the format has no year, so every value falls in 1970 (yyyy)"]),
        (
            "yyyy-MM",
            ["the format has no day, so every value falls on the first of its month (dd)"],
        ),
        (
            "yyyy-MM-dd hh:mm",
            [
                "hh counts half days, and without a every value is before noon "
                "(HH for 0 to 23, or a for AM and PM)"
            ],
        ),
        ("yyyy-MM-dd HH:MM:ss", ["MM is the month, and it is there twice (mm for the minute)"]),
        ("yyyy-MM-dd HH:mm:SS", ["SS is the fraction of a second (ss for the second)"]),
    ],
)
def test_patterns_that_read_something_else(pattern: str, problems: list[str]) -> None:
    assert said(pattern) == [f"warning: {problem}" for problem in problems]


def test_a_month_is_a_date() -> None:
    assert said("yyyy-MM", "date") == []
    assert said("yyyy", "date") == []
    assert said("yyyy-dd", "date") == [
        "warning: the format has no month, so every value falls in January (MM)"
    ]


def test_an_offset_leaves_no_use_for_a_time_zone() -> None:
    assert said("yyyy-MM-dd HH:mmX", zone="Europe/London") == [
        "warning: the format reads an offset (X), so time_zone is not used (one of the two)"
    ]
    assert said("yyyy-MM-dd HH:mm", zone="Europe/London") == []


def test_an_offset_moves_the_day_of_a_date() -> None:
    assert said("yyyy-MM-dd'T'HH:mm:ssXXX", "date") == [
        "warning: the format reads an offset (XXX), so the day is that of UTC "
        "(a format without an offset, for the day as it is written)"
    ]
