"""Copies of a home: whole, incremental, completed after a kill, refused where they would lose."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from goldlake.workflows import backup as copies
from goldlake.workflows import relocate
from goldlake_core.contracts.errors import GoldlakeError, LockedError, StoreError, UsageError
from goldlake_core.documents.keeping import BackupReport
from goldlake_core.storage.deltalog import DeltaLog
from goldlake_core.storage.home import Home
from goldlake_core.storage.landing import LandingZone
from goldlake_core.storage.locks import CopyLock
from metadata.store import Store
from serving import config
from tests.workflows.kept import MODEL, USECASE, append, files, land, make_home, write


def silent(event: Any) -> None:
    """Takes progress and says nothing."""


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return make_home(tmp_path / "home")


@pytest.fixture
def target(tmp_path: Path) -> str:
    return str(tmp_path / "copy")


def copied(home: Home, target: str, usecase: str | None = None, **options: bool) -> BackupReport:
    return copies.backup(home, target, usecase, silent, **options)


def without_database(home: Home) -> dict[str, bytes]:
    return {path: data for path, data in files(home).items() if "mlmd" not in path}


def rows_of(database: str) -> list[str]:
    connection = sqlite3.connect(database)
    try:
        return list(connection.iterdump())
    finally:
        connection.close()


def test_a_copy_is_the_home_and_a_second_one_copies_only_what_is_new(home: Home, target: str):
    first = copied(home, target)
    copy = Home.at(target)
    assert without_database(copy) == without_database(home)
    assert rows_of(copy.mlmd) == rows_of(home.mlmd)
    assert first.parts["landing"].new_files == first.parts["landing"].files == 5
    assert first.tables["tables/toy/gold/colors"] == 1
    assert copies.verify(target).problems == ()
    again = copied(home, target)
    assert {part: p.new_files for part, p in again.parts.items() if p.new_files} == {}
    land(home, 3)
    append(home, "gold/colors", "two.parquet", 2)
    Path(home.path("runs/20260101-000000-abcd/land.result.json")).unlink()
    third = copied(home, target)
    new = {part: p.new_files for part, p in third.parts.items() if p.new_files}
    assert new == {"landing": 2, "tables": 2}
    assert (third.removed_files, third.tables["tables/toy/gold/colors"]) == (1, 2)
    assert without_database(copy) == without_database(home)


def test_a_dry_run_writes_nothing(home: Home, target: str):
    planned = copied(home, target, is_dry_run=True)
    assert not Path(target).exists()
    done = copied(home, target)
    assert {**planned.parts, "metadata": 0} == {**done.parts, "metadata": 0}


def test_one_use_case_only(home: Home, target: str):
    write(Path(home.path("models/other.model/1/saved_model.pb")), "other")
    config.update(
        home.models_config,
        lambda current: config.with_version(
            current, "other.model", 1, home.path("models", "other.model")
        ),
    )
    copied(home, target, USECASE)
    copy = Home.at(target)
    assert [m.name for m in config.read(copy.models_config).models] == [MODEL]
    assert not Path(copy.path("models/other.model")).exists()
    with pytest.raises(StoreError, match="a copy of toy"):
        copied(home, target)
    whole = target + "-whole"
    copied(home, whole)
    with pytest.raises(StoreError, match="is a copy of all use cases"):
        copied(home, whole, USECASE)


def test_whoever_writes_meanwhile_is_ahead_or_left_out(
    home: Home, target: str, monkeypatch: pytest.MonkeyPatch
):
    from goldlake.workflows import copied_parts

    looked = copied_parts._landing

    def writing_between(*arguments: Any) -> None:
        append(home, "gold/colors", "late.parquet", 2)
        write(Path(home.path("tables/toy/silver/rows/unfinished.parquet")), "half")
        write(Path(home.path("tables/toy/silver/rows@2/_delta_log/x")), "an epoch not in the book")
        land(home, 3)
        looked(*arguments)

    monkeypatch.setattr(copied_parts, "_landing", writing_between)
    copied(home, target)
    copy = Home.at(target)
    assert DeltaLog(copy.path("tables/toy/gold/colors")).latest() == 1
    assert not Path(copy.path("tables/toy/silver/rows/unfinished.parquet")).exists()
    assert not Path(copy.path("tables/toy/gold/colors/late.parquet")).exists()
    assert len(LandingZone(copy, USECASE, "rows").manifest()) == 3
    for entry in LandingZone(copy, USECASE, "rows").manifest():
        assert LandingZone(copy, USECASE, "rows").read_page(entry)


def test_the_database_is_copied_while_it_is_written(home: Home, target: str):
    writer = sqlite3.connect(home.mlmd)
    writer.execute("INSERT INTO Type (name, version, type_kind) VALUES ('half', '', 1)")
    try:
        copied(home, target)
    finally:
        writer.rollback()
        writer.close()
    assert rows_of(Home.at(target).mlmd) == rows_of(home.mlmd)


def test_a_page_that_changes_meanwhile_ends_it_and_the_same_command_goes_on(
    home: Home, target: str
):
    name = land(home, 3)
    page = Path(LandingZone(home, USECASE, "rows").page_uri(name))
    data = page.read_bytes()
    page.write_bytes(data[:-1] + b"x")
    with pytest.raises(StoreError, match="changed or removed while the home was copied") as caught:
        copied(home, target)
    assert "the same command again" in caught.value.message
    manifest = copies.read(Home.at(target))
    assert manifest is not None
    assert not manifest.is_complete
    assert "it is incomplete" in copies.verify(target).problems[0]
    page.write_bytes(data)
    copied(home, target)
    assert copies.verify(target).problems == ()


KILLED = """
import os, sys
from goldlake.workflows import backup
from goldlake_core.storage.home import Home

