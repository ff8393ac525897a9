"""A command that is killed at any moment is completed by the same command."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from goldlake_core.contracts.registry import load_usecase
from goldlake_core.storage.home import Home
from lakehouse.sources.testing import Rows, Server
from tests.end_to_end.commands import goldlake, goldlake_json
from tests.faults import kills
from tests.faults.kills import POINTS, Point, killed_at
from tests.faults.lab import TOY, row, soda
from tests.faults.store import Contents, assert_same, contents

FIRST = [row(number) for number in range(250)]
CHANGED = [row(number, minute=2_000 + number, cargo="COAL") for number in range(0, 250, 5)]
ADDED = [row(number) for number in range(250, 300)]
TIMES = frozenset({"landed_at", "_known_from"})


class Place:
    """A source with two states, and homes in which nothing was killed.

    Attributes:
        server: The source.
        folder: Where the homes lie.
    """

    def __init__(self, server: Server, folder: Path) -> None:
        self.server = server
        self.folder = folder
        self.server.rows = Rows(list(FIRST))
        self._run("first", "ingest")
        shutil.copytree(folder / "first", folder / "second")
        self.grow()
        self._run("second", "ingest")
        self._run("fresh", "ingest")
        self.wanted = {
            ("ingest", "empty"): self.contents(folder / "fresh"),
            ("ingest", "first"): self.contents(folder / "second"),
            ("rebuild", "first"): self.contents(folder / "first"),
        }

    def grow(self) -> None:
        """The source has its second state: old records were amended, others were added."""
        self.server.rows = Rows([*FIRST, *CHANGED, *ADDED])

    def arguments(self, home: Path, command: str) -> list[str]:
        """The command line after ``goldlake``."""
        source = ["--source", self.server.url] if command == "ingest" else []
        return [command, str(TOY), *source, "--home", str(home)]

    def _run(self, name: str, command: str) -> None:
        goldlake(*self.arguments(self.folder / name, command), folder=self.folder)

    def contents(self, home: Path) -> Contents:
        """What the tables of a home hold, without the times of landing."""
        return contents(load_usecase(str(TOY)), Home.at(home), without=TIMES)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with Server(soda, Rows([])).running() as server:
        yield Place(server, tmp_path_factory.mktemp("kills"))


@pytest.mark.long
@pytest.mark.spark
@pytest.mark.parametrize("point", POINTS, ids=lambda point: point.id)
def test_the_next_run_completes_it(point: Point, place: Place, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    if point.start == "first":
        shutil.copytree(place.folder / "first", home, dirs_exist_ok=True)
    arguments = place.arguments(home, point.command)
    killed_at(point, home, arguments)
    document = goldlake_json(*arguments, folder=tmp_path)
    wanted = place.wanted[point.command, point.start]
    assert_same(place.contents(home), wanted)
    assert document["refine"]["totals"]["silver"] == len(wanted["toy_harbour.silver.calls"])


def test_the_table_in_the_book_lists_them_all() -> None:
    message = "run: python -m tests.faults.kills"
    assert kills.PAGE.read_text(encoding="utf-8") == kills.page(), message
