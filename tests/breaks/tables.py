"""Silver, its versions and gold of the real year as Delta tables, written without Spark."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable
from pathlib import Path

import polars as pl

from goldlake_core.storage.deltalog import DeltaLog
from goldlake_core.storage.home import Home
from lakehouse import specs
from lakehouse.specs import CONTENT_HASH, FATE, KNOWN_FROM, SEQUENCE
from tests.breaks.feed import instant_of, refined, usecase

_KNOWN = pl.datetime(2018, 3, 1, time_zone="UTC", time_unit="us")
_AS_OF = "2018-02-28T00:00:00.000000Z"


def write_year(home: Home, months: Iterable[pl.DataFrame]) -> None:
    """Writes the tables of a home anew, a version more.

    Args:
        home: Home that gets the tables.
        months: Raw records.
    """
    case = usecase()
    raw = pl.concat(list(months)).unique("id", keep="first", maintain_order=True)
    rows = refined(raw).rows
    whole = rows.with_columns(_KNOWN.alias(KNOWN_FROM))
    names = [column.name for column in case.silver.columns]
    silver = whole.select(*names, KNOWN_FROM).with_columns(
        pl.struct(names).hash().reinterpret(signed=True).alias(CONTENT_HASH)
    )
    write(specs.silver(case, home, 1), silver)
    rejected = raw.filter(~pl.col("id").is_in(rows["id"].cast(pl.String).implode()))
    fates = [
        silver.select("date", KNOWN_FROM, pl.lit("inserted").alias(FATE)),
        rejected.select(
            instant_of(pl.col("date")).cast(pl.Datetime("us", "UTC")).alias("date"),
            _KNOWN.alias(KNOWN_FROM),
            pl.lit("quarantined").alias(FATE),
        ),
    ]
    # A page of one month each.
    page = pl.col("date").dt.month().cast(pl.Int64).fill_null(12).alias(SEQUENCE)
    records = pl.concat(fates, how="vertical_relaxed").with_columns(page)
    write(specs.versions(case, home, 1), records)
    table = case.gold["arrest_features"]
    gold = rows.select([column.name for column in table.columns])
    write(specs.gold(case, home, table), gold, {"as_of": _AS_OF})


def write(spec: specs.TableSpec, frame: pl.DataFrame, about: dict[str, str] | None = None) -> None:
    """Writes a version of a table that holds these rows; columns that it lacks are left out."""
    folder, log = Path(spec.uri), DeltaLog(spec.uri)
    (folder / "_delta_log").mkdir(parents=True, exist_ok=True)
    version = log.latest() + 1 if log.exists() else 0  # type: ignore[operator]
    held = [each for each in spec.fields if each.name in frame.columns]
    stamps = [name for name, kind in frame.schema.items() if isinstance(kind, pl.Datetime)]
    frame = frame.with_columns(pl.col(stamps).cast(pl.Datetime("us", "UTC")))
    file = folder / f"part-{version}.parquet"
    frame.select([each.name for each in held]).write_parquet(file)
    fields = [
        {"name": each.name, "type": _type(each), "nullable": each.nullable, "metadata": {}}
        for each in held
    ]
    schema = json.dumps({"type": "struct", "fields": fields})
    basis = {
        "silver_version": version,
        "silver_uuid": "0",
        "event_end": _AS_OF,
        "run_id": "test",
        **(about or {}),
    }
    actions: list[dict[str, object]] = [
        {"commitInfo": {"timestamp": 0, "userMetadata": json.dumps(basis if about else {})}},
        {"metaData": {"id": str(uuid.uuid4()), "schemaString": schema}},
        *({"remove": {"path": f"part-{earlier}.parquet"}} for earlier in range(version)),
        {
            "add": {
                "path": file.name,
                "size": file.stat().st_size,
                "stats": json.dumps({"numRecords": frame.height}),
            }
        },
    ]
    lines = "\n".join(json.dumps(action) for action in actions)
    (folder / "_delta_log" / f"{version:020d}.json").write_text(lines)


def _type(field: specs.Field) -> str | dict[str, object]:
    """Delta's type of a column, as its log has it."""
    if field.delta_type != "array<string>":
        return field.delta_type
    return {"type": "array", "elementType": "string", "containsNull": True}
