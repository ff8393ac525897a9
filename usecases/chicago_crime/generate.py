"""Generated incidents for the simulated portal: deterministic, realistic in dependence and in dirt.

What it follows (``figures.yaml``: counts, shares and effects of the portal's rows of 2016):

- offences by frequency, each with its share of arrests and of domestic incidents;
- the kind of place and the hour given the offence, the district given the kind of offence, the beat
  given the district, and position, ward and community area given the beat;
- the minute and the delay until the report given the type: times on the full hour (34 %), on the
  half hour (16 %) and on other multiples of five are estimates;
- an arrest given offence, place, district, hour, domestic, minute and delay (log odds);
- months and weekdays by frequency.

Case numbers are given in the order of the reports, one after another.

What is made up: the year (events of 2024, published by 31 January 2025), the numbers of
cases and records, the streets, and when an arrest becomes known (70 % at once, else weeks later).

Versions of a row have one ``:id``. A row is first published by a morning batch eight days or more
after the event. It may be amended (an arrest became known), be touched without a change (a new
``:updated_at`` only, 2 %), or be geocoded again (all events of the first quarter of 2024 get the
same ``updated_on``: a cursor by time alone would never get past them).

The dirt, all of kinds seen in real rows: no coordinates (0.6 %; some with x and y 0), no
description of the place (0.4 %), ward and community area 0 (0.3 %), codes without their leading
zeros (early 2024), old names and spellings of types, district ``061``. One row in 500 cannot be
typed and must be quarantined; the five reasons of `DEFECTS` take turns.
"""

from __future__ import annotations

import bisect
import heapq
import itertools
import math
import random
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta, timezone
from functools import cache, lru_cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import yaml

Row = dict[str, Any]
"""A record as the portal publishes it, by field."""

FIRST_DAY = date(2024, 1, 1)
LAST_DAY = date(2024, 12, 31)
PUBLISHED_UNTIL = date(2025, 1, 31)
HELD_BACK_DAYS = 8
ARRESTS_KNOWN_AT_ONCE = 0.7
ARREST_LAG_DAYS = 40.0
GEOCODED_AGAIN_UNTIL = date(2024, 4, 1)
GEOCODED_AGAIN_AT = datetime(2024, 8, 10, 15, 50, 1)
UNPADDED_UNTIL = date(2024, 3, 1)
RENAMED_ON = date(2024, 7, 1)
EVERY_DEFECT = 500
DEFECTS = ("unknown type", "impossible position", "no date", "updated before event", "no id")

_ZONE = ZoneInfo("America/Chicago")
_FIRST_ID = 12_938_400
_BEAT_SPREAD = (0.0031, 0.0043)  # standard deviation of latitude and longitude in a beat, degrees
_OLD_NAMES = {"CRIMINAL SEXUAL ASSAULT": "CRIM SEXUAL ASSAULT"}
_SPELLINGS = ("NON-CRIMINAL", "NON - CRIMINAL", "NON-CRIMINAL (SUBJECT SPECIFIED)")
# Minutes by kind: the full and the half hour, other multiples of five, and the others.
_MINUTES = {
    "full": (0,),
    "half": (30,),
    "five": tuple(minute for minute in range(5, 60, 5) if minute != 30),
    "odd": tuple(minute for minute in range(60) if minute % 5),
}
_SWAPPED = ("-87.629798200", "41.878113600")  # longitude where the latitude belongs
# fmt: off
_STREETS = (
    "STATE ST", "CLARK ST", "HALSTED ST", "ASHLAND AVE", "WESTERN AVE", "KEDZIE AVE",
    "PULASKI RD", "CICERO AVE", "CENTRAL AVE", "AUSTIN BLVD", "MICHIGAN AVE",
    "COTTAGE GROVE AVE", "STONY ISLAND AVE", "WENTWORTH AVE", "RACINE AVE", "DAMEN AVE",
    "CALIFORNIA AVE", "LARAMIE AVE", "CHICAGO AVE", "MADISON ST", "ROOSEVELT RD", "CERMAK RD",
    "ARCHER AVE", "GARFIELD BLVD", "63RD ST", "71ST ST", "79TH ST", "87TH ST", "95TH ST",
    "111TH ST", "NORTH AVE", "FULLERTON AVE", "BELMONT AVE", "LAWRENCE AVE", "DEVON AVE",
    "LAKE ST",
)
# fmt: on


