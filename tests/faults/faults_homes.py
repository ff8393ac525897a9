"""Faults of homes with tables, and of landed pages that bronze meets."""

from __future__ import annotations

import gzip
import os
import shutil
from pathlib import Path

import pytest
from pyspark.errors import AnalysisException

from goldlake_core.contracts.errors import StoreError
from goldlake_core.storage.deltalog import DeltaLog
from goldlake_core.storage.home import Home
from lakehouse import catalog, translate
from tests.faults.catalog import table_fault
from tests.faults.lab import refused
from tests.faults.store import LATER, Store, call

ODD_NAME = "moved{1}[2]%41 #é"


def _goes_on(store: Store) -> None:
    """A record of each kind comes; the tables follow, and are those of a home built at once."""
    store.land(call(60), call(1, note="again", updated_on="2016-06-01T00:00:00"), b"junk")
    assert store.refine().fates.landed >= 3
    store.derives()


@table_fault("H1", "the home is moved, then pages come", "goes on")
def moved(store: Store) -> None:
    there = store.folder / "elsewhere"
    os.rename(store.home.root, there)
    store.home = Home.at(there)
    _goes_on(store)


@table_fault("H2", "the home is copied, then pages come in both", "each goes on")
def copied(store: Store) -> None:
    shutil.copytree(store.home.root, store.folder / "copy")
    original, store.home = store.home, Home.at(store.folder / "copy")
    _goes_on(store)
    store.home = original
    store.land(call(80))
    store.refine()
    assert 60 not in store.rows(store.silver)
    store.derives()


@table_fault("H2b", "the home is reached through a symbolic link", "the same home")
def linked(store: Store) -> None:
    link = store.folder / "link"
    link.symlink_to(store.home.root)
    store.home = Home.at(link)
    _goes_on(store)


@table_fault("H9", "the home lies under blanks, braces, brackets, %41, # and é", "goes on")
def odd_path(store: Store) -> None:
    there = store.folder / ODD_NAME
    os.rename(store.home.root, there)
    store.home = Home.at(there)
    _goes_on(store)


@table_fault("H10", "the landing zone is lost, the tables are there", "refused, and named")
def no_landing(store: Store) -> None:
    shutil.rmtree(store.home.path("landing"))
    before = store.contents()
    refused(store.refine, StoreError, "landed pages are missing")
    assert store.contents() == before


@table_fault("H10b", "the newest landed page and its line are lost", "refused, and named")
def no_newest_page(store: Store) -> None:
    newest = max(Path(store.home.path("landing")).rglob("manifest/*.json"))
    newest.unlink()
    refused(store.refine, StoreError, "landed pages are missing")


@table_fault(
    "H12",
    "all but the landing zone and the tables is lost, as checkpoints were once",
    "nothing else is kept by a refinement",
)
def bare(store: Store) -> None:
    _goes_on(store)
    names = {entry.name for entry in Path(store.home.root).iterdir()}
    assert names == {"landing", "tables"}
    folders = {entry.name for entry in Path(store.home.path("tables", "pier")).iterdir()}
    assert folders == {"bronze", "silver", "gold", "epochs.json"}


def _lost(id: str, lost: str, *, short: bool = False) -> None:
    @table_fault(
        id, f"{lost} is lost, then pages come", "made again from what is there", short=short
    )
    def run(store: Store) -> None:
        tables = Path(store.home.path("tables", "pier"))
        shutil.rmtree(tables / lost if lost != "everything below tables" else tables)
        _goes_on(store)


_lost("H14", "silver", short=True)
_lost("H14b", "silver/calls")
_lost("H14c", "silver/calls_versions")
_lost("H14d", "bronze")
_lost("H14e", "gold")
_lost("H14f", "gold/facts")
_lost("H14g", "everything below tables")


@table_fault("H14h", "`epochs.json` is lost after an edit", "goes on")
def no_book(store: Store) -> None:
    store.edit_column("code", pad=6)
    store.refine()
    Path(store.home.path("tables", "pier", "epochs.json")).unlink()
    _goes_on(store)


@table_fault("H14i", "`epochs.json` is lost after an edit, and the edit is undone", "goes on")
def no_book_undone(store: Store) -> None:
    store.edit_column("code", pad=6)
    store.refine()
    Path(store.home.path("tables", "pier", "epochs.json")).unlink()
    store.undo()
    _goes_on(store)


@table_fault(
    "H18", "all tables are restored from an older copy under a newer landing zone", "goes on"
)
def older_tables(store: Store) -> None:
    tables = Path(store.home.path("tables"))
    shutil.copytree(tables, store.folder / "older")
    store.land(call(50))
    store.refine()
    shutil.rmtree(tables)
    shutil.move(store.folder / "older", tables)
    _goes_on(store)


@table_fault(
    "H20", "making each table was cut off before its first commit: an empty log", "made again"
)
def unborn(store: Store) -> None:
    tables = Path(store.home.path("tables", "pier"))
    for log in tables.glob("*/*/_delta_log"):
        shutil.rmtree(log.parent)
        log.mkdir(parents=True)
        (log / ".00000000000000000000.json.1.tmp").write_bytes(b'{"commit')
    _goes_on(store)


def _older(id: str, table: str) -> None:
    @table_fault(id, f"{table} alone is restored from an older copy", "goes on, nothing twice")
    def run(store: Store) -> None:
        folder = Path(store.home.path("tables", "pier", table))
        shutil.copytree(folder, store.folder / "older")
        store.land(call(50), call(2, note="newer", updated_on=LATER))
        store.refine()
        shutil.rmtree(folder)
        shutil.move(store.folder / "older", folder)
        _goes_on(store)


_older("H18b", "bronze/calls")
_older("H18c", "silver/calls_versions")
_older("H18d", "silver/calls")
_older("H18e", "gold/facts")


