"""What lies in the working directory is never imported in place of the real thing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from goldlake.workflows.launch import module_command
from goldlake.workflows.servers import ServerDied, embedded_source
from tests.goldlake_core.contracts.conftest import TOY

ROOT = Path(__file__).parents[2]
PATHS = "import json, sys\nprint(json.dumps([sys.path, sys.argv[1:], __name__]))\n"


@pytest.fixture
def trap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory in which every import of a name that goldlake uses would raise."""
    folder = tmp_path / "trap"
    folder.mkdir()
    for module in ("gzip", "runpy", "json", "yaml", "uvicorn"):
        (folder / f"{module}.py").write_text(f"raise SystemExit('{module} of the trap')\n")
    for package in ("goldlake", "goldlake_core", "goldlake_simulators", "lakehouse", "serving"):
        (folder / package).mkdir()
        (folder / package / "__init__.py").write_text(f"raise SystemExit('{package} trap')\n")
    monkeypatch.chdir(folder)
    return folder


def test_the_trap_catches_what_python_m_would_do(trap: Path) -> None:
    command = [sys.executable, "-m", "goldlake_simulators", "--help"]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 1
    assert result.stderr.endswith((" of the trap\n", " trap\n"))


@pytest.mark.parametrize("module", ["goldlake_simulators", "serving"])
def test_modules_start_in_such_a_directory(module: str, trap: Path) -> None:
    command = module_command(module, "--help")
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith(f"usage: python -m {module} ")


def test_stages_run_in_such_a_directory(trap: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = trap.parent / "code" / "stagetoy"
    package.mkdir(parents=True)
    (package / "__main__.py").write_text(
        "import gzip, json, os, sys\n"
        "from goldlake_core.stages import stage_main\n"
        "found = {'gzip': gzip.__file__, 'folder': os.getcwd(), 'path': sys.path}\n"
        "print(json.dumps({**found, 'arguments': sys.argv[1:]}))\n"
    )
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(package.parent), str(ROOT)]))
    command = module_command("stagetoy", "RUN", "land")
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    found = json.loads(answer.stdout)
    assert found["folder"] == str(trap)
    assert str(trap) not in found["path"]
    assert Path(found["gzip"]).parent == Path(os.__file__).parent
    assert found["arguments"] == ["RUN", "land"]


def test_the_embedded_source_serves_a_use_case_of_such_a_directory(trap: Path) -> None:
    (trap / "toy_harbour").symlink_to(TOY)
    log = trap.parent / "source.log"
    with embedded_source("./toy_harbour", 5, 1, log) as url:
        assert url.startswith("http://127.0.0.1:")
    assert log.read_text() == ""


def test_a_source_that_cannot_start_says_why_in_its_log(tmp_path: Path) -> None:
    log = tmp_path / "source.log"
    with pytest.raises(ServerDied) as caught, embedded_source(str(TOY), 0, 1, log):
        pass
    assert caught.value.message == (
        f"goldlake_simulators {TOY} ended with exit status 2 before it was ready. Next: read {log}"
    )
    assert log.read_text() == "error: --rows is 0. Valid: a number above 0.\n"


def _started(tmp_path: Path, **variables: str) -> tuple[list[str], list[str], str]:
    code = tmp_path / "code"
    code.mkdir(exist_ok=True)
    (code / "lookout.py").write_text(PATHS)
    env = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    env["PYTHONPATH"] = os.pathsep.join([str(code), *variables.values()])
    command = module_command("lookout", "--flag", "value")
    result = subprocess.run(command, capture_output=True, text=True, env=env, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    path, arguments, name = json.loads(result.stdout)
    return path, arguments, name


def test_a_module_runs_as_main_with_its_arguments_and_the_path_of_the_environment(
    tmp_path: Path,
) -> None:
    other = str(tmp_path / "other")
    path, arguments, name = _started(tmp_path, other=other)
    assert (arguments, name) == (["--flag", "value"], "__main__")
    assert path[:2] == [str(tmp_path / "code"), other]
    assert not {"", str(tmp_path), str(ROOT / "goldlake" / "workflows")} & set(path)


def test_a_child_finds_the_code_of_its_parent_after_the_standard_library(tmp_path: Path) -> None:
    path, _, _ = _started(tmp_path)
    assert path.count(str(ROOT)) == 1
    assert path.index(str(ROOT)) > path.index(str(Path(os.__file__).parent))


def test_a_path_that_holds_the_code_stays_as_it_is(tmp_path: Path) -> None:
    path, _, _ = _started(tmp_path, root=str(ROOT))
    assert path.count(str(ROOT)) == 1
    assert path.index(str(ROOT)) == 1
