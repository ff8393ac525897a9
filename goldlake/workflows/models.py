"""Which versions were pushed, from which data, and what serves now."""

from __future__ import annotations

import json
import posixpath

from goldlake.storage.home import Home
from goldlake.storage.rundir import Document
from serving import config

# Written by the Pusher beside the SavedModel.
RECORD = "goldlake.json"


def models_document(home: Home) -> Document:
    """Every model with its pushed versions and their labels. Read-only.

    Args:
        home: Where everything is kept.

    Returns:
        ``{"models": {NAME: {"versions": [{"version", "labels", "table", "table_version",
        "content_hash", "metrics", "pushed_at"}]}}}``, versions ascending.
    """
    served = config.read_or_empty(home.models_config)
    folder = home.path("models")
    names = []
    if home.fs.exists(folder):
        entries = home.fs.ls(folder, detail=True)
        names = sorted(posixpath.basename(e["name"]) for e in entries if e["type"] == "directory")
    models = {}
    for name in names:
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
    folder = home.path("models", name)
    if not home.fs.exists(folder):
        return []
    versions = []
    for entry in home.fs.ls(folder, detail=False):
        number = posixpath.basename(entry.rstrip("/"))
        if not number.isdigit():
            continue
        record = posixpath.join(folder, number, RECORD)
        document = json.loads(home.fs.cat_file(record)) if home.fs.exists(record) else {}
        versions.append(
            {
                "version": int(number),
                "table": document.get("table"),
                "table_version": document.get("version"),
                "content_hash": document.get("content_hash"),
                "metrics": document.get("metrics", {}),
                "pushed_at": document.get("pushed_at"),
            }
        )
    return sorted(versions, key=lambda entry: int(entry["version"]))
