"""`goldlake backup` and `goldlake doctor --repair` on a real home, with all that they print."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from goldlake.cli.main import main
from tests.workflows.kept import make_home


def run(*arguments: str, exit_code: int = 0) -> list[str]:
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == exit_code, result.output
    return [line.rstrip() for line in result.stdout.splitlines()]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    make_home(tmp_path / "lake")
    return tmp_path


def test_backup_from_the_plan_to_the_damage(place: Path) -> None:
    planned = run("backup", "copy", "--home", "lake", "--dry-run")
    assert planned[0] == f"{place}/lake would be copied to {place}/copy"
    assert not (place / "copy").exists()
    done = run("backup", "copy", "--home", "lake")
    assert done[0] == f"{place}/lake is copied to {place}/copy"
    assert done[-1] == f"Use it as a home: --home {place}/copy"
    assert done[1:-2] == planned[1:-1]
    again = run("backup", "copy", "--home", "lake")
    assert again[-2] == "  of these 0 files, 0.0 MiB, were new"
    assert run("backup", "copy", "--verify")[-1] == "  ✓ every file is as it was copied"
    (place / "copy/exports/toy/color/1-abc/manifest.json").unlink()
    damaged = run("backup", "copy", "--verify", exit_code=3)
    assert damaged[-2:] == [
        "  ✗ exports/toy/color/1-abc/manifest.json is missing",
        f"Next: remove these files, then goldlake backup {place}/copy again",
    ]
    document = json.loads("\n".join(run("backup", "copy", "--verify", "--json", exit_code=3)))
    assert document["problems"] == ["exports/toy/color/1-abc/manifest.json is missing"]
    run("backup", "lake/inside", "--home", "lake", exit_code=2)
    run("backup", "nothing", "--verify", exit_code=2)


def test_doctor_tells_and_repairs_a_home_that_moved(place: Path) -> None:
    os.rename("lake", "sea")
    told = [line for line in run("doctor", "--home", "sea", exit_code=3) if "✗" in line]
    assert told == [f"  ✗ Place         models.config or ML Metadata name {place}/lake"]
    repaired = run("doctor", "--home", "sea", "--repair")
    assert repaired[0] == f"  repaired: paths in {place}/lake name {place}/sea now"
    assert repaired[-1].split()[0] == "logs"
    assert not any("✗" in line for line in run("doctor", "--home", "sea"))


def test_a_command_that_writes_settles_a_home_that_moved(place: Path) -> None:
    os.rename("lake", "sea")
    result = CliRunner().invoke(main, ["promote", "toy.color@9", "--home", "sea"])
    assert result.exit_code == 2
    assert result.stderr.startswith(f"{place}/sea was moved or copied from {place}/lake: ")
    assert not any("✗" in line for line in run("doctor", "--home", "sea"))
