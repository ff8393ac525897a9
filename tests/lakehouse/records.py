"""Records for the tests: pages written straight into a landing zone, real rows in API shape."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from goldlake_core.contracts.sections import UseCase
from goldlake_core.storage.home import Home
from goldlake_core.storage.landing import Cursor
from lakehouse import specs

API_NAMES = [
    *("id", "case_number", "date", "block", "iucr", "primary_type", "description"),
    *("location_description", "arrest", "domestic", "beat", "district", "ward"),
    *("community_area", "fbi_code", "x_coordinate", "y_coordinate", "updated_on"),
    *("latitude", "longitude"),
]


def silent(kind: str, message: str, **fields: Any) -> None:
    """An emit that tells nobody."""


def crime(key: int, **changes: Any) -> dict[str, Any]:
    """A clean record in the API's shape; a field set to None is left out, as the API does."""
    record = {
        "id": str(key),
        "case_number": f"HZ{key:06d}",
        "date": "2016-01-05T12:30:00.000",
        "block": "014XX S AVERS AVE",
        "iucr": "0820",
        "primary_type": "THEFT",
        "description": "$500 AND UNDER",
        "location_description": "STREET",
        "arrest": False,
        "domestic": False,
        "beat": "1011",
        "district": "010",
        "ward": "24",
        "community_area": "29",
        "fbi_code": "06",
        "x_coordinate": "1150945",
        "y_coordinate": "1892794",
        "updated_on": "2016-03-01T15:50:01.000",
        "latitude": "41.861717546",
        "longitude": "-87.721386272",
        **changes,
    }
    return {name: value for name, value in record.items() if value is not None}


def land(home: Home, usecase: UseCase, name: str, rows: Iterable[dict[str, Any] | bytes]) -> str:
    """Writes one page and its manifest line; returns the page's file name."""
    zone = specs.landing(usecase, home)
    page = zone.page_name(Cursor(name, ""))
    lines = [row if isinstance(row, bytes) else json.dumps(row).encode() for row in rows]
    entry = zone.write_page(
        page, lines, url=f"test:{name}", first_cursor=None, last_cursor=None, run_id="test"
    )
    zone.write_manifest(entry)
    return page


def api_rows(export: Path) -> Iterator[dict[str, Any]]:
    """Rows of a portal export (20 columns, CSV) in the shape of the API."""
    with gzip.open(export, "rt", encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file)
        next(reader)
        for cells in reader:
            row: dict[str, Any] = {n: v for n, v in zip(API_NAMES, cells, strict=True) if v != ""}
            for name in ("date", "updated_on"):
                time = datetime.strptime(row[name], "%m/%d/%Y %I:%M:%S %p")
                row[name] = time.strftime("%Y-%m-%dT%H:%M:%S.000")
            for name in ("arrest", "domestic"):
                row[name] = row[name] == "true"
            yield row
