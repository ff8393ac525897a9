"""Writes JSON as TF Serving's RapidJSON PrettyWriter lays it out, byte for byte.

Text holds bytes that are not UTF-8 as lone surrogates (``surrogateescape``); whoever sends it
encodes it back the same way.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

DEBUG_BYTES = 256
_ESCAPES = {code: f"\\u{code:04X}" for code in range(0x20)}
_ESCAPES |= {8: "\\b", 9: "\\t", 10: "\\n", 12: "\\f", 13: "\\r", 34: '\\"', 92: "\\\\"}


def indent(depth: int) -> str:
    """A new line, indented for ``depth`` open brackets."""
    return "\n" + "    " * depth


def quoted(text: str) -> str:
    """A JSON string; only what JSON demands is escaped."""
    return f'"{text.translate(_ESCAPES)}"'


def error_document(text: str) -> str:
    """The body of every failed request."""
    return f'{{{indent(1)}"error": {quoted(text)}{indent(0)}}}'


def double_text(value: float) -> str:
    """A finite double as RapidJSON prints it: shortest digits, ``e`` from 1e21 and below 1e-6."""
    sign, digit_tuple, exponent = Decimal(repr(value)).as_tuple()
    assert isinstance(exponent, int)
    digits = "".join(map(str, digit_tuple)).lstrip("0")
    if not digits:
        return "-0.0" if sign else "0.0"
    stripped = digits.rstrip("0")
    exponent += len(digits) - len(stripped)
    digits = stripped
    point = len(digits) + exponent
    if exponent >= 0 and point <= 21:
        text = digits + "0" * exponent + ".0"
    elif 0 < point <= 21:
        text = f"{digits[:point]}.{digits[point:]}"
    elif -6 < point <= 0:
        text = f"0.{'0' * -point}{digits}"
    else:
        fraction = f".{digits[1:]}" if len(digits) > 1 else ""
        text = f"{digits[0]}{fraction}e{point - 1}"
    return "-" + text if sign else text


def debug_text(value: Any) -> str:
    """A value inside an error message: arrays on one line, cut after `DEBUG_BYTES` bytes.

    The cut falls between tokens and closes nothing, as in TF Serving.
    """
    parts: list[str] = []
    size = 0
    for token in _tokens(value, 0):
        if size >= DEBUG_BYTES:
            break
        parts.append(token)
        size += len(token.encode("utf-8", "surrogateescape"))
    return "".join(parts)


def type_name(value: Any) -> str:
    """RapidJSON's name of a JSON value's type."""
    if value is None:
        return "Null"
    if isinstance(value, bool):
        return "True" if value else "False"
    if isinstance(value, int | float):
        return "Number"
    if isinstance(value, str):
        return "String"
    return "Object" if isinstance(value, dict) else "Array"


def _tokens(value: Any, depth: int) -> Iterator[str]:
    if isinstance(value, dict):
        yield "{"
        separator = ""
        for name, member in value.items():
            yield separator + indent(depth + 1) + quoted(name)
            yield from _prefixed(": ", _tokens(member, depth + 1))
            separator = ","
        yield (indent(depth) if value else "") + "}"
    elif isinstance(value, list):
        yield "["
        for number, element in enumerate(value):
            yield from _prefixed(", " if number else "", _tokens(element, depth + 1))
        yield "]"
    else:
        yield _scalar_text(value)


def _prefixed(prefix: str, tokens: Iterator[str]) -> Iterator[str]:
    yield prefix + next(tokens)
    yield from tokens


def _scalar_text(value: Any) -> str:
    if isinstance(value, str):
        return quoted(value)
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and -(2**63) <= value < 2**64:
        return str(value)
    # RapidJSON's writer leaves out what JSON cannot say; the message keeps it readable instead.
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return double_text(float(value))
