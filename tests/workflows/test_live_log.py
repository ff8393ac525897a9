"""What is kept of a request log beside it: the same answers, and gone with the lines."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from polars.testing import assert_frame_equal

from goldlake.workflows import live_log
from goldlake.workflows.live_log import KEY, LiveLog
from goldlake.workflows.monitor import monitor
from lakehouse import learned
from serving.answeredlog import FileAnswers, answers_of
from serving.erasing import erase_rows
from serving.logfile import LogFile, columns_name
from tests.tfx_pipeline.toy_export import TOY
from tests.workflows.live_home import LiveHome

MODEL = f"{TOY}:overdue"


@pytest.fixture
def live(tmp_path: Path) -> LiveHome:
    return LiveHome(tmp_path)


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Numbers of lines that were parsed, one for each part of a file."""
    found: list[int] = []

    def counted(data: bytes) -> FileAnswers:
        found.append(data.count(b"\n"))
        return answers_of(data)

    monkeypatch.setattr(live_log, "answers_of", counted)
    return found


def same(one: LiveLog, other: LiveLog) -> None:
    assert_frame_equal(one.frame, other.frame)
    counts = ("kept", "redacted", "files", "refused", "others", "damaged", "is_cut")
    assert [getattr(one, n) for n in counts] == [getattr(other, n) for n in counts]


def test_a_file_is_parsed_once(live: LiveHome, parsed: list[int]) -> None:
    lines = live.asked(90)
    lines[3] = {**lines[3], "version": 2}
    lines[5] = {"request_id": "x", "at": lines[0]["at"], "status": "INTERNAL", "row": None}
    lines[7]["inputs"]["length_m"] = "Infinity"
    live.log("1.jsonl", lines, half=b"no json\n")
    first = live.read()
    again = live.read()
    assert parsed == [91]
    same(first, again)
    assert (first.refused, first.others, first.damaged) == (1, 1, 1)
    assert first.frame["length_m"].is_infinite().sum() == 1
    assert live.read(2).frame[KEY].to_list() == [lines[3]["record_key"]]
    assert parsed == [91]


def test_of_an_open_file_what_came_since_is_parsed(live: LiveHome, parsed: list[int]) -> None:
    lines = live.asked(90)
    file = live.log("1.jsonl.open", lines[:50], half=b'{"at": "2024-')
    assert live.read().frame.height == 50
    live.log("1.jsonl.open", lines[:70])
    assert live.read().frame.height == 70
    live.log("1.jsonl.open", lines)
    file.rename(file.with_name("1.jsonl"))
    found = live.read()
    assert parsed == [50, 20, 20]
    file.with_name(columns_name("1.jsonl")).unlink()
    same(found, live.read())


def test_another_file_of_the_same_name_is_read(live: LiveHome, parsed: list[int]) -> None:
    lines = live.asked(90)
    live.log("1.jsonl", lines[:50])
    live.read()
    live.log("1.jsonl", lines[40:90])
    assert live.read().frame[KEY].to_list() == [line["record_key"] for line in lines[40:]]
    assert parsed == [50, 50]


@pytest.mark.parametrize(
    "damage", [lambda data: data[:-9], lambda data: b"", lambda data: b"{}\n" + data[40:]]
)
def test_damaged_columns_are_made_again(
    live: LiveHome, parsed: list[int], damage: Callable[[bytes], bytes]
) -> None:
    file = live.log("1.jsonl", live.asked(30))
    found = live.read()
    columns = file.with_name(columns_name(file.name))
    whole = columns.read_bytes()
    columns.write_bytes(damage(whole))
    same(found, live.read())
    assert parsed == [30, 30]
    assert columns.read_bytes() == whole


def test_what_is_erased_is_in_no_columns(live: LiveHome) -> None:
    lines = live.asked(30)
    file = live.log("1.jsonl", lines)
    columns = file.with_name(columns_name(file.name))
    live.read()
    assert columns.exists()
    assert erase_rows(str(file.parent), {lines[4]["record_key"]}) == 1
    assert not columns.exists()
    assert live.read().frame[KEY].to_list() == [x["record_key"] for x in lines[:4] + lines[5:]]


def test_columns_are_not_written_for_a_file_that_was_erased_from_meanwhile(
    live: LiveHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = live.asked(30)
    file = live.log("1.jsonl", lines)

    def slow(data: bytes) -> FileAnswers:
        erase_rows(str(file.parent), {lines[4]["record_key"]})
        return answers_of(data)

    monkeypatch.setattr(live_log, "answers_of", slow)
    assert live.read().frame.height == 30
    assert not file.with_name(columns_name(file.name)).exists()


def test_columns_go_with_their_file(live: LiveHome) -> None:
    folder = live.log("1.jsonl", live.asked(30)).parent
    live.log("2.jsonl", live.asked(30))
    live.read()
    log = LogFile(str(folder), 1 << 20, 3600, files=2)
    log.write([b"{}\n"])
    log.finish()
    assert sorted(path.name for path in folder.glob("1.*")) == []
    assert [path.name for path in folder.glob(".*.columns")] == [columns_name("2.jsonl")]
    (folder / "2.jsonl").unlink()
    live.read()
    assert not (folder / columns_name("2.jsonl")).exists()


def test_a_folder_that_cannot_be_written_is_read(live: LiveHome) -> None:
    file = live.log("1.jsonl", live.asked(30))
    # A folder in the place of the columns refuses them to anybody, root too.
    os.makedirs(file.with_name(columns_name(file.name)) / "x")
    assert live.read().frame.height == 30
    assert live.read().frame.height == 30


def test_what_was_learned_is_counted_once(live: LiveHome, monkeypatch: pytest.MonkeyPatch) -> None:
    live.log("1.jsonl", live.asked(840))
    first = monitor(MODEL, live.home)
    (kept,) = Path(live.home.path("gate")).rglob(f"{learned.LEARNED}/*.json")

    def never(*_: object) -> None:
        raise AssertionError("counted again")

    with monkeypatch.context() as patched:
        patched.setattr("lakehouse.gate.Gate.others", never)
        assert monitor(MODEL, live.home) == first
    whole = kept.read_bytes()
    for damaged in (whole[:-20], whole.replace(b"UEs", b"AAA"), b"{}"):
        kept.write_bytes(damaged)
        assert monitor(MODEL, live.home) == first
        assert kept.read_bytes() == whole
