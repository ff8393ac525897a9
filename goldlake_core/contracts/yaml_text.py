"""Texts as YAML that every reader takes for the same text."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*( [A-Za-z0-9_./-]+)*")
_OTHERWISE = frozenset(
    {"y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf", "e"}
)

Value = str | int | float | bool | None | Sequence["Value"] | Mapping[str, "Value"]


def written(value: Value) -> str:
    """A value on one line, as part of a list or of a mapping between braces."""
    if isinstance(value, str):
        is_plain = _PLAIN.fullmatch(value) and value.lower() not in _OTHERWISE
        return value if is_plain else json.dumps(value, ensure_ascii=False)
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None or isinstance(value, (int, float)):
        return "null" if value is None else repr(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{written(k)}: {written(v)}" for k, v in value.items()) + "}"
    return "[" + ", ".join(map(written, value)) + "]"


def comment(words: str) -> str:
    """Words as a comment; what cannot be printed is a blank."""
    return "# " + " ".join("".join(c if c.isprintable() else " " for c in words).split())


def commented(line: str, words: str) -> str:
    """A line with a comment after it; the line alone without words."""
    return f"{line}  {comment(words)}" if words else line
