"""Erasing a record: nothing of it is left in the home, and everything else is what it was."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
import pytest
from msgspec.structs import replace

from goldlake.workflows import erase as workflow
from goldlake.workflows.processes import Run
from goldlake_core.contracts.errors import StoreError, UsageError
from goldlake_core.contracts.sections import Column, UseCase
from goldlake_core.documents import codec
from goldlake_core.documents.keeping import Erasure, ErasureReport, Place
from goldlake_core.storage import erasures
from goldlake_core.storage.files import write_atomic
from goldlake_core.storage.home import Home
from goldlake_core.storage.landing import Cursor, packed
from lakehouse import audit, catalog, delta, epochs, erase, specs, stages
from tests.lakehouse.records import crime, land, silent
from tests.metadata.recorded import Recorder, record_training, snapshot_properties
from tests.workflows.kept import exported

ERASED = 70_000_001
MODEL = "chicago_crime.arrest"
LATE = "2016-07-01T00:00:00.000"


def held_files(home: Home, word: bytes) -> list[str]:
    """Files that hold some text: as they are, unpacked, or as values of their rows."""
    found = []
    for file in sorted(Path(home.root).rglob("*")):
        if not file.is_file():
            continue
        data = file.read_bytes()
        if file.name.endswith(".gz"):
            data = gzip.decompress(data)
        if file.name.endswith(".parquet"):
            data = str(pl.read_parquet(data).to_dicts()).encode()
        if word in data:
            found.append(str(file.relative_to(home.root)))
    return found


def small(usecase: UseCase) -> UseCase:
    """The use case with the one gold table that has a row per record."""
    return replace(usecase, gold={"arrest_features": usecase.gold["arrest_features"]})


def filled(spark: Any, usecase: UseCase, home: Home) -> None:
    """Two pages and two epochs, with four records of the key among others."""
    zone = specs.landing(usecase, home)
    land(home, usecase, "one", [crime(1), crime(ERASED), crime(2), crime(ERASED, ward="51")])
    rows = [crime(ERASED, arrest=True, updated_on=LATE), b"junk", crime(3), crime(1, ward="7")]
    page = land(home, usecase, "two", [*rows, crime(ERASED)])
    line = next(entry for entry in zone.manifest() if entry.name == page)
    end = Cursor(LATE, str(ERASED))
    zone.write_manifest(replace(line, last_cursor=end))
    aside = zone.path("aside", "00000009-x-000000000000.jsonl.gz")
    write_atomic(home.fs, aside, packed([str(crime(ERASED)).encode()]))
    stages.refine(spark, small(usecase), home, "run", silent)
    stages.refine(spark, small(usecase), home, "run", silent, is_rebuild=True)


@pytest.fixture
def run_here(spark: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stage runs in this process and session, which starts no second JVM."""

    def stages_here(self: Run, package: str, requests: Any, on_event: Any) -> dict[str, Any]:
        (request,) = requests
        assert str(ERASED) not in codec.encode(request).decode()
        usecase = small(workflow.load_usecase(request.usecase))
        return {"erase": stages.erased(spark, usecase, self.home, self.run_id, silent)}

    monkeypatch.setattr(Run, "stages", stages_here)


def erased(home: Home, *key: str, is_dry_run: bool = False) -> ErasureReport:
    return workflow.erase(
        "chicago_crime", home, key, "asked by letter", lambda event: None, is_dry_run=is_dry_run
    )


