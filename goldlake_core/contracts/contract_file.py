"""Reads ``contract.yaml`` into a draft: every section that holds, and the errors of the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import msgspec

from goldlake_core.contracts import rules
from goldlake_core.contracts.column_types import NUMBERS, TIMES
from goldlake_core.contracts.errors import ContractError
from goldlake_core.contracts.fields import CONTENT_FIELD, FILE_FIELD
from goldlake_core.contracts.keys import Declared, Form, declared, keys_of
from goldlake_core.contracts.read import (
    Errors,
    Found,
    column_name,
    column_names,
    name_errors,
    read_section,
)
from goldlake_core.contracts.sections import (
    Auth,
    Check,
    Column,
    Format,
    GoldTable,
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

ROWS = "rows"
"""Name of the gold table of a contract that declares none."""
CONTENT_COLUMN = Column(
    name="content_id",
    type="string",
    comment="Hash of the record as it was landed, which identifies it.",
    field=CONTENT_FIELD,
    nullable=False,
)
_UNMARKED = Format()
_OF_REST: Mapping[str, tuple[type[Section], Callable[[Found], Iterator[ContractError]]]] = {
    "paging": (PagesOf, rules.paging_errors),
    "incremental": (Incremental, lambda found: iter(())),
    "auth": (Auth, rules.auth_errors),
}
_GOLD_VALUES = ("comment", "mode", "build", "reach_before", "reach_after")


@dataclass
class Columns:
    """The columns of a table as far as they hold.

    Attributes:
        by_name: Each declared column; None where it does not hold.
        entries: Where each is declared.
        are_known: Whether all names are known, so that another name is an error.
    """

    by_name: dict[str, Column | None] = field(default_factory=dict)
    entries: dict[str, Entry] = field(default_factory=dict)
    are_known: bool = True

    @property
    def names(self) -> tuple[str, ...]:
        """Names in table order."""
        return tuple(self.by_name)

    @property
    def sound(self) -> tuple[Column, ...]:
        """The columns that hold."""
        return tuple(column for column in self.by_name.values() if column is not None)

    @property
    def are_sound(self) -> bool:
        """Whether all columns hold."""
        return self.are_known and None not in self.by_name.values()

    def drop_flags(self) -> None:
        """Columns with a presence flag do not hold: two of them, or another column, collide."""
        for column in self.sound:
            if column.wire_null is not None and column.wire_null.kind == "flag":
                self.by_name[column.name] = None

    def find(self, entry: Entry, errors: Errors) -> Column | None:
        """The column that a value names; None where it, or what is known of it, does not hold."""
        if not self.are_known:
            return None
        name = errors.catch(lambda: column_name(entry, self.names))
        return self.by_name[name] if name is not None else None

    def find_all(self, entry: Entry, errors: Errors, minimum: int = 1) -> tuple[str, ...] | None:
        """The columns that a list names; None where it does not hold."""
        if not self.are_known:
            return None
        return errors.catch(lambda: column_names(entry, self.names, minimum=minimum))


@dataclass
class GoldDraft:
    """A gold table as far as it holds.

    Attributes:
        name: The table's name.
        mode: Its mode, or None.
        columns: Its columns, the kept ones first.
        build: The function that makes its rows, or None.
        key: Its key, or None.
        table: The table, or None where something in it does not hold.
        per: Columns of a unit whose rows are made of each other.
    """

    name: str
    mode: str | None
    columns: Columns
    build: str | None = None
    key: tuple[str, ...] | None = None
    table: GoldTable | None = None
    per: tuple[str, ...] = ()


@dataclass
class SilverDraft:
    """The silver section as far as it holds.

    Attributes:
        columns: The columns as far as they hold.
        key: Its key, or None.
        version: Name of the version column, or None.
        expects: The rules over several columns that hold by themselves, by place in the list.
        silver: The section, or None where something in it does not hold.
    """

    columns: Columns = field(default_factory=lambda: Columns(are_known=False))
    key: tuple[str, ...] | None = None
    version: str | None = None
    expects: dict[int, str] = field(default_factory=dict)
    silver: Silver | None = None


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
        draft.gold = _read_gold(found.entries["gold"], draft.silver, errors)
    elif "gold" not in found.broken:
        draft.gold = {ROWS: _rows_of(draft.silver)}
    notify = _read_notify(found.entries["notify"], errors) if found.has("notify") else None
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
    )
    return draft


def _read_notify(entry: Entry, errors: Errors) -> Notify | None:
    found = read_section(entry, keys_of(Notify), errors)
    if found.broken or not errors.add(rules.notify_errors(found)):
        return None
    return Notify(**found.values)


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
        columns = read_columns(found.entries["columns"], keys_of(Column), errors, written)
        if not columns.by_name and columns.are_known:
            problem = found.entries["columns"].error("there is no column", valid="at least one")
            errors.found.append(problem)
            columns.are_known = False
        if not errors.add(rules.flag_errors(columns.sound, columns.entries)):
            columns.drop_flags()
        if kind not in (rules.FILES, None):
            errors.add(rules.nested_field_errors(columns.sound, columns.entries))
    key = _silver_key(found, columns, kind, errors)
    version = _silver_column("version", found, columns, errors)
    event_time = _silver_column("event_time", found, columns, errors)
    if event_time is not None:
        where = found.entries["event_time"]
        errors.add(rules.type_errors(where, event_time, *TIMES))
    if version is not None:
        where = found.entries["version"]
        errors.add(rules.type_errors(where, version, *TIMES, *NUMBERS))
    draft = SilverDraft(columns, key, version.name if version else None)
    checks: tuple[Check, ...] = ()
    if found.has("checks"):
        checks, draft.expects = _read_checks(found.entries["checks"], columns, errors)
    if len(errors.found) > before or key is None or not columns.are_sound:
        return draft
    draft.silver = Silver(
        table=found.values["table"],
        comment=found.values["comment"],
        key=key,
        version=version.name if version else "",
        event_time=event_time.name if event_time else "",
        columns=columns.sound,
        checks=checks,
        most_rejected=found.values["most_rejected"],
    )
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


def read_columns(
    entry: Entry, keys: tuple[Declared, ...], errors: Errors, written: Format = _UNMARKED
) -> Columns:
    """The columns that a table declares.

    Args:
        entry: Mapping of column name to mapping.
        keys: The keys that a column may have there.
        errors: Where errors are kept.
        written: How the source writes numbers, where a column does not say it.
    """
    columns = Columns()
    members = errors.catch(entry.members)
    if members is None:
        return Columns(are_known=False)
    for name, item in members.items():
        columns.entries[name] = item
        if not errors.add(name_errors(name, item)):
            columns.are_known = False
            continue
        columns.by_name[name] = _read_column(name, item, keys, errors, written)
    return columns


def _read_column(
    name: str, entry: Entry, keys: tuple[Declared, ...], errors: Errors, written: Format
) -> Column | None:
    before = len(errors.found)
    found = read_section(entry.short_for("type"), keys, errors)
    if "type" in found.broken:
        return None
    kind = found.values["type"]
    for key in keys:
        if key.key.only and found.has(key.name) and kind not in key.key.only:
            where = found.entries[key.name]
            errors.found.append(rules.wrong_type(where, key.name, kind, *key.key.only))
            found.broken.add(key.name)
    if found.has("range"):
        where = found.entries["range"]
        found.values["range"] = errors.catch(lambda: rules.range_value(where, kind))
    if "field" in found.values:
        is_of_file = found.has("file")
        found.values["field"] = FILE_FIELD if is_of_file else found.values["field"] or name
        errors.add(rules.format_errors(found, kind, entry))
        errors.add(rules.file_errors(found))
        for mark in ("decimal", "thousands"):
            if kind in NUMBERS and mark not in found.entries:
                found.values[mark] = getattr(written, mark)
        errors.add(rules.mark_errors(found))
    if found.has("replace") and "domain" not in found.broken:
        replaced = found.values["replace"], found.values["domain"], found.entries["replace"]
        errors.add(rules.replacement_errors(*replaced))
    if len(errors.found) > before:
        return None
    column = Column(name=name, **found.values)
    if not found.has("wire_null"):
        return column
    way = errors.catch(lambda: rules.wire_null_value(found.entries["wire_null"], column))
    return None if way is None else msgspec.structs.replace(column, wire_null=way)


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


def _rows_of(silver: SilverDraft) -> GoldDraft:
    """The gold table of a contract that declares none: silver's columns."""
    draft = GoldDraft(ROWS, "rows", silver.columns, key=silver.key)
    if silver.silver is not None:
        draft.table = GoldTable(
            name=ROWS,
            comment="Silver's columns.",
            mode="rows",
            build="",
            key=silver.silver.key,
            columns=silver.silver.columns,
            keep=silver.silver.names,
        )
    return draft


