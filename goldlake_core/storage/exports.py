"""Exports as they lie in a home: whether one is whole. Read-only; no Spark, no TFX."""

from __future__ import annotations

import contextlib
import hashlib
from dataclasses import dataclass

from goldlake_core.contracts.errors import StoreError
from goldlake_core.documents import codec
from goldlake_core.documents.export import ExportManifest
from goldlake_core.storage.files import file_sha256, read_bytes
from goldlake_core.storage.home import Home

MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Damage:
    """What is wrong with an export.

    Attributes:
        problem: Such as ``train/part-0000.csv is missing``.
        is_there: Whether anything of it is there.
    """

    problem: str
    is_there: bool = True


def examined(home: Home, export_id: str, sha256: str | None = None) -> ExportManifest | Damage:
    """The manifest of an export whose parts are all as it says, or what is wrong.

    Args:
        home: Where the export lies.
        export_id: Id of the export, ``usecase/model/EXPORT``.
        sha256: What the sha256 of the manifest must be, or None for any.
    """
    path = home.path("exports", export_id, MANIFEST)
    data = read_bytes(home.fs, path)
    if data is None:
        is_there = home.fs.exists(home.path("exports", export_id))
        return Damage(f"{MANIFEST} is missing", is_there)
    if sha256 is not None and hashlib.sha256(data).hexdigest() != sha256:
        return Damage(f"{MANIFEST} is not the one that the model names")
    try:
        manifest = codec.decode(data, ExportManifest, path)
    except StoreError:
        return Damage(f"{MANIFEST} is damaged")
    for part in (part for split in manifest.splits.values() for part in split.parts):
        found = _sha256(home, home.path("exports", export_id, part.path))
        if found != part.sha256:
            return Damage(f"{part.path} is {'missing' if found is None else 'damaged'}")
    return manifest


def export_ids(home: Home, usecase: str, model: str) -> list[str]:
    """Ids of the exports of a model that are there, whole or not, by gold version."""
    folder = home.export(usecase, model)
    if not home.fs.exists(folder):
        return []
    entries = home.fs.ls(folder, detail=True)
    names = [e["name"].rstrip("/").rpartition("/")[2] for e in entries if e["type"] == "directory"]
    own = [name for name in names if not name.endswith(".staging")]
    return [f"{usecase}/{model}/{name}" for name in sorted(own, key=_by_version)]


def _by_version(name: str) -> tuple[int, str]:
    number = name.partition("-")[0]
    return (int(number) if number.isdecimal() else 0, name)


def _sha256(home: Home, path: str) -> str | None:
    with contextlib.suppress(FileNotFoundError):
        return file_sha256(home.fs, path)
    return None
