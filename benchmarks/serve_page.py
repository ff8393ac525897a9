"""The page of the book with the cost of a prediction: tables and a picture of what was measured."""

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

OURS, KSERVE, ASGI = "goldlake", "KServe", "ASGI"
CONNECTIONS = (1, 16, 64)
INTRODUCTION = """# What a prediction costs

Written by `make bench-serve`. The demo's arrest model (13 inputs) answers one row a request over
REST, on loopback, to wrk on the same cores. KServe is its Python server with the V1 protocol, which
calls the same signature of the same files, slimmed graph included, on the Python of the peers'
environment. ASGI is an application without a model, a constant answer on uvicorn with uvloop and
httptools: what HTTP alone costs there. The CPU is that of the server's process.
"""
HEAD = """| connections | who | requests a second | times KServe | CPU µs a request | p50 | p99 |
| --- | --- | --- | --- | --- | --- | --- |"""
COLORS = {OURS: "#20639b", KSERVE: "#8a8f98", ASGI: "#c9ccd1"}
_WIDTH, _BAR, _LEFT, _RIGHT = 720, 16, 170, 110


@dataclass(frozen=True)
class Load:
    """What a server did under a load.

    Attributes:
        per_second: Answers a second.
        cpu_us: CPU of the server a request, in microseconds.
        p50_ms: Median time of an answer, in milliseconds.
        p99_ms: Time that 99 of 100 answers kept to, in milliseconds.
    """

    per_second: float
    cpu_us: float
    p50_ms: float
    p99_ms: float


@dataclass(frozen=True)
class Alone:
    """What goldlake's server does without load.

    Attributes:
        start_s: Seconds from its start to its first answer.
        import_s: Seconds that another process takes to import TensorFlow.
        rows_ms: Milliseconds of a request with 256 rows.
        parts_ms: Milliseconds of parsing, calling and encoding 256 rows, each measured alone.
    """

    start_s: float
    import_s: float
    rows_ms: float
    parts_ms: dict[str, float]


class Result(msgspec.Struct, frozen=True):
    """One call of the benchmark.

    Attributes:
        seconds: How long each load lasted.
        repeat: How often each was measured; the numbers are medians.
        day: The day of the measurement, ISO 8601.
        commit: The commit that was measured.
        machine: Cores, memory and system.
        versions: Versions of the packages.
        loads: By number of connections and server.
        alone: What goldlake's server does without load.
    """

    seconds: float
    repeat: int
    day: str
    commit: str
    machine: str
    versions: dict[str, str]
    loads: dict[int, dict[str, Load]]
    alone: Alone


def result(
    loads: Mapping[int, Mapping[str, Load]],
    alone: Alone,
    seconds: float,
    repeat: int,
    peer: str | None,
) -> Result:
    """Puts what was measured together with where and when."""
    return Result(
        seconds,
        repeat,
        date.today().isoformat(),
        measured_at.commit(),
        measured_at.machine(),
        _versions(peer),
        {connections: dict(by_whom) for connections, by_whom in loads.items()},
        alone,
    )


def write(page: Path, found: Result) -> None:
    """Writes the page, its picture and the JSON document that holds the numbers."""
    page.parent.mkdir(parents=True, exist_ok=True)
    document = msgspec.json.format(msgspec.json.encode(found), indent=1) + b"\n"
    page.with_suffix(".json").write_bytes(document)
    page.with_suffix(".svg").write_text(picture(found), encoding="utf-8")
    page.write_text(text(found, page.with_suffix(".svg").name), encoding="utf-8")


def text(found: Result, picture_name: str) -> str:
    """The page in Markdown."""
    return "\n".join(_lines(found, picture_name)) + "\n"


def _lines(found: Result, picture_name: str) -> Iterator[str]:
    yield INTRODUCTION
    yield f"![Requests a second and CPU by server]({picture_name})"
    yield ""
    yield HEAD
    for connections, by_whom in found.loads.items():
        for who, load in by_whom.items():
            peer = by_whom.get(KSERVE)
            times = f"{load.per_second / peer.per_second:.1f}" if peer else ""
            yield (
                f"| {connections} | {who} | {load.per_second:,.0f} | {times} | {load.cpu_us:,.0f} "
                f"| {load.p50_ms:.2f} ms | {load.p99_ms:.2f} ms |"
            )
    alone = found.alone
    whole = sum(alone.parts_ms.values())
    named = ", ".join(f"{name} {value:.2f} ms" for name, value in alone.parts_ms.items())
    yield ""
    yield (
        f"A request with 256 rows takes goldlake {alone.rows_ms:.2f} ms, "
        f"{alone.rows_ms / whole:.1f} times its parts measured alone ({named})."
    )
    yield (
        f"The first answer comes {alone.start_s:.1f} s after the start of the process; another "
        f"process takes {alone.import_s:.1f} s to import TensorFlow."
    )
    named = ", ".join(f"{name} {version}" for name, version in found.versions.items())
    yield ""
    yield (
        f"Medians of {found.repeat} runs of {found.seconds:g} s each, taken alternately, "
        f"{found.day}, commit {found.commit}. {found.machine}."
    )
    yield f"Versions: {named}."


def picture(found: Result) -> str:
    """Two groups of bars: requests a second, and CPU a request."""
    lines: list[str] = []
    y = 24
    for title, name, unit in (
        ("requests a second", "per_second", ""),
        ("CPU a request", "cpu_us", " µs"),
    ):
        bars = [
            (connections, who, getattr(load, name))
            for connections, by_whom in found.loads.items()
            for who, load in by_whom.items()
        ]
        most = max((value for *_, value in bars), default=1.0)
        lines.append(f'<text x="{_LEFT}" y="{y}" fill="#333333" font-weight="bold">{title}</text>')
        y += 10
        for connections, who, value in bars:
            width = max(1.0, (_WIDTH - _LEFT - _RIGHT) * value / most)
            plural = "" if connections == 1 else "s"
            lines += [
                f'<text x="{_LEFT - 8}" y="{y + 12}" text-anchor="end" fill="#333333">'
                f"{connections} connection{plural}, {who}</text>",
                f'<rect x="{_LEFT}" y="{y}" width="{width:.1f}" height="{_BAR}" '
                f'fill="{COLORS[who]}"/>',
                f'<text x="{_LEFT + width + 6:.1f}" y="{y + 12}" fill="#333333">'
                f"{value:,.0f}{unit}</text>",
            ]
            y += _BAR + 5
        y += 26
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {y}" '
        'font-family="sans-serif" font-size="12" role="img" '
        'aria-label="Requests a second, and CPU a request">'
    )
    return "\n".join(
        [head, f'<rect width="{_WIDTH}" height="{y}" fill="#ffffff"/>', *lines, "</svg>\n"]
    )


def _versions(peer: str | None) -> dict[str, str]:
    found = {"Python": platform.python_version()}
    found |= {name: importlib.metadata.version(name) for name in ("tensorflow", "httptools")}
    if peer:
        names = ("kserve", "uvicorn", "uvloop")
        asked = f"from importlib.metadata import version as v; print(*map(v, {names}))"
        answer = subprocess.run([peer, "-c", asked], capture_output=True, text=True, check=True)
        found |= dict(zip(names, answer.stdout.split(), strict=True))
    return found
