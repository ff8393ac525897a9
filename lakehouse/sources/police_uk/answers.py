"""What the API answers beside records, and what its refusals mean."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import msgspec

from lakehouse.sources import split
from lakehouse.sources.http import Response
from lakehouse.sources.police_uk.options import MONTH

T = TypeVar("T")


class Month(msgspec.Struct):
    """A month of the API, or the day of its last update.

    Attributes:
        date: Such as ``2023-01``.
    """

    date: str


def read(type_: type[T]) -> Callable[[Response], T]:
    """Reads an answer as a type.

    Raises:
        Unreadable: By what is returned, where the answer is another thing.
    """

    def read_as(response: Response) -> T:
        try:
            return msgspec.json.decode(response.body, type=type_)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise split.Unreadable(f"it is not what was asked for: {error}") from error

    return read_as


def months_of(response: Response) -> list[str]:
    """The months that an answer names, oldest first.

    Raises:
        Unreadable: It names none, or something else.
    """
    months = sorted({each.date for each in read(list[Month])(response)})
    for month in months:
        if not MONTH.fullmatch(month):
            raise split.Unreadable(f"{month[:40]!r} is not a month")
    return months


def explained(status: int, body: bytes) -> str | None:
    """What a person may do about a status; None where it says enough."""
    return {
        400: "are the places of source.options right?",
        404: "is source.dataset a category of the API, such as all-crime, and the address right?",
        429: "a lower source.options.requests_per_s",
    }.get(status)
