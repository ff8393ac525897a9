"""Starting the command line, or importing a package, loads none of the heavy libraries."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEAVY = {
    "apache_beam",
    "delta",
    "keras",
    "ml_metadata",
    "numpy",
    "pandas",
    "polars",
    "pyarrow",
    "pyspark",
    "tensorflow",
    "tfx",
    "tfx_bsl",
}


def loaded_by(statement: str) -> set[str]:
    """Top-level modules that a fresh interpreter holds after a statement."""
    code = f"{statement}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return {name.split(".")[0] for name in json.loads(result.stdout.splitlines()[-1])}


def modules_of(package: str) -> list[str]:
    """Every module of a package, by its files, without those that run when imported."""
    files = sorted((ROOT / package).rglob("*.py"))
    dotted = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in files]
    return [name.removesuffix(".__init__") for name in dotted if "__main__" not in name]


def test_the_probe_sees_a_heavy_import() -> None:
    assert "numpy" in loaded_by("import numpy") & HEAVY


@pytest.mark.parametrize(
    "package",
    ["goldlake_core", "goldlake_simulators", "lakehouse", "metadata", "serving", "tfx_pipeline"],
)
def test_importing_a_package_is_light(package: str) -> None:
    assert loaded_by(f"import {package}") & HEAVY == set()


def test_no_module_of_goldlake_imports_heavily() -> None:
    modules = modules_of("goldlake") + modules_of("goldlake_core")
    assert "goldlake.cli.main" in modules
    assert loaded_by("\n".join(f"import {name}" for name in modules)) & HEAVY == set()
