"""Reads a use case's own examples: rows as the source sends them, and what has to come of them.

    examples/NAME.yaml

Errors name file, line and key, as those of a contract do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from goldlake_core.contracts import sql_rules, yaml_entry
from goldlake_core.contracts.errors import ContractError
from goldlake_core.contracts.keys import Form, Key, keys_of
from goldlake_core.contracts.names import nearest
from goldlake_core.contracts.read import Errors, read_section
from goldlake_core.contracts.sections import Column, Section, UseCase
from goldlake_core.contracts.yaml_entry import Entry
from goldlake_core.instants import of_text
from lakehouse.sources.base import json_line

FOLDER = "examples"
Values = Mapping[str, Any]


class ExampleKeys(Section, frozen=True):
    """The keys of an example file."""

    about: Annotated[
        str,
        Key("One sentence that says what the example shows.", "follow", form=Form.TEXT),
    ]
    records: Annotated[
        tuple[Any, ...],
        Key(
            "Records in the order in which the source sends them. A mapping is sent as JSON, a "
            "text as it is.",
            "follow",
            form=Form.LIST,
            least=1,
        ),
    ]
    silver: Annotated[
        tuple[Any, ...] | None,
        Key(
            "All rows that silver has to hold. Columns that a row leaves out are not compared.",
            "follow",
            form=Form.LIST,
        ),
    ] = None
    rejected: Annotated[
        tuple[Any, ...],
        Key(
            "Records that have to be rejected, each with its number and its reason codes.",
            "follow",
            form=Form.LIST,
        ),
    ] = ()
    gold: Annotated[
        Mapping[str, Any],
        Key("By gold table, all rows that it has to hold.", "follow", form=Form.SECTIONS),
    ] = {}


@dataclass(frozen=True)
class Expected:
    """A row or a record that is expected.

    Attributes:
        line: Line of the file.
        values: Expected values by column, typed.
    """

    line: int
    values: Values


@dataclass(frozen=True)
class Example:
    """An example as it was read.

    Attributes:
        name: Name of the file without its ending.
        file: The file as the user named it.
        about: What it shows.
        records: The records as the bytes that are landed.
        rejected: Reason codes by the number of the record, from 1, each with its line.
        tables: Expected rows by table, ``silver`` or ``gold.NAME``, and there by key.
    """

    name: str
    file: str
    about: str
    records: tuple[bytes, ...]
    rejected: Mapping[int, tuple[int, frozenset[str]]]
    tables: Mapping[str, Mapping[tuple[Any, ...], Expected]]


def example_files(folder: Path) -> list[Path]:
    """The example files of a use case's folder, by name.

    Raises:
        ContractError: A file would be overlooked because of its ending.
    """
    examples = folder / FOLDER
    if not examples.is_dir():
        return []
    for file in sorted(examples.iterdir()):
        if file.suffix == ".yml":
            raise ContractError(
                "this example would be overlooked", file=str(file), valid="the ending .yaml"
            )
    return sorted(examples.glob("*.yaml"))


def read_examples(usecase: UseCase) -> tuple[list[Example], list[ContractError]]:
    """The examples of a use case that hold, and the errors of the others. Read-only."""
    errors = Errors()
    files = errors.catch(lambda: example_files(usecase.folder)) or []
    found = []
    for file in files:
        example = _read(file, usecase, errors)
        if example is not None:
            found.append(example)
    return found, errors.found


def _read(file: Path, usecase: UseCase, errors: Errors) -> Example | None:
    before = len(errors.found)
    document = errors.catch(lambda: yaml_entry.read(file, str(file)))
    if document is None:
        return None
    found = read_section(document, keys_of(ExampleKeys), errors)
    records = _items(found.entries.get("records"), errors)
    lines = [errors.catch(partial(_line, item)) for item in records]
    if found.has("records") and not records:
        errors.found.append(found.entries["records"].error("there is no record", valid="one"))
    rejected: dict[int, tuple[int, frozenset[str]]] = {}
    for item in _items(found.entries.get("rejected"), errors):
        one = errors.catch(partial(_rejected, item, len(records), usecase)) or {}
        if one.keys() & rejected.keys():
            errors.found.append(item.error("this record is listed twice", valid="each record once"))
        rejected |= one
    tables = {}
    if found.has("silver"):
        columns, key = usecase.silver.columns, usecase.silver.key
        tables["silver"] = _rows(found.entries["silver"], columns, key, errors)
    gold = errors.catch(found.entries["gold"].members) if found.has("gold") else {}
    for name, entry in (gold or {}).items():
        if name not in usecase.gold:
            problem = entry.error(
                f"there is no gold table {name!r}", valid=nearest(name, usecase.gold)
            )
            errors.found.append(problem)
            continue
        table = usecase.gold[name]
        tables[f"gold.{name}"] = _rows(entry, table.columns, table.key, errors)
    if not tables and not rejected and len(errors.found) == before:
        errors.found.append(
            document.error("nothing is expected", valid="silver, rejected or gold, at least one")
        )
    if len(errors.found) > before:
        return None
    sent = tuple(line for line in lines if line is not None)
    return Example(file.stem, str(file), found.values["about"], sent, rejected, tables)


def _items(entry: Entry | None, errors: Errors) -> Sequence[Entry]:
    return () if entry is None else errors.catch(entry.items) or ()


def _line(entry: Entry) -> bytes:
    if entry.is_mapping:
        return json_line(entry.free())
    text = entry.exact_text()
    if "\n" in text:
        raise entry.error("a record is one line", valid="a text without line breaks")
    return text.encode()


def _rejected(
    entry: Entry, records: int, usecase: UseCase
) -> dict[int, tuple[int, frozenset[str]]]:
    members = entry.members()
    for name in ("record", "reasons"):
        if name not in members:
            raise entry.error(f"the key {name!r} is missing", valid="record, reasons")
    for name in members:
        if name not in ("record", "reasons"):
            raise members[name].error(f"unknown key {name!r}", valid="record, reasons")
    number = members["record"].integer()
    if not 1 <= number <= records:
        raise members["record"].error(f"there is no record {number}", valid=f"1 to {records}")
    codes = sql_rules.reasons(usecase.silver)
    reasons = set()
    for item in members["reasons"].items():
        code = item.exact_text()
        if code not in codes:
            raise item.error(f"there is no reason code {code!r}", valid=nearest(code, codes))
        reasons.add(code)
    return {number: (entry.line, frozenset(reasons))}


def _rows(
    entry: Entry, columns: Sequence[Column], key: Sequence[str], errors: Errors
) -> dict[tuple[Any, ...], Expected]:
    """Expected rows of a table by key."""
    by_name = {column.name: column for column in columns}
    rows: dict[tuple[Any, ...], Expected] = {}
    for item in _items(entry, errors):
        values = errors.catch(partial(_values, item, by_name, key))
        if values is None:
            continue
        place = tuple(values[name] for name in key)
        if place in rows:
            problem = item.error("the key of this row is expected twice", valid="each key once")
            errors.found.append(problem)
        rows[place] = Expected(item.line, values)
    return rows


def _values(entry: Entry, columns: Mapping[str, Column], key: Sequence[str]) -> dict[str, Any]:
    members = entry.members()
    for name in key:
        if name not in members:
            raise entry.error(f"the key column {name!r} is missing", valid=", ".join(key))
    values = {}
    for name, item in members.items():
        if name not in columns:
            raise item.error(f"there is no column {name!r}", valid=nearest(name, columns))
        values[name] = None if item.is_null else _value(item, columns[name])
    return values


def _value(entry: Entry, column: Column) -> Any:
    """A value of the column's type; a time without a zone is one of the source's clock."""
    match column.type:
        case "string":
            return entry.exact_text()
        case "long":
            return entry.integer()
        case "double":
            return entry.number()
        case "boolean":
            return entry.boolean()
        case "date":
            return entry.day()
        case "timestamp":
            return _instant(entry, column)


def _instant(entry: Entry, column: Column) -> datetime:
    text = entry.exact_text()
    try:
        time = of_text(text)
    except ValueError:
        raise entry.error(
            f"{text!r} is not a time", valid='ISO 8601 in quotes, such as "2016-01-31T18:00:00Z"'
        ) from None
    if time.tzinfo is None:
        time = time.replace(tzinfo=ZoneInfo(column.time_zone or "UTC"))
    return time.astimezone(timezone.utc)
