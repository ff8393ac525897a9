"""Generated crimes of a town's center, as updates of the police's API publish them.

What it follows (a month of Leicester's center as the API answered it): kinds of crime by frequency,
outcomes by frequency and kind, when they come (half in the month of the crime, the rest over a year
and more), anti-social behaviour without lasting id and outcome, other records without id (1 %) and
those of the railway's police. Streets are made up, and so is that every third of them is watched.

An update comes once a month and has the crimes up to two months before. Versions of a crime have
one ``:crime``. One in 300 is taken out again, and one in 400 is put at another place.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator, Mapping
from typing import Any

Row = Mapping[str, Any]
"""A record as the API answers it, without its number, and ``:crime``, ``:updated``, ``:gone``."""

FIRST_YEAR = 2023
MONTHS = 24
DELAY = 2
"""Months until the update that first has a month."""
LAST_UPDATE = MONTHS + DELAY
STREETS = 90
SOUTH, NORTH, WEST, EAST = 52.616, 52.644, -1.159, -1.106
NO_SUSPECT = "Investigation complete; no suspect identified"
OPEN = "Under investigation"
ANTI_SOCIAL = "anti-social-behaviour"
# Kind, frequency, and share with a suspect where the case is closed.
_KINDS = (
    ("violent-crime", 0.36, 0.62),
    ("public-order", 0.14, 0.55),
    ("other-theft", 0.12, 0.08),
    ("criminal-damage-arson", 0.065, 0.2),
    (ANTI_SOCIAL, 0.06, 0.0),
    ("shoplifting", 0.057, 0.35),
    ("drugs", 0.05, 0.85),
    ("vehicle-crime", 0.045, 0.05),
    ("burglary", 0.031, 0.12),
    ("bicycle-theft", 0.023, 0.04),
    ("other-crime", 0.017, 0.3),
    ("theft-from-the-person", 0.015, 0.03),
    ("possession-of-weapons", 0.01, 0.8),
    ("robbery", 0.009, 0.15),
)
_SUSPECT = (
    ("Unable to prosecute suspect", 0.6),
    ("Court result unavailable", 0.22),
    ("Local resolution", 0.08),
    ("Formal action is not in the public interest", 0.03),
    ("Offender given a caution", 0.02),
    ("Further action is not in the public interest", 0.02),
    ("Action to be taken by another organisation", 0.02),
    ("Awaiting court outcome", 0.01),
)
# Months from a crime to its outcome, by weight.
_WAITS = ((0, 50), (1, 19), (2, 6), (3, 4), (4, 4), (6, 5), (7, 3), (9, 1), (12, 1), (16, 1))


def rows(count: int, seed: int) -> Iterator[Row]:
    """All versions of ``count`` crimes of 24 months.

    Args:
        count: Number of crimes; their versions are about 1.5 times as many.
        seed: Same count and seed, same rows.

    Yields:
        Rows in the order of their crimes, the versions of each in their order.
    """
    chance = random.Random(f"{seed}:{count}")
    places = [_place(chance, number) for number in range(STREETS)]
    for number in range(count):
        month = number * MONTHS // count
        yield from _versions(chance, f"{seed}:{number}", month, places)


def _place(chance: random.Random, number: int) -> Row:
    return {
        "latitude": f"{chance.uniform(SOUTH, NORTH):.6f}",
        "street": {"id": 1_737_000 + number, "name": f"On or near {_street(number)}"},
        "longitude": f"{chance.uniform(WEST, EAST):.6f}",
    }


def _street(number: int) -> str:
    return "Shopping Area" if number == 0 else f"Street {number}"


def _versions(chance: random.Random, name: str, month: int, places: list[Row]) -> Iterator[Row]:
    kind, _, share = chance.choices(_KINDS, [weight for _, weight, _ in _KINDS])[0]
    place = chance.choice(places)
    is_railway = chance.random() < 0.007
    has_id = kind != ANTI_SOCIAL and not is_railway and chance.random() > 0.01
    first: Row = {
        "category": kind,
        "location_type": "BTP" if is_railway else "Force",
        "location": place,
        "context": "",
        "outcome_status": None,
        "persistent_id": hashlib.sha256(name.encode()).hexdigest() if has_id else "",
        "location_subtype": "STATION" if is_railway else "",
        "month": _month(month),
        ":crime": name,
        ":updated": _month(month + DELAY),
    }
    known = {0: first}
    if kind != ANTI_SOCIAL:
        known = _with_outcome(chance, first, month, _share(share, place, month))
    last = max(known)
    if chance.random() < 1 / 400:
        last += 1
        known[last] = {**known[last - 1], "location": chance.choice(places)}
    if chance.random() < 1 / 300:
        last += 1
        known[last] = {**known[last - 1], ":gone": True}
    for wait, row in sorted(known.items()):
        if month + DELAY + wait <= LAST_UPDATE:
            yield {**row, ":updated": _month(month + DELAY + wait)}


def _share(share: float, place: Row, month: int) -> float:
    """Share of crimes of a kind with a suspect, at a place and in a season."""
    is_watched = place["street"]["id"] % 3 == 0
    is_winter = month % 12 in (0, 10, 11)
    return min(0.97, share * (1.5 if is_watched else 0.8) * (0.9 if is_winter else 1.0))


def _with_outcome(chance: random.Random, first: Row, month: int, share: float) -> dict[int, Row]:
    """The versions of a crime by the number of updates after the first."""
    wait = chance.choices(*zip(*_WAITS, strict=True))[0]
    suspected = chance.random() < share
    outcome = chance.choices(*zip(*_SUSPECT, strict=True))[0] if suspected else NO_SUSPECT
    closed = {**first, "outcome_status": {"category": outcome, "date": _month(month + wait)}}
    if wait == 0:
        return {0: closed}
    is_open = {**first, "outcome_status": {"category": OPEN, "date": first["month"]}}
    return {0: is_open, wait: closed}


def _month(number: int) -> str:
    years, rest = divmod(number, 12)
    return f"{FIRST_YEAR + years}-{rest + 1:02}"
