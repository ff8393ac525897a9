"""Splits a JSON array into its records without reading them: each stays the bytes that came.

``41.10``, ``1e400``, ``NaN``, a lone surrogate, a repeated key and a raw tab are landed as they
are; bronze and silver decide what becomes of them. Only what cannot be one line of text is changed:

- a line break between two tokens becomes a blank;
- a record with a line break inside a string, or with bytes that are not UTF-8, becomes an envelope
  ``{"$bytes": "BASE64"}`` that holds the record's bytes.
"""

from __future__ import annotations

import base64
import codecs
import re
from collections.abc import Sequence
from email.message import Message

import msgspec

_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|["\[\]{},]', re.DOTALL)
_STRING_OR_BREAK = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[\r\n]', re.DOTALL)
_TEXT_VALUE = re.compile(rb'\s*:\s*"([^"\\]*)"')
_ENVELOPE = re.compile(rb'\{"\$bytes": "([A-Za-z0-9+/=]*)"\}')
_BLANKS = b" \t\r\n"
_OPENS = {ord("["): ord("]"), ord("{"): ord("}")}
_BOMS = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class Unreadable(ValueError):
    """A body is not what was asked for; the source may answer better the next time."""


def records(body: bytes, content_type: str = "") -> list[bytes]:
    """The elements of a JSON array, each one line.

    Args:
        body: Decoded of any transfer compression.
        content_type: The header, for its charset.

    Raises:
        Unreadable: The body is not one whole array.
    """
    text = as_utf8(body, content_type)
    try:
        found = [bytes(raw) for raw in msgspec.json.decode(text, type=list[msgspec.Raw])]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        found = _scanned(text)
    is_clean = text.isascii() and b"\n" not in text and b"\r" not in text
    return found if is_clean else [one_line(record) for record in found]


def one_line(record: bytes) -> bytes:
    """A record as one line of UTF-8; see the module for what becomes an envelope."""
    line = record
    if b"\n" in record or b"\r" in record:
        line = _STRING_OR_BREAK.sub(lambda m: m[0] if m[0][:1] == b'"' else b" ", record)
    if b"\n" not in line and b"\r" not in line and is_text(line):
        return line
    return envelope(record)


def envelope(record: bytes) -> bytes:
    """Bytes that cannot be a line of text, as a line of JSON: ``{"$bytes": "BASE64"}``."""
    return b'{"$bytes": "' + base64.b64encode(record) + b'"}'


def texts_of(record: bytes, names: Sequence[str]) -> list[str] | None:
    """The texts of some top-level fields of a record that need not be JSON by the letter.

    Args:
        record: One line, or an envelope of what was none.
        names: Names of the fields, without escapes.

    Returns:
        The text of each field, or None where one is missing, is not a text or holds an escape.
    """
    match = _ENVELOPE.fullmatch(record)
    text = base64.b64decode(match[1]) if match else record
    found: dict[bytes, str] = {}
    depth = 0
    for token in _TOKEN.finditer(text):
        if token[0] in (b"{", b"["):
            depth += 1
        elif token[0] in (b"}", b"]"):
            depth -= 1
        elif depth == 1 and (value := _TEXT_VALUE.match(text, token.end())):
            found[token[0][1:-1]] = value[1].decode("utf-8", "replace")
    texts = [found.get(name.encode()) for name in names]
    return [text for text in texts if text is not None] if None not in texts else None


def as_utf8(body: bytes, content_type: str = "") -> bytes:
    """A body in UTF-8 without a byte-order mark, by its declared charset or its mark.

    A body that its charset does not decode stays as it is.
    """
    charset = charset_of(content_type)
    if body.startswith(_BOMS[1:]):
        charset = "utf-16"
    if charset not in ("", "utf-8", "us-ascii"):
        try:
            body = body.decode(charset).encode("utf-8", "surrogatepass")
        except (LookupError, UnicodeError):
            return body
    return body.removeprefix(codecs.BOM_UTF8)


def charset_of(content_type: str) -> str:
    """The charset that a Content-Type header names, as Python spells it; "" for none."""
    message = Message()
    message["Content-Type"] = content_type
    name = message.get_content_charset() or ""
    return {"utf8": "utf-8", "ascii": "us-ascii"}.get(name, name)


def is_text(line: bytes) -> bool:
    """Whether bytes are UTF-8."""
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _scanned(text: bytes) -> list[bytes]:
    """The elements by depth and quotes alone, for bodies that are not JSON by the letter."""
    start = len(text) - len(text.lstrip(_BLANKS))
    if text[start : start + 1] != b"[":
        raise Unreadable(f"it begins with {text[start : start + 40]!r}, which is not a JSON array")
    found: list[bytes] = []
    closing: list[int] = []
    begin = start + 1
    for match in _TOKEN.finditer(text, start):
        token, at = text[match.start()], match.start()
        if token in _OPENS:
            closing.append(_OPENS[token])
        elif token == ord('"') and match.end() == at + 1:
            raise Unreadable(f"a string that begins at byte {at} does not end")
        elif token == ord(",") and len(closing) == 1:
            found.append(_element(text, begin, at))
            begin = at + 1
        elif token in b"]}":
            if not closing or closing.pop() != token:
                raise Unreadable(f"the bracket at byte {at} closes nothing")
            if not closing:
                if found or text[begin:at].strip(_BLANKS):
                    found.append(_element(text, begin, at))
                if text[at + 1 :].strip(_BLANKS):
                    raise Unreadable(f"more follows the array at byte {at + 1}")
                return found
    raise Unreadable(f"the array does not end in {len(text)} bytes")


def _element(text: bytes, begin: int, end: int) -> bytes:
    element = text[begin:end].strip(_BLANKS)
    if not element:
        raise Unreadable(f"the element at byte {begin} is empty")
    return element
