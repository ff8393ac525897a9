"""The second half of the breaks, which was written after the gate; no limit follows from it."""

from __future__ import annotations

import polars as pl

from tests.breaks.catalog import (
    Breaks,
    Month,
    changed,
    day_of_month,
    event,
    renumbered,
    shuffled,
    some,
    written,
)

BREAKS = Breaks()


# Shares of values.


@BREAKS.of("shares", 0.5, 0.25, 0.1, 0.05)
def battery_not_reported(month: Month, share: float) -> pl.DataFrame:
    """A part of one type does not arrive."""
    return month.rows.filter(~some(month.rows, share, pl.col("primary_type") == "BATTERY"))


@BREAKS.of("shares", 0.1, 0.05, 0.02, 0.01)
def place_by_default(month: Month, share: float) -> pl.DataFrame:
    """A form begins with the first kind of place, and nobody changes it."""
    return changed(month.rows, some(month.rows, share), location_description="ABANDONED BUILDING")


@BREAKS.of("shares", 1.0, 0.5, 0.2, 0.1)
def areas_shifted(month: Month, share: float) -> pl.DataFrame:
    """Numbers of community areas are one too high."""
    mask = some(month.rows, share, pl.col("community_area").cast(pl.Int64, strict=False) < 77)
    value = (pl.col("community_area").cast(pl.Int64, strict=False) + 1).cast(pl.String)
    return changed(month.rows, mask, community_area=value)


# One week of the month.


@BREAKS.of("weeks", 0.2, 0.1, 0.05, 0.02)
def places_missing_for_a_week(month: Month, share: float) -> pl.DataFrame:
    """The kind of place is empty from the 22nd on."""
    mask = some(month.rows, share, day_of_month() >= 22)
    return changed(month.rows, mask, location_description=None)


@BREAKS.of("weeks", 1.0, 0.5, 0.25)
def midnight_for_a_week(month: Month, share: float) -> pl.DataFrame:
    """Times become midnight from the 8th to the 14th."""
    mask = some(month.rows, share, day_of_month().is_between(8, 14))
    return changed(month.rows, mask, date=written(event().dt.truncate("1d")))


@BREAKS.of("weeks", 1.0, 0.5, 0.25)
def label_false_for_a_week(month: Month, share: float) -> pl.DataFrame:
    """Arrests of the last days are not marked yet."""
    mask = some(month.rows, share, day_of_month() >= 22)
    return changed(month.rows, mask, arrest="false")


# Pairs of columns.


@BREAKS.of("pairs", 1.0, 0.5, 0.25, 0.1)
def times_shuffled(month: Month, share: float) -> pl.DataFrame:
    """Event times belong to other records."""
    return shuffled(month.rows, some(month.rows, share), "date")


@BREAKS.of("pairs", 0.5, 0.25, 0.1, 0.05)
def districts_joined_wrongly(month: Month, share: float) -> pl.DataFrame:
    """District and beat come from another record together; they fit each other."""
    return shuffled(month.rows, some(month.rows, share), "district", "beat")


@BREAKS.of("pairs", 0.5, 0.25, 0.1, 0.05)
def areas_joined_wrongly(month: Month, share: float) -> pl.DataFrame:
    """The community areas belong to other records."""
    return shuffled(month.rows, some(month.rows, share), "community_area")


# Values that were never seen.


@BREAKS.of("new values", 1.0, 0.5, 0.2, 0.1)
def place_renamed(month: Month, share: float) -> pl.DataFrame:
    """A new version of the code list names a place anew."""
    mask = some(month.rows, share, pl.col("location_description") == "APARTMENT")
    return changed(month.rows, mask, location_description="APARTMENT BUILDING")


@BREAKS.of("new values", 1.0, 0.5, 0.2)
def codes_with_letter(month: Month, share: float) -> pl.DataFrame:
    """One code is divided into two that nobody has seen."""
    mask = some(month.rows, share, pl.col("iucr") == "0460")
    return changed(month.rows, mask, iucr="046A")


@BREAKS.of("new values", 0.05, 0.02, 0.01, 0.005)
def unknown_as_text(month: Month, share: float) -> pl.DataFrame:
    """What is not known is written as a text."""
    return changed(month.rows, some(month.rows, share), location_description="N/A")


