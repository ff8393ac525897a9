"""From a public API to a served TensorFlow model that can name its training rows.

The Python API begins with `open`::

    import goldlake

    home = goldlake.open("var/demo")
    home.tables["city_bikes.gold.trips"].to_polars(limit=5)

Importing this package loads nothing heavy: Polars, pyarrow and pandas when rows are read, ML
Metadata when it is asked, Spark and TensorFlow never; stages run in other processes.
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from goldlake.api.home import Home
    from goldlake.api.models import Model, Models
    from goldlake.api.tables import Column, Schema, Table, Tables
    from goldlake.api.usecases import UseCase, UseCases
    from goldlake.api.validation import Validation
    from goldlake_core.contracts.errors import (
        ContractError,
        GateRefused,
        GoldlakeError,
        InstanceError,
        LockedError,
        PermanentError,
        RetryableError,
        StoreError,
        UsageError,
    )

__version__ = "0.1.0"
__all__ = [
    "Column",
    "ContractError",
    "GateRefused",
    "GoldlakeError",
    "Home",
    "InstanceError",
    "LockedError",
    "Model",
    "Models",
    "PermanentError",
    "RetryableError",
    "Schema",
    "StoreError",
    "Table",
    "Tables",
    "UsageError",
    "UseCase",
    "UseCases",
    "Validation",
    "open",
]

_MODULES = {
    "Home": "goldlake.api.home",
    "Model": "goldlake.api.models",
    "Models": "goldlake.api.models",
    "Column": "goldlake.api.tables",
    "Schema": "goldlake.api.tables",
    "Table": "goldlake.api.tables",
    "Tables": "goldlake.api.tables",
    "UseCase": "goldlake.api.usecases",
    "UseCases": "goldlake.api.usecases",
    "Validation": "goldlake.api.validation",
}
_ERRORS = "goldlake_core.contracts.errors"


def open(home: str | os.PathLike[str] | None = None, *, progress: bool = True) -> Home:
    """Opens a home. Reads nothing and makes nothing, so that a new home can be filled.

    Args:
        home: Folder or fsspec URL that holds everything. None takes what the commands take:
            ``GOLDLAKE_HOME``, a ``goldlake.toml``, the home last used from this folder, ``./var``.
        progress: Whether stages say on standard error what they do.

    Returns:
        The home. It keeps no state: what it says is what the home holds at that moment.

    Raises:
        UsageError: ``goldlake.toml`` cannot be read.

    Example:
        >>> import goldlake
        >>> home = goldlake.open("var/demo")
        >>> list(home.models)
        ['city_bikes.is_late']
    """
    from goldlake.api.home import opened

    return opened(home, progress=progress)


def __getattr__(name: str) -> Any:
    """Loads a public class when it is first asked for."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULES.get(name, _ERRORS)), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
