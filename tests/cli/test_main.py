"""The command line's frame: help, lazy imports, errors as one line and an exit code."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from goldlake.cli.common import report_errors
from goldlake.cli.main import COMMANDS, main
from goldlake_core.contracts.errors import GateRefused, PermanentError, UsageError


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name: str) -> None:
    result = CliRunner().invoke(main, [name, "--help"])
    assert result.exit_code == 0, result.output
    assert f"main {name}" in result.output


def test_an_unknown_command_is_wrong_usage() -> None:
    result = CliRunner().invoke(main, ["frobnicate"])
    assert result.exit_code == 2
    assert "No such command 'frobnicate'" in result.output


@pytest.mark.parametrize(
    ("error", "exit_code"),
    [
        (PermanentError("It broke", hint="mend it"), 1),
        (UsageError("What is 'x'?", valid="a, b"), 2),
        (GateRefused("Anomalies"), 3),
        (KeyboardInterrupt(), 130),
        (ValueError("odd"), 1),
    ],
)
def test_errors_become_one_line_and_an_exit_code(error: BaseException, exit_code: int) -> None:
    @click.command()
    @report_errors
    def failing() -> None:
        raise error

    result = CliRunner().invoke(failing, [])
    assert result.exit_code == exit_code
    assert "Traceback" not in result.output
    assert len(result.output.splitlines()) == 1


def test_debug_shows_the_traceback() -> None:
    @click.command()
    @report_errors
    def failing() -> None:
        raise PermanentError("It broke")

    assert "Traceback" in CliRunner().invoke(failing, ["--debug"]).output


def test_sigterm_ends_a_command_with_143(tmp_path: Path) -> None:
    code = (
        "import click, time\n"
        "from goldlake.cli.common import report_errors\n"
        "@click.command()\n"
        "@report_errors\n"
        "def waiting():\n"
        "    print('ready', flush=True)\n"
        "    time.sleep(60)\n"
        "waiting()\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(0.05)
    os.kill(process.pid, signal.SIGTERM)
    assert process.wait(20) == 143
    process.stdout.close()


def test_doctor_finds_nothing_on_a_machine_that_is_set_up(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["doctor", "--home", str(tmp_path)])
    assert result.exit_code == 0, result.output


def test_doctor_names_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "nowhere"))
    result = CliRunner().invoke(main, ["doctor", "--home", str(tmp_path)])
    assert result.exit_code == 3
    assert "nowhere, without a java in it" in result.output
    assert re.search("sudo apt-get install openjdk-(17|21)-jre-headless\n", result.output)
