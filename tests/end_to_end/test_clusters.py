"""A home with clusters through backup, rebuild, restore and erase, by commands alone.

Pinned fits stay through all that changes no earlier row. What leaves the home leaves its fits.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterable
from pathlib import Path

import pytest

from goldlake_core.contracts.ids import TableId
from goldlake_core.contracts.loader import load_contract
from goldlake_core.storage.deltalog import DeltaLog
from goldlake_core.storage.fits import FitSet
from goldlake_core.storage.home import Home
from lakehouse import rows, specs
from lakehouse.clusters import Clusters
from lakehouse.gold.basis import basis_of
from tests.end_to_end.commands import goldlake, goldlake_json
from tests.lakehouse.test_clusters import CONTRACT, DAY, Event, events, numbered
from tests.lakehouse.test_erase import held_files

pytestmark = [pytest.mark.long, pytest.mark.spark, pytest.mark.timeout(1800)]

ERASED: Event = (77, 5 * DAY + 60, 4242.4242, 7)
"""Far from all others, so that it is a cluster of its own in each fit that saw it."""
MOST_X, MOST_Y = 102, 7


class Kept:
    """A home beside a use case's folder, as a reader without Spark sees it."""

    def __init__(self, folder: Path, name: str = "home") -> None:
        self.folder, self.name = folder, name
        self.usecase = load_contract(folder / "engines")
        self.home = Home.at(folder / name)
        self.table = self.usecase.gold["events"]

    @property
    def fits(self) -> FitSet:
        """The fits that count now."""
        return Clusters.of(self.usecase, self.home, self.table).sets["place"]

    @property
    def numbers(self) -> dict[int, int | None]:
        """Number of the cluster by event, as gold has it."""
        frame, *_ = rows.all_rows(TableId("engines", "gold", "events"), self.home)
        return dict(frame.select("id", "place").collect().iter_rows())

    @property
    def sets(self) -> list[str]:
        """The sets of fits in the home, those that count no more included."""
        return sorted(path.name for path in Path(self.fits.folder).parent.iterdir())

    def run(self, command: str, *more: str) -> str:
        """Run id of a command on the use case."""
        called = (command, "engines", *more, "--home", self.name)
        return str(goldlake_json(*called, folder=self.folder)["run_id"])

    def require(self, landed: Iterable[Event]) -> None:
        """Gold has these events alone, by the fits that its commit names, as a rebuild does."""
        assert self.numbers == numbered(landed, self.fits.fits)
        commit = DeltaLog(specs.gold(self.usecase, self.home, self.table).uri).last_commit_with(
            "clusters"
        )
        assert commit is not None
        assert basis_of(commit).clusters == {"place": self.fits.pin}
        told = goldlake("doctor", "--deep", "--home", self.name, folder=self.folder)
        assert "all contents agree: pages, bronze, versions, silver, gold" in told


def write(folder: Path, name: str, landed: Iterable[Event]) -> None:
    lines = [",".join(map(str, event)) for event in landed]
    (folder / "engines" / "data").mkdir(parents=True, exist_ok=True)
    text = "\n".join(["id,at,x,y", *lines]) + "\n"
    (folder / "engines" / "data" / name).write_text(text, encoding="utf-8")


def test_fits_go_with_their_home_and_leave_with_their_records(tmp_path: Path) -> None:
    rng = random.Random(7)
    early = [*events(rng, 100, range(25), 60), ERASED]
    late = [*events(rng, 200, range(28, 36), 12), *events(rng, 300, range(25), 5)]
    write(tmp_path, "early.csv", early)
    (tmp_path / "engines" / "contract.yaml").write_text(CONTRACT, encoding="utf-8")
    kept = Kept(tmp_path)

    # A new interval is fitted, and what came late changes no earlier fit.
    first = kept.run("ingest", "--source", "live")
    of_first = kept.fits
    kept.require(early)
    write(tmp_path, "late.csv", late)
    second = kept.run("ingest", "--source", "live")
    of_second, numbers = kept.fits, kept.numbers
    assert of_second.first(3) == of_first
    assert [fit.start[:10] for fit in of_second.fits[3:]] == ["1970-01-31"]
    assert max(center.values[0] for center in of_second.fits[1].centers) > MOST_X
    kept.require([*early, *late])

    # A copy has them, and so has a home that is made of the copy.
    goldlake("backup", "copy", "--home", "home", folder=tmp_path)
    shutil.copytree(tmp_path / "copy", tmp_path / "back")
    copied = Kept(tmp_path, "back")
    assert (copied.fits.pin, copied.numbers) == (of_second.pin, numbers)
    copied.run("ingest", "--source", "live")
    assert (copied.fits.pin, copied.numbers) == (of_second.pin, numbers)
    copied.require([*early, *late])

    # A rebuild looks up. Asked to fit anew, it sees what came late.
    kept.run("rebuild")
    assert (kept.fits, kept.numbers) == (of_second, numbers)
    copied.run("rebuild", "--refit")
    assert [fit.rows for fit in copied.fits.fits] > [fit.rows for fit in of_second.fits]
    assert copied.fits.pin != of_second.pin
    copied.require([*early, *late])

    # Pages that count no more take their fit with them. Back again, it is made again.
    kept.run("restore", "--to", first)
    assert [fit.centers for fit in kept.fits.fits] == [fit.centers for fit in of_first.fits]
    kept.require(early)
    kept.run("restore", "--to", second)
    assert [fit.centers for fit in kept.fits.fits] == [fit.centers for fit in of_second.fits]
    assert kept.numbers == numbers
    kept.require([*early, *late])

    # Nothing of an erased record is in a file or a fit, and it does not come back.
    assert held_files(kept.home, b"4242.42")
    assert len(kept.sets) > 1
    erased = ("--key", "77", "--because", "a letter")
    goldlake("erase", "engines", *erased, "--home", "home", folder=tmp_path)
    left = [*early[:-1], *late]
    for again in (False, True):
        if again:
            left.append((78, 6 * DAY, 0.5, 0))
            write(tmp_path, "early.csv", [*early, left[-1]])
            kept.run("ingest", "--source", "live")
        assert held_files(kept.home, b"4242.4") == []
        centers = [center.values for fit in kept.fits.fits for center in fit.centers]
        assert len(kept.sets) == 1
        assert max(x for x, _ in centers) < MOST_X
        assert max(y for _, y in centers) < MOST_Y
        kept.require(left)
    assert kept.fits.fits[1].rows == sum(at < 10 * DAY for _, at, _, _ in left[:-1])
    assert held_files(copied.home, b"4242.42"), "what a copy holds, another erasure takes out"
