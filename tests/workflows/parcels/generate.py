"""Invented parcels in the shapes of the API; of a late one there is a second version."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

FIRST_DAY = datetime(2024, 1, 1)
ROWS_A_DAY = 100
SUMMER = range(5, 11)
"""Months in which vans are late in the hills, and bicycles in the plain; else it is the reverse."""
HILLS = ("east", "north")
VEHICLES = ("BICYCLE", "VAN")
STRIKE = ("", "")
"""First day of a strike and the day after its last one, ISO 8601; "" and "" without any.

Meanwhile a drawn vehicle is the slow one, so that nothing can be learned but the distance."""


def rows(count: int = 40_000, seed: int = 1) -> Iterator[dict[str, Any]]:
    """Parcels in the order in which they leave, `ROWS_A_DAY` a day from `FIRST_DAY` on.

    Args:
        count: Number of parcels; a late one is yielded twice.
        seed: Same seed, same parcels; more of them go on from there.

    Yields:
        Rows as the API sends them, system fields included.
    """
    pick = random.Random(seed)
    for index in range(count):
        day = FIRST_DAY + timedelta(days=index // ROWS_A_DAY)
        placed = day + timedelta(seconds=86_400 * (index % ROWS_A_DAY + pick.random()) / ROWS_A_DAY)
        vehicle = pick.choice(VEHICLES)
        distance_km = pick.uniform(0.5, 12.0)
        district = pick.choice(("east", "north", "south", "west"))
        slow = "VAN" if (district in HILLS) == (placed.month in SUMMER) else "BICYCLE"
        if STRIKE[0] <= _text(placed) < STRIKE[1]:
            slow = pick.choice(VEHICLES)
        score = (3.0 if vehicle == slow else -3.0) + 0.2 * (distance_km - 6.25)
        row = {
            ":id": f"row-{index:06d}",
            ":created_at": f"{_text(placed)}Z",
            ":updated_at": f"{_text(placed)}Z",
            "parcel": f"P{index:06d}",
            "placed": _text(placed),
            "changed": _text(placed),
            "vehicle": vehicle,
            "district": district,
            "distance_km": f"{distance_km:.2f}",
            "late": False,
        }
        is_late = pick.random() < 1 / (1 + math.exp(-score))
        known = _text(placed + timedelta(hours=pick.uniform(12, 72)))
        yield dict(row)
        if is_late:
            yield {**row, ":updated_at": f"{known}Z", "changed": known, "late": True}


def _text(instant: datetime) -> str:
    return instant.isoformat(timespec="milliseconds")