def rows(count: int, seed: int) -> Iterator[Row]:
    """All versions of ``count`` rows in the API's shapes, in the order of their events.

    Args:
        count: Rows (distinct ``:id``); the versions are about 1.3 times as many.
        seed: Same count and seed, same rows.

    Yields:
        Rows with ``:id``, ``:created_at`` and ``:updated_at``. Of rows with one ``:id`` the one
        with the latest ``:updated_at`` is what the portal shows in the end.
    """
    figures = _figures()
    chance = random.Random(f"{seed}:{count}")
    desk = _Desk()
    for number in range(count):
        # Days in order, so that record numbers grow with time as the publisher's do.
        day = figures.days.at((number + chance.random()) / count)
        yield from desk.numbered(datetime.combine(day, time.min))
        incident, reported = _incident(figures, chance, number, day)
        _spoil(chance, number, incident, day)
        desk.take(reported, list(_versions(chance, number, incident, day, reported.date())))
    yield from desk.numbered(datetime.max)


@dataclass
class _Desk:
    """Gives case numbers in the order of reports to rows that come in the order of events.

    It holds the rows that happened after an event whose report is still to come.
    """

    number: int = 0
    given: int = 0
    waiting: list[tuple[datetime, int, list[Row]]] = field(default_factory=list)
    taken: deque[list[Row]] = field(default_factory=deque)

    def take(self, reported: datetime, versions: list[Row]) -> None:
        """A row in all its versions, reported at a time."""
        heapq.heappush(self.waiting, (reported, self.number, versions))
        self.number += 1
        self.taken.append(versions)

    def numbered(self, before: datetime) -> Iterator[Row]:
        """The rows that have a number once all reports before a time are there."""
        while self.waiting and self.waiting[0][0] < before:
            reported, _, versions = heapq.heappop(self.waiting)
            letter = reported.year - FIRST_DAY.year + self.given // 900_000
            number = f"J{'GHJKLMNPRS'[letter]}{100_000 + self.given % 900_000}"
            self.given += 1
            for version in versions:
                version["case_number"] = number
        while self.taken and "case_number" in self.taken[0][0]:
            yield from self.taken.popleft()


class _Choice:
    """Draws one of several things by weight."""

    def __init__(self, weights: Mapping[Any, float]) -> None:
        self.options = list(weights)
        self.cumulative = list(itertools.accumulate(weights.values()))
        self.shares = {o: w / self.cumulative[-1] for o, w in weights.items()}

    def at(self, share: float) -> Any:
        """The thing at a share 0 … 1 of all weight."""
        place = bisect.bisect_right(self.cumulative, share * self.cumulative[-1])
        return self.options[min(place, len(self.options) - 1)]

    def mean(self, effects: Mapping[Any, float]) -> float:
        """The mean effect of what is drawn."""
        return sum(share * effects.get(o, 0.0) for o, share in self.shares.items())


@dataclass(frozen=True)
class _Report:
    """How incidents of a type are reported."""

    minutes: _Choice
    delays: tuple[int, ...]  # deciles of the minutes until the report, the last one at 97 %

    def delay(self, share: float) -> float:
        """The minutes until the report at a share 0 … 1 of all incidents."""
        place = share * (len(self.delays) - 1)
        low = int(place)
        return self.delays[low] + (place - low) * (self.delays[low + 1] - self.delays[low])

    def mean(self, effects: Mapping[int, float]) -> float:
        """The mean effect of the delay."""
        shares = [(n + 0.5) / 100 for n in range(100)]
        return sum(_delay_effect(self.delay(share), effects) for share in shares) / len(shares)


