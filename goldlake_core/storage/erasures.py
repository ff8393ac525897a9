"""The erasures of a use case: asked for, done, and the keys that are not landed again.

    landing/USECASE/erasures.json

An erasure is written there before anything is erased, with the key, and stays there without it: a
salted digest tells whether a record has that key. While one is not done, nothing else is landed or
refined, for a lost page would be fetched again.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Iterable
from typing import Any

import msgspec

from goldlake_core.contracts.errors import StoreError
from goldlake_core.contracts.fields import CONTENT_FIELD, content_id, value_at
from goldlake_core.contracts.sections import Column, Silver, UseCase
from goldlake_core.documents import codec
from goldlake_core.documents.keeping import Erasure, Erasures
from goldlake_core.storage.files import document, read_bytes, write_atomic
from goldlake_core.storage.home import Home

ERASED_FIELD = "$erased"
"""Field of the line that a page has in place of an erased record; it names the erasure."""
_INTEGER = re.compile(r"\s*([+-]?[0-9]+)(\.0*)?\s*")


def read(home: Home, usecase: str) -> Erasures:
    """All erasures of a use case; none where there is no file.

    Raises:
        StoreError: The file is damaged, or was written by a newer goldlake.
    """
    path = _path(home, usecase)
    data = read_bytes(home.fs, path)
    if data is None:
        return Erasures(salt=secrets.token_hex(16))
    hint = "restore the file from a copy of the home: without it erased records are landed again"
    return document(data, path, Erasures, codec.FORMAT, hint)


def write(home: Home, usecase: str, erasures: Erasures) -> None:
    """Writes the file, whole or not at all."""
    write_atomic(home.fs, _path(home, usecase), codec.encode(erasures))


def put(home: Home, usecase: str, erasure: Erasure) -> None:
    """Writes one erasure in place of the one with its number, or after all others."""
    book = read(home, usecase)
    others = tuple(each for each in book.erasures if each.id != erasure.id)
    write(home, usecase, msgspec.structs.replace(book, erasures=(*others, erasure)))


def pending(home: Home, usecase: str) -> Erasure | None:
    """The erasure that was begun and is not done, or None."""
    return next((e for e in read(home, usecase).erasures if e.done_at is None), None)


def require_done(home: Home, usecase: str) -> None:
    """Checks that no erasure is half done.

    Raises:
        StoreError: One is; nothing may be landed or refined before it is done.
    """
    begun = pending(home, usecase)
    if begun is not None:
        raise StoreError(
            f"An erasure in {usecase} was begun at {begun.asked_at} and is not done",
            hint=f"goldlake erase {usecase}",
        )


def marker(erasure: str) -> bytes:
    """The line of a page that replaces an erased record."""
    return json.dumps({ERASED_FIELD: erasure}).encode()


def digest(salt: str, parts: tuple[str, ...]) -> str:
    """The digest of a key.

    Args:
        salt: The salt of the file.
        parts: Texts of the key's columns in their order.
    """
    return hashlib.sha256(json.dumps([salt, *parts]).encode()).hexdigest()


def key_parts(silver: Silver, key: str) -> tuple[str, ...]:
    """The texts of the key's columns out of the key as the table of versions has it."""
    if len(silver.key) == 1:
        return (key,)
    values = json.loads(key)
    return tuple(_plain(values[name]) for name in silver.key)


def parts_of(record: bytes, silver: Silver) -> tuple[str, ...] | None:
    """The texts of a landed record's key, or None where it does not have all of them."""
    try:
        value = msgspec.json.decode(record)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if isinstance(value, dict):
        value.setdefault(CONTENT_FIELD, content_id(record))
    texts = tuple(_text(value, silver.column(name)) for name in silver.key)
    known = tuple(text for text in texts if text is not None)
    return known if len(known) == len(texts) else None


class Withheld:
    """Tells the records whose key was erased: they are not landed again."""

    def __init__(self, usecase: UseCase, home: Home) -> None:
        """Reads the erasures of a use case.

        Raises:
            StoreError: An erasure is half done, or the file cannot be read.
        """
        require_done(home, usecase.name)
        book = read(home, usecase.name)
        self._salt = book.salt
        self._ids = {erasure.key_sha256: erasure.id for erasure in book.erasures}
        self._silver = usecase.silver
        self.count = 0

    def erasure_of(self, record: bytes) -> str | None:
        """Number of the erasure that a record's key was erased by, or None."""
        if not self._ids:
            return None
        parts = parts_of(record, self._silver)
        return self._of_key(parts) if parts is not None else None

    def are_erased(self, keys: Iterable[Iterable[object]]) -> list[bool]:
        """Of each key, as the values of its columns in their order, whether it was erased."""
        if not self._ids:
            return [False for _ in keys]
        return [self._of_key(tuple(_plain(value) for value in key)) is not None for key in keys]

    def _of_key(self, parts: tuple[str, ...]) -> str | None:
        return self._ids.get(digest(self._salt, parts))

    def left(self, records: list[bytes]) -> list[bytes]:
        """The records that may be landed."""
        kept = [record for record in records if self.erasure_of(record) is None]
        self.count += len(records) - len(kept)
        return kept

    def masked(self, records: list[bytes]) -> list[bytes]:
        """The records, each that may not be landed as the line of its erasure."""
        found = [(record, self.erasure_of(record)) for record in records]
        self.count += sum(erasure is not None for _, erasure in found)
        return [record if erasure is None else marker(erasure) for record, erasure in found]


def _text(record: Any, column: Column) -> str | None:
    """The text of a key column as silver reads it from a record, or None without one."""
    value = value_at(record, column.field) if isinstance(record, dict) else None
    if value is None or isinstance(value, (dict, list)):
        return None
    text = _plain(value)
    if column.type == "long":
        match = _INTEGER.fullmatch(text)
        return str(int(match[1])) if match else None
    text = (column.replace or {}).get(text, text)
    if column.pad is not None:
        text = text.lstrip("0").rjust(column.pad, "0")
    return text


def _plain(value: Any) -> str:
    return json.dumps(value) if isinstance(value, (bool, float)) else str(value)


def _path(home: Home, usecase: str) -> str:
    return home.landing(usecase, "erasures.json")
