"""How soon a followed stream is in gold, and what its batches and its idle polls cost.

usage: python -m benchmarks.follow [--batches N] [--gap S] [--home DIR] [--polls N]

Needs GOLDLAKE_TEST_DATA. A home with the real year 2016 follows a portal that publishes 3,600
amended records every ``--gap`` seconds, all over the year. Prints the seconds from the begin of the
poll that lands a batch to its last commit in gold, and the CPU seconds of all processes per batch
and per idle poll. The first batch, for which Spark warms up, does not count. With ``--polls``, so
many idle polls follow each other without a pause, and the memory of the process is printed.

A batch that takes longer than ``--gap`` makes the next one larger.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from benchmarks.ingest import ARREST, BEFORE, UPDATED_ON, USECASE, fresh, ingest, replayed, years
from benchmarks.ingest import written as written_export
from goldlake.workflows.follow import STATE
from goldlake_core.documents import codec
from goldlake_core.documents.lakehouse import Followed
from goldlake_core.documents.stages import FollowRequest
from lakehouse import stages

CHANGED = 3_600
PUBLISHED = datetime(2026, 6, 1, 15, 50)
STEP = timedelta(minutes=10)
START = "2026-06-01T20:45:00Z"  # five minutes before the first of them, by Chicago's clock
EVERY_S = 2
IDLE_S = 40.0
_TICKS = os.sysconf("SC_CLK_TCK")


def amended(rows: Sequence[dict[str, str]], batches: int) -> list[dict[str, str]]:
    """The rows, and after them each batch of amended ones."""
    step, later = len(rows) // CHANGED, []
    for batch in range(batches):
        at = (PUBLISHED + batch * STEP).strftime("%m/%d/%Y %I:%M:%S %p")
        for number in range(CHANGED):
            row = dict(rows[number * step + batch], **{UPDATED_ON: at})
            row[ARREST] = "false" if row[ARREST] == "true" else "true"
            later.append(row)
    return [*rows, *later]


def tree(root: int) -> list[int]:
    """A process and all that come from it."""
    listed = subprocess.run(["ps", "-e", "-o", "pid=,ppid="], capture_output=True, text=True)
    parents = dict(map(int, line.split()) for line in listed.stdout.splitlines())
    found = [root]
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return found


def cpu_seconds(pids: Sequence[int]) -> float:
    """User and system time of processes and of those of theirs that have ended."""
    total = 0
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        total += sum(map(int, fields[11:15]))
    return total / _TICKS


def memory_mb(pids: Sequence[int]) -> float:
    """Resident memory of processes."""
    total = 0.0
    for pid in pids:
        try:
            status = Path(f"/proc/{pid}/status").read_text()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in status.splitlines() if "VmRSS" in line)
    return total / 1024


def state(home: Path) -> Followed:
    """How the newest run stands."""
    files = sorted(home.glob(f"runs/*/{STATE}"), key=os.path.getmtime)
    if not files:
        return Followed()
    return codec.decode(files[-1].read_bytes(), Followed, str(files[-1]))


def stream(home: Path, url: str, batches: int) -> None:
    """Follows until so many batches are in gold, and prints what they took."""
    command = [sys.executable, "-m", "goldlake.cli.main", "ingest", USECASE, "--follow"]
    command += ["--source", url, "--home", str(home), "--every", f"{EVERY_S}s", "--json"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    before = 0.0
    seconds: list[float] = []
    costs: list[float] = []
    now = Followed()
    while now.rows < batches * CHANGED:
        time.sleep(0.1)
        now = state(home)
        if now.batches > len(seconds) and now.batch is not None:
            used = cpu_seconds(tree(process.pid))
            seconds.append(now.batch.seconds)
            costs.append(used - before)
            before = used
            print(f"batch {now.batches}: {now.batch.rows:,} records, {seconds[-1]:.1f} s", end="")
            print(f", {costs[-1]:.1f} CPU s, {memory_mb(tree(process.pid)):,.0f} MB", flush=True)
    time.sleep(5)
    polls, used = state(home).polls, cpu_seconds(tree(process.pid))
    time.sleep(IDLE_S)
    idle = (cpu_seconds(tree(process.pid)) - used) / max(1, state(home).polls - polls)
    ended = time.monotonic()
    process.send_signal(signal.SIGTERM)
    process.wait()
    warm, warm_costs = sorted(seconds[1:]), costs[1:]
    p95 = warm[min(len(warm) - 1, round(0.95 * (len(warm) - 1)))]
    print(f"delay p50 {statistics.median(warm):.1f} s, p95 {p95:.1f} s")
    print(f"CPU {statistics.median(warm_costs):.1f} s a batch, {idle:.3f} s an idle poll")
    print(f"SIGTERM ended it after {time.monotonic() - ended:.1f} s")


def idle_polls(home: Path, url: str, number: int) -> None:
    """Polls again and again in this process, and prints its memory."""
    file = home / STATE
    request = FollowRequest(
        usecase=USECASE,
        home=str(home),
        run_id="polls",
        contract={},
        source=url,
        every=0.0,
        state=str(file),
    )
    started, pids = time.process_time(), [os.getpid()]

    def watch() -> None:
        told, polls = 0, 0
        while polls < number:
            time.sleep(0.5)
            polls = codec.decode(file.read_bytes(), Followed, "").polls if file.exists() else 0
            if polls >= told + number // 10:
                told = polls
                print(f"{polls:6} polls, {memory_mb(pids):.0f} MB, ", end="")
                print(f"{(time.process_time() - started) / polls:.3f} CPU s a poll", flush=True)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()
    stages.follow_stage(request, lambda *event, **more: None)


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batches", type=int, default=12)
    parser.add_argument("--gap", type=float, default=30.0, help="seconds between batches")
    parser.add_argument("--home", type=Path, help="a folder that keeps the home of the year")
    parser.add_argument("--polls", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.home or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        export = Path(os.environ["GOLDLAKE_TEST_DATA"]) / "chicago" / "crimes_2016.csv.gz"
        played, base = folder / f"stream-{options.batches}.csv.gz", folder / "home-1"
        if not played.exists():
            written_export(amended(years(export, 1), options.batches), played)
        if not base.exists():
            with replayed(played, BEFORE) as url:
                ingest(url, base, folder / "log")
        home = fresh(base, folder / "followed")
        if options.polls:
            with replayed(played, BEFORE) as url:
                idle_polls(home, url, options.polls)
            return
        with replayed(played, START, STEP.total_seconds() / options.gap) as url:
            stream(home, url, options.batches)


if __name__ == "__main__":
    main()
