"""Generated descriptions of crimes: deterministic, in the layout of an export of the portal.

What it follows (the year 2016): types by frequency, each with its descriptions and places,
and words that several types share (SIMPLE, AGGRAVATED, ATTEMPT, OTHER). One description in 20 is
one that fits several types, so that no model can be right every time.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime, timedelta

FIRST = datetime(2024, 1, 1)
_SHARED = ("OTHER", "ATTEMPT", "UNKNOWN")
# Type, frequency, descriptions and places.
_TYPES = (
    (
        "THEFT",
        0.24,
        ("$500 AND UNDER", "OVER $500", "FROM BUILDING", "RETAIL THEFT", "POCKET-PICKING"),
        ("STREET", "DEPARTMENT STORE", "SMALL RETAIL STORE", "RESTAURANT"),
    ),
    (
        "BATTERY",
        0.2,
        ("SIMPLE", "DOMESTIC BATTERY SIMPLE", "AGGRAVATED: HANDGUN", "PRO EMP HANDS NO/MIN INJURY"),
        ("APARTMENT", "RESIDENCE", "SIDEWALK", "SCHOOL, PUBLIC, BUILDING"),
    ),
    (
        "CRIMINAL DAMAGE",
        0.12,
        ("TO VEHICLE", "TO PROPERTY", "CRIMINAL DEFACEMENT", "TO CITY OF CHICAGO PROPERTY"),
        ("STREET", "RESIDENCE", "PARKING LOT/GARAGE(NON.RESID.)"),
    ),
    (
        "ASSAULT",
        0.08,
        ("SIMPLE", "AGGRAVATED: HANDGUN", "PRO EMP HANDS NO/MIN INJURY", "AGGRAVATED:KNIFE"),
        ("STREET", "SIDEWALK", "APARTMENT", "SCHOOL, PUBLIC, BUILDING"),
    ),
    (
        "DECEPTIVE PRACTICE",
        0.08,
        ("FINANCIAL IDENTITY THEFT $300 AND UNDER", "CREDIT CARD FRAUD", "BOGUS CHECK"),
        ("BANK", "RESIDENCE", "CURRENCY EXCHANGE", "ATM"),
    ),
    (
        "OTHER OFFENSE",
        0.07,
        ("TELEPHONE THREAT", "HARASSMENT BY TELEPHONE", "VIOLATE ORDER OF PROTECTION"),
        ("RESIDENCE", "APARTMENT", "COMMERCIAL / BUSINESS OFFICE"),
    ),
    (
        "BURGLARY",
        0.06,
        ("FORCIBLE ENTRY", "UNLAWFUL ENTRY", "ATTEMPT FORCIBLE ENTRY", "HOME INVASION"),
        ("RESIDENCE-GARAGE", "APARTMENT", "RESIDENCE"),
    ),
    (
        "NARCOTICS",
        0.05,
        ("POSS: CANNABIS 30GMS OR LESS", "POSS: HEROIN(WHITE)", "MANU/DELIVER: CRACK"),
        ("STREET", "SIDEWALK", "VEHICLE NON-COMMERCIAL", "ALLEY"),
    ),
    (
        "ROBBERY",
        0.05,
        ("ARMED: HANDGUN", "STRONGARM - NO WEAPON", "AGGRAVATED"),
        ("STREET", "SIDEWALK", "ALLEY"),
    ),
    ("GAMBLING", 0.01, ("GAME/DICE",), ("STREET", "SIDEWALK")),
)


def rows(count: int, seed: int) -> Iterator[dict[str, str]]:
    """``count`` rows of a year, in the order of their time.

    Args:
        count: Number of rows wanted.
        seed: Same count and seed, same rows.

    Yields:
        Rows by field of the export.
    """
    chance = random.Random(f"{seed}:{count}")
    weights = [weight for _, weight, _, _ in _TYPES]
    for number in range(count):
        kind, _, descriptions, places = chance.choices(_TYPES, weights)[0]
        time = FIRST + timedelta(minutes=int((number + chance.random()) * 527_040 / count))
        is_shared = chance.random() < 0.05
        yield {
            ":file": "crimes_2024.csv",
            "ID": str(13_000_000 + number),
            "Date": f"{time:%m/%d/%Y %I:%M:%S %p}",
            "Primary Type": kind,
            "Description": chance.choice(_SHARED if is_shared else descriptions),
            "Location Description": chance.choice(places) if chance.random() > 0.01 else "",
        }
