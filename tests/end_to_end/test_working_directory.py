"""A whole run in a working directory whose files have the names of what goldlake imports."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.end_to_end.commands import goldlake
from tests.goldlake_core.contracts.conftest import TOY

pytestmark = [pytest.mark.long, pytest.mark.spark, pytest.mark.tfx]

MODULES = ("gzip", "json", "numpy", "pandas", "yaml")
PACKAGES = (
    "goldlake",
    "goldlake_core",
    "goldlake_simulators",
    "lakehouse",
    "metadata",
    "pyspark",
    "serving",
    "tensorflow",
)


def test_a_run_imports_nothing_of_the_working_directory(tmp_path: Path) -> None:
    for module in MODULES:
        (tmp_path / f"{module}.py").write_text(f"raise SystemExit('{module} of the trap')\n")
    for package in (*PACKAGES, "tfx", "tfx_pipeline", "usecases"):
        (tmp_path / package).mkdir()
        trap = f"raise SystemExit('{package} of the trap')\n"
        (tmp_path / package / "__init__.py").write_text(trap)
    shutil.copytree(TOY, tmp_path / "toy_harbour")
    (tmp_path / "toy_harbour" / "gzip.py").write_text("raise SystemExit('gzip of the use case')\n")
    assert goldlake("check", "toy_harbour", folder=tmp_path).startswith("toy_harbour: no errors")
    goldlake("run", "toy_harbour", "--rows", "1000", "--home", "home", folder=tmp_path)
