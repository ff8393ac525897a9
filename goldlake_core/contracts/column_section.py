"""Reads the columns that a table declares, each as far as it holds."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from goldlake_core.contracts import rules
from goldlake_core.contracts.column_types import NUMBERS
from goldlake_core.contracts.fields import FILE_FIELD
from goldlake_core.contracts.keys import Declared
from goldlake_core.contracts.read import (
    Errors,
    column_name,
    column_names,
    name_errors,
    read_section,
)
from goldlake_core.contracts.sections import Column, Format
from goldlake_core.contracts.yaml_entry import Entry

_UNMARKED = Format()


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