@pytest.mark.spark
@pytest.mark.usefixtures("run_here")
def test_nothing_of_the_record_is_left(spark: Any, usecase: UseCase, home: Home) -> None:
    filled(spark, usecase, home)
    with_key = exported(home, MODEL, "1-a", [1, ERASED])
    without = exported(home, MODEL, "1-b", [1, 2])
    folder = Path(home.pipeline("chicago_crime", "arrest"), "Examples", "1")
    folder.mkdir(parents=True)
    (folder / "data.gz").write_bytes(gzip.compress(str(ERASED).encode()))
    recorder = Recorder(home)
    made = record_training(recorder, 1, 4)
    assert made["pushed"]
    _train(recorder, with_key, folder)
    shown = json.dumps(crime(ERASED))[:200]
    refused = home.run("20260101-000000-abcd", "refine.result.json")
    write_atomic(home.fs, refused, json.dumps({"message": f"such as {shown}; nothing"}).encode())
    write_atomic(home.fs, home.logs("20260101-000000-abcd", "refine.log"), shown.encode())
    before = _others(spark, usecase, home)
    totals = catalog.fates(usecase.name, home)
    words = (str(ERASED).encode(), f"HZ{ERASED}".encode())
    keys = (str(ERASED), "1", f"{ERASED}1")
    log = Path(home.path("requests", "chicago_crime.arrest", "1.jsonl"))
    log.parent.mkdir(parents=True)
    log.write_text("".join(json.dumps({"record_key": key}) + "\n" for key in keys))
    files = held_files(home, words[0])
    assert {"landing", "tables", "exports", "pipelines", "requests"} <= {
        f.split("/")[0] for f in files
    }
    _refusals(usecase, home)
    planned = erased(home, str(ERASED), is_dry_run=True)
    assert held_files(home, words[0]) == files
    assert planned.requests == 1
    assert (planned.records, planned.pages, planned.epochs, planned.silver) == (4, 2, 2, None)
    assert (planned.exports, planned.models) == ((with_key,), ("toy.color@9",))
    done = erased(home, f"id={ERASED}")
    assert replace(planned, is_dry_run=False, silver=3, epochs=1) == done
    assert [json.loads(line)["record_key"] for line in log.open()] == list(keys[1:])
    log.unlink()
    for word in words:
        assert held_files(home, word) == []
    assert json.loads(Path(refused).read_text()) == {"message": "such as [erased]; nothing"}
    assert Path(home.path("exports", without, "manifest.json")).exists()
    (record,) = erasures.read(home, usecase.name).erasures
    assert (record.key, record.places, record.because) == (None, (), "asked by letter")
    after = catalog.fates(usecase.name, home)
    assert (after.landed, after.quarantined) == (totals.landed, totals.quarantined + 3)
    assert _others(spark, usecase, home) == before
    number = epochs.current(home, usecase.name)
    audit.deep(spark, small(usecase), home, number, silent)
    versions = delta.read(spark, specs.versions(usecase, home, number).uri)
    rows = versions.where("array_contains(_reasons, 'record.erased')").orderBy("_sequence", "_line")
    assert [(row["_sequence"], row["_line"]) for row in rows.collect()] == [
        (1, 2),
        (1, 4),
        (2, 1),
        (2, 5),
    ]
    shutil.rmtree(home.path("tables"))
    stages.refine(spark, replace(usecase, gold={}), home, "run", silent)
    assert _silver(spark, usecase, home) == before["silver"]
    assert catalog.fates(usecase.name, home) == after
    with pytest.raises(UsageError, match="No record of chicago_crime .* has the key id '70000001'"):
        erased(home, str(ERASED))


def _refusals(usecase: UseCase, home: Home) -> None:
    """What stops an erasure before it is asked for."""
    asked = Erasure(id="1", key_sha256="", asked_at="2026-01-01", key=str(ERASED), records=1)
    with pytest.raises(StoreError, match=r"in chicago_crime: they were landed while it was erased"):
        workflow._require_gone(usecase, home, asked)
    erasures.put(home, usecase.name, asked)
    with pytest.raises(UsageError, match=r"Another erasure in chicago_crime was begun at 2026"):
        erased(home, "1")
    with pytest.raises(StoreError, match="chicago_crime was asked for meanwhile"):
        workflow._asked(usecase, home, asked, "")
    Path(home.landing(usecase.name, "erasures.json")).unlink()
    page = land(home, usecase, "late", [crime(9)])
    told = "are not refined, so which of their records have the key is not known"
    with pytest.raises(UsageError, match=told):
        erased(home, str(ERASED))
    for path in Path(home.landing(usecase.name)).rglob(f"{page}*"):
        path.unlink()