# Dependencies between columns.


@BREAKS.of("dependencies", 1.0, 0.5, 0.2)
def type_of_one_code_moved(month: Month, share: float) -> pl.DataFrame:
    """One code moves to another type of the list."""
    mask = some(month.rows, share, pl.col("iucr") == "1310")
    return changed(month.rows, mask, primary_type="OTHER OFFENSE")


@BREAKS.of("dependencies", 0.05, 0.02, 0.01, 0.005)
def fbi_codes_shuffled(month: Month, share: float) -> pl.DataFrame:
    """Some of the FBI's codes belong to other records."""
    return shuffled(month.rows, some(month.rows, share), "fbi_code")


# Volume.


@BREAKS.of("volume", 1.0, 0.5, 0.3)
def twice_as_many(month: Month, share: float) -> pl.DataFrame:
    """Another city's records arrive, too; they look like ours."""
    more = renumbered(month.before.filter(some(month.before, share)))
    start = month.rows.select(event().min().dt.truncate("1mo")).item()
    again = more.with_columns(
        written(start + (event() - event().dt.truncate("1mo"))).alias("date"),
        pl.col("block").str.slice(3).alias("block"),
    )
    inside = event().dt.truncate("1mo") == start
    return pl.concat([month.rows, again.filter(inside)])


@BREAKS.of("volume", 1.0, 0.7, 0.5)
def weekend_lost(month: Month, share: float) -> pl.DataFrame:
    """The records of one weekend do not arrive."""
    weekend = day_of_month().is_between(8, 14) & (event().dt.weekday() >= 6)
    return month.rows.filter(~some(month.rows, share, weekend))


@BREAKS.of("volume", 0.6, 0.4, 0.25)
def second_half_thin(month: Month, share: float) -> pl.DataFrame:
    """From the 16th on a part of the records does not arrive."""
    return month.rows.filter(~some(month.rows, share, day_of_month() >= 16))


# Holes in time.


@BREAKS.of("holes", 0.2, 0.1, 0.05)
def start_cut_off(month: Month, share: float) -> pl.DataFrame:
    """The first part of the month is missing: a cursor began too late."""
    return month.rows.sort("date").tail(int(month.rows.height * (1 - share)))


@BREAKS.of("holes", 1.0, 0.75, 0.5)
def nothing_for_half_a_day(month: Month, share: float) -> pl.DataFrame:
    """Nothing arrives for hours of an afternoon; the share counts sixteen of them."""
    start = event().dt.truncate("1mo") + pl.duration(days=20, hours=8)
    end = start + pl.duration(minutes=int(16 * 60 * share))
    return month.rows.filter(~event().is_between(start, end))


@BREAKS.of("holes", 1.0, 0.5, 0.25)
def first_hour_of_days_lost(month: Month, share: float) -> pl.DataFrame:
    """The hour from midnight to one does not arrive, as a range with a wrong bound loses it."""
    mask = some(month.rows, 1.0, event().dt.hour() == 0)
    days = month.rows.select(day_of_month() <= 31 * share).to_series()
    return month.rows.filter(~(mask & days))


# Time of day.


@BREAKS.of("time of day", 1.0, 0.5, 0.25)
def an_hour_late(month: Month, share: float) -> pl.DataFrame:
    """The clock is not set to summer time, or is set twice."""
    later = written(event() + pl.duration(hours=1))
    return changed(month.rows, some(month.rows, share), date=later)


@BREAKS.of("time of day", 1.0, 0.3, 0.1)
def noon_for_all(month: Month, share: float) -> pl.DataFrame:
    """Dates without a time get noon."""
    noon = written(event().dt.truncate("1d") + pl.duration(hours=12))
    return changed(month.rows, some(month.rows, share), date=noon)


# Label.


@BREAKS.of("label", 1.0, 0.5, 0.25)
def label_true_for_a_district(month: Month, share: float) -> pl.DataFrame:
    """A district marks its records by hand, and marks all of them."""
    mask = some(month.rows, share, pl.col("district") == "011")
    return changed(month.rows, mask, arrest="true")


