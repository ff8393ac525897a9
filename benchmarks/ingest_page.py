"""The page of the book with the cost of ingestion: what was measured, as tables and a picture."""

from __future__ import annotations

import importlib.metadata
import platform
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import msgspec

from benchmarks import measured_at

FIRST, TO_SILVER = "first load", "landed pages to silver"
INCREMENT, NOTHING = "increment", "nothing new"
OURS, PEER = "goldlake", "dlt"
INTRODUCTION = """# What ingestion costs

Written by `make bench-ingest` (`YEARS=10` for ten years), which needs the real export of 2016. The
first load brings every record from a replayed portal to gold. After it, the pages that it landed
are brought to silver alone, in a home without tables. The increment is 3,068 amended, 600
new and 20 invalid records that lie all over the newest year. The same command with nothing new
comes last. goldlake lands, checks, keeps the fate of each record, and maintains two gold tables.
dlt upserts the landed pages into one Delta table and does none of that. CPU seconds are those of
all processes.
"""
PROFILE = """
## Where an increment's CPU seconds go

By samples of Java's threads at commit 22d1bbc, tasks take 20 of about 53 CPU seconds, the thread
that plans takes 15, Python 8, and the rest is starting Java, compiling and the gate. A quarter of
the tasks' time is writing Parquet, a fifth generated code, and an eighth each reading Parquet and
the statistics of Delta's log. Silver and gold's rows are written again whole, for the changed
records lie in every file, and all of that code runs for the first time. A quarter of the planning
thread's time is analysis, and an eighth each is loading classes, py4j and compiling generated code.

Ten of the 29 jobs are broadcasts. Eight check a sample of gold against a rebuild.

## What a followed stream costs

`python -m benchmarks.follow` plays 3,600 amended records all over the year, each 25 seconds, to one
process. From poll to gold a batch takes 16.9 seconds (median; 27.7 at the 95th percentile) and 18
CPU seconds, 2.4 of them in the gate. The goals are 8, 15 and twice what dlt takes. Spark generates
the same code for each batch, so that Java has compiled most of it after a few: the eleventh takes
13 seconds and 16 CPU seconds. A batch took 22.3 seconds and 34 CPU seconds while the generated code
held bounds and lists of values, and Spark's cache of classes was smaller than a batch needs.

Writing silver and gold's rows again (4 CPU seconds of tasks), planning (3.5), Python (2.5), the
gate and compiling are what is left.

An idle poll takes 0.01 CPU seconds, and the process 93 MB from the first to the last of 10,000
polls: until something comes, no JVM runs.

## What a first run costs

`goldlake run` on 20,000 generated rows, beside commit 355bf89 on the same machine: refine and
export 38 seconds of 70 (0.54; the goal is 0.3), 22 jobs of Spark of 103, the whole run 143 seconds
of 191 and 135 CPU seconds of 156.

## What landing costs

Landing the year takes 4.5 CPU seconds of Python, 0.84 for 50,000 records (4.4 before pages were
kept as they were sent).
"""
HEAD = """| what | who | CPU seconds | by the clock | jobs of Spark | peak memory | CPU, times dlt |
| --- | --- | --- | --- | --- | --- | --- |"""
COLORS = {OURS: "#20639b", PEER: "#8a8f98"}
_WIDTH, _BAR, _LEFT, _RIGHT = 720, 18, 190, 90


@dataclass(frozen=True)
class Cost:
    """What a command cost.

    Attributes:
        seconds: Time by the clock.
        cpu_seconds: User and system time of the command and of all that it started.
        peak_mb: The largest resident set of one of these processes; 0 where it is not known.
        jobs: Jobs of Spark, or 0 where no JVM was started.
    """

    seconds: float
    cpu_seconds: float
    peak_mb: float
    jobs: int


class Result(msgspec.Struct, frozen=True):
    """One call of the benchmark.

    Attributes:
        years: How many years of records there were.
        repeat: How often increments were measured; the numbers are medians.
        day: The day of the measurement, ISO 8601.
        commit: The commit that was measured.
        machine: Cores, memory and system.
        versions: Versions of the packages.
        costs: By what was done and by whom.
    """

    years: int
    repeat: int
    day: str
    commit: str
    machine: str
    versions: dict[str, str]
    costs: dict[str, dict[str, Cost]]


def write(
    page: Path,
    years: int,
    repeat: int,
    costs: Mapping[str, Mapping[str, Cost]],
    peer: str | None,
) -> None:
    """Puts a result among those that are there, and writes the page and its picture."""
    store = page.with_suffix(".json")
    held: dict[str, Result] = {}
    if store.exists():
        held = msgspec.json.decode(store.read_bytes(), type=dict[str, Result])
    plain = {what: dict(by_whom) for what, by_whom in costs.items()}
    held[str(years)] = Result(
        years,
        repeat,
        date.today().isoformat(),
        measured_at.commit(),
        measured_at.machine(),
        _versions(peer),
        plain,
    )
    page.parent.mkdir(parents=True, exist_ok=True)
    store.write_bytes(msgspec.json.format(msgspec.json.encode(held), indent=1) + b"\n")
    results = [held[number] for number in sorted(held, key=int)]
    page.with_suffix(".svg").write_text(picture(results), encoding="utf-8")
    page.write_text(text(results, page.with_suffix(".svg").name), encoding="utf-8")


