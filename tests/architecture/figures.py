"""Figures of the architecture, counted from the source: `python -m tests.architecture.figures`."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDERS = (
    "goldlake",
    "goldlake_core",
    "goldlake_simulators",
    "lakehouse",
    "metadata",
    "serving",
    "tfx_pipeline",
)
UNTYPED = "dict[str, Any]"
# Lower floors first: a folder imports its own floor or a lower one, and no sibling on its floor.
FLOORS = (
    ("goldlake_core",),
    ("lakehouse", "metadata", "serving"),
    ("goldlake_simulators", "tfx_pipeline"),
    ("goldlake",),
)


def sources(*folders: str) -> Iterator[Path]:
    """Python files of the product's folders, or of these; a kit for tests is no product code."""
    for folder in folders or FOLDERS:
        files = sorted((ROOT / folder).rglob("*.py"))
        yield from (file for file in files if file.name != "testing.py")


def lines_by_folder() -> Counter[str]:
    """Lines of code, docstrings and comments per top-level folder."""
    return Counter(
        {
            folder: sum(len(file.read_text("utf-8").splitlines()) for file in sources(folder))
            for folder in FOLDERS
        }
    )


def lines_by_part(folder: str) -> Counter[str]:
    """Lines of code, docstrings and comments per package of a top-level folder."""
    found: Counter[str] = Counter()
    for file in sources(folder):
        part = file.relative_to(ROOT).parts[1]
        found[f"{folder}/{part}"] += len(file.read_text("utf-8").splitlines())
    return found


def arrows() -> Counter[tuple[str, str]]:
    """How many imports run from one top-level folder to another, imports in functions included."""
    found: Counter[tuple[str, str]] = Counter()
    for file in sources():
        if file.name == "__main__.py":
            continue  # the command of a package is where parts meet
        top = file.relative_to(ROOT).parts[0]
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names = [node.module]
            for name in names:
                target = name.split(".")[0]
                if target in FOLDERS and target != top:
                    found[top, target] += 1
    return found


def arrows_up() -> dict[tuple[str, str], int]:
    """Imports that run to a higher floor or to a sibling."""
    floor = {folder: number for number, floors in enumerate(FLOORS) for folder in floors}
    return {pair: n for pair, n in arrows().items() if floor[pair[1]] >= floor[pair[0]]}


def untyped() -> Counter[str]:
    """How often a file says `UNTYPED`: in product code, use cases and the book's generator."""
    files = (*sources(*FOLDERS, "usecases"), ROOT / "docs" / "generate.py")
    found = {str(f.relative_to(ROOT)): f.read_text("utf-8").count(UNTYPED) for f in files}
    return Counter({name: count for name, count in found.items() if count})


def main() -> None:
    """Prints the figures."""
    lines = lines_by_folder()
    total = sum(lines.values())
    for folder, count in lines.most_common():
        print(f"{folder:<14} {count:6,} lines  {count / total:5.1%}")
    print(f"{'all':<14} {total:6,} lines")
    print(f"imports that run up: {sum(arrows_up().values())}")
    print(f"{UNTYPED}: {untyped().total()}")


if __name__ == "__main__":
    main()
