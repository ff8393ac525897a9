"""Landed pages to bronze: every line with its place, as text, exactly once."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from goldlake_core.contracts.errors import StoreError
from goldlake_core.contracts.sections import UseCase
from goldlake_core.stages import Emit
from goldlake_core.storage.deltalog import DeltaLog
from goldlake_core.storage.home import Home
from goldlake_core.storage.landing import LandingZone, PageEntry, content_of
from lakehouse import commits, delta, specs
from lakehouse.commits import BronzeCommit

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

# A page is one string in memory while it is split: 64 pages of 10,000 rows are two tasks' work.
PAGES_PER_COMMIT = 64


def ingest(spark: SparkSession, usecase: UseCase, home: Home, run_id: str, emit: Emit) -> None:
    """Appends the records of pages that bronze does not hold. Writes; idempotent.

    The manifest says which pages there are. Each is compared with its manifest line before a
    record of it is written.

    Raises:
        StoreError: A page is missing or is not the one that was landed, or bronze holds more than
            the landing zone does.
    """
    zone = specs.landing(usecase, home)
    spec = specs.bronze(usecase, home)
    _prepare(spark, spec, run_id)
    done = commits.newest(spec.uri, BronzeCommit)
    pages, restore = zone.manifest(), zone.restores().newest.run_id
    last = pages[-1].sequence if pages else 0
    if done.through > last:
        raise StoreError(
            f"{spec.id} holds the pages up to number {done.through} and the landing zone of "
            f"{home.root} only those up to {last}: landed pages are missing",
            hint="restore the folder landing/ from a copy of the home",
        )
    for group in _groups([page for page in pages if page.sequence > done.through]):
        for page in group:
            _require_as_landed(zone, page)
            zone.unpack(page.name)
        through, rows = group[-1].sequence, done.rows + sum(page.rows for page in group)
        done = BronzeCommit(through=through, rows=rows, run_id=run_id, restore=restore)
        txn = delta.Txn(commits.application(DeltaLog(spec.uri).snapshot(), "bronze"), through)
        records = _records(spark, zone, group).select(*spec.names)
        delta.append(records, spec.uri, txn=txn, metadata=commits.metadata(done))
        emit("progress", f"bronze: {rows:,} records", done=through, total=last)


def follow(spark: SparkSession, usecase: UseCase, home: Home, run_id: str) -> None:
    """Takes out of bronze what a restore of the landing zone went back before. Idempotent."""
    from pyspark.sql import functions as F

    spec, restores = specs.bronze(usecase, home), specs.landing(usecase, home).restores()
    held = commits.newest(spec.uri, BronzeCommit)
    through = restores.agreed(held.restore, held.through)
    if through < held.through:
        rows = delta.read(spark, spec.uri).where(F.col("sequence") <= through).count()
        restore = restores.newest.run_id
        made = BronzeCommit(through=through, rows=rows, run_id=run_id, restore=restore)
        delta.delete(spark, spec.uri, f"sequence > {through}", commits.metadata(made))


def _prepare(spark: SparkSession, spec: specs.TableSpec, run_id: str) -> None:
    """Creates bronze; one of an earlier version is made again, from the landed pages."""
    if delta.create(spark, spec) or delta.is_same_shape(spec, DeltaLog(spec.uri).snapshot().schema):
        return
    empty = spark.createDataFrame([], ", ".join(f"{f.name} {f.type}" for f in spec.fields))
    delta.overwrite(empty, spec, commits.metadata(BronzeCommit(run_id=run_id)))


def _groups(pages: Sequence[PageEntry]) -> Iterator[Sequence[PageEntry]]:
    for start in range(0, len(pages), PAGES_PER_COMMIT):
        yield pages[start : start + PAGES_PER_COMMIT]


def require_pages(usecase: UseCase, home: Home) -> None:
    """Compares every landed page with its manifest line. Read-only.

    Raises:
        StoreError: A page is missing or is not the one that was landed.
    """
    zone = specs.landing(usecase, home)
    for page in zone.manifest():
        _require_as_landed(zone, page)


def _require_as_landed(zone: LandingZone, page: PageEntry) -> None:
    """Raises StoreError unless the page's file holds the records that its manifest line says."""
    lines = zone.read_page(page)
    if len(lines) != page.rows or page.content not in (None, content_of(lines)):
        raise StoreError(
            f"The landed page {zone.page_uri(page.name)} holds {len(lines)} records that are not "
            f"the {page.rows} of its manifest line",
            hint="restore the folder landing/ from a copy of the home",
        )


def _records(spark: SparkSession, zone: LandingZone, pages: Sequence[PageEntry]) -> DataFrame:
    """One row per line of each page.

    Returns:
        sequence, file, line (from 1), value, landed_at. The empty text after the last line break
        does not count as a line; an empty line between others does.
    """
    from pyspark.sql import functions as F

    # A literal costs neither a job nor a worker of Python, as a table of these rows would.
    places = {p.name: {"sequence": p.sequence, "landed_at": p.landed_at} for p in pages}
    kind = "map<string, struct<sequence: bigint, landed_at: timestamp>>"
    place = F.element_at(F.from_json(F.lit(json.dumps(places)), kind), F.col("file"))
    body = F.regexp_replace("value", r"\n\z", "")
    texts = (
        spark.read.format("text")
        .option("wholetext", "true")
        # A path is taken as it is, without patterns.
        .option("__globPaths__", "false")
        .load([zone.page_uri(page.name) for page in pages])
        .where("value <> ''")
    )
    lines = texts.select(
        F.col("_metadata.file_name").alias("file"),
        F.posexplode(F.split(body, "\n", -1)).alias("_position", "value"),
    )
    return lines.select(
        place["sequence"].alias("sequence"),
        "file",
        (F.col("_position") + 1).cast("int").alias("line"),
        "value",
        place["landed_at"].alias("landed_at"),
    )
