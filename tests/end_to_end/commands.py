"""Runs `goldlake` as a person does: a process of its own, its output and exit code."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

TIMEOUT_S = 1800


def goldlake(*arguments: str, folder: Path, exit_code: int = 0) -> str:
    """Standard output of a command; fails the test on another exit code."""
    answer = _answer(arguments, folder, exit_code)
    return answer.stdout if exit_code == 0 else answer.stdout + answer.stderr


def goldlake_json(*arguments: str, folder: Path, exit_code: int = 0) -> Any:
    """The JSON document of a command; fails the test on another exit code."""
    return json.loads(_answer((*arguments, "--json"), folder, exit_code).stdout)


def answered(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """What a command printed, and its exit code, whatever it is."""
    command = [str(Path(sys.prefix, "bin", "goldlake")), *arguments]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )


def _answer(
    arguments: tuple[str, ...], folder: Path, exit_code: int
) -> subprocess.CompletedProcess[str]:
    answer = answered(*arguments, folder=folder)
    told = f"exit code {answer.returncode}\n{answer.stdout}\n{answer.stderr}\n{_logs(folder)}"
    assert answer.returncode == exit_code, told
    return answer


@contextlib.contextmanager
def running(*arguments: str, folder: Path) -> Iterator[str]:
    """First line that a command prints which then runs as long as the block does."""
    command = [str(Path(sys.prefix, "bin", "goldlake")), *arguments]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline()
        finally:
            process.terminate()


@contextlib.contextmanager
def source(*arguments: str, folder: Path) -> Iterator[str]:
    """URL of a `goldlake source` that runs while the block does."""
    with running("source", *arguments, "--port", "0", "--json", folder=folder) as line:
        yield json.loads(line)["url"]


def _logs(folder: Path) -> str:
    ends = []
    for log in sorted(folder.rglob("logs/*/*.log"), key=os.path.getmtime)[-2:]:
        ends.append(f"--- {log}\n" + "\n".join(log.read_text().splitlines()[-40:]))
    return "\n".join(ends)
