"""A home that was moved or copied: the two documents that hold absolute paths follow it.

TF Serving takes only absolute paths in ``models.config``, and TFX writes absolute paths into ML
Metadata. Whatever else a home holds has no paths.
"""

from __future__ import annotations

import dataclasses
import re

from goldlake_core.storage.files import read_bytes
from goldlake_core.storage.home import Home
from metadata import database
from serving import config

_BASE_PATH = re.compile(r'base_path:\s*"([^"]*)"')


def former_roots(home: Home) -> list[str]:
    """Where the home was before, as its documents say; empty where they agree. Read-only.

    A damaged document says nothing here; whoever reads it tells.
    """
    return list(dict.fromkeys([*_served_from(home), *database.former_roots(home)]))


def settle(home: Home) -> list[str]:
    """Makes ``models.config`` and ML Metadata say where the home is now. Writes; idempotent.

    Returns:
        The places that they named before; empty where nothing was to be done.

    Raises:
        StoreError: ML Metadata is in use, or the disk cannot be written.
        LockedError: Another process changes ``models.config``.
    """
    served = _served_from(home)
    if served:
        config.update(home.models_config, lambda current: _here(home, current))
    recorded = database.former_roots(home)
    for root in recorded:
        database.rebase(home, root)
    return list(dict.fromkeys([*served, *recorded]))


def _served_from(home: Home) -> list[str]:
    if not home.is_local:
        return []
    data = read_bytes(home.fs, home.models_config) or b""
    paths = _BASE_PATH.findall(data.decode("utf-8", "replace"))
    found = []
    for path in paths:
        root, separator, name = path.rpartition("/models/")
        if separator and root != home.root and home.fs.isdir(home.path("models", name)):
            found.append(root)
    return list(dict.fromkeys(found))


def _here(home: Home, current: config.ModelsConfig) -> config.ModelsConfig:
    for model in current.models:
        place = home.path("models", model.name)
        if model.base_path.endswith(f"/models/{model.name}") and home.fs.isdir(place):
            current = current.with_model(dataclasses.replace(model, base_path=place))
    return current
