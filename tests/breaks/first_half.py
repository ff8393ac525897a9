"""The first half of the breaks. It was written, and committed, before any code of the gate."""

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


@BREAKS.of("shares", 1.0, 0.5, 0.25, 0.1)
def district_lost(month: Month, share: float) -> pl.DataFrame:
    """The records of one district do not arrive."""
    return month.rows.filter(~some(month.rows, share, pl.col("district") == "011"))


@BREAKS.of("shares", 0.2, 0.1, 0.05, 0.02)
def location_missing(month: Month, share: float) -> pl.DataFrame:
    """The kind of place is empty."""
    return changed(month.rows, some(month.rows, share), location_description=None)


@BREAKS.of("shares", 0.5, 0.25, 0.1, 0.05)
def theft_filed_as_other(month: Month, share: float) -> pl.DataFrame:
    """Some thefts are filed under another code, with its own type and description."""
    mask = some(month.rows, share, pl.col("primary_type") == "THEFT")
    other = {"iucr": "2820", "primary_type": "OTHER OFFENSE", "description": "TELEPHONE THREAT"}
    return changed(month.rows, mask, **other, fbi_code="26")


# One week of the month.


@BREAKS.of("weeks", 0.6, 0.3, 0.15, 0.05)
def domestic_false_for_a_week(month: Month, share: float) -> pl.DataFrame:
    """Domestic incidents lose their mark from the 8th to the 14th."""
    week = day_of_month().is_between(8, 14)
    mask = some(month.rows, share, week & (pl.col("domestic") == "true"))
    return changed(month.rows, mask, domestic="false")


@BREAKS.of("weeks", 1.0, 0.5, 0.25, 0.1)
def district_lost_for_a_week(month: Month, share: float) -> pl.DataFrame:
    """The records of one district do not arrive from the 15th to the 21st."""
    week = day_of_month().is_between(15, 21)
    return month.rows.filter(~some(month.rows, share, week & (pl.col("district") == "007")))


@BREAKS.of("weeks", 0.3, 0.15, 0.08, 0.04)
def area_missing_for_a_week(month: Month, share: float) -> pl.DataFrame:
    """The community area is empty in the first week."""
    mask = some(month.rows, share, day_of_month() <= 7)
    return changed(month.rows, mask, community_area=None)


# Pairs of columns.


@BREAKS.of("pairs", 1.0, 0.5, 0.25, 0.1)
def places_shuffled(month: Month, share: float) -> pl.DataFrame:
    """A join mixes up the kinds of places; each column alone looks as before."""
    return shuffled(month.rows, some(month.rows, share), "location_description")


@BREAKS.of("pairs", 0.5, 0.25, 0.1, 0.05)
def positions_shuffled(month: Month, share: float) -> pl.DataFrame:
    """Positions belong to other records of the month."""
    columns = ("x_coordinate", "y_coordinate", "latitude", "longitude")
    return shuffled(month.rows, some(month.rows, share), *columns)


@BREAKS.of("pairs", 1.0, 0.5, 0.25, 0.1)
def domestic_shuffled(month: Month, share: float) -> pl.DataFrame:
    """The domestic marks belong to other records."""
    return shuffled(month.rows, some(month.rows, share), "domestic")


# Values that were never seen.


@BREAKS.of("new values", 1.0, 0.3, 0.1, 0.03)
def description_renamed(month: Month, share: float) -> pl.DataFrame:
    """The publisher renames a description."""
    mask = some(month.rows, share, pl.col("description") == "$500 AND UNDER")
    return changed(month.rows, mask, description="UNDER 500 DOLLARS")


@BREAKS.of("new values", 1.0, 0.5, 0.2, 0.1)
def fbi_code_new(month: Month, share: float) -> pl.DataFrame:
    """A code of the FBI is replaced by one that nobody has seen."""
    mask = some(month.rows, share, pl.col("fbi_code") == "14")
    return changed(month.rows, mask, fbi_code="290")


@BREAKS.of("new values", 1.0, 0.3, 0.1, 0.03)
def location_respelled(month: Month, share: float) -> pl.DataFrame:
    """One kind of place is spelled with blanks around its slash."""
    mask = some(month.rows, share, pl.col("location_description").str.contains("/"))
    value = pl.col("location_description").str.replace_all("/", " / ", literal=True)
    return changed(month.rows, mask, location_description=value)


# Dependencies between columns.


@BREAKS.of("dependencies", 0.05, 0.02, 0.01, 0.005)
def description_of_another_code(month: Month, share: float) -> pl.DataFrame:
    """Some descriptions belong to another code."""
    return shuffled(month.rows, some(month.rows, share), "description")


