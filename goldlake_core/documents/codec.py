"""The one codec of all documents: struct to JSON bytes and back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, TypeVar

import msgspec

from goldlake_core.contracts.errors import StoreError

FORMAT = 1
"""Format version of every file that is written now."""

T = TypeVar("T")


def encode(document: Any) -> bytes:
    """A document as indented JSON with its fields in the order of their declaration."""
    return (json.dumps(plain(document), ensure_ascii=False, indent=1) + "\n").encode()


def encode_line(document: Any) -> bytes:
    """A document as one line of JSON."""
    return (json.dumps(plain(document), ensure_ascii=False) + "\n").encode()


def plain(document: Any) -> Any:
    """A document as objects, lists and scalars of JSON."""
    return msgspec.to_builtins(document)


def decode(data: bytes, kind: type[T], name: str, *, is_strict: bool = True) -> T:
    """The document that some bytes of JSON hold.

    A field that the type does not know is refused, unless the document says that it is of a newer
    format: a newer goldlake may write more than this one reads.

    Args:
        data: The document as JSON.
        kind: The type of the document, or a union of tagged types.
        name: Name of the file, for the error.
        is_strict: Whether unknown fields are refused.

    Raises:
        StoreError: The bytes are not JSON, or a field is missing, unknown or of another type.
    """
    try:
        value = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise StoreError(f"{name} is not JSON: {error}") from error
    return typed(value, kind, name, is_strict=is_strict)


def typed(value: Any, kind: type[T], name: str, *, is_strict: bool = True) -> T:
    """As `decode`, from values that were read already."""
    try:
        document = msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise StoreError(f"{name} does not hold what it should: {error}") from error
    if is_strict and not _is_newer(value):
        unknown = next(_unknown(value, plain(document), ""), None)
        if unknown is not None:
            field, known = unknown
            raise StoreError(f"{name} has an unknown field {field!r}", valid=", ".join(known))
    return document


def _is_newer(value: Any) -> bool:
    number = value.get("format") if isinstance(value, dict) else None
    return isinstance(number, int) and number > FORMAT


def _unknown(value: Any, known: Any, path: str) -> Iterator[tuple[str, list[str]]]:
    """Fields of ``value`` that the decoded document did not keep, with what is valid there."""
    if isinstance(value, dict) and isinstance(known, dict):
        for name, item in value.items():
            if name not in known:
                yield f"{path}{name}", list(known)
            else:
                yield from _unknown(item, known[name], f"{path}{name}.")
    elif isinstance(value, list) and isinstance(known, (list, tuple)):
        for index, (item, kept) in enumerate(zip(value, known, strict=True)):
            yield from _unknown(item, kept, f"{path}{index}.")
