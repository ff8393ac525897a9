"""Bronze to silver: fates first, then quarantine and MERGE from the fates that are stored.

Each of the three writes happens at most once per micro-batch, and the later two follow what the
first one stored. A batch that was interrupted anywhere is repeated whole and ends the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from goldlake_core.contracts.errors import StoreError
from goldlake_core.contracts.sections import UseCase
from goldlake_core.stages import Emit
from goldlake_core.storage.home import Home
from lakehouse import delta, fates, specs, streams
from lakehouse.deltalog import DeltaLog
from lakehouse.parsing import KEY, parsed

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

STREAM = "silver"
# Compressed bronze; about a million records of 700 characters each.
BYTES_PER_BATCH = "96m"


def refine(spark: SparkSession, usecase: UseCase, home: Home, run_id: str, emit: Emit) -> list[int]:
    """Brings silver, quarantine and fates up to bronze. Writes; idempotent.

    Returns:
        Ids of the micro-batches that this call completed.

    Raises:
        StoreError: The silver contract changed in a way that stored rows cannot follow.
    """
    for spec in (specs.fates(usecase, home), specs.quarantine(usecase, home)):
        delta.create(spark, spec)
    if not delta.create(spark, specs.silver(usecase, home)):
        evolve(spark, usecase, home, emit)
    checkpoint = home.checkpoint(usecase.name, STREAM)
    bronze = delta.stream(
        spark,
        specs.bronze(usecase, home).uri,
        maxBytesPerTrigger=BYTES_PER_BATCH,
        # Bronze only grows. A commit that removed rows would stop the stream with an error of
        # Delta's; it is skipped here, and the audit names the rows.
        skipChangeCommits="true",
    )
    batches: list[int] = []

    def handle(batch: DataFrame, batch_id: int) -> None:
        _refine_batch(batch, batch_id, usecase, home, run_id, streams.stream_id(checkpoint), emit)
        batches.append(batch_id)

    streams.run_available(bronze, checkpoint, handle)
    return batches


def _refine_batch(
    batch: DataFrame,
    batch_id: int,
    usecase: UseCase,
    home: Home,
    run_id: str,
    stream: str,
    emit: Emit,
) -> None:
    from pyspark.sql import functions as F

    spark = batch.sparkSession
    silver_spec, fates_spec = specs.silver(usecase, home), specs.fates(usecase, home)
    quarantine_spec = specs.quarantine(usecase, home)
    rows = parsed(batch.drop("batch_id"), usecase.silver).persist()
    try:
        # Fill the cache first: the branches of the plan below would each parse on their own.
        rows.count()
        known = delta.read(spark, silver_spec.uri)
        decision = _stamped(fates.decided(rows, known, usecase.silver), batch_id, run_id)
        delta.append(
            decision.select(*fates_spec.names),
            fates_spec.uri,
            txn=delta.Txn(f"{stream}:fates", batch_id),
        )
        stored = delta.read(spark, fates_spec.uri).where(F.col("batch_id") == batch_id)
        counts = {r["fate"]: r["count"] for r in stored.groupBy("fate").count().collect()}
        if counts.get("quarantined"):
            rejected = stored.where(F.col("fate") == "quarantined")
            delta.append(
                rejected.join(rows.select("file", "line", "value"), ["file", "line"]).select(
                    *quarantine_spec.names
                ),
                quarantine_spec.uri,
                txn=delta.Txn(f"{stream}:quarantine", batch_id),
            )
        if any(counts.get(fate) for fate in fates.WINNERS):
            winners = _winners(rows, stored).select(*silver_spec.names)
            _upsert(winners, usecase, silver_spec.uri, stream, batch_id, run_id, counts)
    finally:
        rows.unpersist()
    told = ", ".join(f"{counts[f]:,} {f}" for f in fates.FATES if counts.get(f))
    emit("progress", f"silver: batch {batch_id}: {told}")


def _upsert(
    winners: DataFrame,
    usecase: UseCase,
    uri: str,
    stream: str,
    batch_id: int,
    run_id: str,
    counts: dict[str, int],
) -> None:
    """Writes a batch's winners; where all keys are new, by appending: a MERGE without its scan."""
    txn = delta.Txn(f"{stream}:silver", batch_id)
    metadata = {"run_id": run_id, "batch_id": batch_id}
    if counts.get("amended"):
        delta.merge(winners, uri, usecase.silver.key, txn=txn, metadata=metadata)
    else:
        delta.append(winners, uri, txn=txn, metadata=metadata)


def _winners(rows: DataFrame, stored: DataFrame) -> DataFrame:
    """Silver rows of the records whose stored fate is to enter the table."""
    from pyspark.sql import functions as F

    won = stored.where(F.col("fate").isin(*fates.WINNERS)).select("file", "line")
    return (
        rows.join(won, ["file", "line"])
        .withColumn(specs.FILE, F.col("file"))
        .withColumn(specs.LINE, F.col("line"))
        .withColumn(specs.KNOWN_AT, F.col("ingested_at"))
        .drop(KEY)
    )


def _stamped(decision: DataFrame, batch_id: int, run_id: str) -> DataFrame:
    from pyspark.sql import functions as F

    return decision.select(
        "*",
        F.concat_ws(":", "file", "line").alias("record_id"),
        F.lit(batch_id).cast("bigint").alias("batch_id"),
        F.lit(run_id).alias("run_id"),
        F.current_timestamp().alias("decided_at"),
    )


def evolve(spark: SparkSession, usecase: UseCase, home: Home, emit: Emit) -> None:
    """Brings an existing silver table up to a changed contract, or refuses.

    New nullable columns, comments and rules follow; rows that are there keep their values.

    Raises:
        StoreError: A column changed its type, went away or is new and not nullable, the key
            changed, or stored rows break a new rule.
    """
    spec = specs.silver(usecase, home)
    snapshot = DeltaLog(spec.uri).snapshot()
    if snapshot.properties.get(specs.CONTRACT_PROPERTY) == spec.properties[specs.CONTRACT_PROPERTY]:
        return
    present = {f.name: f.type for f in snapshot.schema}
    wanted = {f.name: f for f in spec.fields}
    problems = [f"column {name} is gone" for name in present if name not in wanted]
    for name, field in wanted.items():
        if name not in present and not field.nullable:
            problems.append(f"column {name} is new and not nullable")
        elif name in present and present[name] != field.delta_type:
            problems.append(f"column {name} was {present[name]} and is {field.type}")
    if problems:
        raise _cannot_follow(spec, "; ".join(problems))
    added = [name for name in wanted if name not in present]
    if added:
        delta.add_columns(spark, spec, added)
    changed = delta.constraint_changes(spec, snapshot.properties)
    delta.drop_constraints(spark, spec, changed["drop"])
    try:
        delta.add_constraints(spark, spec, changed["add"])
    except Exception as error:
        if "constraint" not in str(error).lower():
            raise
        raise _cannot_follow(spec, f"stored rows break it: {str(error).splitlines()[0]}") from error
    delta.set_comments(spark, spec)
    delta.set_properties(spark, spec)
    emit(
        "info", f"{spec.id} follows its changed contract; new columns: {', '.join(added) or 'none'}"
    )


def _cannot_follow(spec: specs.TableSpec, why: str) -> StoreError:
    return StoreError(
        f"The contract of {spec.id} changed and the rows in {spec.uri} cannot follow: {why}",
        valid="new nullable columns, changed comments, rules that stored rows keep",
        hint="take the change back, or ingest everything into another --home",
    )
