"""The plug-in ``kafka``: lands the messages of a topic, each partition by its offsets.

``source.dataset`` is the topic. A page is a topic, a partition and a range of offsets, and is
landed like a page of any source. Where the next page of a partition begins follows from the
manifest: no consumer group is joined and no offset is committed, so that two homes read one topic
without knowing of each other, and a page that was lost is fetched again.

A record is the bytes of a message's value, one line of JSON as a rule. What is none is landed as it
is, and gets its fate in silver. A message without a value is a deletion: where the option ``key``
names the field that messages have as their key, it is landed as a tombstone of that key.

A topic is known by its name and by the id that the broker gives it. A topic that was deleted and
made again has another id, and is landed from its start. Messages of transactions that were aborted
are not read. A landing says which messages the topic's retention removed before it came.

``source.options``: ``servers`` (``HOST:PORT`` of some brokers, with commas between), ``key``,
``timeout_s`` of a request, and ``client``, further settings of librdkafka such as
``security.protocol``. A setting ``$NAME`` is taken from that environment variable; passwords and
secrets must be.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, NamedTuple

import msgspec

from goldlake_core.contracts.errors import GoldlakeError, PermanentError, RetryableError, UsageError
from goldlake_core.contracts.names import nearest
from goldlake_core.contracts.sections import UseCase
from goldlake_core.storage.landing import Cursor, PageEntry
from lakehouse.parsing import DELETED_FIELD
from lakehouse.sources import split
from lakehouse.sources.base import (
    Origin,
    Page,
    Paging,
    Partition,
    Patience,
    SourceKind,
    Traffic,
    options_of,
)

try:
    from confluent_kafka import (
        Consumer,
        IsolationLevel,
        KafkaError,
        KafkaException,
        Message,
        TopicCollection,
        TopicPartition,
    )
    from confluent_kafka.admin import AdminClient, OffsetSpec
except ImportError as missing:
    raise UsageError(
        "A source of kind kafka needs the package confluent-kafka, which is not installed",
        hint="pip install 'goldlake[kafka]'",
    ) from missing

OPTIONS: Mapping[str, Any] = {"servers": "", "key": "", "timeout_s": 30.0, "client": {}}
SCHEME = "kafka://"
Setting = str | int | float | bool
"""Value of a setting of librdkafka."""
MOST_NAMED = 10
"""Most topics that an error names."""

_OURS: Mapping[str, Any] = {
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "enable.partition.eof": True,
    "auto.offset.reset": "error",
    "isolation.level": "read_committed",
    "allow.auto.create.topics": False,
    "group.id": "goldlake",
    "log_level": 0,  # what goes wrong comes as an error, and librdkafka would tell it on each try
}
_SLICE_S = 0.1
_STAYS = {
    KafkaError.UNKNOWN_TOPIC_OR_PART: "the topic does not exist",
    KafkaError.TOPIC_EXCEPTION: "the topic's name is not valid",
    KafkaError.TOPIC_AUTHORIZATION_FAILED: "reading the topic is not allowed",
    KafkaError.GROUP_AUTHORIZATION_FAILED: "reading is not allowed",
    KafkaError.CLUSTER_AUTHORIZATION_FAILED: "reading is not allowed",
    KafkaError.SASL_AUTHENTICATION_FAILED: "the credentials are wrong",
    KafkaError._AUTHENTICATION: "the credentials are wrong",
    KafkaError._INVALID_ARG: "a setting is wrong",
}


class _Place(NamedTuple):
    """A partition of the topic and what the brokers hold of it.

    Attributes:
        number: Number of the partition.
        low: Offset of its oldest message.
        end: Offset after its newest message that is committed.
    """

    number: int
    low: int
    end: int


class KafkaConnector:
    """A `lakehouse.sources.base.Connector` over one topic. Read-only.

    Args:
        usecase: Its source's data set, page size and options are used.
        address: ``HOST:PORT`` of some brokers, with or without ``kafka://``; "" for the option
            ``servers``.

    Raises:
        UsageError: No broker is named, or an option does not hold.
    """

    paging: Paging = "partitions"

    def __init__(self, usecase: UseCase, address: str = "") -> None:
        self.traffic = Traffic()
        self.patience = Patience(attempts=3)
        self._topic = usecase.source.dataset or usecase.name
        self._page_rows = usecase.source.page_rows
        options = options_of(usecase.source, OPTIONS)
        self._servers = _servers(address.removeprefix(SCHEME) or options["servers"], usecase.name)
        self._key, self._timeout_s = options["key"], float(options["timeout_s"])
        self._told = ""
        self._settings = {
            **_client_settings(options["client"]),
            **_OURS,
            "bootstrap.servers": self._servers,
            "error_cb": self._hear,
        }
        self._admin: AdminClient | None = None
        self._consumer: Consumer | None = None
        self._places: dict[str, _Place] = {}

    def origin(self) -> Origin:
        """Which topic it is. The identity does not say where the brokers are."""
        return Origin({"kind": "kafka", "dataset": self._topic}, SCHEME + self._servers)

    def partitions(self) -> list[Partition]:
        """The partitions by their numbers, each up to where it ends now.

        Raises:
            RetryableError: No broker answers.
            PermanentError: There is no such topic, or it cannot be read.
        """
        admin = self._administrator()
        found = self._result(
            admin.describe_topics(TopicCollection([self._topic]), request_timeout=self._timeout_s)[
                self._topic
            ]
        )
        numbers = sorted(partition.id for partition in found.partitions)
        lows = self._offsets(admin, numbers, OffsetSpec.earliest())
        ends = self._offsets(admin, numbers, OffsetSpec.latest())
        self._places = {
            f"{found.topic_id}.{number}": _Place(number, lows[number], ends[number])
            for number in numbers
        }
        return [
            Partition(f"{self._topic}-{place.number}", digest, place.end)
            for digest, place in self._places.items()
        ]

    def landed_before(self, entries: list[PageEntry]) -> dict[str, int]:
        """Nothing: no earlier version read topics."""
        return {}

    def page(self, cursor: Cursor | None, since: str | None, until: str | None) -> Page:
        """Up to ``page_rows`` messages of the partition that the cursor names, from its offset on.

        Raises:
            RetryableError: No broker answers in time.
            PermanentError: The topic has no such partition (any more), or it cannot be read.
        """
        offset, _, digest = (cursor.tiebreak if cursor else "0").partition(":")
        if digest not in self._places:
            self.partitions()
        place = self._places.get(digest)
        if place is None or cursor is None:
            raise PermanentError(f"The topic {self._topic} has no partition with the id {digest}")
        start, notes = int(offset), tuple[str, ...]()
        if start < place.low:
            notes = (
                f"{cursor.value}: the messages {start:,} to {place.low - 1:,} were removed by the "
                "topic's retention before they were landed",
            )
        messages, end = self._read(place.number, max(start, place.low))
        return Page(
            rows=[self._record(message) for message in messages],
            url=f"{SCHEME}{self._servers}/{self._topic}/{place.number}?offset={start}",
            next_cursor=Cursor(cursor.value, f"{end}:{digest}"),
            places=tuple(_offset(message) for message in messages),
            notes=notes,
        )

    def key(self, record: bytes) -> Cursor | None:
        """None: a place is the offset of a message, which its value does not hold."""
        return None

    def count(self, cursor: Cursor | None, since: str | None, until: str | None) -> int | None:
        """Unknown: offsets have gaps."""
        return None

    def close(self) -> None:
        """Leaves the brokers."""
        if self._consumer is not None:
            self._consumer.close()
        self._consumer = self._admin = None

    def _read(self, number: int, start: int) -> tuple[list[Message], int]:
        """Messages of a partition, and the offset at which the next ones begin."""
        consumer = self._reader()
        consumer.assign([TopicPartition(self._topic, number, start)])
        found: list[Message] = []
        waited = 0.0
        while len(found) < self._page_rows:
            some = consumer.consume(self._page_rows - len(found), _SLICE_S)
            waited = 0.0 if some else waited + _SLICE_S
            for message in some:
                error = message.error()
                if error is None:
                    found.append(message)
                    self.traffic.bytes += len(message.value() or b"")
                elif error.code() == KafkaError._PARTITION_EOF:
                    self.traffic.requests += 1
                    return found, _offset(message)
                else:
                    raise self._failure(error)
            if waited > self._timeout_s:
                raise RetryableError(
                    f"{self._servers} sent nothing of {self._topic}-{number} after the offset "
                    f"{start:,} in {self._timeout_s:.0f} s{self._reason()}"
                )
        self.traffic.requests += 1
        return found, _offset(found[-1]) + 1

    def _record(self, message: Message) -> bytes:
        value, key = message.value(), message.key()
        if value is not None:
            return split.one_line(value)
        if key is None or not self._key:
            return b"null"
        return b'{"%s":true,%s:%s}' % (
            DELETED_FIELD.encode(),
            msgspec.json.encode(self._key),
            _json_of(key),
        )

    def _offsets(self, admin: AdminClient, numbers: list[int], which: OffsetSpec) -> dict[int, int]:
        asked = {TopicPartition(self._topic, number): which for number in numbers}
        futures = admin.list_offsets(
            asked,
            isolation_level=IsolationLevel.READ_COMMITTED,
            request_timeout=self._timeout_s,
        )
        return {place.partition: self._result(future).offset for place, future in futures.items()}

    def _result(self, future: Any) -> Any:
        """What a broker answered to a request of the administrator."""
        self.traffic.requests += 1
        try:
            return future.result()
        except KafkaException as error:
            if self._admin is not None:
                self._admin.poll(0)  # which tells what went wrong with connections
            raise self._failure(error.args[0]) from error

    def _administrator(self) -> AdminClient:
        if self._admin is None:
            wanted = ("bootstrap.servers", "error_cb", "log_level")
            settings = {n: v for n, v in self._settings.items() if n in wanted or n not in _OURS}
            self._admin = self._made(AdminClient, settings)
        return self._admin

    def _reader(self) -> Consumer:
        if self._consumer is None:
            self._consumer = self._made(Consumer, self._settings)
        return self._consumer

    def _made(self, kind: Any, settings: Mapping[str, Any]) -> Any:
        try:
            return kind(dict(settings))
        except KafkaException as error:
            raise UsageError(
                f"source.options.client: {error.args[0].str()}", valid="settings of librdkafka"
            ) from error

    def _hear(self, error: KafkaError) -> None:
        self._told = error.str()

    def _reason(self) -> str:
        return f": {self._told}" if self._told else ""

    def _failure(self, error: KafkaError) -> GoldlakeError:
        stays = _STAYS.get(error.code())
        what = f"The topic {self._topic} at {self._servers} cannot be read"
        if stays is None:
            return RetryableError(f"{what} now: {self._told or error.str()}")
        valid = None
        if error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
            topics = self._administrator().list_topics(timeout=self._timeout_s).topics
            mine = [name for name in topics if not name.startswith("__")]
            close = get_close_matches(self._topic, mine, MOST_NAMED, cutoff=0.0)
            valid = nearest(self._topic, close) if close else "none: the broker has no topics"
        return PermanentError(
            f"{what}: {stays} ({error.str()})",
            valid=valid,
            hint="source.dataset and source.options of the contract",
        )


def _servers(told: object, usecase: str) -> str:
    servers = str(told).strip()
    if servers and all(_is_server(server) for server in servers.split(",")):
        return servers
    raise UsageError(
        f"{usecase} names no Kafka broker: {servers!r}",
        valid="HOST:PORT, with commas between several, in source.options.servers or --source",
    )


def _is_server(text: str) -> bool:
    host, _, port = text.strip().rpartition(":")
    return bool(host) and "/" not in host and port.isdigit() and 0 < int(port) < 65_536


def _client_settings(told: object) -> dict[str, Setting]:
    """Settings of the contract, those of the environment filled in."""
    if not isinstance(told, Mapping):
        raise UsageError(f"source.options.client is {told!r}", valid="names and values")
    settings: dict[str, Setting] = {}
    for name, value in told.items():
        if name in _OURS or name == "bootstrap.servers":
            raise UsageError(f"source.options.client cannot set {name}: goldlake decides it")
        if isinstance(value, str) and value.startswith("$"):
            if value[1:] not in os.environ:
                raise UsageError(
                    f"source.options.client.{name} needs the environment variable {value[1:]}"
                )
            value = os.environ[value[1:]]
        elif name.endswith(("password", "secret")):
            raise UsageError(
                f"source.options.client.{name} holds a secret, which does not belong in a contract",
                valid="$NAME, the name of an environment variable",
            )
        settings[name] = value
    return settings


def _json_of(key: bytes) -> bytes:
    """The key of a message as a value of JSON: as it is where it is one, else as a text."""
    try:
        return bytes(msgspec.json.decode(key, type=msgspec.Raw))
    except (msgspec.DecodeError, UnicodeDecodeError):
        return msgspec.json.encode(key.decode(errors="replace"))


def _offset(message: Message) -> int:
    offset = message.offset()
    assert offset is not None  # it came from a broker
    return offset


KIND = SourceKind(connector=KafkaConnector, options=OPTIONS)
