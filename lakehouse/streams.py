"""Running a micro-batch function over a stream until it has seen all there is."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

import fsspec

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

Batch = Callable[["DataFrame", int], None]


def run_available(stream: DataFrame, checkpoint: str, handle: Batch) -> None:
    """Calls ``handle(rows, batch_id)`` for each micro-batch of what is there now, then returns.

    A batch that did not end is repeated with the same rows and the same id by the next call, so
    ``handle`` has to be idempotent.

    Raises:
        Exception: What ``handle`` raised, as it was.
    """
    raised: list[Exception] = []

    def handled(rows: DataFrame, batch_id: int) -> None:
        try:
            handle(rows, batch_id)
        except Exception as error:  # Spark would turn it into a text
            raised.append(error)
            raise

    query = (
        stream.writeStream.trigger(availableNow=True)
        .option("checkpointLocation", checkpoint)
        .foreachBatch(handled)
        .start()
    )
    try:
        query.awaitTermination()
    except Exception:
        if raised:
            raise raised[0] from None
        raise
    finally:
        query.stop()


def stream_id(checkpoint: str) -> str:
    """The id that Spark gave a stream when its checkpoint was made.

    Idempotent writes carry it: a stream that begins anew counts its batches from zero, and under
    the old id Delta would take them for repetitions and drop them.
    """
    fs, path = fsspec.core.url_to_fs(checkpoint)
    with fs.open(f"{path}/metadata", "r") as file:
        return str(json.load(file)["id"])
