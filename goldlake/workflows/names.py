"""Errors of names that are not there: they say the nearest name, and all names.

One function makes these errors for use cases, models, tables, versions and labels: `unknown`.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator
from pathlib import Path

from goldlake.workflows import homes
from goldlake_core.contracts import registry
from goldlake_core.contracts.errors import UsageError
from goldlake_core.contracts.ids import ModelId, TableId
from goldlake_core.contracts.names import nearest
from goldlake_core.contracts.sections import Model, UseCase
from goldlake_core.storage.home import Home
from goldlake_core.storage.model_versions import pushed_versions
from serving import config


def unknown(
    problem: str,
    name: str,
    known: Iterable[str],
    *,
    home: Home | None = None,
    hint: str | None = None,
) -> UsageError:
    """The error of a name that is not there.

    Args:
        problem: What failed, with the name.
        name: The name as it was given.
        known: Names that would have been right.
        home: Home in which it was looked up, or None where it was looked up elsewhere. Where
            nothing is known there, the error names other homes that hold something.
        hint: The next command where something is known or no other home holds anything.
    """
    names = list(dict.fromkeys(known))
    if names:
        within = [text for text in names if text.endswith(f".{name}")]
        valid = nearest(name, names)
        if within and "(nearest)" not in valid:
            valid = f"{within[0]} (nearest); all: {valid}"
        return UsageError(problem, valid=valid, hint=hint)
    others = homes.elsewhere(home) if home is not None else []
    if others:
        held = ", ".join(others)
        hint = f"the same command with --home {others[0]}; homes that hold something: {held}"
    return UsageError(problem, valid="nothing yet", hint=hint)


def contract_models() -> Iterator[str]:
    """Models of the use cases that have a name here, such as ``city_bikes.is_late``. Read-only."""
    for usecase, folders in registry.usecase_names().items():
        for file in sorted(Path(folders[0], "models").glob("*.yaml")):
            yield f"{usecase}.{file.stem}"


def pushed_models(home: Home) -> list[str]:
    """Models with a pushed version, such as ``city_bikes.is_late``. Read-only."""
    folder = home.path("models")
    if not home.fs.exists(folder):
        return []
    entries = home.fs.ls(folder, detail=True)
    names = (posixpath.basename(e["name"].rstrip("/")) for e in entries if e["type"] == "directory")
    return sorted(name for name in names if "." in name.strip("."))


def not_pushed(name: str, home: Home) -> UsageError:
    """The error of a model without a pushed version."""
    pushed = pushed_models(home)
    hint = "goldlake models" if pushed else f"goldlake train {name}"
    return unknown(f"No version of {name} is pushed", name, pushed, home=home, hint=hint)


def load_model(text: str) -> tuple[UseCase, Model]:
    """A model with its use case; see `goldlake_core.contracts.registry.load_model`."""
    known = list(contract_models())
    if ":" not in text and "@" not in text and text not in known:
        hint = "goldlake check USECASE, or name a use case in a folder as PATH:MODEL"
        raise unknown(f"There is no model {text!r}", text, known, hint=hint)
    return registry.load_model(text)


def served_version(model: str, home: Home) -> int | None:
    """Returns the version that answers requests without a version, or None. Read-only.

    Args:
        model: Such as ``city_bikes.is_late``.
        home: Where it serves.
    """
    return config.served_version(config.read_or_empty(home.models_config), model)


def pushed_version(model: ModelId, number: str | None, home: Home) -> int:
    """Returns the number of a pushed version, or of the one that serves now. Read-only.

    Args:
        model: Use case and name of the model.
        number: What was given after the ``@``, or None for the version that serves.
        home: Where it was pushed to.

    Raises:
        UsageError: There is no such version, or none serves.
    """
    pushed = pushed_versions(home, model.usecase, model.name)
    if number is None:
        served = served_version(str(model), home)
        if served is not None:
            return served
    elif number.isdecimal() and int(number) in pushed:
        return int(number)
    asked = str(model) if number is None else f"{model}@{number}"
    problem = f"{asked} is not a version that was pushed to {home.root}"
    hint = f"goldlake train {model}"
    if number is None:
        problem = f"No version of {model} serves in {home.root}"
        hint = f"goldlake promote {model}@VERSION" if pushed else hint
    known = [str(model.at(each)) for each in pushed]
    raise unknown(problem, asked, known, home=home, hint=hint)


def require_table(table: TableId, home: Home) -> None:
    """Refuses a table that a home does not have, or not at the version named. Read-only, no JVM.

    Raises:
        UsageError: There is no such table or version.
    """
    from goldlake_core.storage.deltalog import DeltaLog
    from lakehouse import catalog

    name = str(table.at(None))
    place = catalog.location(home, table.usecase, table.layer, table.name)
    versions = DeltaLog(place).versions()
    if not versions:
        problem = f"There is no table {name!r} in {home.root}"
        known = [entry.id for entry in catalog.tables(None, home)]
        hint = "goldlake tables" if known else "goldlake run USECASE"
        raise unknown(problem, name, known, home=home, hint=hint)
    if table.version is not None and table.version not in versions:
        problem = f"{name} has no version {table.version}"
        raise unknown(
            problem, str(table), [f"{name}@{v}" for v in versions], hint="goldlake tables"
        )
