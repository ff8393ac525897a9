"""A topic by the command line: followed, killed and taken up again, it is the batch."""

from __future__ import annotations

import contextlib
import json
import signal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from confluent_kafka import KafkaException

from goldlake_core.storage.deltalog import DeltaLog
from tests.end_to_end.commands import goldlake, goldlake_json
from tests.end_to_end.test_follow import COMING, follow, kill, state, wait_for
from tests.faults.lab import TOY, row
from tests.kafka.broker import Broker

pytestmark = [pytest.mark.long, pytest.mark.spark, pytest.mark.timeout(1500)]

TOPIC = "harbour.calls"


@pytest.fixture
def usecase(broker: Broker, tmp_path: Path) -> str:
    """The toy harbour, whose office sends its records to a topic of two partitions."""
    folder = tmp_path / "toy_harbour"
    folder.mkdir()
    for file in TOY.iterdir():
        if file.is_file():
            (folder / file.name).write_bytes(file.read_bytes())
    contract = yaml.safe_load((TOY / "contract.yaml").read_text(encoding="utf-8"))
    contract["source"] = {
        "kind": "kafka",
        "dataset": TOPIC,
        "page_rows": 50,
        "options": {"servers": broker.address, "key": "call_id"},
    }
    (folder / "contract.yaml").write_text(yaml.safe_dump(contract), encoding="utf-8")
    with contextlib.suppress(KafkaException):  # it is there, of an earlier test
        broker.delete(TOPIC)
    broker.create(TOPIC, 2)
    return str(folder)


def send(broker: Broker, numbers: range, **changes: Any) -> None:
    """Sends records; those of one call go to one partition, as their key says."""
    producer = broker.producer()
    for number in numbers:
        producer.produce(TOPIC, row(number, **changes), partition=number % 2)
    assert producer.flush(30) == 0


def delete(broker: Broker, number: int) -> None:
    producer = broker.producer()
    producer.produce(TOPIC, None, key=f"C{number:05}", partition=number % 2)
    assert producer.flush(30) == 0


def silver(home: Path) -> pl.DataFrame:
    frame: Any = pl.from_arrow(DeltaLog(str(home / "tables/toy_harbour/silver/calls")).read())
    return frame.drop(COMING, strict=False).sort("call_id")


def test_a_topic_that_is_followed_is_the_batch(
    broker: Broker, usecase: str, tmp_path: Path
) -> None:
    send(broker, range(120))
    killed = follow("live", tmp_path, usecase)
    wait_for(lambda: state(tmp_path).batches >= 1)
    send(broker, range(10, 40), minute=5_000, cargo="COAL")
    kill(killed, tmp_path)
    delete(broker, 3)
    batch = goldlake_json("ingest", usecase, "--source", "live", "--home", "home", folder=tmp_path)
    assert batch["refine"]["fates"]["deleted"] == 1
    ended = follow("live", tmp_path, usecase)
    wait_for(lambda: state(tmp_path).polls >= 1)
    send(broker, range(120, 150))
    wait_for(lambda: state(tmp_path).batches >= 1)
    ended.send_signal(signal.SIGTERM)
    printed, _ = ended.communicate(timeout=60)
    assert ended.returncode == 0
    assert json.loads(printed)["follow"]["batches"] == 1
    at_once = goldlake_json(
        "ingest", usecase, "--source", "live", "--home", "once", folder=tmp_path
    )
    assert at_once["land"]["rows"] == 181
    assert at_once["land"]["identity"] == {"kind": "kafka", "dataset": TOPIC}
    assert silver(tmp_path / "home").height == 149
    assert silver(tmp_path / "home").equals(silver(tmp_path / "once"))
    goldlake("doctor", "--deep", "--home", "home", folder=tmp_path)
    # What a topic forgot was not deleted.
    told = goldlake(
        "reconcile", usecase, "--source", "live", "--home", "home", folder=tmp_path, exit_code=2
    )
    assert "forgets old records: a key that is gone was not deleted" in " ".join(told.split())


def test_a_plan_names_the_partitions(broker: Broker, usecase: str, tmp_path: Path) -> None:
    send(broker, range(3))
    plan = goldlake("ingest", usecase, "--source", "live", "--plan", "--home", "h", folder=tmp_path)
    assert f"{TOPIC}-0" in plan
    assert not (tmp_path / "h" / "landing").exists()
