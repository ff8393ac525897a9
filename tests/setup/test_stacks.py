"""Which stack and which Python set-up takes on which machine, and why."""

from __future__ import annotations

import os

import pytest

from tests.setup.conftest import Machine, disk

SUDO = "" if os.getuid() == 0 else "sudo "
STOP = 'if [ "$1" = venv ]; then echo "stopped here" >&2; exit 1; fi'
NEEDS_1_21 = "stack 1.21 needs Linux on x86-64 with glibc 2.39 or later, or macOS on arm64"
NEEDS_1_16 = "stack 1.16 needs Linux on x86-64 with glibc 2.17 or later"
CONTAINER = "docker run -it --platform linux/amd64 debian:13"


def pythons(machine: Machine, *versions: str) -> None:
    """Only these are there, and set-up ends when it has chosen one."""
    machine.remove("python3.10")
    for version in versions:
        machine.python(version)
    machine.uv(STOP)
    disk(machine, free_mb=9000)


def taken(machine: Machine, **extra: str) -> tuple[str, str]:
    """Why which stack, and the version of the Python."""
    result = machine.set_up(**extra)
    stack, creating = [line for line in result.stdout.splitlines() if "Removing" not in line]
    assert "Creating .venv failed: stopped here" in result.stderr
    return stack.removeprefix("Taking "), creating.rsplit("/python", 1)[1]


@pytest.mark.parametrize(
    ("there", "best"),
    [
        (("3.10", "3.11", "3.12", "3.13"), "3.13"),
        (("3.10", "3.12"), "3.12"),
        (("3.11", "3.14"), "3.11"),
        (("3.10",), "3.10"),
    ],
)
def test_new_linux(machine: Machine, there: tuple[str, ...], best: str) -> None:
    machine.system("Linux", "x86_64", glibc="2.41")
    pythons(machine, *there)
    assert taken(machine) == ("stack 1.21: this is Linux on x86-64 with glibc 2.41", best)


def test_old_linux(machine: Machine) -> None:
    pythons(machine, "3.10", "3.13")
    why = f"stack 1.16: this is Linux on x86-64 with glibc 2.36; {NEEDS_1_21}"
    assert taken(machine) == (why, "3.10")


def test_mac(machine: Machine) -> None:
    machine.system("Darwin", "arm64")
    os.rename(machine.bin / "sha256sum", machine.bin / "shasum-a-256")
    machine.program("shasum", f'shift 2; exec {machine.bin}/shasum-a-256 "$@"')
    pythons(machine, "3.13")
    assert taken(machine) == ("stack 1.21: this is macOS on arm64", "3.13")


def test_a_python_that_lacks_modules_goes_after_one_that_does_not(machine: Machine) -> None:
    machine.system("Linux", "x86_64", glibc="2.41")
    pythons(machine, "3.12")
    machine.python("3.13", 'if [ "$1" = - ]; then printf " bz2"; exit; fi')
    assert taken(machine)[1] == "3.12"
    machine.remove("python3.12")
    assert machine.complaint().startswith(f"{machine.bin}/python3.13 was built without bz2. Run: ")


def test_stack_by_name_stays_until_another_is_named(machine: Machine) -> None:
    machine.system("Linux", "x86_64", glibc="2.41")
    pythons(machine, "3.10", "3.13")
    assert taken(machine, STACK="1.16") == ("stack 1.16: STACK names it", "3.10")
    (machine.clone / ".venv" / ".stack").write_text("1.16\n")
    why = "stack 1.16: .venv has it; for the newer one: make setup STACK=1.21"
    assert taken(machine) == (why, "3.10")
    assert taken(machine, STACK="1.21") == ("stack 1.21: STACK names it", "3.13")


def test_a_system_that_grew_old_loses_no_stack(machine: Machine) -> None:
    """A home or disk that moved to an older system takes what fits there."""
    pythons(machine, "3.10")
    (machine.clone / ".venv").mkdir()
    (machine.clone / ".venv" / ".stack").write_text("1.21\n")
    assert taken(machine)[0].startswith("stack 1.16: this is Linux")


@pytest.mark.parametrize(
    ("system", "glibc", "called"),
    [
        ("Linux aarch64", "2.41", "Linux on aarch64 with glibc 2.41"),
        ("Linux x86_64", "2.12", "Linux on x86-64 with glibc 2.12"),
        ("Linux x86_64", "", "Linux on x86-64 without glibc"),
        ("Darwin x86_64", "", "macOS on x86_64"),
    ],
)
def test_no_stack_fits(machine: Machine, system: str, glibc: str, called: str) -> None:
    machine.system(*system.split(), glibc=glibc)
    assert machine.complaint() == (
        f"no stack fits this machine, {called}: {NEEDS_1_21}; {NEEDS_1_16}; "
        f"run one of those, or: {CONTAINER}"
    )


def test_named_stack_does_not_fit(machine: Machine) -> None:
    assert machine.complaint(STACK="1.21") == (
        f"{NEEDS_1_21}, and this is Linux on x86-64 with glibc 2.36. Run: make setup STACK=1.16"
    )
    machine.system("Linux", "aarch64", glibc="2.41")
    assert machine.complaint(STACK="1.16").endswith(f". Run: {CONTAINER}")


def test_no_such_stack(machine: Machine) -> None:
    assert machine.complaint(STACK="9") == (
        "there is no stack '9'; there are: 1.21 1.16. Run: make setup STACK=1.16"
    )


@pytest.mark.parametrize(
    ("found", "command"),
    [
        (None, f"{SUDO}apt-get install -y python3-venv python3-dev"),
        ("3.14", "~/.pyenv/bin/pyenv install 3.13"),
    ],
)
def test_new_linux_without_a_python_that_fits(
    machine: Machine, found: str | None, command: str
) -> None:
    machine.system("Linux", "x86_64", glibc="2.41")
    machine.remove("python3.10")
    if found:
        machine.python(found)
        os.rename(machine.bin / f"python{found}", machine.bin / "python3")
    line = machine.complaint()
    assert line.startswith("Python 3.13 or 3.12 or 3.11 or 3.10 was not found on PATH nor under")
    assert line.endswith(command)


def test_kubeflow_wants_an_older_python(machine: Machine) -> None:
    machine.system("Linux", "x86_64", glibc="2.41")
    pythons(machine, "3.12", "3.13")
    result = machine.set_up("kfp")
    assert result.returncode == 1
    assert "Python 3.11 or 3.10 was not found on PATH nor under pyenv, nor" in result.stderr


def test_java_of_the_system(machine: Machine) -> None:
    machine.remove("java")
    machine.system("Linux", "x86_64", glibc="2.41")
    assert machine.complaint().endswith(f"Run: {SUDO}apt-get install -y openjdk-21-jre-headless")
    machine.system("Darwin", "arm64")
    assert "Run: brew install openjdk@21 && export JAVA_HOME=$(brew --prefix" in machine.complaint()
