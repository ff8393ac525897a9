"""Which options a source of this kind has, and what does not hold of a contract's."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from goldlake_core.contracts.durations import is_duration, seconds_of
from lakehouse.sources.base import Problem
from lakehouse.sources.police_uk import area
from lakehouse.sources.police_uk.area import MOST_CORNERS, Place

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
MOST_POINTS = 100
LEAST_OVERLAP_S = 31 * 86_400
"""A poll that begins closer to the newest month asks for no other month again."""
MONTH = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")
"""A month as the API writes it."""

NUMBERS = ("requests_per_s", "attempts", "backoff_s", "timeout_s")
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


def problems(source: Mapping[str, Any]) -> Iterator[Problem]:
    """What does not hold of the section ``source`` of a contract. Read-only."""
    yield from option_problems(source.get("options") or {})
    overlap = source.get("overlap", "")
    if is_duration(overlap) and seconds_of(overlap) < LEAST_OVERLAP_S:
        yield Problem(
            ("overlap",),
            f"no month but the newest is asked for again with an overlap of {overlap}, and "
            "outcomes are amended for months",
            "such as 186d, which is six months",
            is_error=False,
        )


def option_problems(options: Mapping[str, Any]) -> Iterator[Problem]:
    """What does not hold of ``source.options``, but for unknown names and texts for numbers."""
    has_polygon, has_points = bool(options.get("polygon")), bool(options.get("points"))
    if not has_polygon and not has_points:
        yield Problem(("options",), "there is no area", "polygon or points")
    elif has_polygon and has_points:
        yield _problem("points", "there is a polygon, too", "polygon or points")
    for name in ("polygon", "points"):
        if options.get(name):
            yield from _place_problems(name, options[name])
    forces = options.get("forces") or ()
    if not isinstance(forces, list | tuple) or not all(_is_force(each) for each in forces):
        yield _problem("forces", f"{forces!r} are not forces", "such as [city-of-london]")
    months = [options.get(name) or "" for name in ("first_month", "last_month")]
    for name, month in zip(("first_month", "last_month"), months, strict=True):
        if month and not (isinstance(month, str) and MONTH.fullmatch(month)):
            yield _problem(name, f"{month!r} is not a month", "such as 2023-01")
    if all(isinstance(month, str) and month for month in months) and months[0] > months[1]:
        yield _problem("last_month", f"{months[1]} is before {months[0]}", f"{months[0]} or later")
    for name in NUMBERS:
        value = options.get(name, OPTIONS[name])
        if is_number(value) and (value < 0 or (value == 0 and name != "backoff_s")):
            yield _problem(name, f"{value!r} is not above 0", f"such as {OPTIONS[name]}")


def _place_problems(name: str, given: object) -> Iterator[Problem]:
    places = places_of(given)
    if places is None:
        yield _problem(name, f"{str(given)[:80]} are not places", _PAIRS)
        return
    for place in places:
        if not (_SOUTH <= place.latitude <= _NORTH and _WEST <= place.longitude <= _EAST):
            is_swapped = _SOUTH <= place.longitude <= _NORTH and _WEST <= place.latitude <= _EAST
            perhaps = "; latitude and longitude seem to be swapped" if is_swapped else ""
            yield _problem(
                name,
                f"[{place.latitude:g}, {place.longitude:g}] lies outside of the country{perhaps}",
                f"latitude {_SOUTH:g} to {_NORTH:g}, longitude {_WEST:g} to {_EAST:g}",
            )
            return
    if name == "polygon" and (problem := area.problem_of(opened(places))):
        valid = f"3 to {MOST_CORNERS} corners in order, with edges that do not cross"
        yield _problem(name, problem, valid)
    elif len(places) > MOST_POINTS and name == "points":
        yield _problem(name, f"there are {len(places)}", f"up to {MOST_POINTS}, or a polygon")


def places_of(given: object) -> list[Place] | None:
    """Places out of lists of two numbers, or None."""
    if not isinstance(given, list | tuple):
        return None
    places: list[Place] = []
    for each in given:
        numbers = each if isinstance(each, list | tuple) else ()
        if len(numbers) != 2 or not all(is_number(number) for number in numbers):
            return None
        places.append(Place(float(numbers[0]), float(numbers[1])))
    return places


def opened(places: list[Place]) -> list[Place]:
    """The corners of a polygon without the first one again at the end."""
    return places[:-1] if len(places) > 3 and places[0] == places[-1] else places


def is_number(value: object) -> bool:
    """Whether a value of YAML is a number."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _problem(name: str, problem: str, valid: str) -> Problem:
    return Problem(("options", name), problem, valid)


def _is_force(value: object) -> bool:
    return isinstance(value, str) and _FORCE.fullmatch(value) is not None
