"""Where a command is killed, as data: ``python -m tests.faults.kills`` writes the table of them.

A point is a file of the home. The command runs as a person runs it; when that file appears, its
whole tree of processes gets SIGKILL, the one with Spark and the JVM too. The table says what
`test_kills` holds: the same command once more ends well, and every table holds what it holds in a
home where nothing was killed.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

PAGE = Path(__file__).parents[2] / "docs" / "development" / "kills.md"
_PATIENCE_S = 300.0
_LANDING = "landing/toy_harbour"
_DATASET = f"{_LANDING}/harb-cal1"
_TABLES = "tables/toy_harbour"

Command = Literal["ingest", "rebuild"]
Start = Literal["empty", "first"]
"""A home with nothing in it, or one that holds an earlier state of the source."""


@dataclass(frozen=True)
class Point:
    """A moment at which a command is killed.

    Attributes:
        command: ``ingest`` or ``rebuild``.
        start: The home that it works on.
        moment: The moment in words.
        files: Pattern of files below the home; the moment is when there is one more than before.
        number: How many more.
        text: What the file must hold too, or "".
    """

    command: Command
    start: Start
    moment: str
    files: str
    number: int = 1
    text: str = ""

    @property
    def id(self) -> str:
        """Name of the point's test."""
        return f"{self.command} {self.start}: {self.moment}"


def _table(command: Command, start: Start, name: str, folder: str) -> list[Point]:
    """The points at which a table gets its data file and its commit."""
    place = f"{_TABLES}/{folder}"
    return [
        Point(command, start, f"{name} has a new data file", f"{place}/**/*.parquet"),
        Point(command, start, f"{name} has a new commit", f"{place}/_delta_log/*.json"),
    ]


def _made(name: str, folder: str) -> list[Point]:
    """The points at which a table is made and filled for the first time."""
    place = f"{_TABLES}/{folder}"
    log = f"{place}/_delta_log/*.json"
    return [
        Point("ingest", "empty", f"{name} is made", log),
        Point("ingest", "empty", f"{name} has its first data file", f"{place}/**/*.parquet"),
        Point("ingest", "empty", f"{name} has its first rows", log, number=2),
    ]


POINTS: tuple[Point, ...] = (
    Point("ingest", "empty", "the store has its owner", f"{_LANDING}/identity.json"),
    Point("ingest", "empty", "the second page is landed", f"{_DATASET}/pages/0*", number=2),
    Point("ingest", "empty", "the second page has its line", f"{_DATASET}/manifest/0*", number=2),
    Point("ingest", "empty", "the landing is remembered", f"{_DATASET}/cursor.json"),
    *_made("bronze", "bronze/calls"),
    Point("ingest", "empty", "the epoch is begun", f"{_TABLES}/epochs.json"),
    *_made("the table of versions", "silver/calls_versions"),
    *_made("silver", "silver/calls"),
    *_made("gold of rows", "gold/call_features"),
    *_made("gold of cells", "gold/berth_day"),
    Point("ingest", "first", "a new page is landed", f"{_DATASET}/pages/0*"),
    *_table("ingest", "first", "bronze", "bronze/calls"),
    *_table("ingest", "first", "the table of versions", "silver/calls_versions"),
    *_table("ingest", "first", "silver", "silver/calls"),
    *_table("ingest", "first", "gold of rows", "gold/call_features"),
    *_table("ingest", "first", "gold of cells", "gold/berth_day"),
    Point(
        "rebuild", "first", "the new epoch is begun", f"{_TABLES}/epochs.json", text='"number": 2'
    ),
    *_table("rebuild", "first", "the new table of versions", "silver/calls_versions@2"),
    *_table("rebuild", "first", "the new silver", "silver/calls@2"),
    Point(
        "rebuild", "first", "the pointer is moved", f"{_TABLES}/epochs.json", text='"current": 2'
    ),
    *_table("rebuild", "first", "gold of rows", "gold/call_features"),
)


def killed_at(point: Point, home: Path, arguments: list[str]) -> None:
    """Runs a command and kills it at a point.

    Args:
        point: The moment.
        home: The home that the command works on.
        arguments: The command line after ``goldlake``.

    Raises:
        AssertionError: The command ended before, or the moment did not come.
    """
    before = len(list(_matching(point, home)))
    command = [str(Path(sys.prefix, "bin", "goldlake")), *arguments]
    log = home.parent / "killed.log"
    with log.open("wb") as out, subprocess.Popen(command, stdout=out, stderr=out) as process:
        deadline = time.monotonic() + _PATIENCE_S
        try:
            while len(list(_matching(point, home))) < before + point.number:
                assert process.poll() is None, f"it ended before {point.moment}: {log.read_text()}"
                assert time.monotonic() < deadline, f"{point.moment}: it did not come"
                time.sleep(0.002)
            assert process.poll() is None, f"it ended with {point.moment}"
        finally:
            for pid in (*_below(process.pid), process.pid):
                _kill(pid)


def _matching(point: Point, home: Path) -> Iterator[Path]:
    for file in home.glob(point.files):
        if file.name.startswith("."):
            continue
        if not point.text or point.text in file.read_text(encoding="utf-8"):
            yield file


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _below(pid: int) -> list[int]:
    """All processes that descend from one."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        except OSError:  # it has ended
            continue
        children.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found = []
    wanted = [pid]
    while wanted:
        below = children.get(wanted.pop(), [])
        found += below
        wanted += below
    return found


def page() -> str:
    """The page of the book."""
    parts = [
        "<!-- Generated by python -m tests.faults.kills. -->",
        "",
        "# Kills",
        "",
        "Each line is a command that was killed (SIGKILL, with all of its processes) at the moment",
        "when something appeared in the home, and was then given once more. It ended well each",
        "time, and every table held the rows of a home in which nothing was killed.",
        "`make test-long PART=kills` kills all of them again. The home held nothing, or an",
        "earlier state of the source.",
        "",
        "| command | home | killed when | once more |",
        "| --- | --- | --- | --- |",
    ]
    homes = {"empty": "nothing", "first": "an earlier state"}
    for point in POINTS:
        parts.append(
            f"| `{point.command}` | {homes[point.start]} | {point.moment} | the same rows |"
        )
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(f"written to {PAGE}")
