"""What a home knows of the data of a use case, as typed answers. Read-only, without a JVM."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

import msgspec

from goldlake.workflows import views
from goldlake_core.contracts.errors import GoldlakeError, StoreError
from goldlake_core.contracts.ids import TableId
from goldlake_core.contracts.sections import UseCase
from goldlake_core.documents.history import RunRow
from goldlake_core.documents.lakehouse import QuarantineView
from goldlake_core.documents.reports import UseCaseTables
from goldlake_core.storage.home import Home

SHOWN_REJECTED = 5
MOST_MAP_BYTES = 20_000_000

Ring = tuple[tuple[float, float], ...]


class DataView(msgspec.Struct, frozen=True, kw_only=True):
    """The data of a use case.

    Attributes:
        tables: Tables and fates, or null where nothing was refined yet.
        runs: Runs that landed something, the newest first.
        newest_event: Time of the newest event in silver, or null without an event time.
        days: Number of silver rows by day of the event.
        quarantine: Rejected records by reason, and some of them, or null where nothing was refined.
    """

    tables: UseCaseTables | None
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


class AreasView(msgspec.Struct, frozen=True, kw_only=True):
    """Rows by area.

    Attributes:
        column: Column of silver that names the area.
        label: Boolean column that is counted, or null.
        areas: The areas in the order of the file.
        elsewhere: Number of rows without an area, or with one that the file lacks.
        source: Where the boundaries are from, as the file says.
    """

    column: str
    label: str | None
    areas: tuple[Area, ...]
    elsewhere: int
    source: str


def data(usecase: UseCase, home: Home) -> DataView:
    """Tables, fates, freshness and quarantine of a use case."""
    from lakehouse import quarantine
    from metadata import history

    tables = views.tables(str(usecase.folder), home).get(usecase.name)
    rows = [run for run in history.read(home, usecase.name) if run.landed is not None]
    try:
        rejected = quarantine.rejected(usecase.name, home, limit=SHOWN_REJECTED)
    except GoldlakeError:
        rejected = None
    newest, days = _days(usecase, home)
    return DataView(
        tables=tables, runs=tuple(rows), newest_event=newest, days=days, quarantine=rejected
    )


def areas(usecase: UseCase, home: Home, label: str | None) -> AreasView | None:
    """Rows of silver by area, or None where the contract names no map or nothing was refined.

    Args:
        usecase: The use case.
        home: Home that holds it.
        label: Boolean column of silver to count too; ignored where silver has no such column.

    Raises:
        StoreError: The GeoJSON file is missing, too large or not GeoJSON with polygons.
    """
    import polars as pl

    if usecase.map is None:
        return None
    frame = _silver(usecase, home)
    if frame is None:
        return None
    silver, column = usecase.silver, usecase.map.column
    booleans = {each.name for each in silver.columns if each.type == "boolean"}
    counted = label if label in booleans else None
    counts = [pl.len().alias("_rows")]
    if counted:
        counts.append(pl.col(counted).sum().alias("_positives"))
    grouped = frame.group_by(pl.col(column).cast(pl.String)).agg(counts).collect()
    by_value = {row[0]: row[1:] for row in grouped.iter_rows()}
    total = sum(row[0] for row in by_value.values())
    document = _geojson(usecase)
    found = []
    for feature in document["features"]:
        properties = feature.get("properties") or {}
        value = str(properties.get(usecase.map.property or column))
        row = by_value.get(value, (0, 0))
        found.append(
            Area(
                value=value,
                name=str(properties.get(usecase.map.name) or value),
                rows=row[0],
                positives=int(row[1] or 0) if counted else None,
                rings=_rings(feature.get("geometry") or {}),
            )
        )
    return AreasView(
        column=column,
        label=counted,
        areas=tuple(found),
        elsewhere=total - sum(area.rows for area in found),
        source="; ".join(str(document[key]) for key in ("source", "license") if key in document),
    )


def _silver(usecase: UseCase, home: Home) -> Any:
    from lakehouse.rows import all_rows

    try:
        return all_rows(TableId(usecase.name, "silver", usecase.silver.table), home)[0]
    except GoldlakeError:
        return None


def _days(usecase: UseCase, home: Home) -> tuple[str | None, tuple[tuple[date, int], ...]]:
    import polars as pl

    name = usecase.silver.event_time
    frame = _silver(usecase, home) if name else None
    if frame is None:
        return None, ()
    day = pl.col(name).cast(pl.Date).alias("_day")
    days = frame.select(day).drop_nulls().group_by("_day").len().sort("_day").collect()
    newest = frame.select(pl.col(name).max()).collect().item()
    text = newest.isoformat(timespec="minutes") if isinstance(newest, datetime) else None
    return text or (str(newest) if newest else None), tuple(days.iter_rows())


def _geojson(usecase: UseCase) -> Mapping[str, Any]:
    assert usecase.map is not None
    path = usecase.folder / usecase.map.file
    wanted = "a GeoJSON FeatureCollection of polygons of at most 20 MB"
    try:
        if path.stat().st_size > MOST_MAP_BYTES:
            raise StoreError(f"{path} has {path.stat().st_size:,} bytes", hint=wanted)
        document = json.loads(path.read_text(encoding="utf-8"))
        for feature in document["features"]:
            _rings(feature.get("geometry") or {})
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error.strerror}", hint=wanted) from error
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise StoreError(f"{path} is not such a file: {error}", hint=wanted) from error
    found: Mapping[str, Any] = document
    return found


def _rings(geometry: Mapping[str, Any]) -> tuple[Ring, ...]:
    kind, held = geometry.get("type"), geometry.get("coordinates") or []
    polygons = held if kind == "MultiPolygon" else [held] if kind == "Polygon" else []
    return tuple(
        tuple((float(point[0]), float(point[1])) for point in polygon[0])
        for polygon in polygons
        if polygon
    )
