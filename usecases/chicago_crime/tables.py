"""Gold tables of the Chicago crimes that configuration cannot say. Pure PySpark."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

ZONE = "America/Chicago"
SERIES = ["community_area", "primary_type"]
LONG_DAYS, SHORT_DAYS = 28, 7


def area_day(silver: DataFrame, changes: DataFrame | None, gold: DataFrame | None) -> DataFrame:
    """Incidents per community area, type and day that has any.

    Incidents without a community area are left out: they belong to no cell, and a cell "unknown"
    would not be a place. A day without incidents has no row; `calendar` adds them.

    Args:
        silver: All rows of ``chicago_crime.silver.crimes``.
        changes: Silver's rows before and after each change, with ``_change_type``; None for all.
        gold: This table as it is; None for all.

    Returns:
        community_area, primary_type, day, incidents, arrests, arrest_rate, incidents_7d,
        incidents_28d: the rows that may differ from gold; and ``_deleted`` (boolean) where gold is
        given: days that have no incident any more.
    """
    from pyspark.sql import functions as F

    if changes is None or gold is None:
        return _windows(_daily(silver))
    changed = _placed(changes).select(*SERIES, "day").distinct()
    # A day's incidents are in the windows of that day and the next 27.
    later = F.explode(F.sequence("day", F.date_add("day", LONG_DAYS - 1)))
    touched = changed.select(*SERIES, later.alias("day")).distinct()
    spans = changed.groupBy(*SERIES).agg(
        F.date_sub(F.min("day"), LONG_DAYS - 1).alias("_low"),
        F.date_add(F.max("day"), LONG_DAYS - 1).alias("_high"),
    )
    near = _placed(silver).join(F.broadcast(spans), SERIES).where("day between _low and _high")
    daily = _counted(near)
    cells = _windows(daily).join(touched, [*SERIES, "day"], "left_semi")
    gone = changed.join(daily, [*SERIES, "day"], "left_anti")
    return cells.withColumn("_deleted", F.lit(False)).unionByName(
        gone.withColumn("_deleted", F.lit(True)), allowMissingColumns=True
    )


def calendar(cells: DataFrame) -> DataFrame:
    """The rows of area_day, and one more for each day of a series without incidents.

    The calendar runs from the first to the last day of all rows. A series is an area and a type
    that have a row.

    Args:
        cells: Rows of ``chicago_crime.gold.area_day``.

    Returns:
        The same columns; arrest_rate is null on a day without incidents.
    """
    from pyspark.sql import functions as F

    bounds = cells.agg(F.min("day").alias("first"), F.max("day").alias("last"))
    days = bounds.select(F.explode(F.sequence("first", "last")).alias("day"))
    grid = cells.select(*SERIES).distinct().crossJoin(days)
    counts = cells.select(*SERIES, "day", "incidents", "arrests")
    filled = grid.join(counts, [*SERIES, "day"], "left").fillna(0, ["incidents", "arrests"])
    return _windows(filled)


def _placed(silver: DataFrame) -> DataFrame:
    """Incidents that have an area, with their day on Chicago's clock."""
    from pyspark.sql import functions as F

    day = F.to_date(F.from_utc_timestamp("date", ZONE)).alias("day")
    return silver.where(F.col("community_area").isNotNull()).select(*SERIES, day, "arrest")


def _daily(silver: DataFrame) -> DataFrame:
    return _counted(_placed(silver))


def _counted(placed: DataFrame) -> DataFrame:
    from pyspark.sql import functions as F

    return placed.groupBy(*SERIES, "day").agg(
        F.count("*").alias("incidents"), F.sum(F.col("arrest").cast("long")).alias("arrests")
    )


def _windows(daily: DataFrame) -> DataFrame:
    """Rate and rolling sums of days, each with those before it as far as a window reaches."""
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    by_day = Window.partitionBy(*SERIES).orderBy(F.unix_date("day"))

    def rolling(days: int) -> Column:
        return F.sum("incidents").over(by_day.rangeBetween(1 - days, 0))

    return daily.withColumns(
        {
            "arrest_rate": F.when(F.col("incidents") > 0, F.col("arrests") / F.col("incidents")),
            "incidents_7d": rolling(SHORT_DAYS),
            "incidents_28d": rolling(LONG_DAYS),
        }
    )
