"""Hashes of this package's sources, for cache keys: TFX hashes code only for ``module_file``."""

from __future__ import annotations

import hashlib
from pathlib import Path


def code_hash(*modules: str) -> str:
    """sha256 over the sources of this package; read-only.

    Args:
        *modules: Module names without ``.py``, such as ``preprocessing``; all of them when none
            is named.

    Raises:
        FileNotFoundError: There is no such module.
    """
    folder = Path(__file__).parent
    files = [folder / f"{name}.py" for name in sorted(modules)] or sorted(folder.glob("*.py"))
    digest = hashlib.sha256()
    for file in files:
        text = file.read_bytes()
        digest.update(f"{file.name} {len(text)}\n".encode())
        digest.update(text)
    return digest.hexdigest()
