"""The runs of a use case as a Delta table, which any reader of Delta tables can query.

    tables/USECASE/audit/runs

One row per run, append-only. What a value of several parts is, such as the counts by reason, is a
text of JSON. The columns are those of `goldlake_core.documents.history.RunRow`.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from types import NoneType
from typing import Any, get_args, get_origin, get_type_hints

import msgspec

from goldlake_core.documents.history import RunRow
from goldlake_core.instants import now_text
from goldlake_core.storage.deltalog import DeltaLog, Field
from goldlake_core.storage.home import Home
from metadata import deltatable

COMMENT = "Runs of the use case, one row each, append only."
_DELTA_TYPES: Mapping[Any, str] = {int: "long", float: "double", datetime: "timestamp"}


def location(home: Home, usecase: str) -> str:
    """Location of the table of a use case's runs."""
    return home.table(usecase, "audit", "runs")


def schema() -> deltatable.Schema:
    """The table's columns: those of `RunRow`, with its sentences as their comments."""
    about = _sentences(RunRow.__doc__ or "")
    columns = tuple(
        Field(name, _delta_type(hint), True, {"comment": about[name]} if name in about else {})
        for name, hint in get_type_hints(RunRow).items()
    )
    return deltatable.Schema(COMMENT, columns)


def exists(home: Home, usecase: str) -> bool:
    """Whether there is a table of a use case's runs."""
    return DeltaLog(location(home, usecase)).exists()


def append(home: Home, usecase: str, rows: Sequence[RunRow]) -> None:
    """Appends runs. The caller makes sure that each comes once.

    Raises:
        StoreError: The disk is full or read-only.
    """
    deltatable.append(location(home, usecase), schema(), [_flat(row) for row in rows])


def read(home: Home, usecase: str) -> list[RunRow]:
    """All runs of a use case, newest first; [] where none is on record. Read-only."""
    log = DeltaLog(location(home, usecase))
    if not log.exists():
        return []
    rows = [_row(values) for values in log.read().to_pylist()]
    return sorted(rows, key=lambda row: (row.began_at, row.run_id), reverse=True)


def set_aside(home: Home, usecase: str) -> str:
    """Moves a damaged table out of the way, beside the tables; returns where it is now."""
    stamp = re.sub(r"\D", "", now_text())
    aside = posixpath.join(home.path("tables", usecase, "audit"), f"_runs-{stamp}")
    home.fs.mv(location(home, usecase), aside, recursive=True)
    return aside


def _delta_type(hint: Any) -> str:
    kinds = [kind for kind in (get_args(hint) or (hint,)) if kind is not NoneType]
    return "string" if _is_nested(hint) else _DELTA_TYPES.get(kinds[0], "string")


def _is_nested(hint: Any) -> bool:
    return get_origin(hint) is dict


def _sentences(docstring: str) -> dict[str, str]:
    """The description of each attribute in a docstring."""
    entries = re.findall(r"^ +(\w+): (.+(?:\n {9,}.+)*)", docstring, re.M)
    return {name: " ".join(text.split()) for name, text in entries}


def _flat(row: RunRow) -> dict[str, object]:
    values = {name: getattr(row, name) for name in row.__struct_fields__}
    return {
        name: json.dumps(value, ensure_ascii=False, sort_keys=True)
        if isinstance(value, dict)
        else value
        for name, value in values.items()
    }


def _row(values: Mapping[str, Any]) -> RunRow:
    nested = [name for name, hint in get_type_hints(RunRow).items() if _is_nested(hint)]
    found = {name: value for name, value in values.items() if value is not None}
    found |= {name: json.loads(found[name]) for name in nested if name in found}
    return msgspec.convert(found, RunRow)
