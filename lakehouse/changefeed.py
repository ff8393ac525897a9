"""What changed in a table between two versions: rows before and after, from the files that differ.

Nothing is written beside the table's own files for it. A commit that only wrote files again, as
compaction does, changes nothing.
"""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from functools import reduce
from typing import TYPE_CHECKING

from goldlake_core.contracts.sql_rules import quoted
from goldlake_core.storage.deltalog import DataFile, DeltaLog
from lakehouse import commits, files
from lakehouse.commits import SilverCommit

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

CHANGE = "_change_type"
INSERT, DELETE, BEFORE, AFTER = "insert", "delete", "update_preimage", "update_postimage"


def can_follow(uri: str, first: int, last: int) -> bool:
    """Whether the rows before versions ``first`` to ``last`` can still be read."""
    log = DeltaLog(uri)
    if not set(range(first, last + 1)) <= set(log.versions()):
        return False
    removed, _ = _differing(log, first, last)
    return all(log.fs.exists(posixpath.join(log.root, file.path)) for file in removed)


def differs(uri: str, first: int, last: int) -> bool:
    """Whether versions ``first`` to ``last`` left other files than there were."""
    return any(_differing(DeltaLog(uri), first, last))


def added(uri: str, first: int, last: int) -> frozenset[str]:
    """The files that versions ``first`` to ``last`` added and left there."""
    return frozenset(file.path for file in _differing(DeltaLog(uri), first, last)[1])


def between(
    spark: SparkSession,
    uri: str,
    first: int,
    last: int,
    key: Sequence[str],
    columns: Sequence[str],
    touched: DataFrame | None = None,
) -> DataFrame:
    """The net changes of versions ``first`` to ``last``, both included.

    Args:
        spark: The Spark session.
        uri: Location of the table.
        first: The first version whose changes count.
        last: The last one.
        key: Columns that identify a row; none of them is null.
        columns: Columns that are looked at, the key among them.
        touched: Columns of the key; no other keys changed. None: all keys are compared.

    Returns:
        ``columns`` and ``_change_type``: a row as it was (delete, update_preimage) or is (insert,
        update_postimage).
    """
    from pyspark.sql import functions as F

    log = DeltaLog(uri)
    was_files, now_files = _differing(log, first, last)
    snapshot = log.snapshot(last)

    def side(chosen: Sequence[DataFile], name: str) -> DataFrame:
        rows = files.rows_of(spark, snapshot, chosen)
        if touched is not None:
            rows = rows.join(touched, list(key), "left_semi")
        row = F.struct(*map(quoted, columns)).alias(name)
        return rows.select(*(F.col(quoted(k)).alias(f"{name}{k}") for k in key), row)

    was, now = side(was_files, "_was"), side(now_files, "_now")
    is_same_key = reduce(
        lambda one, other: one & other,
        (F.col(quoted(f"_was{k}")) == F.col(quoted(f"_now{k}")) for k in key),
    )
    both = was.join(now, is_same_key, "full_outer").where(~F.col("_was").eqNullSafe(F.col("_now")))

    def image(name: str, other: str, alone: str, paired: str) -> Column:
        kind = F.when(F.col(other).isNull(), alone).otherwise(paired)
        return F.struct(F.col(name).alias("row"), kind.alias("kind"))

    images = F.array(image("_was", "_now", DELETE, BEFORE), image("_now", "_was", INSERT, AFTER))
    each = both.select(F.explode(images).alias("_one")).where("_one.row is not null")
    return each.select("_one.row.*", F.col("_one.kind").alias(CHANGE))


def taken_in(uri: str, first: int, last: int, after: int) -> int | None:
    """The last page that silver took in, if each commit took in the pages after those of the last.

    Then the changed keys are those of the versions of these pages.

    Args:
        uri: Location of silver.
        first: The first version that counts.
        last: The last one.
        after: Sequence of the last page that the version before ``first`` holds.

    Returns:
        The sequence of the page, or None where a commit did something else.
    """
    log = DeltaLog(uri)
    for number in range(first, last + 1):
        commit = log.commit(number)
        if commits.THROUGH in commit.metadata and commit.metadata.get(commits.AFTER) is not None:
            made = commits.decoded(commit, SilverCommit)
            if made.after != after:
                return None
            after = made.through
        elif log.changes_rows(number):
            return None
    return after


def _differing(log: DeltaLog, first: int, last: int) -> tuple[list[DataFile], list[DataFile]]:
    """The files of the version before ``first`` that ``last`` lacks, and those that it has more."""
    removed: dict[str, DataFile] = {}
    added: dict[str, DataFile] = {}
    for number in range(first, last + 1):
        for file, is_added in log.changed_files(number):
            if is_added:
                added[file.path] = file
            elif added.pop(file.path, None) is None:
                removed[file.path] = file
    return list(removed.values()), list(added.values())
