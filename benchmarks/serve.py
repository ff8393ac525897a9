"""What a prediction over REST costs, beside KServe's Python server and a bare ASGI application.

usage: python -m benchmarks.serve --home DIR [--peer PYTHON] [--seconds N] [--repeat N]
                                  [--page FILE]

Needs wrk, and a home that serves the demo's model (`goldlake run chicago_crime`). The servers run
beside each other and are asked alternately, on the same cores as wrk, one row a request. The CPU is
that of the server's process and its children. ``--page`` writes a page of the book, and beside it
the JSON document and the picture from which it is made.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from benchmarks import serve_page
from benchmarks.serve_page import ASGI, CONNECTIONS, KSERVE, OURS, Alone, Load
from goldlake_core.contracts.registry import load_model
from goldlake_core.contracts.wire import fill_nulls, raw_inputs

MODEL = "chicago_crime.arrest"
MANY_ROWS = 256
_START_S = 600
_TICK_S = 1 / os.sysconf("SC_CLK_TCK")
_LUA = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = io.open("%s", "rb"):read("*a")
"""


@dataclass(frozen=True)
class Running:
    """A server that answers.

    Attributes:
        who: Which of the servers it is.
        pid: Number of its process.
        address: Where a prediction is asked for.
        start_s: Seconds from its start to its first answer.
    """

    who: str
    pid: int
    address: str
    start_s: float


def rows() -> list[dict[str, Any]]:
    """The examples of the model's contract, complete, as often as makes 256 rows."""
    usecase, model = load_model(MODEL)
    examples = [dict(example) for example in model.examples]
    filled = fill_nulls(raw_inputs(model, usecase.gold[model.table]), examples)
    whole = [row for row in map(dict, filled) if "nan" not in map(str, row.values())]
    return (whole * MANY_ROWS)[:MANY_ROWS]


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@contextmanager
def running(
    who: str, command: Sequence[str], port: int, body: bytes, log: Path
) -> Iterator[Running]:
    """A server as a process, from its first answer on."""
    verb = ":predict"
    address = f"http://127.0.0.1:{port}/v1/models/{MODEL}{verb}"
    started = time.monotonic()
    with log.open("a") as errors:
        process = subprocess.Popen(
            command, stdout=errors, stderr=errors, env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
        )
    try:
        while True:
            if process.poll() is not None or time.monotonic() - started > _START_S:
                raise RuntimeError(f"{' '.join(command)} did not answer; see {log}")
            try:
                if requests.post(address, body, timeout=5).status_code == 200:
                    break
            except requests.RequestException:
                pass
            time.sleep(0.02)
        yield Running(who, process.pid, address, time.monotonic() - started)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def cpu_seconds(pid: int) -> float:
    """The CPU seconds of a process and of its children so far."""
    parents, used = {}, {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(entry.name)] = int(fields[1])
        used[int(entry.name)] = (int(fields[11]) + int(fields[12])) * _TICK_S
    tree, size = {pid}, 0
    while size < len(tree):
        size = len(tree)
        tree |= {child for child, parent in parents.items() if parent in tree}
    return sum(used[each] for each in tree if each in used)


def loaded(server: Running, connections: int, seconds: float, script: Path) -> Load:
    """What a server does under a load of one row a request.

    Raises:
        RuntimeError: An answer was not 200, or a connection broke.
    """
    before = cpu_seconds(server.pid)
    told = _asked(server, connections, seconds, script)
    used = cpu_seconds(server.pid) - before
    if "Non-2xx" in told.stdout or "Socket errors" in told.stdout:
        raise RuntimeError(f"{server.who}: {told.stdout}")
    return load_of(told.stdout, used)


def load_of(told: str, cpu_s: float) -> Load:
    """A load from what wrk prints with ``--latency``, and the server's CPU seconds.

    Raises:
        RuntimeError: wrk printed something else.
    """
    count = int(_found(r"(\d+) requests in", told))
    return Load(
        float(_found(r"^Requests/sec:\s+([\d.]+)", told)),
        cpu_s / count * 1e6,
        _milliseconds(_found(r"^ +50%\s+(\S+)", told)),
        _milliseconds(_found(r"^ +99%\s+(\S+)", told)),
    )


def _asked(
    server: Running, connections: int, seconds: float, script: Path
) -> subprocess.CompletedProcess[str]:
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds:g}s", "--latency", "-s", str(script)]
    return subprocess.run([*command, server.address], capture_output=True, text=True, check=True)


def _found(pattern: str, text: str) -> str:
    found = re.search(pattern, text, re.MULTILINE)
    if found is None:
        raise RuntimeError(f"wrk told {text!r}")
    return found[1]


