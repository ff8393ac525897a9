"""A generated country: deterministic, with the layout and the dependence of the real statistics.

What it follows (the counties' table of 2020): offences differ in frequency by five orders of
magnitude, towns have about twice the rate of regions, rates grow with the population, and the
share of solved cases depends on the offence. Counties, their names and their inhabitants are made
up. Numbers have commas between thousands, codes of states lose their zero, and a county without
cases has a share of 0, all as in the real file.
"""

from __future__ import annotations

import csv
import math
import random
from collections.abc import Iterator
from pathlib import Path

FIRST_YEAR, YEARS = 2018, 3
_KINDS = (("KfS", 0.25), ("LK", 0.62), ("K", 0.1), ("SK", 0.03))
# By offence that is not listed otherwise: cases for each 100,000 inhabitants, and share solved.
_USUAL = (40.0, 0.45)
_FREQUENT = {
    "------": (6000.0, 0.6),
    "890000": (5800.0, 0.59),
    "****00": (1700.0, 0.3),
    "899000": (1300.0, 0.2),
    "3***00": (1000.0, 0.4),
    "510000": (900.0, 0.7),
    "4***00": (650.0, 0.15),
    "674000": (680.0, 0.25),
    "224000": (450.0, 0.9),
    "326*00": (360.0, 0.92),
    "730000": (430.0, 0.92),
    "***300": (310.0, 0.09),
    "222000": (155.0, 0.83),
    "211000": (0.1, 0.7),
    "892500": (2.8, 0.93),
}
_ROOTS = ("Auen", "Berg", "Birken", "Eich", "Linden", "Mühl", "Neu", "Ober", "Süd", "Wald")
_ENDS = ("bach", "burg", "dorf", "felde", "hausen", "kirchen", "rode", "stadt", "tal", "werder")


def rows(count: int, seed: int) -> Iterator[dict[str, str]]:
    """At least ``count`` rows: whole counties, each with every offence and year.

    Args:
        count: Number of rows wanted.
        seed: Same count and seed, same rows.

    Yields:
        Rows by field, with the name of their file.
    """
    chance = random.Random(f"{seed}:{count}")
    offences = _offences()
    number = max(1, math.ceil(count / (len(offences) * YEARS)))
    counties = [_county(chance, place) for place in range(number)]
    for year in range(FIRST_YEAR, FIRST_YEAR + YEARS):
        for offence, name in offences:
            for county in counties:
                yield _row(chance, year, offence, name, county)


def _offences() -> list[tuple[str, str]]:
    with Path(__file__).with_name("offences.csv").open(encoding="utf-8", newline="") as file:
        return [(row["offence_key"], row["offence"]) for row in csv.DictReader(file)]


def _county(chance: random.Random, place: int) -> tuple[str, str, str, int, float]:
    """Key, name, kind, inhabitants and general level of crime."""
    kind = chance.choices([name for name, _ in _KINDS], [share for _, share in _KINDS])[0]
    name = f"{_ROOTS[place % 10]}{_ENDS[place // 10 % 10]}"
    name += f" {place // 100}" if place > 99 else ""
    population = round(math.exp(chance.gauss(11.7, 0.6)))
    level = (1.7 if kind in ("KfS", "SK") else 1.0) * (population / 120_000) ** 0.1
    # The state's key has no leading zero, as in the file.
    key = str(int(f"{place % 16 + 1:02}{place // 16 + 1:03}"))
    return key, name, kind, population, level * math.exp(chance.gauss(0, 0.2))


def _row(
    chance: random.Random,
    year: int,
    offence: str,
    name: str,
    county: tuple[str, str, str, int, float],
) -> dict[str, str]:
    key, place, kind, population, level = county
    rate, solved = _FREQUENT.get(offence, _USUAL)
    trend = 1 - 0.02 * (year - FIRST_YEAR)
    mean = rate * level * trend * population / 100_000 * math.exp(chance.gauss(0, 0.15))
    cases = max(0, round(chance.gauss(mean, math.sqrt(mean))))
    spread = math.sqrt(solved * (1 - solved) / max(cases, 1)) + 0.02
    cleared = round(cases * min(1.0, max(0.0, chance.gauss(solved, spread))))
    attempts = round(cases * 0.08)
    suspects = round(cleared * 0.8)
    numbers = {
        "Anzahl erfasste Faelle": cases,
        "Haeufigkeitszahl": round(cases * 100_000 / population),
        "erfasste Faelle, davon Versuche - Anzahl": attempts,
    }
    return {
        ":file": f"pks_{year}_kreise.csv",
        "Schluessel": offence,
        "Straftat": name,
        "Gemeindeschluessel": key,
        "Stadt-/Landkreis": place,
        "Kreisart": kind,
        **{field: f"{number:,}" for field, number in numbers.items()},
        "erfasste Faelle, davon Versuche - Anteil in %": _share(attempts, cases),
        "mit Schusswaffe gedroht": "0",
        "mit Schusswaffe geschossen": "0",
        "Auffklaerung - Anzahl Faelle": f"{cleared:,}",
        "Aufklaerungsquote": _share(cleared, cases),
        "Tatverdaechtige insgesamt": f"{suspects:,}",
        "Tatverdaechtige - maennlich": f"{round(suspects * 0.75):,}",
        "Tatverdaechtige - weiblich": f"{suspects - round(suspects * 0.75):,}",
        "Nichtdeutsche Tatverdaechtige - Anzahl": f"{round(suspects * 0.3):,}",
        "Nichtdeutsche Tatverdaechtige - Anteil in % an der Gesamtzahl": "30.0",
        "column_19": "0",
        "column_20": "",
        "column_21": key,
        "column_22": place,
        "column_23": f"{population:,}",
    }


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f}" if whole else "0"
