"""What the validation gate costs on the real year 2016.

usage: python -m benchmarks.gate [--repeat N]

Needs GOLDLAKE_TEST_DATA. The tables are written by Polars, as a refinement leaves them. Prints the
median seconds and CPU seconds of the first judgement of eleven months of silver, baseline included;
of a new month; of a judgement with nothing new; and the size of what is kept.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.measured_at import commit, machine
from goldlake_core.storage.home import Home
from lakehouse import gate, gaterows
from tests.breaks.feed import raw_months, usecase
from tests.breaks.tables import write_year

STEPS = ("first judgement of 11 months", "a new month", "nothing new")


def _nobody(*event: object, **more: object) -> None:
    """An `Emit` for nobody."""


def timed(step: Callable[[], object]) -> tuple[float, float]:
    """Seconds and CPU seconds that a step takes in this process."""
    wall, cpu = time.monotonic(), time.process_time()
    step()
    return time.monotonic() - wall, time.process_time() - cpu


def measured(folder: Path, root: Path) -> tuple[list[tuple[float, float]], int]:
    """The seconds of each step, and the bytes kept."""
    home, months = Home.at(root), raw_months(folder)

    def judge(run_id: str) -> Callable[[], object]:
        def step() -> None:
            rows = gaterows.silver_rows(usecase(), home, 1)
            assert rows is not None
            gate.judge(rows, home, run_id, _nobody)

        return step

    write_year(home, months[:11])
    found = [timed(judge("first"))]
    write_year(home, months)
    found += [timed(judge("month")), timed(judge("again"))]
    kept = sum(file.stat().st_size for file in (root / "gate").rglob("*") if file.is_file())
    return found, kept


def main() -> None:
    """Prints the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=3)
    repeat = parser.parse_args().repeat
    folder = Path(os.environ["GOLDLAKE_TEST_DATA"])
    runs, kept = [], 0
    for _ in range(repeat):
        with tempfile.TemporaryDirectory() as root:
            found, kept = measured(folder, Path(root))
            runs.append(found)
    print(f"{commit()}, {machine()}, medians of {repeat}")
    for place, name in enumerate(STEPS):
        wall, cpu = (statistics.median(run[place][kind] for run in runs) for kind in (0, 1))
        print(f"{name}: {wall:.2f} s, {cpu:.2f} CPU s")
    print(f"kept: {kept / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
