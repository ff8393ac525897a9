"""Each text of an error that a workflow raises is in a test that asserts it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from goldlake import workflows

ROOT = Path(__file__).parents[2]
FOLDER = Path(workflows.__file__).parent
HERE = Path(__file__)
SHORTEST = 6
# Ends and begins of texts that Python joins, and quotes that are escaped in a pattern.
JOINTS = re.compile(r"\"\s*\n\s*[fr]*\"|\\(?=[.()'])")


def raised() -> Iterator[tuple[str, str]]:
    """Place and longest fixed part of each problem that is raised."""
    for file in sorted(FOLDER.rglob("*.py")):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        for function in ast.walk(tree):
            if isinstance(function, ast.FunctionDef):
                names = assigned(function)
                for node in ast.walk(function):
                    if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
                        for text in problems(node.exc, names):
                            yield f"{file.relative_to(ROOT)}:{node.lineno}", text


def assigned(function: ast.FunctionDef) -> dict[str, list[ast.expr]]:
    """What is assigned to each variable of a function."""
    found: dict[str, list[ast.expr]] = {}
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            found.setdefault(node.targets[0].id, []).append(node.value)
    return found


def problems(call: ast.Call, names: dict[str, list[ast.expr]]) -> Iterator[str]:
    """Longest fixed part of the first argument, which is what failed."""
    if not call.args:
        return
    first = call.args[0]
    choices = [first.body, first.orelse] if isinstance(first, ast.IfExp) else [first]
    for choice in choices:
        for text in names.get(choice.id, []) if isinstance(choice, ast.Name) else [choice]:
            parts = [
                node.value.strip(" '\"")
                for node in ast.walk(text)
                if isinstance(node, ast.Constant) and isinstance(node.value, str)
            ]
            longest = max(parts, key=len, default="")
            if len(longest) >= SHORTEST:
                yield longest


@pytest.fixture(scope="module")
def tested() -> str:
    files = [file for file in (ROOT / "tests").rglob("test_*.py") if file != HERE]
    return "\n".join(JOINTS.sub("", file.read_text(encoding="utf-8")) for file in files)


def test_raises_are_found() -> None:
    places = {place.partition(":")[0] for place, _ in raised()}
    assert {"goldlake/workflows/promote.py", "goldlake/workflows/serve.py"} <= places
    assert ("names no version" in text for _, text in raised())


@pytest.mark.parametrize(("place", "text"), list(raised()))
def test_the_text_is_asserted(place: str, text: str, tested: str) -> None:
    assert text in tested, f"{place}: no test asserts {text!r}"
