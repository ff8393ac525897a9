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
from goldlake_core.contracts.sections import AreaMap, Cluster, Column, UseCase
from goldlake_core.storage.fits import Center, Fit
from goldlake_core.storage.home import Home
from lakehouse import clusters, specs
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


@pytest.fixture
def clustered(usecase: UseCase) -> UseCase:
    """The use case with a cluster of places and one of sizes."""
    table = usecase.gold["call_features"]
    clusters = (
        Cluster(name="place", columns=("latitude", "longitude"), k=3, time="arrived"),
        Cluster(name="size", columns=("length_m", "crew"), k=2, time="arrived"),
    )
    numbers = tuple(Column(name=each.name, type="long", comment="c") for each in clusters)
    columns = (*table.columns, *numbers)
    table = msgspec.structs.replace(table, clusters=clusters, columns=columns)
    return msgspec.structs.replace(usecase, gold={**usecase.gold, table.name: table})


def put_fit(usecase: UseCase, home: Home) -> None:
    table = usecase.gold["call_features"]
    store = clusters._store(usecase, home, table, table.clusters[0])
    centers = ((0.2, 0.9), (0.3, 0.5), (55.0, 8.0))
    fit = Fit(
        number=1,
        before="",
        start="2024-01-02T00:00:00.000000Z",
        rows=5,
        columns=("latitude", "longitude"),
        scales=(1.0, 1.0),
        centers=tuple(Center(number=n, values=values) for n, values in enumerate(centers)),
        through=1,
        run_id="run",
    )
    store.add(store.begin("the first"), fit)
    rows = pl.DataFrame(
        {"call_id": [f"C{n}" for n in range(6)], "place": [0, 0, 0, 1, None, 2], "size": [1] * 6}
    )
    write(specs.gold(usecase, home, table), rows)


def test_clusters_of_places_are_on_the_map(clustered: UseCase, home: Home) -> None:
    put_fit(clustered, home)
    found = data_views.areas(clustered, home, None)
    assert found is not None
    place, size = found.clusters
    assert [(c.number, c.longitude, c.latitude, c.rows) for c in place.centers] == [
        (0, 0.9, 0.2, 3),
        (1, 0.5, 0.3, 1),
        (2, 8.0, 55.0, 1),
    ]
    assert (place.unnumbered, place.problem) == (1, "")
    assert size.centers == ()
    part = map_section.part(gathered.of_usecase(clustered, home))
    assert part.body.count('<circle class="center"') == 2
    assert "Cluster 0: 3 rows" in part.body
    assert "1 center lies outside of the map." in part.body
    assert "The cluster size of gold table call_features is not on the map." in part.body
    assert "length_m, crew, which is not a place on the map." in part.body


def test_a_month_of_the_map_has_no_clusters(clustered: UseCase, home: Home) -> None:
    put_fit(clustered, home)
    found = data_views.areas(clustered, home, None, "2024-01")
    assert found is not None
    assert found.clusters == ()


def test_a_cluster_that_cannot_be_shown_says_why(clustered: UseCase, home: Home) -> None:
    found = data_views.areas(clustered, home, None)
    assert found is not None
    assert "call_features" in found.clusters[0].problem  # there is no gold table yet
    put_fit(clustered, home)
    (file,) = Path(home.path("clusters")).rglob("0001.json")
    file.write_text("{}", encoding="utf-8")
    found = data_views.areas(clustered, home, None)
    assert found is not None
    assert "0001.json" in found.clusters[0].problem
    assert "0001.json" in map_section.part(gathered.of_usecase(clustered, home)).body
