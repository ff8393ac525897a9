"""A lock on a remote home: one holder at most, whoever comes when."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import fsspec
import pytest

from goldlake_core.contracts.errors import LockedError
from goldlake_core.storage import leases, locks
from goldlake_core.storage.files import list_names
from goldlake_core.storage.home import Home
from goldlake_core.storage.landing import LandingZone
from goldlake_core.storage.leases import LEASE_S, SKEW_S, Lease
from goldlake_core.storage.locks import StoreLock


@pytest.fixture
def fs() -> Iterator[Any]:
    store = fsspec.filesystem("memory")
    yield store
    store.rm("/leases", recursive=True) if store.exists("/leases") else None


def lease(fs: Any, now: list[float], name: str = "somebody") -> Lease:
    return Lease(fs, "/leases/d", "The store", name, clock=lambda: now[0])


def test_many_that_come_at_once_never_hold_it_together(
    fs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "_PAUSE_S", 0.002)
    inside, most, taken = [0], [0], [0]
    guard = threading.Lock()

    def work() -> None:
        for _ in range(20):
            mine = lease(fs, [0.0])
            try:
                mine.take()
            except LockedError:
                continue
            with guard:
                inside[0] += 1
                taken[0] += 1
                most[0] = max(most[0], inside[0])
            with guard:
                inside[0] -= 1
            mine.end()

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most[0] == 1
    assert taken[0] > 5
    assert list_names(fs, "/leases/d") == []


def test_who_renews_keeps_it(fs: Any) -> None:
    now = [0.0]
    first, second = lease(fs, now, "the first"), lease(fs, now)
    first.take()
    for _ in range(5):
        now[0] += LEASE_S - 1
        first.renew()
        with pytest.raises(LockedError, match="in use by the first"):
            second.take()
    now[0] += LEASE_S + SKEW_S - 1  # its clock may be behind
    with pytest.raises(LockedError, match="in use by the first"):
        second.take()
    first.require()
    first.end()
    second.take()
    second.end()


def test_an_entry_that_nobody_can_read_keeps_others_out(fs: Any) -> None:
    fs.pipe_file("/leases/d/x", b"{")
    with pytest.raises(LockedError, match="a process whose entry cannot be read"):
        lease(fs, [0.0]).take()


def test_a_manifest_line_is_not_written_without_the_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    home = Home.at("memory://lost")
    zone = LandingZone(home, "toy", "set")
    with StoreLock(home, "toy"):
        entry = zone.write_page(
            zone.page_name(None, sequence=1),
            [b"{}"],
            url="",
            first_cursor=None,
            last_cursor=None,
            run_id="r",
        )
        zone.write_manifest(entry)
        [(_, held)] = [value for value in locks._held.values() if isinstance(value[1], Lease)]
        monkeypatch.setattr(held, "_until", 0.0)  # it slept, and another process came
        home.fs.rm(home.landing("toy", "lock.d"), recursive=True)
        with pytest.raises(LockedError, match="was taken by another process"):
            zone.write_manifest(entry)
    assert len(zone.manifest()) == 1