def _milliseconds(text: str) -> float:
    found = re.fullmatch(r"([\d.]+)(us|ms|s|m)", text)
    if found is None:
        raise RuntimeError(f"wrk told a time {text!r}")
    return float(found[1]) * {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}[found[2]]


def many_rows(server: Running, body: bytes, times: int) -> float:
    """Median milliseconds of a request with 256 rows on one connection."""
    found = []
    with requests.Session() as session:
        for _ in range(times):
            started = time.perf_counter()
            session.post(server.address, body, timeout=30).raise_for_status()
            found.append((time.perf_counter() - started) * 1e3)
    return statistics.median(found)


def parts(folder: Path, body: bytes) -> dict[str, float]:
    """Median milliseconds of the parts of one request, each measured alone."""
    command = [sys.executable, "-m", "benchmarks.serve_parts", str(folder)]
    told = subprocess.run(command, input=body, capture_output=True, check=True)
    return {name: value / 1e3 for name, value in json.loads(told.stdout).items()}


def import_seconds() -> float:
    """Seconds that a process takes to import TensorFlow and end."""
    started = time.monotonic()
    subprocess.run([sys.executable, "-c", "import tensorflow"], capture_output=True, check=True)
    return time.monotonic() - started


def middle(found: Sequence[Load]) -> Load:
    """The median of each number."""
    return Load(
        *(
            statistics.median(getattr(load, name) for load in found)
            for name in ("per_second", "cpu_us", "p50_ms", "p99_ms")
        )
    )


def measure(
    models_config: Path, peer: str | None, seconds: float, repeat: int, work: Path
) -> tuple[dict[int, dict[str, Load]], Alone]:
    """Runs everything.

    Args:
        models_config: A file whose model of that name is served.
        peer: Interpreter of the environment with the peers, or None for goldlake alone.
        seconds: How long each load lasts.
        repeat: How often each is measured.
        work: A folder for files of this call.

    Returns:
        Medians by number of connections and server, and what goldlake does without load.
    """
    every = rows()
    one, many = (json.dumps({"instances": some}).encode() for some in (every[:1], every))
    body, script = work / "body.json", work / "ask.lua"
    body.write_bytes(one)
    script.write_text(_LUA % body)
    [folder] = sorted((models_config.parent / MODEL).glob("[0-9]*"))[-1:]
    commands = {
        OURS: [
            *(sys.executable, "-m", "serving", "--model-config-file", str(models_config)),
            "--rest-port",
        ]
    }
    if peer:
        commands[KSERVE] = [
            *(peer, "-m", "benchmarks.peer_kserve", "--name", MODEL, "--folder", str(folder)),
            "--port",
        ]
        commands[ASGI] = [
            *(peer, "-m", "benchmarks.peer_asgi", "--answer", '{"predictions":[0.4153095]}'),
            "--port",
        ]
    found: dict[int, dict[str, list[Load]]] = {}
    with ExitStack() as stack:
        servers = []
        for who, command in commands.items():
            port = free_port()
            start = running(who, [*command, str(port)], port, one, work / "log")
            servers.append(stack.enter_context(start))
        for server in servers:
            _asked(server, 4, 2, script)  # first calls are slow
        for _ in range(repeat):
            for connections in CONNECTIONS:
                for server in servers:
                    load = loaded(server, connections, seconds, script)
                    found.setdefault(connections, {}).setdefault(server.who, []).append(load)
                    print(f"{connections:3} {server.who:8} {load}", flush=True)
        rows_ms = many_rows(servers[0], many, 50 * repeat)
    alone = Alone(servers[0].start_s, import_seconds(), rows_ms, parts(folder, many))
    medians = {
        connections: {who: middle(loads) for who, loads in by_whom.items()}
        for connections, by_whom in found.items()
    }
    return medians, alone


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, required=True, help="a home that serves the model")
    parser.add_argument("--peer", help="the Python of an environment with the peers")
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--page", type=Path, help="write this page of the book, too")
    options = parser.parse_args()
    models_config = options.home / "models" / "models.config"
    if shutil.which("wrk") is None:
        parser.error("wrk is not installed. Run: apt-get install -y wrk")
    if not models_config.exists():
        parser.error(f"{options.home} serves no model. Run: goldlake run chicago_crime")
    with tempfile.TemporaryDirectory() as work:
        loads, alone = measure(
            models_config, options.peer, options.seconds, options.repeat, Path(work)
        )
    result = serve_page.result(loads, alone, options.seconds, options.repeat, options.peer)
    print(serve_page.text(result, "serve.svg"))
    if options.page:
        serve_page.write(options.page, result)


if __name__ == "__main__":
    main()