def _delay_effect(delay: float, effects: Mapping[int, float]) -> float:
    """The effect of a delay: that of the longest delay that is listed and not longer."""
    return effects[max(least for least in effects if least <= delay)]


@dataclass(frozen=True)
class _Offence:
    primary_type: str
    iucr: str
    description: str
    fbi_code: str
    domestic: float
    profile: str
    mix: str
    report: _Report
    base: float  # log odds of an arrest where all effects are 0


@dataclass(frozen=True)
class _Beat:
    beat: str
    district: str
    ward: int
    community_area: int
    latitude: float
    longitude: float


@dataclass(frozen=True)
class _Figures:
    offences: _Choice
    places: Mapping[str, _Choice]
    hours: Mapping[str, _Choice]
    districts: Mapping[str, _Choice]
    beats: Mapping[str, _Choice]
    days: _Choice
    place_effect: Mapping[str, float]
    hour_effect: Mapping[int, float]
    district_effect: Mapping[str, float]
    domestic_effect: float
    minute_effect: Mapping[str, float]
    delay_effect: Mapping[int, float]


@cache
def _figures() -> _Figures:
    text = Path(__file__).with_name("figures.yaml").read_text(encoding="utf-8")
    raw = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    profiles, effects, districts = raw["profiles"], raw["effects"], raw["districts"]
    mixes = sorted({offence[-1] for offence in raw["offences"]})
    beats: dict[str, dict[_Beat, float]] = {}
    for *values, incidents in raw["beats"]:
        beat = _Beat(*values)
        beats.setdefault(beat.district, {})[beat] = incidents
    parts: Row = {
        "places": {name: _Choice(p["places"]) for name, p in profiles.items()},
        "hours": {name: _Choice(dict(enumerate(p["hours"]))) for name, p in profiles.items()},
        "districts": {m: _Choice({d: v[m] for d, v in districts.items()}) for m in mixes},
        "place_effect": effects["place"],
        "hour_effect": dict(enumerate(effects["hour"])),
        "district_effect": {d: v["effect"] for d, v in districts.items()},
        "domestic_effect": effects["domestic"],
        "minute_effect": effects["minute"],
        "delay_effect": effects["delay"],
    }
    reports = {
        name: _Report(_Choice(dict(zip(_MINUTES, shares, strict=True))), tuple(delays))
        for name, (shares, delays) in raw["reports"].items()
    }
    listed: dict[str, float] = {}
    for values in raw["offences"]:
        listed[values[0]] = listed.get(values[0], 0) + values[4]
    offences = {
        _offence(values, parts, reports): values[4] * raw["types"][values[0]] / listed[values[0]]
        for values in raw["offences"]
    }
    return _Figures(
        offences=_Choice(offences),
        beats={district: _Choice(weights) for district, weights in beats.items()},
        days=_Choice(_day_weights(raw["months"], raw["weekdays"])),
        **parts,
    )


def _offence(
    values: list[Any], parts: Mapping[str, Any], reports: Mapping[str, _Report]
) -> _Offence:
    """An offence whose log odds are set so that its published share of arrests comes out."""
    primary_type, iucr, description, fbi_code, _, arrests, domestic, profile, mix = values
    share = min(max(arrests, 0.001), 0.998)
    report = reports.get(primary_type, reports["OTHERS"])
    usual = (
        parts["places"][profile].mean(parts["place_effect"])
        + parts["hours"][profile].mean(parts["hour_effect"])
        + parts["districts"][mix].mean(parts["district_effect"])
        + domestic * parts["domestic_effect"]
        + report.minutes.mean(parts["minute_effect"])
        + report.mean(parts["delay_effect"])
    )
    base = math.log(share / (1 - share)) - usual
    return _Offence(primary_type, iucr, description, fbi_code, domestic, profile, mix, report, base)


