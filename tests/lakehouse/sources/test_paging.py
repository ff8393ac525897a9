"""Sources without keys: pages by number, and one body that holds all."""

from __future__ import annotations

from pathlib import Path

import pytest
import xxhash
from msgspec.structs import replace

from goldlake_core.contracts.errors import PermanentError
from goldlake_core.contracts.sections import UseCase
from goldlake_core.documents.lakehouse import Landed
from goldlake_core.storage.home import Home
from goldlake_core.storage.landing import Cursor, LandingZone
from lakehouse.sources import land as landing
from lakehouse.sources.base import Origin, Page, Paging, Patience, Traffic


class Numbered:
    """A source of pages 0, 1, 2 …, or of one."""

    def __init__(self, pages: list[list[bytes]], paging: Paging = "numbered") -> None:
        self.paging = paging
        self.traffic = Traffic()
        self.patience = Patience(2, 0.0)
        self.pages = pages
        self.counted: int | None = None

    def origin(self) -> Origin:
        return Origin({"kind": "numbered", "dataset": "d"})

    def page(self, cursor: Cursor | None, since: str | None, until: str | None) -> Page:
        number = int(cursor.value) if cursor else 0
        more = Cursor(str(number + 1), "") if number + 1 < len(self.pages) else None
        return Page(self.pages[number], f"test:{number}", more)

    def key(self, record: bytes) -> Cursor | None:
        return None

    def count(self, cursor: Cursor | None, since: str | None, until: str | None) -> int | None:
        return self.counted

    def close(self) -> None:
        pass


def land(
    reader: Numbered, toy: UseCase, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Landed, list[bytes], list[str]]:
    """Result, all landed records, and what was told."""
    monkeypatch.setattr(landing, "connector", lambda usecase, address: reader)
    usecase, home, told = replace(toy), Home.at(folder), list[str]()

    def emit(kind: str, message: str, *, done: object = None, total: object = None) -> None:
        if kind == "info":
            told.append(message)

    result = landing.land(usecase, home, "live", None, None, "run", emit)
    zone = LandingZone(home, usecase.name, usecase.source.dataset)
    return result, [line for entry in zone.manifest() for line in zone.read_page(entry)], told


@pytest.mark.parametrize("paging", ["numbered", "offsets", "whole"])
def test_each_record_lands_once(
    toy: UseCase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, paging: Paging
) -> None:
    pages = [[b'{"a":1}', b'{"a":1}'], [b'{"a":2}'], [b'{"a":3}']]
    reader = Numbered(pages if paging != "whole" else [sum(pages, [])], paging)
    reader.counted = 4
    result, lines, _ = land(reader, toy, tmp_path, monkeypatch)
    assert lines == sum(pages, [])
    assert (result.rows, result.missing, result.source_count) == (4, 0, 4)
    result, lines, _ = land(reader, toy, tmp_path, monkeypatch)
    assert (result.rows, result.repeated) == (0, 4)
    reader.pages[-1].append(b'{"a":4}')
    result, lines, _ = land(reader, toy, tmp_path, monkeypatch)
    assert (result.rows, lines[-1]) == (1, b'{"a":4}')


def test_a_record_without_an_id_comes_back_after_its_deletion(
    toy: UseCase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = Numbered([[b'{"a":1}', b'{"a":2}']])
    land(reader, toy, tmp_path, monkeypatch)
    zone = LandingZone(Home.at(tmp_path), toy.name, toy.source.dataset)
    tombstone = (
        b'{"$deleted":true,"$digest":"%b","a":1}' % xxhash.xxh3_128_hexdigest(b'{"a":1}').encode()
    )
    entry = zone.write_page(
        zone.page_name(None),
        [tombstone],
        url="",
        first_cursor=None,
        last_cursor=None,
        run_id="run",
        tombstones=True,
    )
    zone.write_manifest(entry)
    result, lines, _ = land(reader, toy, tmp_path, monkeypatch)
    assert (result.rows, lines[-1]) == (1, b'{"a":1}')
    assert land(reader, toy, tmp_path, monkeypatch)[0].rows == 0


def test_what_the_source_did_not_send_is_told(
    toy: UseCase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = Numbered([[b"1"], [b"2"], []])
    reader.counted = 7
    result, lines, told = land(reader, toy, tmp_path, monkeypatch)
    assert (lines, result.missing) == ([b"1", b"2"], 5)
    assert "5 are missing" in told[0]


def test_the_same_page_again_and_again_is_refused(
    toy: UseCase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = Numbered([[b"1", b"2"]] * 3)
    with pytest.raises(PermanentError, match="it is the page of test:0 once more"):
        land(reader, toy, tmp_path, monkeypatch)
