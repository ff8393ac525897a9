"""What doctor says of the Python and of the JARs, and the command that mends it."""

from __future__ import annotations

import importlib.metadata
import sys
from pathlib import Path

import pytest

from goldlake.workflows.doctor import Finding, findings
from goldlake_core.storage.home import Home


def finding(name: str, home: Path) -> Finding:
    (found,) = (item for item in findings(Home.at(home)) if item.name == name)
    return found


def test_python_is_held_against_what_the_installed_tfx_asks_for(tmp_path: Path) -> None:
    python = finding("Python", tmp_path)
    assert python.is_ok
    assert f"{importlib.metadata.metadata('tfx')['Requires-Python']} for tfx" in python.wanted


def test_a_python_outside_the_range(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.version_info", (3, 14, 0, "final", 0))
    python = finding("Python", tmp_path)
    assert (python.is_ok, python.found, python.fix) == (False, "3.14.0", "make setup")
    assert "<3.14" in python.wanted


def test_jars_that_are_missing_or_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    jars = finding("Delta JARs", tmp_path)
    assert (jars.is_ok, jars.found) == (False, "none")
    assert jars.wanted == f"delta-spark and delta-storage in {tmp_path}/jars, as locked"
    assert jars.fix == f"{sys.executable} -I -m lakehouse.jars fetch"
    damaged = tmp_path / "jars" / "delta-storage-4.4.0.jar"
    damaged.parent.mkdir()
    damaged.write_text("half of it")
    jars = finding("Delta JARs", tmp_path)
    assert (jars.is_ok, jars.found) == (False, "checksum differs: delta-storage-4.4.0.jar")
