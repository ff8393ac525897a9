"""From rows of an export or a generator to the records a portal publishes, by the contract.

The contract says which field is of what type, which one tells when a row was last changed and in
which time zone the publisher's clocks stand; nothing about any data set is written here.
"""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

from goldlake_core.contracts.column_types import COLUMN_TYPES, TIMES, Family
from goldlake_core.contracts.errors import UsageError
from goldlake_core.contracts.sections import UseCase
from goldlake_simulators.socrata.dataset import Dataset, Record
from goldlake_simulators.socrata.values import SYSTEM_TYPES, time_text
from lakehouse.sources.base import json_line

EPOCH = "1970-01-01T00:00:00.000Z"

_TYPES: Mapping[Family, str] = {
    "text": "text",
    "number": "number",
    "truth": "checkbox",
    "time": "floating_timestamp",
}
"""SODA type of a field by what its values are."""
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?")
_PORTAL_TIME = re.compile(r"(\d\d)/(\d\d)/(\d{4})(?: (\d\d):(\d\d):(\d\d) ([AP]M))?")
_POSITION = re.compile(r"\((-?\d+(?:\.\d+)?), *(-?\d+(?:\.\d+)?)\)")
_NO_ADDRESS = '{"address": "", "city": "", "state": "", "zip": ""}'

Row: TypeAlias = dict[str, Any]
"""A row by field. Its values are what an export or a generator gives: texts, or any JSON."""


@dataclass(frozen=True)
class Shape:
    """What a contract says about the rows of its source.

    Attributes:
        types: SODA type by declared field.
        key: Fields that identify a row.
        updated: Field with the row's last change, or None.
        happened: Field with the event's time, or None.
        zone: Time zone of the publisher's clocks.
    """

    types: Mapping[str, str]
    key: tuple[str, ...]
    updated: str | None
    happened: str | None
    zone: ZoneInfo

    @classmethod
    def of(cls, usecase: UseCase) -> Shape:
        """The shape of a use case's source."""
        silver = usecase.silver
        times = {c.name: c for c in silver.columns if c.type in TIMES and "." not in c.field}
        version, event = times.get(silver.version), times.get(silver.event_time)
        zones = [c.time_zone for c in (version, event, *times.values()) if c and c.time_zone]
        return cls(
            types={
                c.field: _TYPES[COLUMN_TYPES[c.type].family]
                for c in silver.columns
                if "." not in c.field
            },
            key=tuple(silver.column(name).field for name in silver.key),
            updated=version.field if version else None,
            happened=event.field if event else None,
            zone=ZoneInfo(zones[0] if zones else "UTC"),
        )


class LocalTimes:
    """Times of the publisher's clocks as UTC, each distinct text converted once.

    The hour that happens twice is read as its first pass; the hour that does not exist as if the
    clocks had not yet been changed.
    """

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone
        self._known: dict[str, str | None] = {}

    def utc(self, text: Any) -> str | None:
        """UTC with milliseconds and Z, or None where the text is not a time."""
        if not isinstance(text, str):
            return None
        if text not in self._known:
            local = time_text(text, is_utc=False)
            self._known[text] = None
            if local is not None:
                instant = datetime.fromisoformat(local).replace(tzinfo=self._zone)
                utc = instant.astimezone(timezone.utc).replace(tzinfo=None)
                self._known[text] = utc.isoformat(timespec="milliseconds") + "Z"
        return self._known[text]


class TypeGuess:
    """SODA types of the fields that no contract declares, from all the values seen."""

    def __init__(self, declared: Mapping[str, str]) -> None:
        self.types: dict[str, str] = dict(declared)
        self._declared = frozenset(declared)
        self._sure: set[str] = set()

    def see(self, row: Row) -> None:
        """Takes a row's fields into account."""
        for field, value in row.items():
            if field in self._declared or field in self._sure:
                continue
            if isinstance(value, dict):
                self._settle(field, "location" if "latitude" in value else "object")
            elif isinstance(value, bool):
                self._settle(field, "checkbox")
            elif not _NUMBER.fullmatch(str(value)):
                self._settle(field, "text")
            else:
                self.types.setdefault(field, "number")

    def _settle(self, field: str, kind: str) -> None:
        self.types[field] = kind
        self._sure.add(field)


def text_converter(kind: str | None) -> Callable[[str], Any]:
    """How a text of an export becomes the API's value of a type (None: undeclared).

    A text that does not fit its type is passed on as it is: dirt is for the reader to find.
    """
    if kind == "checkbox":
        flags = {"true": True, "false": False}
        return lambda text: flags.get(text.lower(), text)
    if kind == "floating_timestamp":
        return _Memo(_api_time)
    return _undeclared if kind is None else str


