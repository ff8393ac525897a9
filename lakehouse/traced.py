"""From landed records to the rows that a model learned from. Read-only, without a JVM.

The table of versions has every landed record with its page, its key and its fate. What a gold
version knew are the records of the pages through the one that its commit names.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from goldlake_core.documents.export import ExportManifest
from goldlake_core.documents.lineage import TracedRecord
from goldlake_core.instants import utc_text
from goldlake_core.storage.home import Home
from lakehouse import catalog, epochs, rows
from lakehouse.knowledge import current_rows
from lakehouse.specs import FATE, FILE, KEY, KNOWN_FROM, LINE, REASONS, SEQUENCE, VERSIONS

if TYPE_CHECKING:
    import polars as pl

SPLITS = ("train", "eval", "test")
LEFT_OUT = "left out"


@dataclass(frozen=True)
class Traced:
    """The records of a page, a key or a reason code.

    Attributes:
        versions: All records of the epoch.
        wanted: Those that were asked for.
        holds_now: Whether rows count that come from a wanted record; else rows with its key.
    """

    versions: pl.LazyFrame
    wanted: pl.LazyFrame
    holds_now: bool

    def fates(self) -> dict[str, int]:
        """Number of wanted records by fate."""
        import polars as pl

        counts = self.wanted.group_by(FATE).agg(pl.len()).sort(FATE).collect()
        return {str(fate): int(count) for fate, count in counts.iter_rows()}

    def shown(self, most: int | None) -> tuple[TracedRecord, ...]:
        """Some wanted records, the newest first."""
        newest = self.wanted.sort(SEQUENCE, LINE, descending=True)
        newest = newest if most is None else newest.head(most)
        names = [SEQUENCE, LINE, FILE, KEY, FATE, REASONS, KNOWN_FROM]
        return tuple(
            TracedRecord(
                record=f"{row[FILE]}:{row[LINE]}",
                sequence=row[SEQUENCE],
                key=row[KEY],
                fate=row[FATE],
                reasons=tuple(row[REASONS] or ()),
                landed_at=utc_text(row[KNOWN_FROM]),
            )
            for row in newest.select(names).collect().iter_rows(named=True)
        )

    def known(self, through: int) -> int:
        """Number of wanted records in the pages through one."""
        import polars as pl

        return int(
            self.wanted.filter(pl.col(SEQUENCE) <= through).select(pl.len()).collect().item()
        )

    def rows(self, through: int) -> pl.DataFrame:
        """Rows of silver through a page that come from wanted records, or have their keys."""
        import polars as pl

        keys = self.wanted.filter(pl.col(SEQUENCE) <= through)
        candidates = self.versions.filter(pl.col(SEQUENCE) <= through).join(
            keys.select(KEY).unique(), on=KEY, how="semi"
        )
        found = current_rows(candidates)
        if self.holds_now:
            found = found.join(keys.select(SEQUENCE, LINE), on=[SEQUENCE, LINE], how="semi")
        return found.collect()


def of_page(usecase: str, home: Home, epoch: int, sequence: int) -> Traced:
    """The records of a page."""
    import polars as pl

    versions = _versions(usecase, home, epoch)
    return Traced(versions, versions.filter(pl.col(SEQUENCE) == sequence), holds_now=True)


def of_key(usecase: str, home: Home, epoch: int, key: str) -> Traced:
    """The records of a key, as `goldlake quarantine list` and `show` write it."""
    import polars as pl

    versions = _versions(usecase, home, epoch)
    return Traced(versions, versions.filter(pl.col(KEY) == key), holds_now=True)


def of_reason(usecase: str, home: Home, epoch: int, reason: str) -> Traced:
    """The records that a reason code keeps in quarantine."""
    import polars as pl

    versions = _versions(usecase, home, epoch)
    has = pl.col(REASONS).list.contains(reason).fill_null(value=False)
    return Traced(versions, versions.filter((pl.col(FATE) == "quarantined") & has), holds_now=False)


def reasons(usecase: str, home: Home, epoch: int) -> list[str]:
    """All reason codes, by how many records they keep in quarantine."""
    import polars as pl

    codes = _versions(usecase, home, epoch).select(pl.col(REASONS).explode().alias("code"))
    counts = codes.drop_nulls().group_by("code").len().sort("len", "code", descending=[True, False])
    return [str(code) for code in counts.collect()["code"]]


def in_export(
    home: Home, export_id: str, manifest: ExportManifest, found: pl.DataFrame
) -> dict[str, int] | None:
    """How many rows of an export have the keys of rows of silver, by split.

    Args:
        home: Where everything is kept.
        export_id: Name of the export inside the home.
        manifest: The manifest of that export.
        found: Rows of silver.

    Returns:
        Rows by split, and the rows of silver that are in none; None where the export has other
        keys than silver has columns, or is not in the home any more.
    """
    import polars as pl

    texts = _texts(found, manifest.key)
    if texts is None:
        return None
    counts, inside = dict.fromkeys(SPLITS, 0), pl.DataFrame(schema=texts.schema)
    for split in SPLITS:
        files = [home.path("exports", export_id, p.path) for p in manifest.splits[split].parts]
        if not all(home.fs.exists(file) for file in files):
            return None
        keys = _keys(files, list(manifest.key), texts)
        counts[split] = len(keys)
        inside = pl.concat([inside, keys])
    left_out = len(texts.join(inside, on=list(manifest.key), how="anti"))
    return {**counts, LEFT_OUT: left_out}


def _keys(files: Sequence[str], key: list[str], texts: pl.DataFrame) -> pl.DataFrame:
    import polars as pl

    if not files:
        return pl.DataFrame(schema=texts.schema)
    lines = pl.scan_csv(list(files), infer_schema=False, glob=False)
    return lines.select(key).join(texts.lazy(), on=key, how="semi").collect()


def _texts(found: pl.DataFrame, key: Sequence[str]) -> pl.DataFrame | None:
    """The key's columns as an export writes them, or None where that is not known."""
    import polars as pl

    columns = []
    for name in key:
        kind = found.schema.get(name)
        if kind is None or kind.is_float():
            return None
        column = pl.col(name)
        if isinstance(kind, pl.Datetime):
            columns.append(column.dt.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").alias(name))
        else:
            columns.append(column.cast(pl.String))
    return found.select(columns)


def _versions(usecase: str, home: Home, epoch: int) -> pl.LazyFrame:
    name = catalog.silver_name(usecase, home)
    return rows.frame(home.table(usecase, "silver", epochs.table_folder(name + VERSIONS, epoch)))


def places(found: pl.DataFrame) -> list[str]:
    """Pages and lines of rows of silver."""
    return [f"{file}:{line}" for file, line in found.select(FILE, LINE).iter_rows()]
