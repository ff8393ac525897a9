"""JSON as TF Serving reads and writes it, but for the white space of its answers.

``NaN``, ``Inf`` and ``Infinity`` are numbers; text that follows the first value is ignored; the
first of duplicate keys wins; bytes that are not UTF-8 are kept as lone surrogates. Errors have
RapidJSON's texts and offsets. Whatever the depth of a body, nothing here recurses: values beyond
`MAX_DEPTH`, which no tensor and no message can hold, are checked and left out.
"""

from __future__ import annotations

import itertools
import json
import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import orjson

from serving.errors import StatusError, invalid

DEBUG_CHARACTERS = 256
# Every level adds a character to the text of a message, so what lies deeper is never printed.
MAX_DEPTH = 300
# A list or an object of nothing takes 3 bytes of a body and over 60 in memory.
MAX_CONTAINERS = 600_000
MAX_VALUES = 8_000_000

_SPACE = re.compile(r"[ \t\r\n]*")
# The tokens of a nest, for what is too deep to be built.
_OPENING = re.compile(
    r'[ \t\r\n]*(?:\[(?![ \t\r\n]*\])|(\{)[ \t\r\n]*"[^"\\\x00-\x1f]*"[ \t\r\n]*:)'
)
_CLOSING = re.compile(r"[ \t\r\n]*([]}])")
_STRINGS = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_PLAIN = re.compile(r'[^"\\\x00-\x1f]*')
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]*)?([eE][+-]?[0-9]*)?")
_HEX = re.compile(r"[0-9a-fA-F]{4}")
_LITERALS: Mapping[str, tuple[str, Any]] = {
    "n": ("null", None),
    "t": ("true", True),
    "f": ("false", False),
    "N": ("NaN", math.nan),
    "I": ("Infinity", math.inf),
}
_ESCAPES = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
# `json` accepts lone surrogate escapes and numbers beyond a double; these texts may hold some.
_DOUBTFUL = re.compile(r"\\u[dD]|[eE]\+?[0-9]{2}|[0-9]{300}")


class Repeated(dict[str, object]):
    """An object that has a key twice: the first value of each key.

    Attributes:
        pairs: Every member in the order of the text.
    """

    def __init__(self, pairs: list[tuple[str, object]]) -> None:
        super().__init__()
        self.pairs = pairs
        for key, value in pairs:
            self.setdefault(key, value)


