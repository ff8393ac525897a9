"""The account of whole tables: numbers of rows after every run, all contents on request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from goldlake_core.contracts.errors import StoreError
from goldlake_core.contracts.sections import UseCase
from goldlake_core.documents.lakehouse import Fates, Totals
from goldlake_core.stages import Emit
from goldlake_core.storage.deltalog import DeltaLog
from goldlake_core.storage.home import Home
from lakehouse import account, commits, delta, fates, specs
from lakehouse.account import NAMED, Lines
from lakehouse.commits import BronzeCommit, VersionsCommit
from lakehouse.gold import tables as gold
from lakehouse.parsing import content_hash
from lakehouse.specs import CONTENT_HASH, FATE, FATES, FILE, LINE, RECORD_HASH

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession


def check(spark: SparkSession, usecase: UseCase, home: Home, epoch: int, emit: Emit) -> Totals:
    """Compares the number of rows of every table with what its commits say. Read-only.

    Only where they differ are the contents compared, which names the records.

    Returns:
        Records by fate over all time, and the rows of silver.

    Raises:
        StoreError: A record is lost or was counted twice; file and line are named.
    """
    totals = counted(usecase, home, epoch)
    if totals is None:
        _compare_records(spark, usecase, home, epoch, emit)
        bronze, versions = specs.bronze(usecase, home), specs.versions(usecase, home, epoch)
        landed = commits.newest(bronze.uri, BronzeCommit).rows
        raise StoreError(
            f"The account of {usecase.name} does not balance: {bronze.id} has {_rows(bronze):,} "
            f"rows and {versions.id} {_rows(versions):,}; {landed:,} records were landed",
            hint=f"goldlake rebuild {usecase.name}",
        )
    return totals


def counted(usecase: UseCase, home: Home, epoch: int) -> Totals | None:
    """The account by the number of rows of each table, out of their logs. Read-only.

    Returns:
        Records by fate over all time, and the rows of silver; None where bronze or the versions
        have other rows than their commits say.

    Raises:
        StoreError: Silver has more or fewer rows than its versions make.
    """
    bronze, versions = specs.bronze(usecase, home), specs.versions(usecase, home, epoch)
    done = commits.newest(versions.uri, VersionsCommit)
    totals = done.totals
    held = commits.newest(bronze.uri, BronzeCommit)
    expected = ((bronze, held.rows), (versions, totals.landed))
    # Pages that a gate stopped, or that a run was killed before, are in bronze alone.
    is_same = held.rows == totals.landed or held.through > done.through
    if any(_rows(spec) != rows for spec, rows in expected) or not is_same:
        return None
    silver = specs.silver(usecase, home, epoch)
    account.require_silver(silver, totals)
    return Totals(
        **{name: getattr(totals, name) for name in totals.__struct_fields__}, silver=_rows(silver)
    )


def deep(spark: SparkSession, usecase: UseCase, home: Home, epoch: int, emit: Emit) -> None:
    """Compares contents: pages, bronze, versions, silver, and gold with a rebuild. Read-only.

    Raises:
        StoreError: Records are missing, doubled, foreign or changed; they are named by page and
            line, rows of gold by their key.
    """
    _compare_records(spark, usecase, home, epoch, emit)
    for table in usecase.gold.values():
        emit("progress", f"account: {specs.gold(usecase, home, table).id}")
        gold.require_rebuilt(spark, usecase, home, epoch, table)


def _compare_records(
    spark: SparkSession, usecase: UseCase, home: Home, epoch: int, emit: Emit
) -> None:
    from pyspark.sql import functions as F

    emit("progress", "account: bronze")
    compare_bronze(spark, usecase, home)
    emit("progress", "account: versions")
    spec = specs.versions(usecase, home, epoch)
    versions, held = delta.read(spark, spec.uri), commits.newest(spec.uri, VersionsCommit)
    record = F.col(RECORD_HASH)
    _compare_pages(usecase, home, "the versions", versions, FILE, LINE, record, held.through)
    _compare_versions(usecase, versions, held.totals)
    emit("progress", "account: silver")
    _compare_silver(usecase, versions, delta.read(spark, specs.silver(usecase, home, epoch).uri))


def compare_bronze(spark: SparkSession, usecase: UseCase, home: Home) -> None:
    """Compares the records of bronze with those of the pages that it was made from. Read-only.

    Raises:
        StoreError: Records are missing, doubled, foreign or changed; they are named by page and
            line.
    """
    from pyspark.sql import functions as F

    spec = specs.bronze(usecase, home)
    record = F.xxhash64(F.col("line"), F.col("value"))
    through = commits.newest(spec.uri, BronzeCommit).through
    table = delta.read(spark, spec.uri)
    _compare_pages(usecase, home, "bronze", table, "file", "line", record, through)


def _rows(spec: specs.TableSpec) -> int:
    return DeltaLog(spec.uri).snapshot().rows


def _compare_pages(
    usecase: UseCase,
    home: Home,
    what: str,
    table: DataFrame,
    file: str,
    line: str,
    record: Column,
    through: int,
) -> None:
    from pyspark.sql import functions as F

    groups = (
        table.groupBy(file)
        .agg(F.count("*").alias("rows"), account.summed(record).alias("content"))
        .collect()
    )
    held = {row[file]: Lines(row["rows"], int(row["content"]) % 2**64) for row in groups}
    zone = specs.landing(usecase, home)
    landed = [page for page in zone.manifest() if page.sequence <= through]
    pages = [*landed, *(page for page in zone.aside() if page.name in held)]
    wrong = account.differing(pages, held)
    if wrong:
        sizes = {page.name: page.rows for page in pages}
        raise _unbalanced(usecase, what, wrong, sizes, table, file, line)


def _unbalanced(
    usecase: UseCase,
    what: str,
    wrong: list[str],
    sizes: Mapping[str, int],
    table: DataFrame,
    file: str,
    line: str,
) -> StoreError:
    """Returns the error that names the records; looks them up page by page."""
    from pyspark.sql import functions as F

    spark = table.sparkSession
    lost: list[str] = []
    doubled: list[str] = []
    foreign: list[str] = []
    changed: list[str] = []
    for page in wrong[:NAMED]:
        held = table.where(F.col(file) == page).groupBy(F.col(line).alias("line")).count()
        whole = spark.range(1, sizes.get(page, 0) + 1).select(F.col("id").cast("int").alias("line"))
        names = (
            _named(page, whole.join(held, "line", "left_anti")),
            _named(page, held.where(F.col("count") > 1)),
            _named(page, held.join(whole, "line", "left_anti")),
        )
        for found, more in zip((lost, doubled, foreign), names, strict=True):
            found += more
        if not any(names):
            changed.append(page)
    parts = [
        f"{title}: {', '.join(names[:NAMED])}"
        for title, names in (
            ("missing", lost),
            ("more than once", doubled),
            ("not landed", foreign),
            ("another text in", changed),
        )
        if names
    ]
    return StoreError(
        f"The account of {usecase.name} does not balance: {what} and the landed pages differ in "
        f"{len(wrong)} page{'s' if len(wrong) > 1 else ''} ({'; '.join(parts)})",
        hint=f"goldlake rebuild {usecase.name}",
    )


def _named(page: str, lines: DataFrame) -> list[str]:
    found = lines.select("line").orderBy("line").limit(NAMED).collect()
    return [f"{page}:{row['line']}" for row in found]


def _compare_versions(usecase: UseCase, versions: DataFrame, totals: Fates) -> None:
    """Every version has the values that its hash was made of, and the fates are those stored."""
    from pyspark.sql import functions as F

    columns = usecase.silver.names
    # A tombstone got the version of what it deleted, which its hash was made without.
    without = tuple(name for name in columns if name != usecase.silver.version)
    hashes = [content_hash(each) for each in (columns, without)]
    is_other = ~F.col(CONTENT_HASH).isin(*hashes)
    wrong = versions.where(is_other).select(FILE, LINE).orderBy(FILE, LINE).limit(NAMED).collect()
    if wrong:
        names = ", ".join(f"{row[FILE]}:{row[LINE]}" for row in wrong)
        raise StoreError(
            f"The account of {usecase.name} does not balance: the versions have other values than "
            f"their records ({names})",
            hint=f"goldlake rebuild {usecase.name}",
        )
    found = {row[FATE]: row["count"] for row in versions.groupBy(FATE).count().collect()}
    differing = [
        f"{found.get(fate, 0):,} {fate} instead of {getattr(totals, fate):,}"
        for fate in FATES
        if found.get(fate, 0) != getattr(totals, fate)
    ]
    if differing:
        raise StoreError(
            f"The account of {usecase.name} does not balance: the versions have other fates than "
            f"their commits say ({', '.join(differing)})",
            hint=f"goldlake rebuild {usecase.name}",
        )


def _compare_silver(usecase: UseCase, versions: DataFrame, silver: DataFrame) -> None:
    """Every current version is a row of silver, with the values that its hash was made of."""
    from pyspark.sql import functions as F

    current = (
        fates.current(versions, usecase.silver)
        .where(F.col(FATE) != "deleted")
        .select(FILE, LINE, F.col(CONTENT_HASH).alias("_wanted"))
    )
    rows = (
        silver.select(FILE, LINE, CONTENT_HASH, content_hash(usecase.silver.names).alias("_found"))
        .groupBy(FILE, LINE)
        .agg(
            F.count("*").alias("_rows"),
            F.first(CONTENT_HASH).alias(CONTENT_HASH),
            F.first("_found").alias("_found"),
        )
    )
    both = current.join(rows, [FILE, LINE], "full_outer")
    wrong = both.where(
        (F.col("_rows") > 1)
        | F.col("_wanted").isNull()
        | F.col("_found").isNull()
        | (F.col("_wanted") != F.col("_found"))
        | (F.col(CONTENT_HASH) != F.col("_found"))
    )
    found = wrong.orderBy(FILE, LINE).limit(NAMED + 1).collect()
    if not found:
        return
    problems = []
    for row in found[:NAMED]:
        kind = (
            "does not belong there"
            if row["_wanted"] is None
            else "is missing"
            if row["_found"] is None
            else "is there more than once"
            if row["_rows"] > 1
            else "has other values than its record"
        )
        problems.append(f"{row[FILE]}:{row[LINE]} {kind}")
    more = ", and more" if len(found) > NAMED else ""
    raise StoreError(
        f"The account of {usecase.name} does not balance: silver differs from the versions "
        f"({'; '.join(problems)}{more})",
        hint=f"goldlake rebuild {usecase.name}",
    )
