"""What every connector of a source is to the rest of goldlake."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

import orjson

from goldlake_core.contracts.errors import UsageError
from goldlake_core.contracts.sections import Source, UseCase
from goldlake_core.documents.lakehouse import Identity
from goldlake_core.storage.landing import Cursor, PageEntry

Paging = Literal["keyset", "numbered", "offsets", "whole", "partitions"]
"""How a source is read to its end; `lakehouse.sources.laws` holds what each kind promises.

``keyset``: records ascend by a key, and a page follows a key. ``numbered`` and ``offsets``: page
after page by number or offset, without a key. ``whole``: one body holds all. ``partitions``: parts
that do not change, such as files.
"""


@dataclass(frozen=True)
class Origin:
    """Which source answers.

    Attributes:
        identity: ``kind`` and what tells this source from every other; stable.
        address: Where it was asked. A mirror at another address is the same source.
        inputs: What it is made from, such as digests of replayed files; {} where it is live. When
            they change, the source is read from its start again.
    """

    identity: Identity
    address: str = ""
    inputs: Identity = field(default_factory=dict)


@dataclass(frozen=True)
class Page:
    """The records that follow a cursor, in the source's order.

    Attributes:
        rows: Each record as one line without its newline, the bytes that the source gave.
        url: The request that was answered, without credentials.
        next_cursor: Where the next page begins; None at the end. Keyset paging leaves it out: the
            next page follows the last record's key, and the end is an empty page.
        fields: Names of all fields of the source's records, where the answer tells them.
        notes: What a person should know about the page, one line each.
        places: Of a page of a partition, the place of each record, where places have gaps.
    """

    rows: list[bytes]
    url: str
    next_cursor: Cursor | None = None
    fields: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    places: tuple[int, ...] = ()


@dataclass(frozen=True)
class Partition:
    """A part of a source that does not change without getting another digest, unless it grows.

    Attributes:
        name: What people call it, such as a file's name.
        digest: Digest of its content; of a part that grows, what tells it from every other.
        end: Place after its last record now, of a part that grows; None for one that does not.
    """

    name: str
    digest: str
    end: int | None = None


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


@dataclass(frozen=True)
class Patience:
    """How often a source is asked again.

    Attributes:
        attempts: Tries of one request before it fails.
        backoff_s: Wait before the second try; doubled with each further one, up to a minute.
    """

    attempts: int = 8
    backoff_s: float = 0.5


class Connector(Protocol):
    """Reads one data set of one source, page by page. It believes the source; landing does not."""

    paging: Paging
    traffic: Traffic
    patience: Patience

    def origin(self) -> Origin:
        """Which source answers."""

    def page(self, cursor: Cursor | None, since: str | None, until: str | None) -> Page:
        """The page that follows a cursor.

        Args:
            cursor: From an earlier page, or None for the start. A cursor with an empty tiebreak is
                a time: records of that time and later ones follow it.
            since: First day wanted (ISO 8601, the source's clock), or None.
            until: First day not wanted, or None.

        Raises:
            RetryableError: The source still failed after several tries.
            PermanentError: The source refuses the request.
        """

    def key(self, record: bytes) -> Cursor | None:
        """A record's place and its id at the source (as tiebreak); None where it tells neither."""

    def count(self, cursor: Cursor | None, since: str | None, until: str | None) -> int | None:
        """How many records follow a cursor, or None where the source cannot say."""

    def close(self) -> None:
        """Lets go of connections."""


@runtime_checkable
class Partitioned(Protocol):
    """What a connector of paging ``partitions`` has besides.

    Its cursors are ``Cursor(NAME, PLACE:DIGEST)``: how many records of a partition are landed, or
    where in a partition that grows the next one is looked for.
    """

    def partitions(self) -> list[Partition]:
        """All parts, in the order in which they are to be landed."""

    def landed_before(self, entries: list[PageEntry]) -> dict[str, int]:
        """Records landed by an earlier version that kept no digests, by digest."""


@runtime_checkable
class KeyPages(Protocol):
    """What a connector has besides that can give the keys of records without the rest of them.

    The others give whole records where only keys are asked for.
    """

    def key_page(self, cursor: Cursor | None, fields: Sequence[str]) -> Page:
        """As `Connector.page`, with no more of each record than its place and some fields.

        Args:
            cursor: As of `Connector.page`.
            fields: Names of the top-level fields to give.
        """


@runtime_checkable
class Forgetful(Protocol):
    """What a connector has besides whose source forgets old records without deleting them."""

    def holds(self, place: Cursor) -> bool:
        """Whether the source still has the records of a place, where they were not deleted."""


@runtime_checkable
class Divided(Protocol):
    """What a connector has besides whose source does not count its records, but has parts."""

    def parts(self, cursor: Cursor | None, since: str | None, until: str | None) -> list[str]:
        """Names of the parts, such as months, that follow a cursor; arguments as of `page`."""


def json_line(value: Any) -> bytes:
    """A value as one line of JSON, for keeping: orjson's own result holds on to 8 KiB each."""
    return bytes(memoryview(orjson.dumps(value)))


@dataclass(frozen=True)
class DataSet:
    """A data set of an API as its address names it, and its first records: what a draft is made of.

    Attributes:
        kind: Kind of source that lands it.
        address: Address of the API.
        dataset: Identifier of the data set there.
        records: The first records, by field.
        is_whole: Whether there are no further ones.
        key: Field of the API's own that tells rows apart.
        version: Field of the API's own that says when a row was last changed.
        title: Name that the API gives the data set, or "".
        description: What the API says about it, or "".
        licence: Terms that the API names, or "".
        texts: Fields that hold texts, such as codes of digits, as the API says.
        comments: What the API says about a field.
    """

    kind: str
    address: str
    dataset: str
    records: Sequence[Mapping[str, object]]
    is_whole: bool
    key: str
    version: str
    title: str = ""
    description: str = ""
    licence: str = ""
    texts: frozenset[str] = frozenset()
    comments: Mapping[str, str] = field(default_factory=dict)


class Problem(NamedTuple):
    """What does not hold of a contract's source.

    Attributes:
        keys: Where in the section ``source``, such as ``("options", "polygon")``.
        problem: What does not hold.
        valid: What would be valid.
        is_error: Whether such a source is refused.
    """

    keys: tuple[str, ...]
    problem: str
    valid: str
    is_error: bool = True


@dataclass(frozen=True)
class SourceKind:
    """One kind of source, as a package declares it.

    Attributes:
        connector: Makes a connector for a contract's source at an address ("" for its own).
        options: The ``source.options`` that it knows, with their defaults; None: not declared.
        updated_field: Field of a record in which the source says when it last changed it, as text
            that sorts by time; None where it does not say.
        data_set: The data set that an address names, with so many of its first records; None where
            it is not an address of this kind.
        problems: What does not hold of the section ``source`` of a contract, by key, beside options
            with unknown names and texts in place of numbers.
        options_schema: JSON Schema of each option, for editors; None: not declared.
    """

    connector: Callable[[UseCase, str], Connector]
    options: Mapping[str, Any] | None = None
    updated_field: str | None = None
    data_set: Callable[[str, int], DataSet | None] = lambda where, rows: None
    problems: Callable[[Mapping[str, Any]], Iterator[Problem]] = lambda source: iter(())
    options_schema: Mapping[str, Any] | None = None


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
