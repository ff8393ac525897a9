"""Reads ``contract.yaml`` into a draft: every section that holds, and the errors of the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from goldlake_core.contracts import rules
from goldlake_core.contracts.column_section import Columns, read_columns
from goldlake_core.contracts.column_types import NUMBERS, TIMES
from goldlake_core.contracts.errors import ContractError
from goldlake_core.contracts.fields import CONTENT_FIELD
from goldlake_core.contracts.gold_section import ROWS, GoldDraft, OfSilver, read_gold, rows_of
from goldlake_core.contracts.keys import Form, declared, keys_of
from goldlake_core.contracts.read import (
    Errors,
    Found,
    read_section,
)
from goldlake_core.contracts.sections import (
    AreaMap,
    Auth,
    Check,
    Column,
    Format,
    Incremental,
    Notify,
    PagesOf,
    Rest,
    Section,
    Silver,
    Source,
    UseCase,
)
from goldlake_core.contracts.yaml_entry import Entry

CONTENT_COLUMN = Column(
    name="content_id",
    type="string",
    comment="Hash of the record as it was landed, which identifies it.",
    field=CONTENT_FIELD,
    nullable=False,
)
_OF_REST: Mapping[str, tuple[type[Section], Callable[[Found], Iterator[ContractError]]]] = {
    "paging": (PagesOf, rules.paging_errors),
    "incremental": (Incremental, lambda found: iter(())),
    "auth": (Auth, rules.auth_errors),
}


@dataclass
class SilverDraft:
    """The silver section as far as it holds.

    Attributes:
        columns: The columns as far as they hold.
        key: Its key, or None.
        version: Name of the version column, or None.
        event_time: Name of the column of event times; "" without one, None where it does not hold.
        expects: The rules over several columns that hold by themselves, by place in the list.
        silver: The section, or None where something in it does not hold.
    """

    columns: Columns = field(default_factory=lambda: Columns(are_known=False))
    key: tuple[str, ...] | None = None
    version: str | None = None
    event_time: str | None = None
    expects: dict[int, str] = field(default_factory=dict)
    silver: Silver | None = None

    @property
    def for_gold(self) -> OfSilver:
        """What gold tables are made from."""
        return OfSilver(self.columns, self.key, self.version, self.event_time)


@dataclass
class Draft:
    """A ``contract.yaml`` as far as it holds.

    Attributes:
        document: The composed file; None where it cannot be read.
        usecase: The use case without models and hashes, or None where something does not hold.
        source: The keys of its source that hold; None where the section cannot be read.
        silver: Its silver section.
        gold: Its gold tables; None where the section cannot be read.
    """

    document: Entry | None = None
    usecase: UseCase | None = None
    source: Found | None = None
    silver: SilverDraft = field(default_factory=SilverDraft)
    gold: dict[str, GoldDraft] | None = None


def read_contract(document: Entry, folder: Path, errors: Errors) -> Draft:
    """The use case in a ``contract.yaml``, as far as it holds.

    Args:
        document: The composed file.
        folder: Its folder; the use case has the same name.
        errors: Where errors are kept.
    """
    before = len(errors.found)
    found = read_section(document, keys_of(UseCase), errors)
    if found.has("name"):
        names = found.values["name"], folder.resolve().name
        errors.add(rules.same_name_errors("use case", "folder", *names, found.entries["name"]))
    draft = Draft(document)
    if found.has("source"):
        draft.source = _read_source(found.entries["source"], errors)
    if found.has("silver"):
        draft.silver = _read_silver(found.entries["silver"], draft.source, errors)
    if found.has("gold"):
        draft.gold = read_gold(found.entries["gold"], draft.silver.for_gold, errors)
    elif "gold" not in found.broken:
        draft.gold = {ROWS: rows_of(draft.silver.for_gold)}
    notify = _read_notify(found.entries["notify"], errors) if found.has("notify") else None
    areas = _read_map(found.entries["map"], draft.silver, errors) if found.has("map") else None
    silver = draft.silver.silver
    if len(errors.found) > before or draft.source is None or silver is None or draft.gold is None:
        return draft
    draft.usecase = UseCase(
        name=found.values["name"],
        title=found.values["title"] or found.values["name"],
        description=found.values["description"],
        licence=found.values["licence"],
        folder=folder,
        source=Source(**draft.source.values),
        silver=silver,
        gold={name: table.table for name, table in draft.gold.items() if table.table is not None},
        models={},
        hashes={},
        notify=notify,
        map=areas,
    )
    return draft


def _read_notify(entry: Entry, errors: Errors) -> Notify | None:
    found = read_section(entry, keys_of(Notify), errors)
    if found.broken or not errors.add(rules.notify_errors(found)):
        return None
    return Notify(**found.values)


def _read_map(entry: Entry, silver: SilverDraft, errors: Errors) -> AreaMap | None:
    found = read_section(entry, keys_of(AreaMap), errors)
    column = silver.columns.find(found.entries["column"], errors) if found.has("column") else None
    if found.broken or column is None:
        return None
    return AreaMap(column=column.name, **found.values)


def _read_source(entry: Entry, errors: Errors) -> Found:
    found = read_section(entry, keys_of(Source), errors)
    errors.add(rules.source_errors(found))
    if found.has("format"):
        inner = read_section(found.entries["format"], keys_of(Format), errors)
        errors.add(rules.mark_errors(inner))
        if not inner.broken:
            found.values["format"] = Format(**inner.values)
    if found.has("rest"):
        found.values["rest"] = _read_rest(found.entries["rest"], errors)
    return found


def _read_rest(entry: Entry, errors: Errors) -> Rest | None:
    found = read_section(entry, keys_of(Rest), errors)
    errors.add(rules.rest_errors(found))
    for name, (section, law) in _OF_REST.items():
        if found.has(name):
            inner = read_section(found.entries[name], keys_of(section), errors)
            if not inner.broken and errors.add(law(inner)):
                found.values[name] = section(**inner.values)
    is_whole = all(name in found.values for name in _OF_REST)
    return Rest(**found.values) if is_whole and not found.broken else None


def _read_silver(entry: Entry, source: Found | None, errors: Errors) -> SilverDraft:
    before = len(errors.found)
    found = read_section(entry, keys_of(Silver), errors)
    kind = source.values.get("kind") if source is not None else None
    columns = Columns(are_known=False)
    if found.has("columns"):
        written = (source.values.get("format") if source is not None else None) or Format()
        columns = read_columns(
            found.entries["columns"], declared(Column, lambda key: key.in_silver), errors, written
        )
        if not columns.by_name and columns.are_known:
            problem = found.entries["columns"].error("there is no column", valid="at least one")
            errors.found.append(problem)
            columns.are_known = False
        if not errors.add(rules.flag_errors(columns.sound, columns.entries)):
            columns.drop_flags()
        if kind not in (*rules.OF_FILES, None):
            errors.add(rules.nested_field_errors(columns.sound, columns.entries))
    key = _silver_key(found, columns, kind, errors)
    version = _silver_column("version", found, columns, errors)
    event_time = _silver_column("event_time", found, columns, errors)
    if event_time is not None:
        where = found.entries["event_time"]
        errors.add(rules.type_errors(where, event_time, *TIMES))
    if version is not None:
        where = found.entries["version"]
        if not errors.add(rules.type_errors(where, version, *TIMES, *NUMBERS)):
            version = None
    draft = SilverDraft(columns, key, version.name if version else None)
    if "event_time" not in found.entries:
        draft.event_time = ""
    elif event_time is not None:
        draft.event_time = event_time.name
    checks: tuple[Check, ...] = ()
    if found.has("checks"):
        checks, draft.expects = _read_checks(found.entries["checks"], columns, errors)
    if len(errors.found) > before or key is None or not columns.are_sound:
        return draft
    read = {
        "key": key,
        "version": version.name if version else "",
        "event_time": event_time.name if event_time else "",
        "columns": columns.sound,
        "checks": checks,
    }
    draft.silver = Silver(**{**found.values, **read})
    return draft


def _silver_key(
    found: Found, columns: Columns, kind: str | None, errors: Errors
) -> tuple[str, ...] | None:
    if kind is None and not found.has("key"):
        return None
    if not found.has("key") and kind not in rules.WITHOUT_DATASET:
        problem = found.entry.error("the key 'key' is missing", valid="required here: key, columns")
        errors.found.append(problem)
        return None
    if not found.has("key") or found.entries["key"].is_text:
        return _content_key(found, columns, errors)
    key = columns.find_all(found.entries["key"], errors)
    is_sound = True
    for name in key or ():
        column = columns.by_name[name]
        if column is not None:
            is_sound &= errors.add(rules.nullable_errors(found.entries["key"], column))
    return key if is_sound else None


def _content_key(found: Found, columns: Columns, errors: Errors) -> tuple[str, ...] | None:
    """The key that a record's content makes, and its column."""
    entry = found.at("key")
    if found.has("key") and entry.exact_text() != "content":
        problem = entry.error(f"unknown value {entry.exact_text()!r}", valid=Form.KEY.value)
        errors.found.append(problem)
        return None
    if CONTENT_COLUMN.name in columns.by_name:
        problem = columns.entries[CONTENT_COLUMN.name].error(
            f"the column {CONTENT_COLUMN.name!r} is the key, which a hash of the record makes",
            valid="another name, or a key of columns",
        )
        errors.found.append(problem)
        return None
    columns.by_name = {CONTENT_COLUMN.name: CONTENT_COLUMN, **columns.by_name}
    columns.entries[CONTENT_COLUMN.name] = entry
    return (CONTENT_COLUMN.name,)


def _silver_column(key: str, found: Found, columns: Columns, errors: Errors) -> Column | None:
    column = columns.find(found.entries[key], errors) if found.has(key) else None
    if column is not None:
        errors.add(rules.nullable_errors(found.entries[key], column))
    return column


def _read_checks(
    entry: Entry, columns: Columns, errors: Errors
) -> tuple[tuple[Check, ...], dict[int, str]]:
    checks: list[Check] = []
    expects: dict[int, str] = {}
    for index, item in enumerate(errors.catch(entry.items) or ()):
        found = read_section(item, keys_of(Check), errors)
        if found.has("code"):
            taken = [check.code for check in checks] + rules.derived_codes(columns.names)
            errors.add(rules.code_errors(found.values["code"], taken, found.entries["code"]))
        if found.has("expect"):
            expect, where = found.values["expect"], found.entries["expect"]
            names = columns.names if columns.are_known else None
            if errors.add(rules.expect_errors(expect, names, where)):
                expects[index] = expect
        if not found.broken:
            checks.append(Check(**found.values))
    return tuple(checks), expects
