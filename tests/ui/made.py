"""A home of the web app's tests, made without Spark: tables, quarantine, gate, runs and models."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import msgspec
import polars as pl

from goldlake_core.contracts.ids import TableId
from goldlake_core.contracts.registry import load_usecase
from goldlake_core.documents.gate import GateValue, PeriodState, PeriodVerdict, TableVerdict
from goldlake_core.documents.history import RunRow
from goldlake_core.documents.lakehouse import Fates
from goldlake_core.storage.gatefiles import GateFiles
from goldlake_core.storage.home import Home
from lakehouse import specs
from metadata import history
from serving import config
from serving.config import ModelsConfig, ServedModel
from tests.breaks.tables import write
from tests.workflows.report import made as model_made

USECASE = "chicago_crime"
MODEL = "chicago_crime.arrest"
EVIL = model_made.EVIL
REJECTED = 3


def home_at(root: Path, rows: int = 400) -> Home:
    """A home with a use case, two pushed versions of its model, and the first one promoted."""
    home = Home.at(root)
    case = load_usecase(USECASE)
    silver = silver_rows(rows)
    write(specs.silver(case, home, 1), silver)
    write(specs.gold(case, home, case.gold["arrest_features"]), silver, {"as_of": "2024-12-31"})
    write(specs.bronze(case, home), bronze_rows(rows))
    fates = Fates(
        landed=rows + REJECTED,
        inserted=rows,
        amended=0,
        unchanged=0,
        stale=0,
        quarantined=REJECTED,
        deleted=0,
    )
    about = {"through": 1, "totals": msgspec.to_builtins(fates)}
    write(specs.versions(case, home, 1), version_rows(rows), about)  # type: ignore[arg-type]
    history.append(home, USECASE, [run(1, "ok", None), run(2, "refused", f"the gate says {EVIL}")])
    judge(home)
    for version in (1, 2):
        model_made.put_version(home, version)
    served = ServedModel(MODEL, home.path("models", MODEL), "specific", (1,), labels={"stable": 1})
    config.write(home.models_config, ModelsConfig((served,)))
    return home


def silver_rows(rows: int) -> pl.DataFrame:
    """Silver rows over the days of a year, a text of them evil."""
    place = pl.int_range(rows, eager=True).alias("id")
    begin = datetime(2024, 1, 1, 12, tzinfo=timezone.utc)
    return pl.DataFrame({"id": place}).with_columns(
        (pl.lit(begin) + pl.duration(days=pl.col("id") % 366)).alias("date"),
        pl.when(pl.col("id") == 0)
        .then(pl.lit(EVIL))
        .otherwise(pl.lit("THEFT"))
        .alias("primary_type"),
        pl.lit("FROM BUILDING").alias("description"),
        (pl.col("id") % 4 == 0).alias("arrest"),
        (pl.col("id") % 77 + 1).alias("community_area"),
        pl.lit(41.9).alias("latitude"),
    )


def bronze_rows(rows: int) -> pl.DataFrame:
    """Raw records of the rejected rows."""
    return pl.DataFrame(
        {
            "file": ["p1"] * REJECTED,
            "line": pl.Series(range(rows, rows + REJECTED), dtype=pl.Int32),
            "value": [f'{{"id": null, "block": "{EVIL}"}}'] * REJECTED,
        }
    )


def version_rows(rows: int) -> pl.DataFrame:
    """One inserted record per row, and those that are rejected."""
    count = rows + REJECTED
    place = pl.int_range(count, eager=True)
    return pl.DataFrame({specs.LINE: place.cast(pl.Int32)}).with_columns(
        pl.lit(1, pl.Int64).alias(specs.SEQUENCE),
        pl.lit("p1").alias(specs.FILE),
        pl.col(specs.LINE).cast(pl.String).alias(specs.KEY),
        pl.lit(datetime(2024, 1, 1, tzinfo=timezone.utc)).alias(specs.KNOWN_FROM),
        pl.when(pl.col(specs.LINE) < rows)
        .then(pl.lit([], pl.List(pl.String)))
        .otherwise(pl.lit(["id.missing"]))
        .alias(specs.REASONS),
        pl.when(pl.col(specs.LINE) < rows)
        .then(pl.lit("inserted"))
        .otherwise(pl.lit("quarantined"))
        .alias(specs.KIND),
    )


def run(number: int, status: str, error: str | None) -> RunRow:
    """A run on record."""
    return RunRow(
        run_id=f"20260101-00000{number}-beef",
        usecase=USECASE,
        command="ingest" if number == 1 else "train",
        status=status,  # type: ignore[arg-type]
        began_at=datetime(2026, 1, number, tzinfo=timezone.utc),
        seconds=12.5,
        error=error,
        source={"kind": "generated", "seed": 7, "note": EVIL},
        source_count=400,
        landed=403 if number == 1 else None,
        refined=403 if number == 1 else None,
        inserted=400 if number == 1 else None,
        quarantined=3 if number == 1 else None,
        steps={"land": 1.0, "refine": 11.5},
    )


def judge(home: Home) -> None:
    """Two judged periods, of which the second has an open finding."""
    table = TableId(USECASE, "silver", "crimes")
    files = GateFiles(home, table)

    def value(strain: float) -> GateValue:
        return GateValue(
            statistic="never_seen",
            columns=("primary_type",),
            value=strain,
            low=None,
            high=1.0,
            strain=strain,
            stops=True,
            detail=EVIL,
        )

    periods = tuple(
        PeriodVerdict(
            period=name,
            rows=200,
            is_closed=True,
            has_limits=True,
            earlier=3,
            values=(value(strain),),
        )
        for name, strain in (("2024-01", 0.3), ("2024-02", 1.8))
    )
    files.write_verdict(
        TableVerdict(
            run_id="20260101-000001-beef",
            table=str(table),
            version=0,
            at="2026-01-01T00:00:00Z",
            baseline=1,
            baseline_reason="the first",
            periods=periods,
            refused=("2024-02",),
        )
    )
    state = files.state()
    held = {
        each.period: PeriodState(
            mark="m",
            rows=each.rows,
            is_closed=True,
            ripe="all",
            run_id="20260101-000001-beef",
            found=each.beyond,
        )
        for each in periods
    }
    files.write_state(msgspec.structs.replace(state, periods=held))
