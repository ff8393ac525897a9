"""What an ingestion costs: nothing new, an increment and the first load, in CPU seconds and jobs.

usage: python -m benchmarks.ingest [--years N] [--repeat N] [--peer PYTHON] [--home DIR]
                                   [--page FILE]

Needs GOLDLAKE_TEST_DATA. Replays the portal's export of 2016 with `goldlake source` (with
``--years``, that many times, years and ids shifted), ingests it into a new home, brings what was
landed to silver once more, then plays time forward to 3,068 amended, 600 new and 20 invalid rows,
and then asks once more, with nothing new. CPU seconds are those of the command and of every process
that it started; the jobs of Spark are counted in Spark's event log. With ``--peer``, dlt upserts
the same landed pages, alternately with goldlake: see `benchmarks.peer_dlt`. With ``--home``, first
loads are made in that folder once, and copied from there in later calls. ``--page`` writes a page
of the book, and beside it the JSON document and the picture from which it is made.
"""

from __future__ import annotations

import argparse
import csv
import ctypes
import gzip
import json
import multiprocessing
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks import ingest_page
from benchmarks.ingest_page import FIRST, INCREMENT, NOTHING, OURS, PEER, TO_SILVER, Cost

USECASE = "chicago_crime"
AMENDED, NEW, INVALID = 3_068, 600, 20
BEFORE, AFTER = "2026-05-01T00:00:00Z", "2026-07-01T00:00:00Z"
UPDATED_ON, DATE, ID, CASE_NUMBER, ARREST = "Updated On", "Date", "ID", "Case Number", "Arrest"
_BECOME_SUBREAPER = 36


@dataclass(frozen=True)
class Measured:
    """One measurement.

    Attributes:
        what: The operation, such as ``increment``.
        who: The program that ran it.
        cost: CPU seconds, time and memory of it.
    """

    what: str
    who: str
    cost: Cost


def measured(command: Sequence[str], log: Path) -> Cost:
    """Runs a command to its end; what it leaves running is waited for, too."""
    ctypes.CDLL(None).prctl(_BECOME_SUBREAPER, 1, 0, 0, 0)
    events = Path(tempfile.mkdtemp(prefix="goldlake-events-"))
    settings = {
        "enabled": "true",
        "dir": events.as_uri(),
        "compress": "false",
        "rolling.enabled": "false",
    }
    given = " ".join(f"--conf spark.eventLog.{name}={value}" for name, value in settings.items())
    more = {"PYSPARK_SUBMIT_ARGS": f"{given} pyspark-shell"}
    started = time.monotonic()
    cpu, peak = 0.0, 0
    with log.open("a") as errors:
        process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=errors, env={**os.environ, **more}
        )
        while True:
            try:
                pid, status, usage = os.wait3(0)
            except ChildProcessError:
                break
            cpu += usage.ru_utime + usage.ru_stime
            peak = max(peak, usage.ru_maxrss)
            if pid == process.pid:
                seconds = time.monotonic() - started
                if status:
                    raise RuntimeError(f"{' '.join(command)} failed; see {log}")
                process.returncode = 0
    jobs = sum(
        b'"SparkListenerJobStart"' in line
        for file in events.rglob("*")
        if file.is_file()
        for line in file.open("rb")
    )
    shutil.rmtree(events)
    return Cost(round(seconds, 2), round(cpu, 2), round(peak / 1024, 1), jobs)


@contextmanager
def replayed(export: Path, now: str, speed: float = 0.000001) -> Iterator[str]:
    """The address of the use case's API from an instant on; its own cost is not counted.

    Args:
        export: Rows of the portal, as it exports them.
        now: The instant at which it is first asked.
        speed: Seconds that pass there in a second here.
    """
    # Started by a shell that ends at once, it is a child of nobody who waits for children here.
    command = [sys.executable, "-m", "goldlake.cli.main", "source", USECASE]
    command += ["--data", str(export), "--port", "0", "--json"]
    command += ["--start", now, "--speed", f"{speed:f}"]
    ctypes.CDLL(None).prctl(_BECOME_SUBREAPER, 0, 0, 0, 0)
    reader, writer = os.pipe()
    number = os.fork()
    if not number:
        os.close(reader)
        server = subprocess.Popen(command, stdout=writer, start_new_session=True)
        os.write(writer, f"{server.pid}\n".encode())
        os._exit(0)
    os.close(writer)
    os.waitpid(number, 0)
    with os.fdopen(reader) as lines:
        server_pid = int(lines.readline())
        try:
            yield json.loads(lines.readline())["url"]
        finally:
            os.kill(server_pid, signal.SIGTERM)


