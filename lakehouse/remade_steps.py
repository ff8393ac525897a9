"""What each step made of the landed pages in two homes, compared: bronze, silver, gold, export.

What a step made then is read where it still is. Bronze and the table of versions are append-only,
so that their rows of some pages are those of that time. Gold and the export are compared by the
digests that the export's manifest has, and by rows only where these differ. Read-only.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec.structs import replace

from goldlake_core.contracts.sections import Model, UseCase
from goldlake_core.documents.export import ExportManifest
from goldlake_core.documents.reproducing import DataStep, RemakeRequest, RowsCompared
from goldlake_core.storage.deltalog import DeltaLog, Snapshot
from goldlake_core.storage.exports import Damage, examined
from goldlake_core.storage.home import Home
from lakehouse import delta, epochs, rebuilt, specs
from lakehouse.account import summed
from lakehouse.specs import CONTENT_HASH, FATE, FILE, LINE, TableSpec

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

TAKEN_BACK = "a restore took pages of it back since"
GONE = "what it made then is not in the home any more"


@dataclass(frozen=True)
class Both:
    """The two homes, and what is compared in them.

    Attributes:
        spark: The Spark session.
        usecase: The use case with the one gold table of the model.
        model: The model that learned from the export.
        home: Where the model was made.
        place: Where its landed pages were refined again.
        request: Which export of the first home it was.
        then: The manifest of that export.
        now: The manifest of the export of the other home.
        export_id: Id of the export of the other home.
    """

    spark: SparkSession
    usecase: UseCase
    model: Model
    home: Home
    place: Home
    request: RemakeRequest
    then: ExportManifest
    now: ExportManifest
    export_id: str


def compared_rows(step: DataStep, then: DataFrame, now: DataFrame) -> RowsCompared:
    """Compares two sets of rows by value, whatever their order; rows are counted as often as there.

    Args:
        step: The step that made them.
        then: Rows of columns that can be hashed.
        now: Rows of the same columns.
    """
    one, other = _account(then), _account(now)
    if one == other:
        return RowsCompared(step=step, state="equal", then=one[0], now=other[0])
    return RowsCompared(
        step=step,
        state="differs",
        then=one[0],
        now=other[0],
        only_then=then.exceptAll(now).count(),
        only_now=now.exceptAll(then).count(),
    )


def _account(rows: DataFrame) -> tuple[int, int]:
    """Number of rows, and the sum of their hashes modulo 2**64."""
    from pyspark.sql import functions as F

    found = rows.agg(F.count("*").alias("rows"), summed(F.xxhash64(*rows.columns)).alias("hash"))
    row = found.collect()[0]
    return int(row["rows"]), int(row["hash"]) % 2**64


def _bronze(both: Both) -> RowsCompared:
    tables = specs.bronze(both.usecase, both.home), specs.bronze(both.usecase, both.place)
    return _of_pages(both, "bronze", tables, "file", ("file", "line", "value"))


def _silver(both: Both) -> RowsCompared:
    tables = (
        specs.versions(both.usecase, both.home, both.request.epoch),
        specs.versions(both.usecase, both.place, epochs.FIRST),
    )
    return _of_pages(both, "silver", tables, FILE, (FILE, LINE, FATE, CONTENT_HASH))


def _of_pages(
    both: Both,
    step: DataStep,
    tables: tuple[TableSpec, TableSpec],
    file: str,
    columns: Sequence[str],
) -> RowsCompared:
    """Compares the rows of the pages in a table that is appended to page by page."""
    from pyspark.sql import functions as F

    now = delta.read(both.spark, tables[1].uri).select(*columns)
    log = DeltaLog(tables[0].uri)
    if not log.exists() or not _is_readable(both.home, log.snapshot()):
        return _not_compared(step, GONE, now.count())
    pages = {page.name for page in specs.landing(both.usecase, both.place).manifest()}
    here = specs.landing(both.usecase, both.home)
    if not pages <= {page.name for page in here.manifest()}:
        return _not_compared(step, TAKEN_BACK, now.count())
    within = ("sequence" if step == "bronze" else specs.SEQUENCE, 1, both.request.through)
    rows = delta.read(both.spark, tables[0].uri, within=within)
    left_out = here.left_out() | {page.name for page in here.aside()}
    other = sorted(left_out - pages)
    mine = rows.where(~F.col(file).isin(other)) if other else rows
    return compared_rows(step, mine.select(*columns), now)


def _gold(both: Both) -> RowsCompared:
    then, now = (sum(each.rows.values()) for each in (both.then, both.now))
    if both.then.content_hash == both.now.content_hash:
        return RowsCompared(step="gold", state="equal", then=then, now=now)
    table = both.usecase.gold[both.model.table]
    spec = specs.gold(both.usecase, both.place, table)
    found = RowsCompared(step="gold", state="differs", then=then, now=now)
    log = DeltaLog(specs.gold(both.usecase, both.home, table).uri)
    if both.then.version not in log.versions():
        return replace(found, note=GONE)
    snapshot = log.snapshot(both.then.version)
    if not _is_readable(both.home, snapshot):
        return replace(found, note=GONE)
    before = delta.read(both.spark, snapshot.uri, snapshot.version)
    after = delta.read(both.spark, spec.uri)
    if before.columns != after.columns:
        return replace(found, note="it has other columns now")
    counted = compared_rows("gold", before, after)
    is_near = not rebuilt.differences(before, after, spec, table.key)
    note = "only in the last digits of sums, which depend on the order of rows" if is_near else ""
    return replace(counted, state="differs", note=note)


def _export(both: Both) -> RowsCompared:
    parts = [
        {part.path: part.sha256 for split in each.splits.values() for part in split.parts}
        for each in (both.then, both.now)
    ]
    then, now = (sum(s.rows for s in each.splits.values()) for each in (both.then, both.now))
    names = sorted(parts[0].keys() | parts[1].keys())
    files = tuple(name for name in names if parts[0].get(name) != parts[1].get(name))
    if not files:
        return RowsCompared(step="export", state="equal", then=then, now=now)
    found = RowsCompared(step="export", state="differs", then=then, now=now, files=files)
    request = both.request
    damage = examined(both.home, request.export_id, request.manifest_sha256)
    if isinstance(damage, Damage):
        return replace(found, note=f"then: {damage.problem}")
    places = ((both.home, request.export_id, 0), (both.place, both.export_id, 1))
    before, after = (
        _lines(both.spark, home.path("exports", export_id), [f for f in files if f in parts[i]])
        for home, export_id, i in places
    )
    counted = compared_rows("export", before, after)
    return replace(found, only_then=counted.only_then, only_now=counted.only_now)


def _lines(spark: SparkSession, folder: str, files: Sequence[str]) -> DataFrame:
    """The lines of parts without their headers, each with its split."""
    from pyspark.sql import functions as F

    if not files:
        return spark.createDataFrame([], "split string, value string")
    path = F.col("_metadata.file_path")
    reader = spark.read.option("header", "false").option("__globPaths__", "false")
    lines = reader.text([posixpath.join(folder, file) for file in files])
    first = lines.limit(1).collect()[0]["value"]
    split = F.regexp_extract(path, r"/([^/]+)/[^/]+$", 1).alias("split")
    return lines.select(split, "value").where(F.col("value") != first)


STEPS: Mapping[DataStep, Callable[[Both], RowsCompared]] = {
    "bronze": _bronze,
    "silver": _silver,
    "gold": _gold,
    "export": _export,
}
"""What compares each step, in the order of the data."""


def _not_compared(step: DataStep, note: str, now: int) -> RowsCompared:
    return RowsCompared(step=step, state="not compared", then=None, now=now, note=note)


def _is_readable(home: Home, snapshot: Snapshot) -> bool:
    """Whether all files of a version are still there: VACUUM removes those of earlier ones."""
    return all(home.fs.exists(posixpath.join(snapshot.uri, f.path)) for f in snapshot.files)
