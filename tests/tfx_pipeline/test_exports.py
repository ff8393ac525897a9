"""An export is read only as its manifest says, and code has hashes."""

from __future__ import annotations

from pathlib import Path

import pytest

from goldlake_core.contracts.errors import PermanentError, StoreError
from goldlake_core.storage.home import Home
from tests.tfx_pipeline.toy_export import write_export
from tfx_pipeline.exports import read_manifest, verify_parts

EXPORT = "toy_harbour/overdue/v3"


def test_untouched_export_is_verified(tmp_path: Path) -> None:
    made = write_export(tmp_path)
    home = Home.at(tmp_path)
    manifest, sha256 = read_manifest(EXPORT, made.manifest_sha256, home)
    assert sha256 == made.manifest_sha256
    size = sum(p.stat().st_size for p in (tmp_path / "exports").rglob("*.csv"))
    assert verify_parts(EXPORT, manifest, home) == size


def test_changed_manifest_is_refused(tmp_path: Path) -> None:
    made = write_export(tmp_path)
    file = tmp_path / "exports" / EXPORT / "manifest.json"
    file.write_text(file.read_text().replace('"version": 3', '"version": 4'))
    with pytest.raises(StoreError, match="changed after the export was made"):
        read_manifest(EXPORT, made.manifest_sha256, Home.at(tmp_path))


def test_changed_part_is_named(tmp_path: Path) -> None:
    write_export(tmp_path)
    part = tmp_path / "exports" / EXPORT / "eval" / "part-1.csv"
    part.write_bytes(part.read_bytes().replace(b"true", b"false", 1))
    manifest, _ = read_manifest(EXPORT, home=Home.at(tmp_path))
    with pytest.raises(StoreError, match=r"Part 'eval/part-1\.csv' of export .* has sha256"):
        verify_parts(EXPORT, manifest, Home.at(tmp_path))


def test_missing_part_is_named(tmp_path: Path) -> None:
    write_export(tmp_path)
    manifest, _ = read_manifest(EXPORT, home=Home.at(tmp_path))
    (tmp_path / "exports" / EXPORT / "test" / "part-0.csv").unlink()
    with pytest.raises(StoreError, match=r"lacks its part 'test/part-0\.csv'"):
        verify_parts(EXPORT, manifest, Home.at(tmp_path))


def test_unknown_export_says_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(StoreError) as caught:
        read_manifest(EXPORT, home=Home.at(tmp_path))
    assert caught.value.hint == "goldlake export toy_harbour.overdue --verify"


def test_export_id_stays_inside_the_home(tmp_path: Path) -> None:
    with pytest.raises(PermanentError, match="leads out of the home"):
        read_manifest("../elsewhere", home=Home.at(tmp_path))
