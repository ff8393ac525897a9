"""What a home knows of the data of a use case, as typed answers. Read-only, without a JVM."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec

from goldlake.workflows import views
from goldlake_core.contracts.errors import GoldlakeError, StoreError
from goldlake_core.contracts.ids import TableId
from goldlake_core.contracts.sections import Cluster, GoldTable, UseCase
from goldlake_core.documents.history import RunRow
from goldlake_core.documents.lakehouse import QuarantineView
from goldlake_core.documents.reports import UseCaseTables
from goldlake_core.storage.home import Home

if TYPE_CHECKING:
    import polars as pl

SHOWN_REJECTED = 5
MOST_MAP_BYTES = 20_000_000
LONGITUDES, LATITUDES = ("longitude", "lon", "lng"), ("latitude", "lat")
"""Names of the columns by which a cluster is one of places."""

Ring = tuple[tuple[float, float], ...]


class DataView(msgspec.Struct, frozen=True, kw_only=True):
    """The data of a use case.

    Attributes:
        tables: Tables and fates, or null where nothing was refined yet.
        newest: Newest run of any command, or null before the first.
        runs: Runs that landed something, the newest first.
        newest_event: Time of the newest event in silver, or null without an event time.
        days: Number of silver rows by day of the event.
        quarantine: Rejected records by reason, and some of them, or null where nothing was refined.
    """

    tables: UseCaseTables | None
    newest: RunRow | None
    runs: tuple[RunRow, ...]
    newest_event: str | None
    days: tuple[tuple[date, int], ...]
    quarantine: QuarantineView | None


class Area(msgspec.Struct, frozen=True, kw_only=True):
    """An area of the map.

    Attributes:
        value: What the column of silver has.
        name: Name for people.
        rows: Number of silver rows in it.
        positives: Number of those whose boolean label is true, or null without such a label.
        rings: Outer boundaries in longitude and latitude.
    """

    value: str
    name: str
    rows: int
    positives: int | None
    rings: tuple[Ring, ...]


class ClusterCenter(msgspec.Struct, frozen=True, kw_only=True):
    """The middle of a cluster.

    Attributes:
        number: Number of the cluster.
        longitude: Its longitude in degrees.
        latitude: Its latitude in degrees.
        rows: Number of gold rows that have this number; all fits counted.
    """

    number: int
    longitude: float
    latitude: float
    rows: int


class ClustersView(msgspec.Struct, frozen=True, kw_only=True):
    """A cluster column of a gold table.

    Attributes:
        table: Name of the gold table.
        column: Name of the column.
        fitted_before: Only rows that happened earlier made the newest fit (ISO 8601, UTC), or null
            before the first fit.
        centers: Centers of the newest fit, by number; none where the cluster is not one of places.
        unnumbered: Number of rows in no cluster.
        problem: A sentence that says why there are no centers; "" where there are.
    """

    table: str
    column: str
    fitted_before: str | None
    centers: tuple[ClusterCenter, ...]
    unnumbered: int
    problem: str


class AreasView(msgspec.Struct, frozen=True, kw_only=True):
    """Rows by area.

    Attributes:
        column: Column of silver that names the area.
        label: Boolean column that is counted, or null.
        areas: The areas in the order of the file.
        elsewhere: Number of rows without an area, or with one that the file lacks.
        source: Where the boundaries are from, as the file says.
        clusters: Clusters of gold tables, where rows of all time are shown.
    """

    column: str
    label: str | None
    areas: tuple[Area, ...]
    elsewhere: int
    source: str
    clusters: tuple[ClustersView, ...] = ()


def data(usecase: UseCase, home: Home) -> DataView:
    """Tables, fates, freshness and quarantine of a use case."""
    from lakehouse import quarantine
    from metadata import history

    tables = views.tables(str(usecase.folder), home).get(usecase.name)
    runs = history.read(home, usecase.name)
    try:
        rejected = quarantine.rejected(usecase.name, home, limit=SHOWN_REJECTED)
    except GoldlakeError:
        rejected = None
    newest, days = _days(usecase, home)
    return DataView(
        tables=tables,
        newest=runs[0] if runs else None,
        runs=tuple(run for run in runs if run.landed is not None),
        newest_event=newest,
        days=days,
        quarantine=rejected,
    )


def areas(
    usecase: UseCase, home: Home, label: str | None, month: str | None = None
) -> AreasView | None:
    """Rows of silver by area, or None where the contract names no map or nothing was refined.

    Args:
        usecase: The use case.
        home: Home that holds it.
        label: Boolean column of silver to count too; ignored where silver has no such column.
        month: Only events of this month, ``YYYY-MM``, or None for all; of a use case with an event
            time.

    Raises:
        StoreError: The GeoJSON file is missing, too large or not GeoJSON with polygons.
    """
    import polars as pl

    if usecase.map is None:
        return None
    column = usecase.map.column
    frame = _silver(usecase, home, column)
    if frame is None:
        return None
    if month is not None and usecase.silver.event_time:
        time = pl.col(usecase.silver.event_time)
        frame = frame.filter(time.cast(pl.Date).dt.strftime("%Y-%m") == month)
    booleans = {each.name for each in usecase.silver.columns if each.type == "boolean"}
    counted = label if label in booleans and label in frame.collect_schema() else None
    counts = [pl.len().alias("_rows")]
    if counted:
        counts.append(pl.col(counted).sum().alias("_positives"))
    grouped = frame.group_by(pl.col(column).cast(pl.String)).agg(counts).collect()
    by_value = {row[0]: row[1:] for row in grouped.iter_rows()}
    document = _geojson(usecase.folder / usecase.map.file)
    found = []
    for feature in document.features:
        value = feature.text(usecase.map.property or column)
        row = by_value.get(value, (0, 0))
        found.append(
            Area(
                value=value,
                name=feature.text(usecase.map.name) or value,
                rows=row[0],
                positives=int(row[1] or 0) if counted else None,
                rings=feature.rings(),
            )
        )
    return AreasView(
        column=column,
        label=counted,
        areas=tuple(found),
        elsewhere=sum(row[0] for row in by_value.values()) - sum(area.rows for area in found),
        source="; ".join(text for text in (document.source, document.license) if text),
        clusters=_clusters(usecase, home) if month is None else (),
    )


def _clusters(usecase: UseCase, home: Home) -> tuple[ClustersView, ...]:
    return tuple(
        _cluster(usecase, home, table, cluster)
        for table in usecase.gold.values()
        for cluster in table.clusters
    )


def _cluster(usecase: UseCase, home: Home, table: GoldTable, cluster: Cluster) -> ClustersView:
    """The newest fit of a cluster; a reader learns why where it cannot be drawn."""
    from lakehouse.clusters import newest_fit
    from lakehouse.rows import all_rows

    def view(problem: str) -> ClustersView:
        return ClustersView(
            table=table.name,
            column=cluster.name,
            fitted_before=None,
            centers=(),
            unnumbered=0,
            problem=problem,
        )

    places = [
        next((n for n, name in enumerate(cluster.columns) if name.lower() in names), None)
        for names in (LONGITUDES, LATITUDES)
    ]
    if len(cluster.columns) != len(places) or None in places:
        return view(f"It is made of {', '.join(cluster.columns)}, which is not a place on the map.")
    try:
        fit = newest_fit(usecase, home, table, cluster)
        frame = all_rows(TableId(usecase.name, "gold", table.name), home)[0]
        if fit is None or cluster.name not in frame.collect_schema():
            return view("It has no fit yet: no row happened before its first interval.")
        counts = dict(frame.group_by(cluster.name).len().collect().iter_rows())
    except GoldlakeError as error:
        return view(error.problem)
    longitude, latitude = places
    assert longitude is not None
    assert latitude is not None
    return ClustersView(
        table=table.name,
        column=cluster.name,
        fitted_before=fit.start,
        centers=tuple(
            ClusterCenter(
                number=center.number,
                longitude=center.values[longitude],
                latitude=center.values[latitude],
                rows=counts.get(center.number, 0),
            )
            for center in sorted(fit.centers, key=lambda each: each.number)
        ),
        unnumbered=counts.get(None, 0),
        problem="",
    )


def _silver(usecase: UseCase, home: Home, column: str) -> pl.LazyFrame | None:
    """Silver's rows, or None where there are none yet or they lack a column of the contract."""
    from lakehouse.rows import all_rows

    try:
        frame = all_rows(TableId(usecase.name, "silver", usecase.silver.table), home)[0]
    except GoldlakeError:
        return None
    return frame if column in frame.collect_schema() else None


