"""Generated engines: deterministic, and they wear out as those of C-MAPSS do.

What it follows (means and spreads of FD001): lives of 128 to 362 flights; each sensor has a level,
a spread, and a change by the end of life that begins slowly and grows. An engine of the file test_*
is cut off as many flights before its end as ``RUL_FD001.txt`` says. One value in 2,000 is one of
the spellings for missing values that are seen in copies of the real files.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from pathlib import Path

MISSING = ("NAN", "'N/A'", "None")
_STEEP = 4.5
# Level, spread and change by the end of life of the 24 columns after unit and cycle.
_COLUMNS = (
    *((0.0, 0.0022, 0.0), (0.0, 0.0003, 0.0), (100.0, 0.0, 0.0), (518.67, 0.0, 0.0)),
    *((642.35, 0.36, 1.6), (1586.9, 4.5, 18.0), (1402.5, 4.4, 31.0), (14.62, 0.0, 0.0)),
    *((21.6095, 0.001, 0.0), (553.95, 0.55, -3.0), (2388.05, 0.05, 0.2), (9056.5, 8.0, 55.0)),
    *((1.3, 0.0, 0.0), (47.35, 0.16, 0.95), (521.9, 0.45, -2.5), (2388.05, 0.05, 0.2)),
    *((8138.0, 7.5, 38.0), (8.418, 0.025, 0.12), (0.03, 0.0, 0.0), (392.2, 1.1, 4.8)),
    *((2388.0, 0.0, 0.0), (100.0, 0.0, 0.0), (38.93, 0.12, -0.6), (23.36, 0.07, -0.35)),
)
_DIGITS = (4, 4, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 4, 2, 0, 0, 2, 2, 4)


def rows(count: int, seed: int) -> Iterator[dict[str, str]]:
    """At least ``count`` rows, of whole engines; every third flight is one of test.

    Args:
        count: Number of rows wanted.
        seed: Same count and seed, same rows.

    Yields:
        Rows with the fields ``column_1`` to ``column_26`` and the name of their file.
    """
    chance = random.Random(f"{seed}:{count}")
    answers = _answers()
    made, unit = 0, 0
    while made < count:
        unit += 1
        life = min(362, max(128, round(chance.lognormvariate(math.log(200), 0.22))))
        yield from _engine(chance, "train_FD001.csv", unit, life, life)
        made += life
        if unit <= len(answers) and made < count:
            life = max(life, answers[unit - 1] + 31)
            flown = life - answers[unit - 1]
            yield from _engine(chance, "test_FD001.csv", unit, life, flown)
            made += flown


def _answers() -> list[int]:
    text = Path(__file__).with_name("RUL_FD001.txt").read_text(encoding="utf-8")
    return [int(line) for line in text.split()]


def _engine(
    chance: random.Random, file: str, unit: int, life: int, flown: int
) -> Iterator[dict[str, str]]:
    """The flights of an engine that lives so long and is watched so long."""
    own = [chance.gauss(0.0, 0.3) * spread for _, spread, _ in _COLUMNS]
    strength = chance.uniform(0.85, 1.15)
    for cycle in range(1, flown + 1):
        wear = strength * (math.exp(_STEEP * cycle / life) - 1) / (math.exp(_STEEP) - 1)
        values = [
            f"{chance.gauss(level, spread) + shift + change * wear:.{digits}f}"
            for (level, spread, change), shift, digits in zip(_COLUMNS, own, _DIGITS, strict=True)
        ]
        if chance.random() < len(values) / 2000:
            values[chance.randrange(len(values))] = chance.choice(MISSING)
        numbered = enumerate([str(unit), str(cycle), *values], 1)
        yield {":file": file, **{f"column_{place}": value for place, value in numbered}}
