"""What a home holds, as typed answers: tables, models and lineage. Read-only, without a JVM."""

from __future__ import annotations

import posixpath

import msgspec

from goldlake_core.contracts.registry import find_usecase
from goldlake_core.documents.reports import (
    Lineage,
    ModelsView,
    ModelVersion,
    ModelVersions,
    TablesView,
    UseCaseTables,
)
from goldlake_core.documents.training import PushedVersion
from goldlake_core.storage.home import Home
from goldlake_core.storage.model_versions import pushed_versions
from lakehouse import catalog
from metadata import lineage as recorded
from serving import config


def tables(usecase: str | None, home: Home, as_of: str | None = None) -> TablesView:
    """Tables and fates per use case.

    Args:
        usecase: Name or path of one use case, or None for all in the home.
        home: Where everything is kept.
        as_of: Instant (ISO 8601) whose table versions are read, or None for now.

    Returns:
        Per use case the records by fate now, and the tables.

    Raises:
        UsageError: There is no such use case, or ``as_of`` is not an instant.
    """
    name = find_usecase(usecase).resolve().name if usecase is not None else None
    entries = catalog.tables(name, home, as_of)
    view: TablesView = {}
    for found in dict.fromkeys(entry.id.partition(".")[0] for entry in entries):
        mine = tuple(entry for entry in entries if entry.id.startswith(f"{found}."))
        totals = msgspec.structs.asdict(catalog.fates(found, home))
        view[found] = UseCaseTables(tables=mine, **totals)
    return view


def models(home: Home) -> ModelsView:
    """Every model with its pushed versions and their labels.

    Args:
        home: Where everything is kept.

    Raises:
        StoreError: The document of a pushed version does not hold what it should.
    """
    served = config.read_or_empty(home.models_config)
    view = {}
    for name in _model_names(home):
        found = served.model(name)
        labels = dict(found.labels) if found is not None else {}
        usecase, _, model = name.partition(".")
        view[name] = ModelVersions(
            versions=tuple(
                _version(version, about, sorted(k for k, v in labels.items() if v == version))
                for version, about in pushed_versions(home, usecase, model).items()
            )
        )
    return ModelsView(models=view)


def lineage(home: Home, name: str) -> Lineage:
    """Which rows made a model, or which models a table's rows made; see `metadata.lineage`."""
    return recorded.lineage(home, name)


def _version(version: int, about: PushedVersion | None, labels: list[str]) -> ModelVersion:
    return ModelVersion(
        version=version,
        table=about.table if about else None,
        table_version=about.table_version if about else None,
        content_hash=about.content_hash if about else None,
        metrics=about.metrics if about else {},
        pushed_at=about.pushed_at if about else None,
        labels=tuple(labels),
    )


def _model_names(home: Home) -> list[str]:
    folder = home.path("models")
    if not home.fs.exists(folder):
        return []
    entries = home.fs.ls(folder, detail=True)
    names = (posixpath.basename(e["name"].rstrip("/")) for e in entries if e["type"] == "directory")
    return sorted(name for name in names if "." in name.strip("."))
