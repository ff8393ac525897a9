"""Portal exports in the shapes of the API: synthetic ones of each kind, then real ones."""

from __future__ import annotations

import csv
import gzip
import io
from pathlib import Path
from typing import Any

import orjson
import pytest

from goldlake_core.contracts.errors import UsageError
from goldlake_core.contracts.registry import load_usecase
from goldlake_core.contracts.sections import UseCase
from goldlake_simulators.base import SimulatorOptions
from goldlake_simulators.socrata.dataset import Dataset
from goldlake_simulators.socrata.query import answer
from goldlake_simulators.socrata.records import LocalTimes, Shape, api_field
from goldlake_simulators.socrata.simulator import portal

HEADER = "ID,Case Number,Date,Primary Type,Arrest,Beat,Year,Updated On,Latitude,Location"
ROW = (
    '7,HZ1,03/13/2016 02:30:00 AM,"THEFT, RETAIL",true,0111,2016,02/10/2018 03:50:01 PM,41.5,'
    '"(41.5, -87.600000001)"'
)


@pytest.fixture(scope="module")
def crimes() -> UseCase:
    return load_usecase("chicago_crime")


def replayed(usecase: UseCase, *files: Path, warnings: list[str] | None = None) -> Dataset:
    told: list[str] = [] if warnings is None else warnings
    return portal(usecase, SimulatorOptions(data=files, warn=told.append)).dataset


def all_rows(dataset: Dataset) -> list[dict[str, Any]]:
    """All rows that the portal answers with, in the order of paging."""
    rows: list[dict[str, Any]] = []
    while True:
        page = [
            ("$select", ":*,*"),
            ("$order", ":updated_at,:id"),
            ("$limit", "50000"),
            ("$offset", str(len(rows))),
        ]
        found = orjson.loads(answer(page, dataset, None).body)
        if not found:
            return rows
        rows += found


def test_a_titled_export_gets_the_shapes_of_the_api(crimes: UseCase, tmp_path: Path) -> None:
    file = tmp_path / "export.csv"
    file.write_text(f"\ufeff{HEADER}\n{ROW}\n8,,12/31/2016 12:00:00 PM,,False,16,,,,\n")
    dataset = replayed(crimes, file)
    rows = {row["id"]: row for row in all_rows(dataset)}
    first = rows["7"]
    assert first.pop(":id").startswith("row-")
    assert first == {
        ":created_at": "2018-02-10T21:50:01.000Z",
        ":updated_at": "2018-02-10T21:50:01.000Z",
        "id": "7",
        "case_number": "HZ1",
        "date": "2016-03-13T02:30:00.000",
        "primary_type": "THEFT, RETAIL",
        "arrest": True,
        "beat": "0111",
        "year": "2016",
        "updated_on": "2018-02-10T15:50:01.000",
        "latitude": "41.5",
        "location": {
            "latitude": "41.5",
            "longitude": "-87.600000001",
            "human_address": '{"address": "", "city": "", "state": "", "zip": ""}',
        },
    }
    second = {k: v for k, v in rows["8"].items() if not k.startswith(":")}
    assert second == {"id": "8", "date": "2016-12-31T12:00:00.000", "arrest": False, "beat": "16"}
    # No time of its own: it came with the whole export.
    assert rows["8"][":updated_at"] == "2018-02-10T21:50:01.000Z"
    assert dataset.types["arrest"] == "checkbox"
    assert dataset.types["beat"] == "text"
    assert dataset.types["date"] == "floating_timestamp"
    assert (dataset.types["year"], dataset.types["location"]) == ("number", "location")


def test_api_shaped_json_is_kept_as_it_is(crimes: UseCase, tmp_path: Path) -> None:
    rows = [
        {"id": "1", "ward": 42, "arrest": False, "updated_on": "2018-07-01T08:00:00.000"},
        {"id": "2", "description": None, ":id": "row-x", ":updated_at": "2020-01-01T00:00:00.000Z"},
    ]
    lines = tmp_path / "rows.jsonl.gz"
    lines.write_bytes(gzip.compress(b"\n".join(map(orjson.dumps, rows)) + b"\n"))
    array = tmp_path / "rows.json"
    array.write_bytes(orjson.dumps(rows))
    from_lines, from_array = all_rows(replayed(crimes, lines)), all_rows(replayed(crimes, array))
    assert from_lines == from_array
    assert from_lines[0]["ward"] == "42"
    assert from_lines[0][":updated_at"] == "2018-07-01T13:00:00.000Z"
    assert from_lines[1] == {
        ":id": "row-x",
        ":created_at": "2020-01-01T00:00:00.000Z",
        ":updated_at": "2020-01-01T00:00:00.000Z",
        "id": "2",
    }


def test_two_exports_of_one_row_are_two_versions(crimes: UseCase, tmp_path: Path) -> None:
    header, early = HEADER, ROW.replace("true", "false").replace("2018", "2017")
    files = [tmp_path / "new.csv", tmp_path / "old.csv"]
    for file, row in zip(files, (ROW, early), strict=True):
        file.write_text(f"{header}\n{row}\n")
    dataset = replayed(crimes, *files)
    assert (len(dataset), dataset.versions) == (1, 2)
    assert all_rows(dataset)[0]["arrest"] is True


