"""Values of the API as SQLite compares them: field types, stored values and literals of queries."""

from __future__ import annotations

from datetime import timezone
from functools import lru_cache
from typing import Any

from goldlake_core.instants import of_text

SYSTEM_TYPES = {
    ":id": "row_identifier",
    ":created_at": "fixed_timestamp",
    ":updated_at": "fixed_timestamp",
}

_PRESENT = 1  # an object has no order, but is not null either


class SoqlError(Exception):
    """A query that the API answers with 400.

    Attributes:
        code: The API's error code, such as ``query.compiler.malformed``.
    """

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(message)


def mismatch(message: str) -> SoqlError:
    """The API's answer to an operation on types that do not fit it."""
    return SoqlError("query.soql.type-mismatch", message)


@lru_cache(maxsize=1 << 16)
def time_text(text: str, *, is_utc: bool) -> str | None:
    """A time as the API writes it, whose order as text is its order in time.

    Args:
        text: ISO 8601, as short as a date.
        is_utc: Whether to write UTC with a Z (system fields) or no zone (columns).

    Returns:
        The time, or None where the text is not a time.
    """
    try:
        time = of_text(text.strip())
    except ValueError:
        return None
    if is_utc and time.tzinfo is not None:
        time = time.astimezone(timezone.utc)
    short = time.replace(tzinfo=None).isoformat(timespec="milliseconds")
    return short + "Z" if is_utc else short


def stored(value: Any, kind: str) -> str | float | bool | None:
    """A field's JSON value as its column holds it. What does not fit the type is null there."""
    if value is None:
        return None
    if isinstance(value, (dict, list)):
        return _PRESENT
    if kind == "text":
        return str(value)
    if kind == "checkbox":
        return value if isinstance(value, bool) else None
    if kind == "number":
        try:
            return float(value)
        except ValueError:
            return None
    return time_text(str(value), is_utc=False)


def constant(value: str | float | bool | None, kind: str) -> str | float | bool | None:
    """A literal as a column of the type holds it, such as a time text of full length.

    Raises:
        SoqlError: The literal is not of this type.
    """
    if value is None:
        return None
    if kind == "number" and not isinstance(value, bool):
        try:
            return float(value)
        except ValueError:
            pass
    elif kind == "checkbox":
        if isinstance(value, bool):
            return value
        if value in ("true", "false"):
            return value == "true"
    elif isinstance(value, str):
        if kind in ("floating_timestamp", "fixed_timestamp"):
            time = time_text(value, is_utc=kind == "fixed_timestamp")
            if time is not None:
                return time
        else:
            return value
    raise mismatch(f"Type mismatch: {value!r} cannot be compared with a {kind}")
