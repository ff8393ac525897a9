"""The landing zone: names, pages, manifest, cursors, owner."""

from __future__ import annotations

import gzip
import uuid
from pathlib import Path

import pytest

from goldlake_core.contracts.errors import StoreError
from goldlake_core.storage.home import Home
from lakehouse.landing import Cursor, LandingZone


@pytest.fixture(params=["local", "memory"])
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Home:
    """What holds for a local disk holds for an object store."""
    if request.param == "local":
        return Home.at(tmp_path / "home")
    return Home.at(f"memory://{uuid.uuid4().hex}")


PLACE = Cursor("2018-02-10T21:50:01.000Z", "row-1c18.c1bc~8bbf")
LINES = [b'{"a":"1"}', b'{"a":"\xc3\xa6","b":""}']


def landed(zone: LandingZone, cursor: Cursor | None = None) -> str:
    name = zone.page_name(cursor)
    entry = zone.write_page(
        name, LINES, url="http://x/y", first_cursor=cursor, last_cursor=PLACE, run_id="run-1"
    )
    zone.write_manifest(entry)
    return name


def test_a_name_tells_data_set_range_and_cursor_apart(home: Home) -> None:
    zone = LandingZone(home, "toy", "abcd-1234")
    assert zone.page_name(None).startswith("start-")
    assert zone.page_name(PLACE).startswith("20180210T215001000Z-")
    names = {
        zone.page_name(None),
        zone.page_name(PLACE),
        zone.page_name(Cursor(PLACE.value, "row-other")),
        zone.page_name(PLACE, since="2016-01-01"),
        zone.page_name(PLACE, until="2016-01-01"),
        LandingZone(home, "toy", "other").page_name(PLACE),
    }
    assert len(names) == 6
    assert zone.page_name(PLACE) == LandingZone(home, "toy", "abcd-1234").page_name(PLACE)


def test_a_cursor_from_an_api_cannot_lead_out_of_the_pages_folder(home: Home) -> None:
    name = LandingZone(home, "toy", "d").page_name(Cursor("../../etc/passwd\n", "x/../y"))
    assert name.startswith("etcpasswd-")
    assert "/" not in name


def test_a_page_holds_its_lines_and_the_manifest_tells_of_it(home: Home) -> None:
    zone = LandingZone(home, "toy", "d")
    name = zone.page_name(None)
    assert not zone.has_page(name)
    landed(zone)
    assert zone.has_page(name)
    lines, sha256 = zone.read_page(name)
    assert lines == LINES
    (entry,) = zone.manifest()
    assert (entry.name, entry.rows, entry.sha256, entry.run_id) == (name, 2, sha256, "run-1")
    assert entry.first_cursor is None
    assert entry.last_cursor == PLACE
    assert entry.landed_at.endswith("Z")


def test_the_same_lines_are_the_same_bytes(tmp_path: Path) -> None:
    zones = [LandingZone(Home.at(tmp_path / name), "toy", "d") for name in "ab"]
    names = [landed(zone) for zone in zones]
    first, second = (Path(z.page_uri(n)).read_bytes() for z, n in zip(zones, names, strict=True))
    assert first == second
    assert gzip.decompress(first) == b"\n".join(LINES) + b"\n"


def test_the_manifest_is_in_the_order_of_landing(home: Home) -> None:
    zone = LandingZone(home, "toy", "d")
    names = [landed(zone, Cursor(value, "x")) for value in ("3", "1", "2")]
    assert [entry.name for entry in zone.manifest()] == names


def test_each_range_has_a_cursor_of_its_own(home: Home) -> None:
    zone = LandingZone(home, "toy", "d")
    assert zone.cursor() is None
    later = Cursor("2019-01-01T00:00:00.000Z", "row-2")
    zone.move_cursor(PLACE)
    zone.move_cursor(later, since="2018-06-01")
    assert zone.cursor() == PLACE
    assert zone.cursor(since="2018-06-01") == later
    assert zone.cursor(since="2018-06-01", until="2018-07-01") is None
    zone.move_cursor(later)
    assert zone.cursor() == later


def test_a_store_refuses_another_source(home: Home) -> None:
    zone = LandingZone(home, "toy", "d")
    assert zone.identity() is None
    zone.claim({"kind": "generated", "usecase": "toy", "seed": 7, "rows": 100})
    zone.claim({"rows": 100, "seed": 7, "usecase": "toy", "kind": "generated"})
    with pytest.raises(StoreError) as caught:
        zone.claim({"kind": "replay", "dataset": "d", "files": ["a" * 64, "b" * 64]})
    text = caught.value.message
    assert "belongs to generated (rows 100, seed 7, usecase toy)" in text
    assert "this source is replay (dataset d, files aaaaaaaaaaaa + bbbbbbbbbbbb)" in text
    assert f"--home {home.root}-2" in text
    assert zone.identity() == {"kind": "generated", "usecase": "toy", "seed": 7, "rows": 100}


def test_a_damaged_page_is_named(tmp_path: Path) -> None:
    zone = LandingZone(Home.at(tmp_path), "toy", "d")
    name = landed(zone)
    page = Path(zone.page_uri(name))
    page.write_bytes(page.read_bytes()[:-9])
    with pytest.raises(StoreError, match=f"{name} is damaged"):
        zone.read_page(name)
    page.unlink()
    with pytest.raises(StoreError, match=f"{name} is missing"):
        zone.read_page(name)
