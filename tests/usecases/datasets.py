"""Data sets that become use cases by commands alone: real ones, and three that are made here."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class DataSet:
    """A data set, and what has to come of it.

    Attributes:
        name: Name of the use case that is made of it.
        place: Its files under the folder of real data, or "" where `lines` makes them.
        records: Number of records that it has.
        label: The column to predict, by its name in the files.
        head: Head that the draft chooses, or "" where it makes no model.
        file: Name of the file that `lines` makes.
        lines: Makes the lines of that file.
    """

    name: str
    place: str
    records: int
    label: str
    head: str
    file: str = ""
    lines: Callable[[random.Random], Iterator[str]] | None = None

    def at(self, folder: Path, real: Path | None) -> str:
        """Where its files are; they are made in a folder where they are not real ones."""
        if self.lines is None:
            assert real is not None
            return str(real / self.place)
        text = "\n".join(self.lines(random.Random(self.name))) + "\n"
        (folder / self.file).write_text(text, encoding="utf-8")
        return str(folder / self.file)


def _bicycles(chance: random.Random) -> Iterator[str]:
    """Rentals per hour: tabs, decimal commas, dates with points, gaps in the temperature."""
    yield "Tag\tStunde\tWetter\tTemperatur\tVerleihungen"
    for number in range(2_000):
        day, hour = number // 24, number % 24
        weather = chance.choice(["klar", "bewölkt", "Regen"])
        warm = 12 + 9 * math.sin(day / 40) + 4 * math.sin((hour - 8) / 24 * 2 * math.pi)
        mean = 20 + 80 * math.exp(-(((hour - 17) / 4) ** 2)) * (0.4 if weather == "Regen" else 1)
        shown = "" if chance.random() < 0.02 else f"{warm:.1f}".replace(".", ",")
        rented = max(0, round(chance.gauss(mean, math.sqrt(mean))))
        date = f"{day % 28 + 1:02}.{day // 28 % 12 + 1:02}.2023"
        yield f"{date}\t{hour}\t{weather}\t{shown}\t{rented}"


def _visits(chance: random.Random) -> Iterator[str]:
    """Visits of a clinic as JSON lines: objects inside of objects, lists, missing fields."""
    for number in range(1_500):
        age, is_new = chance.randrange(1, 90), chance.random() < 0.3
        missed = chance.random() < 0.08 + 0.25 * is_new + 0.1 * (age < 30)
        visit: dict[str, object] = {
            "visit": f"v{number:05}",
            "booked": f"2024-{number % 12 + 1:02}-{number % 28 + 1:02}T{number % 9 + 8:02}:30:00Z",
            "patient": {"age": age, "is_new": is_new},
            "ward": chance.choice(["eyes", "teeth", "skin"]),
            "codes": ["a", "b"],
            "missed": missed,
        }
        if chance.random() < 0.1:
            del visit["ward"]
        yield json.dumps(visit)


def _soils(chance: random.Random) -> Iterator[str]:
    """Samples of soil: semicolons, two lines before the header, thousands, three kinds."""
    yield "Bodenproben 2022"
    yield "alle Angaben ohne Gewähr"
    yield "Probe;pH;Sand %;Leitfähigkeit;Art"
    for number in range(600):
        acid, sand, carried, kind = chance.choice(
            [(4.2, 80, 1_200, "Heide"), (6.5, 35, 4_300, "Acker"), (7.4, 15, 9_100, "Marsch")]
        )
        values = chance.gauss(acid, 0.5), chance.gauss(sand, 9), chance.gauss(carried, 700)
        texts = f"{values[0]:.1f};{max(0, values[1]):.0f};{max(100, values[2]):,.0f}"
        yield f"P-{number:04};{texts};{kind}"


MADE = (
    DataSet("bicycles", "", 2_000, "Verleihungen", "regression", "bicycles.tsv", _bicycles),
    DataSet("visits", "", 1_500, "missed", "binary", "visits.jsonl", _visits),
    DataSet("soils", "", 600, "Art", "multiclass", "soils.csv", _soils),
)
REAL = (
    DataSet("months", "uk_police/2024-*-street.csv.gz", 9_992, "Crime type", "multiclass"),
    DataSet(
        "street", "uk_police/api_crimes_leicester_2023-01.json.gz", 1_448, "category", "multiclass"
    ),
    DataSet(
        "counties",
        "germany_pks/pks_2020_kreise.csv.gz",
        16_842,
        "Anzahl erfasste Faelle",
        "regression",
    ),
    DataSet(
        "nation",
        "germany_pks/pks_national_series_to_2016.csv.gz",
        11_289,
        "Aufklaerungsquote in %",
        "regression",
    ),
    DataSet("engines", "cmapss/train_FD001.txt.gz", 20_631, "column_8", "regression"),
    DataSet("codes", "chicago/iucr_codes.csv", 401, "INDEX CODE", "multiclass"),
    DataSet("year", "chicago/crimes_2016.csv.gz", 268_813, "Arrest", "binary"),
    DataSet("quarter", "chicago/crimes_2001_q1_no_ids.csv.gz", 112_429, "Arrest", "binary"),
    DataSet("cut", "chicago/crimes_2015_export_truncated.csv.gz", 5_446, "Arrest", "binary"),
    DataSet("rows", "chicago/crimes_2012_api_rows_no_ids.csv.gz", 10_000, "arrest", "binary"),
)
