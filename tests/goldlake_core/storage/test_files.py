"""Whole files: never a part of one, on any file system."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from goldlake_core.contracts.errors import PermanentError, StoreError
from goldlake_core.storage import files
from goldlake_core.storage.files import list_names, read_bytes, read_json, write_atomic, write_json
from goldlake_core.storage.home import Home


def test_a_file_is_replaced_whole(home: Home) -> None:
    path = home.landing("toy", "page")
    assert read_bytes(home.fs, path) is None
    write_atomic(home.fs, path, b"first")
    write_atomic(home.fs, path, b"second, longer")
    assert read_bytes(home.fs, path) == b"second, longer"
    assert list_names(home.fs, home.landing("toy")) == ["page"]


def test_a_failed_write_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Home.at(tmp_path)
    path = home.landing("toy", "page")
    write_atomic(home.fs, path, b"old")

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(StoreError, match="Cannot write .*page: No space left on device; what was"):
        write_atomic(home.fs, path, b"new")
    assert read_bytes(home.fs, path) == b"old"
    assert [p.name for p in Path(path).parent.iterdir()] == ["page"]


def test_json_comes_back_and_a_missing_one_is_none(home: Home) -> None:
    path = home.landing("toy", "document.json")
    assert read_json(home.fs, path) is None
    document: dict[str, Any] = {"name": "Åse", "rows": 3, "cursor": None}
    write_json(home.fs, path, document)
    assert read_json(home.fs, path) == document


def test_broken_json_names_the_file(home: Home) -> None:
    path = home.landing("toy", "document.json")
    write_atomic(home.fs, path, b'{"rows": ')
    with pytest.raises(StoreError, match=r"document\.json is not JSON"):
        read_json(home.fs, path)


def test_files_in_the_making_are_not_listed(tmp_path: Path) -> None:
    home = Home.at(tmp_path)
    write_atomic(home.fs, home.path("a.json"), b"{}")
    (tmp_path / ".b.json.x1").write_bytes(b"{")
    assert list_names(home.fs, home.root, ".json") == ["a.json"]
    assert list_names(home.fs, home.path("nowhere")) == []


@pytest.mark.parametrize("part", ["../out", "/etc", "a/../../b", "~/x", "a\\b"])
def test_no_part_leads_out_of_the_home(home: Home, part: str) -> None:
    with pytest.raises(PermanentError, match="leads out of the home"):
        home.landing("toy", part)
