"""Landed pages to bronze: every line with its place, as text, exactly once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from goldlake_core.contracts.sections import UseCase
from goldlake_core.stages import Emit
from goldlake_core.storage.home import Home
from lakehouse import delta, specs, streams

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

STREAM = "bronze"
# A page is one string in memory while it is split: 64 pages of 10,000 rows are two tasks' work.
PAGES_PER_BATCH = 64


def ingest(spark: SparkSession, usecase: UseCase, home: Home, emit: Emit) -> None:
    """Appends the records of pages that bronze has not seen. Writes; idempotent."""
    zone = specs.landing(usecase, home)
    spec = specs.bronze(usecase, home)
    delta.create(spark, spec)
    checkpoint = home.checkpoint(usecase.name, STREAM)
    pages = (
        spark.readStream.format("text")
        .option("wholetext", "true")
        .option("maxFilesPerTrigger", str(PAGES_PER_BATCH))
        # The default skips, silently, files a week older than the newest: a restored landing zone.
        .option("maxFileAge", "36500d")
        .option("latestFirst", "false")
        .option("pathGlobFilter", "*.jsonl.gz")
        .load(zone.pages_uri)
    )

    def handle(batch: DataFrame, batch_id: int) -> None:
        txn = delta.Txn(f"{streams.stream_id(checkpoint)}:bronze", batch_id)
        delta.append(records(batch, batch_id).select(*spec.names), spec.uri, txn=txn)
        emit("progress", f"bronze: batch {batch_id} of pages appended")

    streams.run_available(pages.select("value", "_metadata"), checkpoint, handle)


def records(pages: DataFrame, batch_id: int) -> DataFrame:
    """One row per line of each page.

    Args:
        pages: ``value`` (string, a whole page) and Spark's ``_metadata`` of the file.
        batch_id: Number of the micro-batch.

    Returns:
        file, line (from 1), value, landed_at, ingested_at, batch_id. The empty text after the
        last line break does not count as a line; an empty line between others does.
    """
    from pyspark.sql import functions as F

    body = F.regexp_replace("value", r"\n\z", "")
    lines = pages.where(F.length("value") > 0).select(
        F.col("_metadata.file_name").alias("file"),
        F.col("_metadata.file_modification_time").alias("landed_at"),
        F.posexplode(F.split(body, "\n", -1)).alias("_position", "value"),
    )
    return lines.select(
        "file",
        (F.col("_position") + 1).cast("int").alias("line"),
        "value",
        "landed_at",
        F.current_timestamp().alias("ingested_at"),
        F.lit(batch_id).cast("bigint").alias("batch_id"),
    )
