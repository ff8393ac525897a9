"""Rows by day and by area, read from real tables without a JVM."""

from __future__ import annotations

import json
from datetime import date, datetime, timezone
from pathlib import Path

import msgspec
import polars as pl
import pytest

from goldlake.workflows import data_views
from goldlake.workflows.report import gathered
from goldlake.workflows.report import map as map_section
from goldlake_core.contracts.errors import StoreError
from goldlake_core.contracts.registry import load_usecase
from goldlake_core.contracts.sections import AreaMap, UseCase
from goldlake_core.storage.home import Home
from lakehouse import specs
from tests.breaks.tables import write

HARBOUR = Path(__file__).parents[1] / "usecases" / "toy_harbour"
SQUARE = [[0, 0], [1, 0], [1, 1], [0, 0]]
HOLE = [[0.1, 0.1], [0.2, 0.1], [0.2, 0.2], [0.1, 0.1]]
BERTHS = {
    "type": "FeatureCollection",
    "source": "the harbour office",
    "features": [
        {
            "properties": {"berth": "01", "called": "North quay"},
            "geometry": {"type": "Polygon", "coordinates": [SQUARE, HOLE]},
        },
        {
            "properties": {"berth": "02"},
            "geometry": {"type": "MultiPolygon", "coordinates": [[SQUARE], [SQUARE]]},
        },
        {"properties": None, "geometry": None},
    ],
}


@pytest.fixture
def usecase(tmp_path: Path) -> UseCase:
    found = load_usecase(str(HARBOUR))
    (tmp_path / "berths.geojson").write_text(json.dumps(BERTHS), encoding="utf-8")
    areas = AreaMap(file=str(tmp_path / "berths.geojson"), column="berth", name="called")
    return msgspec.structs.replace(found, map=areas)


@pytest.fixture
def home(tmp_path: Path, usecase: UseCase) -> Home:
    home = Home.at(tmp_path / "home")
    times = [datetime(2024, 1, day, 12, tzinfo=timezone.utc) for day in (1, 1, 3, 3, 3)]
    rows = pl.DataFrame(
        {
            "call_id": [f"C{n:05}" for n in range(5)],
            "arrived": times,
            "berth": ["01", "01", "02", None, "77"],
        }
    )
    write(specs.silver(usecase, home, 1), rows)
    return home


def test_rows_are_counted_by_day(usecase: UseCase, home: Home) -> None:
    found = data_views.data(usecase, home)
    assert found.days == ((date(2024, 1, 1), 2), (date(2024, 1, 3), 3))
    assert found.newest_event == "2024-01-03T12:00+00:00"


def test_rows_are_counted_by_area(usecase: UseCase, home: Home) -> None:
    found = data_views.areas(usecase, home, None)
    assert found is not None
    first, second, nameless = found.areas
    assert (first.name, first.rows, len(first.rings)) == ("North quay", 2, 1)
    assert (second.name, second.rows, len(second.rings)) == ("02", 1, 2)
    assert (nameless.rows, nameless.rings) == (0, ())
    # One row has no berth, and one a berth that the file lacks.
    assert found.elsewhere == 2
    assert found.source == "the harbour office"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"features": [3]}',
        '{"features": [{"geometry": {"type": "Polygon", "coordinates": [3]}}]}',
        '{"features": [{"properties": [1], "geometry": null}]}',
    ],
)
def test_a_damaged_map_is_named_and_the_report_goes_on(
    usecase: UseCase, home: Home, text: str
) -> None:
    assert usecase.map is not None
    Path(usecase.map.file).write_text(text, encoding="utf-8")
    with pytest.raises(StoreError, match=r"berths.geojson .* GeoJSON FeatureCollection"):
        data_views.areas(usecase, home, None)
    part = map_section.part(gathered.of_usecase(usecase, home))
    assert "berths.geojson" in part.lead


def test_a_table_older_than_the_contract_is_not_counted_by_what_it_lacks(
    usecase: UseCase, home: Home
) -> None:
    assert usecase.map is not None
    newer = msgspec.structs.replace(usecase.map, column="vessel_type")
    assert data_views.areas(msgspec.structs.replace(usecase, map=newer), home, None) is None
    found = data_views.areas(usecase, home, "overdue")
    assert found is not None
    assert found.label is None


def test_a_map_that_is_not_there_is_named(usecase: UseCase, home: Home) -> None:
    assert usecase.map is not None
    Path(usecase.map.file).unlink()
    with pytest.raises(StoreError, match="cannot be read: No such file"):
        data_views.areas(usecase, home, None)


def test_without_a_map_or_rows_there_is_nothing_to_show(usecase: UseCase, tmp_path: Path) -> None:
    empty = Home.at(tmp_path / "empty")
    assert data_views.areas(usecase, empty, None) is None
    assert data_views.data(usecase, empty).days == ()
    without = msgspec.structs.replace(usecase, map=None)
    assert "names no boundaries" in map_section.part(gathered.of_usecase(without, empty)).lead
