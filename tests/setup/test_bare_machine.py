"""Set-up from nothing, twice, and after it was killed. Takes minutes and needs the network."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time

import pytest

from tests.setup.conftest import REAL_PYTHON, ROOT, VERSION, Machine, disk

pytestmark = pytest.mark.long
PASSED_ON = ("PIP_CERT", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "https_proxy", "UV_CACHE_DIR")


def start(machine: Machine) -> subprocess.Popen[str]:
    extra = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    extra.setdefault("UV_CACHE_DIR", os.path.expanduser("~/.cache/uv"))
    return subprocess.Popen(
        ["make", "setup"],
        cwd=machine.clone,
        env={**machine.environment(**extra), "PATH": f"{machine.bin}:/usr/bin:/bin"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def finish(process: subprocess.Popen[str]) -> list[str]:
    output, _ = process.communicate(timeout=900)
    assert process.returncode == 0, output
    return output.splitlines()


@pytest.mark.timeout(3600)
def test_killed_then_repaired_then_left_alone(machine: Machine) -> None:
    disk(machine, free_mb=9000)
    for pretended in ("java", "uname", "getconf", "python3.10", "uv"):
        machine.remove(pretended)
    (machine.bin / f"python{VERSION}").symlink_to(REAL_PYTHON)
    for path in ROOT.glob("*/__init__.py"):
        if path.parent.name != "tests":
            shutil.copytree(path.parent, machine.clone / path.parent.name, dirs_exist_ok=True)
    environment = machine.clone / ".venv"
    site = environment / "lib" / f"python{VERSION}" / "site-packages"

    first = start(machine)
    deadline = time.monotonic() + 900
    while not any(site.glob("tensorflow-*.dist-info")) and time.monotonic() < deadline:
        time.sleep(0.01)
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate()
    assert not (environment / ".locked").exists()
    assert not (environment / ".stamp").exists()

    lines = finish(start(machine))
    # A line before it says so where the installer that was killed is not quite dead yet.
    assert "Removing .venv, which is unfinished, damaged, moved or of another stack" in lines[:2]
    assert lines[-1] == ".venv is ready"
    assert sorted(path.suffix for path in (environment / "jars").iterdir()) == [".jar", ".jar"]
    command = [str(environment / "bin" / "goldlake"), "--help"]
    assert "Usage: goldlake" in subprocess.run(command, capture_output=True, text=True).stdout

    began = time.monotonic()
    assert finish(start(machine)) == []
    assert time.monotonic() - began < 0.3