def members(value: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    """Returns every member of an object, with a repeated key as often as the text has it."""
    return value.pairs if isinstance(value, Repeated) else value.items()


def read(body: bytes) -> Any:
    """Returns the first JSON value of a request body; integers beyond 64 bits may become float.

    Raises:
        StatusError: INVALID_ARGUMENT with RapidJSON's message and offset in bytes, or
            RESOURCE_EXHAUSTED where the body holds more values than this server builds.
    """
    if not body:
        raise invalid("JSON Parse error: The document is empty")
    _refuse_too_many(body)
    try:
        value = orjson.loads(body)
        if _has_each_key_once(body, value):
            return value
    except orjson.JSONDecodeError:
        pass
    bare = body.removeprefix(b"\xef\xbb\xbf")  # the byte order mark
    text = bare.decode("utf-8", "surrogateescape")
    if not _DOUBTFUL.search(text):
        try:
            start = _skipped(text, 0)
            return json.JSONDecoder(object_pairs_hook=_object).raw_decode(text, start)[0]
        except (ValueError, RecursionError):
            pass  # The reader below finds where it is, or that only `json` does not take it.
    reader = _Reader(text)
    try:
        return reader.value()
    except _Malformed as error:
        before = text[: error.at].encode("utf-8", "surrogateescape")
        offset = len(body) - len(bare) + len(before)
        raise invalid(f"JSON Parse error: {error.problem} at offset: {offset}") from error


def _refuse_too_many(body: bytes) -> None:
    containers = body.count(b"[") + body.count(b"{")
    if containers > MAX_CONTAINERS or containers + body.count(b",") > MAX_VALUES:
        raise StatusError(
            "RESOURCE_EXHAUSTED",
            f"The request may hold more than {MAX_VALUES} values, or {MAX_CONTAINERS} lists and "
            "objects; send it in parts",
        )


def _has_each_key_once(body: bytes, value: Any) -> bool:
    """Whether a value has as many members as its text; `orjson` keeps the last of equal keys."""
    colons = body.count(b":")
    if isinstance(value, dict) and body.count(b"{") == 1:
        return len(value) == colons or len(value) == _colons_outside_strings(body)
    found = 0
    waiting = [value] if colons else []
    while waiting:
        container = waiting.pop()
        if isinstance(container, dict):
            found += len(container)
            if found == colons:
                return True
            container = container.values()
        if isinstance(container, str):
            continue
        waiting.extend(v for v in container if type(v) is dict or type(v) is list)
    return found == colons or found == _colons_outside_strings(body)


def _colons_outside_strings(body: bytes) -> int:
    return _STRINGS.sub(b"", body).count(b":")


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    value = dict(pairs)
    return value if len(value) == len(pairs) else Repeated(pairs)


def _skipped(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


class _Malformed(Exception):
    """The text is not JSON.

    Attributes:
        problem: RapidJSON's text.
        at: Where, in characters.
    """

    def __init__(self, problem: str, at: int) -> None:
        super().__init__(problem)
        self.problem = problem
        self.at = at


class _Reader:
    """Reads one value the way RapidJSON's iterative parser does, with its own stack."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._is_object = bytearray()
        self._items: list[list[Any]] = []
        self._keys: list[str] = []

    def value(self) -> Any:
        """The value that the text begins with.

        Raises:
            _Malformed: The text does not begin with a value.
        """
        while True:
            done = self._opened_or_scalar()
            while done is not _OPEN and self._is_object:
                self._add(done)
                done = self._next_or_closed()
            if not self._is_object:
                return done

    def _next(self) -> str:
        self._at = _skipped(self._text, self._at)
        return self._text[self._at : self._at + 1]

    def _opened_or_scalar(self) -> Any:
        """A scalar, an empty container, or `_OPEN` where a first element is to follow."""
        self._go_deeper()
        character = self._next()
        if character and character in "[{":
            is_object = character == "{"
            self._is_object.append(is_object)
            if len(self._is_object) <= MAX_DEPTH:
                self._items.append([])
            self._at += 1
            character = self._next()
            if character and character == ("}" if is_object else "]"):
                return self._closed()
            if is_object:
                self._read_key()
            return _OPEN
        if not character or character in "]},:":
            is_empty = not self._is_object and (self._at == 0 or not self._text[: self._at].strip())
            raise _Malformed("The document is empty." if is_empty else "Invalid value.", self._at)
        return self._string() if character == '"' else self._literal_or_number(character)

    def _next_or_closed(self) -> Any:
        """A container that ends here, or `_OPEN` where another element is to follow."""
        self._come_up()
        character = self._next()
        is_object = self._is_object[-1]
        if character and character == ("}" if is_object else "]"):
            return self._closed()
        if character != ",":
            what = "'}' after an object member" if is_object else "']' after an array element"
            raise _Malformed(f"Missing a comma or {what}.", self._at)
        self._at += 1
        if is_object:
            self._read_key()
        return _OPEN

    def _go_deeper(self) -> None:
        """Passes over beginnings of containers that are too deep to be built, in few steps each."""
        kinds = self._is_object
        while len(kinds) >= MAX_DEPTH and (found := _OPENING.match(self._text, self._at)):
            kinds.append(found[1] is not None)
            self._at = found.end()

    def _come_up(self) -> None:
        """Passes over ends of containers that are too deep to be built."""
        kinds = self._is_object
        while len(kinds) > MAX_DEPTH + 1 and (found := _CLOSING.match(self._text, self._at)):
            if (found[1] == "}") != kinds[-1]:
                return
            kinds.pop()
            self._at = found.end()

    def _closed(self) -> Any:
        self._at += 1
        is_object = self._is_object.pop()
        if len(self._is_object) >= MAX_DEPTH:
            return None
        items = self._items.pop()
        return _object(items) if is_object else items

    def _add(self, value: Any) -> None:
        depth = len(self._is_object)
        if depth > MAX_DEPTH:
            return
        if self._is_object[-1]:
            self._items[-1].append((self._keys.pop(), value))
        else:
            self._items[-1].append(value)

    def _read_key(self) -> None:
        if self._next() != '"':
            raise _Malformed("Missing a name for object member.", self._at)
        key = self._string()
        if len(self._is_object) <= MAX_DEPTH:
            self._keys.append(key)
        if self._next() != ":":
            raise _Malformed("Missing a colon after a name of object member.", self._at)
        self._at += 1

    def _string(self) -> str:
        text, parts, at = self._text, [], self._at + 1
        while True:
            plain = _PLAIN.match(text, at)
            assert plain is not None
            parts.append(plain[0])
            at = plain.end()
            character = text[at : at + 1]
            if character == '"':
                self._at = at + 1
                return "".join(parts)
            if character != "\\":
                problem = "Invalid encoding in string."
                if not character or character == "\0":
                    problem = "Missing a closing quotation mark in string."
                raise _Malformed(problem, at)
            piece, at = self._escape(at)
            parts.append(piece)

    def _escape(self, at: int) -> tuple[str, int]:
        code = self._text[at + 1 : at + 2]
        if code in _ESCAPES:
            return _ESCAPES[code], at + 2
        if code != "u":
            raise _Malformed("Invalid escape character in string.", at)
        first = self._hexadecimal(at + 2, at)
        if not 0xD800 <= first <= 0xDFFF:
            return chr(first), at + 6
        if first <= 0xDBFF and self._text[at + 6 : at + 8] == "\\u":
            second = self._hexadecimal(at + 8, at)
            if 0xDC00 <= second <= 0xDFFF:
                return chr(0x10000 + ((first - 0xD800) << 10) + second - 0xDC00), at + 12
        raise _Malformed("The surrogate pair in string is invalid.", at)

    def _hexadecimal(self, at: int, start: int) -> int:
        digits = _HEX.match(self._text, at)
        if digits is None:
            raise _Malformed("Incorrect hex digit after \\u escape in string.", start)
        return int(digits[0], 16)

    def _literal_or_number(self, character: str) -> Any:
        text, at, sign = self._text, self._at, 1
        if character == "-" and text[at + 1 : at + 2] in ("N", "I"):
            at, sign = at + 1, -1
        word, value = _LITERALS.get(text[at], ("", None))
        if word:
            length = next(
                (i for i in range(len(word)) if text[at + i : at + i + 1] != word[i]), len(word)
            )
            if length < len(word) and not (word == "Infinity" and length == 3):
                raise _Malformed("Invalid value.", at + length)
            self._at = at + length
            return sign * value if word in ("NaN", "Infinity") else value
        return self._number()

    def _number(self) -> int | float:
        text, at = self._text, self._at
        found = _NUMBER.match(text, at)
        if found is None:
            raise _Malformed("Invalid value.", at + (text[at] == "-"))
        fraction, exponent = found[1], found[2]
        if fraction == ".":
            raise _Malformed("Miss fraction part in number.", found.end(1))
        if exponent and not exponent[-1].isdigit():
            raise _Malformed("Miss exponent in number.", found.end(2))
        self._at = found.end()
        number = float(found[0])
        if math.isinf(number):
            raise _Malformed("Number too big to be stored in double.", at)
        is_whole = fraction is None and exponent is None and -(2.0**63) <= number <= 2.0**64
        if is_whole and -(2**63) <= int(found[0]) < 2**64:
            return int(found[0])
        return number


_OPEN = object()


def write(document: Any, *, is_finite: bool = True) -> bytes:
    """Returns a document, which may hold NumPy arrays of numbers, as JSON.

    Args:
        document: What to write.
        is_finite: False where a number may be NaN or infinite: orjson would write null.
    """
    if is_finite:
        try:
            return orjson.dumps(document, _plain, orjson.OPT_SERIALIZE_NUMPY)
        except orjson.JSONEncodeError:  # lone surrogates: bytes that are not UTF-8
            pass
    text = json.dumps(document, default=_plain, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "surrogateescape")


def _plain(array: Any) -> Any:
    # By way of its text a float32 keeps as few digits as it needs.
    return (array.astype(str).astype(float) if array.dtype == np.float32 else array).tolist()


def debug_text(value: Any) -> str:
    """Returns a value for an error message as TF Serving lays it out, cut if it is long."""
    pieces: list[str] = []
    length = 0
    # What is still to be written, the next on top: a text, or a value and its depth.
    waiting: list[str | tuple[Any, int]] = [(value, 1)]
    while waiting and length < DEBUG_CHARACTERS:
        entry = waiting.pop()
        if isinstance(entry, str):
            pieces.append(entry)
        else:
            found, depth = entry
            if isinstance(found, dict | list) and found:
                waiting.extend(reversed(_parts(found, depth)))
                continue
            pieces.append(json.dumps(found, ensure_ascii=False))
        length += len(pieces[-1])
    return "".join(pieces)[:DEBUG_CHARACTERS]


def _parts(value: dict[str, object] | list[Any], depth: int) -> list[str | tuple[Any, int]]:
    """The start of a container in pieces, as much as a message can hold."""
    if isinstance(value, list):
        parts: list[str | tuple[Any, int]] = []
        for element in value[:DEBUG_CHARACTERS]:
            parts += [", " if parts else "[", (element, depth + 1)]
        return [*parts, "]"]
    line = "\n" + "    " * depth
    parts = []
    for key, element in itertools.islice(members(value), DEBUG_CHARACTERS):
        name = json.dumps(key, ensure_ascii=False)
        parts += ["," if parts else "{", f"{line}{name}: ", (element, depth + 1)]
    return [*parts, line[:-4], "}"]
