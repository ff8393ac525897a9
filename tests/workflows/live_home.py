"""A home with a gold table of half a year, a served model and its request log, without Spark."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import polars as pl

from goldlake.workflows.live_log import LiveLog, live_log
from goldlake_core.contracts.column_types import COLUMN_TYPES
from goldlake_core.contracts.registry import load_usecase
from goldlake_core.contracts.wire import fill_nulls, raw_inputs
from goldlake_core.storage.home import Home
from goldlake_core.storage.model_versions import push_model
from serving import config
from tests.goldlake_core.storage.test_deltalog import add, commit
from tests.tfx_pipeline.toy_export import TOY

NAME = "toy_harbour.overdue"
BEGIN = datetime(2024, 1, 1, tzinfo=timezone.utc)
PER_DAY, DAYS, MAY = 30, 182, 122
Row = dict[str, Any]


class LiveHome:
    """Calls of half a year at version 1 of the gold table, from which version 1 learned.

    Args:
        root: Folder that gets the home.
        per_day: Calls a day.
    """

    def __init__(self, root: Path, per_day: int = PER_DAY) -> None:
        self.per_day = per_day
        self.home = Home.at(root / "home")
        self.usecase = load_usecase(str(TOY))
        self.model = self.usecase.models["overdue"]
        self.gold = self.usecase.gold[self.model.table]
        self._random = random.Random(5)
        self.rows = [self._row(number, number // per_day) for number in range(per_day * DAYS)]
        self.write(1, self.rows, DAYS)
        made = root / "made"
        made.mkdir()
        (made / "saved_model.pb").write_text("1")
        about = {
            "table_version": 1,
            "table_uuid": "u-1",
            "as_of": _text(BEGIN + timedelta(days=DAYS)),
            "metrics": {"auc": 0.9},
        }
        push_model(self.home, "toy_harbour", "overdue", str(made), about)
        served = config.with_version(config.ModelsConfig(), NAME, 1, self.home.path("models", NAME))
        config.write(self.home.models_config, config.with_label(served, NAME, 1, "stable"))

    def write(self, version: int, rows: list[Row], days: int) -> None:
        """Adds rows to the gold table in a version whose newest change is after so many days."""
        folder = Path(self.home.table("toy_harbour", "gold", self.model.table))
        folder.mkdir(parents=True, exist_ok=True)
        if version == 1:
            fields = [
                {
                    "name": c.name,
                    "type": COLUMN_TYPES[c.type].delta,
                    "nullable": True,
                    "metadata": {},
                }
                for c in self.gold.columns
            ]
            schema = json.dumps({"type": "struct", "fields": fields})
            commit(folder, 0, {"metaData": {"id": "u-1", "schemaString": schema}})
        types: dict[str, Any] = {
            c.name: getattr(pl, COLUMN_TYPES[c.type].polars)() for c in self.gold.columns
        }
        types["arrived"] = pl.Datetime("us", "UTC")
        pl.DataFrame(rows, schema=types).write_parquet(folder / f"{version}.parquet")
        as_of = _text(BEGIN + timedelta(days=days))
        basis = {
            "silver_version": version,
            "silver_uuid": "s",
            "as_of": as_of,
            "event_end": as_of,
            "run_id": "r",
        }
        commit(folder, version, add(f"{version}.parquet", len(rows)), metadata=json.dumps(basis))

    def more(self, count: int, days: int) -> None:
        """Adds calls of later days."""
        start = self.per_day * DAYS
        self.write(2, [self._row(start + n, DAYS + n // self.per_day) for n in range(count)], days)

    def _row(self, number: int, day: int) -> Row:
        pick = self._random
        arrived = BEGIN + timedelta(days=day, minutes=pick.randrange(1440))
        return {
            "call_id": f"C{number}",
            "arrived": arrived,
            "vessel_type": pick.choice(["TANKER", "CARGO", "FERRY"]),
            "cargo": pick.choice(["crude oil", "grain", ""]),
            "berth": pick.choice(["01", "02", "03"]),
            "length_m": float(pick.randrange(40, 300)),
            "crew": pick.choice([None, 10, 20, 30]),
            "pilot": pick.choice([None, True, False]),
            "latitude": 56.0 + pick.random() / 4,
            "longitude": 10.0 + pick.random() / 4,
            "overdue": pick.random() < 0.3,
            "hour": arrived.hour,
            "weekday": arrived.isoweekday(),
        }

    def line(
        self, row: Row, at: datetime, probability: float, version: int = 1, **other: Any
    ) -> Row:
        """A line of the request log, as the server writes it."""
        inputs = raw_inputs(self.model, self.gold)
        asked = {name: row[name] for name in self.model.feature_columns}
        (filled,) = fill_nulls(inputs, [asked])
        return {
            "request_id": f"r-{row['call_id']}",
            "at": at.isoformat(timespec="milliseconds"),
            "model": NAME,
            "label": "",
            "status": "OK",
            "version": version,
            "signature": "serving_default",
            "row": 0,
            "rows": 1,
            "record_key": row["call_id"],
            "inputs": {n: None if v != v else v for n, v in filled.items()},
            "outputs": {"probability": probability},
            "redacted": [],
            **other,
        }

    def log(self, name: str, lines: list[Row], half: bytes = b"") -> Path:
        """Writes a file of the request log."""
        file = Path(self.home.path("requests", NAME, name))
        file.parent.mkdir(parents=True, exist_ok=True)
        whole = "".join(json.dumps(line, allow_nan=False) + "\n" for line in lines)
        file.write_bytes(whole.encode() + half)
        return file

    def read(self, version: int = 1, **options: Any) -> LiveLog:
        """The answers of a version, as `goldlake monitor` reads them."""
        return live_log(self.usecase, self.model, version, self.home, **options)

    def asked(self, count: int, change: Callable[[Row], Row] = dict) -> list[Row]:
        """Lines about calls from the second of May on, when they came, with right answers."""
        rows = self.rows[MAY * self.per_day : MAY * self.per_day + count]
        return [
            self.line(change(row), row["arrived"], 0.8 if row["overdue"] else 0.2) for row in rows
        ]


def _text(instant: datetime) -> str:
    return instant.strftime("%Y-%m-%dT%H:%M:%S.000000Z")
