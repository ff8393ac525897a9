"""Which landed pages a model came of, and what is refused where they are not what they were."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from goldlake.workflows.landed_again import copied, landed_of, require_room
from goldlake_core.contracts.errors import StoreError
from goldlake_core.contracts.ids import ModelId
from goldlake_core.contracts.registry import load_usecase
from goldlake_core.contracts.sections import UseCase
from goldlake_core.documents.keeping import Erasure
from goldlake_core.storage import erasures
from goldlake_core.storage.home import Home
from goldlake_core.storage.landing import LandingZone
from goldlake_core.storage.locks import StoreLock
from goldlake_core.storage.restores import Restore, Restores
from lakehouse import specs
from tests.lakehouse.records import crime, land

MODEL = ModelId("chicago_crime", "arrest", 1)
GOLD = "chicago_crime.gold.arrest_features"
MADE_AT_MS = 1_767_225_600_000  # 2026-01-01T00:00:00Z
NO_ROOM = r"Making the tables again takes about .* MB, and the disk of .* has .* MB free"
NOT_ON_RECORD = "was made of is not on record, so chicago_crime.arrest@1 cannot be made again"
CHANGED = "chicago_crime.arrest@1 cannot be made again from its landed pages. The landed page "
NEXT = "goldlake reproduce chicago_crime.arrest@1 makes it again from the rows of its export"


@pytest.fixture(scope="module")
def usecase() -> UseCase:
    return load_usecase("chicago_crime")


@pytest.fixture
def home(tmp_path: Path, usecase: UseCase) -> Home:
    """Four landed pages, of which bronze and the gold version 1 hold the first three."""
    found = Home.at(tmp_path / "home")
    with StoreLock(found, usecase.name, "land"):
        for number in range(1, 5):
            land(found, usecase, f"page {number}", [crime(number), crime(number + 10)])
    commit(found, "bronze", "crimes", {"through": 3, "rows": 6})
    commit(found, "gold", "arrest_features", {"through": 3, "silver_version": 1, "epoch": 2})
    return found


def commit(home: Home, layer: str, table: str, stored: dict[str, Any]) -> None:
    """The log of a table with one commit of goldlake's own, which is version 1."""
    log = Path(home.table("chicago_crime", layer, table), "_delta_log")
    log.mkdir(parents=True)
    schema = json.dumps({"type": "struct", "fields": []})
    made = {"metaData": {"id": "u", "schemaString": schema}}
    (log / f"{0:020d}.json").write_text(json.dumps(made))
    text = json.dumps({"run_id": "20260101-000000-aaaa", **stored})
    info = {"commitInfo": {"timestamp": MADE_AT_MS, "userMetadata": text}}
    (log / f"{1:020d}.json").write_text(json.dumps(info))


def landed(home: Home, usecase: UseCase) -> Any:
    return landed_of(usecase, home, MODEL, f"{GOLD}@1")


def zone_of(home: Home, usecase: UseCase) -> LandingZone:
    return specs.landing(usecase, home)


def test_the_pages_of_a_gold_version_are_laid_into_another_home(
    home: Home, usecase: UseCase, tmp_path: Path
) -> None:
    found = landed(home, usecase)
    assert [page.sequence for page in found.pages] == [1, 2, 3]
    assert (found.epoch, found.through) == (2, 3)
    other = Home.at(tmp_path / "other")
    copied(usecase, found, other)
    here, there = zone_of(home, usecase), zone_of(other, usecase)
    assert there.manifest() == here.manifest()[:3]
    for page in there.manifest():
        assert there.read_page(page) == here.read_page(page)
        # On one disk a page takes no room twice.
        assert os.path.samefile(there.page_uri(page.name), here.page_uri(page.name))
    require_room(usecase, found, 1000, other)
    with pytest.raises(StoreError, match=NO_ROOM):
        require_room(usecase, found, 10**18, other)


def test_pages_in_a_pack_are_taken_out_of_it(home: Home, usecase: UseCase, tmp_path: Path) -> None:
    zone = zone_of(home, usecase)
    before = [zone.read_page(page) for page in zone.manifest()]
    with StoreLock(home, usecase.name, "maintain"):
        zone.pack(zone.manifest())
    other = Home.at(tmp_path / "other")
    copied(usecase, landed(home, usecase), other)
    there = zone_of(other, usecase)
    assert [there.read_page(page) for page in there.manifest()] == before[:3]


def test_a_restore_before_counts_and_one_since_does_not(
    home: Home, usecase: UseCase, tmp_path: Path
) -> None:
    zone = zone_of(home, usecase)
    earlier = Restore(run_id="back", at="2025-12-31T00:00:00Z", given=2, stands=((1, 1),))
    later = Restore(run_id="again", at="2026-01-02T00:00:00Z", given=4, stands=((1, 2),))
    with StoreLock(home, usecase.name, "restore"):
        zone.write_restores(Restores(restores=(earlier, later)))
    with pytest.raises(StoreError) as caught:
        landed(home, usecase)
    assert caught.value.message == (
        "chicago_crime.arrest@1 cannot be made again from its landed pages: bronze had 6 records "
        "with page 3, and the pages that are left hold 4. "
        "Valid: all pages that its gold version was made of. "
        f"Next: restore the folder landing/ from a copy of the home, or {NEXT}"
    )
    log = Path(home.table("chicago_crime", "bronze", "crimes"), "_delta_log", f"{1:020d}.json")
    log.write_text(log.read_text().replace('\\"rows\\": 6', '\\"rows\\": 4'))
    other = Home.at(tmp_path / "other")
    copied(usecase, landed(home, usecase), other)
    there = zone_of(other, usecase)
    assert [page.sequence for page in there.manifest()] == [1, 3]
    assert there.restores().restores == (earlier,)


@pytest.mark.parametrize(
    ("asked_at", "is_refused"),
    [("2025-12-31T23:59:59Z", False), ("2026-01-01T00:00:00Z", True)],
)
def test_records_that_were_erased_since_are_refused(
    home: Home, usecase: UseCase, asked_at: str, is_refused: bool
) -> None:
    zone = zone_of(home, usecase)
    [first, *_] = zone.manifest()
    with StoreLock(home, usecase.name, "erase"):
        zone.write_manifest(replace(first, format=3, erased={"1": 2}))
        done = Erasure(id="1", key_sha256="", asked_at=asked_at, done_at=asked_at, records=2)
        erasures.put(home, usecase.name, done)
    if not is_refused:
        assert len(landed(home, usecase).pages) == 3
        return
    with pytest.raises(StoreError) as caught:
        landed(home, usecase)
    assert caught.value.message == (
        "chicago_crime.arrest@1 cannot be made again from its landed pages: 2 records were erased "
        f"from {first.name} after {GOLD}@1 was made. "
        "Valid: a version that was trained after the erasure. "
        "Next: goldlake train chicago_crime.arrest"
    )


@pytest.mark.parametrize("change", [Path.unlink, lambda file: file.write_bytes(b"other")])
def test_a_page_that_is_not_as_it_was_landed_is_refused(
    home: Home, usecase: UseCase, change: Any
) -> None:
    zone = zone_of(home, usecase)
    change(Path(zone.page_uri(zone.manifest()[1].name)))
    with pytest.raises(StoreError, match=CHANGED):
        landed(home, usecase)


def test_a_gold_version_that_nothing_tells_of_is_refused(home: Home, usecase: UseCase) -> None:
    with pytest.raises(StoreError, match=NOT_ON_RECORD):
        landed_of(usecase, home, MODEL, "chicago_crime.gold.monthly_offenses@1")
