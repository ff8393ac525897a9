"""The crimes that the simulated API publishes: all versions, and which of them an update shows.

The API's data are updated once a month. An update adds months and amends outcomes of earlier ones,
and numbers all records anew, as the API does. It shows the newest 36 months.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import asin, cos, radians, sin, sqrt
from typing import Any, NamedTuple

import orjson

KEPT_MONTHS = 36
MILE_KM = 1.609344

CRIME, UPDATED, GONE = ":crime", ":updated", ":gone"
"""Fields of a row beside the API's: which crime it is, the month of the update that first has this
version of it, and whether the crime is taken out with that update."""

_EARTH_KM = 6371.0088
_FIRST_ID = 100_000_000
_IDS_PER_UPDATE = 10_000_000
_FIELDS = (
    "category",
    "location_type",
    "location",
    "context",
    "outcome_status",
    "persistent_id",
    "id",
    "location_subtype",
    "month",
)

Row = Mapping[str, Any]
"""The fields of a crime as the API has them, and those of its version."""

Point = tuple[float, float]
"""Latitude and longitude in degrees."""


class Shown(NamedTuple):
    """A crime as an update shows it.

    Attributes:
        point: Where the API puts it, or None.
        category: The category's name in URLs.
        body: The record as JSON.
    """

    point: Point | None
    category: str
    body: bytes


@dataclass(frozen=True)
class _Version:
    updated: str
    row: Row


class Crimes:
    """All versions of all crimes, read-only once made.

    Attributes:
        updates: Months of the updates, in their order.
        versions: Number of versions of all crimes.
    """

    def __init__(self, rows: Iterable[Row]) -> None:
        """Takes the versions in, those of one crime in any order.

        Args:
            rows: The API's fields without ``id``, and `CRIME`, `UPDATED` and perhaps `GONE`.
        """
        found: dict[Any, list[_Version]] = {}
        for row in rows:
            found.setdefault(row[CRIME], []).append(_Version(row[UPDATED], row))
        for versions in found.values():
            versions.sort(key=lambda version: version.updated)
        self._crimes = list(found.values())
        self.versions = sum(map(len, self._crimes))
        self.updates = sorted({v.updated for versions in self._crimes for v in versions})
        self.shown = lru_cache(maxsize=4)(self._shown)

    def __len__(self) -> int:
        """Crimes, each once."""
        return len(self._crimes)

    def update_at(self, at: str | None) -> str | None:
        """The newest update at an instant (ISO 8601), or at the end of all times; None before."""
        if at is None:
            return self.updates[-1]
        count = bisect_right(self.updates, at[:7])
        return self.updates[count - 1] if count else None

    def months(self, update: str | None) -> list[str]:
        """The months that an update shows, oldest first, those without crimes too."""
        if update is None:
            return []
        found = sorted(self.shown(update))
        if not found:
            return []
        return list(_months(found[0], found[-1]))[-KEPT_MONTHS:]

    def _shown(self, update: str) -> dict[str, list[Shown]]:
        """The crimes that an update shows, by month."""
        first = _FIRST_ID + self.updates.index(update) * _IDS_PER_UPDATE
        found: dict[str, list[Shown]] = {}
        for number, versions in enumerate(self._crimes):
            known = [version for version in versions if version.updated <= update]
            if known and not known[-1].row.get(GONE):
                row = {**known[-1].row, "id": first + number}
                shown = Shown(_point(row), row["category"], _body(row))
                found.setdefault(row["month"], []).append(shown)
        return found


def is_inside(point: Point, polygon: list[Point]) -> bool:
    """Whether a point lies in a polygon, by the number of edges to one side of it."""
    latitude, longitude = point
    inside = False
    for (a_lat, a_lng), (b_lat, b_lng) in zip(polygon, polygon[-1:] + polygon[:-1], strict=True):
        if (a_lat > latitude) != (b_lat > latitude):
            share = (latitude - a_lat) / (b_lat - a_lat)
            inside ^= longitude < a_lng + share * (b_lng - a_lng)
    return inside


def distance_km(one: Point, other: Point) -> float:
    """Kilometers along the surface (haversine)."""
    lat, lng, lat2, lng2 = map(radians, (*one, *other))
    half = sin((lat2 - lat) / 2) ** 2 + cos(lat) * cos(lat2) * sin((lng2 - lng) / 2) ** 2
    return 2 * _EARTH_KM * asin(min(1.0, sqrt(half)))


def month_after(month: str, count: int) -> str:
    """The month so many months after one: ``2023-11`` and 3 make ``2024-02``."""
    year, number = map(int, month.split("-"))
    years, rest = divmod(number - 1 + count, 12)
    return f"{year + years:04}-{rest + 1:02}"


def _months(first: str, last: str) -> Iterator[str]:
    month = first
    while month <= last:
        yield month
        month = month_after(month, 1)


def _point(row: Row) -> Point | None:
    place = row.get("location")
    return (float(place["latitude"]), float(place["longitude"])) if place else None


def _body(row: Row) -> bytes:
    return orjson.dumps({name: row.get(name) for name in _FIELDS})