@BREAKS.of("dependencies", 0.05, 0.02, 0.01, 0.005)
def district_of_another_beat(month: Month, share: float) -> pl.DataFrame:
    """Some districts do not fit the beat."""
    return shuffled(month.rows, some(month.rows, share), "district")


@BREAKS.of("dependencies", 1.0, 0.5, 0.2, 0.1)
def code_mapped_anew(month: Month, share: float) -> pl.DataFrame:
    """A lookup gives one code the FBI's class of another one."""
    mask = some(month.rows, share, pl.col("iucr") == "0486")
    return changed(month.rows, mask, fbi_code="04B")


# Volume.


@BREAKS.of("volume", 0.5, 0.35, 0.25, 0.15)
def rows_lost_evenly(month: Month, share: float) -> pl.DataFrame:
    """Each record is lost with the same chance."""
    return month.rows.filter(~some(month.rows, share))


@BREAKS.of("volume", 1.0, 0.7, 0.5, 0.3)
def day_lost(month: Month, share: float) -> pl.DataFrame:
    """The records of one day do not arrive."""
    return month.rows.filter(~some(month.rows, share, day_of_month() == 17))


@BREAKS.of("volume", 0.5, 0.4, 0.3, 0.2)
def three_days_thin(month: Month, share: float) -> pl.DataFrame:
    """Three days lose a part of their records."""
    return month.rows.filter(~some(month.rows, share, day_of_month().is_between(10, 12)))


# Holes in time.


@BREAKS.of("holes", 1.0, 0.75, 0.5)
def nothing_for_a_day(month: Month, share: float) -> pl.DataFrame:
    """Nothing arrives for some hours; the share counts a day and a half."""
    start = event().dt.truncate("1mo") + pl.duration(days=12, hours=6)
    end = start + pl.duration(minutes=int(36 * 60 * share))
    return month.rows.filter(~event().is_between(start, end))


@BREAKS.of("holes", 0.2, 0.1, 0.05)
def end_cut_off(month: Month, share: float) -> pl.DataFrame:
    """The last part of the month is missing, as when a page limit ends a download."""
    return month.rows.sort("date").head(int(month.rows.height * (1 - share)))


@BREAKS.of("holes", 1.0, 0.5, 0.25)
def nights_lost(month: Month, share: float) -> pl.DataFrame:
    """Records between midnight and six do not arrive on most days."""
    mask = some(month.rows, 1.0, event().dt.hour() < 6)
    days = month.rows.select(day_of_month() <= 31 * share).to_series()
    return month.rows.filter(~(mask & days))


# Time of day.


@BREAKS.of("time of day", 1.0, 0.5, 0.25, 0.1)
def clock_of_utc(month: Month, share: float) -> pl.DataFrame:
    """Times are written on the clock of UTC without saying so."""
    later = written(event() + pl.duration(hours=6))
    return changed(month.rows, some(month.rows, share), date=later)


@BREAKS.of("time of day", 1.0, 0.5, 0.25, 0.1)
def afternoon_lost(month: Month, share: float) -> pl.DataFrame:
    """AM and PM are lost: 3 in the afternoon is 3 at night."""
    mask = some(month.rows, share, event().dt.hour() >= 12)
    return changed(month.rows, mask, date=written(event() - pl.duration(hours=12)))


@BREAKS.of("time of day", 1.0, 0.3, 0.1, 0.03)
def time_lost(month: Month, share: float) -> pl.DataFrame:
    """Times become midnight."""
    return changed(month.rows, some(month.rows, share), date=written(event().dt.truncate("1d")))


# Label.


@BREAKS.of("label", 1.0, 0.5, 0.25, 0.1)
def label_false(month: Month, share: float) -> pl.DataFrame:
    """Arrests are not marked."""
    mask = some(month.rows, share, pl.col("arrest") == "true")
    return changed(month.rows, mask, arrest="false")


@BREAKS.of("label", 1.0, 0.5, 0.25, 0.1)
def label_shuffled(month: Month, share: float) -> pl.DataFrame:
    """The labels belong to other records; their rate is as before."""
    return shuffled(month.rows, some(month.rows, share), "arrest")


@BREAKS.of("label", 1.0, 0.5, 0.25, 0.1)
def label_leaks(month: Month, share: float) -> pl.DataFrame:
    """A column that is known at once holds the label."""
    return changed(month.rows, some(month.rows, share), domestic=pl.col("arrest"))


# Repeated rows.


