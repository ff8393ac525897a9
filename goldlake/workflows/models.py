"""Which versions were pushed, from which data, and what serves now."""

from __future__ import annotations

import posixpath

from goldlake_core.stages import Document
from goldlake_core.storage import model_versions as pusher
from goldlake_core.storage.home import Home
from serving import config


def models_document(home: Home) -> Document:
    """Every model with its pushed versions and their labels. Read-only.

    Args:
        home: Where everything is kept.

    Returns:
        ``{"models": {NAME: {"versions": [{"version", "labels", "table", "table_version",
        "content_hash", "metrics", "pushed_at"}]}}}``, versions ascending.
    """
    served = config.read_or_empty(home.models_config)
    models = {}
    for name in _model_names(home):
        found = served.model(name)
        labels = dict(found.labels) if found is not None else {}
        versions = pushed_versions(home, name)
        for entry in versions:
            entry["labels"] = sorted(k for k, v in labels.items() if v == entry["version"])
        models[name] = {"versions": versions}
    return {"models": models}


def pushed_versions(home: Home, name: str) -> list[Document]:
    """What the Pusher recorded of every version of one model, ascending. Read-only.

    Args:
        home: Where everything is kept.
        name: Such as ``city_bikes.is_late``.
    """
    usecase, _, model = name.partition(".")
    return [
        {
            "version": version,
            "table": about.get("table"),
            "table_version": about.get("table_version"),
            "content_hash": about.get("content_hash"),
            "metrics": about.get("metrics", {}),
            "pushed_at": about.get("pushed_at"),
        }
        for version, about in pusher.pushed_versions(home, usecase, model).items()
    ]


def _model_names(home: Home) -> list[str]:
    folder = home.path("models")
    if not home.fs.exists(folder):
        return []
    entries = home.fs.ls(folder, detail=True)
    names = (posixpath.basename(e["name"].rstrip("/")) for e in entries if e["type"] == "directory")
    return sorted(name for name in names if "." in name.strip("."))
