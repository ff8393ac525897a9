"""The toy's rows: the same every time, with every kind of dirt and every kind of missing value."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from goldlake_core.contracts.loader import load_contract
from goldlake_core.contracts.registry import resolve
from goldlake_core.contracts.sections import UseCase


@pytest.fixture(scope="module")
def usecase() -> UseCase:
    return load_contract(Path(__file__).parent / "toy_harbour")


@pytest.fixture(scope="module")
def rows(usecase: UseCase) -> list[dict[str, Any]]:
    return list(resolve(usecase, "generate.rows", "source.generator")(600, 1))


def test_same_seed_same_rows(usecase: UseCase, rows: list[dict[str, Any]]) -> None:
    generate = resolve(usecase, "generate.rows", "source.generator")
    assert list(generate(600, 1)) == rows
    assert list(generate(600, 2)) != rows
    digest = hashlib.sha256(json.dumps(rows, sort_keys=True).encode()).hexdigest()
    assert digest == "fe0e2830eb99ffc9f8a82822cb6165a2ff6638bbba4729ba5cd2930f28ed24c1"


def test_rows_are_api_shaped(usecase: UseCase, rows: list[dict[str, Any]]) -> None:
    assert len({row[":id"] for row in rows}) == len({row["call_id"] for row in rows}) == 600
    fields = {c.field for c in usecase.silver.columns}
    for row in rows:
        assert set(row) - fields == {":id", ":created_at", ":updated_at"}
        assert None not in row.values()
        assert all(
            isinstance(v, bool if k in ("pilot", "overdue") else str) for k, v in row.items()
        )
    assert rows[0]["arrived"] == "2024-01-01T08:35:00.000"
    assert rows[0][":created_at"] == "2024-01-01T07:35:00.000Z"
    assert rows[400]["arrived"].startswith("2024-07-19T")
    assert rows[400][":created_at"][11:13] == f"{int(rows[400]['arrived'][11:13]) - 2:02d}"


def test_what_is_missing_zero_and_empty(rows: list[dict[str, Any]]) -> None:
    missing = {
        name: sum(name not in row for row in rows)
        for name in ("berth", "pilot", "length_m", "crew", "latitude", "booked_until")
    }
    assert missing == {
        "berth": 60,
        "pilot": 67,
        "length_m": 46,
        "crew": 35,
        "latitude": 27,
        "booked_until": 32,
    }
    assert sum(row.get("crew") == "0" for row in rows) == 23
    assert sum(row["cargo"] == "" for row in rows) > 50


def test_twelve_rows_are_dirty(rows: list[dict[str, Any]]) -> None:
    dirty = {
        "type": sum(row["vessel_type"] == "SUBMARINE" for row in rows),
        "length": sum(row.get("length_m") == "4000" for row in rows),
        "position": sum(("latitude" in row) != ("longitude" in row) for row in rows),
        "time": sum(row["changed"] < row["arrived"] for row in rows),
    }
    assert dirty == {"type": 3, "length": 3, "position": 3, "time": 3}


def test_the_label_follows_the_kind_of_ship(rows: list[dict[str, Any]]) -> None:
    def share(kind: str) -> float:
        overdue = [row["overdue"] for row in rows if row["vessel_type"] == kind]
        return sum(overdue) / len(overdue)

    assert share("TANKER") > 0.8 > 0.5 > share("FISHING") > share("FERRY")
