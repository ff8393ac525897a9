"""What the source's texts of numbers, booleans and times mean. Plain data and pure functions.

The patterns are read alike by Java (`lakehouse.parsing`) and by Rust (`lakehouse.typed`).
"""

from __future__ import annotations

import re

BLANKS = "[ \\t\\n\\x0B\\f\\r]*"
"""What Java's ``\\s`` matches."""
INTEGER = rf"^{BLANKS}[+-]?[0-9]+(\.0*)?{BLANKS}$"
NUMBER = rf"^{BLANKS}[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?{BLANKS}$"
TRUE = ("true", "t", "yes", "y", "1")
FALSE = ("false", "f", "no", "n", "0")
"""Texts of booleans, in any case."""
_DAY = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_CLOCK = "[0-9]{2}:[0-9]{2}(:[0-9]{2}(\\.[0-9]{1,6})?)?"
_OFFSET = "(Z|[+-][0-9]{2}:[0-9]{2})"
ISO = rf"\A{_DAY}([T ]{_CLOCK}{_OFFSET}?)?\z"
"""A day or a time of ISO 8601, with or without an offset."""
HAS_OFFSET = rf"[0-9]{_OFFSET}\z"
EPOCHS = {"epoch_s": 1_000_000, "epoch_ms": 1_000}
"""Microseconds of one unit, by format."""
EPOCH_SHAPES = {
    "epoch_s": rf"^{BLANKS}[+-]?[0-9]{{1,12}}(\.[0-9]{{1,6}})?{BLANKS}$",
    "epoch_ms": rf"^{BLANKS}[+-]?[0-9]{{1,15}}(\.[0-9]{{1,3}})?{BLANKS}$",
}
MICROS = (-62_135_596_800_000_000, 253_402_300_799_999_999)
"""The first and the last microsecond of the years 1 to 9999 since 1970, UTC."""


def grouped(decimal: str, thousands: str) -> str:
    """The pattern of a number whose digits are in groups of three."""
    point, mark = re.escape(decimal), re.escape(thousands)
    return rf"^{BLANKS}[+-]?[0-9]{{1,3}}({mark}[0-9]{{3}})+({point}[0-9]*)?{BLANKS}$"


def is_number(text: str) -> bool:
    """Whether Python reads a text as a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True
