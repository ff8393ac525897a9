"""One rule says which home a command works on."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from goldlake.workflows import homes
from goldlake_core.contracts.errors import UsageError
from goldlake_core.storage.home import Home


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory, nothing remembered and nothing in the environment."""
    monkeypatch.delenv(homes.VARIABLE, raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    place = tmp_path / "work"
    place.mkdir()
    monkeypatch.chdir(place)
    return place


def used(path: Path) -> Home:
    (path / "tables").mkdir(parents=True)
    home = Home.at(path)
    homes.remember(home)
    return home


def test_the_first_rule_that_applies_decides(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert homes.choose().home.root == str(folder / "var")
    assert homes.choose().why == "default"
    last = used(folder / "last")
    assert homes.choose() == homes.Chosen(last, "last used from this folder")
    assert homes.choose(default="var/demo").home.root == str(folder / "var/demo")
    (folder.parent / homes.FILE).write_text('home = "configured"\n', encoding="utf-8")
    chosen = homes.choose()
    assert chosen.home.root == str(folder.parent / "configured")
    assert chosen.why == str(folder.parent / homes.FILE)
    assert homes.choose(default="var/demo") == chosen
    monkeypatch.setenv(homes.VARIABLE, str(folder / "environment"))
    assert homes.choose().heading == "home: environment (GOLDLAKE_HOME)"
    assert homes.choose("given").heading == "home: given (--home)"


def test_an_empty_variable_is_not_set(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(homes.VARIABLE, "")
    assert homes.choose().why == "default"


def test_a_home_is_remembered_per_folder_and_only_while_it_is_there(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = used(folder / "mine")
    other = folder.parent / "other"
    other.mkdir()
    monkeypatch.chdir(other)
    assert homes.choose().why == "default"
    monkeypatch.chdir(folder)
    assert homes.choose().home == home
    (folder / "mine" / "tables").rmdir()
    assert homes.choose().why == "default"


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"a": 1}', "null"])
def test_a_damaged_memory_is_no_memory(folder: Path, text: str) -> None:
    used(folder / "mine")
    homes._state_file().write_text(text, encoding="utf-8")
    assert homes.choose().why == "default"
    assert used(folder / "again").root == homes.choose().home.root


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_memory_that_cannot_be_written_stops_nothing(folder: Path) -> None:
    homes._state_file().parent.parent.mkdir(parents=True, mode=0o500)
    homes.remember(Home.at(folder / "mine"))


def test_a_memory_whose_folder_is_a_file_stops_nothing(folder: Path) -> None:
    homes._state_file().parent.parent.parent.mkdir(exist_ok=True)
    homes._state_file().parent.parent.write_text("in the way", encoding="utf-8")
    homes.remember(Home.at(folder / "mine"))
    assert homes.choose().why == "default"


def test_only_so_many_are_remembered_the_newest_last(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(homes, "MOST_REMEMBERED", 2)
    for name in "abc":
        place = folder / name
        place.mkdir()
        monkeypatch.chdir(place)
        homes.remember(Home.at(place / "home"))
    known = json.loads(homes._state_file().read_text(encoding="utf-8"))
    assert [Path(path).name for path in known] == ["b", "c"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("home = 7", "has no usable home: 7. "),
        ("house = 'x'", "has no usable home: None. "),
        ("home = ''", "has no usable home: ''. "),
        ("home = ", "cannot be read: Invalid value (at end of document). "),
    ],
)
def test_a_configuration_that_does_not_hold_is_refused(
    folder: Path, text: str, message: str
) -> None:
    file = folder / homes.FILE
    file.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        homes.choose()
    assert caught.value.message == f'{file} {message}Valid: home = "FOLDER".'
    assert caught.value.valid == 'home = "FOLDER"'


def test_other_homes_that_hold_something_are_named(folder: Path) -> None:
    used(folder / "mine")
    (folder / "var" / "demo" / "landing").mkdir(parents=True)
    assert homes.elsewhere(Home.at("var")) == ["mine", "var/demo"]
    assert homes.elsewhere(Home.at("mine")) == ["var/demo"]