def _day_weights(months: list[float], weekdays: list[float]) -> dict[date, float]:
    days = [FIRST_DAY + timedelta(n) for n in range((LAST_DAY - FIRST_DAY).days + 1)]
    return {day: months[day.month - 1] * weekdays[day.weekday()] for day in days}


def _incident(
    figures: _Figures, chance: random.Random, number: int, day: date
) -> tuple[Row, datetime]:
    """The row as it is in the end, and when it was reported.

    The row lacks its case number, system fields and ``updated_on``.
    """
    draw = chance.random
    offence: _Offence = figures.offences.at(draw())
    hour: int = figures.hours[offence.profile].at(draw())
    place: str = figures.places[offence.profile].at(draw())
    district: str = figures.districts[offence.mix].at(draw())
    beat: _Beat = figures.beats[district].at(draw())
    is_domestic = draw() < offence.domestic
    kind: str = offence.report.minutes.at(draw())
    minute = _MINUTES[kind][int(draw() * len(_MINUTES[kind]))]
    delay = offence.report.delay(draw())
    log_odds = (
        offence.base
        + figures.place_effect.get(place, 0.0)
        + figures.hour_effect[hour]
        + figures.district_effect[district]
        + is_domestic * figures.domestic_effect
        + figures.minute_effect[kind]
        + _delay_effect(delay, figures.delay_effect)
    )
    latitude = chance.gauss(beat.latitude, _BEAT_SPREAD[0])
    longitude = chance.gauss(beat.longitude, _BEAT_SPREAD[1])
    happened = datetime.combine(day, time(hour, minute))
    row = {
        "id": str(_FIRST_ID + number),
        "date": happened.isoformat(timespec="milliseconds"),
        "block": _block(chance, latitude, longitude),
        "iucr": offence.iucr,
        "primary_type": offence.primary_type,
        "description": offence.description,
        "location_description": place,
        "arrest": draw() < 1 / (1 + math.exp(-log_odds)),
        "domestic": is_domestic,
        "beat": beat.beat,
        "district": district,
        "ward": str(beat.ward),
        "community_area": str(beat.community_area),
        "fbi_code": offence.fbi_code,
        **_position(latitude, longitude),
        "year": str(day.year),
    }
    return row, happened + timedelta(minutes=delay)


def _block(chance: random.Random, latitude: float, longitude: float) -> str:
    """An address with hidden last digits: 800 numbers a mile from State and Madison."""
    street = _STREETS[int(chance.random() * len(_STREETS))]
    north = (latitude - 41.8819) / 0.01449 * 8
    east = (longitude + 87.6278) / 0.01944 * 8
    if chance.random() < 0.5:
        return f"{abs(int(north)):03}XX {'N' if north >= 0 else 'S'} {street}"
    return f"{abs(int(east)):03}XX {'E' if east >= 0 else 'W'} {street}"


def _position(latitude: float, longitude: float) -> Row:
    """The fields of a position; the plane coordinates by a linear fit (mean error 15 feet)."""
    east, north = longitude + 87.65, latitude - 41.84
    x = 1_170_464.0 + 272_439.2 * east - 2_853.0 * north
    y = 1_885_031.0 + 2_058.6 * east + 364_381.8 * north
    return {
        "x_coordinate": str(round(x)),
        "y_coordinate": str(round(y)),
        **_degrees(f"{latitude:.9f}", f"{longitude:.9f}"),
    }


def _degrees(latitude: str, longitude: str) -> Row:
    address = '{"address": "", "city": "", "state": "", "zip": ""}'
    location = {"latitude": latitude, "longitude": longitude, "human_address": address}
    return {"latitude": latitude, "longitude": longitude, "location": location}


