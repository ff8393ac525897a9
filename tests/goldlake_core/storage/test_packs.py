"""Small pages lie together in one file, byte for byte, and are pages still."""

from __future__ import annotations

import gzip

import pytest

from goldlake_core.contracts.errors import StoreError
from goldlake_core.storage import landing
from goldlake_core.storage.files import list_names, read_bytes
from goldlake_core.storage.home import Home
from goldlake_core.storage.landing import Cursor, LandingZone


@pytest.fixture
def zone(home: Home) -> LandingZone:
    """Five pages of two records each."""
    zone = LandingZone(home, "toy", "d")
    for number in range(1, 6):
        name = zone.page_name(Cursor(str(number), ""))
        lines = [b'{"n":%d}' % n for n in (number, -number)]
        entry = zone.write_page(
            name, lines, url="", first_cursor=None, last_cursor=None, run_id="run"
        )
        zone.write_manifest(entry)
    return zone


def contents(zone: LandingZone) -> list[list[bytes]]:
    return [zone.read_page(entry) for entry in LandingZone(zone.home, "toy", "d").manifest()]


def files(zone: LandingZone) -> dict[str, bytes | None]:
    names = list_names(zone.fs, zone.pages_uri)
    return {name: read_bytes(zone.fs, zone.page_uri(name)) for name in names}


def test_packed_pages_are_read_as_before(zone: LandingZone) -> None:
    before, sizes = contents(zone), zone.page_sizes()
    entries = zone.manifest()
    zone.pack(entries[:2])
    zone.pack(entries[2:4])
    assert list(zone.loose_sizes()) == [entries[4].name]
    assert zone.page_sizes() == sizes
    assert contents(zone) == before
    packs = list_names(zone.fs, zone.path("packs"), ".gz")
    assert [pack[:17] for pack in packs] == ["00000001-00000002", "00000003-00000004"]
    data = read_bytes(zone.fs, zone.path("packs", packs[0])) or b""
    assert gzip.decompress(data).split(b"\n")[:-1] == [*before[0], *before[1]]


def test_a_page_that_is_wanted_as_a_file_is_one_again(zone: LandingZone) -> None:
    before = files(zone)
    entries = zone.manifest()
    zone.pack(entries[:3])
    zone.unpack(entries[1].name)
    assert files(zone) == before
    assert list_names(zone.fs, zone.path("packs")) == []
    zone.unpack(entries[1].name)
    zone.pack(entries[:3])
    zone.set_aside(entries[0].name)
    assert [e.name for e in zone.manifest()] == [e.name for e in entries[1:]]
    assert len(contents(zone)) == 4


@pytest.mark.parametrize("step", range(6))
def test_killed_anywhere_nothing_is_lost(
    zone: LandingZone, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each write and each removal of packing and of unpacking is the one that does not come."""
    before, entries = contents(zone), zone.manifest()
    done = 0

    def counted(function: object) -> object:
        def call(*arguments: object, **options: object) -> object:
            nonlocal done
            done += 1
            if done > step:
                raise KeyboardInterrupt
            return function(*arguments, **options)  # type: ignore[operator]

        return call

    for unpacks in (False, True):
        done = 0
        with monkeypatch.context() as patch:
            patch.setattr(landing, "write_atomic", counted(landing.write_atomic))
            patch.setattr(landing, "write_json", counted(landing.write_json))
            patch.setattr(zone.fs, "rm_file", counted(zone.fs.rm_file))
            if step < 5:
                with pytest.raises(KeyboardInterrupt):
                    zone.unpack(entries[0].name) if unpacks else zone.pack(entries[:3])
            assert contents(zone) == before
        if unpacks:
            zone.unpack(entries[0].name)
        else:
            zone.pack(entries[:3])
            for name in zone.packed():
                zone.remove_loose(name)
            for name in zone.unfinished_packs():
                zone.fs.rm_file(zone.path("packs", name))
            assert len(zone.loose_sizes()) == 2
            assert len(list_names(zone.fs, zone.path("packs"))) == 2
        assert contents(zone) == before


def test_a_damaged_page_is_not_packed(zone: LandingZone) -> None:
    entries = zone.manifest()
    zone.fs.pipe_file(zone.page_uri(entries[1].name), b"x")
    with pytest.raises(StoreError, match="is damaged"):
        zone.pack(entries[:3])
    assert list_names(zone.fs, zone.path("packs")) == []


def test_a_lost_pack_is_a_missing_page(zone: LandingZone) -> None:
    entries = zone.manifest()
    zone.pack(entries[:3])
    [pack] = list_names(zone.fs, zone.path("packs"), ".gz")
    zone.fs.rm_file(zone.path("packs", pack))
    with pytest.raises(StoreError, match="is missing"):
        zone.read_page(entries[0])
