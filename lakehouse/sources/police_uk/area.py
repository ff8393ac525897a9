"""Polygons on the map, and how one is cut into parts that do not overlap. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from math import cos, radians
from typing import NamedTuple

DIGITS = 6
"""Digits after the point of the API's places: crimes are moved to one of a list of places."""
LEAST_SIDE = 0.0005
"""A polygon whose sides are shorter, in degrees (about 50 meters), is not cut further."""
MOST_CORNERS = 500

_HALF_STEP = 0.5 * 10**-DIGITS
_WRITTEN_DIGITS = 9  # a tenth of a millimeter


class Place(NamedTuple):
    """A place on the map, in degrees."""

    latitude: float
    longitude: float


Polygon = tuple[Place, ...]
"""The corners of a polygon without the first one again at the end."""


def problem_of(polygon: Sequence[Place]) -> str:
    """What is wrong with the corners of a polygon, in words; "" for nothing."""
    if len(set(polygon)) != len(polygon):
        return "a corner is there twice"
    if not 3 <= len(polygon) <= MOST_CORNERS:
        return f"it has {len(polygon)} corners"
    edges = list(_edges(polygon))
    for (i, one), (j, other) in combinations(enumerate(edges), 2):
        is_next = j - i in (1, len(edges) - 1)
        if not is_next and _cross(*one, *other):
            return f"its edge from {text_of(one)} crosses the one from {text_of(other)}"
    doubled = sum(a[0] * b[1] - b[0] * a[1] for a, b in edges)
    return "" if abs(doubled) > LEAST_SIDE**2 else "it has no area"


def text_of(places: Sequence[Place]) -> str:
    """Places as the API takes them: ``LATITUDE,LONGITUDE:LATITUDE,LONGITUDE:…``."""
    return ":".join(f"{_number(p.latitude)},{_number(p.longitude)}" for p in places)


def parts(polygon: Polygon) -> tuple[Polygon, ...]:
    """Two or more polygons that together are the one and do not overlap; none if it is too small.

    The cut runs between two places that the API could have, so that no crime lies on it.
    """
    sides = [max(p[axis] for p in polygon) - min(p[axis] for p in polygon) for axis in (0, 1)]
    if max(sides) < LEAST_SIDE:
        return ()
    middle = radians(sum(p.latitude for p in polygon) / len(polygon))
    axis = 0 if sides[0] >= sides[1] * cos(middle) else 1
    at = round(min(p[axis] for p in polygon) + sides[axis] / 2, DIGITS) + _HALF_STEP
    while any(abs(p[axis] - at) < _HALF_STEP / 5 for p in polygon):
        at += 2 * _HALF_STEP
    return _cut(polygon, axis, at)


def _cut(polygon: Polygon, axis: int, at: float) -> tuple[Polygon, ...]:
    """The pieces of a polygon on both sides of a line on which no corner lies.

    Of the crossings in their order along the line, two that follow each other bound a stretch that
    lies inside. A piece goes along the polygon up to a crossing, then over to the other end of the
    stretch, and on from there.
    """
    ring: list[Place] = []
    crossings: dict[int, float] = {}
    for begin, end in _edges(polygon):
        ring.append(begin)
        if (begin[axis] < at) != (end[axis] < at):
            share = (at - begin[axis]) / (end[axis] - begin[axis])
            along = begin[1 - axis] + share * (end[1 - axis] - begin[1 - axis])
            crossings[len(ring)] = along
            ring.append(Place(at, along) if axis == 0 else Place(along, at))
    order = sorted(crossings, key=crossings.__getitem__)
    over = {order[n]: order[n ^ 1] for n in range(len(order))}
    left = set(range(len(ring))) - crossings.keys()
    pieces: list[Polygon] = []
    while left:
        start = place = min(left)
        piece: list[Place] = []
        while not piece or place != start:
            left.discard(place)
            piece.append(ring[place])
            if place in over:
                place = over[place]
                piece.append(ring[place])
            place = (place + 1) % len(ring)
        pieces.append(tuple(piece))
    return tuple(pieces)


def _edges(polygon: Sequence[Place]) -> list[tuple[Place, Place]]:
    return list(zip(polygon, (*polygon[1:], polygon[0]), strict=True))


def _cross(a: Place, b: Place, c: Place, d: Place) -> bool:
    """Whether two edges have a place in common."""
    turns = _turn(a, b, c), _turn(a, b, d), _turn(c, d, a), _turn(c, d, b)
    if turns[0] * turns[1] < 0 and turns[2] * turns[3] < 0:
        return True
    between = ((a, b, c), (a, b, d), (c, d, a), (c, d, b))
    return any(turn == 0 and _is_on(*each) for turn, each in zip(turns, between, strict=True))


def _turn(a: Place, b: Place, c: Place) -> float:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def _is_on(a: Place, b: Place, c: Place) -> bool:
    return all(min(a[k], b[k]) <= c[k] <= max(a[k], b[k]) for k in (0, 1))


def _number(value: float) -> str:
    return f"{value:.{_WRITTEN_DIGITS}f}".rstrip("0").rstrip(".")
