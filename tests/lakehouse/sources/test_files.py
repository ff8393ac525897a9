"""Files as a source: landed line by line, once, and refused when they change afterwards."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from goldlake_core.contracts.errors import PermanentError, StoreError, UsageError
from goldlake_core.contracts.sections import Source, UseCase
from goldlake_core.documents.lakehouse import Landed
from goldlake_core.storage.home import Home
from lakehouse.landing import LandingZone
from lakehouse.sources.land import land
from lakehouse.sources.plugins import connector


@pytest.fixture
def ledger(toy: UseCase, tmp_path: Path) -> UseCase:
    """A use case whose source is the folder ``data`` beside its contract."""
    (tmp_path / "data").mkdir()
    source = Source(kind="files", address="data", dataset="ledger", page_rows=3)
    return replace(toy, folder=tmp_path, source=source)


def write(ledger: UseCase, name: str, text: str) -> Path:
    file = ledger.folder / "data" / name
    file.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return file


def ingest(ledger: UseCase, source: str = "live", **days: str) -> Landed:
    def quiet(kind: str, message: str, **fields: Any) -> None:
        pass

    home = Home.at(ledger.folder / "home")
    return land(ledger, home, source, days.get("since"), days.get("until"), "run", quiet)


def lines(ledger: UseCase) -> list[str]:
    zone = LandingZone(Home.at(ledger.folder / "home"), ledger.name, "ledger")
    return [line.decode() for entry in zone.manifest() for line in zone.read_page(entry.name)[0]]


def test_files_land_in_the_order_of_their_names(ledger: UseCase) -> None:
    write(ledger, "b.jsonl.gz", '{"n":4}\nnot json\n\n{"n": 5.0}\r\n')
    write(ledger, "a.csv", '\ufeffname,n\nx,1\n"y, z",\n"two\nlines",3\nshort\n')
    write(ledger, "c.json", '[{"n": 6}, {"n": 7}]')
    write(ledger, "notes.txt", "not a source")
    result = ingest(ledger)
    assert lines(ledger) == [
        '{"name":"x","n":"1"}',
        '{"name":"y, z"}',
        '{"name":"two\\nlines","n":"3"}',
        "short",
        '{"n":4}',
        "not json",
        '{"n": 5.0}',
        '{"n":6}',
        '{"n":7}',
    ]
    assert (result.pages, result.rows) == (4, 9)
    assert result.identity["kind"] == "files"
    assert ingest(ledger).rows == 0
    write(ledger, "d.jsonl", '{"n":8}\n')
    assert ingest(ledger).rows == 1
    assert lines(ledger)[-1] == '{"n":8}'


@pytest.mark.parametrize("change", ["edit", "insert", "remove"])
def test_files_that_changed_after_landing_are_refused(ledger: UseCase, change: str) -> None:
    first = write(ledger, "b.jsonl", '{"n":1}\n')
    write(ledger, "c.jsonl", '{"n":2}\n')
    ingest(ledger)
    if change == "edit":
        first.write_text('{"n":1}\n{"n":3}\n')
    elif change == "insert":
        write(ledger, "a.jsonl", '{"n":0}\n')
    else:
        first.unlink()
    with pytest.raises(
        StoreError, match=r"up to c\.jsonl are not those that were landed"
    ) as caught:
        ingest(ledger)
    assert "names sort after" in caught.value.message
    assert len(lines(ledger)) == 2


def test_killed_after_a_page_it_lands_the_same(
    ledger: UseCase, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = [json.dumps({"n": n}) for n in range(8)]
    write(ledger, "a.jsonl", "\n".join(numbers[:5]))
    write(ledger, "b.jsonl", "\n".join(numbers[5:]))

    class Killed(BaseException):
        pass

    for calls in (1, 2, 3):
        with monkeypatch.context() as patch:

            def dying(self: LandingZone, entry: Any) -> None:
                raise Killed

            patch.setattr(LandingZone, "write_manifest", dying)
            with pytest.raises(Killed):
                ingest(ledger)
        folder = ledger.folder / "home" / "landing" / ledger.name / "ledger" / "pages"
        assert len(list(folder.glob("*.gz"))) == 1, calls
    assert ingest(ledger).adopted == 1
    assert lines(ledger) == numbers


def test_another_folder_is_another_source(ledger: UseCase, tmp_path: Path) -> None:
    write(ledger, "a.jsonl", '{"n":1}\n')
    ingest(ledger)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "a.jsonl").write_text('{"n":1}\n')
    with pytest.raises(StoreError, match="Rows of two sources are never mixed"):
        ingest(ledger, str(tmp_path / "other"))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.json", "{}", "holds no JSON array"),
        ("a.json", "[", "is not JSON"),
        ("a.csv", "", "is empty"),
        ("a.csv", "n,n\n1,2\n", "names a column twice"),
    ],
)
def test_files_that_are_none(ledger: UseCase, name: str, text: str, message: str) -> None:
    write(ledger, name, text)
    with pytest.raises(PermanentError, match=message):
        ingest(ledger)


def test_no_files_and_no_ranges(ledger: UseCase) -> None:
    with pytest.raises(UsageError, match="There are no files at"):
        ingest(ledger)
    write(ledger, "a.jsonl", '{"n":1}\n')
    dated = replace(ledger, source=replace(ledger.source, time_field="n"))
    with pytest.raises(UsageError, match="takes no --since or --until"):
        ingest(dated, since="2024-01-01")


def test_an_unknown_kind_names_those_there_are(toy: UseCase) -> None:
    unknown = replace(toy, source=replace(toy.source, kind="carrier_pigeon"))
    with pytest.raises(UsageError, match="no kind of source 'carrier_pigeon'") as caught:
        connector(unknown)
    assert "files, socrata" in caught.value.message
