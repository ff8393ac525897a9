"""Edited code is never served from the cache: a node's key covers what its entry module imports."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from goldlake_core.contracts.errors import PermanentError
from tfx_pipeline import codehash
from tfx_pipeline.codehash import code_hash, modules_of


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package ``hashed`` of which ``entry`` imports ``used``, and ``used`` imports ``deep``."""
    folder = tmp_path / "hashed"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "entry.py").write_text("from hashed import used\n")
    (folder / "used.py").write_text("def f():\n    from .deep import x\n    return x\n")
    (folder / "deep.py").write_text("x = 1\n")
    (folder / "other.py").write_text("y = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(codehash, "OURS", ("hashed",))
    return folder


@pytest.fixture(autouse=True)
def fresh() -> None:
    """Sources are read again: a real process reads them once."""
    codehash._imports.cache_clear()
    codehash._source.cache_clear()


def test_imports_are_followed_inside_functions_and_relative_ones_too(package: Path) -> None:
    assert modules_of("hashed.entry") == {"hashed.entry", "hashed.used", "hashed.deep"}


@pytest.mark.parametrize("edited", ["entry.py", "used.py", "deep.py"])
def test_every_module_that_runs_is_part_of_the_hash(package: Path, edited: str) -> None:
    before = code_hash("hashed.entry")
    assert before == code_hash("hashed.entry", "hashed.entry") != code_hash()
    with (package / edited).open("a") as file:
        file.write("z = 2\n")
    assert code_hash("hashed.entry") != before


def test_a_module_that_is_not_imported_is_not_part_of_it(package: Path) -> None:
    before = code_hash("hashed.entry")
    (package / "other.py").write_text("y = 2\n")
    assert code_hash("hashed.entry") == before


def test_a_file_that_lies_beside_the_code_is_part_of_it(package: Path) -> None:
    before = code_hash("hashed.entry")
    (package / "words.txt").write_text("a\n")
    with_words = code_hash("hashed.entry")
    (package / "words.txt").write_text("b\n")
    assert len({before, with_words, code_hash("hashed.entry")}) == 3


def test_a_missing_module_is_refused(package: Path) -> None:
    shutil.rmtree(package)
    with pytest.raises(PermanentError, match="'hashed.entry' has no source file to hash"):
        code_hash("hashed.entry")


@pytest.mark.parametrize(
    ("entry", "reached", "spared"),
    [
        ("modules.preprocessing", {"modules.layout", "spec"}, {"modules.trainer"}),
        ("modules.trainer", {"scores", "modules.network", "modules.saved_model"}, {"pipeline"}),
        ("evaluation.metrics", {"scores"}, {"modules.trainer"}),
        ("components.model", {"evaluation.serving_check"}, {"components.curated_schema"}),
        ("components.validation_verdict", {"components.curated_schema"}, {"modules.network"}),
    ],
)
def test_a_node_depends_on_what_it_runs_and_on_no_other_node(
    entry: str, reached: set[str], spared: set[str]
) -> None:
    found = {name.removeprefix("tfx_pipeline.") for name in modules_of(f"tfx_pipeline.{entry}")}
    assert reached <= found
    assert not spared & found
