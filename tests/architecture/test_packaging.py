"""The wheel holds what is there and asks for what it imports, in ranges that hold the locks."""

from __future__ import annotations

import ast
import fnmatch
import re
import sys
from importlib.metadata import requires
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from setuptools import find_packages

ROOT = Path(__file__).parents[2]
TOP_LEVEL = [
    "goldlake",
    "goldlake_core",
    "goldlake_simulators",
    "lakehouse",
    "metadata",
    "serving",
    "tfx_pipeline",
    "usecases",
]
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))


def constants(path: Path) -> dict[str, Any]:
    """The literal values that a module assigns to names, and the keywords of its calls."""
    found: dict[str, Any] = {}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        targets = node.targets if isinstance(node, ast.Assign) else []
        names = [target.id for target in targets if isinstance(target, ast.Name)]
        names += [node.arg] if isinstance(node, ast.keyword) and node.arg else []
        if names and isinstance(node, (ast.Assign, ast.keyword)):
            try:
                found[names[0]] = ast.literal_eval(node.value)
            except ValueError:
                continue
    return found


SETUP = constants(ROOT / "setup.py")


def locked_versions(lock: Path) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9._-]+)==([^ ;\\]+)", lock.read_text(), re.M))


def test_packages_are_those_on_disk() -> None:
    on_disk = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for name in TOP_LEVEL
        for path in (ROOT / name).rglob("__init__.py")
    }
    assert set(find_packages(str(ROOT), exclude=SETUP["NOT_SHIPPED"])) == on_disk


def imported(folders: list[str]) -> set[str]:
    """Top-level modules that the files of these folders import, wherever they do so."""
    found: set[str] = set()
    for path in (path for name in folders for path in (ROOT / name).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                found.add(".".join(node.module.split(".")[:2]))
    return {name if name.startswith("google.") else name.partition(".")[0] for name in found}


def test_what_is_imported_is_asked_for() -> None:
    """By name, by an extra, or by TFX and TFDV, whose libraries come in the version that fits."""
    other_names = {
        "delta": "delta-spark",
        "google.protobuf": "protobuf",
        "grpc": "grpcio",
        "tensorflow_serving": "tensorflow-serving-api",
        "yaml": "pyyaml",
    }
    # tomllib came with Python 3.11.
    modules = imported(TOP_LEVEL) - {*TOP_LEVEL, *sys.stdlib_module_names, "tomllib"}
    wanted = {other_names.get(name, name.replace("_", "-")) for name in modules}
    extras = [text for name, texts in SETUP["EXTRAS"].items() if name != "test" for text in texts]
    requirements = [Requirement(text) for text in [*SETUP["REQUIREMENTS"], *extras]]
    asked = {item.name.lower() for item in requirements}
    # An extra of another package, such as tfx[kfp], asks for what the package lists with it.
    asked |= {
        part.name.lower()
        for item in requirements
        for extra in item.extras
        for part in map(Requirement, requires(item.name) or ())
        # Whatever the version of Python: the compiler of pipelines has an environment apart.
        if part.marker is not None and f'extra == "{extra}"' in str(part.marker)
    }
    parts = [*(requires("tfx") or ()), *(requires("tensorflow-data-validation") or ())]
    by_tfx = {Requirement(text).name.lower() for text in parts}
    by_tfx = {name for name in by_tfx if name.startswith(("tensorflow", "tfx"))}
    assert wanted - asked - by_tfx == set()


def test_every_module_of_the_engine_lies_in_a_package() -> None:
    folders = {path.parent for name in TOP_LEVEL[:-1] for path in (ROOT / name).rglob("*.py")}
    assert [str(folder) for folder in folders if not (folder / "__init__.py").exists()] == []


def test_every_file_of_a_use_case_is_packaged() -> None:
    patterns = SETUP["package_data"]["usecases"]
    files = [
        path.relative_to(ROOT / "usecases").as_posix()
        for path in (ROOT / "usecases").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".md"
    ]
    assert "chicago_crime/contract.yaml" in files
    shipped = [name for name in files if any(fnmatch.fnmatch(name, glob) for glob in patterns)]
    assert sorted(set(files) - set(shipped)) == ["__init__.py"]


def test_ranges_hold_what_is_locked() -> None:
    locked = locked_versions(ROOT / "requirements" / "stack-1.16.txt")
    requirements = [Requirement(text) for text in SETUP["REQUIREMENTS"]]
    requirements += [Requirement(text) for text in SETUP["EXTRAS"]["test"]]
    outside = [
        f"{item}: {locked.get(item.name.lower())}"
        for item in requirements
        if not item.specifier.contains(locked.get(item.name.lower(), "0"))
    ]
    assert outside == []


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_locks_pin_and_hash_everything_and_name_no_host(lock: Path) -> None:
    text = lock.read_text()
    entries = re.split(r"^(?=[a-zA-Z])", text, flags=re.M)[1:]
    assert entries
    assert [entry for entry in entries if "==" not in entry or "--hash=sha256:" not in entry] == []
    assert "//" not in text


def test_the_jars_are_those_of_the_locked_spark_and_delta() -> None:
    locked = locked_versions(ROOT / "requirements" / "stack-1.16.txt")
    spark = ".".join(locked["pyspark"].split(".")[:2])
    delta = locked["delta-spark"]
    jars = (ROOT / "lakehouse" / "jars.lock").read_text()
    assert re.findall(r"^io\S+", jars, re.M) == [
        f"io.delta:delta-spark_{spark}_2.13:{delta}",
        f"io.delta:delta-storage:{delta}",
    ]
