"""Decides the fate of each record. Pure, and the same wherever batches were cut.

The versions of a key are taken in the order of landing. Each meets the version that is current
then:

    current   record                                    fate         becomes current
    none      valid                                     inserted     yes
    deleted   valid, not older than what was deleted    inserted     yes
    deleted   valid, older                              stale        no
    a row     valid, the same content                   unchanged    no
    a row     valid, not older                          amended      yes
    a row     valid, older                              stale        no
    a row     a deletion                                deleted      yes
    deleted   a deletion                                unchanged    no
    none      a deletion                                stale        no
    any       with reasons                              quarantined  no

Older is what has a smaller version by the contract or, with equal versions, an earlier update time
of the source. Without a version in the contract all versions are equal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from goldlake_core.contracts.column_types import COLUMN_TYPES
from goldlake_core.contracts.sections import Silver
from goldlake_core.contracts.sql_rules import quoted
from lakehouse.parsing import IS_DELETION
from lakehouse.specs import (
    CONTENT_HASH,
    FATE,
    LINE,
    REASONS,
    REPLACED_HASH,
    SEQUENCE,
    SOURCE_UPDATED,
)

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

DECIDED_VERSION, DECIDED_UPDATED = "_decided_version", "_decided_updated"
WINNERS = ("inserted", "amended", "deleted")

_NONE, _ROW, _DELETED = 0, 1, 2
_IS_NOT_OLDER = "(struct(r.version, r.updated) >= struct(s.version, s.updated))"
_ENTERS = (
    f"(not r.is_deletion and (s.state = {_NONE} or {_IS_NOT_OLDER} and "
    f"(s.state = {_DELETED} or r.content <> s.content)))"
)
_LEAVES = f"(r.is_deletion and s.state = {_ROW})"
_FATE = f"""
case when {_LEAVES} then 'deleted'
     when r.is_deletion then if(s.state = {_DELETED}, 'unchanged', 'stale')
     when s.state = {_ROW} and r.content = s.content then 'unchanged'
     when not {_ENTERS} then 'stale'
     when s.state = {_ROW} then 'amended'
     else 'inserted' end
"""
# What becomes of a record r where s is current.
_DECIDED = f"""
named_struct(
  'fate', {_FATE},
  'replaced', if(s.state = {_ROW} and ({_ENTERS} or {_LEAVES}), s.content, null),
  'version', if(r.is_deletion, s.version, r.version),
  'updated', if(r.is_deletion, s.updated, r.updated))
"""
# One step of the fold over the records r of a key; s is what is current, and the fates so far.
_STEP = f"""
(s, r) -> named_struct(
  'state', if({_ENTERS}, {_ROW}, if({_LEAVES}, {_DELETED}, s.state)),
  'version', if({_ENTERS}, r.version, s.version),
  'updated', if({_ENTERS}, r.updated, s.updated),
  'content', if({_ENTERS}, r.content, s.content),
  'fates', array_append(s.fates, {_DECIDED}))
