"""Lengths of time as contracts write them: ``90s``, ``30m``, ``12h``, ``1d``, ``2w`` or ``0``."""

from __future__ import annotations

import re

PATTERN = r"0|[1-9][0-9]{0,5}[smhdw]"
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}


def is_duration(text: str) -> bool:
    """Whether a text is a length of time."""
    return re.fullmatch(PATTERN, text) is not None


def seconds_of(text: str) -> float:
    """Returns the length in seconds; raises KeyError or ValueError where it is none."""
    return 0.0 if text == "0" else float(text[:-1]) * _SECONDS[text[-1]]
