"""One commit of a table by Delta's own transaction, which writes, checks and counts the files.

Delta's commands (append, MERGE) rebuild the table's state for each write, which is three Spark jobs
and more; their transaction alone does not. The rules that hold for every row, the statistics and
the detection of other writers are the transaction's, and so stay what they are.

Classes of Delta are called through py4j. What is used of them: ``OptimisticTransaction.writeFiles``
and ``commit``, ``Action.fromJson`` (the log's format, which the protocol fixes), and
``DeltaOperations.Write``.
"""

from __future__ import annotations

import json
import posixpath
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from goldlake_core.contracts.errors import RetryableError
from goldlake_core.contracts.sql_rules import quoted
from goldlake_core.storage.deltalog import CommitMetadata, DataFile, DeltaLog, Snapshot
from goldlake_core.storage.locks import require_held
from lakehouse import files

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

METADATA = "spark.databricks.delta.commitInfo.userMetadata"
_WRITE_OPTIONS = 8  # of DeltaOperations.Write, beside the mode; all of them absent


@dataclass(frozen=True)
class Txn:
    """Makes a write happen once: of two writers with the same number, one is refused.

    Attributes:
        app: Application id; here one per layer and version of the table that was followed.
        version: Number of the write, growing.
    """

    app: str
    version: int


def write(
    rows: DataFrame,
    snapshot: Snapshot,
    *,
    replaced: Sequence[DataFile] = (),
    txn: Txn | None = None,
    metadata: CommitMetadata | None = None,
) -> None:
    """Adds rows to a table and takes files out of it, in one commit.

    Args:
        rows: The table's columns, in any order; values are cast to the table's types.
        snapshot: The newest version of the table, from which the files to replace are.
        replaced: Files that the commit removes.
        txn: Makes the write happen once.
        metadata: JSON object stored with the commit.

    Raises:
        RetryableError: Another program wrote the table after ``snapshot``.
    """
    spark = rows.sparkSession
    columns = files.schema_of(snapshot).fields
    # The transaction takes rows as they are: what is cast here, a command of Delta would cast.
    plain = rows.select(
        *(rows[quoted(f.name)].cast(f.dataType).alias(f.name, metadata=f.metadata) for f in columns)
    )
    delta = spark._jvm.org.apache.spark.sql.delta
    with about(snapshot.uri), session_confs(spark, _confs(metadata)):
        transaction = delta.DeltaLog.forTable(spark._jsparkSession, snapshot.uri).startTransaction()
        if transaction.snapshot().version() != snapshot.version:
            raise RetryableError(
                f"Another program wrote the table at {snapshot.uri} at the same time; nothing of "
                "this commit was written",
                hint="the same command again",
            )
        _forget_checksum(snapshot)
        added = transaction.writeFiles(plain._jdf)
        actions = spark._jvm.java.util.ArrayList()
        for index in range(added.size()):
            actions.add(added.apply(index))
        for action in _actions(replaced, txn):
            actions.add(delta.actions.Action.fromJson(json.dumps(action)))
        if txn:
            # As if Delta had looked the number up: another writer's commit of it is a conflict.
            transaction.readTxn().addOne(txn.app)
        require_held()
        transaction.commit(_scala(spark, actions), _operation(spark))


def _forget_checksum(snapshot: Snapshot) -> None:
    """Removes Hadoop's checksum of a log entry that is lost: it would be that of the next one."""
    log = DeltaLog(snapshot.uri)
    name = f"{snapshot.version + 1:020d}.json"
    stale = posixpath.join(log.root, "_delta_log", f".{name}.crc")
    if log.fs.exists(stale) and not log.fs.exists(posixpath.join(log.root, "_delta_log", name)):
        log.fs.rm_file(stale)


def _actions(replaced: Sequence[DataFile], txn: Txn | None) -> Iterator[Mapping[str, object]]:
    """The actions beside the added files, as the log has them."""
    now = int(time.time() * 1000)
    if txn:
        yield {"txn": {"appId": txn.app, "version": txn.version, "lastUpdated": now}}
    for file in replaced:
        yield {
            "remove": {
                "path": quote(file.path, safe="/=:@!$&'()*+,;~-._"),
                "deletionTimestamp": now,
                "dataChange": True,
                "extendedFileMetadata": True,
                "partitionValues": dict(file.partition),
                "size": file.size,
            }
        }


def _confs(metadata: CommitMetadata | None) -> dict[str, str]:
    return {METADATA: json.dumps(metadata)} if metadata else {}


def _operation(spark: SparkSession) -> Any:
    jvm: Any = spark._jvm
    none = [jvm.scala.Option.empty() for _ in range(_WRITE_OPTIONS)]
    mode = jvm.org.apache.spark.sql.SaveMode.Append
    return jvm.org.apache.spark.sql.delta.DeltaOperations.Write(mode, *none)


def _scala(spark: SparkSession, items: Any) -> Any:
    jvm: Any = spark._jvm
    return jvm.scala.jdk.javaapi.CollectionConverters.asScala(items).toSeq()


@contextmanager
def about(uri: str) -> Iterator[None]:
    """Notes on what Spark raises which table was written: its messages often do not say."""
    try:
        yield
    except Exception as error:
        error.about = uri  # type: ignore[attr-defined]
        raise


@contextmanager
def session_confs(spark: SparkSession, confs: Mapping[str, str]) -> Iterator[None]:
    """Sets session settings and unsets them afterwards, or the next write would be skipped."""
    before = {name: spark.conf.get(name, None) for name in confs}
    for name, value in confs.items():
        spark.conf.set(name, value)
    try:
        yield
    finally:
        for name, earlier in before.items():
            if earlier is None:
                spark.conf.unset(name)
            else:
                spark.conf.set(name, earlier)
