"""What a source of kind kafka refuses before any broker is asked; the rest is in tests/kafka."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from goldlake_core.contracts.errors import RetryableError, UsageError
from goldlake_core.contracts.sections import Source, UseCase
from lakehouse.sources.kafka import KafkaConnector


def reader(toy: UseCase, address: str = "", **options: Any) -> KafkaConnector:
    return KafkaConnector(replace(toy, source=Source(kind="kafka", options=options)), address)


@pytest.mark.parametrize("servers", ["", "localhost", "http://localhost:9092", "host:0", "a:1,b"])
def test_brokers_are_named_by_host_and_port(toy: UseCase, servers: str) -> None:
    with pytest.raises(UsageError, match="names no Kafka broker"):
        reader(toy, servers=servers)


def test_an_address_stands_for_the_option(toy: UseCase) -> None:
    origin = reader(toy, "kafka://127.0.0.1:9,127.0.0.1:10", servers="host:1").origin()
    assert origin.address == "kafka://127.0.0.1:9,127.0.0.1:10"
    assert origin.identity == {"kind": "kafka", "dataset": toy.name}


@pytest.mark.parametrize(
    ("client", "problem"),
    [
        ({"sasl.password": "secret"}, "holds a secret"),
        ({"sasl.oauthbearer.client.secret": "secret"}, "holds a secret"),
        ({"sasl.password": "$NOT_THERE"}, "needs the environment variable NOT_THERE"),
        ({"group.id": "mine"}, "goldlake decides it"),
        ({"no.such.setting": 1}, 'No such configuration property: "no.such.setting"'),
        ("security.protocol", "is 'security.protocol'"),
    ],
)
def test_settings_of_the_client(toy: UseCase, client: Any, problem: str) -> None:
    with pytest.raises(UsageError, match=problem) as error:
        reader(toy, servers="127.0.0.1:9", client=client).partitions()
    assert "secret" not in str(error.value).replace("holds a secret", "").replace(".secret", "")


def test_a_broker_that_is_not_there_may_come(toy: UseCase) -> None:
    with pytest.raises(RetryableError, match=r"toy_harbour at 127.0.0.1:9 cannot be read now: .+"):
        reader(toy, servers="127.0.0.1:9", timeout_s=1).partitions()
