"""What a machine lacks is said in one line, with the command that fixes it."""

from __future__ import annotations

import fcntl
import os
import subprocess
import textwrap

import pytest

from tests.setup.conftest import REAL_PYTHON, Machine, disk

pytestmark = pytest.mark.usefixtures("machine")
SUDO = "" if os.getuid() == 0 else "sudo "
INSTALL_JAVA = f"{SUDO}apt-get install -y openjdk-17-jre-headless"


def test_little_room_is_said_before_anything_is_made(machine: Machine) -> None:
    assert machine.complaint() == (
        f"{machine.clone} has 1024 MB free, and the environment needs 6 GB. "
        "Make room, then run: make setup"
    )
    assert not (machine.clone / ".venv").exists()


def test_no_java(machine: Machine) -> None:
    machine.remove("java")
    assert machine.complaint() == (
        f"Java was not found, and Spark needs 17 or newer. Run: {INSTALL_JAVA}"
    )


@pytest.mark.parametrize(
    ("words", "version"),
    [
        ('openjdk version "11.0.21" 2023-10-17', 11),
        ('java version "1.8.0_392"', 8),
        ('Picked up JAVA_TOOL_OPTIONS: -Xmx1g\nopenjdk version "16" 2021-03-16', 16),
    ],
)
def test_old_java(machine: Machine, words: str, version: int) -> None:
    machine.program("java", f"cat >&2 <<'END'\n{words}\nEND")
    assert machine.complaint() == (
        f"{machine.bin}/java is Java {version}, and Spark needs 17 or newer. Run: {INSTALL_JAVA}"
    )


def test_java_home_goes_before_path(machine: Machine) -> None:
    assert machine.complaint(JAVA_HOME="/nowhere") == (
        f"JAVA_HOME=/nowhere holds no bin/java. Run: unset JAVA_HOME; {INSTALL_JAVA}"
    )


def test_new_java(machine: Machine) -> None:
    machine.program("java", """echo 'openjdk version "21" 2023-09-19 LTS' >&2""")
    assert "MB free" in machine.complaint()


def test_no_python(machine: Machine) -> None:
    machine.remove("python3.10")
    line = machine.complaint()
    assert line.startswith("Python 3.10 was not found on PATH nor under pyenv, nor fetched by uv.")
    assert line.endswith("~/.pyenv/bin/pyenv install 3.10")


def test_python_of_another_version(machine: Machine) -> None:
    machine.remove("python3.10")
    machine.python("3.11")
    (machine.bin / "python3.11").rename(machine.bin / "python3")
    machine.program("pyenv", "exit 1")
    assert machine.complaint() == (
        "Python 3.10 was not found on PATH nor under pyenv, nor fetched by uv. "
        "Run: pyenv install 3.10"
    )


@pytest.mark.parametrize("told_by", ["PYENV_ROOT", "pyenv", "home"])
def test_python_behind_a_shim_that_fails(machine: Machine, told_by: str) -> None:
    root = machine.home / (".pyenv" if told_by == "home" else "elsewhere")
    bin_folder = root / "versions" / "3.10.13" / "bin"
    bin_folder.mkdir(parents=True)
    (machine.bin / "python3.10").rename(bin_folder / "python3.10")
    machine.program("python3.10", "echo 'pyenv: python3.10: command not found' >&2; exit 127")
    if told_by == "pyenv":
        machine.program("pyenv", f"echo {root}")
    extra = {"PYENV_ROOT": str(root)} if told_by == "PYENV_ROOT" else {}
    assert "MB free" in machine.complaint(**extra)


def test_python_by_variable(machine: Machine) -> None:
    assert machine.complaint(PYTHON="/nowhere/python") == (
        "PYTHON=/nowhere/python is not a working Python 3.10. Run: unset PYTHON"
    )
    elsewhere = machine.home / "python"
    (machine.bin / "python3.10").rename(elsewhere)
    assert "MB free" in machine.complaint(PYTHON=str(elsewhere))


def test_python_without_what_is_needed(machine: Machine) -> None:
    # Only the call that asks for modules reads a program from standard input.
    machine.python("3.10", 'if [ "$1" = - ]; then printf " ssl bz2"; exit; fi')
    assert machine.complaint().startswith(
        f"{machine.bin}/python3.10 was built without ssl bz2. Run: {SUDO}apt-get install -y git "
    )


def test_no_uv_and_no_python_that_could_install_it(machine: Machine) -> None:
    machine.remove("uv")
    machine.python("3.10", 'if [ "$1" = - ]; then printf " ensurepip"; exit; fi')
    assert machine.complaint() == (
        f"{machine.bin}/python3.10 has no module venv. "
        f"Run: {SUDO}apt-get install -y python3.10-venv"
    )
    machine.remove("python3.10")
    assert machine.complaint().startswith("Python 3.10 was not found on PATH nor under pyenv. Run")


def test_another_uv_on_path_is_left_alone(machine: Machine) -> None:
    machine.program("uv", "echo uv 0.1.0")
    machine.python("3.10", 'if [ "$1 $2" = "-m venv" ]; then echo "stopped here" >&2; exit 1; fi')
    assert machine.complaint() == (
        "Creating .venv-uv failed: stopped here For the details, run: less .venv-uv/setup.log"
    )


