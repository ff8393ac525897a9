"""Hashes of source files, which enter TFX's cache keys: edited code never gives a stale result.

TFX itself hashes code only for ``module_file``. Read-only; imports none of the modules it hashes.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.metadata
import importlib.util
from collections.abc import Iterator
from pathlib import Path

from goldlake_core.contracts.errors import PermanentError

OURS = ("goldlake_core", "serving", "tfx_pipeline")
"""Packages whose imports are followed: those that a pipeline node may use."""

FRAME = frozenset({"tfx_pipeline.codehash", "goldlake_core.contracts.errors"})
"""Modules that cannot change a result: they hash code and define errors."""


def code_hash(*entries: str, tfx: str | None = None) -> str:
    """sha256 over the source of modules, of all that they import, and the version of TFX.

    Imports of goldlake's packages are followed, those inside functions too. Files next to a module
    that are not Python (a table, a word list) enter its hash, because it may read them.

    Args:
        *entries: Dotted names of entry modules. None: the hash of the TFX version alone, for a
            stock component without code of ours.
        tfx: Version of TFX, or None for the one that is installed.

    Raises:
        PermanentError: An entry module has no source file.
    """
    digest = hashlib.sha256(f"tfx {tfx or importlib.metadata.version('tfx')}".encode())
    for name in sorted(modules_of(*entries)):
        for file in _files(name):
            digest.update(f"\0{name}/{file.name}\0".encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()


def modules_of(*entries: str) -> set[str]:
    """Our modules that ``entries`` are and import, over any number of steps; without `FRAME`.

    Raises:
        PermanentError: An entry module has no source file.
    """
    for name in entries:
        if _source(name) is None:
            raise PermanentError(f"The module {name!r} has no source file to hash")
    found: set[str] = set()
    fresh = set(entries)
    while fresh:
        found |= fresh
        fresh = {each for name in fresh for each in _imports(name)} - found - FRAME
    return found


@functools.cache
def _imports(name: str) -> frozenset[str]:
    source = _source(name)
    if source is None:
        return frozenset()
    tree = ast.parse(source.read_text(encoding="utf-8"))
    package = name if source.name == "__init__.py" else name.rpartition(".")[0]
    named = {each for node in ast.walk(tree) for each in _named(node, package)}
    sources = {each: _source(each) for each in named}
    return frozenset(n for n, file in sources.items() if file and file.name != "__init__.py")


def _named(node: ast.AST, package: str) -> Iterator[str]:
    """Dotted names that a statement may import: modules, and attributes that may be modules."""
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        above = package.split(".")[: len(package.split(".")) - node.level + 1]
        parts = [*(above if node.level else []), *([node.module] if node.module else [])]
        module = ".".join(parts)
        names = [module, *(f"{module}.{alias.name}" for alias in node.names)]
    else:
        return
    # A package's own file only describes it and names its modules, so it is not followed: else a
    # change to one component would run all of them again.
    yield from (name for name in names if name.split(".")[0] in OURS)


@functools.cache
def _source(name: str) -> Path | None:
    """The file of a module, or None where there is no such module."""
    top, *rest = name.split(".")
    spec = importlib.util.find_spec(top)
    if spec is None or spec.origin is None:
        return None
    if not rest:
        return Path(spec.origin)
    place = Path(spec.origin).parent.joinpath(*rest)
    for file in (place.with_suffix(".py"), place / "__init__.py"):
        if file.is_file():
            return file
    return None


def _files(name: str) -> list[Path]:
    source = _source(name)
    if source is None:
        return []
    beside = [p for p in source.parent.iterdir() if p.is_file() and p.suffix not in (".py", ".pyc")]
    return [source, *sorted(beside)] if name.split(".")[0] in OURS else [source]
