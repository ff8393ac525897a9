"""The text of an instant in everything goldlake writes: ISO 8601 in UTC, with ``Z``."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Literal

Precision = Literal["seconds", "milliseconds", "microseconds"]
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def utc_text(instant: datetime, precision: Precision = "milliseconds") -> str:
    """Returns an instant as text, such as ``2016-01-01T06:00:00.000Z``.

    Args:
        instant: A time with a time zone.
        precision: What the text is cut to.

    Raises:
        ValueError: The time has no time zone, so nobody knows which instant it is.
    """
    if instant.tzinfo is None:
        raise ValueError(f"{instant} has no time zone")
    text = instant.astimezone(timezone.utc).isoformat(timespec=precision)
    return text.replace("+00:00", "Z")


def now_text(precision: Precision = "milliseconds") -> str:
    """Returns the time now as text; see `utc_text`."""
    return utc_text(datetime.now(timezone.utc), precision)


def of_text(text: str) -> datetime:
    """Returns the time that an ISO 8601 text says; Python 3.10's own reader takes no ``Z``.

    Raises:
        ValueError: The text is not a time.
    """
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def of_micros(micros: int) -> datetime:
    """Returns the time so many microseconds after 1970 began in UTC, exactly."""
    return _EPOCH + timedelta(microseconds=micros)


def micros_of(instant: datetime) -> int:
    """Returns the microseconds from 1970 in UTC to a time with a time zone, exactly."""
    return (instant - _EPOCH) // timedelta(microseconds=1)
