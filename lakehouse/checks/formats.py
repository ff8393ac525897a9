"""Datetime patterns that Spark refuses, that can parse nothing, or that parse something else.

The rules are those of Spark's page "Datetime Patterns for Formatting and Parsing"
(https://spark.apache.org/docs/latest/sql-ref-datetime-pattern.html) as Spark 4.2.0 applies them to
``try_to_timestamp``: a test marked ``spark`` asks it about every letter and count. Where a pattern
leaves a part of the date out, Spark takes 1970, January or the first day.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass

from goldlake_core.contracts.findings import Remark, error, warning
from goldlake_core.contracts.rules import NAMED_FORMATS
from goldlake_core.contracts.sections import Column

LETTERS: dict[str, tuple[int, ...]] = {
    "G": (1, 2, 3, 4),
    "g": tuple(range(1, 20)),
    "y": (1, 2, 3, 4, 5, 6),
    "D": (1, 2, 3),
    "M": (1, 2, 3, 4),
    "L": (1, 2, 3, 4),
    "d": (1, 2),
    "a": (1,),
    "h": (1, 2),
    "K": (1, 2),
    "k": (1, 2),
    "H": (1, 2),
    "m": (1, 2),
    "s": (1, 2),
    "S": tuple(range(1, 10)),
    "V": (2,),
    "v": (1, 4),
    "z": (1, 2, 3, 4),
    "O": (1, 4),
    "X": (1, 2, 3, 4, 5),
    "x": (1, 2, 3, 4, 5),
    "Z": (1, 2, 3, 4, 5),
}
"""Letters that Spark parses by, and how many of each may be in a row.

