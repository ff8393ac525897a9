"""Edited code is never served from the cache: a node's key covers what its entry module imports."""

from __future__ import annotations

import ast
import importlib.util
from pathlib import Path

import pytest

from tfx_pipeline.model import nodes


def imports(module: str) -> set[str]:
    """Modules of ours that a module imports, anywhere in it and over any number of steps."""
    seen: set[str] = set()
    fresh = {module}
    while fresh:
        seen |= fresh
        found = {name for each in fresh for name in _direct(each)}
        fresh = {name for name in found if _is_of_ours(name)} - seen
    return seen


def _is_of_ours(name: str) -> bool:
    is_hashed = name.startswith("tfx_pipeline.") or name == "goldlake.contracts.wire"
    spec = importlib.util.find_spec(name) if is_hashed else None
    return spec is not None and spec.submodule_search_locations is None


def _direct(module: str) -> set[str]:
    spec = importlib.util.find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    found: set[str] = set()
    for node in ast.walk(ast.parse(Path(spec.origin).read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names if _exists(node, alias)}
    return found


def _exists(node: ast.ImportFrom, alias: ast.alias) -> bool:
    package = Path(*str(node.module).split("."))
    return (Path(__file__).parents[3] / package / f"{alias.name}.py").exists()


@pytest.mark.parametrize(
    ("entry", "hashed"),
    [
        ("preprocessing", nodes.TRANSFORM_CODE),
        ("trainer", nodes.TRAINER_CODE),
        ("metrics", nodes.METRICS_CODE),
        ("serving_check", nodes.SERVING_CHECK_CODE),
    ],
)
def test_the_cache_key_covers_every_module_that_runs(entry: str, hashed: tuple[str, ...]) -> None:
    assert imports(f"tfx_pipeline.model.{entry}") <= set(hashed)


def test_imports_are_followed() -> None:
    found = imports("tfx_pipeline.model.trainer")
    assert {"tfx_pipeline.model.scores", "tfx_pipeline.spec"} <= found