def test_homes_without_tables_and_on_other_machines(home: Home) -> None:
    told = "are not refined under this contract, so which of them have the key is not known"
    with pytest.raises(UsageError, match=told):
        erased(home, "5")
    with pytest.raises(UsageError, match=r": its versions are not goldlake's to remove"):
        erased(Home("memory://home"), "5")


def _train(recorder: Recorder, export: str, examples: Path) -> None:
    properties = {**snapshot_properties(1), "export_id": export}
    snapshot = recorder.run("Snapshot", {}, {"snapshot": ("DataSnapshot", properties)})
    made = recorder.run("Gen", snapshot, {"examples": ("Examples", {"uri": str(examples)})})
    pushed = {"pushed": 1, "version": 9, "pushed_destination": "models/toy.color/9"}
    recorder.run("Pusher", made, {"pushed": ("PushedModel", pushed)})


def _silver(spark: Any, usecase: UseCase, home: Home) -> list[Any]:
    number = epochs.current(home, usecase.name)
    rows = delta.read(spark, specs.silver(usecase, home, number).uri).where(f"id <> {ERASED}")
    return list(rows.drop("_newest_is_quarantined").orderBy("id").collect())


def _others(spark: Any, usecase: UseCase, home: Home) -> dict[str, list[Any]]:
    uri = specs.gold(usecase, home, usecase.gold["arrest_features"]).uri
    gold = delta.read(spark, uri).where(f"id <> {ERASED}").orderBy("id").collect()
    return {"silver": _silver(spark, usecase, home), "gold": list(gold)}


class Died(BaseException):
    """A process dies without a chance to clean up."""


@pytest.fixture
def dying(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any, str, int], None]:
    """Lets a function die at its n-th call, before it does anything."""

    def at(module: Any, name: str, call: int) -> None:
        left = call
        function = getattr(module, name)

        def wrapped(*arguments: Any, **options: Any) -> Any:
            nonlocal left
            left -= 1
            if left == 0:
                raise Died
            return function(*arguments, **options)

        monkeypatch.setattr(module, name, wrapped)

    return at


DEATHS = [
    pytest.param(erase, "write_json", 1, marks=pytest.mark.long),  # a page without its line
    pytest.param(erase, "write_json", 2, marks=pytest.mark.long),
    pytest.param(erase, "_rewrite_bronze", 1, marks=pytest.mark.long),
    (erase, "_finish_swap", 2),  # bronze is away, the new one is not in its place
    pytest.param(erase, "forget", 1, marks=pytest.mark.long),
    pytest.param(stages, "refine", 1, marks=pytest.mark.long),
    pytest.param(erase, "forget", 2, marks=pytest.mark.long),
]


@pytest.mark.spark
@pytest.mark.parametrize(("module", "name", "call"), DEATHS)
def test_killed_anywhere_the_next_call_completes_it(
    spark: Any,
    usecase: UseCase,
    home: Home,
    dying: Callable[[Any, str, int], None],
    monkeypatch: pytest.MonkeyPatch,
    module: Any,
    name: str,
    call: int,
) -> None:
    bare = replace(usecase, gold={})
    page = land(home, usecase, "one", [crime(1), crime(ERASED), crime(2)])
    other = land(home, usecase, "two", [crime(ERASED, arrest=True), crime(3)])
    stages.refine(spark, bare, home, "run", silent)
    begun = Erasure(
        id="1",
        key_sha256=erasures.digest("s", (str(ERASED),)),
        asked_at="2026-01-01T00:00:00Z",
        key=str(ERASED),
        records=2,
        places=(Place(page=page, line=2), Place(page=other, line=1)),
    )
    erasures.put(home, usecase.name, begun)
    dying(module, name, call)
    with pytest.raises(Died):
        stages.erased(spark, bare, home, "run", silent)
    monkeypatch.undo()
    with pytest.raises(StoreError, match="is not done") as caught:
        erasures.require_done(home, usecase.name)
    assert "goldlake erase chicago_crime" in caught.value.message
    stages.erased(spark, bare, home, "run", silent)
    done = replace(begun, key=None, places=(), done_at="2026-01-01T00:00:00Z")
    erasures.put(home, usecase.name, done)
    assert held_files(home, str(ERASED).encode()) == []
    assert [row["id"] for row in _silver(spark, usecase, home)] == [1, 2, 3]
    audit.deep(spark, bare, home, epochs.current(home, usecase.name), silent)


