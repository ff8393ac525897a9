"""The two gold tables of the toy harbour."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

CLOCK = "Europe/Copenhagen"


def call_features(silver: DataFrame) -> DataFrame:
    """One row per call: silver's own columns, and hour and weekday (1 = Monday) of arrival."""
    local = _local()
    return silver.select(
        "call_id",
        "arrived",
        "vessel_type",
        "cargo",
        "berth",
        "length_m",
        "crew",
        "pilot",
        "latitude",
        "longitude",
        "overdue",
        F.hour(local).cast("bigint").alias("hour"),
        (F.weekday(local) + 1).cast("bigint").alias("weekday"),
    )


def berth_day(silver: DataFrame, changes: DataFrame | None, gold: DataFrame | None) -> DataFrame:
    """Calls by berth and day, for the berths and days that the changed rows touch or touched.

    Args:
        silver: All calls.
        changes: Changed calls, old and new versions; None for all.
        gold: The table as it is; None for all. Not read, for a day is counted anew.

    Returns:
        Columns berth (string), day (date), calls and overdue_calls (bigint), mean_length_m
        (double); with changes also ``_deleted`` (boolean): the day lost its last call.
    """
    moored = _moored(silver)
    counted = moored.groupBy("berth", "day").agg(
        F.count("*").alias("calls"),
        F.sum(F.col("overdue").cast("bigint")).alias("overdue_calls"),
        F.avg("length_m").alias("mean_length_m"),
    )
    if changes is None:
        return counted
    touched = _moored(changes).select("berth", "day").distinct()
    return touched.join(counted, ["berth", "day"], "left").withColumn(
        "_deleted", F.col("calls").isNull()
    )


def _moored(calls: DataFrame) -> DataFrame:
    return calls.where(F.col("berth").isNotNull()).withColumn("day", F.to_date(_local()))


def _local() -> Column:
    return F.from_utc_timestamp("arrived", CLOCK)
