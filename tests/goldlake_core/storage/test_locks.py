"""One writer per store."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from goldlake_core.contracts.errors import LockedError
from goldlake_core.storage.home import Home
from goldlake_core.storage.locks import StoreLock


def other_thread_gets(home: Home, usecase: str) -> LockedError | None:
    """What another thread meets that asks for the lock."""
    met: list[LockedError | None] = []

    def ask() -> None:
        try:
            with StoreLock(home, usecase):
                met.append(None)
        except LockedError as error:
            met.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    return met[0]


def test_the_second_is_told_who_is_first(home: Home) -> None:
    with StoreLock(home, "toy"):
        error = other_thread_gets(home, "toy")
        assert error is not None
        assert f"in use by process {os.getpid()}" in error.message
        assert error.is_retryable
        assert other_thread_gets(home, "another") is None
    assert other_thread_gets(home, "toy") is None


def test_one_thread_may_take_it_again(home: Home) -> None:
    with StoreLock(home, "toy"):
        with StoreLock(home, "toy"):
            pass
        assert other_thread_gets(home, "toy") is not None, "the inner end must not free it"


def test_an_error_frees_it(home: Home) -> None:
    with pytest.raises(ZeroDivisionError), StoreLock(home, "toy"):
        raise ZeroDivisionError
    assert other_thread_gets(home, "toy") is None


def test_a_killed_process_leaves_no_lock(tmp_path: Path) -> None:
    code = (
        "import sys, time\n"
        "from goldlake_core.storage.home import Home\n"
        "from goldlake_core.storage.locks import StoreLock\n"
        "with StoreLock(Home.at(sys.argv[1]), 'toy'):\n"
        "    print('held', flush=True)\n"
        "    time.sleep(60)\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with (
            pytest.raises(LockedError, match=f"in use by process {holder.pid} "),
            StoreLock(Home.at(tmp_path), "toy"),
        ):
            pass
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    with StoreLock(Home.at(tmp_path), "toy"):
        pass


def test_an_expired_lease_is_taken_over_and_a_living_one_renewed() -> None:
    home = Home.at("memory://leases")
    lease = home.landing("toy", "lock")
    gone = {"pid": 1, "host": "gone", "since": "2026-01-01T00:00:00Z", "expires": time.time() - 1}
    home.fs.pipe_file(lease, json.dumps(gone).encode())
    with StoreLock(home, "toy", lease_s=0.4):
        first = json.loads(home.fs.cat_file(lease))["expires"]
        time.sleep(0.6)
        assert json.loads(home.fs.cat_file(lease))["expires"] > first
        error = other_thread_gets(home, "toy")
        assert error is not None
        assert f"process {os.getpid()}" in error.message
    assert not home.fs.exists(lease)
