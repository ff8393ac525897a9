"""What a look at the request log costs: `goldlake retrain` with nothing due, of 100,000 answers.

usage: python -m benchmarks.monitor [--answers N] [--repeat N]

The home is that of the tests: half a year of gold rows, of which the last two months are answered
and logged in files as the server rotates them. Prints the median seconds and CPU seconds of the
command, each time in a new process: the first look, the next one with nothing new, and after
1,000 answers more. Python keeps what it compiles, as it does unless PYTHONDONTWRITEBYTECODE is set;
a run that is not counted compiles. Without that the command compiles 600 modules each time.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.measured_at import commit, machine
from tests.tfx_pipeline.toy_export import TOY
from tests.workflows.live_home import DAYS, MAY, LiveHome

CONDITIONS = "rows>=500, age>=30d, drift, metric:auc<0.8, metric:auc[28d]<0.8"
COMPILES = {name: text for name, text in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
LINES_A_FILE = 10_000
MORE = 1_000


def timed(live: LiveHome) -> tuple[float, float]:
    """Seconds and CPU seconds of a retraining that finds nothing due."""
    command = ["retrain", f"{TOY}:overdue", "--if", CONDITIONS, "--home", live.home.root]
    began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    goldlake = str(Path(sys.prefix, "bin", "goldlake"))
    ran = subprocess.run(
        [goldlake, *command], capture_output=True, text=True, check=True, env=COMPILES
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert "Nothing is due." in ran.stdout, ran.stdout
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.monotonic() - began, cpu


def measured(root: Path, answers: int) -> list[tuple[float, float]]:
    """The first look, the next one, and one with some answers more."""
    live = LiveHome(root, per_day=-(-(answers + MORE) // (DAYS - MAY)))
    lines = live.asked(answers + MORE)
    for number, begin in enumerate(range(0, answers, LINES_A_FILE)):
        live.log(f"{number:03}.jsonl", lines[begin : min(begin + LINES_A_FILE, answers)])
    first, next_ = timed(live), timed(live)
    live.log("999.jsonl.open", lines[answers:])
    return [first, next_, timed(live)]


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--answers", type=int, default=100_000)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    runs = []
    with tempfile.TemporaryDirectory() as folder:
        measured(Path(folder), MORE)
    for _ in range(options.repeat):
        with tempfile.TemporaryDirectory() as folder:
            runs.append(measured(Path(folder), options.answers))
    print(f"{commit()}, {machine()}; {options.answers:,} answers, medians of {options.repeat}")
    for place, step in enumerate(("first look", "nothing new", f"{MORE:,} answers more")):
        wall, cpu = (statistics.median(run[place][n] for run in runs) for n in (0, 1))
        print(f"{step:20} {wall:6.2f} s  {cpu:6.2f} CPU s")


if __name__ == "__main__":
    main()
