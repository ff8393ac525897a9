"""Generated incidents: deterministic, like the published figures, and as dirty as promised."""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from goldlake_core.contracts.registry import load_usecase, resolve
from goldlake_core.contracts.sections import UseCase

Row = dict[str, Any]
COUNT = 20_000


@pytest.fixture(scope="module")
def crimes() -> UseCase:
    return load_usecase("chicago_crime")


@pytest.fixture(scope="module")
def rows(crimes: UseCase) -> Callable[[int, int], Iterator[Row]]:
    return resolve(crimes, "generate.rows", "source.generator")


@pytest.fixture(scope="module")
def versions(rows: Callable[[int, int], Iterator[Row]]) -> list[Row]:
    return list(rows(COUNT, 7))


@pytest.fixture(scope="module")
def newest(versions: list[Row]) -> list[Row]:
    """What the portal shows in the end."""
    shown: dict[str, Row] = {}
    for row in versions:
        known = shown.get(row[":id"])
        if known is None or known[":updated_at"] <= row[":updated_at"]:
            shown[row[":id"]] = row
    return list(shown.values())


def share(rows: list[Row], field: str = "arrest") -> float:
    return sum(bool(row[field]) for row in rows) / len(rows)


def grouped(rows: list[Row], field: str) -> dict[str, list[Row]]:
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        groups[row.get(field, "")].append(row)
    return groups


def test_seed_and_count_decide(rows: Callable[[int, int], Iterator[Row]]) -> None:
    assert list(rows(300, 7)) == list(rows(300, 7))
    assert list(rows(300, 7)) != list(rows(300, 8))
    assert len({row[":id"] for row in rows(300, 8)}) == 300
    assert len(list(rows(1, 1))) >= 1


def test_values_have_the_shapes_of_the_api(versions: list[Row], crimes: UseCase) -> None:
    kinds = {c.field: c.type for c in crimes.silver.columns}
    for row in versions:
        assert None not in row.values()
        for field, kind in kinds.items():
            if field in row:
                assert type(row[field]) is (bool if kind == "boolean" else str), field
        assert row[":created_at"] <= row[":updated_at"]
        assert row[":updated_at"].endswith("Z")
    assert set(kinds) <= set().union(*versions)


def test_the_system_time_is_the_rows_own_in_utc(versions: list[Row]) -> None:
    zone, touched = ZoneInfo("America/Chicago"), 0
    for row in versions:
        local = datetime.fromisoformat(row["updated_on"]).replace(tzinfo=zone)
        system = datetime.fromisoformat(row[":updated_at"].replace("Z", "+00:00"))
        assert system >= local
        touched += system > local
    assert 0.005 * COUNT < touched < 0.03 * COUNT


def test_the_year_and_the_weeks_held_back(newest: list[Row]) -> None:
    dates = [row["date"][:10] for row in newest]
    assert (min(dates), max(dates)) == ("2024-01-01", "2024-12-31")
    assert max(row[":updated_at"] for row in newest) < "2025-02-01T06:00:00"
    months = Counter(date[:7] for date in dates)
    assert len(months) == 12
    assert months["2024-07"] > months["2024-02"], "summers have more incidents"
    assert [row["id"] for row in newest if "id" in row] == sorted(
        row["id"] for row in newest if "id" in row
    )


def test_arrests_follow_the_published_figures(newest: list[Row]) -> None:
    assert share(newest) == pytest.approx(0.19, abs=0.02)
    assert share(newest, "domestic") == pytest.approx(0.165, abs=0.015)
    by_type = grouped(newest, "primary_type")
    # Incidents per thousand, and the share with an arrest, as published for 2016.
    for name, per_mille, arrests in [
        ("THEFT", 229, 0.106),
        ("BATTERY", 187, 0.205),
        ("CRIMINAL DAMAGE", 115, 0.054),
        ("ASSAULT", 70, 0.186),
        ("NARCOTICS", 49, 0.97),
        ("BURGLARY", 53, 0.048),
        ("CRIMINAL TRESPASS", 23, 0.591),
    ]:
        found = by_type[name]
        assert 1000 * len(found) / COUNT == pytest.approx(per_mille, rel=0.25), name
        assert share(found) == pytest.approx(arrests, abs=0.06), name
    assert len({t for t, found in by_type.items() if len(found) >= 3}) > 20


