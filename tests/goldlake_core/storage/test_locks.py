"""One writer per store."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from goldlake_core.contracts.errors import LockedError
from goldlake_core.instants import utc_text
from goldlake_core.storage.files import list_names
from goldlake_core.storage.home import Home
from goldlake_core.storage.locks import FileLock, Holder, StoreLock


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.at(tmp_path)


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


def test_a_file_lock_names_its_file_and_waits(tmp_path: Path) -> None:
    path = str(tmp_path / "new" / "lock")
    is_held, may_end = threading.Event(), threading.Event()

    def hold() -> None:
        with FileLock(path, work="sweep"):
            is_held.set()
            assert may_end.wait(10)

    holder = threading.Thread(target=hold)
    holder.start()
    assert is_held.wait(10)
    with pytest.raises(LockedError) as error, FileLock(path):
        pass
    since = json.loads(Path(path).read_text())["since"]
    assert error.value.message.startswith(
        f"{path} is in use by sweep, process {os.getpid()} on {socket.gethostname()} "
        f"since {since} (for "
    )
    threading.Timer(0.2, may_end.set).start()
    with FileLock(path, wait_s=10):
        assert not holder.join(10)
    assert Path(path).read_text() == ""


@pytest.mark.parametrize(
    ("seconds", "age"),
    [(0, "for 0 s"), (90, "for 1 min"), (7_300, "for 2 h"), (172_801, "for 2 d")],
)
def test_a_holder_is_told_with_its_age(seconds: int, age: str) -> None:
    since = utc_text(datetime.now(timezone.utc) - timedelta(seconds=seconds))
    assert str(Holder(7, "quay", since)) == f"process 7 on quay since {since} ({age})"


def test_a_holder_whose_time_is_not_readable() -> None:
    assert str(Holder(7, "quay", "noon")).endswith("(of unknown age)")


def test_a_remote_home_has_one_writer() -> None:
    home = Home.at("memory://locked")
    with StoreLock(home, "toy", "refine"), StoreLock(home, "toy"):
        refusal = str(other_thread_gets(home, "toy"))
        assert refusal.startswith(
            "The store of toy in memory://locked is in use by refine, process"
        )
    assert other_thread_gets(home, "toy") is None
    assert list_names(home.fs, home.landing("toy", "lock.d")) == []
