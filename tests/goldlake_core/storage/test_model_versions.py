from __future__ import annotations

import json
import os
from pathlib import Path

import fsspec
import pytest

from goldlake_core.contracts.errors import PermanentError
from goldlake_core.documents.codec import plain
from goldlake_core.storage import model_versions as pusher
from goldlake_core.storage.home import Home
from goldlake_core.storage.model_versions import copy_version, push_model, pushed_versions

ABOUT = {"export_id": "parcels/late/one", "table_version": 4}


def saved_model(folder: Path, text: str) -> str:
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").write_text(text)
    (folder / "variables" / "variables.index").write_text("index")
    return str(folder)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.at(tmp_path / "home")


def test_versions_count_from_one(home: Home, tmp_path: Path) -> None:
    for number in (1, 2, 3):
        folder = saved_model(tmp_path / str(number), f"model {number}")
        document = push_model(home, "parcels", "late", folder, ABOUT)
        assert document.version == number
    base = Path(home.model("parcels", "late"))
    assert sorted(os.listdir(base)) == ["1", "2", "3"]
    assert (base / "2" / "saved_model.pb").read_text() == "model 2"
    assert (base / "2" / "variables" / "variables.index").read_text() == "index"
    about = json.loads((base / "2" / "assets.extra" / "goldlake.json").read_text())
    assert about == plain(pushed_versions(home, "parcels", "late")[2])
    assert about["export_id"] == "parcels/late/one"
    assert about["table_version"] == 4
    assert (about["usecase"], about["model"], about["version"]) == ("parcels", "late", 2)


def test_the_same_model_is_pushed_once(home: Home, tmp_path: Path) -> None:
    first = push_model(home, "parcels", "late", saved_model(tmp_path / "a", "one"), ABOUT)
    push_model(home, "parcels", "late", saved_model(tmp_path / "b", "two"), ABOUT)
    again = push_model(
        home, "parcels", "late", saved_model(tmp_path / "c", "one"), {"as_of": "later"}
    )
    assert again == first
    assert list(pushed_versions(home, "parcels", "late")) == [1, 2]


def test_models_do_not_share_versions(home: Home, tmp_path: Path) -> None:
    folder = saved_model(tmp_path / "a", "one")
    assert push_model(home, "parcels", "late", folder, ABOUT).version == 1
    assert push_model(home, "parcels", "lost", folder, ABOUT).version == 1


def test_a_version_of_another_hand_is_left_alone(home: Home, tmp_path: Path) -> None:
    Path(home.model("parcels", "late", "7")).mkdir(parents=True)
    Path(home.model("parcels", "late", "notes")).mkdir()
    document = push_model(home, "parcels", "late", saved_model(tmp_path / "a", "one"), ABOUT)
    assert document.version == 8
    assert pushed_versions(home, "parcels", "late")[7] is None


def test_nothing_half_written_is_seen(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(source: str, target: str) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(pusher.os, "rename", fail)
    with pytest.raises(OSError, match="No space left"):
        push_model(home, "parcels", "late", saved_model(tmp_path / "a", "one"), ABOUT)
    assert os.listdir(home.model("parcels", "late")) == []


def test_a_version_taken_in_between_is_skipped(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = os.rename

    def race(source: str, target: str) -> None:
        monkeypatch.setattr(pusher.os, "rename", rename)
        Path(target).mkdir()
        (Path(target) / "saved_model.pb").write_text("somebody else's")
        rename(source, target)

    monkeypatch.setattr(pusher.os, "rename", race)
    document = push_model(home, "parcels", "late", saved_model(tmp_path / "a", "one"), ABOUT)
    assert document.version == 2
    first = Path(home.model("parcels", "late", "1"))
    assert (first / "saved_model.pb").read_text() == "somebody else's"


def test_a_home_that_is_not_this_disk(tmp_path: Path) -> None:
    home = Home.at("memory://pushed")
    document = push_model(home, "parcels", "late", saved_model(tmp_path / "a", "one"), ABOUT)
    assert document.version == 1
    fs = fsspec.filesystem("memory")
    assert fs.cat_file("/pushed/models/parcels.late/1/saved_model.pb") == b"one"
    assert pushed_versions(home, "parcels", "late") == {1: document}
    copy_version(home, "parcels", "late", 1, str(tmp_path / "copy"))
    assert (tmp_path / "copy" / "saved_model.pb").read_text() == "one"


def test_a_folder_without_a_model_is_refused(home: Home, tmp_path: Path) -> None:
    with pytest.raises(PermanentError, match=r"There is no saved_model\.pb in .*nothing"):
        push_model(home, "parcels", "late", str(tmp_path / "nothing"), ABOUT)


def test_a_version_that_is_not_there_is_refused(home: Home, tmp_path: Path) -> None:
    push_model(home, "parcels", "late", saved_model(tmp_path / "a", "one"), ABOUT)
    with pytest.raises(PermanentError, match=r"Version 5 of parcels\.late is not in .* Valid: 1\."):
        copy_version(home, "parcels", "late", 5, str(tmp_path / "copy"))


def test_files_beside_the_model_go_with_the_version(home: Home, tmp_path: Path) -> None:
    (tmp_path / "warm").write_text("requests")
    extra = {
        "assets.extra/warm": str(tmp_path / "warm"),
        "assets.extra/none": str(tmp_path / "none"),
    }
    first = push_model(home, "parcels", "late", saved_model(tmp_path / "a", "one"), ABOUT, extra)
    base = Path(home.model("parcels", "late", "1"))
    assert (base / "assets.extra" / "warm").read_text() == "requests"
    assert not (base / "assets.extra" / "none").exists()
    assert push_model(home, "parcels", "late", saved_model(tmp_path / "b", "one"), ABOUT) == first
