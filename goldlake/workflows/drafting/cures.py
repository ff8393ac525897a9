"""What would make a contract read records that it rejects: a proposal, as keys of the column."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from goldlake.workflows.drafting.columns import NULLS, profile
from goldlake_core.contracts.field_names import name_of
from goldlake_core.contracts.names import nearest
from goldlake_core.contracts.sections import Column
from goldlake_core.contracts.yaml_text import Value, written

MOST_LISTED = 6


def cure(column: Column, kind: str, texts: Sequence[str], fields: Collection[str]) -> str | None:
    """The likely cure, such as ``thousands: ","?``, or None.

    Args:
        column: The column that rejects records.
        kind: Why: ``missing``, ``unparsable``, ``domain``, ``range`` or ``pattern``.
        texts: The different texts that it rejects, the commonest first.
        fields: Names of the fields that the records have.
    """
    if kind == "missing":
        return _field(column, fields)
    if kind == "domain" and len(texts) <= MOST_LISTED:
        return f"{', '.join(map(written, texts))} in the domain too?"
    if kind == "unparsable" and column.type != "string":
        return _reading(column, texts)
    return None


def _field(column: Column, fields: Collection[str]) -> str | None:
    """The field that was perhaps meant."""
    if column.field in fields or column.file is not None:
        return "nullable: true?" if not column.nullable else None
    same = [field for field in fields if name_of(field) in (column.name, name_of(column.field))]
    if same:
        return f"field: {written(same[0])}?"
    return f"field: one of {nearest(column.field, sorted(fields))}"


def _reading(column: Column, texts: Sequence[str]) -> str | None:
    """The keys under which the texts would be read."""
    found = profile(column.field, column.name, texts, is_text=True)
    if not found.distinct or all(text.strip().lower() in NULLS for text in texts):
        return f"null_values: {written(list(texts[:MOST_LISTED]))}?"
    keys: dict[str, Value] = {}
    if found.type == column.type or (found.type, column.type) == ("long", "double"):
        if found.times is not None:
            formats = found.times.formats
            keys["format"] = formats[0] if len(formats) == 1 else formats
        if found.marks and (column.decimal, column.thousands) not in found.marks:
            decimal, thousands = found.marks[0]
            keys |= {"decimal": decimal} if decimal != column.decimal else {}
            keys |= {"thousands": thousands} if thousands != column.thousands else {}
    elif column.type == "boolean" and len(texts) <= 2:
        return f"replace: {{{', '.join(f'{written(t)}: …' for t in texts)}}}, to true or false?"
    else:
        keys["type"] = found.type
        if found.times is not None:
            keys["format"] = found.times.formats[0]
    if found.nulls:
        keys["null_values"] = list(found.nulls)
    listed = ", ".join(f"{key}: {written(value)}" for key, value in keys.items())
    return f"{listed}?" if listed else None
