"""The real year as raw months, and what silver and gold make of a month, without Spark.

The rules of silver that decide whether a record is quarantined are read from the contract, so that
a break that the quarantine swallows is swallowed here, too.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl

from goldlake_core.contracts.registry import load_usecase
from goldlake_core.contracts.sections import Column, UseCase
from tests.breaks.catalog import DATE, Month

YEAR_FILE = "chicago/crimes_2016.csv.gz"
_ZONE = ZoneInfo("America/Chicago")


@dataclass(frozen=True)
class Batch:
    """A month as silver and gold have it.

    Attributes:
        rows: Valid rows of silver with the typed columns of the contract, and gold's own columns.
        landed: Number of records that were landed.
        quarantined: Number of records with a reason.
        unchanged: Number of records whose key was landed before.
    """

    rows: pl.DataFrame
    landed: int
    quarantined: int
    unchanged: int


GOLDS_OWN = ("hour", "minute", "weekday", "month", "report_delay")
"""Columns that gold computes and that are judged with silver's."""


@cache
def usecase() -> UseCase:
    return load_usecase("chicago_crime")


@cache
def raw_months(folder: Path) -> tuple[pl.DataFrame, ...]:
    """The twelve months of 2016 as the API would send them, each by the time of the event."""
    raw = pl.read_csv(folder / YEAR_FILE, infer_schema_length=0)
    raw = raw.rename({name: name.lower().replace(" ", "_") for name in raw.columns})
    stamps = [
        pl.col(name).str.to_datetime("%m/%d/%Y %I:%M:%S %p").dt.strftime(DATE).alias(name)
        for name in ("date", "updated_on")
    ]
    raw = raw.with_columns(stamps).sort("date", "id")
    month = pl.col("date").str.slice(5, 2)
    return tuple(raw.filter(month == f"{number:02}") for number in range(1, 13))


def month_of(folder: Path, number: int) -> Month:
    """A month of 2016 and the one before it; ``number`` is 2 to 12."""
    months = raw_months(folder)
    return Month(months[number - 1], months[number - 2])


@cache
def _cases(folder: Path) -> pl.DataFrame:
    """Id, case number and time of each incident of 2016."""
    raw = pl.concat(raw_months(folder))
    return raw.select(pl.col("id").cast(pl.Int64), "case_number", instant_of(pl.col("date")))


def refined(
    raw: pl.DataFrame, folder: Path | None = None, known_ids: pl.Series | None = None
) -> Batch:
    """What silver makes of landed records, and the columns that gold adds.

    Args:
        raw: The records as texts.
        folder: Where the year is, whose other incidents have case numbers between those of these;
            None where there are no others.
        known_ids: Ids of the records that were landed before.
    """
    silver = usecase().silver
    typed, faults = [], []
    for column in silver.columns:
        value, fault = _typed(column)
        typed.append(value.alias(column.name))
        faults.append(fault)
    bad = pl.any_horizontal(*faults)
    rows = raw.with_columns(bad.alias("_bad")).with_columns(typed)
    pairs = (pl.col("latitude").is_null() != pl.col("longitude").is_null()) | (
        pl.col("updated_on") < pl.col("date")
    )
    rows = rows.with_columns((pl.col("_bad") | pairs.fill_null(False)).alias("_bad"))
    valid = rows.filter(~pl.col("_bad")).drop("_bad")
    once = valid.unique("id", keep="first", maintain_order=True)
    repeated = valid.height - once.height
    if known_ids is not None:
        fresh = once.join(known_ids.to_frame("id").cast({"id": pl.Int64}), on="id", how="anti")
        repeated += once.height - fresh.height
        once = fresh
    local = pl.col("date").dt.convert_time_zone(str(_ZONE))
    gold = _delayed(once, _cases(folder) if folder else None).with_columns(
        pl.col("case_number").str.slice(0, 4).alias("case_block"),
        local.dt.hour().cast(pl.Int64).alias("hour"),
        local.dt.minute().cast(pl.Int64).alias("minute"),
        local.dt.weekday().cast(pl.Int64).alias("weekday"),
        local.dt.month().cast(pl.Int64).alias("month"),
    )
    names = [*silver.names, *GOLDS_OWN, "case_block"]
    return Batch(gold.select(names), raw.height, int(rows["_bad"].sum()), repeated)


def _delayed(rows: pl.DataFrame, cases: pl.DataFrame | None) -> pl.DataFrame:
    """Incidents with the delay of their report as gold has it, in minutes."""
    numbered = rows.select("id", "case_number", "date")
    if cases is not None:
        others = cases.join(rows, on="id", how="anti")
        numbered = pl.concat([numbered.cast(dict(cases.schema)), others])
    minutes = pl.col("date").dt.epoch("s") / 60
    newest = minutes.rolling_max(11, min_samples=1).over(pl.col("case_number").str.slice(0, 4))
    delay = pl.when(pl.col("case_number").is_not_null()).then((newest - minutes).clip(0, 1440))
    ordered = numbered.sort("case_number", "id").with_columns(delay.alias("report_delay"))
    return rows.join(ordered.select("id", "report_delay"), on="id", how="left")


def instant_of(text: pl.Expr) -> pl.Expr:
    """The instant of a time on the publisher's clock; an hour that was left out counts on."""
    local = text.str.to_datetime(DATE, strict=False)

    def placed(time: pl.Expr) -> pl.Expr:
        return time.dt.replace_time_zone(str(_ZONE), ambiguous="earliest", non_existent="null")

    later = placed(local + pl.duration(hours=1))
    return pl.coalesce(placed(local), later).dt.convert_time_zone("UTC")


def _typed(column: Column) -> tuple[pl.Expr, pl.Expr]:
    """The value of a column and whether it is a reason to quarantine its record."""
    text = pl.col(column.field or column.name)
    text = pl.when(text != "").then(text)
    if column.null_values:
        text = pl.when(~text.is_in(list(column.null_values))).then(text)
    if column.replace:
        text = text.replace(dict(column.replace))
    broken = pl.lit(False)
    value = text
    if column.pad:
        value = text.str.strip_chars_start("0").str.zfill(column.pad)
    if column.type in ("long", "double"):
        kind = pl.Int64 if column.type == "long" else pl.Float64
        value = text.str.strip_chars().cast(kind, strict=False)
    if column.type == "boolean":
        value = text.str.to_lowercase().replace_strict(
            {"true": True, "false": False}, default=None, return_dtype=pl.Boolean
        )
    if column.type == "timestamp":
        value = instant_of(text)
    broken = broken | (text.is_not_null() & value.is_null())
    if not column.nullable:
        broken = broken | text.is_null()
    if column.domain:
        broken = broken | ~value.is_in(list(column.domain))
    if column.pattern:
        broken = broken | ~value.str.contains(f"^(?:{column.pattern})$")
    if column.range:
        low, high = column.range
        if low is not None:
            broken = broken | (value < low)
        if high is not None:
            broken = broken | (value > high)
    return value, broken.fill_null(False)
