"""Typing by the contract and the reason codes of dirty records."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest
from msgspec.structs import replace

from goldlake_core.contracts.column_types import COLUMN_TYPES
from goldlake_core.contracts.sections import Column, UseCase
from lakehouse.parsing import CONTENT_HASH, KEY, REASONS, parsed
from tests.lakehouse.records import crime

pytestmark = pytest.mark.spark

DIRTY = {
    "not json": (b'{"id": "1", ', ["json.invalid"]),
    "two objects": (json.dumps(crime(1)).encode() * 2, ["json.invalid"]),
    "a list": (b'[{"id": "1"}]', ["json.invalid"]),
    "null": (b"null", ["json.invalid"]),
    "an empty line": (b"", ["json.invalid"]),
    "no id": (crime(1, id=None), ["id.missing"]),
    "a word for an id": (crime(1, id="one"), ["id.unparsable"]),
    "an id too large": (crime(1, id="9" * 20), ["id.unparsable"]),
    "a fraction of an id": (crime(1, id="1.5"), ["id.unparsable"]),
    "another type of crime": (crime(1, primary_type="JAYWALKING"), ["primary_type.domain"]),
    "lower case": (crime(1, iucr="08e0"), ["iucr.pattern"]),
    "a line break behind a code": (crime(1, iucr="0820\n"), ["iucr.pattern"]),
    "area 78": (crime(1, community_area="78"), ["community_area.range"]),
    "30 February": (crime(1, date="2016-02-30T00:00:00.000"), ["date.unparsable"]),
    "an empty date": (crime(1, date=""), ["date.unparsable"]),
    "perhaps": (crime(1, arrest="perhaps"), ["arrest.unparsable"]),
    "half a position": (crime(1, latitude=None), ["both_or_no_coordinates"]),
    "NaN": (crime(1, latitude="NaN", longitude=None), ["latitude.unparsable"]),
    "infinite": (crime(1, latitude="1e999"), ["latitude.unparsable", "both_or_no_coordinates"]),
    "changed before it happened": (
        crime(1, updated_on="2016-01-05T12:29:59.999"),
        ["updated_after_event"],
    ),
    "three at once": (
        crime(1, arrest=None, ward="51", x_coordinate="x"),
        ["arrest.missing", "x_coordinate.unparsable", "ward.range"],
    ),
}


def typed(spark: Any, usecase: UseCase, records: list[dict[str, Any] | bytes]) -> list[Any]:
    lines = [r.decode() if isinstance(r, bytes) else json.dumps(r) for r in records]
    frame = spark.createDataFrame(
        [(n, line) for n, line in enumerate(lines)], "n int, value string"
    )
    return parsed(frame, usecase.silver).orderBy("n").collect()


def test_dirty_records_carry_their_reasons(spark: Any, usecase: UseCase):
    rows = typed(spark, usecase, [record for record, _ in DIRTY.values()])
    assert {name: row[REASONS] for name, row in zip(DIRTY, rows, strict=True)} == {
        name: reasons for name, (_, reasons) in DIRTY.items()
    }


def test_a_clean_record_is_typed_and_normalized(spark: Any, usecase: UseCase):
    record = crime(
        7,
        primary_type="CRIM SEXUAL ASSAULT",
        iucr="41A",
        district="16",
        beat="00735",
        community_area=0,
        x_coordinate="0.0",
        y_coordinate=None,
        block="",
        location_description=None,
        arrest="true",
    )
    (row,) = typed(spark, usecase, [record])
    assert row[REASONS] == []
    assert row[KEY] == "7"
    assert (row["id"], row["primary_type"], row["iucr"]) == (7, "CRIMINAL SEXUAL ASSAULT", "041A")
    assert (row["district"], row["beat"]) == ("016", "0735")
    assert (row["community_area"], row["x_coordinate"], row["y_coordinate"]) == (None, None, None)
    assert (row["block"], row["location_description"]) == ("", None)
    assert (row["arrest"], row["domestic"], row["latitude"]) == (True, False, 41.861717546)


def test_codes_longer_than_their_width_are_not_cut(spark: Any, usecase: UseCase):
    (row,) = typed(spark, usecase, [crime(1, district="1234", iucr="0000")])
    assert row["district"] == "1234"
    assert row[REASONS] == ["district.pattern"]
    assert row["iucr"] == "0000"


def test_the_clock_of_the_source_becomes_utc(spark: Any, usecase: UseCase):
    times = {
        "2016-01-01T00:01:00.000": "2016-01-01 06:01:00",
        "2016-07-01T00:01:00.000": "2016-07-01 05:01:00",
        "2016-03-13T01:59:59.000": "2016-03-13 07:59:59",
        "2016-03-13T02:30:00.000": "2016-03-13 08:30:00",  # does not exist: an hour on
        "2016-11-06T01:30:00.000": "2016-11-06 06:30:00",  # happens twice: the first
        "2016-11-06T02:00:00.000": "2016-11-06 08:00:00",
    }
    lines = [(json.dumps(crime(1, date=t, updated_on="2017-01-01T00:00:00.000")),) for t in times]
    frame = parsed(spark.createDataFrame(lines, "value string"), usecase.silver)
    found = [row[0] for row in frame.select(frame["date"].cast("string")).collect()]
    assert found == list(times.values())


def test_the_hash_tells_places_apart_and_survives_a_new_column(spark: Any, usecase: UseCase):
    records: list[dict[str, Any] | bytes] = [
        crime(1, ward="9", community_area=None),
        crime(1, ward=None, community_area="9"),
        crime(1, block=""),
        crime(1, block=None),
        crime(1),
    ]
    before = [row[CONTENT_HASH] for row in typed(spark, usecase, records)]
    assert len(set(before)) == 5
    added = Column("beat_2", "string", "Another beat.", field="beat_2")
    silver = replace(usecase.silver, columns=(*usecase.silver.columns, added))
    wider = replace(usecase, silver=silver)
    assert [row[CONTENT_HASH] for row in typed(spark, wider, records)] == before


def test_nested_fields_dates_and_composite_keys(spark: Any, usecase: UseCase):
    columns = (
        Column("place", "string", "A place.", field="location.name", nullable=False),
        Column("day", "date", "A day.", field="day", nullable=False),
        Column("at", "timestamp", "ISO 8601.", field="at"),
        Column("version", "long", "A counter.", field="version"),
    )
    silver = replace(
        usecase.silver, key=("place", "day"), version="version", columns=columns, checks=()
    )
    other = replace(usecase, silver=silver)
    record = {"location": {"name": "pier"}, "day": "2024-02-29", "at": "2024-02-29T10:00:00+02:00"}
    good, bad = typed(spark, other, [record, {**record, "location": {}}])
    assert (good["place"], good["day"], good["version"]) == ("pier", date(2024, 2, 29), None)
    assert good["at"].timestamp() == 1709193600
    assert good[KEY] == '{"place":"pier","day":"2024-02-29"}'
    assert (bad[REASONS], bad[KEY]) == (["place.missing"], None)


def test_every_type_becomes_its_type_in_spark(spark: Any, usecase: UseCase):
    columns = tuple(Column(f"a_{name}", name, "A column.", field=name) for name in COLUMN_TYPES)
    silver = replace(usecase.silver, key=("a_string",), columns=columns, checks=())
    frame = parsed(spark.createDataFrame([("{}",)], "value string"), silver)
    types = dict(frame.dtypes)
    assert [types[f"a_{name}"] for name in COLUMN_TYPES] == [
        names.spark for names in COLUMN_TYPES.values()
    ]
