"""Invented calls in the shapes of the API: numbers as texts, missing values as missing keys."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

FIRST_DAY = datetime(2024, 1, 1)
ZONE = ZoneInfo("Europe/Copenhagen")
ROWS_A_DAY = 2
# Which rows are dirty, by index modulo 200: what is wrong, and the code they are rejected with.
DIRT = {
    20: "vessel_type.domain",
    60: "length_m.range",
    100: "both_or_no_coordinates",
    140: "changed_after_arrival",
}

_CARGO = {
    "CARGO": ("timber and paper", "grain in bulk", "containers", "steel coils"),
    "FERRY": ("", "cars", "cars and lorries"),
    "FISHING": ("herring on ice", "cod on ice", ""),
    "TANKER": ("crude oil", "heating oil", "molasses"),
}
_LENGTH_M = {"CARGO": 120.0, "FERRY": 90.0, "FISHING": 24.0, "TANKER": 200.0}
_OVERDUE = {"CARGO": 0.2, "FERRY": -2.2, "FISHING": -0.8, "TANKER": 1.2}


def rows(count: int = 600, seed: int = 1) -> Iterator[dict[str, Any]]:
    """Calls in the order of arrival, `ROWS_A_DAY` a day from `FIRST_DAY` on.

    Args:
        count: Number of rows.
        seed: Same seed and count, same rows.

    Yields:
        Rows as the API sends them, system fields included.
    """
    random_ = random.Random(seed)
    for index in range(count):
        row = _call(index, random_)
        _soil(row, DIRT.get(index % 200))
        yield row


def _call(index: int, random_: random.Random) -> dict[str, Any]:
    day = FIRST_DAY + timedelta(days=index // ROWS_A_DAY)
    arrived = day + timedelta(minutes=random_.randrange(4 * 60, 24 * 60))
    changed = arrived + timedelta(hours=random_.randrange(1, 240))
    vessel_type = random_.choice(list(_CARGO))
    length_m = round(_LENGTH_M[vessel_type] * random_.uniform(0.6, 1.4), 1)
    weekend = 0.8 if arrived.isoweekday() > 5 else 0.0
    night = 0.6 * math.cos(2 * math.pi * arrived.hour / 24)
    score = _OVERDUE[vessel_type] + weekend + night
    row: dict[str, Any] = {
        ":id": f"row-{random_.randrange(16**4):04x}-{random_.randrange(16**4):04x}-{index:04x}",
        ":created_at": _utc(arrived),
        ":updated_at": _utc(changed),
        "call_id": f"C{index:05d}",
        "arrived": _local(arrived),
        "changed": _local(changed),
        "booked_until": _local(day + timedelta(days=random_.randrange(1, 9))),
        "vessel_type": "TANK SHIP" if vessel_type == "TANKER" and index % 7 == 0 else vessel_type,
        "cargo": random_.choice(_CARGO[vessel_type]),
        "length_m": str(length_m),
        "crew": str(0 if index % 25 == 3 else random_.randrange(2, 60)),
        "overdue": random_.random() < 1 / (1 + math.exp(-2 * score)),
    }
    if index % 10 != 5:
        berth = random_.randrange(1, 5)
        row["berth"] = str(berth) if index % 3 else f"{berth:02d}"
    if index % 9 != 4:
        row["pilot"] = length_m > 100
    if index % 11 != 6:
        row["latitude"] = f"{random_.uniform(55.5, 56.5):.5f}"
        row["longitude"] = f"{random_.uniform(9.5, 11.5):.5f}"
    elif index % 2:
        row["latitude"] = row["longitude"] = "0"
    if index % 13 == 7:
        del row["length_m"]
    if index % 17 == 8:
        del row["crew"]
    if index % 19 == 9:
        del row["booked_until"]
    return row


def _soil(row: dict[str, Any], reason: str | None) -> None:
    if reason == "vessel_type.domain":
        row["vessel_type"] = "SUBMARINE"
    elif reason == "length_m.range":
        row["length_m"] = "4000"
    elif reason == "both_or_no_coordinates":
        row["latitude"] = "56.0"
        row.pop("longitude", None)
    elif reason == "changed_after_arrival":
        # The system field keeps its time: it is the publisher's, not the office's.
        row["changed"] = "2023-12-31T12:00:00.000"


def _local(time: datetime) -> str:
    return time.isoformat(timespec="milliseconds")


def _utc(time: datetime) -> str:
    in_utc = time.replace(tzinfo=ZONE).astimezone(timezone.utc)
    return in_utc.strftime("%Y-%m-%dT%H:%M:%S.000Z")