@BREAKS.of("repeats", 0.2, 0.1, 0.05, 0.02)
def rows_twice(month: Month, share: float) -> pl.DataFrame:
    """Some records arrive twice, under new ids."""
    again = renumbered(month.rows.filter(some(month.rows, share)))
    return pl.concat([month.rows, again])


@BREAKS.of("repeats", 0.2, 0.1, 0.05, 0.02)
def last_month_again(month: Month, share: float) -> pl.DataFrame:
    """Records of the month before arrive again with this month's dates, under new ids."""
    old = renumbered(month.before.filter(some(month.before, share)))
    start = month.rows.select(event().min().dt.truncate("1mo")).item()
    fresh = start + (event() - event().dt.truncate("1mo"))
    again = old.with_columns(written(fresh).alias("date"))
    inside = event().dt.truncate("1mo") == start
    return pl.concat([month.rows, again.filter(inside)])


@BREAKS.of("repeats", 1.0, 0.5, 0.25)
def day_twice(month: Month, share: float) -> pl.DataFrame:
    """The records of a day arrive twice, under new ids."""
    again = renumbered(month.rows.filter(some(month.rows, share, day_of_month() == 9)))
    return pl.concat([month.rows, again])


# What is quarantined and what is sent again.


@BREAKS.of("account", 1.0, 0.3, 0.1, 0.03)
def district_as_float(month: Month, share: float) -> pl.DataFrame:
    """A spreadsheet made numbers of the districts: 11.0."""
    value = pl.col("district").str.strip_chars_start("0") + ".0"
    return changed(month.rows, some(month.rows, share), district=value)


@BREAKS.of("account", 1.0, 0.3, 0.1, 0.03)
def coordinates_swapped(month: Month, share: float) -> pl.DataFrame:
    """Latitude and longitude are swapped."""
    mask = some(month.rows, share)
    swapped = {"latitude": pl.col("longitude"), "longitude": pl.col("latitude")}
    return changed(month.rows, mask, **swapped)


@BREAKS.of("account", 1.0, 0.3, 0.1, 0.03)
def type_renamed(month: Month, share: float) -> pl.DataFrame:
    """A type gets a name that the contract does not know."""
    mask = some(month.rows, share, pl.col("primary_type") == "BATTERY")
    return changed(month.rows, mask, primary_type="BATTERY - SIMPLE")


# Form of texts.


@BREAKS.of("text form", 1.0, 0.3, 0.1, 0.05)
def blanks_after(month: Month, share: float) -> pl.DataFrame:
    """Texts of a fixed width come with blanks at their end."""
    mask = some(month.rows, share)
    return changed(month.rows, mask, location_description=pl.col("location_description") + "  ")


@BREAKS.of("text form", 1.0, 0.3, 0.1, 0.05)
def lower_case(month: Month, share: float) -> pl.DataFrame:
    """Descriptions come in lower case."""
    mask = some(month.rows, share)
    return changed(month.rows, mask, description=pl.col("description").str.to_lowercase())


@BREAKS.of("text form", 1.0, 0.5, 0.25)
def cut_at_width(month: Month, share: float) -> pl.DataFrame:
    """A column of a fixed width cuts descriptions off after 20 characters."""
    mask = some(month.rows, share)
    return changed(month.rows, mask, description=pl.col("description").str.slice(0, 20))


# Numbers.


def _rounded(name: str, digits: int) -> pl.Expr:
    return pl.col(name).cast(pl.Float64).round(digits).cast(pl.String)


@BREAKS.of("numbers", 1.0, 0.3, 0.1, 0.05)
def positions_rounded(month: Month, share: float) -> pl.DataFrame:
    """Positions are rounded to three decimals, about 100 meters."""
    mask = some(month.rows, share)
    names = ("latitude", "longitude")
    return changed(month.rows, mask, **{name: _rounded(name, 3) for name in names})


@BREAKS.of("numbers", 0.1, 0.05, 0.02, 0.01)
def position_by_default(month: Month, share: float) -> pl.DataFrame:
    """What could not be located lies at the city hall."""
    mask = some(month.rows, share)
    return changed(month.rows, mask, latitude="41.883811", longitude="-87.631749")


@BREAKS.of("numbers", 0.03, 0.02, 0.01, 0.005)
def positions_moved(month: Month, share: float) -> pl.DataFrame:
    """Another geodetic datum moves all positions north, by so many degrees."""
    mask = some(month.rows, 1.0)
    moved = (pl.col("latitude").cast(pl.Float64) + share).round(9).cast(pl.String)
    return changed(month.rows, mask, latitude=moved)