"""


def decided(
    parsed: DataFrame, silver_rows: DataFrame, deletions: DataFrame | None, silver: Silver
) -> DataFrame:
    """One fate per record.

    Args:
        parsed: Rows of `lakehouse.parsing.parsed` with `SEQUENCE` and `LINE`.
        silver_rows: The silver table before them.
        deletions: Rows of the table of versions whose fate is ``deleted``, before them; None where
            there are none.
        silver: The contract of the silver table.

    Returns:
        _sequence, _line, _fate (string), _replaced_hash (long or null): the content hash of the row
        that the record amended or deleted; `DECIDED_VERSION` (the type of the contract's version)
        and `DECIDED_UPDATED` (string or null): the record's own or, for a deletion, those of what
        it deleted.
    """
    from pyspark.sql import functions as F

    is_valid = F.size(REASONS) == 0
    key = [F.col(quoted(name)) for name in silver.key]
    records = parsed.where(is_valid).select(
        *key,
        F.struct(
            SEQUENCE,
            LINE,
            _version(silver).alias("version"),
            F.col(SOURCE_UPDATED).alias("updated"),
            F.col(CONTENT_HASH).alias("content"),
            F.col(IS_DELETION).alias("is_deletion"),
        ).alias("_record"),
    )
    start = _start(_version_type(silver))
    # Of all that is known, only what meets a record of the batch is looked at further.
    keys = records.select(*key)
    rows = silver_rows.join(keys, list(silver.key), "left_semi")
    gone = None
    if deletions is not None:
        gone = deletions.join(keys, list(silver.key), "left_semi")
    both = records.unionByName(_known(rows, gone, silver), allowMissingColumns=True)
    of_key = both.groupBy(*key).agg(
        F.sort_array(F.collect_list("_record")).alias("_records"),
        F.any_value("_known", F.lit(True)).alias("_known"),
    )
    # Most keys have one record, for which Spark generates code; a fold is interpreted.
    alone = of_key.select("*", F.expr("_records[0]").alias("r"), F.expr(start).alias("s"))
    folded = alone.select(
        "_records",
        F.when(F.size("_records") == 1, F.array(F.expr(_DECIDED)))
        .otherwise(F.expr(f"aggregate(_records, {start}, {_STEP}, s -> s.fates)"))
        .alias("_out"),
    )
    each = folded.select(F.explode(F.arrays_zip("_records", "_out")).alias("_one"))
    valid = each.select(
        F.col(f"_one._records.{SEQUENCE}").alias(SEQUENCE),
        F.col(f"_one._records.{LINE}").alias(LINE),
        F.col("_one._out.fate").alias(FATE),
        F.col("_one._out.replaced").alias(REPLACED_HASH),
        F.col("_one._out.version").alias(DECIDED_VERSION),
        F.col("_one._out.updated").alias(DECIDED_UPDATED),
    )
    rejected = parsed.where(~is_valid).select(
        SEQUENCE,
        LINE,
        F.lit("quarantined").alias(FATE),
        F.lit(None).cast("bigint").alias(REPLACED_HASH),
        _version(silver).alias(DECIDED_VERSION),
        F.col(SOURCE_UPDATED).alias(DECIDED_UPDATED),
    )
    return valid.unionByName(rejected)


def current(versions: DataFrame, silver: Silver) -> DataFrame:
    """The last winner of each key among rows of the table of versions; a deletion is one too."""
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    newest_first = Window.partitionBy(*(F.col(quoted(name)) for name in silver.key)).orderBy(
        F.col(SEQUENCE).desc(), F.col(LINE).desc()
    )
    return (
        versions.where(F.col(FATE).isin(*WINNERS))
        .withColumn("_rank", F.row_number().over(newest_first))
        .where("_rank = 1")
        .drop("_rank")
    )


def _known(silver_rows: DataFrame, deletions: DataFrame | None, silver: Silver) -> DataFrame:
    """Per key what is current before the batch: a row of silver, or else its last deletion."""
    from pyspark.sql import functions as F

    key = [F.col(quoted(name)) for name in silver.key]
    version, updated = _version(silver), F.col(SOURCE_UPDATED)
    rows = silver_rows.select(
        *key,
        F.struct(
            F.lit(_ROW).alias("state"),
            version.alias("version"),
            updated.alias("updated"),
            F.col(CONTENT_HASH).alias("content"),
        ).alias("_row"),
    )
    if deletions is None:
        return rows.withColumnRenamed("_row", "_known")
    gone = F.struct(
        F.lit(_DELETED).alias("state"),
        version.alias("version"),
        updated.alias("updated"),
        F.col(REPLACED_HASH).alias("content"),
    )
    last = deletions.groupBy(*key).agg(F.max_by(gone, F.struct(SEQUENCE, LINE)).alias("_gone"))
    both = rows.join(last, list(silver.key), "full_outer")
    return both.select(*key, F.coalesce("_row", "_gone").alias("_known"))


def _version_type(silver: Silver) -> str:
    return COLUMN_TYPES[silver.column(silver.version).type].spark if silver.version else "bigint"


def _version(silver: Silver) -> Column:
    """A record's version; null for all records where the contract names none."""
    from pyspark.sql import functions as F

    if not silver.version:
        return F.lit(None).cast(_version_type(silver))
    return F.col(quoted(silver.version))


def _start(version_type: str) -> str:
    return f"""named_struct(
      'state', coalesce(_known.state, {_NONE}),
      'version', _known.version,
      'updated', _known.updated,
      'content', _known.content,
      'fates', cast(array() as array<struct<
          fate: string, replaced: bigint, version: {version_type}, updated: string>>))"""
