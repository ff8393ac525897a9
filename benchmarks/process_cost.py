"""What a command costs: CPU seconds of it and of every process that it starts, by their kind.

Linux only: running processes are read from ``/proc``. The command runs below a separate
process that has no other children to wait for.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

OTHER = "other"
POLL_S = 0.1
_BECOME_SUBREAPER = 36
_TICKS = os.sysconf("SC_CLK_TCK")
_REPOSITORY = Path(__file__).parents[1]


class Cost(msgspec.Struct, frozen=True):
    """What a command cost.

    Attributes:
        cpu_s: CPU seconds, user and system, of the command and of all that it started.
        seconds: Seconds by the clock.
        peak_mb: Largest memory of one of its processes, in megabytes.
        cpu_by_kind: CPU seconds by kind of process, as seen every 0.1 seconds.
        seconds_by_kind: Seconds from the first to the last sight of a process of the kind.
    """

    cpu_s: float
    seconds: float
    peak_mb: float
    cpu_by_kind: dict[str, float] = {}
    seconds_by_kind: dict[str, float] = {}


def cost_of(
    command: Sequence[str],
    log: Path,
    *,
    cwd: Path | None = None,
    kinds: Mapping[str, str] | None = None,
) -> Cost:
    """Runs a command to its end, and waits for what it leaves running, too.

    Args:
        command: Program and arguments.
        log: File that takes what the command prints.
        cwd: Folder to run it in.
        kinds: Kind by a text that a process of that kind has in its command line; the first that
            fits counts.

    Raises:
        RuntimeError: The command failed; names the log.
    """
    asked = _Asked(tuple(command), str(log.resolve()), str(cwd or Path.cwd()), dict(kinds or {}))
    own = [sys.executable, "-m", "benchmarks.process_cost"]
    ran = subprocess.run(
        own, input=msgspec.json.encode(asked), stdout=subprocess.PIPE, cwd=_REPOSITORY, check=False
    )
    if ran.returncode:
        raise RuntimeError(f"{' '.join(command)} failed; see {log}")
    return msgspec.json.decode(ran.stdout, type=Cost)


def main() -> int:
    """Reads what to run from standard input, and writes its cost to standard output as JSON."""
    asked = msgspec.json.decode(sys.stdin.buffer.read(), type=_Asked)
    cost = _measured(asked)
    if cost is None:
        return 1
    sys.stdout.buffer.write(msgspec.json.encode(cost))
    return 0


class _Asked(msgspec.Struct, frozen=True):
    """What to run; see `cost_of`."""

    command: tuple[str, ...]
    log: str
    cwd: str
    kinds: dict[str, str]


def _measured(asked: _Asked) -> Cost | None:
    """The cost of a command; None where it failed. This process must have no other children."""
    ctypes.CDLL(None).prctl(_BECOME_SUBREAPER, 1, 0, 0, 0)
    watch = _Watch(asked.kinds)
    cpu, peak, seconds = 0.0, 0, 0.0
    started = time.monotonic()
    with Path(asked.log).open("ab") as out:
        process = subprocess.Popen(asked.command, stdout=out, stderr=out, cwd=asked.cwd)
        while True:
            try:
                pid, status, usage = os.wait3(os.WNOHANG)
            except ChildProcessError:
                break
            if not pid:
                if asked.kinds:
                    watch.look(os.getpid())
                time.sleep(POLL_S)
                continue
            cpu += usage.ru_utime + usage.ru_stime
            peak = max(peak, usage.ru_maxrss)
            if pid == process.pid:
                seconds = time.monotonic() - started
                process.returncode = os.waitstatus_to_exitcode(status)
                if status:
                    return None
    return Cost(
        round(cpu, 1), round(seconds, 1), round(peak / 1024, 1), watch.cpu(), watch.seconds()
    )


class _Watch:
    """CPU time of running processes, each as last seen."""

    def __init__(self, kinds: Mapping[str, str]) -> None:
        self._kinds = kinds
        self._cpu: dict[int, tuple[str, float]] = {}
        self._seen: dict[str, tuple[float, float]] = {}

    def look(self, parent: int) -> None:
        """Takes down all processes below one."""
        now = time.monotonic()
        for pid, line, cpu in _below(parent):
            kind = next((kind for text, kind in self._kinds.items() if text in line), OTHER)
            if not line and pid in self._cpu:  # It has ended, and has no command line any more.
                kind = self._cpu[pid][0]
            self._cpu[pid] = (kind, cpu)
            self._seen[kind] = (self._seen.get(kind, (now, now))[0], now)

    def cpu(self) -> dict[str, float]:
        """CPU seconds by kind."""
        found: dict[str, float] = defaultdict(float)
        for kind, cpu in self._cpu.values():
            found[kind] += cpu
        return {kind: round(cpu, 1) for kind, cpu in found.items()}

    def seconds(self) -> dict[str, float]:
        """Seconds from the first to the last sight of each kind."""
        return {kind: round(last - first, 1) for kind, (first, last) in self._seen.items()}


def _below(parent: int) -> list[tuple[int, str, float]]:
    """Number, command line and CPU seconds of each process below one."""
    found: dict[int, tuple[int, str, float]] = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            line = (folder / "cmdline").read_text().replace("\0", " ")
        except OSError:  # It has ended.
            continue
        cpu = (int(fields[11]) + int(fields[12])) / _TICKS
        found[int(folder.name)] = (int(fields[1]), line, cpu)
    inside = {parent}
    while more := {pid for pid, (above, *_) in found.items() if above in inside} - inside:
        inside |= more
    return [(pid, *found[pid][1:]) for pid in inside - {parent} if pid in found]


if __name__ == "__main__":
    sys.exit(main())
