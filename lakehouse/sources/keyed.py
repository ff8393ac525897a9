"""The key of a record as the source gives it, out of the record's bytes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from goldlake_core.contracts.sections import Silver
from lakehouse.sources.split import texts_of


def fields_of(silver: Silver) -> tuple[str, ...]:
    """The top-level fields of a record that hold its key, each once."""
    return tuple(dict.fromkeys(silver.column(name).field.split(".")[0] for name in silver.key))


def key_fields(record: bytes, silver: Silver) -> dict[str, msgspec.Raw] | None:
    """The top-level fields of a record that hold its key, as they are; None where one lacks."""
    names = fields_of(silver)
    try:
        found = msgspec.json.decode(record, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        texts = texts_of(record, names)
        found = {
            name: msgspec.Raw(msgspec.json.encode(text))
            for name, text in zip(names, texts or (), strict=False)
        }
    return {name: found[name] for name in names} if set(names) <= found.keys() else None


def key_texts(record: bytes, silver: Silver) -> tuple[str | None, ...] | None:
    """The text of each key column in a record, as the source gives it; None without a key."""
    fields = key_fields(record, silver)
    if fields is None:
        return None
    return tuple(_text(fields, silver.column(name).field) for name in silver.key)


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


def _text(fields: Mapping[str, msgspec.Raw], path: str) -> str | None:
    first, *rest = path.split(".")
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
