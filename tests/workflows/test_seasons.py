"""A year of a courier: `goldlake monitor` sees the season turn by labels, and only then.

Gold versions are written as a refinement leaves them, and the log as the server writes it. No
version is trained: a new one answers as a model would that has learned the new season.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from goldlake.workflows.monitor import monitor
from goldlake.workflows.retrain import retrain
from goldlake_core.contracts.column_types import COLUMN_TYPES
from goldlake_core.contracts.registry import load_usecase, resolve
from goldlake_core.storage.home import Home
from goldlake_core.storage.model_versions import push_model
from serving import config
from tests.goldlake_core.storage.test_deltalog import add, commit

PARCELS = Path(__file__).parent / "parcels"
MODEL = f"{PARCELS}:late"
NAME = "parcels.late"
MONTHS = ["2024-03", "2024-05", "2024-07", "2024-09", "2024-11", "2025-01", "2025-03"]
TURNS = {"2024-07": 2, "2025-01": 3}
"""Months in which the answers since the last one are of another season, and the next version."""


class Courier:
    """A home that grows by two months at a time; a version answers as its season is."""

    def __init__(self, root: Path) -> None:
        self.home = Home.at(root / "home")
        self.usecase = load_usecase(str(PARCELS))
        self.gold = self.usecase.gold["deliveries"]
        self.parcels = list(resolve(self.usecase, "generate.rows", "source.generator")(42_500, 1))
        self.made = root / "made"
        self.made.mkdir()
        self.served, self.is_summer = 0, False
        self.folder = Path(self.home.table("parcels", "gold", "deliveries"))
        self.folder.mkdir(parents=True)
        fields = [
            {"name": c.name, "type": COLUMN_TYPES[c.type].delta, "nullable": True, "metadata": {}}
            for c in self.gold.columns
        ]
        schema = json.dumps({"type": "struct", "fields": fields})
        commit(self.folder, 0, {"metaData": {"id": "u-1", "schemaString": schema}})

    def known(self, month: str) -> list[dict[str, Any]]:
        """The newest version of each parcel on the first of a month."""
        seen = (row for row in self.parcels if row[":updated_at"] < f"{month}-01")
        return list({row["parcel"]: row for row in seen}.values())

    def refine(self, month: str) -> None:
        """Writes the next version of the gold table."""
        version = MONTHS.index(month) + 1
        time = pl.col("placed").str.to_datetime(time_unit="us").dt.replace_time_zone("UTC")
        rows = pl.DataFrame(self.known(month), infer_schema_length=None).with_columns(
            time, pl.col("distance_km").cast(pl.Float64)
        )
        rows.select(c.name for c in self.gold.columns).write_parquet(
            self.folder / f"{version}.parquet"
        )
        gone = {"remove": {"path": f"{version - 1}.parquet", "dataChange": True}}
        as_of = f"{month}-01T00:00:00.000000Z"
        basis = {"silver_version": version, "silver_uuid": "s", "as_of": as_of, "run_id": "r"}
        actions = [add(f"{version}.parquet", rows.height), *([gone] if version > 1 else [])]
        about = json.dumps({**basis, "event_end": as_of})
        commit(self.folder, version, *actions, metadata=about)

    def train(self, month: str) -> None:
        """Pushes and promotes a version that knows the season of the newest parcels."""
        self.served += 1
        self.is_summer = month in ("2024-07", "2024-09", "2024-11")
        (self.made / "saved_model.pb").write_text(str(self.served))
        about = {"table_version": MONTHS.index(month) + 1, "table_uuid": "u-1"}
        push_model(self.home, "parcels", "late", str(self.made), about)
        found = config.read_or_empty(self.home.models_config)
        place = self.home.path("models", NAME)
        found = config.with_version(found, NAME, self.served, place)
        config.write(self.home.models_config, config.with_label(found, NAME, self.served, "stable"))

    def ask(self, begin: str, end: str) -> None:
        """Logs an answer about each parcel of some months, all of them today."""
        file = Path(self.home.path("requests", NAME, f"{end}.jsonl"))
        file.parent.mkdir(parents=True, exist_ok=True)
        asked = [row for row in self.known(end) if row["placed"] >= f"{begin}-01"]
        file.write_text("".join(f"{json.dumps(line)}\n" for line in self.lines(asked)))
        # The server keeps a few megabytes: the answers of about these months.
        for older in sorted(file.parent.glob("*.jsonl"))[:-1]:
            older.unlink()

    def lines(self, asked: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        now = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
        for row in asked:
            in_hills = row["district"] in ("east", "north")
            slow = "VAN" if in_hills == self.is_summer else "BICYCLE"
            distance = float(row["distance_km"])
            yield {
                "at": now,
                "status": "OK",
                "version": self.served,
                "signature": "serving_default",
                "record_key": row["parcel"],
                "inputs": {
                    "vehicle": row["vehicle"],
                    "district": row["district"],
                    "distance_km": distance,
                },
                "outputs": {"probability": (0.9 if row["vehicle"] == slow else 0.1)},
                "redacted": [],
            }


@pytest.fixture(scope="module")
def courier(tmp_path_factory: pytest.TempPathFactory) -> Courier:
    return Courier(tmp_path_factory.mktemp("year"))


def test_metrics_fall_when_the_season_turns_and_at_no_other_time(courier: Courier) -> None:
    first, *others = MONTHS
    courier.refine(first)
    courier.train(first)
    for before, month in zip(MONTHS, others, strict=False):
        courier.ask(before, month)
        courier.refine(month)
        found = monitor(MODEL, courier.home)
        # The parcels of the last four days are not ripe; some of them will yet be found late.
        assert (found.labels.unripe, found.labels.unknown) == (400, 0)
        assert found.labels.scored == found.log.lines - 400 > 5000
        assert found.total is not None
        auc = found.total.metrics["auc"]
        assert auc is not None
        if month in TURNS:
            (alarm,) = found.alarms
            assert alarm.startswith("auc is ")
            assert auc < 0.2
            courier.train(month)
            assert courier.served == TURNS[month]
        else:
            assert auc > 0.9
            assert not found.alarms
            report = retrain(MODEL, courier.home, "metric:auc<0.75, drift", lambda event: None)
            assert report.outcome == "quiet", report.conditions