@table_fault(
    "H19",
    "the landing zone is restored from an older copy under newer tables",
    "refused: landed pages are missing",
)
def older_landing(store: Store) -> None:
    landing = Path(store.home.path("landing"))
    shutil.copytree(landing, store.folder / "older")
    store.land(call(50))
    store.refine()
    shutil.rmtree(landing)
    shutil.move(store.folder / "older", landing)
    refused(store.refine, StoreError, "landed pages are missing")


def _damaged(id: str, made: str, *, short: bool = False) -> object:
    """Declares a damage of a new page's file: named, nothing written; put back, all goes on."""

    def declare(damage: object) -> object:
        holds = "named by page before a record of it is written; put back, all goes on"

        @table_fault(id, made, holds, short=short)
        def run(store: Store) -> None:
            page = store.land(call(50), call(51))
            good = page.read_bytes()
            damage(page)  # type: ignore[operator]
            refused(store.refine, StoreError, page.name)
            store.is_as_before()
            page.write_bytes(good)
            assert store.refine().fates.inserted == 2
            store.derives()

        return damage

    return declare


@_damaged("L20b", "a landed page is torn before bronze reads it")
def torn(page: Path) -> None:
    page.write_bytes(page.read_bytes()[:40])


@_damaged("L21", "a landed page is gone before bronze reads it")
def gone(page: Path) -> None:
    page.unlink()


@_damaged("L22b", "a landed page is replaced by another valid one")
def replaced(page: Path) -> None:
    page.write_bytes(gzip.compress(gzip.decompress(page.read_bytes()).replace(b"note", b"mote")))


@_damaged("L23", "a landed page has a record more")
def longer(page: Path) -> None:
    page.write_bytes(gzip.compress(gzip.decompress(page.read_bytes()) + b'{"id": "9"}\n'))


@_damaged("L25", "a landed page is not gzip")
def plain(page: Path) -> None:
    page.write_bytes(gzip.decompress(page.read_bytes()))


@_damaged("L25b", "a landed page is zeros")
def zeros(page: Path) -> None:
    page.write_bytes(bytes(page.stat().st_size))


@table_fault("L24b", "a foreign page without a manifest line lies in the folder", "not read")
def foreign(store: Store) -> None:
    page = store.land(call(50))
    name = page.name.replace(page.name[:8], "00000099")
    (page.parent / name).write_bytes(page.read_bytes())
    assert store.refine().fates.landed == 1


@table_fault("L26", "a new page's file has the time 1970", "read")
def old_time(store: Store) -> None:
    os.utime(store.land(call(50)), (0, 0))
    assert store.refine().fates.landed == 1
    store.derives()


@table_fault("R7", "the file of a page has another time than its landing", "the manifest's counts")
def landing_time(store: Store) -> None:
    page = store.land(call(50))
    os.utime(page, (0, 0))
    store.refine()
    row = next(r for r in DeltaLog(store.bronze).read().to_pylist() if r["file"] == page.name)
    assert row["landed_at"].year > 2000
    assert store.call(50)["_known_from"] == row["landed_at"]


@table_fault("L27", "old pages' files are touched", "nothing is read twice", short=True)
def touched(store: Store) -> None:
    for page in Path(store.home.path("landing")).rglob("*.gz"):
        os.utime(page)
    logs = {name: DeltaLog(uri).latest() for name, uri in store.tables().items()}
    assert store.refine().fates.landed == 0
    assert {name: DeltaLog(uri).latest() for name, uri in store.tables().items()} == logs


def _log(store: Store, number: int = -1) -> Path:
    """A commit of silver's log: the newest, or the one with a number."""
    return sorted(Path(store.silver, "_delta_log").glob("*.json"))[number]


@table_fault(
    "L30",
    "the newest entry of silver's log is torn",
    "the file is named, by `tables` and by a refinement",
)
def torn_log(store: Store) -> None:
    log = _log(store)
    log.write_bytes(log.read_bytes()[:-40])
    refused(lambda: catalog.tables("pier", store.home), StoreError, str(log))
    refused(store.refine, StoreError, str(log))


@table_fault(
    "L30b",
    "the newest entry of silver's log is empty",
    "found; the rows that it brought are not told as truth",
)
def empty_log(store: Store) -> None:
    log = _log(store)
    log.write_bytes(b"")
    refused(lambda: catalog.tables("pier", store.home), StoreError, str(log))
    refused(store.refine, StoreError, str(log))


@table_fault("L31", "the newest entry of silver's log is gone", "made again from the versions")
def no_newest_log(store: Store) -> None:
    _log(store).unlink()
    _goes_on(store)


@table_fault(
    "L32",
    "the first entry of silver's log is gone",
    "the table is named, and what makes it again",
)
def no_first_log(store: Store) -> None:
    _log(store, 0).unlink()
    refused(lambda: catalog.tables("pier", store.home), StoreError, "silver/calls", "rebuild")


@table_fault("L37", "Delta's `_last_checkpoint` is empty", "goes on")
def empty_checkpoint(store: Store) -> None:
    for uri in store.tables().values():
        Path(uri, "_delta_log", "_last_checkpoint").write_bytes(b"")
    _goes_on(store)


@table_fault(
    "L38",
    "a data file of silver is gone",
    "found by the deep account, named by table",
)
def no_data_file(store: Store) -> None:
    Path(store.silver, DeltaLog(store.silver).snapshot().files[0].path).unlink()
    with pytest.raises(AnalysisException) as raised:
        store.deep()
    # A stage says it in our words.
    ours = translate.told(raised.value, store.home, None)
    assert isinstance(ours, StoreError)
    assert "pier.silver.calls: the file " in ours.message
    assert "rebuild" in ours.message