def years(export: Path, number: int) -> list[dict[str, str]]:
    """The rows of an export that many times, each with another year and other ids."""
    with gzip.open(export, "rt", encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    more = []
    for past in range(1, number):
        for row in rows:
            shifted = dict(row)
            shifted[ID] = str(int(row[ID]) + past * 100_000_000)
            shifted[CASE_NUMBER] = f"{row[CASE_NUMBER]}-{past}"
            # Leap days and their weekdays stay what they are: the years are 28 apart.
            for name in (DATE, UPDATED_ON):
                day, month_year = row[name][:6], row[name][6:10]
                shifted[name] = f"{day}{int(month_year) - 28 * past:04d}{row[name][10:]}"
            more.append(shifted)
    return more + rows


def with_changes(rows: Sequence[dict[str, str]]) -> list[dict[str, str]]:
    """The rows, and those that the portal publishes later; they amend rows all over the year."""
    newest = rows[-268_813:]
    step = len(newest) // (AMENDED + 1)
    changed = {index * step for index in range(AMENDED)}
    later = []
    for index in sorted(changed):
        row = dict(newest[index], **{UPDATED_ON: "06/01/2026 03:50:01 PM"})
        row[ARREST] = "false" if row[ARREST] == "true" else "true"
        later.append(row)
    for number in range(NEW + INVALID):
        row = dict(newest[number * 401])
        row[ID], row[CASE_NUMBER] = str(90_000_000 + number), f"JZ{number:06d}"
        row[UPDATED_ON] = "06/02/2026 03:50:01 PM"
        if number >= NEW:
            row["Latitude"] = "4171.5"
        later.append(row)
    return [*rows, *later]


def written(rows: Sequence[dict[str, str]], file: Path) -> Path:
    """Writes rows as the portal exports them."""
    with gzip.open(file, "wt", compresslevel=1, encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return file


def ingest(url: str, home: Path, log: Path) -> Cost:
    """The cost of `goldlake ingest`."""
    command = [sys.executable, "-m", "goldlake.cli.main", "ingest", USECASE, "--source", url]
    return measured([*command, "--home", str(home), "--json"], log)


def upsert(python: str, store: Path, pages: Sequence[Path], log: Path) -> Cost:
    """The cost of the peer, which upserts landed pages into a table."""
    command = [python, "-m", "benchmarks.peer_dlt", "--store", str(store), *map(str, pages)]
    return measured(command, log)


def landed(home: Path) -> list[Path]:
    """The pages of a home, in the order of landing."""
    return sorted(home.glob(f"landing/{USECASE}/*/pages/*.gz"))


def fresh(base: Path, copy: Path) -> Path:
    """A copy of a folder, in place of an earlier one."""
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(base, copy)
    return copy


def measure(number: int, repeat: int, python: str | None, folder: Path) -> list[Measured]:
    """Runs everything: first loads once, the rest several times, alternately.

    Args:
        number: How many years there are.
        repeat: How often increments are measured.
        python: Interpreter of the environment that has dlt; None: without the peer.
        folder: Where the homes and the exports are kept; what is there already is used again.

    Returns:
        What was measured, in order. First loads are only there where they were made.
    """
    export = Path(os.environ["GOLDLAKE_TEST_DATA"]) / "chicago" / "crimes_2016.csv.gz"
    played = folder / f"played-{number}.csv.gz"
    if not played.exists():
        # In another process: what runs next is measured by a peak that begins with this one's.
        writer = multiprocessing.Process(
            target=lambda: written(with_changes(years(export, number)), played)
        )
        writer.start()
        writer.join()
    log, base, peer = folder / "log", folder / f"home-{number}", folder / f"peer-{number}"
    found = []
    if not base.exists():
        with replayed(played, BEFORE) as url:
            found.append(Measured(FIRST, OURS, ingest(url, base, log)))
        landed_only = folder / "home"
        shutil.rmtree(landed_only, ignore_errors=True)
        shutil.copytree(base / "landing", landed_only / "landing")
        command = [sys.executable, "-m", "benchmarks.to_silver", USECASE, str(landed_only)]
        found.append(Measured(TO_SILVER, OURS, measured(command, log)))
    if python and not peer.exists():
        cost = upsert(python, peer, landed(base), log)
        found += [Measured(FIRST, PEER, cost), Measured(TO_SILVER, PEER, cost)]
    before = {page.name for page in landed(base)}
    for _ in range(repeat):
        home = fresh(base, folder / "home")
        with replayed(played, AFTER) as url:
            found.append(Measured(INCREMENT, OURS, ingest(url, home, log)))
            found.append(Measured(NOTHING, OURS, ingest(url, home, log)))
        if python:
            new = [page for page in landed(home) if page.name not in before]
            store = fresh(peer, folder / "peer")
            found.append(Measured(INCREMENT, PEER, upsert(python, store, new, log)))
            found.append(Measured(NOTHING, PEER, upsert(python, store, [], log)))
    return found


def medians(found: Sequence[Measured]) -> dict[str, dict[str, Cost]]:
    """The median of each number, by what was done and by whom."""
    result: dict[str, dict[str, Cost]] = {}
    for what, who in dict.fromkeys((each.what, each.who) for each in found):
        costs = [each.cost for each in found if (each.what, each.who) == (what, who)]
        numbers = (
            statistics.median(getattr(cost, name) for cost in costs)
            for name in ("seconds", "cpu_seconds", "peak_mb", "jobs")
        )
        seconds, cpu_seconds, peak_mb, jobs = numbers
        result.setdefault(what, {})[who] = Cost(seconds, cpu_seconds, peak_mb, int(jobs))
    return result


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--years", type=int, default=1)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--peer", help="the Python of an environment with dlt")
    parser.add_argument("--home", type=Path, help="a folder that keeps the homes and the exports")
    parser.add_argument("--page", type=Path, help="write this page of the book, too")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.home or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        costs = medians(measure(options.years, options.repeat, options.peer, folder))
    print(f"{'':18} {'CPU s':>8} {'seconds':>8} {'jobs':>5} {'peak MB':>8}")
    for what, by_whom in costs.items():
        for who, cost in by_whom.items():
            told = f"{cost.cpu_seconds:8.1f} {cost.seconds:8.1f} {cost.jobs:5} {cost.peak_mb:8.0f}"
            print(f"{what + ', ' + who:24} {told}")
    if options.page:
        ingest_page.write(options.page, options.years, options.repeat, costs, options.peer)


if __name__ == "__main__":
    main()
