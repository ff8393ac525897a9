"""The key of a record as the source gives it, out of the record's bytes."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping

import msgspec

from goldlake_core.contracts.fields import CONTENT_FIELD, content_id, is_path
from goldlake_core.contracts.sections import Silver
from lakehouse.sources.split import texts_of


def fields_of(silver: Silver) -> tuple[str, ...]:
    """The top-level fields of a record that hold its key, each once."""
    return tuple(dict.fromkeys(path[0] for path in _paths(silver)))


def key_fields(record: bytes, silver: Silver) -> dict[str, msgspec.Raw] | None:
    """The top-level fields of a record that hold its key, as they are; None where one lacks."""
    if fields_of(silver) == (CONTENT_FIELD,):
        return {CONTENT_FIELD: msgspec.Raw(msgspec.json.encode(content_id(record)))}
    try:
        found = msgspec.json.decode(record, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        names = fields_of(silver)
        texts = texts_of(record, names)
        found = {
            name: msgspec.Raw(msgspec.json.encode(text))
            for name, text in zip(names, texts or (), strict=False)
        }
    names = tuple(dict.fromkeys(path[0] for path in _paths(silver, found)))
    return {name: found[name] for name in names} if set(names) <= found.keys() else None


def key_texts(record: bytes, silver: Silver) -> tuple[str | None, ...] | None:
    """The text of each key column in a record, as the source gives it; None without a key."""
    fields = key_fields(record, silver)
    if fields is None:
        return None
    return tuple(_text(fields, path) for path in _paths(silver, fields))


def columns_of(
    keys: Iterable[tuple[str | None, ...]], silver: Silver
) -> dict[str, list[str | None]]:
    """Tuples of key texts as lists by key column."""
    found: dict[str, list[str | None]] = {name: [] for name in silver.key}
    lists = list(found.values())
    for key in keys:
        for values, text in zip(lists, key, strict=True):
            values.append(text)
    return found


def _paths(silver: Silver, found: Container[str] = ()) -> list[tuple[str, ...]]:
    """The names that lead to each field of the key; a file may have a name with dots in it.

    Args:
        silver: The contract of the silver table.
        found: The top-level fields that a record has.
    """
    fields = [column.field for column in silver.columns]
    keys = [silver.column(name).field for name in silver.key]
    return [
        tuple(key.split(".")) if key not in found and is_path(key, fields) else (key,)
        for key in keys
    ]


def _text(fields: Mapping[str, msgspec.Raw], path: tuple[str, ...]) -> str | None:
    first, *rest = path
    raw = fields[first]
    for part in rest:
        try:
            raw = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])[part]
        except (msgspec.DecodeError, KeyError):
            return None
    text = bytes(raw)
    if text == b"null":
        return None
    return msgspec.json.decode(text, type=str) if text[:1] == b'"' else text.decode()
