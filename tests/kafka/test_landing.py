"""A topic as a source: landed by partition and offset, from a real broker."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from goldlake_core.contracts.errors import PermanentError, RetryableError
from goldlake_core.contracts.sections import Source, UseCase
from goldlake_core.documents.lakehouse import Landed
from goldlake_core.storage.home import Home
from goldlake_core.storage.landing import LandingZone, PageEntry
from lakehouse.sources import partitions
from lakehouse.sources.kafka import KafkaConnector
from lakehouse.sources.land import land
from tests.kafka.broker import Broker
from tests.simulators.conftest import toy  # noqa: F401

pytestmark = pytest.mark.long

NUMBER_OF_PARTITIONS = 3


class Topic:
    """A topic, a use case that reads it, and its home.

    Attributes:
        name: The topic.
        usecase: The use case.
        told: What landing told so far.
    """

    def __init__(self, broker: Broker, name: str, usecase: UseCase, folder: Path) -> None:
        self._broker, self.name = broker, name
        options = {"servers": broker.address, "key": "id", "timeout_s": 10}
        source = Source(kind="kafka", dataset=name, page_rows=4, options=options)
        self.usecase = replace(usecase, folder=folder, source=source)
        self._home = Home.at(folder / "home")
        self.told: list[str] = []
        broker.create(name, NUMBER_OF_PARTITIONS)

    def send(self, *values: bytes | None, key: str = "", partition: int = 0) -> None:
        producer = self._broker.producer()
        for value in values:
            producer.produce(self.name, value, key=key or None, partition=partition)
        assert producer.flush(30) == 0

    def land(self) -> Landed:
        def emit(kind: str, message: str, **fields: Any) -> None:
            if kind == "info":
                self.told.append(message)

        return land(self.usecase, self._home, "live", None, None, "run", emit)

    @property
    def zone(self) -> LandingZone:
        return LandingZone(self._home, self.usecase.name, self.name)

    def pages(self) -> list[PageEntry]:
        return self.zone.manifest()

    def records(self) -> list[bytes]:
        return [row for page in self.pages() for row in self.zone.read_page(page)]


@pytest.fixture
def topic(
    broker: Broker,
    toy: UseCase,  # noqa: F811
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> Topic:
    return Topic(broker, request.node.name.replace("_", "-"), toy, tmp_path)


def messages(*numbers: int) -> list[bytes]:
    return [b'{"id": %d,  "x": 1.0}' % number for number in numbers]


def test_what_came_since_is_landed(topic: Topic) -> None:
    topic.send(*messages(*range(10)), partition=0)
    topic.send(*messages(100, 101), partition=2)
    first = topic.land()
    assert (first.rows, first.pages) == (12, 4)
    assert topic.records() == [*messages(*range(10)), *messages(100, 101)]
    places = [(page.inputs["file"], page.last_cursor) for page in topic.pages()]
    assert [name for name, _ in places] == [f"{topic.name}-{n}" for n in (0, 0, 0, 2)]
    assert topic.land().rows == 0
    topic.send(*messages(10), partition=0)
    topic.send(*messages(50), partition=1)
    assert topic.land().rows == 2
    assert sorted(topic.records()) == sorted(messages(*range(11), 50, 100, 101))


def test_a_message_without_a_value_is_a_deletion(topic: Topic) -> None:
    topic.send(None, key="7")
    topic.send(None, key="A7")
    topic.send(None)
    topic.send(b"not json", b'{"id": 1,\n"x": "a"}', b"\xff\xfe")
    topic.land()
    assert topic.records() == [
        b'{"$deleted":true,"id":7}',
        b'{"$deleted":true,"id":"A7"}',
        b"null",
        b"not json",
        b'{"id": 1, "x": "a"}',
        b'{"$bytes": "//4="}',
    ]


def test_aborted_transactions_leave_gaps(topic: Topic, broker: Broker) -> None:
    producer = broker.producer(**{"transactional.id": topic.name})
    producer.init_transactions(60)
    ends: tuple[Callable[[], Any], ...] = (producer.commit_transaction, producer.abort_transaction)
    for number in range(6):
        producer.begin_transaction()
        producer.produce(topic.name, messages(number)[0], partition=0)
        producer.flush(30)
        ends[number % 2]()
    assert topic.land().rows == 3
    assert topic.records() == messages(0, 2, 4)
    assert topic.land().rows == 0
    topic.send(*messages(9))
    assert topic.land().rows == 1


def test_lost_pages_are_fetched_again(topic: Topic) -> None:
    topic.send(*messages(*range(12)))
    topic.land()
    before = topic.records()
    first, second, third = topic.pages()
    topic.zone.fs.rm_file(topic.zone.page_uri(second.name))
    assert topic.land().restored == 1
    assert topic.records() == before
    topic.zone.fs.rm_file(topic.zone.path("manifest", f"{second.name}.json"))
    again = topic.land()
    assert (again.rows, again.pages) == (4, 1)
    assert sorted(topic.records()) == sorted(before)
    assert topic.land().rows == 0
    assert {first.name, third.name} < {page.name for page in topic.pages()}


def test_what_retention_removed_is_told(topic: Topic, broker: Broker) -> None:
    topic.send(*messages(*range(4)))
    topic.land()
    topic.send(*messages(*range(4, 10)))
    broker.forget(topic.name, 0, before=6)
    assert topic.land().rows == 4
    assert any("4 to 5 were removed by the topic's retention" in told for told in topic.told)
    assert topic.records() == messages(0, 1, 2, 3, 6, 7, 8, 9)


def test_a_topic_that_is_made_again_is_landed_from_its_start(topic: Topic, broker: Broker) -> None:
    topic.send(*messages(1, 2))
    topic.land()
    broker.delete(topic.name)
    broker.create(topic.name, 1)
    topic.send(*messages(3))
    assert topic.land().rows == 1
    assert topic.records() == messages(1, 2, 3)
    assert f"{topic.name}-0 was issued again with other content" in topic.told


def test_a_topic_that_is_not_there(topic: Topic) -> None:
    wrong = replace(topic.usecase, source=replace(topic.usecase.source, dataset=topic.name + "s"))
    with pytest.raises(PermanentError, match="the topic does not exist") as error:
        KafkaConnector(wrong).partitions()
    assert str(error.value.valid).startswith(f"{topic.name} (nearest)")


def test_partitions_that_are_not_landed_are_named(topic: Topic) -> None:
    topic.send(*messages(1), partition=1)
    topic.land()
    topic.send(*messages(2), partition=2)
    reader = KafkaConnector(topic.usecase)
    unlanded = partitions.unlanded(reader, topic.pages())
    assert [part.name for part in unlanded] == [f"{topic.name}-2"]
    reader.close()


def test_a_broker_that_dies_is_waited_for(topic: Topic, broker: Broker) -> None:
    topic.send(*messages(*range(6)))
    topic.land()
    broker.kill()
    try:
        quick = {**topic.usecase.source.options, "timeout_s": 1}
        source = replace(topic.usecase.source, options=quick)
        with pytest.raises(RetryableError, match="cannot be read now"):
            KafkaConnector(replace(topic.usecase, source=source)).partitions()
    finally:
        broker.start()
    topic.send(*messages(6))
    assert topic.land().rows == 1
    assert [json.loads(row)["id"] for row in topic.records()] == list(range(7))