@BREAKS.of("label", 0.5, 0.25, 0.1, 0.05)
def label_turned_round(month: Month, share: float) -> pl.DataFrame:
    """The label is turned round."""
    turned = pl.when(pl.col("arrest") == "true").then(pl.lit("false")).otherwise(pl.lit("true"))
    return changed(month.rows, some(month.rows, share), arrest=turned)


# Repeated rows.


@BREAKS.of("repeats", 1.0, 0.5, 0.25)
def page_twice(month: Month, share: float) -> pl.DataFrame:
    """A page of two thousand records arrives twice, under new ids."""
    again = renumbered(month.rows[5000 : 5000 + int(2000 * share)])
    return pl.concat([month.rows, again])


@BREAKS.of("repeats", 0.1, 0.05, 0.02)
def rows_twice_on_the_next_day(month: Month, share: float) -> pl.DataFrame:
    """Some records arrive again with the date of the next day, under new ids."""
    again = renumbered(month.rows.filter(some(month.rows, share, day_of_month() < 28)))
    later = written(event() + pl.duration(days=1))
    return pl.concat([month.rows, again.with_columns(later.alias("date"))])


# What is quarantined and what is sent again.


@BREAKS.of("account", 1.0, 0.3, 0.1, 0.03)
def feet_to_meters(month: Month, share: float) -> pl.DataFrame:
    """The plane coordinates come in meters."""
    mask = some(month.rows, share)
    meters = {
        name: (pl.col(name).cast(pl.Float64) * 0.3048).round(0).cast(pl.String)
        for name in ("x_coordinate", "y_coordinate")
    }
    return changed(month.rows, mask, **meters)


@BREAKS.of("account", 1.0, 0.3, 0.1, 0.03)
def sign_lost(month: Month, share: float) -> pl.DataFrame:
    """The longitudes lose their sign."""
    mask = some(month.rows, share)
    return changed(month.rows, mask, longitude=pl.col("longitude").str.strip_chars_start("-"))


@BREAKS.of("account", 0.5, 0.1, 0.03)
def last_month_sent_again(month: Month, share: float) -> pl.DataFrame:
    """Records of the month before are sent again as they were, instead of new ones."""
    again = month.before.filter(some(month.before, share))
    start = month.rows.select(event().min().dt.truncate("1mo")).item()
    dated = written(start + (event() - event().dt.truncate("1mo")))
    kept = month.rows.filter(~some(month.rows, share))
    return pl.concat([kept, again.with_columns(dated.alias("date"))])


# Form of texts.


@BREAKS.of("text form", 0.3, 0.1, 0.05, 0.02)
def read_in_wrong_encoding(month: Month, share: float) -> pl.DataFrame:
    """Dashes become two characters of another encoding."""
    mask = some(month.rows, share)
    value = pl.col("description").str.replace_all(" - | ", " \u00e2\u20ac ")
    return changed(month.rows, mask, description=value)


@BREAKS.of("text form", 1.0, 0.3, 0.1, 0.05)
def empty_for_missing(month: Month, share: float) -> pl.DataFrame:
    """What is a place is written as a blank."""
    mask = some(month.rows, share, pl.col("location_description") == "STREET")
    return changed(month.rows, mask, location_description=" ")


# Numbers.


@BREAKS.of("numbers", 1.0, 0.5, 0.2, 0.1)
def positions_of_districts(month: Month, share: float) -> pl.DataFrame:
    """Each position is replaced by one of its district."""
    names = ("latitude", "longitude")
    centers = {name: pl.col(name).drop_nulls().first().over("district") for name in names}
    mask = some(month.rows, share, pl.col("latitude").is_not_null())
    return changed(month.rows, mask, **centers)


@BREAKS.of("numbers", 0.02, 0.01, 0.005)
def positions_blurred(month: Month, share: float) -> pl.DataFrame:
    """For privacy each position moves at random, by up to so many degrees."""
    import numpy as np

    moved = pl.Series(np.random.default_rng(3).uniform(-share, share, month.rows.height))
    mask = some(month.rows, 1.0)
    value = (pl.col("latitude").cast(pl.Float64) + pl.lit(moved)).round(9).cast(pl.String)
    return changed(month.rows, mask, latitude=value)
