"""What doctor says of a damaged home, and what it makes again from what is there."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from goldlake.workflows import backup as copies
from goldlake.workflows import checkup, derived
from goldlake_core.contracts.errors import StoreError
from goldlake_core.documents.reports import Finding
from goldlake_core.storage.home import Home
from goldlake_core.storage.landing import Cursor, LandingZone
from lakehouse import epochs
from metadata.promotion import record_promotion
from tests.workflows.kept import MODEL, USECASE, files, land, make_home, write


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return make_home(tmp_path / "home", pages=3)


def silent(event: Any) -> None:
    """Takes progress and says nothing."""


def bad(home: Home, *, is_deep: bool = False) -> list[Finding]:
    found = [each.finding for each in checkup.ailments(home, is_deep=is_deep)]
    return [finding for finding in found if not finding.is_ok]


def path(home: Home, *parts: str) -> Path:
    return Path(home.path(*parts))


def tear(*parts: str) -> Callable[[Home], None]:
    def damage(home: Home) -> None:
        file = path(home, *parts)
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])

    return damage


def remove(*parts: str) -> Callable[[Home], None]:
    return lambda home: path(home, *parts).unlink()


def tear_page(home: Home) -> None:
    page = min(path(home, "landing/toy/rows/pages").iterdir())
    page.write_bytes(page.read_bytes()[:-3])


def swap_page(home: Home) -> None:
    page = min(path(home, "landing/toy/rows/pages").iterdir())
    data = page.read_bytes()
    page.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))


def begin_erasure(home: Home) -> None:
    text = '{"format": 1, "salt": "s", "erasures": [{"id": "1", "key_sha256": "x", '
    text += '"asked_at": "2026-01-01", "records": 1, "key": "k"}]}'
    write(path(home, "landing/toy/erasures.json"), text)


def serve_what_is_not_there(home: Home) -> None:
    shutil.rmtree(path(home, "models/toy.color/1"))


def test_a_sound_home_and_an_empty_one(home: Home, tmp_path: Path) -> None:
    assert bad(home) == bad(home, is_deep=True) == []
    found = [each.finding.found for each in checkup.ailments(home)]
    assert found == [
        "rows: 6 records in 3 landed pages",
        "all 4 tables are whole",
        "all 1 exports are whole",
        "all 1 pushed versions are whole",
        "the database is whole",
    ]
    sizes = checkup.part_sizes(home)
    assert sizes["models"] == 5 + path(home, "models/models.config").stat().st_size
    assert checkup.repair(home, silent) == []
    nothing = Home.at(tmp_path / "nothing")
    assert checkup.ailments(nothing) == []
    assert checkup.part_sizes(nothing) == {}


NAMED = [
    (tear_page, False, "1 of 3 pages are missing or damaged", "goldlake ingest toy"),
    (swap_page, True, "1 of 3 pages are missing or damaged", "goldlake ingest toy"),
    (remove("tables/toy/gold/colors/one.parquet"), False, "lacks one.parquet", "--repair"),
    (
        tear("tables/toy/silver/rows/_delta_log/00000000000000000001.json"),
        False,
        "has a log that cannot be read",
        "--repair",
    ),
    (tear("exports/toy/color/1-abc/manifest.json"), False, "damaged manifest", "goldlake export"),
    (remove("exports/toy/color/1-abc/train/part.csv"), False, "lacks", "goldlake export"),
    (remove("models/toy.color/1/saved_model.pb"), False, "has no saved_model.pb", "copy"),
    (tear("models/models.config"), False, "models.config is damaged", "goldlake promote"),
    (serve_what_is_not_there, False, "serves toy.color [1], which are not there", "promote"),
    (tear("metadata/mlmd.sqlite"), False, "mlmd.sqlite: ", "copy"),
    (begin_erasure, False, "was begun at 2026-01-01 and is not done", "goldlake erase toy"),
    (
        lambda home: write(path(home, "landing/toy/erasures.json"), "{"),
        False,
        "erasures.json is damaged",
        "copy",
    ),
]


@pytest.mark.parametrize(("damage", "is_deep", "found", "fix"), NAMED)
def test_damage_is_named_with_the_next_command(
    home: Home, damage: Callable[[Home], None], is_deep: bool, found: str, fix: str
) -> None:
    damage(home)
    findings = bad(home, is_deep=is_deep)
    assert any(found in each.found and fix in each.fix for each in findings), findings
    before = files(home)
    checkup.ailments(home, is_deep=True)
    assert files(home) == before


def test_documents_are_made_again(home: Home) -> None:
    before = files(home)
    record_promotion(home, f"{MODEL}@1", "stable")
    book = epochs.Epoch(number=1, silver="", made_at="", run_id="")
    tear("models/models.config")(home)
    remove("landing/toy/identity.json")(home)
    write(path(home, "tables/toy/epochs.json"), "{")
    done = checkup.repair(home, silent)
    assert len(done) == 3
    assert bad(home) == []
    assert epochs.read(home, USECASE) == epochs.Book(current=1, epochs=(book,))
    after = files(home)
    assert after["models/models.config"] == before["models/models.config"]
    assert LandingZone(home, USECASE, "rows").identity() == {"kind": "x"}
    assert sum(".damaged-" in name for name in after) == 2
    assert checkup.repair(home, silent) == []


def test_the_epoch_that_gold_was_made_from_answers(home: Home) -> None:
    from tests.goldlake_core.storage.test_deltalog import META, commit

    for number, uuid in ((2, "s2"), (3, "s3")):
        folder = path(home, f"tables/toy/silver/rows@{number}")
        commit(folder, 0, {"metaData": {**META, "id": uuid}})
    commit(path(home, "tables/toy/gold/colors"), 2, metadata='{"silver_uuid": "s2"}')
    (finding,) = [each for each in bad(home) if "epochs" in each.found]
    assert "epochs.json is missing, and silver has epochs [1, 2, 3]" in finding.found
    checkup.repair(home, silent)
    book = epochs.read(home, USECASE)
    assert book is not None
    assert (book.current, [epoch.number for epoch in book.epochs]) == (2, [1, 2, 3])


def test_lines_are_made_again_from_their_pages(tmp_path: Path) -> None:
    home = Home.at(tmp_path / "home")
    zone = LandingZone(home, "chicago_crime", "ijzp-q8t2")
    end: Cursor | None = None
    entries = []
    for number in range(1, 4):
        time = f"2016-01-0{number}T00:00:00.000Z"
        row = {":id": f"row-{number}", ":updated_at": time, "id": number}
        first, end = end, Cursor(time, f"row-{number}")
        entry = zone.write_page(
            zone.page_name(first, sequence=number),
            [json.dumps(row).encode()],
            url="u",
            first_cursor=first,
            last_cursor=end,
            run_id="r",
            identity={"kind": "x"},
        )
        zone.write_manifest(entry)
        entries.append(entry)
    zone.claim({"kind": "x"})
    first_line, second_line = (
        path(home, "landing/chicago_crime/ijzp-q8t2/manifest", f"{entry.name}.json")
        for entry in entries[:2]
    )
    first_line.unlink()
    second_line.write_text("{")
    (finding,) = bad(home)
    assert "1 damaged and 1 lost manifest lines" in finding.found
    assert checkup.repair(home, silent) == [
        "manifest lines of chicago_crime were made again from their pages"
    ]
    assert bad(home, is_deep=True) == []
    made = [(entry.sequence, entry.rows, entry.content) for entry in zone.manifest()]
    assert made == [(entry.sequence, entry.rows, entry.content) for entry in entries]
    first_line.write_text("{")
    page = Path(zone.page_uri(entries[0].name))
    page.write_bytes(page.read_bytes()[:-4])
    (sentence,) = checkup.repair(home, silent)
    assert f"those of {entries[0].name} cannot be: goldlake ingest chicago_crime" in sentence
    assert bad(home) != []


def test_a_home_that_moved_and_leftovers(home: Home, tmp_path: Path) -> None:
    moved = Home.at(tmp_path / "elsewhere")
    os.rename(home.root, moved.root)
    names = [
        "landing/toy/rows/pages/.x.gz.abc",
        "exports/toy/color/2-d.staging/part",
        "models/toy.color/.push-1/saved_model.pb",
    ]
    for name in names:
        write(path(moved, name), "half")
    # A model that is made again, and what is left where that was killed.
    runs = ["runs/20260101-000000-aaaa", "runs/20260102-000000-bbbb"]
    for run in runs:
        write(path(moved, f"{run}/home/exports/part"), "half")
    (finding,) = bad(moved)
    assert finding.found == f"models.config or ML Metadata name {home.root}"
    long_ago = time.time() - 7200
    for name in names:
        for each in (path(moved, name), path(moved, name).parent):
            os.utime(each, (long_ago, long_ago))
    write(path(moved, f"{runs[1]}/ended.json"), "{}")
    assert [each.name for each in bad(moved)] == ["Place", "Leftovers"]
    assert len(checkup.repair(moved, silent)) == 2
    assert bad(moved) == []
    assert [path(moved, f"{run}/home").exists() for run in runs] == [True, False]
    assert not any(path(moved, name).exists() for name in names)


def test_a_copy_is_looked_at_like_a_home_and_an_incomplete_one_is_told(
    home: Home, tmp_path: Path
) -> None:
    copies.backup(home, str(tmp_path / "copy"), None, silent)
    copy = Home.at(tmp_path / "copy")
    assert [each.name for each in bad(copy, is_deep=True)] == ["Place"]
    file = path(copy, "backup.json")
    file.write_text(file.read_text().replace('"is_complete": true', '"is_complete": false'))
    assert bad(copy)[0].fix == f"goldlake backup {copy.root} --home {home.root}"


def test_a_source_that_no_line_names_is_not_guessed(home: Home) -> None:
    zone = LandingZone(home, USECASE, "rows")
    for entry in zone.manifest():
        zone.write_manifest(msgspec.structs.replace(entry, identity=None))
    remove("landing/toy/identity.json")(home)
    (finding,) = bad(home)
    assert "restore it from a copy of the home" in finding.fix
    with pytest.raises(StoreError, match="No manifest line of toy names its source"):
        derived.identity_of(zone)(silent)


def test_pages_of_a_later_landing_are_no_damage(home: Home) -> None:
    name = land(home, 4)
    path(home, "landing/toy/rows/manifest", f"{name}.json").unlink()
    assert bad(home) == []
