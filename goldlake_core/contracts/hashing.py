"""sha256 of each contract section, so that a stage depends on exactly the sections it reads."""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from goldlake_core.contracts.errors import UsageError
from goldlake_core.contracts.keys import keys_of
from goldlake_core.contracts.sections import Column, GoldTable, Head, Model, Parts, UseCase

MODEL_SECTIONS = ("export", "features", "training", "evaluation", "validation", "handoff")


def canonical(value: object) -> str:
    """JSON with sorted keys and without blanks: the same value gives the same text.

    Raises:
        TypeError: The value holds something that is not JSON, a Struct, a dataclass or a date.
    """
    plain = _plain(msgspec.to_builtins(_without_later(value)))
    return json.dumps(
        plain, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False
    )


def section_hash(value: object) -> str:
    """sha256 of the canonical JSON, in hexadecimal."""
    return hashlib.sha256(canonical(value).encode("utf-8")).hexdigest()


def section_hashes(usecase: UseCase) -> dict[str, str]:
    """Hashes of all sections of a use case and its models.

    Returns:
        By name: ``source``, ``silver``, ``gold.TABLE`` and ``model.NAME.SECTION`` for each of
        `MODEL_SECTIONS`. Comments, titles and descriptions never enter a model's hashes.
    """
    hashes = {"source": section_hash(usecase.source), "silver": section_hash(usecase.silver)}
    for table in usecase.gold.values():
        hashes[f"gold.{table.name}"] = section_hash(table)
    for model in usecase.models.values():
        for section, content in model_sections(model, usecase.gold[model.table]).items():
            hashes[f"model.{model.name}.{section}"] = section_hash(content)
    return hashes


def model_sections(model: Model, table: GoldTable) -> dict[str, object]:
    """What enters each hash of a model, as plain values."""
    columns = [table.column(name) for name in model.feature_columns]
    head = {} if model.head == Head("binary") else {"head": model.head}
    event_time = _typed(table.column(model.event_time)) if model.event_time else None
    return {
        "export": {
            **head,
            "table": table.name,
            "key": [_typed(table.column(name)) for name in table.key],
            "label": _typed(table.column(model.label)),
            "event_time": event_time,
            "maturity_days": model.maturity_days,
            "split": model.split,
            "columns": [_typed(c) for c in columns],
        },
        "features": {
            **head,
            "features": model.features,
            "wire_null": {c.name: c.wire_null for c in columns},
            "preprocessing": model.preprocessing,
        },
        "training": _training(model),
        "evaluation": {"thresholds": model.thresholds, "slices": model.slices},
        "validation": {
            "limits": model.limits,
            "min_domain_mass": model.min_domain_mass,
            "columns": [
                {**_typed(c), "domain": c.domain, "range": c.range}
                for c in (*columns, table.column(model.label))
            ],
        },
        "handoff": model.handoff,
    }


def _training(model: Model) -> object:
    """What the trainer reads; without later keys as it was before there were any."""
    parts = None if model.parts == Parts() else model.parts
    later = {"explain": model.serving.explain, "decision": model.decision, "parts": parts}
    given = {name: value for name, value in later.items() if value is not None}
    return {"training": model.training, **given} if given else model.training


def functions_hash(usecase: UseCase, dotted: str) -> str:
    """sha256 of the code of a dotted function of the use case. Read-only.

    It covers the function's module and every other file of the folder that the module imports or
    names in a text, such as ``Path(__file__).with_name("weights.csv")``, and what those modules
    import and name. Of a folder that is named, it covers all files. The hash of a module that names
    none is the sha256 of the module.

    Args:
        usecase: The use case.
        dotted: Such as ``tables.area_day``.

    Raises:
        UsageError: There is no such file.
    """
    source = _source(usecase, dotted)
    digest = hashlib.sha256(source)
    root = usecase.folder.resolve()
    own = root / f"{dotted.partition('.')[0]}.py"
    for file in _files_below(root, own, source):
        # A file of a subfolder counts with its path, or a moved one would not be noticed.
        digest.update(f"\0{file.relative_to(root).as_posix()}\0".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()


def module_hash(usecase: UseCase, dotted: str) -> str:
    """sha256 of the module alone that holds a dotted function; see `functions_hash`.

    It is part of the identity of stores of generated rows, which must not change with a file that
    earlier versions left out.
    """
    return hashlib.sha256(_source(usecase, dotted)).hexdigest()


def _source(usecase: UseCase, dotted: str) -> bytes:
    path = usecase.folder / f"{dotted.partition('.')[0]}.py"
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(
            f"The file {path} of the function {dotted!r} cannot be read ({error.strerror})",
            valid=f"a Python file in {usecase.folder}",
        ) from error


def _files_below(root: Path, own: Path, source: bytes) -> list[Path]:
    """All files of the folder that a module reads, directly or by others; without the module."""
    found = {own}
    unread = [(own, source)]
    while unread:
        module, text = unread.pop()
        for path in _named_files(root, module, text) - found:
            found.add(path)
            if path.suffix == ".py":
                unread.append((path, path.read_bytes()))
    return sorted(found - {own})


def _named_files(root: Path, module: Path, source: bytes) -> set[Path]:
    """Files below the folder that a module imports or names; contracts are hashed by section."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return set()
    names = {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value) < 256
    }
    names |= {f"{name}{end}" for name in _imported(tree) for end in (".py", "/__init__.py")}
    # A name counts from the folder, and from the place of the module that has it. The folder itself
    # and what lies above it are not data of the module.
    places = {
        (base / name).resolve()
        for name in names
        if name and "\0" not in name
        for base in (root, module.parent)
    }
    inside = {place for place in places if place.is_relative_to(root) and place != root}
    files = {file for place in inside for file in (place, *_below(place)) if file.is_file()}
    return {file for file in files if file.name != "contract.yaml"}


def _below(place: Path) -> list[Path]:
    """All files of a folder that a module names, without what Python compiled."""
    if not place.is_dir() or place.name in ("models", "__pycache__"):
        return []
    return [file for file in place.rglob("*") if "__pycache__" not in file.parts]


def _imported(tree: ast.AST) -> Iterator[str]:
    """Paths without ending of the modules that may be files of the folder.

    A package may be imported by its full name, so that each end of a dotted name is a candidate.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            dotted = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            inner = [f"{node.module}.{alias.name}" for alias in node.names if node.module]
            dotted = [node.module, *inner] if node.module else [a.name for a in node.names]
        else:
            continue
        for name in dotted:
            parts = name.split(".")
            yield from ("/".join(parts[start:]) for start in range(len(parts)))


def _typed(column: Column) -> dict[str, object]:
    return {"name": column.name, "type": column.type, "nullable": column.nullable}


def _without_later(value: Any) -> Any:
    """A value whose sections lack the later keys of goldlake where these have their default."""
    if isinstance(value, Mapping):
        return {key: _without_later(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_later(item) for item in value]
    if not isinstance(value, msgspec.Struct):
        return value
    later = {key.attribute: key.default for key in keys_of(type(value)) if key.key.later}
    return {
        name: _without_later(getattr(value, name))
        for name in value.__struct_fields__
        if name not in later or later[name] != getattr(value, name)
    }


def _plain(value: object) -> object:
    """JSON values; whole numbers are written alike, whether the YAML file says 5 or 5.0."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return value
