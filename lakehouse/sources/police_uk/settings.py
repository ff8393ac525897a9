"""The options of a source of this kind: which area, which months, and how fast it is asked."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from goldlake_core.contracts.errors import UsageError
from lakehouse.sources.base import Problem
from lakehouse.sources.police_uk import area
from lakehouse.sources.police_uk.area import MOST_CORNERS, Place, Polygon

OPTIONS: Mapping[str, Any] = {
    "polygon": (),
    "points": (),
    "forces": (),
    "first_month": "",
    "last_month": "",
    "requests_per_s": 10.0,
    "attempts": 8,
    "backoff_s": 0.5,
    "timeout_s": 60.0,
}
MOST_REQUESTS_PER_S = 15.0
"""Requests a second that the API takes for long; its documentation calls them a leaky bucket."""
BURST = 30
"""Requests that the API takes at once."""
MOST_POINTS = 100
MONTH = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")
"""A month as the API writes it."""

_FORCE = re.compile(r"[a-z][a-z-]{1,40}")
_PAIRS = "places as [latitude, longitude], such as [[52.60, -1.16], [52.65, -1.16], [52.65, -1.10]]"
# The United Kingdom with a margin. Who swaps latitude and longitude is outside of it.
_SOUTH, _NORTH, _WEST, _EAST = 49.0, 61.5, -9.5, 2.5

SCHEMA: Mapping[str, Any] = {
    "polygon": {
        "description": "Corners of the area as [latitude, longitude], in degrees, in their order.",
        "type": "array",
        "items": {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2},
        "minItems": 3,
        "maxItems": MOST_CORNERS,
    },
    "points": {
        "description": "Places as [latitude, longitude]; the area is a mile around each.",
        "type": "array",
        "items": {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2},
        "minItems": 1,
        "maxItems": MOST_POINTS,
    },
    "forces": {
        "description": "Forces whose records without a place are landed too.",
        "type": "array",
        "items": {"type": "string", "pattern": f"^{_FORCE.pattern}$"},
        "uniqueItems": True,
    },
    "first_month": {
        "description": "First month that is asked for; the API keeps about three years.",
        "type": "string",
        "pattern": f"^{MONTH.pattern}$",
    },
    "last_month": {
        "description": "Last month that is asked for; without it the newest one.",
        "type": "string",
        "pattern": f"^{MONTH.pattern}$",
    },
    "requests_per_s": {
        "description": f"Most requests per second; the API takes {MOST_REQUESTS_PER_S:g}.",
        "type": "number",
        "exclusiveMinimum": 0,
        "default": OPTIONS["requests_per_s"],
    },
    "attempts": {
        "description": "Tries of one request before it fails.",
        "type": "integer",
        "minimum": 1,
        "default": OPTIONS["attempts"],
    },
    "backoff_s": {
        "description": "Seconds before the second try; doubled with each further one.",
        "type": "number",
        "minimum": 0,
        "default": OPTIONS["backoff_s"],
    },
    "timeout_s": {
        "description": "Seconds that one try may wait for the answer.",
        "type": "number",
        "exclusiveMinimum": 0,
        "default": OPTIONS["timeout_s"],
    },
}
"""JSON Schema of each option."""


class Settings(NamedTuple):
    """The options as the connector uses them.

    Attributes:
        polygon: The corners of the area; () for none.
        points: Places; the area is a mile around each.
        forces: Forces whose records without a place are landed too.
        first_month: First month that is asked for, or "".
        last_month: Last month that is asked for, or "".
        requests_per_s: Most requests per second.
        attempts: Tries of one request before it fails.
        backoff_s: Seconds before the second try.
        timeout_s: Seconds that one try may wait.
    """

    polygon: Polygon
    points: tuple[Place, ...]
    forces: tuple[str, ...]
    first_month: str
    last_month: str
    requests_per_s: float
    attempts: int
    backoff_s: float
    timeout_s: float

    def questions(self) -> tuple[Question, ...]:
        """What one month is made of: the polygon, or each place, and then each force."""
        polygons = (Question(polygon=self.polygon),) if self.polygon else ()
        circles = (Question(point=point) for point in self.points)
        return (*polygons, *circles, *(Question(force=force) for force in self.forces))

    @property
    def area_digest(self) -> str:
        """What tells this area from every other."""
        texts = [str(sorted(question.parameters.items())) for question in self.questions()]
        return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Question:
    """One area that the API is asked about, for a month: one of the three.

    Attributes:
        polygon: Corners of a polygon.
        point: A place, for the mile around it.
        force: A force, for its records without a place.
    """

    polygon: Polygon = ()
    point: Place | None = None
    force: str = ""

    @property
    def parameters(self) -> Mapping[str, str]:
        """The parameters of a request, but for the month."""
        if self.point is not None:
            latitude, _, longitude = area.text_of([self.point]).partition(",")
            return {"lat": latitude, "lng": longitude}
        return {"force": self.force} if self.force else {"poly": area.text_of(self.polygon)}

    def parts(self) -> tuple[Question, ...]:
        """Questions that together ask the same, without overlap; () where it cannot be divided."""
        return tuple(Question(polygon=each) for each in area.parts(self.polygon))


def settings_of(options: Mapping[str, Any]) -> Settings:
    """The options over their defaults.

    Args:
        options: Those of a contract, all of them known.

    Raises:
        UsageError: One does not hold.
    """
    for found in problems(options):
        raise UsageError(
            f"source.options{found.name and '.'}{found.name}: {found.problem}", valid=found.valid
        )
    chosen = {**OPTIONS, **options}
    return Settings(
        polygon=tuple(_opened(_places(chosen["polygon"]) or [])),
        points=tuple(_places(chosen["points"]) or ()),
        forces=tuple(chosen["forces"]),
        first_month=chosen["first_month"],
        last_month=chosen["last_month"],
        requests_per_s=float(chosen["requests_per_s"]),
        attempts=int(chosen["attempts"]),
        backoff_s=float(chosen["backoff_s"]),
        timeout_s=float(chosen["timeout_s"]),
    )


def problems(options: Mapping[str, Any]) -> Iterator[Problem]:
    """What does not hold of the options of a contract. Read-only."""
    has_polygon, has_points = bool(options.get("polygon")), bool(options.get("points"))
    if not has_polygon and not has_points:
        yield Problem("", "there is no area", "polygon or points")
    elif has_polygon and has_points:
        yield Problem("points", "there is a polygon, too", "polygon or points")
    for name in ("polygon", "points"):
        if options.get(name):
            yield from _place_problems(name, options[name])
    forces = options.get("forces", ())
    if not isinstance(forces, list | tuple) or not all(_is_force(each) for each in forces):
        yield Problem("forces", f"{forces!r} are not forces", "such as [city-of-london]")
    months = [options.get(name) or "" for name in ("first_month", "last_month")]
    for name, month in zip(("first_month", "last_month"), months, strict=True):
        if month and not (isinstance(month, str) and MONTH.fullmatch(month)):
            yield Problem(name, f"{month!r} is not a month", "such as 2023-01")
    if all(isinstance(month, str) and month for month in months) and months[0] > months[1]:
        yield Problem("last_month", f"{months[1]} is before {months[0]}", f"{months[0]} or later")
    for name in ("requests_per_s", "timeout_s", "attempts"):
        value = options.get(name, OPTIONS[name])
        if isinstance(value, int | float) and value <= 0:
            yield Problem(name, f"{value!r} is not above 0", f"such as {OPTIONS[name]}")


def _place_problems(name: str, given: object) -> Iterator[Problem]:
    places = _places(given)
    if places is None:
        yield Problem(name, f"{str(given)[:80]} are not places", _PAIRS)
        return
    for place in places:
        if not (_SOUTH <= place.latitude <= _NORTH and _WEST <= place.longitude <= _EAST):
            is_swapped = _SOUTH <= place.longitude <= _NORTH and _WEST <= place.latitude <= _EAST
            perhaps = "; latitude and longitude seem to be swapped" if is_swapped else ""
            yield Problem(
                name,
                f"[{place.latitude:g}, {place.longitude:g}] lies outside of the country{perhaps}",
                f"latitude {_SOUTH:g} to {_NORTH:g}, longitude {_WEST:g} to {_EAST:g}",
            )
            return
    if name == "polygon" and (problem := area.problem_of(_opened(places))):
        valid = f"3 to {MOST_CORNERS} corners in order, with edges that do not cross"
        yield Problem(name, problem, valid)
    elif len(places) > MOST_POINTS and name == "points":
        yield Problem(name, f"there are {len(places)}", f"up to {MOST_POINTS}, or a polygon")


def _places(given: object) -> list[Place] | None:
    """Places out of lists of two numbers, or None."""
    if not isinstance(given, list | tuple):
        return None
    places: list[Place] = []
    for each in given:
        numbers = each if isinstance(each, list | tuple) else ()
        if len(numbers) != 2 or not all(_is_number(number) for number in numbers):
            return None
        places.append(Place(float(numbers[0]), float(numbers[1])))
    return places


def _opened(places: list[Place]) -> list[Place]:
    """The corners of a polygon without the first one again at the end."""
    return places[:-1] if len(places) > 3 and places[0] == places[-1] else places


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_force(value: object) -> bool:
    return isinstance(value, str) and _FORCE.fullmatch(value) is not None
