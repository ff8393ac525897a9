"""Where a column's value lies in a landed record: one rule for Spark and for Python.

A field is a name as it is written in the record, or else a path with dots into its objects. Names
that begin with ``$`` are goldlake's own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

CONTENT_FIELD = "$content"
"""What identifies a record by what it says; see `content_id`. Landing does not write it."""
COPY_FIELD = "$copy"
"""How many times a record was in its file already, and 1; the first of its like has none."""
FILE_FIELD = "$file"
"""Name of the record's file, where the contract takes a value from it."""
KEY_FIELD = "$key"
"""What identifies a record whose source gives it no lasting key; the connector writes it."""
RECORD_FIELD = "#"
"""Number of a lookup's record in its file, from 1, where the file has no column of that name."""
CONTENT_DIGITS = 32


def content_id(record: bytes) -> str:
    """The first 128 bits of the sha256 of a landed record, in hexadecimal."""
    return hashlib.sha256(record).hexdigest()[:CONTENT_DIGITS]


def placed(position: int) -> str:
    """The name of a column that has none, by its place in the file, from 1."""
    return f"column_{position}"


def is_path(field: str, fields: Iterable[str]) -> bool:
    """Whether a field with dots may be a path: none of the fields is an object on the way.

    Args:
        field: The field in question.
        fields: The fields of all columns.
    """
    return "." in field and not any(field.startswith(f"{each}.") for each in fields)


def value_at(record: Mapping[str, Any], field: str) -> Any:
    """The value of a field of a record, or None where it has none."""
    if field in record:
        return record[field]
    value: Any = record
    for name in field.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value
