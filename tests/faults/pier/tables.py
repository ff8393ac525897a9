"""The gold tables of the pier."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

_spec = importlib.util.spec_from_file_location("pier_clock", Path(__file__).with_name("clock.py"))
assert _spec is not None
assert _spec.loader is not None
clock = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(clock)


def facts(silver: DataFrame) -> DataFrame:
    """One row per call: silver's own columns, and the hour of arrival."""
    local = F.from_utc_timestamp("date", clock.ZONE) + F.make_dt_interval(
        hours=F.lit(clock.SHIFT_H)
    )
    return silver.select(
        "id", "date", "kind", "n", "done", F.hour(local).cast("bigint").alias("hour")
    )


def kinds(silver: DataFrame, changes: DataFrame | None, gold: DataFrame | None) -> DataFrame:
    """Calls by kind, for the kinds that the changed rows have or had."""
    counted = silver.groupBy("kind").agg(
        F.count("*").alias("calls"), F.sum("n").cast("bigint").alias("people")
    )
    if changes is None:
        return counted
    touched = changes.select("kind").distinct()
    return touched.join(counted, "kind", "left").withColumn("_deleted", F.col("calls").isNull())
