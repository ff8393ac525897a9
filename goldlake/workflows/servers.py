"""Servers that a workflow needs for a while: the embedded source and the embedded model server."""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

from goldlake.workflows.launch import module_command
from goldlake.workflows.processes import child
from goldlake_core.contracts.errors import GoldlakeError


class ServerDied(GoldlakeError):
    """An embedded server ended before it was ready."""


@contextlib.contextmanager
def embedded_source(usecase: str, rows: int, seed: int, log: Path) -> Iterator[str]:
    """The use case's API with generated rows, on a free loopback port.

    Args:
        usecase: Name or path of the use case.
        rows: Rows to generate.
        seed: Of the generator; same seed, same rows.
        log: File for the server's own log.

    Yields:
        The server's URL.
    """
    options = ["--rows", str(rows), "--seed", str(seed)]
    command = module_command("goldlake_simulators", usecase, *options)
    with _ready_server(command, log) as url:
        yield url


@contextlib.contextmanager
def embedded_server(models_config: str, log: Path) -> Iterator[str]:
    """The embedded model server on a free loopback port, following ``models_config``.

    Yields:
        The server's URL.
    """
    options = ["--model-config-file", models_config, "--rest-port", "0"]
    command = module_command("serving", *options)
    with _ready_server(command, log) as url:
        yield url


@contextlib.contextmanager
def _ready_server(command: list[str], log: Path) -> Iterator[str]:
    with child(command, log, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise ServerDied(
                f"{' '.join(command[2:4])} ended with exit status {process.wait()} before it "
                "was ready",
                hint=f"read {log}",
            )
        yield str(json.loads(line)["url"])
