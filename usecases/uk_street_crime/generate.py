"""Generated months of a town's street-level crime, in the layout of the police's archive.

What it follows (one force's year 2024): kinds of crime by frequency, the share of crimes with a
suspect by kind, anti-social behaviour without id and outcome, ids that repeat (2 %), whole rows
that repeat, and crimes of the last two months that are still under investigation. Streets and areas
are made up.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator

MONTHS = 12
STREETS = 60
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
    places = [_place(chance, number) for number in range(STREETS)]
    last: dict[str, str] = {}
    for number in range(count):
        month = 1 + number * MONTHS // count
        if last and chance.random() < 0.01 and last["Month"] == f"2024-{month:02}":
            yield last  # The same row once more.
            continue
        last = _crime(chance, number, seed, month, chance.choice(places), last)
        yield last


def _place(chance: random.Random, number: int) -> dict[str, str]:
    area = number // 6
    return {
        "Longitude": f"{-0.1 + chance.gauss(0, 0.01):.6f}",
        "Latitude": f"{51.515 + chance.gauss(0, 0.004):.6f}",
        "Location": f"On or near Street {number + 1}",
        "LSOA code": f"E010{area:05}",
        "LSOA name": f"Town {area + 1:03}",
    }


def _crime(
    chance: random.Random,
    number: int,
    seed: int,
    month: int,
    place: dict[str, str],
    last: dict[str, str],
) -> dict[str, str]:
    kind, _, share = chance.choices(_KINDS, [weight for _, weight, _ in _KINDS])[0]
    # In every third street somebody watches.
    share = min(0.95, share * (2.0 if int(place["LSOA code"][-1]) % 3 == 0 else 0.8))
    crime_id = hashlib.sha256(f"{seed}:{number}".encode()).hexdigest()
    if chance.random() < 0.02 and last.get("Crime ID"):
        crime_id = last["Crime ID"]
    outcome = chance.choice(_SUSPECT) if chance.random() < share else NO_SUSPECT
    if month > MONTHS - 2 and chance.random() < 0.5:
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
