"""What every connector of an API is to the rest of goldlake."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec
import orjson

from goldlake_core.contracts.errors import UsageError
from goldlake_core.contracts.sections import Source, UseCase
from goldlake_core.documents import codec
from goldlake_core.documents.lakehouse import Identity
from lakehouse.landing import Cursor


@dataclass(frozen=True)
class Page:
    """The records that follow a cursor, in the source's order.

    Attributes:
        rows: Each record as one line without its newline, JSON as the source gave it.
        url: The request that was answered, without credentials.
        next_cursor: The last record's place; None when there are no rows.
        is_last: Whether the source had nothing more when it answered.
    """

    rows: list[bytes]
    url: str
    next_cursor: Cursor | None
    is_last: bool


@dataclass
class Traffic:
    """What a connector's requests came to so far.

    Attributes:
        requests: Sent, retries included.
        retries: Sent again after a fault that may pass.
        bytes: Received in bodies.
    """

    requests: int = 0
    retries: int = 0
    bytes: int = 0


class Located(msgspec.Struct, frozen=True, kw_only=True):
    """The identity of a source that has an address.

    Attributes:
        kind: Kind of the source, such as ``files``.
        address: URL or path.
        dataset: Its data set at that address.
    """

    kind: str
    address: str
    dataset: str

    def identity(self) -> Identity:
        """As `Connector.identity` returns it."""
        return dict(codec.plain(self))


class Connector(Protocol):
    """Reads one data set of one source by key, page by page."""

    traffic: Traffic

    def identity(self) -> Identity:
        """What tells this source from every other: ``kind`` and more; JSON values, stable."""

    def page(self, cursor: Cursor | None, since: str | None, until: str | None) -> Page:
        """The page that follows a cursor.

        Args:
            cursor: From an earlier page, or None for the start.
            since: First day wanted (ISO 8601, the source's clock), or None.
            until: First day not wanted, or None.

        Raises:
            RetryableError: The source still failed after several tries.
            PermanentError: The source refuses the request, or returns something that is not a page.
        """

    def resumed(self, cursor: Cursor | None, rows: list[bytes]) -> Cursor:
        """The place after a landed page whose manifest line was not written.

        Args:
            cursor: Where the page began.
            rows: Its records, at least one.
        """

    def count(self, cursor: Cursor | None, since: str | None, until: str | None) -> int | None:
        """How many records follow a cursor, or None where the source cannot say."""

    def close(self) -> None:
        """Lets go of connections."""


def json_line(value: Any) -> bytes:
    """A value as one line of JSON, for keeping: orjson's own result holds on to 8 KiB each."""
    return bytes(memoryview(orjson.dumps(value)))


@dataclass(frozen=True)
class SourceKind:
    """One kind of source, as a package declares it.

    Attributes:
        connector: Makes a connector for a contract's source at an address ("" for its own).
        options: The ``source.options`` that it knows, with their defaults; None: not declared.
        updated_field: Field of a record in which the source says when it last changed it, as text
            that sorts by time; None where it does not say.
    """

    connector: Callable[[UseCase, str], Connector]
    options: Mapping[str, Any] | None = None
    updated_field: str | None = None


def options_of(source: Source, known: Mapping[str, Any]) -> dict[str, Any]:
    """A source's options over their defaults.

    Raises:
        UsageError: The contract has an option that the connector does not know.
    """
    for name in source.options:
        if name not in known:
            raise UsageError(
                f"source.options.{name} is not an option of a {source.kind} source",
                valid=", ".join(known) or "none",
            )
    return {**known, **source.options}