def test_a_cut_last_line_is_told_and_left_out(crimes: UseCase, tmp_path: Path) -> None:
    file, told = tmp_path / "cut.csv", list[str]()
    for cut in (ROW.partition("e,")[0], ROW[:-10]):  # too few fields; an open quote
        file.write_text(f"{HEADER}\n{ROW}\n{ROW.replace('7', '9', 1)}\n{cut}")
        assert len(replayed(crimes, file, warnings=told)) == 2
    assert len(told) == 2
    assert f"{file}:4: the last line has 5 of 10 fields" in told[0]
    assert "The complete rows before it are served" in told[0]
    assert f"{file}:4: the last line is not closed" in told[1]


def test_a_cut_gzip_file_serves_its_whole_rows(crimes: UseCase, tmp_path: Path) -> None:
    file, told = tmp_path / "cut.csv.gz", list[str]()
    rows = "\n".join(ROW.replace("7", str(n), 1) for n in range(5_000))
    whole = gzip.compress(f"{HEADER}\n{rows}\n".encode())
    file.write_bytes(whole[: len(whole) // 2])
    assert 100 < len(replayed(crimes, file, warnings=told)) < 4_999
    assert "incomplete gzip file" in told[0]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.csv", f"{HEADER}\n1,2\n{ROW}\n", r"a\.csv:2: the line has 2 of 10 fields, and more"),
        ("a.csv", "", "is empty"),
        ("a.csv", "x,y\n1,2\n", r"a\.csv:1: the header 'x,y' is not that of an export"),
        ("a.jsonl", '{"id": "1"}\n{"id"\n{"id": "2"}\n', r"a\.jsonl:2: the line is not JSON"),
        ("a.jsonl", "[1]\n", "row 0 is not a JSON object"),
        ("a.json", '{"rows": []}', "does not hold a JSON array"),
        ("a.xlsx", "x", "cannot be replayed: unknown file type"),
    ],
)
def test_what_is_no_export_is_refused(
    crimes: UseCase, tmp_path: Path, name: str, text: str, message: str
) -> None:
    file = tmp_path / name
    file.write_text(text)
    with pytest.raises(UsageError, match=message):
        replayed(crimes, file)


def test_a_missing_file_and_another_encoding_are_told(crimes: UseCase, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Cannot read the export .*gone.csv: No such file"):
        replayed(crimes, tmp_path / "gone.csv")
    file = tmp_path / "latin.csv"
    file.write_bytes(f"{HEADER}\n{ROW}\n".encode() + "Ä".encode("latin-1"))
    with pytest.raises(UsageError, match=r"latin\.csv:3: not UTF-8"):
        replayed(crimes, file)


def test_titles_become_api_names() -> None:
    assert api_field("Case Number") == "case_number"
    assert api_field(" X Coordinate ") == "x_coordinate"
    assert api_field("Location (Lat/Lon)") == "location_lat_lon"
    assert api_field(":@computed_region_d9mm") == ":@computed_region_d9mm"


def test_local_times_at_the_changes_of_the_clocks(crimes: UseCase) -> None:
    times = LocalTimes(Shape.of(crimes).zone)
    assert times.utc("2016-07-01T12:00:00.000") == "2016-07-01T17:00:00.000Z"
    assert times.utc("2016-11-06T01:30:00.000") == "2016-11-06T06:30:00.000Z"  # twice; the first
    assert times.utc("2016-03-13T02:30:00.000") == "2016-03-13T08:30:00.000Z"  # never
    assert times.utc("13/13/2016") is None
    assert times.utc(None) is None


def real_lines(file: Path) -> list[list[str]]:
    with gzip.open(file, "rt", encoding="utf-8-sig", newline="") as text:
        return list(csv.reader(io.StringIO(text.read())))


def test_the_real_export_that_broke_off(crimes: UseCase, test_data: Path) -> None:
    file, told = test_data / "chicago" / "crimes_2015_export_truncated.csv.gz", list[str]()
    dataset = replayed(crimes, file, warnings=told)
    assert len(dataset) == 5_445
    assert len(told) == 1
    assert f"{file}:5447: the last line has 15 of 22 fields" in told[0]
    rows = {row["id"]: row for row in all_rows(dataset)}
    for values in real_lines(file)[1:-1]:
        row = rows[values[0]]
        assert (row["case_number"], row["beat"], row["district"]) == (
            values[1],
            values[10],
            values[11],
        )
        assert row["arrest"] is (values[8] == "true")
        assert row.get("latitude", "") == values[19]


def test_real_rows_without_ids_each_have_an_id(crimes: UseCase, test_data: Path) -> None:
    file = test_data / "chicago" / "crimes_2012_api_rows_no_ids.csv.gz"
    dataset = replayed(crimes, file)
    assert len(dataset) == dataset.versions == 10_000
    rows = all_rows(dataset)
    assert rows == all_rows(replayed(crimes, file))
    assert len({row[":id"] for row in rows}) == 10_000
    row = next(r for r in rows if r["case_number"] == "HY448381")
    assert row["location"]["latitude"] == "41.900039997"
    assert row["location"]["needs_recoding"] is False
    assert row[":@computed_region_vrxf_vc4k"] == "24"
    assert "id" not in row
    # No row says when it was changed: all came with the export, not before its newest event.
    assert dataset.earliest == dataset.latest
    assert str(dataset.earliest) > "2012-02-14"


@pytest.mark.long
def test_a_quarter_of_2001_without_ids(crimes: UseCase, test_data: Path) -> None:
    dataset = replayed(crimes, test_data / "chicago" / "crimes_2001_q1_no_ids.csv.gz")
    assert len(dataset) == dataset.versions == 112_429
