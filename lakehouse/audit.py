"""The account of every landed record: manifest, bronze, fates, quarantine and silver agree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from goldlake_core.contracts.errors import StoreError
from goldlake_core.contracts.sections import UseCase
from goldlake_core.stages import Emit
from goldlake_core.storage.home import Home
from lakehouse import delta, specs
from lakehouse.deltalog import DeltaLog
from lakehouse.fates import FATES

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

NAMED_RECORDS = 5


@dataclass(frozen=True)
class Lines:
    """The lines of one page that a table holds, as a fingerprint.

    Attributes:
        count: Number of rows.
        total: Sum of the hashes of the line numbers, modulo 2**64: 1, 2, 3 and 1, 1, 4 differ.
    """

    count: int
    total: int


def check(spark: SparkSession, usecase: UseCase, home: Home, emit: Emit) -> dict[str, int]:
    """Compares what was landed with bronze, the fates, quarantine and silver. Read-only.

    Per page the number and the fingerprint of its lines are compared; only where they differ are
    single records looked up.

    Returns:
        Counts over all time: landed, each fate, silver.

    Raises:
        StoreError: A record is lost or was counted twice; file and line are named.
    """
    bronze = delta.read(spark, specs.bronze(usecase, home).uri)
    fates = delta.read(spark, specs.fates(usecase, home).uri)
    pages = {e.name: e.rows for e in specs.landing(usecase, home).manifest()}
    in_bronze, in_fates = _by_page(bronze), _by_page(fates)
    _report_unlisted(sorted(in_bronze.keys() - pages.keys()), emit)
    expected = _expected(spark, pages) | {
        page: lines for page, lines in in_bronze.items() if page not in pages
    }
    for what, held, table in (("bronze", in_bronze, bronze), ("the fates", in_fates, fates)):
        differing = _differing(expected, held)
        if differing:
            raise _unbalanced(spark, usecase, what, expected, differing, table)
    return _check_totals(spark, usecase, home, fates)


def counts(fates: DataFrame) -> dict[str, int]:
    """Records per fate, all fates named, and their sum as ``landed``."""
    found = {row["fate"]: row["count"] for row in fates.groupBy("fate").count().collect()}
    return {"landed": sum(found.values()), **{fate: found.get(fate, 0) for fate in FATES}}


def empty_counts() -> dict[str, int]:
    """Counts where there are no records: all zero."""
    return dict.fromkeys(("landed", *FATES), 0)


def reasons(fates: DataFrame) -> dict[str, int]:
    """Quarantined records per reason code, most frequent first; a record can have several."""
    from pyspark.sql import functions as F

    codes = fates.where(F.col("fate") == "quarantined").select(F.explode("reasons").alias("code"))
    found = codes.groupBy("code").count().orderBy(F.desc("count"), "code").collect()
    return {row["code"]: row["count"] for row in found}


def _by_page(table: DataFrame) -> dict[str, Lines]:
    from pyspark.sql import functions as F

    # Summed as decimals for the reason given in `lakehouse.export._account`.
    rows = table.groupBy("file").agg(
        F.count("*").alias("count"), F.sum(F.xxhash64("line").cast("decimal(20,0)")).alias("total")
    )
    return {r["file"]: Lines(r["count"], int(r["total"]) % 2**64) for r in rows.collect()}


def _expected(spark: SparkSession, pages: Mapping[str, int]) -> dict[str, Lines]:
    """The fingerprints of whole pages, by their number of rows."""
    from pyspark.sql import functions as F

    sizes = sorted({rows for rows in pages.values() if rows})
    found: dict[int, Lines] = {}
    if sizes:
        whole = spark.range(1, sizes[-1] + 1).select(F.col("id").cast("int").alias("line"))
        value = F.xxhash64("line").cast("decimal(20,0)")
        sums = whole.agg(
            *(F.sum(F.when(F.col("line") <= size, value)).alias(str(size)) for size in sizes)
        ).collect()[0]
        found = {size: Lines(size, int(sums[str(size)]) % 2**64) for size in sizes}
    return {page: found[rows] for page, rows in pages.items() if rows}


def _differing(expected: Mapping[str, Lines], held: Mapping[str, Lines]) -> list[str]:
    return sorted(
        page for page in expected.keys() | held.keys() if expected.get(page) != held.get(page)
    )


def _unbalanced(
    spark: SparkSession,
    usecase: UseCase,
    what: str,
    expected: Mapping[str, Lines],
    pages: list[str],
    table: DataFrame,
) -> StoreError:
    """Returns the error that names the records; looks them up one by one."""
    from pyspark.sql import functions as F

    lost, doubled, foreign = [], [], []
    for page in pages[:NAMED_RECORDS]:
        size = expected[page].count if page in expected else 0
        held = table.where(F.col("file") == page).groupBy("line").count()
        whole = spark.range(1, size + 1).select(F.col("id").cast("int").alias("line"))
        lost += _named(page, whole.join(held, "line", "left_anti"))
        foreign += _named(page, held.join(whole, "line", "left_anti"))
        doubled += _named(page, held.where(F.col("count") > 1))
    parts = [
        f"{title}: {', '.join(names[:NAMED_RECORDS])}"
        for title, names in (
            ("missing", lost),
            ("more than once", doubled),
            ("not landed", foreign),
        )
        if names
    ]
    return StoreError(
        f"The account of {usecase.name} does not balance: {what} and the landed pages differ in "
        f"{len(pages)} page{'s' if len(pages) > 1 else ''} ({'; '.join(parts)})",
        hint="restore the tables of this home from a copy, or ingest again into another --home",
    )


def _named(page: str, lines: DataFrame) -> list[str]:
    found = lines.select("line").orderBy("line").limit(NAMED_RECORDS).collect()
    return [f"{page}:{row['line']}" for row in found]


def _report_unlisted(pages: list[str], emit: Emit) -> None:
    if pages:
        emit(
            "info",
            f"{len(pages)} landed page(s) have no manifest line yet, {pages[0]} for one: the "
            "landing was interrupted; the next one writes it",
        )


def _check_totals(
    spark: SparkSession, usecase: UseCase, home: Home, fates: DataFrame
) -> dict[str, int]:
    totals = counts(fates)
    rejected = DeltaLog(specs.quarantine(usecase, home).uri).snapshot().rows
    silver = DeltaLog(specs.silver(usecase, home).uri).snapshot().rows
    should_be = {
        "quarantine": (rejected, totals["quarantined"], "quarantined"),
        "silver": (silver, totals["inserted"] - totals["deleted"], "inserted and not deleted"),
    }
    for table, (rows, expected, fate) in should_be.items():
        if rows != expected:
            raise StoreError(
                f"The account of {usecase.name} does not balance: {table} has {rows:,} rows and "
                f"{expected:,} records were {fate}",
                hint="restore the tables of this home from a copy, or ingest again into another "
                "--home",
            )
    return {**totals, "silver": silver}
