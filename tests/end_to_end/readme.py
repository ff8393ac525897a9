"""Runs the README's blocks in a clone, one after another, and compares what is printed.

A ``console`` block holds commands after ``$`` and below each what it prints. A line ``…`` leaves
out any number of lines. What varies (numbers, run ids, times) is masked on both sides.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FENCE = re.compile(r"^```console\n(.*?)^```", re.S | re.M)
LEFT_OUT = "…"
_MASKS = (
    (re.compile(r"\d{8}-\d{6}-[0-9a-f]{4}"), "RUN"),
    (re.compile(r"\b[0-9a-f]{8,}\b"), "HASH"),
    (re.compile(r"\d[\d,.:]*"), "#"),
    (re.compile(r"[─━╸╺]+"), "-"),
    (re.compile(r"\s+"), " "),
)


@dataclass(frozen=True)
class Step:
    """One command of a page and the lines that the page shows below it."""

    command: str
    shown: tuple[str, ...]

    @property
    def is_background(self) -> bool:
        """Whether the shell would not wait for it."""
        return self.command.endswith("&")


def steps(page: str) -> Iterator[Step]:
    """The commands of a page in order.

    Args:
        page: Markdown.
    """
    for block in FENCE.findall(page):
        command, shown = "", []
        for line in block.splitlines():
            if line.startswith("$ "):
                if command:
                    yield Step(command, tuple(shown))
                command, shown = _without_comment(line[2:]), []
            elif command.endswith("\\"):
                command = _without_comment(f"{command[:-1].rstrip()} {line.strip()}")
            elif line.strip():
                shown.append(line)
        if command:
            yield Step(command, tuple(shown))


def _without_comment(command: str) -> str:
    return command.split(" #")[0].rstrip()


def masked(line: str) -> str:
    """A line with what varies replaced, and with single blanks."""
    for pattern, text in _MASKS:
        line = pattern.sub(text, line)
    return line.strip()


def difference(shown: tuple[str, ...], printed: str) -> str:
    """The first shown line that was not printed where it should be, or ""."""
    lines = [masked(line) for line in printed.splitlines() if line.strip()]
    position, is_free = 0, False
    for line in shown:
        if line.strip() == LEFT_OUT:
            is_free = True
            continue
        wanted = masked(line).removesuffix(LEFT_OUT).rstrip()
        is_cut = line.rstrip().endswith(LEFT_OUT)
        places = range(position, len(lines)) if is_free else range(position, position + 1)
        for place in places:
            if place < len(lines) and _is_line(lines[place], wanted, is_cut):
                position, is_free = place + 1, False
                break
        else:
            return line
    return "" if is_free or position == len(lines) else f"not shown: {lines[position]}"


def _is_line(printed: str, wanted: str, is_cut: bool) -> bool:
    return printed.startswith(wanted) if is_cut else printed == wanted


class Shell:
    """A person's shell in a clone: commands run in its folder, background ones until the end.

    Args:
        folder: The clone.
        environment: Variables of the shell.
        timeout_s: Longest time that one command may take.
    """

    def __init__(self, folder: Path, environment: dict[str, str], timeout_s: float) -> None:
        self._folder = folder
        self._environment = environment
        self._timeout_s = timeout_s
        self._running: list[subprocess.Popen[bytes]] = []
        self._setup = ""

    def run(self, step: Step) -> str:
        """What a command prints; of a background command, what it prints until it is ready.

        Raises:
            AssertionError: The command fails, or a background command prints nothing.
        """
        if step.command.startswith("source "):
            self._setup += f"{step.command}\n"
            return ""
        script = f"{self._setup}{step.command.rstrip('& ')}"
        if step.is_background:
            return self._start(script)
        result = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=self._folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=self._timeout_s,
        )
        assert result.returncode == 0, f"$ {step.command}\n{result.stdout}"
        return result.stdout

    def close(self) -> None:
        """Ends what was started in the background."""
        for process in self._running:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(30)

    def _start(self, script: str) -> str:
        log = self._folder / f".background-{len(self._running)}.log"
        with log.open("wb") as sink:
            process = subprocess.Popen(
                ["bash", "-c", f"{script}"],
                cwd=self._folder,
                env={**self._environment, "PYTHONUNBUFFERED": "1"},
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._running.append(process)
        deadline = time.monotonic() + self._timeout_s
        while time.monotonic() < deadline and process.poll() is None:
            printed = log.read_text("utf-8")
            if "ctrl-c" in printed.lower().replace("+", "-"):  # TensorBoard says CTRL+C
                return printed
            time.sleep(0.2)
        raise AssertionError(f"{script} was not ready: {log.read_text('utf-8')}")
