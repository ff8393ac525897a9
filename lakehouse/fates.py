"""Decides the fate of each record of a micro-batch. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from goldlake_core.contracts.sections import Silver
from lakehouse.parsing import KEY, REASONS
from lakehouse.specs import CONTENT_HASH
from lakehouse.sql_rules import quoted

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

FATES = ("inserted", "amended", "unchanged", "stale", "quarantined", "deleted")
WINNERS = ("inserted", "amended")


def decided(parsed: DataFrame, silver_rows: DataFrame, silver: Silver) -> DataFrame:
    """One fate per record.

    Within the batch the record with the highest version wins its key; of equal versions the one
    landed last. The winner is compared with silver's row: none, ``inserted``; the same content,
    ``unchanged``; a newer row there, ``stale``; else ``amended``. A loser is ``unchanged`` where it
    has the content of a winner that counts, else ``stale``. A record with reasons is
    ``quarantined``.

    Args:
        parsed: Rows of `lakehouse.parsing.parsed` with file, line, landed_at.
        silver_rows: The silver table.
        silver: The contract of the silver table.

    Returns:
        file, line, key (string), fate (string), reasons (array of string or null).
    """
    from pyspark.sql import functions as F

    is_valid = F.size(REASONS) == 0
    fated = _against_silver(_ranked(parsed.where(is_valid), silver), silver_rows, silver)
    valid = fated.select(
        "file",
        "line",
        F.col(KEY).alias("key"),
        "fate",
        F.lit(None).cast("array<string>").alias("reasons"),
    )
    invalid = parsed.where(~is_valid).select(
        "file",
        "line",
        F.col(KEY).alias("key"),
        F.lit("quarantined").alias("fate"),
        F.col(REASONS).alias("reasons"),
    )
    return valid.unionByName(invalid)


def _ranked(valid: DataFrame, silver: Silver) -> DataFrame:
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    newest_first = Window.partitionBy(*(quoted(k) for k in silver.key)).orderBy(
        F.col(quoted(silver.version)).desc_nulls_last(),
        *(F.col(name).desc() for name in ("landed_at", "file", "line")),
    )
    return valid.select(
        "file",
        "line",
        KEY,
        CONTENT_HASH,
        *(F.col(quoted(k)) for k in silver.key),
        F.row_number().over(newest_first).alias("_rank"),
        F.first(CONTENT_HASH).over(newest_first).alias("_winner_hash"),
        F.first(quoted(silver.version)).over(newest_first).alias("_winner_version"),
    )


def _against_silver(ranked: DataFrame, silver_rows: DataFrame, silver: Silver) -> DataFrame:
    from pyspark.sql import functions as F

    known = silver_rows.select(
        *(F.col(quoted(k)) for k in silver.key),
        F.col(quoted(silver.version)).alias("_known_version"),
        F.col(CONTENT_HASH).alias("_known_hash"),
    )
    # The winner of a key against silver's row of that key:
    #
    #   silver's row  content  winner's version                    fate
    #   none          -        -                                   inserted
    #   exists        same     same (the content includes it)      unchanged
    #   exists        differs  older, or null and silver's is not  stale
    #   exists        differs  same, newer, or silver's is null    amended
    #
    # A comparison with a null version is null, not false: hence the coalesce.
    is_new = F.col("_known_hash").isNull()
    is_same = F.col("_winner_hash") == F.col("_known_hash")
    older = F.col("_winner_version") < F.col("_known_version")
    has_no_version = F.col("_winner_version").isNull() & F.col("_known_version").isNotNull()
    is_older = F.coalesce(older, has_no_version)
    winner = (
        F.when(is_new, "inserted")
        .when(is_same, "unchanged")
        .when(is_older, "stale")
        .otherwise("amended")
    )
    repeats_winner = (F.col(CONTENT_HASH) == F.col("_winner_hash")) & (winner != "stale")
    loser = F.when(repeats_winner, "unchanged").otherwise("stale")
    fate = F.when(F.col("_rank") == 1, winner).otherwise(loser)
    return ranked.join(known, list(silver.key), "left").withColumn("fate", fate)
