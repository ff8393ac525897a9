"""A real month over HTTP into silver and gold, cell by cell against plain Polars."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from goldlake_core.storage.deltalog import DeltaLog
from tests.end_to_end.commands import goldlake, goldlake_json, source

MONTH = "01/"
CSV_TIME = "%m/%d/%Y %I:%M:%S %p"
ZONE = "America/Chicago"

pytestmark = pytest.mark.spark


@pytest.fixture(scope="module")
def month(test_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export of January 2016 in a folder of its own."""
    file: Path = tmp_path_factory.mktemp("month") / "crimes_2016_01.csv"
    with gzip.open(test_data / "chicago" / "crimes_2016.csv.gz", "rt", encoding="utf-8") as lines:
        header = next(lines)
        rows = [line for line in lines if line.split(",", 3)[2].startswith(MONTH)]
    file.write_text(header + "".join(rows), encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def home(month: Path) -> Iterator[Path]:
    """A home that has ingested the month once."""
    with source("chicago_crime", "--data", str(month), folder=month.parent) as url:
        (month.parent / "url").write_text(url)
        goldlake("ingest", "chicago_crime", "--source", url, "--home", "home", folder=month.parent)
        yield month.parent / "home"


@pytest.fixture(scope="module")
def expected(month: Path) -> pl.DataFrame:
    """Silver by the portal's own description of the columns, computed without goldlake."""
    raw = pl.read_csv(month, infer_schema=False)
    raw = raw.rename({name: name.lower().replace(" ", "_") for name in raw.columns})
    spellings = {
        "CRIM SEXUAL ASSAULT": "CRIMINAL SEXUAL ASSAULT",
        "NON - CRIMINAL": "NON-CRIMINAL",
        "NON-CRIMINAL (SUBJECT SPECIFIED)": "NON-CRIMINAL",
    }
    numbers = {"id": pl.Int64, "ward": pl.Int64, "community_area": pl.Int64}
    numbers |= dict.fromkeys(["x_coordinate", "y_coordinate", "latitude", "longitude"], pl.Float64)
    return raw.with_columns(
        *[pl.col(name).cast(kind) for name, kind in numbers.items()],
        *[
            pl.col(name)
            .str.to_datetime(CSV_TIME, time_unit="us")
            .dt.replace_time_zone(ZONE, ambiguous="earliest")
            .dt.convert_time_zone("UTC")
            for name in ("date", "updated_on")
        ],
        *[pl.col(name) == "true" for name in ("arrest", "domestic")],
        pl.col("primary_type").replace(spellings),
    ).sort("id")


def table(home: Path, layer: str, name: str, key: list[str]) -> pl.DataFrame:
    read: Any = pl.from_arrow(
        DeltaLog(str(home / "tables" / "chicago_crime" / layer / name)).read()
    )
    return read.sort(key)


def test_silver_equals_an_independent_computation(home: Path, expected: pl.DataFrame) -> None:
    silver = table(home, "silver", "crimes", ["id"]).select(expected.columns)
    assert silver.height > 20_000
    assert_frame_equal(silver, expected, check_exact=True)


def test_gold_rows_equal_an_independent_computation(home: Path, expected: pl.DataFrame) -> None:
    local = pl.col("date").dt.convert_time_zone(ZONE)
    newest: dict[int, datetime] = {}
    for _, block in expected.group_by(pl.col("case_number").str.slice(0, 4)):
        cases = block.sort("case_number", "id").select("id", "date").rows()
        for place, (key, _) in enumerate(cases):
            newest[key] = max(date for _, date in cases[max(0, place - 10) : place + 1])
    dates = expected.select("id", "date").rows()
    delay = [min((newest[key] - date).total_seconds() / 60, 1440.0) for key, date in dates]
    wanted = expected.with_columns(
        pl.Series("report_delay", delay),
        case_block=pl.col("case_number").str.slice(0, 4),
        minute=local.dt.minute().cast(pl.Int64),
        hour=local.dt.hour().cast(pl.Int64),
        weekday=local.dt.weekday().cast(pl.Int64),
        month=local.dt.month().cast(pl.Int64),
    )
    gold = table(home, "gold", "arrest_features", ["id"])
    assert_frame_equal(gold, wanted.select(gold.columns), check_exact=True)


def test_gold_cells_equal_an_independent_computation(home: Path, expected: pl.DataFrame) -> None:
    gold = table(home, "gold", "area_day", ["community_area", "primary_type", "day"])
    wanted = cells(expected).select(gold.columns)
    assert_frame_equal(gold, wanted.sort(["community_area", "primary_type", "day"]), abs_tol=1e-9)


def cells(rows: pl.DataFrame) -> pl.DataFrame:
    """Counts per area, type and day that has any, in plain loops over the calendar."""
    local = rows.with_columns(day=pl.col("date").dt.convert_time_zone(ZONE).dt.date())
    first, last = local["day"].min(), local["day"].max()
    calendar = pl.date_range(first, last, eager=True)
    found = []
    known = local.drop_nulls("community_area")
    for (area, kind), part in known.group_by(["community_area", "primary_type"]):
        counts = dict(part.group_by("day").len().iter_rows())
        arrests = dict(part.filter(pl.col("arrest")).group_by("day").len().iter_rows())
        history: list[int] = []
        for day in calendar:
            incidents = counts.get(day, 0)
            history.append(incidents)
            if not incidents:
                continue
            found.append(
                {
                    "community_area": area,
                    "primary_type": kind,
                    "day": day,
                    "incidents": incidents,
                    "arrests": arrests.get(day, 0),
                    "arrest_rate": arrests.get(day, 0) / incidents,
                    "incidents_7d": sum(history[-7:]),
                    "incidents_28d": sum(history[-28:]),
                }
            )
    return pl.DataFrame(found, infer_schema_length=None)


def test_every_record_has_its_fate(home: Path, expected: pl.DataFrame) -> None:
    document = goldlake_json("tables", "--home", "home", folder=home.parent)["chicago_crime"]
    fates = ("inserted", "amended", "unchanged", "stale", "quarantined", "deleted")
    assert document["landed"] == expected.height
    assert sum(document[fate] for fate in fates) == document["landed"]
    assert document["inserted"] == document["silver"] == expected.height


def test_ingesting_twice_does_nothing_and_says_so(home: Path) -> None:
    url = (home.parent / "url").read_text()
    before = goldlake_json("tables", "--home", "home", folder=home.parent)
    command = ("ingest", "chicago_crime", "--source", url, "--home", "home")
    document = goldlake_json(*command, folder=home.parent)
    assert document["land"]["rows"] == 0
    assert document["refine"]["new_records"] == 0
    assert goldlake_json("tables", "--home", "home", folder=home.parent) == before