@pytest.mark.parametrize(
    ("record", "is_withheld"),
    [
        (b'{"id": 5}', True),
        (b'{"id": "5"}', True),
        (b'{"id": "5.0", "x": 1}', True),
        (b'{"id": 5.0}', True),
        (b'{"id": 50}', False),
        (b'{"id": null}', False),
        (b'{"id": {"a": 5}}', False),
        (b'{"x": 5}', False),
        (b"[5]", False),
        (b"junk \xff", False),
        (b'{"$erased": "1"}', False),
    ],
)
def test_an_erased_key_is_not_landed_again(
    usecase: UseCase, home: Home, record: bytes, is_withheld: bool
) -> None:
    book = erasures.read(home, usecase.name)
    done = Erasure(
        id="1",
        key_sha256=erasures.digest(book.salt, ("5",)),
        asked_at="2026-01-01T00:00:00Z",
        done_at="2026-01-01T00:00:00Z",
        records=1,
    )
    erasures.write(home, usecase.name, replace(book, erasures=(done,)))
    withheld = erasures.Withheld(usecase, home)
    assert withheld.left([record, b'{"id": 6}']) == [record] * (not is_withheld) + [b'{"id": 6}']
    masked = [b'{"$erased": "1"}' if is_withheld else record, b'{"id": 6}']
    assert withheld.masked([record, b'{"id": 6}']) == masked
    assert withheld.count == 2 * is_withheld
    assert withheld.are_erased([(5,), ("6",)]) == [True, False]


def test_keys_of_several_columns_and_padded_codes(usecase: UseCase, home: Home) -> None:
    code = Column("code", "string", "A code.", field="code", pad=4)
    columns = (code, Column("kind", "string", "A kind.", field="kind"))
    silver = replace(usecase.silver, columns=columns, key=("code", "kind"))
    several = replace(usecase, silver=silver)
    assert erasures.key_parts(silver, '{"code":"0012","kind":"A"}') == ("0012", "A")
    book = erasures.read(home, usecase.name)
    digest = erasures.digest(book.salt, ("0012", "A"))
    done = Erasure(id="1", key_sha256=digest, asked_at="", done_at="", records=1)
    erasures.write(home, usecase.name, replace(book, erasures=(done,)))
    withheld = erasures.Withheld(several, home)
    left = withheld.left([b'{"code": "12", "kind": "A"}', b'{"code": "12", "kind": "B"}'])
    assert left == [b'{"code": "12", "kind": "B"}']
    wanted = {"code": "0012", "kind": "A"}
    assert workflow._wanted(several, ["code=0012", "kind=A"]) == wanted
    for given in (["0012"], ["code=1"], ["code=1", "code=2"], ["code=1", "kind=2", "x=3"]):
        with pytest.raises(UsageError, match="is not a key of"):
            workflow._wanted(several, given)
    with pytest.raises(UsageError, match="No erasure in .* was begun, and no key is named"):
        workflow._wanted(several, [])


def test_a_damaged_or_newer_file_stops_landing(usecase: UseCase, home: Home) -> None:
    for text, told in ((b"{", "is damaged"), (b'{"format": 9}', "newer goldlake")):
        write_atomic(home.fs, home.landing(usecase.name, "erasures.json"), text)
        with pytest.raises(StoreError, match=told):
            erasures.Withheld(usecase, home)
    assert msgspec.json.encode("x") == b'"x"'
