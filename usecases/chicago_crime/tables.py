"""Gold tables of the Chicago crimes that configuration cannot say. Pure PySpark."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

ZONE = "America/Chicago"
SERIES = ["community_area", "primary_type"]
LONG_DAYS, SHORT_DAYS = 28, 7


def arrest_features(silver: DataFrame) -> DataFrame:
    """What is known when an incident is reported, and whether an arrest followed.

    Args:
        silver: Rows of ``chicago_crime.silver.crimes``.

    Returns:
        Silver's columns and hour (0-23), weekday (1 = Monday), month (1-12) on Chicago's clock.
    """
    from pyspark.sql import functions as F

    local = F.from_utc_timestamp("date", ZONE)
    return silver.withColumns(
        {
            "hour": F.hour(local).cast("long"),
            "weekday": (F.weekday(local) + 1).cast("long"),
            "month": F.month(local).cast("long"),
        }
    )


def area_day(silver: DataFrame, changes: DataFrame | None, gold: DataFrame | None) -> DataFrame:
    """Incidents per community area, type and day, days without any included.

    The calendar runs from the first to the last local day of silver. Every pair of area and type
    that silver holds has a row for each of its days. Rolling means divide by those days of the
    window that lie in the calendar. Incidents without a community area are left out: they belong
    to no cell, and a cell "unknown" would not be a place.

    Args:
        silver: All rows of ``chicago_crime.silver.crimes``.
        changes: Silver's rows before and after each change, with ``_change_type``; None for all.
        gold: This table as it is; None for all.

    Returns:
        community_area, primary_type, day, incidents, arrests, arrest_rate (null on a day without
        incidents), incidents_7d, incidents_28d: the rows that may differ from gold; and
        ``_deleted`` (boolean) where gold is given: rows that no longer belong to it.
    """
    from pyspark.sql import functions as F

    daily = _daily(silver)
    first, last = _calendar(silver.select(_local_day().alias("day")))
    if changes is None or gold is None:
        return _cells(daily, _all_spans(daily, first, last), first)
    held_first, held_last = _calendar(gold)
    if first is None or first != held_first:
        # Another first day changes the divisor of every window near it.
        spans = _all_spans(daily, first, last)
    else:
        spans = _changed_spans(daily, changes, gold, first, last, held_last)
    cells = _cells(daily, spans, first).withColumn("_deleted", F.lit(False))
    return cells.unionByName(_outside(gold, daily, first, last), allowMissingColumns=True)


def _local_day() -> Column:
    from pyspark.sql import functions as F

    return F.to_date(F.from_utc_timestamp("date", ZONE))


def _calendar(days: DataFrame) -> tuple[date | None, date | None]:
    from pyspark.sql import functions as F

    first, last = days.agg(F.min("day"), F.max("day")).collect()[0]
    return first, last


def _daily(silver: DataFrame) -> DataFrame:
    """Incidents and arrests per area, type and day that has any."""
    from pyspark.sql import functions as F

    placed = silver.where(F.col("community_area").isNotNull())
    return placed.groupBy(*SERIES, _local_day().alias("day")).agg(
        F.count("*").alias("incidents"), F.sum(F.col("arrest").cast("long")).alias("arrests")
    )


def _all_spans(daily: DataFrame, first: date | None, last: date | None) -> DataFrame:
    """Every series from the first to the last day; columns SERIES, lo, hi (date)."""
    from pyspark.sql import functions as F

    bounds = [F.lit(day).cast("date").alias(name) for name, day in (("lo", first), ("hi", last))]
    return daily.select(*SERIES).distinct().select(*SERIES, *bounds)


def _changed_spans(
    daily: DataFrame,
    changes: DataFrame,
    gold: DataFrame,
    first: date | None,
    last: date | None,
    held_last: date | None,
) -> DataFrame:
    """Per series the days whose cells may have changed; columns SERIES, lo, hi (date)."""
    from pyspark.sql import functions as F

    end = F.lit(last).cast("date")
    touched = (
        changes.where(F.col("community_area").isNotNull())
        .groupBy(*SERIES)
        .agg(F.min(_local_day()).alias("lo"), F.max(_local_day()).alias("hi"))
        # A day's incidents are in the windows of that day and the next 27.
        .withColumn("hi", F.least(F.date_add("hi", LONG_DAYS - 1), end))
    )
    known = gold.select(*SERIES).distinct()
    new = _all_spans(daily.join(known, SERIES, "left_anti"), first, last)
    spans = touched.unionByName(new)
    if last is not None and held_last is not None and last > held_last:
        spans = spans.unionByName(_all_spans(daily, held_last + timedelta(days=1), last))
    merged = spans.groupBy(*SERIES).agg(F.min("lo").alias("lo"), F.max("hi").alias("hi"))
    held = daily.select(*SERIES).distinct()
    return merged.where("lo <= hi").join(held, SERIES, "left_semi")


def _cells(daily: DataFrame, spans: DataFrame, first: date | None) -> DataFrame:
    """The cells of the spans, each window counted from 27 days before."""
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    start = F.lit(first).cast("date")
    warm_up = F.greatest(F.date_sub("lo", LONG_DAYS - 1), start)
    grid = spans.select(*SERIES, "lo", F.explode(F.sequence(warm_up, "hi")).alias("day"))
    counted = grid.join(daily, [*SERIES, "day"], "left").fillna(0, ["incidents", "arrests"])
    by_day = Window.partitionBy(*SERIES).orderBy("day")

    def rolling_mean(days: int) -> Column:
        in_calendar = F.least(F.lit(days), F.date_diff("day", start) + 1)
        return F.sum("incidents").over(by_day.rowsBetween(1 - days, 0)) / in_calendar

    means = counted.withColumns(
        {
            "arrest_rate": F.when(F.col("incidents") > 0, F.col("arrests") / F.col("incidents")),
            "incidents_7d": rolling_mean(SHORT_DAYS),
            "incidents_28d": rolling_mean(LONG_DAYS),
        }
    )
    return means.where(F.col("day") >= F.col("lo")).drop("lo")


def _outside(gold: DataFrame, daily: DataFrame, first: date | None, last: date | None) -> DataFrame:
    """Keys of gold that belong to no series or day any more."""
    from pyspark.sql import functions as F

    keys = gold.select(*SERIES, "day")
    day = F.col("day")
    is_inside = day.between(F.lit(first).cast("date"), F.lit(last).cast("date"))
    other_days = keys.where(~F.coalesce(is_inside, F.lit(False)))
    other_series = keys.join(daily.select(*SERIES).distinct(), SERIES, "left_anti")
    return other_days.unionByName(other_series).distinct().withColumn("_deleted", F.lit(True))
