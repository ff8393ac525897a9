"""The landing zone: names, pages, manifest, cursors, owner."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

import pytest

from goldlake_core.contracts.errors import StoreError
from goldlake_core.documents.lakehouse import Identity
from goldlake_core.storage.files import NewerFormat, read_json, write_atomic, write_json
from goldlake_core.storage.home import Home
from goldlake_core.storage.landing import ERASED_FORMAT, Cursor, LandingZone, content_of

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
    assert zone.page_name(None).startswith("00000001-start-")
    assert zone.page_name(PLACE, sequence=12).startswith("00000012-20180210T215001000Z-")
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
    assert name.startswith("00000001-etcpasswd-")
    assert "/" not in name


def test_a_page_holds_its_lines_and_the_manifest_tells_of_it(home: Home) -> None:
    zone = LandingZone(home, "toy", "d")
    name = landed(zone)
    (entry,) = zone.manifest()
    assert zone.read_page(entry) == LINES
    assert (entry.name, entry.rows, entry.run_id) == (name, 2, "run-1")
    assert (entry.format, entry.sequence, entry.content) == (2, 1, content_of(LINES))
    assert zone.page_sizes() == {name: entry.bytes}
    assert entry.first_cursor is None
    assert entry.last_cursor == PLACE
    assert entry.landed_at.endswith("Z")


def test_the_content_is_the_sum_of_sparks_hashes() -> None:
    """Values of `SELECT sum(xxhash64(line, value))` of Spark 4, as unsigned numbers."""
    assert content_of([b"abc"]) == 14733764588819722113
    assert content_of([]) == 0
    assert content_of([b"a", b"b"]) != content_of([b"b", b"a"])


def test_the_same_lines_are_the_same_bytes(tmp_path: Path) -> None:
    zones = [LandingZone(Home.at(tmp_path / name), "toy", "d") for name in "ab"]
    names = [landed(zone) for zone in zones]
    first, second = (Path(z.page_uri(n)).read_bytes() for z, n in zip(zones, names, strict=True))
    assert first == second
    assert gzip.decompress(first) == b"\n".join(LINES) + b"\n"


def test_the_manifest_is_in_the_order_of_landing(home: Home) -> None:
    zone = LandingZone(home, "toy", "d")
    names = [landed(zone, Cursor(value, "x")) for value in ("3", "1", "2")]
    assert [entry.name for entry in zone.manifest()] == names == sorted(names)
    assert [entry.sequence for entry in zone.manifest()] == [1, 2, 3]
    assert [entry.name for entry in zone.manifest(after=2)] == names[2:]


def old_line(zone: LandingZone, name: str, landed_at: str) -> None:
    """A page and its line as versions before sequences wrote them."""
    data = gzip.compress(b"x\n")
    write_atomic(zone.fs, zone.page_uri(name), data)
    line = {
        "name": name,
        "url": "",
        "landed_at": landed_at,
        "rows": 1,
        "sha256": hashlib.sha256(data).hexdigest(),
        "first_cursor": None,
        "last_cursor": None,
        "run_id": "old",
        "since": None,
        "until": None,
    }
    write_json(zone.fs, f"{zone.manifest_uri}/{name}.json", line)


def test_pages_of_before_are_numbered_first_by_their_time(home: Home) -> None:
    zone = LandingZone(home, "toy", "d")
    old_line(zone, "start-97b2ec19ec6d.jsonl.gz", "2026-01-02T00:00:00.000000Z")
    old_line(zone, "20250131T145239000Z-97b2ec19ec6d.jsonl.gz", "2026-01-01T00:00:00.000000Z")
    new = landed(zone)
    assert [(e.sequence, e.format, e.content is None) for e in zone.manifest()] == [
        (1, 1, True),
        (2, 1, True),
        (3, 2, False),
    ]
    assert new.startswith("00000003-")
    assert [e.sequence for e in zone.manifest(after=1)] == [2, 3]
    assert zone.read_page(zone.manifest()[0]) == [b"x"]


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        ({"format": ERASED_FORMAT + 1, "colour": "red"}, NewerFormat, "made by a newer goldlake"),
        ({"colour": "red"}, StoreError, "is damaged: Object contains unknown field `colour`"),
        ({"rows": "two"}, StoreError, "is damaged: Expected `int`, got `str`"),
    ],
)
def test_lines_of_other_versions_are_refused_by_name(
    home: Home, change: dict[str, object], kind: type[StoreError], message: str
) -> None:
    zone = LandingZone(home, "toy", "d")
    name = landed(zone)
    path = f"{zone.manifest_uri}/{name}.json"
    write_json(zone.fs, path, {**read_json(zone.fs, path), **change})
    with pytest.raises(kind, match=message) as caught:
        zone.manifest()
    assert name in caught.value.message


def test_a_store_refuses_another_source(home: Home) -> None:
    zone = LandingZone(home, "toy", "d")
    assert zone.identity() is None
    zone.claim({"kind": "generated", "usecase": "toy", "seed": 7})
    zone.claim({"seed": 7, "usecase": "toy", "kind": "generated"})
    with pytest.raises(StoreError) as caught:
        zone.claim({"kind": "replay", "dataset": "d", "files": ["a" * 64, "b" * 64]})
    text = caught.value.message
    assert "belongs to generated (seed 7, usecase toy)" in text
    assert "this source is replay (dataset d, files aaaaaaaaaaaa + bbbbbbbbbbbb)" in text
    assert f"--home {home.root}-2" in text
    assert zone.identity() == {"kind": "generated", "usecase": "toy", "seed": 7}


def test_a_lost_identity_follows_from_the_manifest(home: Home) -> None:
    zone = LandingZone(home, "toy", "d")
    identity: Identity = {"kind": "generated", "seed": 7}
    entry = zone.write_page(
        zone.page_name(None),
        LINES,
        url="",
        first_cursor=None,
        last_cursor=PLACE,
        run_id="r",
        identity=identity,
    )
    zone.write_manifest(entry)
    with pytest.raises(StoreError, match=r"belongs to generated \(seed 7\)"):
        zone.claim({"kind": "generated", "seed": 8})
    zone.claim(identity)
    assert zone.identity() == identity


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (
            {"kind": "generated", "usecase": "toy", "seed": 7, "rows": 9, "generator": "a" * 64},
            {"kind": "generated", "usecase": "toy", "seed": 7, "generator": "generate.rows"},
        ),
        (
            {"kind": "replay", "dataset": "d", "files": ["a" * 64]},
            {"kind": "replay", "dataset": "d"},
        ),
        (
            {"kind": "socrata", "address": "http://127.0.0.1:1", "dataset": "d"},
            {"kind": "socrata", "publisher": "data.example.org", "dataset": "d"},
        ),
        ({"kind": "files", "address": "/x", "dataset": "d"}, {"kind": "files", "dataset": "d"}),
    ],
)
def test_identities_of_before_are_recognized(home: Home, old: Identity, new: Identity) -> None:
    zone = LandingZone(home, "toy", "d")
    write_json(zone.fs, home.landing("toy", "identity.json"), old)
    with pytest.raises(StoreError, match="never mixed"):
        zone.claim({**new, "kind": "other"})
    zone.claim(new)
    assert zone.identity() == new


@pytest.mark.parametrize("text", [b"[1]", b"{", b'{"format": 2, "identity": 7}'])
def test_a_damaged_identity_is_named(home: Home, text: bytes) -> None:
    zone = LandingZone(home, "toy", "d")
    write_atomic(zone.fs, home.landing("toy", "identity.json"), text)
    with pytest.raises(StoreError, match=r"identity\.json is damaged"):
        zone.claim({"kind": "x"})


def test_a_damaged_page_is_named(tmp_path: Path) -> None:
    zone = LandingZone(Home.at(tmp_path), "toy", "d")
    name = landed(zone)
    (entry,) = zone.manifest()
    page = Path(zone.page_uri(name))
    page.write_bytes(page.read_bytes()[:-9])
    with pytest.raises(StoreError, match=f"{name} is damaged"):
        zone.read_page(entry)
    page.unlink()
    with pytest.raises(StoreError, match=f"{name} is missing"):
        zone.read_page(entry)