def text(results: list[Result], picture_name: str) -> str:
    """The page in Markdown."""
    return "\n".join(_lines(results, picture_name)) + "\n"


def _lines(results: list[Result], picture_name: str) -> Iterator[str]:
    yield INTRODUCTION
    yield f"![CPU seconds by what was done]({picture_name})"
    for result in results:
        years = "one year" if result.years == 1 else f"{result.years} years"
        yield ""
        yield f"## {years.capitalize()}"
        yield ""
        yield HEAD
        for what, by_whom in result.costs.items():
            for who, cost in by_whom.items():
                peer = by_whom.get(PEER)
                ratio = f"{cost.cpu_seconds / peer.cpu_seconds:.1f}" if peer else ""
                jobs = str(cost.jobs) if who == OURS else ""
                peak = f"{cost.peak_mb:,.0f} MB" if cost.peak_mb else ""
                yield (
                    f"| {what} | {who} | {cost.cpu_seconds:.1f} | {cost.seconds:.1f} s | {jobs} "
                    f"| {peak} | {ratio} |"
                )
        named = ", ".join(f"{name} {version}" for name, version in result.versions.items())
        yield ""
        times = f"Medians of {result.repeat} for increments, {result.day}, commit {result.commit}."
        yield f"{times} {result.machine}."
        yield f"Versions: {named}."
    if results and INCREMENT in results[0].costs and NOTHING in results[0].costs:
        yield from _targets(results)
    yield PROFILE.rstrip()


def _targets(results: list[Result]) -> Iterator[str]:
    """The goals of the design, each beside what was measured."""
    one, more = results[0], results[-1]
    yield ""
    yield "## Targets"
    yield ""
    yield "| what | target | measured |"
    yield "| --- | --- | --- |"
    ours, peer = one.costs[INCREMENT][OURS], one.costs[INCREMENT].get(PEER)
    if peer:
        yield f"| increment, CPU, times dlt | 12 | {ours.cpu_seconds / peer.cpu_seconds:.1f} |"
    yield f"| increment, jobs of Spark | 25 | {ours.jobs} |"
    nothing = one.costs[NOTHING][OURS]
    yield f"| nothing new, CPU seconds | 1.5 | {nothing.cpu_seconds:.1f} |"
    yield f"| nothing new, seconds | 2.0 | {nothing.seconds:.1f} |"
    to_silver = one.costs.get(TO_SILVER, {})
    if PEER in to_silver:
        cpu = to_silver[OURS].cpu_seconds / to_silver[PEER].cpu_seconds
        seconds = to_silver[OURS].seconds / to_silver[PEER].seconds
        yield f"| landed pages to silver, CPU, times dlt | 1.8 | {cpu:.1f} |"
        yield f"| landed pages to silver, by the clock, times dlt | 1 | {seconds:.1f} |"
    if more is one or not all(FIRST in result.costs for result in (one, more)):
        return
    first, before = more.costs[FIRST][OURS], one.costs[FIRST][OURS]
    peer = more.costs[FIRST].get(PEER)
    years = f"{more.years} years"
    if peer:
        cpu, seconds = first.cpu_seconds / peer.cpu_seconds, first.seconds / peer.seconds
        yield f"| first load of {years}, CPU, times dlt | 0.8 | {cpu:.1f} |"
        yield f"| first load of {years}, by the clock, times dlt | 0.5 | {seconds:.1f} |"
    grown = more.costs[INCREMENT][OURS].cpu_seconds / ours.cpu_seconds
    yield f"| increment at {years}, CPU, times that at one year | 1.3 | {grown:.1f} |"
    peak = first.peak_mb / before.peak_mb
    yield f"| first load, peak at {years}, times one year | 1.3 | {peak:.1f} |"


def picture(results: list[Result]) -> str:
    """Bars of CPU seconds, one group for each year count and each thing that was done."""
    bars = [
        (f"{result.years} × 2016, {what}", who, cost.cpu_seconds)
        for result in results
        for what, by_whom in result.costs.items()
        for who, cost in by_whom.items()
    ]
    most = max((seconds for *_, seconds in bars), default=1.0)
    height = (_BAR + 6) * len(bars) + 24
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
        'font-family="sans-serif" font-size="12" role="img" aria-label="CPU seconds">',
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
    ]
    for index, (label, who, seconds) in enumerate(bars):
        y = 12 + index * (_BAR + 6)
        width = max(1.0, (_WIDTH - _LEFT - _RIGHT) * seconds / most)
        lines += [
            f'<text x="{_LEFT - 8}" y="{y + 13}" text-anchor="end" fill="#333333">{label}</text>',
            f'<rect x="{_LEFT}" y="{y}" width="{width:.1f}" height="{_BAR}" fill="{COLORS[who]}"/>',
            f'<text x="{_LEFT + width + 6:.1f}" y="{y + 13}" fill="#333333">'
            f"{seconds:.1f} {who}</text>",
        ]
    return "\n".join([*lines, "</svg>"]) + "\n"


def _versions(peer: str | None) -> dict[str, str]:
    found = {"Python": platform.python_version()}
    found |= {name: importlib.metadata.version(name) for name in ("pyspark", "delta-spark")}
    if peer:
        asked = "from importlib.metadata import version as v; print(v('dlt'), v('deltalake'))"
        answer = subprocess.run([peer, "-c", asked], capture_output=True, text=True, check=True)
        found |= dict(zip(("dlt", "deltalake"), answer.stdout.split(), strict=True))
    return found
