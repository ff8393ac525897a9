"""What texts mean: the same to Spark and to the twin without a JVM."""

from __future__ import annotations

import json
from datetime import date, datetime, timezone
from typing import Any

import polars as pl
import pytest

from goldlake_core.contracts.errors import UsageError
from goldlake_core.contracts.fields import CONTENT_FIELD, FILE_FIELD, content_id
from goldlake_core.contracts.sections import Column, Silver
from lakehouse.parsing import KEY, REASONS, parsed
from lakehouse.typed import source_text, value


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=timezone.utc)  # type: ignore[arg-type]


BOOLEANS = {
    **dict.fromkeys(["true", "T", "YES", "y", "1", "True"], True),
    **dict.fromkeys(["false", "F", "No", "n", "0", "FALSE"], False),
    **dict.fromkeys(["", "2", "oui", " yes", "01"], None),
}
GERMAN = {"decimal": ",", "thousands": "."}
# Options of a column, and what each text becomes.
CASES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"type": "boolean"}, BOOLEANS),
    ({"type": "long"}, {"7": 7, "+7": 7, " 7.0 ": 7, "7.5": None, "8,380": None, "": None}),
    (
        {"type": "long", "thousands": ","},
        {"8,380": 8380, "-1,234,567": -1234567, "83,80": None, "8380": 8380, ",380": None},
    ),
    (
        {"type": "double", **GERMAN},
        {"1.234,5": 1234.5, "1234,5": 1234.5, "1.5": None, "-0,25": -0.25, "1.234": 1234.0},
    ),
    (
        {"type": "double", "thousands": " "},
        {"1 234.5": 1234.5, "12 34": None, "1e3": 1000.0, "NaN": None, "1e999": None},
    ),
    (
        {"type": "double", "null_values": ("NAN", "-1"), "thousands": "'"},
        {"NAN": None, "-1.0": None, "1'000": 1000.0},
    ),
    (
        {"type": "timestamp", "format": "epoch_s"},
        {
            "0": utc(1970, 1, 1),
            "1371855600": utc(2013, 6, 21, 23),
            "1371855600.25": utc(2013, 6, 21, 23, 0, 0, 250_000),
            "-1.5": utc(1969, 12, 31, 23, 59, 58, 500_000),
            "1e9": None,
            "253402300800": None,
            "today": None,
        },
    ),
    (
        {"type": "timestamp", "format": "epoch_ms"},
        {
            "1371855600123": utc(2013, 6, 21, 23, 0, 0, 123_000),
            "-1": utc(1969, 12, 31, 23, 59, 59, 999_000),
        },
    ),
    ({"type": "date", "format": "epoch_s"}, {"1371855600": date(2013, 6, 21)}),
    (
        {"type": "timestamp", "format": "iso", "time_zone": "America/Chicago"},
        {
            "2016-01-31": utc(2016, 1, 31, 6),
            "2016-01-31T10:00": utc(2016, 1, 31, 16),
            "2016-01-31 10:00:01": utc(2016, 1, 31, 16, 0, 1),
            "2016-01-31T10:00:01.5": utc(2016, 1, 31, 16, 0, 1, 500_000),
            "2016-01-31T10:00:00Z": utc(2016, 1, 31, 10),
            "2016-01-31T10:00:00+01:30": utc(2016, 1, 31, 8, 30),
            "2016-03-13T02:30:00": utc(2016, 3, 13, 8, 30),
            "2016-11-06T01:30:00": utc(2016, 11, 6, 6, 30),
            "2016-02-30": None,
            "2016-1-31": None,
            "2016-01-31T": None,
        },
    ),
    (
        {"type": "date", "format": "iso"},
        {"2016-01-31": date(2016, 1, 31), "2016-01-31T23:00:00-06:00": date(2016, 1, 31)},
    ),
    (
        {"type": "date", "format": ("dd/MM/yyyy", "yyyy-MM", "MMM d, yyyy")},
        {
            "31/01/2016": date(2016, 1, 31),
            "01/31/2016": None,
            "2016-02": date(2016, 2, 1),
            "Feb 3, 2016": date(2016, 2, 3),
            "30/02/2016": None,
        },
    ),
    (
        {
            "type": "timestamp",
            "format": ("MM/dd/yyyy hh:mm:ss a", "M/d/yy H:mm"),
            "time_zone": "UTC",
        },
        {
            "12/31/2015 11:59:00 PM": utc(2015, 12, 31, 23, 59),
            "12/31/2015 12:00:00 AM": utc(2015, 12, 31),
            "1/2/16 3:04": utc(2016, 1, 2, 3, 4),
            "12/31/2015 13:00:00 PM": None,
        },
    ),
    (
        {"type": "timestamp", "format": "yyyy-MM-dd'T'HH:mm:ssXXX"},
        {
            "2016-01-31T10:00:00+01:00": utc(2016, 1, 31, 9),
            "2016-01-31T10:00:00Z": utc(2016, 1, 31, 10),
        },
    ),
    ({"type": "string", "replace": {"x": "y"}, "pad": 3}, {"x": "00y", "7": "007", "1234": "1234"}),
]


