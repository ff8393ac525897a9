"""Reads one column: its type, how the source spells it, what it may hold, how a null travels."""

from __future__ import annotations

import dataclasses
import re
import zoneinfo
from typing import cast, get_args

from goldlake_core.contracts.keys import Keys
from goldlake_core.contracts.names import MAX_NAME, is_name, nearest
from goldlake_core.contracts.nodes import Entry
from goldlake_core.contracts.usecase import Column, ColumnType, WireNull

TYPES: tuple[str, ...] = get_args(ColumnType)
_JAVA_ONLY = re.compile(r"\\[pPQRhHXz]|\[\^?\[|&&|[*+?}]\+|\(\?<[^=!]")
_ZONE = re.compile(r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*")
_QUOTED = re.compile(r"'[^']*'")


def read_column(name: str, entry: Entry, table: Keys) -> Column:
    """One column.

    Args:
        name: Its name, the mapping's key.
        entry: The mapping.
        table: Keys allowed: silver's or gold's.

    Raises:
        ContractError: A key or value does not hold, or does not go with the column's type.
    """
    if not is_name(name):
        raise entry.error(
            f"{name!r} is not a name",
            valid=f"a lower-case letter, then lower-case letters, digits or _ (at most {MAX_NAME})",
        )
    found = entry.section(table)
    kind = found["type"].choice(*TYPES)
    is_silver = "field" in table.names
    column = Column(
        name=name,
        type=cast(ColumnType, kind),
        comment=found["comment"].text(),
        field=_field(found, name) if is_silver else "",
        nullable=found["nullable"].boolean() if "nullable" in found else True,
        format=_only(found, "format", kind, "timestamp", "date"),
        time_zone=_time_zone(found, kind),
        pad=_pad(found, kind),
        replace=_replace(found),
        null_values=_texts(found, "null_values"),
        domain=_domain(found, kind),
        range=_range(found, kind),
        pattern=_pattern(found, kind),
        unit=found["unit"].text() if "unit" in found else None,
    )
    if is_silver and kind in ("timestamp", "date"):
        _require_format(column, entry)
    _check_replacements(column, found)
    return dataclasses.replace(column, wire_null=_wire_null(found, column))


def read_kept_column(column: Column) -> Column:
    """A silver column as the key of a gold table: never null."""
    return dataclasses.replace(column, nullable=False, wire_null=None)


def _field(found: dict[str, Entry], name: str) -> str:
    if "field" not in found:
        return name
    field = found["field"].exact_text()
    if not all(part.strip() == part and part for part in field.split(".")):
        raise found["field"].error(
            f"{field!r} names no field", valid="names with dots between them, such as place.city"
        )
    return field


def _only(found: dict[str, Entry], key: str, kind: str, *types: str) -> str | None:
    if key not in found:
        return None
    _require_kind(found[key], key, kind, *types)
    return found[key].text()


def _require_kind(entry: Entry, key: str, kind: str, *types: str) -> None:
    if kind not in types:
        raise entry.error(
            f"{key} does not go with type {kind}", valid=f"{key} with type {' or '.join(types)}"
        )


def _require_format(column: Column, entry: Entry) -> None:
    if column.format is None:
        raise entry.error(
            f"a {column.type} of the source needs its format",
            valid="a Spark datetime pattern, such as yyyy-MM-dd'T'HH:mm:ss.SSS",
            hint="write format: …",
        )
    letters = _QUOTED.sub("", column.format)
    has_offset = any(letter in letters for letter in "XxZOVz")
    if column.type == "timestamp" and column.time_zone is None and not has_offset:
        raise entry.error(
            "the format has no offset, so the clock of the source is unknown",
            valid="time_zone: an IANA zone, such as UTC or Europe/London",
            hint="write time_zone: …",
        )


def _time_zone(found: dict[str, Entry], kind: str) -> str | None:
    zone = _only(found, "time_zone", kind, "timestamp")
    if zone is None:
        return None
    if not _ZONE.fullmatch(zone) or not _is_known_zone(zone):
        known = sorted(zoneinfo.available_timezones())
        near = nearest(zone, known).split("; all")[0]
        text = near if "(nearest)" in near else "an IANA zone, such as UTC or Europe/London"
        raise found["time_zone"].error(f"unknown time zone {zone!r}", valid=text)
    return zone


def _is_known_zone(zone: str) -> bool:
    try:
        zoneinfo.ZoneInfo(zone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        # A machine without zone data knows none; there, Spark's own data decide.
        return not zoneinfo.available_timezones()
    return True


def _pad(found: dict[str, Entry], kind: str) -> int | None:
    if "pad" not in found:
        return None
    _require_kind(found["pad"], "pad", kind, "string")
    return found["pad"].integer(1, 64)


def _replace(found: dict[str, Entry]) -> dict[str, str]:
    if "replace" not in found:
        return {}
    return {old: new.exact_text() for old, new in found["replace"].members().items()}


def _texts(found: dict[str, Entry], key: str) -> tuple[str, ...]:
    if key not in found:
        return ()
    texts: list[str] = []
    for item in found[key].items():
        text = item.exact_text()
        if text in texts:
            raise item.error(f"{text!r} is listed twice", valid="each text once")
        texts.append(text)
    return tuple(texts)


def _domain(found: dict[str, Entry], kind: str) -> tuple[str, ...] | None:
    if "domain" not in found:
        return None
    _require_kind(found["domain"], "domain", kind, "string")
    domain = _texts(found, "domain")
    if not domain:
        raise found["domain"].error("the domain is empty", valid="at least one text")
    return domain


def _range(found: dict[str, Entry], kind: str) -> tuple[float | None, float | None] | None:
    if "range" not in found:
        return None
    entry = found["range"]
    _require_kind(entry, "range", kind, "long", "double")
    ends = entry.items()
    if len(ends) != 2:
        raise entry.error(f"the range has {len(ends)} ends", valid="[lowest, highest]")
    if kind == "long":
        bound = 2**63
        low, high = (None if e.is_null else e.integer(-bound, bound - 1) for e in ends)
        values: tuple[float | None, float | None] = (low, high)
    else:
        values = (
            None if ends[0].is_null else ends[0].number(),
            None if ends[1].is_null else ends[1].number(),
        )
    if values[0] is None and values[1] is None:
        raise entry.error("the range has no end", valid="a number at one end at least")
    if values[0] is not None and values[1] is not None and values[0] > values[1]:
        raise entry.error(
            f"the range is upside down: {values[0]} > {values[1]}", valid="[lowest, highest]"
        )
    return values


def _pattern(found: dict[str, Entry], kind: str) -> str | None:
    if "pattern" not in found:
        return None
    _require_kind(found["pattern"], "pattern", kind, "string")
    pattern = found["pattern"].exact_text()
    if _compiled(pattern) is None and not _JAVA_ONLY.search(pattern):
        raise found["pattern"].error(
            f"{pattern!r} is not a regular expression", valid="a Java regular expression"
        )
    return pattern


def _compiled(pattern: str) -> re.Pattern[str] | None:
    try:
        return re.compile(pattern)
    except (re.error, RecursionError, OverflowError):
        return None


def _check_replacements(column: Column, found: dict[str, Entry]) -> None:
    entries = found["replace"].members() if column.replace else {}
    for old, new in column.replace.items():
        if new in column.replace:
            raise entries[old].error(
                f"{old!r} becomes {new!r}, which is itself replaced",
                valid="the final spelling at once",
            )
        if column.domain is None:
            continue
        if new not in column.domain:
            raise entries[old].error(
                f"{old!r} becomes {new!r}, which is not in the domain",
                valid=nearest(new, column.domain),
            )
        if old in column.domain:
            raise entries[old].error(
                f"{old!r} is replaced and is in the domain", valid="one of the two"
            )


def _wire_null(found: dict[str, Entry], column: Column) -> WireNull | None:
    if "wire_null" not in found:
        return None
    entry = found["wire_null"]
    if not column.nullable:
        raise entry.error("the column is not nullable, so no null travels", valid="no wire_null")
    if not entry.is_mapping:
        if entry.is_text and entry.exact_text() == "nan":
            _require_kind(entry, "wire_null: nan", column.type, "double")
            return WireNull("nan")
        raise entry.error(
            f"expected how a null travels, got {entry.shape}",
            valid='nan, {text: "…"} or {flag: name}',
        )
    members = entry.members()
    if len(members) != 1 or next(iter(members)) not in ("text", "flag"):
        given = ", ".join(members) or "nothing"
        raise entry.error(
            f"expected how a null travels, got {given}", valid='nan, {text: "…"} or {flag: name}'
        )
    if "flag" in members:
        _require_kind(
            entry, "wire_null: {flag}", column.type, "string", "long", "double", "boolean"
        )
        return WireNull("flag", members["flag"].name())
    _require_kind(entry, "wire_null: {text}", column.type, "string")
    return WireNull("text", _reserved_text(members["text"], column))


def _reserved_text(entry: Entry, column: Column) -> str:
    token = entry.exact_text()
    if not token:
        raise entry.error(
            "the reserved text is empty, and an empty text is a value of its own",
            valid='a text that no value has, such as "(none)"',
        )
    can_be_value = column.domain is not None and token in column.domain
    can_be_value = can_be_value or token in column.replace.values()
    if column.pattern is not None and column.domain is None:
        compiled = _compiled(column.pattern)
        can_be_value = can_be_value or bool(compiled and compiled.fullmatch(token))
    if can_be_value:
        raise entry.error(
            f"the reserved text {token!r} can be a value of the column",
            valid='a text that no value has, such as "(none)"',
        )
    return token