left = int(sys.argv[3])
copy_one = backup._copied
write_one = backup._write
def counted(function):
    def wrapped(*arguments):
        global left
        if left == 0:
            os.kill(os.getpid(), 9)
        left -= 1
        return function(*arguments)
    return wrapped
backup._copied, backup._write = counted(copy_one), counted(write_one)
backup.NOTED_EVERY_S = 0.0
backup.backup(Home.at(sys.argv[1]), sys.argv[2], None, lambda event: None)
"""


@pytest.mark.parametrize("steps", [0, 1, 2, 9, 30, 50])
def test_killed_anywhere_it_is_told_and_completed(
    home: Home, target: str, tmp_path: Path, steps: int
):
    copied(home, target)
    land(home, 3)
    append(home, "gold/colors", "two.parquet", 2)
    for file in Path(home.path("tables/toy/silver/rows/_delta_log")).iterdir():
        file.write_text(file.read_text().replace('"s"', '"z"'))  # the table was made anew
    shutil.rmtree(Path(target, "tables", USECASE, "bronze"))
    command = [sys.executable, "-c", KILLED, home.root, target, str(steps)]
    killed = subprocess.run(command, check=False, capture_output=True, text=True)
    assert killed.returncode in (0, -9), killed.stderr
    manifest = copies.read(Home.at(target))
    assert manifest is not None
    is_untouched = steps == 0
    assert manifest.is_complete == (is_untouched or killed.returncode == 0)
    copied(home, target)
    assert without_database(Home.at(target)) == without_database(home)
    assert copies.verify(target).problems == ()


def test_damage_in_a_copy_is_named(home: Home, target: str):
    copied(home, target)
    place = Path(target)
    (place / "exports/toy/color/1-abc/train/part.csv").write_text("id,ward\n1,1\n3,1\n")
    (place / "models/toy.color/1/saved_model.pb").unlink()
    assert copies.verify(target).problems == (
        "exports/toy/color/1-abc/train/part.csv has other content than was copied",
        "models/toy.color/1/saved_model.pb is missing",
    )
    # A copy that lost a file gets it again; one that holds other content is made anew by hand.
    copied(home, target)
    assert len(copies.verify(target).problems) == 1


def lose_pages(home: Home) -> None:
    shutil.rmtree(home.path("landing"))
    land(home, 1)


def lose_a_version(home: Home) -> None:
    Path(home.path("tables/toy/gold/colors/_delta_log/00000000000000000001.json")).unlink()


def lose_tables(home: Home) -> None:
    shutil.rmtree(home.path("tables"))


@pytest.mark.parametrize(
    ("losing", "told"),
    [
        (lose_pages, "is a copy of another home, "),
        (lose_a_version, "is at version 0 and its copy at 1"),
        (lose_tables, "is gone"),
        (lambda home: shutil.rmtree(home.path("landing")), "its copy with page 2"),
    ],
)
def test_a_home_that_lost_something_does_not_replace_its_copy(
    home: Home, target: str, losing: Callable[[Home], None], told: str
):
    copied(home, target)
    before = files(Home.at(target))
    losing(home)
    with pytest.raises(StoreError, match=told) as caught:
        copied(home, target)
    assert losing is lose_pages or " holds less than its copy " in caught.value.message
    assert files(Home.at(target)) == before


def test_a_copy_that_was_used_as_a_home_is_not_written_over(home: Home, target: str):
    copied(home, target)
    land(Home.at(target), 3)
    with pytest.raises(StoreError, match="was used as a home since it was made: it holds 2 files"):
        copied(home, target)


@pytest.mark.parametrize(
    ("folder", "told"),
    [
        ("home/inside", "cannot lie in each other"),
        ("home", "cannot lie in each other"),
        (".", "cannot lie in each other"),
        ("other", "holds something that is not a copy of a home"),
        ("file", "is a file"),
        ("memory://copy", "is not a folder"),
    ],
)
def test_folders_that_are_refused(home: Home, tmp_path: Path, folder: str, told: str):
    write(tmp_path / "other" / "letter.txt", "dear")
    write(tmp_path / "file", "")
    place = folder if "://" in folder else str(tmp_path / folder)
    with pytest.raises(UsageError, match=told):
        copied(home, place)


def test_an_empty_home_and_a_full_disk(
    home: Home, target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    with pytest.raises(UsageError, match="There is nothing to copy in "):
        copied(Home.at(tmp_path / "nothing"), target)
    usage = shutil.disk_usage(tmp_path)._replace(free=1 << 20)
    monkeypatch.setattr(shutil, "disk_usage", lambda place: usage)
    with pytest.raises(StoreError, match=r"1 MiB free; nothing was copied"):
        copied(home, target)
    assert not Path(target).exists()


def test_two_at_once(home: Home, target: str):
    command = "import sys, time; from goldlake_core.storage.locks import CopyLock; "
    command += "from goldlake_core.storage.home import Home\n"
    command += "with CopyLock(Home.at(sys.argv[1])): print(1, flush=True); time.sleep(60)"
    other = subprocess.Popen(
        [sys.executable, "-c", command, home.root], stdout=subprocess.PIPE, text=True
    )
    try:
        assert other.stdout is not None
        other.stdout.readline()
        with pytest.raises(LockedError, match="for copies and erasures is in use by process"):
            copied(home, target)
    finally:
        other.kill()
        other.wait()
        other.stdout.close()
    assert CopyLock(home).path.endswith("copy.lock")


def test_damaged_homes_are_not_copied(home: Home, target: str):
    line = next(Path(home.path("landing/toy/rows/manifest")).iterdir())
    text = line.read_text()
    line.write_text("{")
    with pytest.raises(StoreError, match="1 manifest lines of toy are damaged, such as that of "):
        copied(home, target)
    line.write_text(text)
    Path(home.path("tables/toy/bronze/rows/one.parquet")).unlink()
    with pytest.raises(StoreError, match="lacks 1 of its files, such as one.parquet"):
        copied(home, target)


def test_a_copy_and_a_moved_home_name_their_own_place(home: Home, target: str):
    copied(home, target)
    copy = Home.at(target)
    assert relocate.former_roots(copy) == [home.root]
    assert relocate.settle(copy) == [home.root]
    assert relocate.settle(copy) == []
    served = config.read(copy.models_config).model(MODEL)
    assert served is not None
    assert served.base_path == copy.path("models", MODEL)
    (model,) = Store(copy).artifacts_of_type("Model")
    assert model.uri == copy.path("pipelines", MODEL, "Trainer", "model", "3")
    assert model.properties["where"] == model.uri
    assert relocate.former_roots(home) == []
    moved = Home.at(home.root + "-moved")
    os.rename(home.root, moved.root)
    assert relocate.settle(moved) == [home.root]
    for problem in (b"\xff not a config", b""):
        Path(moved.models_config).write_bytes(problem)
        assert relocate.settle(moved) == []


def test_a_newer_manifest_is_refused(home: Home, target: str):
    copied(home, target)
    Path(target, "backup.json").write_text('{"format": 99}')
    with pytest.raises(GoldlakeError, match="made by a newer goldlake"):
        copied(home, target)


def test_packed_pages_are_copied_and_read(home: Home, target: str):
    zone = LandingZone(home, USECASE, "rows")
    land(home, 3)
    zone.pack(zone.manifest()[:2])
    before = [zone.read_page(entry) for entry in zone.manifest()]
    copied(home, target)
    copy = LandingZone(Home.at(target), USECASE, "rows")
    assert [copy.read_page(entry) for entry in copy.manifest()] == before
    zone.unpack(zone.manifest()[0].name)
    assert copied(home, target).removed_files == 2
    Path(zone.page_uri(zone.manifest()[0].name)).unlink()
    with pytest.raises(StoreError, match=r"is missing; nothing was copied"):
        copied(home, target)


def test_a_table_and_a_model_that_were_made_anew_with_the_same_names_and_sizes(
    home: Home, target: str
):
    copied(home, target)
    table = Path(home.path("tables/toy/gold/colors"))
    for file in (table / "_delta_log").iterdir():
        file.write_text(file.read_text().replace('"g"', '"h"'))
    (table / "one.parquet").write_text("PARQUET one.parquet")
    Path(home.path("models/toy.color/1/saved_model.pb")).write_text("other")
    report = copied(home, target)
    assert without_database(Home.at(target)) == without_database(home)
    assert (report.parts["tables"].new_files, report.parts["models"].new_files) == (3, 1)
    assert copies.verify(target).problems == ()
