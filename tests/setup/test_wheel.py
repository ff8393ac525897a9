"""The wheel: what is in it, and that it works in an empty environment, outside any clone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import goldlake
from tests.setup.conftest import REAL_PYTHON, REAL_UV, ROOT

ROWS = 3000
BUILD = "import sys; from setuptools import build_meta; print(build_meta.build_wheel(sys.argv[1]))"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, so that the build leaves nothing in this tree."""
    copy, folder = tmp_path_factory.mktemp("copy"), tmp_path_factory.mktemp("dist")
    for path in ROOT.iterdir():
        if path.suffix in {".py", ".toml", ".md", ".in"} or path.name == "LICENSE":
            shutil.copy(path, copy)
        elif (path / "__init__.py").exists():
            shutil.copytree(path, copy / path.name, ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-c", BUILD, str(folder)]
    subprocess.run(command, cwd=copy, check=True, capture_output=True, timeout=120)
    (built,) = folder.glob("*.whl")
    return built


def test_what_is_in_it(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        (metadata,) = (name for name in names if name.endswith("/METADATA"))
        (entries,) = (name for name in names if name.endswith("/entry_points.txt"))
        about = Parser().parsestr(archive.read(metadata).decode())
        commands = archive.read(entries).decode()
    assert about["Version"] == goldlake.__version__
    assert about["Requires-Python"] == ">=3.10,<3.14"
    assert "goldlake = goldlake.cli.main:main" in commands
    tops = {name.partition("/")[0] for name in names if ".dist-info" not in name}
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert tops == packages - {"tests", "benchmarks"}
    assert {
        "lakehouse/jars.lock",
        "usecases/chicago_crime/contract.yaml",
        "usecases/chicago_crime/tables.py",
    } <= names
    on_disk = {
        path.relative_to(ROOT).as_posix()
        for top in tops
        for path in (ROOT / top).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".md"
    }
    assert on_disk - names == set()


def test_what_it_asks_for(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (metadata,) = (name for name in archive.namelist() if name.endswith("/METADATA"))
        about = Parser().parsestr(archive.read(metadata).decode())
    asked = [Requirement(text) for text in about.get_all("Requires-Dist") or []]
    always = {item.name for item in asked if item.marker is None}
    assert {"tfx", "tensorflow", "pyspark", "delta-spark", "msgspec", "setuptools"} <= always
    assert not always & {"pytest", "ruff", "mypy", "hypothesis", "pytest-xdist"}


def install(wheel: Path, environment: Path) -> None:
    """Installs the wheel with what it asks for, in the versions of the stack's lock."""
    stack = (Path(sys.prefix) / ".stack").read_text().strip()
    index = {"UV_INDEX_URL": "PIP_INDEX_URL", "SSL_CERT_FILE": "PIP_CERT"}
    told = {uv: os.environ[pip] for uv, pip in index.items() if pip in os.environ}
    run = [str(REAL_UV), "--quiet"]
    python = str(environment / "bin" / "python")
    for command in (
        ["venv", "--python", str(REAL_PYTHON), str(environment)],
        [
            *("pip", "install", "--python", python, str(wheel)),
            *("--constraints", str(ROOT / "requirements" / f"stack-{stack}.txt")),
            *("--build-constraints", str(ROOT / "requirements" / "build.txt")),
        ],
    ):
        done = subprocess.run(
            run + command, env={**told, **os.environ}, capture_output=True, text=True, timeout=1200
        )
        assert done.returncode == 0, done.stderr


@pytest.mark.long
@pytest.mark.spark
@pytest.mark.tfx
@pytest.mark.timeout(3000)
def test_outside_any_clone(wheel: Path, tmp_path: Path) -> None:
    environment, folder = tmp_path / "environment", tmp_path / "empty"
    folder.mkdir()
    install(wheel, environment)
    # A new log-in, so that neither PYTHONPATH nor GOLDLAKE_HOME nor the clone's .venv helps.
    kept = ("PIP_CERT", "IVY_SETTINGS", "JAVA_HOME", "https_proxy", "HTTPS_PROXY", "CI")
    login = {name: os.environ[name] for name in kept if name in os.environ}
    login |= {"HOME": str(tmp_path), "PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C.UTF-8"}

    def goldlake_answers(*arguments: str, code: int = 0) -> str:
        done = subprocess.run(
            [str(environment / "bin" / "goldlake"), *arguments],
            cwd=folder,
            env=login,
            capture_output=True,
            text=True,
            timeout=1500,
            stdin=subprocess.DEVNULL,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout

    if " check " in goldlake_answers("--help"):
        goldlake_answers("check", "chicago_crime")
    before = goldlake_answers("doctor", code=3)
    assert f"Next: {environment}/bin/python -I -m lakehouse.jars fetch" in before
    home = str(folder / "lake")

    goldlake_answers("run", "chicago_crime", "--rows", str(ROWS), "--home", home)

    assert len(list((environment / "jars").glob("delta-*.jar"))) == 2
    logs = "".join(path.read_text() for path in Path(home, "logs").rglob("*.log"))
    assert logs.count(f"Fetching the Delta JARs into {environment}/jars, once") == 1
    tables = json.loads(goldlake_answers("tables", "chicago_crime", "--home", home, "--json"))
    bronze = "chicago_crime.bronze.crimes"
    assert f'"{bronze}"' in json.dumps(tables)
    printed = goldlake_answers("tables", "chicago_crime", "--home", home)
    assert [line.split()[1] for line in printed.splitlines() if bronze in line] == [f"{ROWS:,}"]
    assert str(ROOT) not in logs
    assert "✗" not in goldlake_answers("doctor")
    assert sorted(path.name for path in folder.iterdir()) == ["lake"]