Spark's page does not list g (modified Julian day) and v (time-zone name); java.time has them.
"""

_REFUSED = {
    "Y": ("the week-based year, which Spark refuses", "yyyy, the calendar year"),
    "w": ("the week of the year, which Spark refuses", "a calendar date, such as yyyy-MM-dd"),
    "W": ("the week of the month, which Spark refuses", "a calendar date, such as yyyy-MM-dd"),
    "u": ("the day of the week, which Spark refuses", "yyyy for the year, dd for the day"),
    "e": ("the day of the week, which Spark refuses", "dd for the day"),
    "c": ("the day of the week, which Spark refuses", "dd for the day"),
    "E": ("the name of the day of the week, which Spark writes but does not parse", None),
    "F": ("the week of the month, which Spark writes but does not parse", None),
    "q": ("the quarter, which Spark writes but does not parse", "MM for the month"),
    "Q": ("the quarter, which Spark writes but does not parse", "MM for the month"),
    "A": ("the millisecond of the day, which Spark refuses", "HH:mm:ss.SSS"),
    "n": ("the nanosecond, which Spark refuses", "S to SSSSSSSSS for the fraction of a second"),
    "N": ("the nanosecond of the day, which Spark refuses", "HH:mm:ss.SSSSSSSSS"),
    "B": ("the period of the day, which Spark refuses", "a for AM or PM"),
    "p": ("a padding, which Spark refuses", "the number of letters that the text has digits"),
}
_NO_PATTERN = ("epoch", "unix", "timestamp", "iso8601", "rfc3339")
_PARTS = re.compile(r"'(?:[^']|'')*'|([A-Za-z])\1*|.", re.DOTALL)
_HOURS, _ZONES = frozenset("HkKh"), frozenset("VzOXxZ")
_EXAMPLE = "a Spark datetime pattern, such as yyyy-MM-dd'T'HH:mm:ss.SSS"


@dataclass(frozen=True)
class _Pattern:
    """A pattern taken apart.

    Attributes:
        runs: Runs of one letter, in order, such as ``yyyy``.
        others: Every other character outside quotes.
    """

    runs: tuple[str, ...]
    others: str

    @property
    def letters(self) -> frozenset[str]:
        return frozenset(run[0] for run in self.runs)


def format_remarks(column: Column) -> tuple[Remark, ...]:
    """What is wrong with the ``format`` of a timestamp or date column.

    Args:
        column: A silver column; one without a format has no remarks.
    """
    return tuple(remark for each in column.formats for remark in _remarks(each, column))


def _remarks(format: str, column: Column) -> tuple[Remark, ...]:
    if format in NAMED_FORMATS:
        return ()
    if format.lower() in (*_NO_PATTERN, *NAMED_FORMATS):
        return (
            error(
                f"{format!r} is not a pattern, and Spark would read it letter by letter",
                valid=f"{_EXAMPLE}, or {', '.join(NAMED_FORMATS)}",
            ),
        )
    if format.count("'") % 2:
        return (error("a quote is not closed", valid="'text', and '' for one quote"),)
    pattern = _taken_apart(format)
    errors = (*_letter_errors(pattern), *_character_errors(pattern))
    return errors or (*_date_warnings(pattern, column), *_clock_warnings(pattern, column))


def _taken_apart(text: str) -> _Pattern:
    runs, others = [], ""
    for match in _PARTS.finditer(text):
        if match[1]:
            runs.append(match[0])
        elif not match[0].startswith("'"):
            others += match[0]
    return _Pattern(tuple(runs), others)


def _letter_errors(pattern: _Pattern) -> list[Remark]:
    found = []
    for run in dict.fromkeys(pattern.runs):
        letter = run[0]
        if letter in _REFUSED:
            what, valid = _REFUSED[letter]
            found.append(error(f"{run} is {what}", valid=valid))
        elif letter not in LETTERS:
            hint = f"write '{run}' if it is text"
            valid = f"the letters {' '.join(LETTERS)}"
            found.append(error(f"{letter} is not a letter of patterns", valid=valid, hint=hint))
        elif len(run) not in LETTERS[letter]:
            counts = LETTERS[letter]
            is_range = len(counts) > 2
            valid = f"{counts[0]} to {counts[-1]}" if is_range else " or ".join(map(str, counts))
            found.append(
                error(f"{run} has {len(run)} letters {letter}", valid=f"{valid} of them in a row")
            )
    return found


def _character_errors(pattern: _Pattern) -> list[Remark]:
    found = [
        error(f"{character} is reserved in patterns", valid=f"'{character}' in quotes")
        for character in "#{}"
        if character in pattern.others
    ]
    depth = itertools.accumulate((c == "[") - (c == "]") for c in pattern.others)
    if any(level < 0 for level in depth):
        found.append(error("a ] closes an optional part that no [ opens", valid="[ and ] in pairs"))
    return found


def _date_warnings(pattern: _Pattern, column: Column) -> list[Remark]:
    letters, found = pattern.letters, []
    has_month = bool(letters & {"M", "L"})
    if "y" not in letters:
        found.append(warning("the format has no year, so every value falls in 1970", "yyyy"))
    if not has_month and "D" not in letters:
        if "m" in letters and not letters & _HOURS:
            problem = "mm is the minute, so every value falls in January"
            found.append(warning(problem, "MM for the month"))
        elif column.type == "timestamp" or "d" in letters:
            problem = "the format has no month, so every value falls in January"
            found.append(warning(problem, "MM"))
    if "D" in letters and has_month:
        run = next(run for run in pattern.runs if run[0] == "D")
        problem = f"{run} is the day of the year, and next to a month both must agree"
        found.append(warning(problem, "dd for the day of the month"))
    elif "d" not in letters and "D" not in letters and column.type == "timestamp":
        problem = "the format has no day, so every value falls on the first of its month"
        found.append(warning(problem, "dd"))
    return found


def _clock_warnings(pattern: _Pattern, column: Column) -> list[Remark]:
    letters, found = pattern.letters, []
    half_days = [run for run in pattern.runs if run[0] in "hK"]
    if half_days and "a" not in letters and not letters & {"H", "k"}:
        problem = f"{half_days[0]} counts half days, and without a every value is before noon"
        found.append(warning(problem, "HH for 0 to 23, or a for AM and PM"))
    months = [run for run in pattern.runs if run[0] in "ML"]
    if len(months) > 1 and letters & _HOURS and "m" not in letters:
        found.append(warning("MM is the month, and it is there twice", "mm for the minute"))
    if "S" in letters and "s" not in letters:
        run = next(run for run in pattern.runs if run[0] == "S")
        found.append(warning(f"{run} is the fraction of a second", "ss for the second"))
    zones = [run for run in pattern.runs if run[0] in _ZONES]
    if zones and column.time_zone is not None and len(column.formats) == 1:
        problem = f"the format reads an offset ({zones[0]}), so time_zone is not used"
        found.append(warning(problem, "one of the two"))
    if zones and column.type == "date":
        problem = f"the format reads an offset ({zones[0]}), so the day is that of UTC"
        found.append(warning(problem, "a format without an offset, for the day as it is written"))
    return found