def test_a_python_that_uv_may_not_fetch(machine: Machine) -> None:
    machine.remove("python3.10")
    result = machine.set_up()
    assert result.stdout == "Python 3.10 was not found; asking uv to fetch 3.10\n"
    assert result.stderr.startswith(
        "goldlake set-up: Python 3.10 was not found on PATH nor under pyenv, nor fetched by uv. "
        "Run: "
    )


def test_no_compiler(machine: Machine) -> None:
    """In uv's own words, as written without a compiler on PATH; only the end of them varies."""
    disk(machine, free_mb=9000)
    end = "error: command 'g++' failed: No such file or directory"
    words = f"""error: Failed to build `pyfarmhash==0.3.2`
  cause: The build backend returned an error
         {end}"""
    failure = f"cat >&2 <<'END'\n{words}\nEND\nexit 1"
    machine.uv(f'if [ "$1 $2" = "pip sync" ]; then\n{failure}\nfi')
    assert machine.complaint() == (
        "Installing requirements/stack-1.16.txt failed: pyfarmhash has no wheel and does not "
        "compile here (details in .venv/setup.log). "
        f"Run: {SUDO}apt-get install -y g++ python3.10-dev"
    )
    assert end in (machine.clone / ".venv" / "setup.log").read_text()


def test_nothing_to_set_up(machine: Machine) -> None:
    result = machine.set_up("everything")
    assert result.returncode == 1
    assert "one of main, docs, bench, bench-serve, mlflow, kfp, lock" in result.stderr


def test_no_network(machine: Machine) -> None:
    disk(machine, free_mb=9000)
    machine.remove("uv")
    unreachable = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_NO_CACHE_DIR": "1"}
    line = machine.complaint(**unreachable, PIP_TIMEOUT="2")
    assert line.startswith("Installing uv failed: no network, or no way to the packages")
    assert line.endswith("then run: make setup")
    assert not (machine.clone / ".venv" / ".locked").exists()
    assert not (machine.clone / ".venv" / ".stamp").exists()


def test_a_disk_that_fills_up(machine: Machine) -> None:
    disk(machine, free_mb=9000)
    full = "echo 'error: No space left on device (os error 28)' >&2; exit 1"
    machine.uv(f'if [ "$1" = venv ]; then {full}; fi')
    line = machine.complaint()
    assert line.startswith("Creating .venv failed: the disk is full (")
    assert line.endswith("Make room, then run: make setup")


def test_uv_is_told_what_pip_was_told_of_indexes(machine: Machine) -> None:
    """The environment goes before the files, and what uv was told itself before both."""
    disk(machine, free_mb=9000)
    settings = r"""
        :env:.index-url='http://env/simple'
        global.default-timeout='7'
        global.extra-index-url='\nhttp://a\nhttp://b'
        global.find-links='/wheels /more'
        global.index-url='http://files/simple'
        global.no-index='true'
    """
    listing = f"cat <<'END'\n{textwrap.dedent(settings)}END\nexit"
    machine.program("python3", f'case "$*" in *"pip config list"*) {listing}\n;; esac\nexit 1')
    shown = "$UV_INDEX_URL|$UV_EXTRA_INDEX_URL|$UV_FIND_LINKS|$UV_HTTP_TIMEOUT|$UV_NO_INDEX"
    machine.uv(f'if [ "$1 $2" = "pip sync" ]; then echo "told: {shown}"; exit 1; fi')
    line = machine.complaint(UV_FIND_LINKS="/own")
    assert "told: http://env/simple|http://a http://b|/own|7|1 " in line


def test_one_set_up_at_a_time(machine: Machine) -> None:
    (machine.bin / "python3").symlink_to(REAL_PYTHON)
    with (machine.clone / "requirements" / "setup.sh").open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        command = ["bash", "requirements/setup.sh", "main"]
        second = subprocess.Popen(
            command,
            cwd=machine.clone,
            env=machine.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert second.stdout is not None
        assert second.stdout.readline() == "Waiting for another set-up to finish\n"
        with pytest.raises(subprocess.TimeoutExpired):
            second.wait(timeout=1)
    _, complaint = second.communicate(timeout=60)
    assert "MB free" in complaint


@pytest.mark.parametrize(
    ("words", "is_kept"),
    [("error sending request for url", True), ("failed to hard link: Input/output error", False)],
)
def test_an_environment_outlives_a_lost_network_and_nothing_else(
    machine: Machine, words: str, is_kept: bool
) -> None:
    """A failed installation may have left half of a package, which the next call removes."""
    disk(machine, free_mb=9000)
    environment = machine.clone / ".venv"
    (environment / "bin").mkdir(parents=True)
    (environment / "bin" / "python").symlink_to(machine.bin / "python3.10")
    locked = environment / ".locked"
    locked.write_text(f"{machine.clone} requirements/stack-1.16.txt\n")
    machine.uv(f'if [ "$1 $2" = "pip sync" ]; then echo "{words}" >&2; exit 1; fi')
    assert machine.complaint().startswith("Installing requirements/stack-1.16.txt failed: ")
    assert locked.exists() == is_kept
    again = machine.set_up().stdout
    assert again.startswith("Installing the packages" if is_kept else "Removing .venv, which is")
