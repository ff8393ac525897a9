"""The account of every landed record: manifest, bronze, versions and silver agree.

Of a batch it is taken before the batch is written, and of the whole tables by their number of rows.
`audit` compares all contents.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from goldlake_core.contracts.errors import StoreError
from goldlake_core.documents.lakehouse import Fates
from goldlake_core.storage.deltalog import DeltaLog
from goldlake_core.storage.landing import PageEntry
from lakehouse.specs import (
    FATE,
    FATES,
    FILE,
    REASONS,
    RECORD_HASH,
    TableSpec,
)

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

NAMED = 5


@dataclass(frozen=True)
class Lines:
    """The records of one page as a fingerprint.

    Attributes:
        rows: Number of records.
        content: Sum of the hashes of line number and text, modulo 2**64.
    """

    rows: int
    content: int


@dataclass(frozen=True)
class Counted:
    """What a batch comes to.

    Attributes:
        pages: Its records by page.
        fates: Its records by fate.
        reasons: Its quarantined records by reason code, most frequent first; a record can have
            several.
    """

    pages: Mapping[str, Lines]
    fates: Fates
    reasons: Mapping[str, int]


def summed(column: Column) -> Column:
    """The exact sum of 64-bit hashes: a bigint would overflow, a double would be rounded.

    A hash fits decimal(20,0), and Spark sums those as decimal(30,0): enough for 10**10 rows.
    """
    from pyspark.sql import functions as F

    return F.coalesce(F.sum(column.cast("decimal(20,0)")), F.lit(0))


def of_batch(batch: DataFrame) -> Counted:
    """Counts a batch of versions.

    Args:
        batch: Rows of the table of versions that are about to be appended.
    """
    from pyspark.sql import functions as F

    groups = (
        batch.groupBy(FILE, FATE, REASONS)
        .agg(
            F.count("*").alias("rows"),
            summed(F.col(RECORD_HASH)).alias("records"),
        )
        .collect()
    )
    pages: dict[str, Lines] = {}
    counts = dict.fromkeys(FATES, 0)
    codes: Counter[str] = Counter()
    for group in groups:
        page = pages.get(group[FILE], Lines(0, 0))
        total = (page.content + int(group["records"])) % 2**64
        pages[group[FILE]] = Lines(page.rows + group["rows"], total)
        counts[group[FATE]] += group["rows"]
        if group[FATE] == "quarantined":
            codes.update(dict.fromkeys(group[REASONS], group["rows"]))
    reasons = dict(sorted(codes.items(), key=lambda code: (-code[1], code[0])))
    return Counted(pages, Fates(landed=sum(counts.values()), **counts), reasons)


def reasons(batch: DataFrame) -> dict[str, int]:
    """Quarantined records per reason code, most frequent first; a record can have several."""
    from pyspark.sql import functions as F

    codes = batch.where(F.col(FATE) == "quarantined").select(F.explode(REASONS).alias("code"))
    found = codes.groupBy("code").count().orderBy(F.desc("count"), "code").collect()
    return {row["code"]: row["count"] for row in found}


def differing(pages: Sequence[PageEntry], held: Mapping[str, Lines]) -> list[str]:
    """The pages whose records are not those that were landed, by name."""
    names = {page.name: page for page in pages}
    wrong = [name for name in held if name not in names]
    for name, page in names.items():
        found = held.get(name, Lines(0, 0))
        is_same = page.content is None or page.content == found.content
        if found.rows != page.rows or not is_same:
            wrong.append(name)
    return sorted(wrong)


def require_whole(usecase: str, pages: Sequence[PageEntry], held: Mapping[str, Lines]) -> None:
    """Checks that a batch holds the landed records of its pages, each once and unchanged.

    Raises:
        StoreError: It does not; the pages are named.
    """
    wrong = differing(pages, held)
    if not wrong:
        return
    rows = {page.name: page.rows for page in pages}
    told = "; ".join(
        f"{name}: {held.get(name, Lines(0, 0)).rows:,} of {rows.get(name, 0):,} records"
        for name in wrong[:NAMED]
    )
    raise StoreError(
        f"The account of {usecase} does not balance: bronze and the landed pages differ in "
        f"{len(wrong)} page{'s' if len(wrong) > 1 else ''} ({told}); nothing was written",
        hint="goldlake doctor --deep",
    )


def require_silver(spec: TableSpec, totals: Fates) -> None:
    """Checks silver's number of rows against the fates.

    Raises:
        StoreError: They differ.
    """
    rows, expected = DeltaLog(spec.uri).snapshot().rows, totals.inserted - totals.deleted
    if rows != expected:
        raise StoreError(
            f"The account does not balance: {spec.id} has {rows:,} rows and {expected:,} records "
            "were inserted and not deleted",
            hint="goldlake doctor --deep",
        )
