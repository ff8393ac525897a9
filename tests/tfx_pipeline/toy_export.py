"""An export of the toy harbour written by hand, in the layout that `goldlake export` writes."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from goldlake_core.contracts.registry import load_usecase
from goldlake_core.documents import codec
from goldlake_core.documents.export import Boundaries

TOY = Path(__file__).parent.parent / "usecases" / "toy_harbour"
FIRST = datetime(2024, 1, 1, 6)
ROWS = {"train": 400, "eval": 90, "test": 110}
_CARGO = {"CARGO": "timber", "FERRY": "", "FISHING": "cod on ice", "TANKER": "crude oil"}
_LENGTH = {"CARGO": 120.0, "FERRY": 90.0, "FISHING": 24.0, "TANKER": 200.0}

Row = dict[str, Any]
BOUNDARIES = Boundaries(
    eval_from="2024-07-19T00:00:00.000000Z",
    test_from="2024-09-02T00:00:00.000000Z",
    until="2024-12-01T00:00:00.000000Z",
    mature_until="2024-12-02T00:00:00.000000Z",
)


@dataclass(frozen=True)
class Written:
    """An export that was written: its id, and the sha256 of its manifest."""

    export_id: str
    manifest_sha256: str


def toy_rows(count: int = sum(ROWS.values()), seed: int = 1) -> list[Row]:
    """Gold rows in event order; 0, '' and null all occur, and tankers stay too long."""
    pick = random.Random(seed)
    rows = []
    for index in range(count):
        kind = pick.choice(sorted(_CARGO))
        arrived = FIRST + timedelta(hours=12 * index)
        has_position = pick.random() > 0.1
        length = round(_LENGTH[kind] * pick.uniform(0.6, 1.4), 1)
        rows.append(
            {
                "call_id": f"C{index:05d}",
                "arrived": arrived,
                "vessel_type": kind,
                "cargo": _CARGO[kind],
                "berth": pick.choice(["01", "02", "03", "04", None]),
                "length_m": None if index % 17 == 0 else length,
                "crew": pick.choice([0, 3, 24, None]),
                "pilot": pick.choice([True, False, None]),
                "latitude": round(56 + pick.random(), 4) if has_position else None,
                "longitude": round(10 + pick.random(), 4) if has_position else None,
                "overdue": pick.random() < (0.9 if kind == "TANKER" else 0.15),
                "hour": arrived.hour,
                "weekday": arrived.isoweekday(),
            }
        )
    return rows


def write_export(
    home: Path,
    rows: list[Row] | None = None,
    *,
    name: str = "v3",
    counts: Mapping[str, int] | None = None,
    change: Callable[[str, Row], Row] | None = None,
    folder: Path = TOY,
    version: int = 3,
) -> Written:
    """Writes parts and manifest below ``home``, in the layout of the stage ``export``.

    Args:
        home: The home.
        rows: In event order; else `toy_rows`.
        name: Last part of the export id.
        counts: Rows per split.
        change: Called with split and row before a row is written.
        folder: The use case.
        version: Gold table version that the manifest names.
    """
    usecase = load_usecase(str(folder))
    model = usecase.models["overdue"]
    table = usecase.gold[model.table]
    columns = model.export_columns(table)
    export_id = f"{usecase.name}/{model.name}/{name}"
    target = home / "exports" / export_id
    left = list(rows if rows is not None else toy_rows())
    splits: dict[str, Any] = {}
    for split, count in (counts or ROWS).items():
        own, left = left[:count], left[count:]
        if change is not None:
            own = [change(split, dict(row)) for row in own]
        halves = [own[: count // 2], own[count // 2 :]]
        parts = [
            _write_part(target, f"{split}/part-{number}.csv", half, [c.name for c in columns])
            for number, half in enumerate(halves)
        ]
        splits[split] = {"rows": count, "parts": parts}
    manifest = {
        "format": 1,
        "usecase": usecase.name,
        "model": model.name,
        "table": f"{usecase.name}.gold.{table.name}",
        "table_uuid": "9d9e8a58-0000-4000-8000-000000000001",
        "version": version,
        "content_hash": hashlib.sha256(json.dumps(splits).encode()).hexdigest(),
        "as_of": "2025-01-01T00:00:00.000000Z",
        "event_end": "2024-12-01T00:00:00.000000Z",
        "maturity_days": model.maturity_days,
        "boundaries": codec.plain(BOUNDARIES),
        "columns": [{"name": c.name, "type": c.type, "nullable": c.nullable} for c in columns],
        "label": model.label,
        "event_time": model.event_time,
        "key": list(table.key),
        "rows": {split: part["rows"] for split, part in splits.items()},
        "splits": splits,
        "sections": {name: usecase.hashes[name] for name in ["model.overdue.export"]},
    }
    text = json.dumps(manifest).encode()
    (target / "manifest.json").write_bytes(text)
    return Written(export_id, hashlib.sha256(text).hexdigest())


def csv_cell(value: Any) -> str:
    """A value as the export writes it: nothing for null, ``""`` for the empty string."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    if value == "":
        return '""'
    text = str(value)
    return '"' + text.replace('"', '""') + '"' if set(text) & set(',"\n\r') else text


def _write_part(target: Path, path: str, rows: Iterable[Row], columns: list[str]) -> Row:
    lines = [",".join(columns)]
    lines += [",".join(csv_cell(row[column]) for column in columns) for row in rows]
    data = ("\n".join(lines) + "\n").encode()
    file = target / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    return {
        "path": path,
        "rows": len(lines) - 1,
        "bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
    }
