"""Hashes of source files, which enter TFX's cache keys: edited code never gives a stale result.

TFX itself hashes code only for ``module_file``. Read-only; imports none of the modules it hashes.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
from pathlib import Path

from goldlake.contracts.errors import PermanentError


def code_hash(*modules: str) -> str:
    """sha256 over the source of modules and the version of TFX that runs them.

    Args:
        *modules: Dotted names. A package stands for all the modules below it. None: the hash of the
            TFX version alone, for a stock component without code of ours.

    Raises:
        PermanentError: A module has no source file.
    """
    digest = hashlib.sha256(f"tfx {importlib.metadata.version('tfx')}".encode())
    for name in sorted(set(modules)):
        for file in _sources(name):
            digest.update(f"\0{name}/{file.name}\0".encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()


def _sources(name: str) -> list[Path]:
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise PermanentError(f"The module {name!r} has no source file to hash")
    if spec.submodule_search_locations:
        folder = Path(next(iter(spec.submodule_search_locations)))
        return sorted(folder.rglob("*.py"))
    return [Path(spec.origin)]
