"""A copy of what set-up reads, and a machine that has only the tools a test gives it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# What a minimal Debian has.
TOOLS = """
    awk bash cat cut date df dirname env find getconf grep head id ln ls make mkdir mktemp mv
    rm sed sh sha256sum sleep sort tail touch tr uname wc
"""
VERSION = "{}.{}".format(*sys.version_info)
REAL_PYTHON = Path(sys.base_prefix) / "bin" / f"python{VERSION}"
"""What made this environment."""
REAL_UV = next(
    (path for path in (ROOT / ".venv-uv/bin/uv", Path(sys.prefix, "bin", "uv")) if path.exists()),
    Path(shutil.which("uv") or "uv"),
)


@dataclass(frozen=True)
class Machine:
    """A bare clone in `clone`, and a PATH of one folder, `bin`."""

    clone: Path
    bin: Path
    home: Path

    def program(self, name: str, script: str) -> None:
        """Puts a shell script on PATH."""
        path = self.bin / name
        path.unlink(missing_ok=True)
        path.write_text(f"#!{shutil.which('bash')}\n{script}\n")
        path.chmod(0o755)

    def python(self, version: str, lines: str = "") -> None:
        """Puts a Python on PATH that gives itself out as another version, to uv as well.

        Args:
            version: What it says of itself, such as `3.13`.
            lines: Shell commands that go before the Python is run.
        """
        full = ".".join(map(str, sys.version_info[:3]))
        claims = f's#"{full}"#"{version}.0"#g; s#"{VERSION}"#"{version}"#g'
        where = r's#\("sys_executable": \)"[^"]*"#\1"'
        self.program(
            f"python{version}",
            f"""
            case "$*" in *'"%d.%d"'*) echo {version}; exit ;; esac
            {lines}
            case "$*" in *get_interpreter_info*)
              {REAL_PYTHON} "$@" | sed -e '{claims}' -e '{where}'"$0"'"#'
              exit ;;
            esac
            exec {REAL_PYTHON} "$@"
            """,
        )

    def uv(self, lines: str = "") -> None:
        """Puts the locked uv on PATH; `lines` are shell commands that go before it is run."""
        self.program("uv", f'{lines}\nexec {REAL_UV} "$@"')

    def system(self, name: str, processor: str, glibc: str = "") -> None:
        """Makes it another system; without `glibc` it has another C library."""
        self.program("uname", f'if [ "$1" = -m ]; then echo {processor}; else echo {name}; fi')
        self.program("getconf", f"echo glibc {glibc}" if glibc else "exit 1")

    def remove(self, name: str) -> None:
        """Takes a program off PATH."""
        (self.bin / name).unlink()

    def environment(self, **extra: str) -> dict[str, str]:
        """The variables of a new log-in, and those of a test."""
        base = {"PATH": str(self.bin), "HOME": str(self.home), "LC_ALL": "C.UTF-8"}
        return {**base, "UV_PYTHON_DOWNLOADS": "never", **extra}

    def set_up(self, what: str = "main", **extra: str) -> subprocess.CompletedProcess[str]:
        """Runs set-up to its end."""
        return subprocess.run(
            ["bash", "requirements/setup.sh", what],
            cwd=self.clone,
            env=self.environment(**extra),
            capture_output=True,
            text=True,
            timeout=120,
            stdin=subprocess.DEVNULL,
        )

    def complaint(self, **extra: str) -> str:
        """The one line in which set-up refuses."""
        result = self.set_up(**extra)
        assert result.returncode == 1, result.stdout + result.stderr
        assert len(result.stderr.splitlines()) == 1, result.stderr
        (line,) = result.stderr.splitlines()
        return line.removeprefix("goldlake set-up: ")


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """Debian 12, on which every check passes, except that its disk has 1 GB free."""
    if not REAL_PYTHON.exists():
        pytest.fail(f"{REAL_PYTHON} is missing, and .venv was made from it; run: make setup")
    made = Machine(tmp_path / "clone", tmp_path / "bin", tmp_path / "home")
    for folder in (made.clone, made.bin, made.home):
        folder.mkdir()
    shutil.copytree(ROOT / "requirements", made.clone / "requirements")
    (made.clone / "lakehouse").mkdir()
    for name in ("setup.py", "pyproject.toml", "Makefile", "lakehouse/jars.lock"):
        shutil.copy(ROOT / name, made.clone / name)
    for tool in TOOLS.split():
        os.symlink(str(shutil.which(tool)), made.bin / tool)
    made.python("3.10")
    made.uv()
    made.program("java", """echo 'openjdk version "17.0.9" 2023-10-17' >&2""")
    made.system("Linux", "x86_64", glibc="2.36")
    disk(made, free_mb=1024)
    return made


def disk(machine: Machine, free_mb: int) -> None:
    """Makes `df` say how much is free."""
    header = "Filesystem 1024-blocks Used Available Capacity Mounted on"
    machine.program("df", f"echo {header}; echo /dev/sda1 9 9 {free_mb * 1024} 9% /")
