"""Faults of the landing zone's files, of homes, of what is operated, and of scale."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from goldlake_core.contracts.errors import LockedError, StoreError
from goldlake_core.storage import files
from goldlake_core.storage.home import Home
from goldlake_core.storage.landing import ERASED_FORMAT, PageEntry
from goldlake_core.storage.leases import LEASE_S, SKEW_S, Lease
from goldlake_core.storage.locks import StoreLock
from lakehouse.sources.testing import Rows
from tests.faults.catalog import fault
from tests.faults.lab import Lab, refused, row


def _page(lab: Lab, number: int) -> Path:
    return Path(lab.zone.page_uri(lab.zone.manifest()[number - 1].name))


def _line(lab: Lab, number: int) -> Path:
    return Path(lab.zone.path("manifest", lab.zone.manifest()[number - 1].name + ".json"))


def _is_whole(lab: Lab) -> None:
    """Every record once, every page with a line, and nothing to do for the next run."""
    lab.has_all()
    names = {entry.name for entry in lab.zone.manifest()}
    assert set(lab.zone.page_sizes()) == names
    sequences = [entry.sequence for entry in lab.zone.manifest()]
    assert sorted(set(sequences)) == sequences
    before = lab.files()
    assert lab.land().rows == 0
    assert lab.files() == before
    assert lab.told == []


@fault("L1", "`cursor.json` is torn", "what it held follows from the manifest; told")
def torn_cursor(lab: Lab) -> None:
    lab.land()
    (lab.landing / "cursor.json").write_bytes(b'{"format": 2, "seq')
    assert lab.land().rows == 0
    lab.told_of("cursor.json is damaged", "follows from the manifest")
    _is_whole(lab)


@fault("L2", "`cursor.json` is `{}`", "nothing is landed twice")
def bare_cursor(lab: Lab) -> None:
    lab.land()
    (lab.landing / "cursor.json").write_bytes(b"{}")
    assert lab.land().rows == 0
    _is_whole(lab)


@fault("L2b", "`cursor.json` is of a newer format", "told, and not touched")
def newer_cursor(lab: Lab) -> None:
    lab.land()
    text = b'{"format": 3, "cursors": {"a": 1}}'
    (lab.landing / "cursor.json").write_bytes(text)
    refused(lab.land, StoreError, "cursor.json has format 3", "made by a newer goldlake")
    assert (lab.landing / "cursor.json").read_bytes() == text


@fault("L2c", "`cursor.json` is empty", "what it held follows from the manifest")
def empty_cursor(lab: Lab) -> None:
    lab.land()
    (lab.landing / "cursor.json").write_bytes(b"")
    assert lab.land().rows == 0
    _is_whole(lab)


@fault("L3", "`cursor.json` is missing", "nothing is landed twice")
def no_cursor(lab: Lab) -> None:
    lab.land()
    (lab.landing / "cursor.json").unlink()
    assert lab.land().rows == 0
    _is_whole(lab)


@fault(
    "L4",
    "pages 2 and 3 and their lines are lost, `cursor.json` is ahead of them",
    "noticed; the 400 records are fetched again; no sequence is given twice",
)
def ahead(lab: Lab) -> None:
    lab.land()
    for number in (3, 2):
        page, line = _page(lab, number), _line(lab, number)
        page.unlink()
        line.unlink()
    assert lab.land().rows == 400
    assert [entry.sequence for entry in lab.zone.manifest()] == [1, 4, 5]
    _is_whole(lab)


@fault(
    "L4b", "page 2 and its line are lost, page 3 is there", "a line names the gap, and it is closed"
)
def gap(lab: Lab) -> None:
    lab.land()
    page, line = _page(lab, 2), _line(lab, 2)
    page.unlink()
    line.unlink()
    assert lab.land().rows == 200
    lab.told_of("landed pages are missing", "fetched again")
    _is_whole(lab)


@fault("L5", "`cursor.json` is an older copy", "nothing is landed twice")
def behind(lab: Lab) -> None:
    lab.serve(200)
    lab.land()
    old = (lab.landing / "cursor.json").read_bytes()
    lab.serve(600)
    lab.land()
    (lab.landing / "cursor.json").write_bytes(old)
    assert lab.land().rows == 0
    _is_whole(lab)


@fault("L5b", "the same, and the source grew meanwhile", "the new records are landed")
def behind_and_grown(lab: Lab) -> None:
    behind(lab)
    lab.server.rows.all.append(row(700))
    assert lab.land().rows == 1
    _is_whole(lab)


@fault("L7", "a manifest line is torn", "made again from its page, under its sequence; told")
def torn_line(lab: Lab) -> None:
    lab.land()
    before = lab.zone.manifest()[1]
    line = _line(lab, 2)
    line.write_bytes(line.read_bytes()[:40])
    refused(lab.zone.manifest, StoreError, line.name, "goldlake ingest toy_harbour")
    assert lab.land().rows == 0
    lab.told_of(line.name, "is damaged", "made again")
    after = lab.zone.manifest()[1]
    assert (after.sequence, after.sha256, after.content) == (2, before.sha256, before.content)
    _is_whole(lab)


@fault("L7b", "a manifest line is empty and its page is gone", "its records are fetched again")
def empty_line(lab: Lab) -> None:
    lab.land()
    page, line = _page(lab, 2), _line(lab, 2)
    page.unlink()
    line.write_bytes(b"")
    assert lab.land().rows == 200
    lab.told_of("fetched again")
    _is_whole(lab)


@fault("L7c", "a manifest line is missing", "made again from its page, under its sequence")
def no_line(lab: Lab) -> None:
    lab.land()
    _line(lab, 2).unlink()
    assert lab.land().rows == 0
    assert [entry.sequence for entry in lab.zone.manifest()] == [1, 2, 3]
    _is_whole(lab)


@fault("L8", "a manifest line of a newer version", "told; nothing is changed")
def newer_line(lab: Lab) -> None:
    lab.land()
    line = _line(lab, 2)
    line.write_text(
        json.dumps({**json.loads(line.read_bytes()), "format": ERASED_FORMAT + 1, "colour": "red"})
    )
    before = lab.files()
    refused(lab.land, StoreError, line.name, "made by a newer goldlake")
    assert {k: v for k, v in lab.files().items() if not k.endswith("lock")} == {
        k: v for k, v in before.items() if not k.endswith("lock")
    }


@fault("L8b", "a manifest line of before, without sequence, content and inputs", "read as it is")
def older_line(lab: Lab) -> None:
    lab.land()
    entry, line, page = lab.zone.manifest()[0], _line(lab, 1), _page(lab, 1)
    old = json.loads(line.read_bytes())
    for field in ("format", "sequence", "content", "bytes", "identity", "address", "inputs"):
        del old[field]
    old["name"] = entry.name[9:]
    page.rename(page.with_name(old["name"]))
    line.unlink()
    line.with_name(old["name"] + ".json").write_text(json.dumps(old))
    (lab.landing / "cursor.json").unlink()
    assert lab.land().rows == 0
    first = lab.zone.manifest()[0]
    assert (first.format, first.sequence, first.content) == (1, 1, None)
    assert lab.lines()[:200] == lab.server.rows.all[:200]


@fault("L9", "a landed page is gone, its line is there", "fetched again as it was; told")
def no_page(lab: Lab) -> None:
    lab.land()
    before = lab.zone.manifest()
    _page(lab, 2).unlink()
    result = lab.land()
    assert (result.rows, result.restored) == (0, 1)
    lab.told_of("is missing", "was fetched again")
    assert lab.zone.manifest() == before
    _is_whole(lab)


@fault(
    "L9b",
    "a landed page is gone, and one of its records changed at the source since",
    "what the source has is landed as new pages; the lost line is kept aside",
)
def no_page_and_changed(lab: Lab) -> None:
    lab.land()
    lost = _page(lab, 2)
    lost.unlink()
    lab.server.rows.all[250] = row(250, minute=900, cargo="COAL")
    assert lab.land().rows == 200
    lab.told_of("is missing", "landed as a new page")
    assert (lab.landing / "aside" / f"{lost.name}.json").exists()
    _is_whole(lab)


@fault("L10", "a torn page without a manifest line", "landed anew")
def torn_orphan(lab: Lab) -> None:
    lab.serve(200)
    lab.land()
    lab.serve(400)
    lab.land()
    page, line = _page(lab, 2), _line(lab, 2)
    line.unlink()
    page.write_bytes(page.read_bytes()[:100])
    (lab.landing / "cursor.json").unlink()
    assert lab.land().rows == 200
    _is_whole(lab)


@fault("L11", "`identity.json` is torn", "named, with what repairs it, which does")
def torn_identity(lab: Lab) -> None:
    lab.land()
    identity = lab.landing.parent / "identity.json"
    identity.write_bytes(identity.read_bytes()[:30])
    refused(lab.land, StoreError, str(identity), "remove that file")
    identity.unlink()
    lab.land()
    _is_whole(lab)


@fault("L11b", "`identity.json` is a list", "named")
def identity_list(lab: Lab) -> None:
    lab.land()
    identity = lab.landing.parent / "identity.json"
    identity.write_bytes(b"[1, 2]")
    refused(lab.land, StoreError, str(identity), "is damaged")


@fault("L12", "`identity.json` is lost, and another source comes", "refused: rows never mix")
def lost_identity(lab: Lab) -> None:
    lab.land()
    (lab.landing.parent / "identity.json").unlink()
    told = {"identity": {"kind": "generated", "seed": 1}, "inputs": {}}
    lab.server.headers["X-Goldlake-Source"] = json.dumps(told)
    refused(lab.land, StoreError, "belongs to socrata", "Rows of two sources are never mixed")
    lab.server.headers.clear()
    assert lab.land().rows == 0


@fault("L20", "a landed page is torn", "fetched again as it was")
def torn_page(lab: Lab) -> None:
    lab.land()
    page = _page(lab, 2)
    data = page.read_bytes()
    page.write_bytes(data[: len(data) // 2])
    assert lab.land().restored == 1
    assert page.read_bytes() == data
    _is_whole(lab)


@fault("L22", "a landed page is replaced by another valid one of its size", "named, then restored")
def replaced_page(lab: Lab) -> None:
    lab.land()
    page = _page(lab, 2)
    data = page.read_bytes()
    page.write_bytes(data[:-8] + bytes(8))
    refused(lab.lines, StoreError, page.name, "sha256 differs", "goldlake ingest toy_harbour")
    assert lab.land().restored == 1
    assert page.read_bytes() == data
    _is_whole(lab)


@fault("L24", "a foreign page without a manifest line lies in the folder", "set aside and told")
def foreign_page(lab: Lab) -> None:
    lab.land()
    foreign = Path(lab.zone.pages_uri) / "20240301-0123456789ab.jsonl.gz"
    foreign.write_bytes(_page(lab, 1).read_bytes())
    assert lab.land().rows == 0
    lab.told_of(foreign.name, "no manifest line", "set aside")
    _is_whole(lab)


class _Killed(BaseException):
    """Ends a run as a signal would."""


def _dying(lab: Lab, name: str, at_call: int, *, after: bool) -> None:
    calls = 0
    method: Callable[..., object] = getattr(files, name)

    def dying(*args: object, **kwargs: object) -> object:
        nonlocal calls
        calls += 1
        if calls == at_call and not after:
            raise _Killed
        result = method(*args, **kwargs)
        if calls == at_call:
            raise _Killed
        return result

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, name, dying)
        with pytest.raises(_Killed):
            lab.land()


@fault("K3", "killed before and after each write of a landing", "the next run ends the same")
def killed(lab: Lab) -> None:
    lab.serve(300)
    lab.source(page_rows=100)
    for at_call in range(1, 9):  # identity, then page and line three times, then the cursor
        for after in (False, True):
            lab.folder = lab.folder / "again"
            _dying(lab, "_write_local", at_call, after=after)
            lab.land()
            _is_whole(lab)


@fault(
    "O1",
    "a range is landed twice; a record was edited in place, without a new `:updated_at`",
    "fetched again each time; the edited record lands, and later its first text again",
)
def backfill_again(lab: Lab) -> None:
    lab.serve(600)
    day = ("2024-03-01", "2024-03-02")
    assert (lab.land(*day).rows, lab.land(*day).rows) == (600, 0)
    for cargo in ("COAL", "TIN"):
        lab.server.rows.all[50] = row(50, cargo=cargo)
        assert (lab.land(*day).rows, lab.land(*day).rows) == (1, 0)
        assert lab.lines()[-1] == row(50, cargo=cargo)


@fault("H3", "the home is read-only", "one clear line that names the path")
def read_only(lab: Lab) -> None:
    def refuse(path: object, *args: object, **kwargs: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "makedirs", refuse)
        refused(lab.land, StoreError, "Cannot write", "lock", "Read-only file system")


@fault("H4", "the disk is full while a page is written, then there is room", "clear; then goes on")
def full_disk(lab: Lab) -> None:
    calls = 0
    sync = os.fsync

    def full(handle: int) -> None:
        nonlocal calls
        calls += 1
        if calls > 8:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        sync(handle)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", full)
        refused(lab.land, StoreError, "Cannot write", "No space left on device", "make room")
    lab.land()
    _is_whole(lab)


@fault("H6", "the lock file names a dead process", "ignored")
def dead_holder(lab: Lab) -> None:
    lock = lab.landing.parent / "lock"
    lock.parent.mkdir(parents=True)
    lock.write_text('{"pid": 4000000, "host": "elsewhere", "since": "2020-01-01T00:00:00Z"}')
    lab.land()
    lab.has_all()


@fault("H6b", "the lock file is torn", "ignored")
def torn_lock(lab: Lab) -> None:
    lock = lab.landing.parent / "lock"
    lock.parent.mkdir(parents=True)
    lock.write_text('{"pid": 40')
    lab.land()
    lab.has_all()


@fault("H6c", "the lock is held and its text is not whole", "refused as locked")
def half_written_lock(lab: Lab) -> None:
    lock = lab.landing.parent / "lock"
    lock.parent.mkdir(parents=True)
    for text in ("", "{", '{"pid": 7}', "[]", "null"):
        lock.write_text(text)
        with lock.open() as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            refused(lab.land, LockedError, "is in use by another process")


@fault("I6", "Ctrl-C right after a file was renamed into place", "it stays KeyboardInterrupt")
def interrupted(lab: Lab) -> None:
    replace = os.replace

    def interrupt(*args: str) -> None:
        replace(*args)
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "replace", interrupt)
        with pytest.raises(KeyboardInterrupt):
            lab.land()
    lab.land()
    _is_whole(lab)


@fault("X1", "nothing is new", "nothing is written")
def idle(lab: Lab) -> None:
    lab.land()
    _is_whole(lab)


@fault("X2", "1,500 pages of one record each", "the manifest is read in less than half a second")
def many_pages(lab: Lab) -> None:
    lab.server.rows = Rows([row(0)])
    lab.land()
    (entry,) = lab.zone.manifest()
    template = Path(lab.zone.path("manifest", f"{entry.name}.json")).read_text()
    for sequence in range(2, 1_501):
        name = lab.zone.page_name(None, sequence=sequence)
        text = template.replace(entry.name, name).replace(
            '"sequence": 1', f'"sequence": {sequence}'
        )
        Path(lab.zone.path("manifest", f"{name}.json")).write_text(text)
    seconds = []
    for _ in range(3):
        started = time.perf_counter()
        entries: list[PageEntry] = lab.zone.manifest()
        seconds.append(time.perf_counter() - started)
    assert len(entries) == 1_500
    assert len(lab.zone.manifest(after=1_490)) == 10
    assert min(seconds) < 0.5


def _held_elsewhere(home: Home, action: Callable[[], object]) -> None:
    """Asserts that an action is refused while somebody else holds the store."""
    answers: list[BaseException] = []

    def other() -> None:
        try:
            action()
        except LockedError as error:
            answers.append(error)

    with StoreLock(home, "toy_harbour"):
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert [str(os.getpid()) in str(error) for error in answers] == [True]


@fault("R3", "another process holds the store", "refused, with its number; later it goes on")
def held(lab: Lab) -> None:
    _held_elsewhere(lab.home, lab.land)
    lab.land()
    _is_whole(lab)


@fault("H7", "two machines write one remote home", "the second is kept out, and told")
def remote(lab: Lab) -> None:
    home = Home("memory://faults")
    _held_elsewhere(home, StoreLock(home, "toy_harbour").__enter__)


@fault(
    "H7b",
    "the holder of a remote home sleeps past its lease, another takes the home, the first wakes",
    "the first notices before its next commit; the second keeps the lock",
)
def slept(lab: Lab) -> None:
    remote = Home("memory://slept")
    now = [1_000.0]
    first, second = (
        Lease(remote.fs, "/slept/lock.d", "The store", name, clock=lambda: now[0])
        for name in ("the first", "the second")
    )
    first.take()
    refused(second.take, LockedError, "The store is in use by the first")
    now[0] += LEASE_S + SKEW_S + 1
    second.take()
    refused(first.require, LockedError, "was taken by another process")
    first.end()
    second.require()
    now[0] += LEASE_S
    second.require()
    second.end()


@fault(
    "R6",
    "a range is landed that earlier polls landed, with 12 pages for 3; a poll follows a backfill",
    "nothing is landed twice, whatever landed it; an edited record lands once",
)
def landed_by_another_poll(lab: Lab) -> None:
    day = ("2024-03-01", "2024-03-02")
    lab.source(page_rows=50)
    lab.land()
    lab.source(page_rows=200)
    assert (lab.land(*day).rows, lab.zone.manifest()[-1].since) == (0, None)
    lab.server.rows.all[50] = row(50, cargo="COAL")
    assert (lab.land(*day).rows, lab.land(*day).rows) == (1, 0)
    lab.server.rows.all.append(row(600))
    assert (lab.land(*day).rows, lab.land().rows) == (1, 0)
    assert len(lab.lines()) == 602


@fault(
    "R6b",
    "a landed page is damaged when a range is fetched again",
    "fetched again as it was; nothing is landed twice",
)
def damaged_in_backfill(lab: Lab) -> None:
    lab.land()
    page = _page(lab, 2)
    size = page.stat().st_size
    page.write_bytes(b"x" * size)
    result = lab.land("2024-03-01", "2024-03-02")
    assert (result.rows, result.restored) == (0, 1)
    _is_whole(lab)
