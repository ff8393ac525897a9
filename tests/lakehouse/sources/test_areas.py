"""Areas that are too large for one answer are cut into parts without overlap and without a gap."""

from __future__ import annotations

from math import cos, pi, sin

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.sources.police_uk.area import LEAST_SIDE, Place, Polygon, parts, problem_of, text_of

SQUARE = (Place(52.6, -1.2), Place(52.7, -1.2), Place(52.7, -1.0), Place(52.6, -1.0))
# A comb: a cut along its teeth meets it many times.
COMB = tuple(
    Place(52.60 + lat / 100, -1.20 + lng / 100)
    for lat, lng in ((0, 0), (9, 0), (9, 1), (2, 1), (2, 2), (9, 2), (9, 3), (2, 3), (2, 4), (9, 4))
) + (Place(52.69, -1.15), Place(52.60, -1.15))


def is_inside(point: Place, polygon: Polygon) -> bool:
    found = False
    for a, b in zip(polygon, polygon[-1:] + polygon[:-1], strict=True):
        if (a[0] > point[0]) != (b[0] > point[0]):
            found ^= point[1] < a[1] + (point[0] - a[0]) / (b[0] - a[0]) * (b[1] - a[1])
    return found


def size_of(polygon: Polygon) -> float:
    """Twice the area, in square degrees around a near place, which keeps it exact."""
    near = [(p[0] - 52.6, p[1] + 1.2) for p in polygon]
    pairs = zip(near, [*near[1:], near[0]], strict=True)
    return abs(sum(a[0] * b[1] - b[0] * a[1] for a, b in pairs))


def cut(polygon: Polygon, times: int) -> list[Polygon]:
    found = [polygon]
    for _ in range(times):
        found = [piece for each in found for piece in (parts(each) or (each,))]
    return found


@st.composite
def stars(draw: st.DrawFn) -> Polygon:
    """Polygons whose corners lie around a place, near to it and far from it."""
    count = draw(st.integers(3, 12))
    reaches = draw(st.lists(st.floats(0.01, 0.2), min_size=count, max_size=count))
    turn = draw(st.floats(0, 1))
    return tuple(
        Place(
            round(52.63 + reach * sin(2 * pi * (n + turn) / count), 6),
            round(-1.13 + reach * cos(2 * pi * (n + turn) / count), 6),
        )
        for n, reach in enumerate(reaches)
    )


@given(stars(), st.lists(st.tuples(st.integers(-200_000, 200_000), st.integers(-200_000, 200_000))))
def test_a_place_is_in_one_part_where_it_was_in_the_whole(
    polygon: Polygon, offsets: list[tuple[int, int]]
) -> None:
    pieces = cut(polygon, 4)
    assert sum(map(size_of, pieces)) == pytest.approx(size_of(polygon), rel=1e-6)
    for lat, lng in offsets:
        point = Place(round(52.63 + lat / 1e6, 6), round(-1.13 + lng / 1e6, 6))
        assert sum(is_inside(point, piece) for piece in pieces) == is_inside(point, polygon)


def as_written(polygon: Polygon) -> Polygon:
    """A polygon as the API reads it."""
    pairs = (pair.split(",") for pair in text_of(polygon).split(":"))
    return tuple(Place(float(latitude), float(longitude)) for latitude, longitude in pairs)


def is_in_rectangle(point: Place, polygon: Polygon) -> bool:
    """Whether a point is inside, or on the edge: for APIs that count the edge in."""
    sides = [sorted(corner[axis] for corner in polygon) for axis in (0, 1)]
    return all(side[0] <= point[axis] <= side[-1] for axis, side in enumerate(sides))


def test_places_on_the_middle_are_in_one_part() -> None:
    """The cut of this square would run through 52.65 and -1.1, where crimes may be."""
    pieces = [as_written(piece) for piece in cut(SQUARE, 6)]
    assert len(pieces) == 64
    for n in range(1, 1_000):
        across, along = Place(52.65, round(-1.2 + n / 5_000, 6)), Place(52.6 + n / 1e4, -1.1)
        for point in (across, Place(round(along.latitude, 6), along.longitude)):
            assert sum(is_in_rectangle(point, piece) for piece in pieces) == 1


@pytest.mark.parametrize("times", [1, 2, 3, 7])
def test_a_cut_that_meets_an_area_many_times_makes_simple_parts(times: int) -> None:
    pieces = cut(COMB, times)
    assert [problem_of(piece) for piece in pieces] == [""] * len(pieces)
    assert sum(map(size_of, pieces)) == pytest.approx(size_of(COMB), rel=1e-9)
    assert len(pieces) > 2**times


def test_small_areas_are_not_cut() -> None:
    small = tuple(Place(52.6 + a * LEAST_SIDE / 2, -1.1 + b * LEAST_SIDE / 2) for a, b in _CORNERS)
    assert parts(small) == ()
    assert len(cut(small, 3)) == 1
    piece, times = SQUARE, 0
    while pieces := parts(piece):
        piece, times = pieces[0], times + 1
    assert times == 17


_CORNERS = ((0, 0), (1, 0), (1, 1), (0, 1))


@pytest.mark.parametrize(
    ("polygon", "problem"),
    [
        (SQUARE, ""),
        (COMB, ""),
        (SQUARE[:2], "it has 2 corners"),
        ((*SQUARE, SQUARE[1]), "a corner is there twice"),
        ((SQUARE[0], SQUARE[2], SQUARE[1], SQUARE[3]), "its edge from 52.6,-1.2:52.7,-1 crosses"),
        ((SQUARE[0], SQUARE[1], Place(52.65, -1.2)), "it has no area"),
        ((*SQUARE[:3], Place(52.65, -1.2)), "crosses"),
    ],
)
def test_what_is_wrong_with_a_polygon(polygon: Polygon, problem: str) -> None:
    found = problem_of(polygon)
    assert problem in found
    assert bool(problem) == bool(found)


def test_places_are_written_without_exponents() -> None:
    assert text_of([Place(52.0, -0.00000005), Place(51.5123456789, 0)]) == (
        "52,-0.00000005:51.512345679,0"
    )
