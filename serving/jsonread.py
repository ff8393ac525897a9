"""Reads request bodies by the rules of RapidJSON as TF Serving sets it up, with its error texts.

What differs from `json`: ``NaN``, ``Inf`` and ``Infinity`` are numbers; reading stops behind the
first value, so that anything may follow it; a byte order mark is skipped; strings may hold bytes
that are not UTF-8, which become lone surrogates (``surrogateescape``) and so come back out
unchanged; a number that no double can hold is an error, not infinity.

Three readers, fastest first: orjson where it accepts the text, `json` for what is usual besides
(NaN, text behind the value), and an own one for everything else, which also words the errors.
"""

from __future__ import annotations

import json
import re
from typing import Any

import orjson

from serving.errors import StatusError, invalid

MAX_DEPTH = 200
_BOM = b"\xef\xbb\xbf"
_WHITE = " \t\r\n"
# `json` would take a lone surrogate escape and 1e400, which RapidJSON refuses.
_DOUBTFUL = re.compile(r"\\u[dD]|[eE]\+?[0-9]{2}|[0-9]{300}")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)")
_FRACTION = re.compile(r"\.[0-9]+")
_EXPONENT = re.compile(r"[eE][+-]?[0-9]+")
_PLAIN = re.compile(r'[^"\\\x00-\x1f]*')
_HEX4 = re.compile(r"[0-9a-fA-F]{4}")
_ESCAPES = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_WORDS = (("null", None), ("true", True), ("false", False))
_SPECIAL = (("NaN", "nan"), ("Infinity", "inf"), ("Inf", "inf"))


def read(body: bytes) -> Any:
    """The first JSON value of ``body``.

    Args:
        body: JSON text in UTF-8.

    Returns:
        dict, list, str, int, float, bool or None. Integers outside 64 bits may come as float.

    Raises:
        StatusError: INVALID_ARGUMENT with RapidJSON's message and offset in bytes.
    """
    if not body:
        raise invalid("JSON Parse error: The document is empty")
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        pass
    skipped = len(_BOM) if body.startswith(_BOM) else 0
    text = body[skipped:].decode("utf-8", "surrogateescape")
    if not _DOUBTFUL.search(text):
        try:
            start = len(text) - len(text.lstrip(_WHITE))
            return json.JSONDecoder().raw_decode(text, start)[0]
        except (ValueError, RecursionError):
            pass
    return _Reader(text, skipped).document()


class _Reader:
    """Recursive descent over one text."""

    def __init__(self, text: str, skipped: int) -> None:
        self.text = text
        self.skipped = skipped
        self.at = 0

    def document(self) -> Any:
        self._white()
        if self.at == len(self.text):
            raise self._error("The document is empty.")
        return self._value(0)

    def _error(self, problem: str, at: int | None = None) -> StatusError:
        before = self.text[: self.at if at is None else at].encode("utf-8", "surrogateescape")
        return invalid(f"JSON Parse error: {problem} at offset: {len(before) + self.skipped}")

    def _white(self) -> None:
        while self.at < len(self.text) and self.text[self.at] in _WHITE:
            self.at += 1

    def _peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def _value(self, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise self._error(f"Nested deeper than {MAX_DEPTH} levels.")
        first = self._peek()
        if first == "{":
            return self._object(depth)
        if first == "[":
            return self._array(depth)
        if first == '"':
            return self._string()
        for word, value in _WORDS:
            if first == word[0]:
                if self.text.startswith(word, self.at):
                    self.at += len(word)
                    return value
                raise self._error("Invalid value.", self.at + _shared(self.text, self.at, word))
        return self._number()

    def _object(self, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        self.at += 1
        self._white()
        if self._peek() == "}":
            self.at += 1
            return found
        while True:
            if self._peek() != '"':
                raise self._error("Missing a name for object member.")
            name = self._string()
            self._white()
            if self._peek() != ":":
                raise self._error("Missing a colon after a name of object member.")
            self.at += 1
            self._white()
            value = self._value(depth + 1)
            found.setdefault(name, value)
            self._white()
            if self._peek() == "}":
                self.at += 1
                return found
            if self._peek() != ",":
                raise self._error("Missing a comma or '}' after an object member.")
            self.at += 1
            self._white()

    def _array(self, depth: int) -> list[Any]:
        found: list[Any] = []
        self.at += 1
        self._white()
        if self._peek() == "]":
            self.at += 1
            return found
        while True:
            found.append(self._value(depth + 1))
            self._white()
            if self._peek() == "]":
                self.at += 1
                return found
            if self._peek() != ",":
                raise self._error("Missing a comma or ']' after an array element.")
            self.at += 1
            self._white()

    def _string(self) -> str:
        opened = self.at
        self.at += 1
        parts: list[str] = []
        while True:
            plain = _PLAIN.match(self.text, self.at)
            assert plain is not None
            parts.append(plain[0])
            self.at = plain.end()
            stop = self._peek()
            if stop == '"':
                self.at += 1
                return "".join(parts)
            if stop == "\\":
                parts.append(self._escape())
            elif stop in ("", "\0"):
                raise self._error("Missing a closing quotation mark in string.", opened)
            else:
                raise self._error("Invalid encoding in string.")

    def _escape(self) -> str:
        at = self.at
        letter = self.text[at + 1 : at + 2]
        if letter in _ESCAPES and letter:
            self.at += 2
            return _ESCAPES[letter]
        if letter != "u":
            raise self._error("Invalid escape character in string.")
        code = self._hex4(at)
        if 0xDC00 <= code <= 0xDFFF:
            raise self._error("The surrogate pair in string is invalid.", at)
        if 0xD800 <= code <= 0xDBFF:
            if not self.text.startswith("\\u", self.at):
                raise self._error("The surrogate pair in string is invalid.", at)
            low = self._hex4(at)
            if not 0xDC00 <= low <= 0xDFFF:
                raise self._error("The surrogate pair in string is invalid.", at)
            code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00)
        return chr(code)

    def _hex4(self, escape_at: int) -> int:
        digits = _HEX4.match(self.text, self.at + 2)
        if digits is None:
            raise self._error("Incorrect hex digit after \\u escape in string.", escape_at)
        self.at = digits.end()
        return int(digits[0], 16)

    def _number(self) -> int | float:
        opened = self.at
        sign = "-" if self._peek() == "-" else ""
        for word, value in _SPECIAL:
            if self.text.startswith(word, opened + len(sign)):
                self.at = opened + len(sign) + len(word)
                return float(sign + value)
        whole = _NUMBER.match(self.text, opened)
        if whole is None:
            raise self._error("Invalid value.", opened + len(sign))
        self.at = whole.end()
        is_double = False
        for mark, pattern, problem in (
            (".", _FRACTION, "Miss fraction part in number."),
            ("eE", _EXPONENT, "Miss exponent in number."),
        ):
            if self._peek() and self._peek() in mark:
                part = pattern.match(self.text, self.at)
                if part is None:
                    raise self._error(problem, self.at + 1)
                self.at = part.end()
                is_double = True
        token = self.text[opened : self.at]
        as_double = float(token)
        if as_double in (float("inf"), float("-inf")):
            raise self._error("Number too big to be stored in double.", opened)
        # int() of a huge literal is slow and refused by newer Pythons; no integer type holds it.
        return as_double if is_double or len(token) > 20 else int(token)


def _shared(text: str, at: int, word: str) -> int:
    """How many characters of ``word`` stand at ``at``."""
    count = 0
    while count < len(word) and text[at + count : at + count + 1] == word[count]:
        count += 1
    return count
