"""Files as a source: landed line by line, each content once."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from goldlake_core.contracts.errors import PermanentError, StoreError, UsageError
from goldlake_core.contracts.sections import Source, UseCase
from goldlake_core.documents.keeping import Erasure
from goldlake_core.documents.lakehouse import Landed
from goldlake_core.storage import erasures
from goldlake_core.storage.home import Home
from goldlake_core.storage.landing import LandingZone
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
    return [line.decode() for entry in zone.manifest() for line in zone.read_page(entry)]


def test_files_land_in_the_order_of_their_names(ledger: UseCase) -> None:
    write(ledger, "b.jsonl.gz", '{"n":4}\nnot json\n\n{"n": 5.0}\r\n')
    write(
        ledger, "a.csv", '\ufeffname,n\nx,1\n"y, z",\n"two\nlines",3\n"",""\nshort\nlong,"a\nb",c\n'
    )
    write(ledger, "c.json", '[{"n": 6}, {"n": 7}]')
    write(ledger, "notes.txt", "not a source")
    result = ingest(ledger)
    assert lines(ledger) == [
        '{"name":"x","n":"1"}',
        '{"name":"y, z"}',
        '{"name":"two\\nlines","n":"3"}',
        '{"name":"","n":""}',
        "short",
        '{"$bytes": "bG9uZywiYQpiIixj"}',
        '{"n":4}',
        "not json",
        '{"n": 5.0}',
        '{"n": 6}',
        '{"n": 7}',
    ]
    assert (result.pages, result.rows) == (4, 11)
    assert result.identity["kind"] == "files"
    assert ingest(ledger).rows == 0
    write(ledger, "d.jsonl", '{"n":8}\n')
    assert ingest(ledger).rows == 1
    assert lines(ledger)[-1] == '{"n":8}'


def test_files_that_changed_or_came_later_are_landed(ledger: UseCase) -> None:
    first = write(ledger, "b.jsonl", '{"n":1}\n')
    write(ledger, "c.jsonl", '{"n":2}\n')
    ingest(ledger)
    first.write_text('{"n":1}\n{"n":3}\n')  # issued again
    write(ledger, "a.jsonl", '{"n":0}\n')  # sorts before what was landed
    (ledger.folder / "data" / "c.jsonl").unlink()  # archived away
    write(ledger, "d.jsonl", '{"n":2}\n')  # the same content under another name
    assert ingest(ledger).rows == 3
    assert lines(ledger) == ['{"n":1}', '{"n":2}', '{"n":0}', '{"n":1}', '{"n":3}']
    assert ingest(ledger).rows == 0


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
    ingest(ledger)
    assert lines(ledger) == numbers


def test_a_folder_that_was_moved_is_the_same_source(ledger: UseCase, tmp_path: Path) -> None:
    write(ledger, "a.jsonl", '{"n":1}\n')
    ingest(ledger)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "a.jsonl").write_text('{"n":1}\n')
    (tmp_path / "other" / "b.jsonl").write_text('{"n":2}\n')
    assert ingest(ledger, str(tmp_path / "other")).rows == 1


def test_options_say_how_a_csv_file_is_written(ledger: UseCase) -> None:
    (ledger.folder / "data" / "a.csv").write_bytes(
        "report of 1 May\nname;n\nM\xfcller;1\n".encode("latin-1")
    )
    source = ledger.source
    with pytest.raises(PermanentError, match=r"source\.options\.encoding"):
        ingest(ledger)
    latin = replace(ledger, source=replace(source, options={"encoding": "latin-1", "skip": 1}))
    with pytest.raises(PermanentError, match=r"set source\.options\.delimiter to ';'"):
        ingest(latin)
    options = {**latin.source.options, "delimiter": ";"}
    ingest(replace(ledger, source=replace(source, options=options)))
    assert lines(ledger) == ['{"name":"M\u00fcller","n":"1"}']


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"encoding": "klingon"}, "source.options.encoding is 'klingon'"),
        ({"delimiter": "::"}, "source.options.delimiter is '::'"),
        ({"skip": -1}, "source.options.skip is -1"),
    ],
)
def test_options_that_are_none(ledger: UseCase, options: dict[str, Any], message: str) -> None:
    write(ledger, "a.csv", "n\n1\n")
    with pytest.raises(UsageError, match=message):
        ingest(replace(ledger, source=replace(ledger.source, options=options)))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.json", "{}", "holds no JSON array"),
        ("a.json", "[", "holds no JSON array"),
        ("a.csv", "", "is empty"),
        ("a.csv", "report\nn,m\n1,2\n", "No row of .* is as wide as its first line"),
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
    assert "files, kafka, police_uk, rest, socrata" in caught.value.message


def test_an_erased_key_is_landed_as_its_marker(ledger: UseCase) -> None:
    home = Home.at(ledger.folder / "home")
    field = ledger.silver.column(ledger.silver.key[0]).field
    write(ledger, "a.jsonl", f'{{"{field}": 7}}\n')
    ingest(ledger)
    book = erasures.read(home, ledger.name)
    erasure = Erasure(
        id="1",
        key_sha256=erasures.digest(book.salt, ("7",)),
        asked_at="2026-01-01T00:00:00Z",
        records=1,
    )
    erasures.write(home, ledger.name, replace(book, erasures=(erasure,)))
    write(ledger, "b.jsonl", f'{{"{field}": "7"}}\n{{"{field}": 8}}\n')
    with pytest.raises(StoreError, match="is not done"):
        ingest(ledger)
    done = replace(erasure, done_at="2026-01-02T00:00:00Z")
    erasures.put(home, ledger.name, done)
    assert ingest(ledger).rows == 2
    assert lines(ledger)[1:] == ['{"$erased": "1"}', f'{{"{field}": 8}}']
    assert ingest(ledger).rows == 0
