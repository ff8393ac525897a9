"""The rows that a run asks the served model about: the contract's examples, else rows of gold."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from goldlake_core.contracts.sections import Model, UseCase
from goldlake_core.storage.home import Home

ROWS = 2
"""Rows of the gold table where the contract has no examples."""


def asked_rows(usecase: UseCase, model: Model, home: Home) -> list[dict[str, Any]]:
    """Rows as a client has them, by column; a missing value is left out. Read-only.

    Args:
        usecase: The use case.
        model: One of its models.
        home: Where its gold table is.
    """
    if model.examples:
        return [dict(example) for example in model.examples]
    from lakehouse import rows, specs

    table = specs.gold(usecase, home, usecase.gold[model.table])
    found = rows.frame(table.uri).select(model.feature_columns).head(ROWS).collect()
    return [_present(row) for row in found.iter_rows(named=True)]


def _present(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value
        for name, value in row.items()
        if value is not None and not (isinstance(value, float) and math.isnan(value))
    }