def _read_gold(entry: Entry, silver: SilverDraft, errors: Errors) -> dict[str, GoldDraft] | None:
    members = errors.catch(entry.members)
    if members is None:
        return None
    if not members:
        errors.found.append(entry.error("there is no gold table", valid="at least one"))
    return {name: _read_gold_table(name, item, silver, errors) for name, item in members.items()}


def _read_gold_table(name: str, entry: Entry, silver: SilverDraft, errors: Errors) -> GoldDraft:
    before = len(errors.found)
    errors.add(name_errors(name, entry))
    found = read_section(entry, keys_of(GoldTable), errors)
    draft = GoldDraft(name, found.values.get("mode"), Columns(are_known=not found.broken))
    draft.build = found.values.get("build")
    kept: tuple[str, ...] | None = ()
    if found.has("keep"):
        kept = silver.columns.find_all(found.entries["keep"], errors, minimum=0)
    own = Columns()
    if found.has("columns"):
        keys = declared(Column, lambda key: key.in_gold)
        own = read_columns(found.entries["columns"], keys, errors)
    errors.add(_twice_errors(own.entries, kept or ()))
    draft.columns.are_known &= own.are_known and kept is not None
    draft.columns.by_name = {n: silver.columns.by_name[n] for n in kept or ()} | own.by_name
    draft.key = _gold_key(found, draft, own, silver.key, errors)
    for column in draft.key or ():
        is_nullable = draft.columns.by_name[column]
        if is_nullable is not None:  # a kept key column is never null here
            draft.columns.by_name[column] = msgspec.structs.replace(
                is_nullable, nullable=False, wire_null=None
            )
    errors.add(rules.flag_errors(draft.columns.sound, own.entries))
    reach, reach_order = _gold_reach(found, silver, errors)
    if len(errors.found) > before or draft.key is None or not draft.columns.are_sound:
        return draft
    draft.table = GoldTable(
        name=name,
        key=draft.key,
        columns=draft.columns.sound,
        keep=cast(tuple[str, ...], kept),
        reach=reach,
        reach_order=reach_order,
        **{each: found.values[each] for each in _GOLD_VALUES},
    )
    return draft


