"""Generated months of street-level crime, in the layout of the police's archive.

What it follows (the City of London's year 2024): kinds of crime by frequency, the share of crimes
with a suspect by kind, crimes that crowd in some spots, spots where more or fewer suspects are
found, crimes without a place (10 %), anti-social behaviour without id and outcome, ids that repeat
(2 %), whole rows that repeat, and a few crimes that are still under investigation (1 %): the files
are of an archive that is older than a year.
The areas are those of the census. Streets and spots are made up.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator

MONTHS = 12
STREETS_OF_SPOT = 5
WITHOUT_PLACE = 0.1
STILL_OPEN = 0.01
WIDTH, HEIGHT = 0.0006, 0.0004
"""Spread of the streets of a spot, in degrees: some 40 m."""
NO_SUSPECT = "Investigation complete; no suspect identified"
OPEN = "Under investigation"
# Kind, frequency, and share with a suspect where the case is closed.
_KINDS = (
    ("Other theft", 0.22, 0.04),
    ("Theft from the person", 0.13, 0.02),
    ("Violence and sexual offences", 0.13, 0.25),
    ("Shoplifting", 0.12, 0.25),
    ("Public order", 0.08, 0.2),
    ("Anti-social behaviour", 0.06, 0.0),
    ("Drugs", 0.06, 0.7),
    ("Burglary", 0.05, 0.1),
    ("Bicycle theft", 0.04, 0.02),
    ("Criminal damage and arson", 0.04, 0.12),
    ("Vehicle crime", 0.03, 0.03),
    ("Robbery", 0.02, 0.1),
    ("Other crime", 0.01, 0.2),
    ("Possession of weapons", 0.01, 0.7),
)
# Code and name of the area, longitude and latitude of the middle, and frequency.
_SPOTS = (
    ("E01000001", "City of London 001A", -0.0963, 51.5165, 1),
    ("E01000001", "City of London 001A", -0.0963, 51.5192, 1),
    ("E01000002", "City of London 001B", -0.0937, 51.5160, 2),
    ("E01000002", "City of London 001B", -0.0915, 51.5195, 1),
    ("E01000003", "City of London 001C", -0.0956, 51.5217, 1),
    ("E01000005", "City of London 001E", -0.0752, 51.5120, 3),
    ("E01000005", "City of London 001E", -0.0772, 51.5156, 3),
    ("E01032739", "City of London 001F", -0.0820, 51.5182, 6),
    ("E01032739", "City of London 001F", -0.0850, 51.5120, 5),
    ("E01032739", "City of London 001F", -0.0985, 51.5130, 4),
    ("E01032740", "City of London 001G", -0.1080, 51.5130, 2),
    ("E01032740", "City of London 001G", -0.1065, 51.5165, 2),
)
_SUSPECT = (
    "Awaiting court outcome",
    "Unable to prosecute suspect",
    "Local resolution",
    "Offender given a caution",
)


def rows(count: int, seed: int) -> Iterator[dict[str, str]]:
    """``count`` rows of twelve months.

    Args:
        count: Number of rows wanted.
        seed: Same count and seed, same rows.

    Yields:
        Rows by field, with the name of their file.
    """
    chance = random.Random(f"{seed}:{count}")
    streets = range(len(_SPOTS) * STREETS_OF_SPOT)
    places = [_place(chance, number) for number in streets]
    weights = [_SPOTS[number // STREETS_OF_SPOT][-1] for number in streets]
    last: dict[str, str] = {}
    for number in range(count):
        month = 1 + number * MONTHS // count
        if last and chance.random() < 0.01 and last["Month"] == f"2024-{month:02}":
            yield last  # The same row once more.
            continue
        street = chance.choices(streets, weights)[0]
        has_place = chance.random() >= WITHOUT_PLACE
        place = places[street] if has_place else _NOWHERE
        last = _crime(chance, number, seed, month, place, street, last)
        yield last


_NOWHERE = {
    "Longitude": "",
    "Latitude": "",
    "Location": "No Location",
    "LSOA code": "",
    "LSOA name": "",
}


def _place(chance: random.Random, number: int) -> dict[str, str]:
    code, name, longitude, latitude, _ = _SPOTS[number // STREETS_OF_SPOT]
    return {
        "Longitude": f"{longitude + chance.gauss(0, WIDTH):.6f}",
        "Latitude": f"{latitude + chance.gauss(0, HEIGHT):.6f}",
        "Location": f"On or near Street {number + 1}",
        "LSOA code": code,
        "LSOA name": name,
    }


def _crime(
    chance: random.Random,
    number: int,
    seed: int,
    month: int,
    place: dict[str, str],
    street: int,
    last: dict[str, str],
) -> dict[str, str]:
    kind, _, share = chance.choices(_KINDS, [weight for _, weight, _ in _KINDS])[0]
    # At every third spot somebody watches.
    share = min(0.95, share * (2.5 if street // STREETS_OF_SPOT % 3 == 0 else 0.8))
    crime_id = hashlib.sha256(f"{seed}:{number}".encode()).hexdigest()
    if chance.random() < 0.02 and last.get("Crime ID"):
        crime_id = last["Crime ID"]
    outcome = chance.choice(_SUSPECT) if chance.random() < share else NO_SUSPECT
    if chance.random() < STILL_OPEN:
        outcome = OPEN
    if kind == "Anti-social behaviour":
        crime_id = outcome = ""
    return {
        ":file": f"2024-{month:02}-town-street.csv",
        "Crime ID": crime_id,
        "Month": f"2024-{month:02}",
        "Reported by": "Town Police",
        "Falls within": "Town Police",
        **place,
        "Crime type": kind,
        "Last outcome category": outcome,
        "Context": "",
    }