def _days(usecase: UseCase, home: Home) -> tuple[str | None, tuple[tuple[date, int], ...]]:
    import polars as pl

    name = usecase.silver.event_time
    frame = _silver(usecase, home, name) if name else None
    if frame is None:
        return None, ()
    day = pl.col(name).cast(pl.Date).alias("_day")
    days = frame.select(day).drop_nulls().group_by("_day").len().sort("_day").collect()
    newest = frame.select(pl.col(name).max()).collect().item()
    text = newest.isoformat(timespec="minutes") if isinstance(newest, datetime) else None
    return text or (str(newest) if newest else None), tuple(days.iter_rows())


_Lines = tuple[tuple[Annotated[tuple[float, ...], msgspec.Meta(min_length=2)], ...], ...]


class _Polygon(msgspec.Struct, frozen=True, tag_field="type", tag="Polygon"):
    coordinates: _Lines


class _Polygons(msgspec.Struct, frozen=True, tag_field="type", tag="MultiPolygon"):
    coordinates: tuple[_Lines, ...]


class _Feature(msgspec.Struct, frozen=True):
    properties: dict[str, msgspec.Raw] | None = None
    geometry: _Polygon | _Polygons | None = None

    def text(self, name: str) -> str:
        """A property as text; "" where the feature lacks it."""
        raw = (self.properties or {}).get(name)
        value = None if raw is None else msgspec.json.decode(raw)
        return "" if value is None else str(value)

    def rings(self) -> tuple[Ring, ...]:
        """Outer boundaries; the holes of a polygon follow its first ring and are left out."""
        if self.geometry is None:
            return ()
        held = self.geometry
        polygons = held.coordinates if isinstance(held, _Polygons) else (held.coordinates,)
        return tuple(
            tuple((point[0], point[1]) for point in lines[0]) for lines in polygons if lines
        )


class _Features(msgspec.Struct, frozen=True):
    features: tuple[_Feature, ...]
    source: str = ""
    license: str = ""


def _geojson(path: Path) -> _Features:
    wanted = "a GeoJSON FeatureCollection of polygons of at most 20 MB"
    try:
        size = path.stat().st_size
        if size > MOST_MAP_BYTES:
            raise StoreError(f"{path} has {size:,} bytes", valid=wanted)
        return msgspec.json.decode(path.read_bytes(), type=_Features)
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error.strerror}", valid=wanted) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise StoreError(f"{path} cannot be used: {error}", valid=wanted) from error