def _gold_reach(
    found: Found, silver: SilverDraft, errors: Errors
) -> tuple[tuple[str, ...], str | None]:
    """The columns of a unit and the order inside it; neither where they do not hold."""
    errors.add(rules.reach_errors(found))
    unit = silver.columns.find_all(found.entries["reach"], errors) if found.has("reach") else None
    order = None
    if found.has("reach_order"):
        where = found.entries["reach_order"]
        order = silver.columns.find(where, errors)
        if order is not None:
            errors.add(rules.type_errors(where, order, *TIMES))
            errors.add(rules.nullable_errors(where, order))
    return unit or (), order.name if order else None


def _twice_errors(own: Mapping[str, Entry], kept: tuple[str, ...]) -> Iterator[ContractError]:
    for name in kept:
        if name in own:
            yield own[name].error(
                f"the column {name!r} is declared here and under keep", valid="one of the two"
            )


def _gold_key(
    found: Found,
    draft: GoldDraft,
    own: Columns,
    silver_key: tuple[str, ...] | None,
    errors: Errors,
) -> tuple[str, ...] | None:
    key = draft.columns.find_all(found.entries["key"], errors) if found.has("key") else None
    if key is None:
        return None
    is_sound = True
    if found.has("mode") and silver_key is not None:
        law = rules.gold_key_errors(found.values["mode"], key, silver_key, found.entries["key"])
        is_sound &= errors.add(law)
    for name in key:
        column = own.by_name.get(name)
        if column is not None and column.nullable:
            problem = own.entries[name].error(
                "a key column is nullable", valid="nullable: false", hint="write nullable: false"
            )
            errors.found.append(problem)
            is_sound = False
    return key if is_sound else None