def twin(column: Column, texts: list[str]) -> list[Any]:
    frame = pl.DataFrame({"c": texts}, schema={"c": pl.String})
    read = value(column, source_text(column, pl.col("c")).alias("c"))
    return frame.select(read.alias("v"))["v"].to_list()


@pytest.mark.parametrize(("options", "texts"), CASES, ids=lambda v: str(v)[:40])
def test_the_twin_reads_texts(options: dict[str, Any], texts: dict[str, Any]) -> None:
    assert dict(zip(texts, twin(Column(name="c", **options), list(texts)), strict=True)) == texts


def test_a_format_that_only_spark_reads_is_named() -> None:
    column = Column(name="c", type="date", format="yyyy-DDD")
    with pytest.raises(UsageError, match="can only be read with Spark"):
        twin(column, ["2016-031"])


@pytest.mark.spark
def test_spark_and_the_twin_agree(spark: Any) -> None:
    columns = [
        Column(name=f"c{n}", field=f"c{n}", **options) for n, (options, _) in enumerate(CASES)
    ]
    records = [json.dumps({f"c{n}": text}) for n, (_, texts) in enumerate(CASES) for text in texts]
    key = Column(name="k", type="string", field=CONTENT_FIELD)
    silver = Silver(key=("k",), columns=(key, *columns))
    frame = spark.createDataFrame(list(enumerate(records)), "n int, value string")
    rows = parsed(frame, silver).orderBy("n").collect()
    found, wanted, at = [], [], 0
    for n, (_, texts) in enumerate(CASES):
        for text, typed in texts.items():
            got = rows[at][f"c{n}"]
            is_time = isinstance(got, datetime)
            found.append((n, text, got.replace(tzinfo=timezone.utc) if is_time else got))
            wanted.append((n, text, typed))
            at += 1
    assert found == wanted
    assert [row[KEY] for row in rows] == [content_id(record.encode()) for record in records]


@pytest.mark.spark
def test_spark_finds_fields_by_name_by_path_and_by_file(spark: Any) -> None:
    columns = (
        Column(name="length", type="double", field="sepal.length"),
        Column(name="width", type="double", field="petal.width"),
        Column(name="petal", type="string", field="petal"),
        Column(name="year", type="long", field=FILE_FIELD, file="pks_([0-9]{4})"),
    )
    silver = Silver(
        key=("k",), columns=(Column(name="k", type="string", field=CONTENT_FIELD), *columns)
    )
    records = [
        {"sepal.length": "5.1", "petal": "p", "petal.width": "2", FILE_FIELD: "pks_2020.csv"},
        {"sepal": {"length": 5.5}, FILE_FIELD: "other.csv"},
    ]
    lines = [(n, json.dumps(record)) for n, record in enumerate(records)]
    rows = (
        parsed(spark.createDataFrame(lines, "n int, value string"), silver).orderBy("n").collect()
    )
    assert [tuple(row[c.name] for c in columns) for row in rows] == [
        (5.1, 2.0, "p", 2020),
        (5.5, None, None, None),
    ]
    assert [row[REASONS] for row in rows] == [[], []]