def published(rows: Iterable[tuple[str, Row]], shape: Shape, dataset_id: str) -> Dataset:
    """The data set that rows make, in the API's shapes and with system fields.

    Args:
        rows: Per row a text that no other row has (file and line) and its values; values under
            ``:id``, ``:created_at`` and ``:updated_at`` are kept. Rows with the same key (or the
            same ``:id``) are versions of one row.
        shape: What the contract says about them.
        dataset_id: Goes into ``:id``.

    Returns:
        The data set. A row without a time of change counts as published with the newest of all.
    """
    types: dict[str, str] = {}
    return Dataset(types, _records(rows, shape, dataset_id, types))


def _records(
    rows: Iterable[tuple[str, Row]], shape: Shape, dataset_id: str, types: dict[str, str]
) -> Iterator[Record]:
    """The records one by one; fills ``types``, which are known after the last one."""
    times = LocalTimes(shape.zone)
    guess = TypeGuess(shape.types)
    seen: set[str] = set()
    undated: list[tuple[str, Row]] = []
    newest = newest_event = ""
    for place, row in rows:
        system = {field: row.pop(field) for field in SYSTEM_TYPES if field in row}
        guess.see(row)
        seen.update(row)
        updated = system.get(":updated_at") or times.utc(row.get(shape.updated or ""))
        row_id = system.get(":id") or _row_id(dataset_id, place, row, shape.key)
        if updated is None:
            newest_event = max(newest_event, times.utc(row.get(shape.happened or "")) or "")
            undated.append((row_id, row))
            continue
        newest = max(newest, updated)
        created = system.get(":created_at") or updated
        yield Record(row_id, created, updated, json_line(row))
    when = newest or newest_event or EPOCH
    for row_id, row in undated:
        yield Record(row_id, when, when, json_line(row))
    types.update({f: kind for f, kind in guess.types.items() if f in seen or f in shape.types})


def api_rows(rows: Iterable[Any], shape: Shape, where: str) -> Iterator[Row]:
    """Rows that are JSON objects already, with the API's habits: no nulls, numbers as strings.

    Raises:
        UsageError: An element is not an object.
    """
    numbers = {f for f, kind in shape.types.items() if kind == "number"}
    for index, row in enumerate(rows):
        if not isinstance(row, dict):
            raise UsageError(
                f"{where}: row {index} is not a JSON object", valid='{"field": "value"}'
            )
        yield {
            field: str(value) if field in numbers and type(value) in (int, float) else value
            for field, value in row.items()
            if value is not None
        }


def api_field(title: str) -> str:
    """A column's API name from its title in an export: ``Case Number`` becomes ``case_number``."""
    text = title.strip()
    if text.startswith(":"):
        return text
    return re.sub(r"[^0-9a-z]+", "_", text.lower()).strip("_")


class _Memo(dict[str, str]):
    """A function of a text, computed once per text."""

    def __init__(self, function: Callable[[str], str]) -> None:
        super().__init__()
        self._function = function

    def __missing__(self, text: str) -> str:
        value = self[text] = self._function(text)
        return value

    def __call__(self, text: str) -> str:
        return self[text]


def _api_time(text: str) -> str:
    match = _PORTAL_TIME.fullmatch(text)
    if match is None:
        return time_text(text, is_utc=False) or text
    month, day, year, hour, minute, second, half = match.groups()
    hours = int(hour or 12) % 12 + (12 if half == "PM" else 0)
    return f"{year}-{month}-{day}T{hours:02}:{minute or '00'}:{second or '00'}.000"


def _undeclared(text: str) -> Any:
    position = _POSITION.fullmatch(text)
    if position:
        latitude, longitude = position.groups()
        return {"latitude": latitude, "longitude": longitude, "human_address": _NO_ADDRESS}
    if text.startswith("{") and text.endswith("}"):
        try:
            value = ast.literal_eval(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            return text
        if isinstance(value, dict):
            return value
    return text


def _row_id(dataset_id: str, place: str, row: Row, key: tuple[str, ...]) -> str:
    values = [row.get(field) for field in key]
    own = "\x1f".join(map(str, values)) if None not in values else f"\x1e{place}"
    digest = hashlib.blake2b(f"{dataset_id}\x1f{own}".encode(), digest_size=8).hexdigest()
    return f"row-{digest[:4]}.{digest[4:8]}~{digest[8:]}"