def _spoil(chance: random.Random, number: int, row: Row, day: date) -> None:
    """Makes a row as untidy as real ones are; one in `EVERY_DEFECT` beyond repair."""
    draw = chance.random
    if draw() < 0.006:
        for field in ("x_coordinate", "y_coordinate", "latitude", "longitude", "location"):
            del row[field]
        if draw() < 0.2:
            row["x_coordinate"] = row["y_coordinate"] = "0"
    if draw() < 0.004:
        del row["location_description"]
    if draw() < 0.003:
        row["ward"] = row["community_area"] = "0"
    if row["primary_type"] == "NON-CRIMINAL":
        row["primary_type"] = _SPELLINGS[int(draw() * len(_SPELLINGS))]
    if day < RENAMED_ON:
        row["primary_type"] = _OLD_NAMES.get(row["primary_type"], row["primary_type"])
    if draw() < 0.0002:
        row["district"] = "061"
    if day < UNPADDED_UNTIL and draw() < 0.3:
        for field in ("district", "beat", "iucr"):
            row[field] = row[field].lstrip("0")
    if number % EVERY_DEFECT == EVERY_DEFECT - 1:
        _break(DEFECTS[number // EVERY_DEFECT % len(DEFECTS)], row)


def _break(defect: str, row: Row) -> None:
    if defect == "unknown type":
        row["primary_type"] = "UNCLASSIFIED INCIDENT"
    elif defect == "impossible position":
        row.update(_degrees(*_SWAPPED))
    elif defect == "no date":
        row["date"] = f"{row['year']}-02-30T12:00:00.000"
    elif defect == "no id":
        del row["id"]
    # "updated before event" is made where the versions get their times.


def _versions(
    chance: random.Random, number: int, row: Row, day: date, reported: date
) -> Iterator[Row]:
    """What the portal showed of the row over time, oldest first."""
    draw = chance.random
    ready = max(day + timedelta(HELD_BACK_DAYS), reported + timedelta(1))
    first = _batch(min(ready + timedelta(int(chance.expovariate(0.7))), PUBLISHED_UNTIL))
    steps = [(first, row)]
    if row["arrest"] and draw() >= ARRESTS_KNOWN_AT_ONCE:
        steps = [(first, {**row, "arrest": False})]
        known = first + timedelta(1 + int(chance.expovariate(1 / ARREST_LAG_DAYS)))
        if known.date() <= PUBLISHED_UNTIL:
            steps.append((_batch(known.date()), row))
    if day < GEOCODED_AGAIN_UNTIL and "location" in row:
        newest = dict(steps[-1][1], x_coordinate=str(int(row["x_coordinate"]) + 1))
        steps.append((max(GEOCODED_AGAIN_AT, steps[-1][0] + timedelta(1)), newest))
    is_early = (
        number % EVERY_DEFECT == EVERY_DEFECT - 1
        and DEFECTS[number // EVERY_DEFECT % len(DEFECTS)] == "updated before event"
    )
    if is_early:
        early = datetime.combine(day - timedelta(2), first.time())
        steps = [(early, row)]
    system = {":id": _row_id(chance), ":created_at": _utc(steps[0][0])}
    for updated, values in steps:
        updated_on = updated.isoformat(timespec="milliseconds")
        version = {**values, "updated_on": updated_on}
        yield {**system, ":updated_at": _utc(updated), **version}
    if draw() < 0.02:
        touched = min(
            updated + timedelta(30, 3600), datetime.combine(PUBLISHED_UNTIL, first.time())
        )
        if touched > updated:
            yield {**system, ":updated_at": _utc(touched), **version}


@cache
def _batch(day: date) -> datetime:
    """When the morning's batch of a day ran: all its rows share this time."""
    turn = day.toordinal()
    return datetime(day.year, day.month, day.day, 8, 40 + turn % 15, turn * 7 % 60)


@lru_cache(maxsize=4096)
def _utc(local: datetime) -> str:
    utc = local.replace(tzinfo=_ZONE).astimezone(timezone.utc).replace(tzinfo=None)
    return utc.isoformat(timespec="milliseconds") + "Z"


def _row_id(chance: random.Random) -> str:
    digits = f"{chance.getrandbits(48):012x}"
    return f"row-{digits[:4]}.{digits[4:8]}~{digits[8:]}"
