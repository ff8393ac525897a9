"""A real Kafka broker on this machine: one process in KRaft mode, from Maven's JARs."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from confluent_kafka import KafkaException, Producer, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from lakehouse import jars

LOCK = Path(__file__).with_name("jars.lock")
FOLDER = Path(sys.prefix, "kafka-jars")
BROKER = "org.apache.kafka:kafka_2.13:4.1.1"
STARTS_WITHIN_S = 90.0

_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={folder}/log
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
"""


def ensure_jars() -> Path:
    """The folder with the locked JARs, which are fetched once."""
    wanted = jars.locked(LOCK.read_text())
    digests = {jars.file_name(name): digest for name, digest in wanted.items()}
    if not all((FOLDER / name).is_file() for name in digests):
        with tempfile.TemporaryDirectory(dir=FOLDER.parent) as fetched:
            _resolve(Path(fetched))
            for name, digest in digests.items():
                assert jars.sha256(Path(fetched, name)) == digest, f"{name} is not the locked one"
            FOLDER.mkdir(exist_ok=True)
            for name in digests:
                os.replace(Path(fetched, name), FOLDER / name)
    return FOLDER


def _resolve(folder: Path) -> None:
    """Fetches the broker and all that it depends on, by Spark's copy of Ivy."""
    pyspark = importlib.util.find_spec("pyspark")
    assert pyspark is not None
    assert pyspark.origin is not None
    (ivy,) = Path(pyspark.origin).with_name("jars").glob("ivy-*.jar")
    settings = os.environ.get("IVY_SETTINGS")
    command = [
        *("java", f"-Duser.home={folder / 'home'}", *jars.java_proxy_options(os.environ)),
        *("-cp", str(ivy), "org.apache.ivy.Main", *(("-settings", settings) if settings else ())),
        *("-cache", str(folder / "cache"), "-confs", "default", "-types", "jar", "bundle"),
        *("-dependency", *BROKER.split(":")),
        *("-retrieve", f"{folder}/[artifact]-[revision].[ext]"),
    ]
    answer = subprocess.run(command, capture_output=True, text=True, check=False, timeout=900)
    assert answer.returncode == 0, answer.stdout[-2000:]


class Broker:
    """A broker whose files lie in a folder; it can be killed and started again.

    Attributes:
        address: ``HOST:PORT`` for clients.
    """

    def __init__(self, folder: Path) -> None:
        self._classes = f"{ensure_jars()}/*"
        self._folder = folder
        port, controller = _free_port(), _free_port()
        self.address = f"127.0.0.1:{port}"
        self._file = folder / "server.properties"
        self._file.write_text(
            _PROPERTIES.format(port=port, controller=controller, folder=folder), encoding="utf-8"
        )
        self._java("kafka.tools.StorageTool", "format", "-t", "4L6g3nShT-eMCtK--X86sw", "-c").wait()
        self._process: subprocess.Popen[bytes] | None = None
        self._admin = AdminClient({"bootstrap.servers": self.address, "log_level": 0})

    @contextlib.contextmanager
    def running(self) -> Iterator[Broker]:
        """The broker, until the block ends."""
        self.start()
        try:
            yield self
        finally:
            self.kill()

    def start(self) -> None:
        """Starts it and waits until it answers."""
        self._process = self._java("kafka.Kafka")
        end = time.monotonic() + STARTS_WITHIN_S
        while True:
            try:
                self._admin.list_topics(timeout=2)
                return
            except KafkaException:
                assert time.monotonic() < end, (self._folder / "out.log").read_text()[-2000:]
                assert self._process.poll() is None, (self._folder / "out.log").read_text()[-2000:]

    def kill(self) -> None:
        """Ends it at once."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def producer(self, **settings: object) -> Producer:
        """A client that writes to it."""
        return Producer({"bootstrap.servers": self.address, "log_level": 0, **settings})

    def create(self, topic: str, partitions: int) -> None:
        """Makes a topic."""
        self._admin.create_topics([NewTopic(topic, partitions, 1)])[topic].result(30)
        end = time.monotonic() + 30
        while topic not in self._admin.list_topics(timeout=5).topics:
            assert time.monotonic() < end
            time.sleep(0.1)

    def delete(self, topic: str) -> None:
        """Deletes a topic, and waits until it is gone."""
        admin = self._admin
        admin.delete_topics([topic])[topic].result(30)
        end = time.monotonic() + 30
        while True:
            try:
                admin.describe_topics(TopicCollection([topic]))[topic].result(30)
            except KafkaException:
                return
            assert time.monotonic() < end
            time.sleep(0.1)

    def forget(self, topic: str, partition: int, before: int) -> None:
        """Removes the messages before an offset, as retention does."""
        place = TopicPartition(topic, partition, before)
        self._admin.delete_records([place])[place].result(30)

    def _java(self, *words: str) -> subprocess.Popen[bytes]:
        with (self._folder / "out.log").open("ab") as out:
            return subprocess.Popen(
                ["java", "-Xmx384m", "-cp", self._classes, *words, str(self._file)],
                stdout=out,
                stderr=subprocess.STDOUT,
            )


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