def test_type_place_and_time_depend_on_each_other(newest: list[Row]) -> None:
    def of(**fields: Any) -> list[Row]:
        return [r for r in newest if all(r.get(k) == v for k, v in fields.items())]

    thefts = of(primary_type="THEFT")
    retail = of(iucr="0860")
    assert share(retail) > 4 * share([r for r in thefts if r["iucr"] == "0820"])
    places = Counter(row.get("location_description") for row in retail)
    assert {p for p, _ in places.most_common(3)} == {
        "DEPARTMENT STORE",
        "SMALL RETAIL STORE",
        "GROCERY FOOD STORE",
    }
    drugs = grouped(of(primary_type="NARCOTICS"), "district")
    assert len(drugs["011"]) / len(of(primary_type="NARCOTICS")) > 0.2
    assert len(of(district="011")) / COUNT < 0.1
    at_night = [r for r in retail if r["date"][11:13] in ("01", "02", "03", "04", "05")]
    assert len(at_night) / len(retail) < 0.05
    assert share(of(iucr="0486"), "domestic") > 0.8
    assert share(thefts, "domestic") < 0.06


def test_beat_district_area_and_position_fit(newest: list[Row]) -> None:
    for row in newest:
        beat, district = row["beat"].zfill(4), row["district"].zfill(3)
        assert district == "061" or beat[:2] == district[1:]
    latitudes = {
        district: statistics.median(float(r["latitude"]) for r in found if "latitude" in r)
        for district, found in grouped(newest, "district").items()
        if district in ("005", "024")
    }
    assert latitudes["005"] < 41.75 < 41.95 < latitudes["024"]


def test_amendments_make_arrests_known(versions: list[Row]) -> None:
    histories = grouped(versions, ":id")
    became = [h for h in histories.values() if not h[0]["arrest"] and h[-1]["arrest"]]
    lost = [h for h in histories.values() if h[0]["arrest"] and not h[-1]["arrest"]]
    assert 0.02 * COUNT < len(became) < 0.1 * COUNT
    assert lost == []
    for history in histories.values():
        assert [r[":updated_at"] for r in history] == sorted(r[":updated_at"] for r in history)
        assert len({r[":created_at"] for r in history}) == 1
    unchanged = [
        h
        for h in histories.values()
        if len(h) > 1
        and {k: v for k, v in h[-1].items() if k != ":updated_at"}.items()
        == {k: v for k, v in h[-2].items() if k != ":updated_at"}.items()
    ]
    assert len(unchanged) > 0.005 * COUNT, "rows that were touched without a change"


def test_one_time_of_change_is_shared_by_many(newest: list[Row]) -> None:
    ((shared, count),) = Counter(row[":updated_at"] for row in newest).most_common(1)
    assert shared == "2024-08-10T20:50:01.000Z"
    assert count > 0.08 * COUNT


def test_the_dirt_of_real_rows(newest: list[Row]) -> None:
    bare = [row for row in newest if "latitude" not in row]
    assert 0.003 < len(bare) / COUNT < 0.01
    assert any(row.get("x_coordinate") == "0" for row in bare)
    assert all("longitude" not in row and "location" not in row for row in bare)
    nowhere = [row for row in newest if "location_description" not in row]
    assert 0.002 < len(nowhere) / COUNT < 0.008
    assert {row["ward"] for row in newest if row["community_area"] == "0"} == {"0"}
    unpadded = [row for row in newest if len(row["district"]) < 3]
    assert {row["date"][:7] for row in unpadded} == {"2024-01", "2024-02"}
    assert any(len(row["iucr"]) == 3 for row in unpadded)
    assert any(row["district"] == "061" for row in newest)
    names = grouped(newest, "primary_type")
    assert max(r["date"] for r in names["CRIM SEXUAL ASSAULT"]) < "2024-07"
    assert min(r["date"] for r in names["CRIMINAL SEXUAL ASSAULT"]) >= "2024-07"


def test_three_spellings(rows: Callable[[int, int], Iterator[Row]]) -> None:
    found = {r["primary_type"] for r in rows(60_000, 1) if "NON" in r["primary_type"]}
    assert found == {"NON-CRIMINAL", "NON - CRIMINAL", "NON-CRIMINAL (SUBJECT SPECIFIED)"}


def test_one_row_in_500_must_be_quarantined(newest: list[Row], crimes: UseCase) -> None:
    """By the contract's own rules: domain, range, key, times."""
    column = crimes.silver.column("primary_type")
    low, high = crimes.silver.column("latitude").range or (None, None)
    assert low is not None
    assert high is not None

    def reasons(row: Row) -> Iterator[str]:
        if "id" not in row:
            yield "no id"
        name = column.replace.get(row["primary_type"], row["primary_type"])
        if name not in (column.domain or ()):
            yield "unknown type"
        if "latitude" in row and not low <= float(row["latitude"]) <= high:
            yield "impossible position"
        try:
            happened = datetime.fromisoformat(row["date"])
        except ValueError:
            yield "no date"
        else:
            if happened > datetime.fromisoformat(row["updated_on"]):
                yield "updated before event"

    found = Counter(reason for row in newest for reason in reasons(row))
    assert found == {
        "unknown type": 8,
        "impossible position": 8,
        "no date": 8,
        "updated before event": 8,
        "no id": 8,
    }
