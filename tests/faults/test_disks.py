"""A disk that is full or read-only: one clear line, nothing lost, and on it goes with room."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from goldlake_core.contracts.registry import load_usecase
from goldlake_core.storage.home import Home
from lakehouse.sources.testing import Rows, Server
from tests.end_to_end.commands import goldlake
from tests.faults.lab import TOY, row, soda
from tests.faults.store import Contents, assert_same, contents

pytestmark = [pytest.mark.long, pytest.mark.spark]

ROWS = [row(number) for number in range(600)]
SIZE = "64m"
TIMES = frozenset({"landed_at", "_known_from"})


class Disk:
    """A small disk of its own, with room that a file takes away.

    Attributes:
        folder: Where it is mounted.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ballast = folder / "ballast"

    def fill(self, left: int) -> None:
        """Leaves so many bytes free."""
        free = shutil.disk_usage(self.folder).free
        with self._ballast.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, free - left)

    def empty(self) -> None:
        """Gives the room back."""
        self._ballast.unlink()

    def become(self, mode: str) -> None:
        """Is mounted again, ``ro`` or ``rw``."""
        subprocess.run(["mount", "-o", f"remount,{mode}", str(self.folder)], check=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(folder)]
    answer = subprocess.run(mounting, capture_output=True, text=True, check=False)
    if answer.returncode:
        message = f"a disk cannot be mounted here: {answer.stderr.strip()}"
        if os.environ.get("CI") == "true":
            pytest.fail(message, pytrace=False)
        pytest.skip(message)
    try:
        yield Disk(folder)
    finally:
        _unmount(folder)


def _unmount(folder: Path) -> None:
    """Unmounts a disk; a JVM that is about to end may still hold it for a moment."""
    deadline = time.monotonic() + 30
    while subprocess.run(["umount", str(folder)], check=False).returncode:
        assert time.monotonic() < deadline, f"{folder} is in use"
        time.sleep(0.5)


@pytest.fixture(scope="module")
def source() -> Iterator[str]:
    with Server(soda, Rows(ROWS)).running() as server:
        yield server.url


@pytest.fixture(scope="module")
def undisturbed(source: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home on a disk with room, after one run."""
    folder = tmp_path_factory.mktemp("undisturbed")
    _goldlake(folder / "home", "ingest", source)
    return folder / "home"


def _goldlake(home: Path, command: str, source: str = "", *, exit_code: int = 0) -> str:
    words = [command, str(TOY), *(["--source", source] if source else []), "--home", str(home)]
    return goldlake(*words, folder=home.parent.parent, exit_code=exit_code)


def _rows(home: Path) -> Contents:
    return contents(load_usecase(str(TOY)), Home.at(home), without=TIMES)


def _is_told(output: str, *words: str) -> None:
    """One error, in one of these ways: no stack, no object of the JVM."""
    assert any(word in output for word in words), output
    assert "Traceback" not in output
    assert "Py4J" not in output
    assert "\tat " not in output


FULL = ("No space left on device", "is full")


def test_a_disk_that_is_full_while_landing(disk: Disk, source: str, undisturbed: Path) -> None:
    home = disk.folder / "home"
    home.mkdir()
    disk.fill(left=30_000)
    _is_told(_goldlake(home, "ingest", source, exit_code=1), *FULL)
    disk.empty()
    _goldlake(home, "ingest", source)
    assert_same(_rows(home), _rows(undisturbed))


@pytest.mark.parametrize("left", [60_000, 120_000, 180_000])
def test_a_disk_that_is_full_while_refining(
    disk: Disk, source: str, undisturbed: Path, left: int
) -> None:
    home = disk.folder / "home"
    shutil.copytree(undisturbed / "landing", home / "landing")
    disk.fill(left=left)
    _is_told(_goldlake(home, "ingest", source, exit_code=1), *FULL)
    disk.empty()
    _goldlake(home, "ingest", source)
    assert_same(_rows(home), _rows(undisturbed))


def test_a_disk_that_is_full_while_rebuilding(disk: Disk, source: str, undisturbed: Path) -> None:
    home = disk.folder / "home"
    shutil.copytree(undisturbed, home)
    disk.fill(left=100_000)
    _is_told(_goldlake(home, "rebuild", exit_code=1), *FULL)
    assert_same(_rows(home), _rows(undisturbed))
    disk.empty()
    _goldlake(home, "rebuild")
    assert_same(_rows(home), _rows(undisturbed))


def test_a_disk_that_is_read_only(disk: Disk, source: str, undisturbed: Path) -> None:
    home = disk.folder / "home"
    shutil.copytree(undisturbed, home)
    disk.become("ro")
    for command, address in (("ingest", source), ("rebuild", "")):
        output = _goldlake(home, command, address, exit_code=1)
        _is_told(output, "Read-only file system")
    assert "toy_harbour.silver.calls" in goldlake("tables", "--home", str(home), folder=disk.folder)
    disk.become("rw")
    _goldlake(home, "ingest", source)
    assert_same(_rows(home), _rows(undisturbed))
