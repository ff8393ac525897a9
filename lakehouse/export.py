"""One gold version as CSV parts by split and a manifest; same version, same bytes."""

from __future__ import annotations

import hashlib
import posixpath
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import fsspec
import msgspec

from goldlake_core.contracts.errors import PermanentError, StoreError
from goldlake_core.contracts.sections import SPLITS, Column, GoldTable, Model, UseCase
from goldlake_core.contracts.sql_rules import quoted
from goldlake_core.documents import codec
from goldlake_core.documents.export import ExportedColumn, ExportManifest, Part, SplitParts
from goldlake_core.documents.lakehouse import Exported
from goldlake_core.stages import Emit
from goldlake_core.storage.deltalog import Commit, DeltaLog, Snapshot
from goldlake_core.storage.exports import MANIFEST, Damage, examined
from goldlake_core.storage.files import read_bytes, write_atomic
from goldlake_core.storage.home import Home
from goldlake_core.storage.locks import FileLock
from lakehouse import delta, specs
from lakehouse.account import summed
from lakehouse.gold.basis import ROWS_OF, SILVER_VERSION, Basis, basis_of, event_zone
from lakehouse.labels import require_learnable
from lakehouse.parsing import content_hash
from lakehouse.splits import Division

if TYPE_CHECKING:
    from pyspark.sql import Column as SparkColumn
    from pyspark.sql import DataFrame, SparkSession

# An export of a year takes half a minute.
LOCK_WAIT_S = 600.0
_SPLIT, _PART = "_split", "_part"
_CSV = {
    "header": "true",
    "encoding": "UTF-8",
    "quote": '"',
    "escape": '"',
    "nullValue": "",
    "emptyValue": '""',
    "ignoreLeadingWhiteSpace": "false",
    "ignoreTrailingWhiteSpace": "false",
    "compression": "none",
    "lineSep": "\n",
}


@dataclass(frozen=True)
class _Source:
    """The gold version to export, and the state of silver that it reflects."""

    usecase: UseCase
    model: Model
    table: GoldTable
    snapshot: Snapshot
    version: int  # since which the rows are those of the snapshot; the export is named after it
    basis: Basis


def export(
    session: Callable[[], SparkSession],
    usecase: UseCase,
    model: Model,
    home: Home,
    emit: Emit,
    *,
    version: int | None = None,
    out: str | None = None,
    manifest_sha256: str | None = None,
) -> Exported:
    """Writes an export, or finds the one that is there. Idempotent.

    An export that is damaged is written again; its manifest comes out the same. Two processes that
    export one model at once come after each other.

    Args:
        session: Gives a Spark session. It is called only where an export has to be written.
        usecase: The use case.
        model: One of its models.
        home: Where tables are read and the export is written.
        emit: Called with progress events.
        version: Gold table version; default the newest that changed rows.
        out: Folder to copy the export to, or None.
        manifest_sha256: What the sha256 of a manifest must be that is there, or None for any.

    Returns:
        Where the export is, and what its manifest says.

    Raises:
        StoreError: The gold table is empty, or has no such version.
        LockedError: Another process has been writing exports of this model for a long time.
        PermanentError: A split would have no rows.
    """
    resource = f"the exports of {usecase.name}.{model.name} in {home.root}"
    path = home.export(usecase.name, f"{model.name}.lock")
    with FileLock(path, resource, work="export", wait_s=LOCK_WAIT_S):
        return _export(session, usecase, model, home, emit, version, out, manifest_sha256)


def _export(
    session: Callable[[], SparkSession],
    usecase: UseCase,
    model: Model,
    home: Home,
    emit: Emit,
    version: int | None,
    out: str | None,
    manifest_sha256: str | None,
) -> Exported:
    source = _source(usecase, model, home, version)
    name = _name(source)
    target = home.export(usecase.name, model.name, name)
    found = examined(home, f"{usecase.name}/{model.name}/{name}", manifest_sha256)
    is_reused = not isinstance(found, Damage)
    if isinstance(found, Damage) and found.is_there:
        emit("info", f"export: {name}: {found.problem}; it is written again")
    if not is_reused:
        _write(session(), source, home, target, emit)
    if out:
        _copy(target, out)
    data = read_bytes(home.fs, posixpath.join(target, MANIFEST))
    if data is None:
        raise StoreError(f"The export {target} lost its manifest while it was read")
    manifest = codec.decode(data, ExportManifest, posixpath.join(target, MANIFEST))
    emit("progress", f"export: {name} {'is there already' if is_reused else 'written'}")
    return Exported(
        export_id=f"{usecase.name}/{model.name}/{name}",
        uri=target,
        table=manifest.table,
        version=manifest.version,
        table_uuid=manifest.table_uuid,
        content_hash=manifest.content_hash,
        as_of=manifest.as_of,
        event_end=manifest.event_end,
        boundaries=manifest.boundaries,
        rows=manifest.rows,
        manifest_sha256=hashlib.sha256(data).hexdigest(),
        reused=is_reused,
    )


def name_of(usecase: UseCase, model: Model, home: Home, version: int) -> str:
    """Returns the folder that the export of a gold version has. Read-only, without a JVM.

    Raises:
        StoreError: The gold table is empty, or has no such version.
    """
    return _name(_source(usecase, model, home, version))


def _name(source: _Source) -> str:
    section_hash = source.usecase.hashes[f"model.{source.model.name}.export"]
    shape = f"{section_hash}\n{event_zone(source.usecase)}"
    return export_name(source.snapshot.uuid, source.version, shape)


def export_name(table_uuid: str, version: int, section_hash: str) -> str:
    """Folder of an export: its version and a digest of table, version and what else shapes it."""
    text = f"{table_uuid}\n{version}\n{section_hash}"
    return f"{version}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def _source(usecase: UseCase, model: Model, home: Home, version: int | None) -> _Source:
    table = usecase.gold[model.table]
    spec = specs.gold(usecase, home, table)
    log = DeltaLog(spec.uri)
    # Commits that only changed comments or properties have the rows of the last one with a basis.
    commit = log.last_commit_with(SILVER_VERSION, version) if log.exists() else None
    if commit is None:
        if version is not None and log.exists():
            with_rows = [v for v in log.versions() if SILVER_VERSION in log.commit(v).metadata]
            if with_rows:
                raise _no_version(spec, version, f"{with_rows[0]} to {log.latest()}")
        raise StoreError(
            f"There is nothing to export: {spec.id} in {home.root} has no rows",
            hint=f"goldlake ingest {usecase.name} --source URL|live",
        )
    if version is not None and version > (log.latest() or 0):
        raise _no_version(spec, version, f"at most {log.latest()}")
    rows_of = int(str(commit.metadata.get(ROWS_OF, commit.version)))
    snapshot = log.snapshot(_newest_with_rows(log, commit, rows_of))
    return _Source(usecase, model, table, snapshot, rows_of, basis_of(commit))


def _newest_with_rows(log: DeltaLog, commit: Commit, rows_of: int) -> int:
    """The version that has the rows of one and whose files are kept longest."""
    for number in reversed(log.versions()):
        is_same = number == commit.version or log.commit(number).metadata.get(ROWS_OF) == rows_of
        if is_same:
            return number
    return commit.version


def _no_version(spec: specs.TableSpec, version: int, valid: str) -> StoreError:
    return StoreError(f"{spec.id} has no version {version}", valid=valid, hint="goldlake tables")


def _write(spark: SparkSession, source: _Source, home: Home, target: str, emit: Emit) -> None:
    division = Division.of(
        source.model,
        source.table,
        source.basis,
        event_zone(source.usecase),
        source.snapshot.rows,
    )
    rows = delta.read(spark, source.snapshot.uri, source.snapshot.version)
    emit("progress", f"export: {source.table.name}@{source.version}")
    counts, digest = _account(rows, division)
    _require_rows(counts, source, division)
    divided = _divided(rows, division)
    what = f"{source.usecase.name}.{source.model.name}"
    require_learnable(divided.where(f"{_SPLIT} = 'train'"), source.model, what)
    staging = f"{target}.staging"
    fs, path = fsspec.core.url_to_fs(staging)
    for folder in (path, fsspec.core.url_to_fs(target)[1]):  # left by an interrupted export
        if fs.exists(folder):
            fs.rm(folder, recursive=True)
    _write_csv(_csv_rows(divided, division), staging)
    parts = _move_parts(fs, path, fsspec.core.url_to_fs(target)[1], counts)
    manifest = _manifest(source, division, counts, digest, parts)
    write_atomic(home.fs, posixpath.join(target, MANIFEST), codec.encode(manifest))


def _account(rows: DataFrame, division: Division) -> tuple[dict[tuple[str, str], int], str]:
    """Rows per (split, part), and the content hash of the whole version: sum and count."""
    from pyspark.sql import functions as F

    hashed = rows.select(
        division.split().alias(_SPLIT),
        division.part().alias(_PART),
        content_hash(division.table.names).alias("_hash"),
    )
    found = hashed.groupBy(_SPLIT, _PART).agg(
        F.count("*").alias("n"), summed(F.col("_hash")).alias("h")
    )
    groups = found.collect()
    total = sum(int(g["h"]) for g in groups) % 2**64
    counts = {(g[_SPLIT], g[_PART]): g["n"] for g in groups}
    return counts, f"{total:016x}-{sum(counts.values())}"


def _require_rows(
    counts: Mapping[tuple[str, str], int], source: _Source, division: Division
) -> None:
    totals = division.totals(counts)
    empty = [split for split in SPLITS if not totals[split]]
    if not empty:
        return
    told = ", ".join(f"{rows:,} {split}" for split, rows in totals.items())
    bounds = ""
    if division.boundaries is not None:
        instants = msgspec.structs.asdict(division.boundaries.document())
        bounds = "; boundaries " + ", ".join(f"{k} {v}" for k, v in instants.items() if v)
        bounds += f"; events end {source.basis.event_end}, as of {source.basis.as_of}"
    raise PermanentError(
        f"The export of {source.usecase.name}.{source.model.name} would have no rows in "
        f"{' and '.join(empty)}: {told}{bounds}",
        valid="every split has rows",
        hint=f"change {division.keys()} in models/{source.model.name}.yaml, or ingest more data",
    )


def _divided(rows: DataFrame, division: Division) -> DataFrame:
    """Rows of the three splits, with the split and part of each."""
    from pyspark.sql import functions as F

    places = [division.split().alias(_SPLIT), division.part().alias(_PART)]
    return rows.select("*", *places).where(F.col(_SPLIT).isin(*SPLITS))


def _csv_rows(divided: DataFrame, division: Division) -> DataFrame:
    """The rows as the export has them, one task per (split, part), in the order of the division."""
    columns = division.model.export_columns(division.table)
    return (
        divided.repartition(_SPLIT, _PART)
        .sortWithinPartitions(_SPLIT, _PART, *division.order())
        .select(*(_csv_column(c) for c in columns), _SPLIT, _PART)
    )


def _csv_column(column: Column) -> SparkColumn:
    from pyspark.sql import functions as F

    value = F.col(quoted(column.name))
    if column.type == "timestamp":
        value = F.date_format(value, "yyyy-MM-dd'T'HH:mm:ss.SSSSSS'Z'")
    return value.alias(column.name)


def _write_csv(rows: DataFrame, staging: str) -> None:
    writer = rows.write.format("csv").options(**_CSV).partitionBy(_SPLIT, _PART)
    writer.option("maxRecordsPerFile", "0").save(staging)


def _move_parts(
    fs: fsspec.AbstractFileSystem,
    staging: str,
    target: str,
    counts: Mapping[tuple[str, str], int],
) -> dict[str, list[Part]]:
    """Gives Spark's files their names in the export; describes them for the manifest."""
    parts: dict[str, list[Part]] = {split: [] for split in SPLITS}
    pattern = re.compile(rf"{_SPLIT}=(\w+)/{_PART}=([0-9-]+)/part-[^/]*\.csv$")
    for file in sorted(fs.find(staging)):
        match = pattern.search(file)
        if not match:
            continue
        split, number = match.groups()
        path = f"{split}/part-{number}.csv"
        data = fs.cat_file(file)
        final = posixpath.join(target, path)
        fs.makedirs(posixpath.dirname(final), exist_ok=True)
        fs.mv(file, final)
        parts[split].append(
            Part(
                path=path,
                rows=counts[split, number],
                bytes=len(data),
                sha256=hashlib.sha256(data).hexdigest(),
            )
        )
    fs.rm(staging, recursive=True)
    written = {(split, p.path[-11:-4]) for split in SPLITS for p in parts[split]}
    expected = {place for place in counts if place[0] in SPLITS}
    if written != expected or sum(map(len, parts.values())) != len(expected):
        raise StoreError(f"The export {target} has parts {written} instead of {expected}")
    return parts


def _manifest(
    source: _Source,
    division: Division,
    counts: Mapping[tuple[str, str], int],
    digest: str,
    parts: Mapping[str, list[Part]],
) -> ExportManifest:
    model, usecase = source.model, source.usecase
    totals = division.totals(counts)
    bounds = division.boundaries
    prefix = f"model.{model.name}."
    return ExportManifest(
        usecase=usecase.name,
        model=model.name,
        table=f"{usecase.name}.gold.{source.table.name}",
        table_uuid=source.snapshot.uuid,
        version=source.version,
        content_hash=digest,
        as_of=source.basis.as_of,
        event_end=source.basis.event_end,
        maturity_days=model.maturity_days,
        boundaries=bounds.document() if bounds is not None else None,
        columns=tuple(
            ExportedColumn(name=c.name, type=c.type, nullable=c.nullable)
            for c in model.export_columns(source.table)
        ),
        label=model.label,
        event_time=model.event_time,
        key=tuple(source.table.key),
        rows=totals,
        splits={s: SplitParts(rows=totals[s], parts=tuple(parts[s])) for s in SPLITS},
        sections={f"{prefix}export": usecase.hashes[f"{prefix}export"]},
        clusters=dict(source.basis.clusters) or msgspec.UNSET,
    )


def _copy(target: str, out: str) -> None:
    """Copies an export to a folder that the user named; it may be outside the home."""
    from_fs, source = fsspec.core.url_to_fs(target)
    to_fs, folder = fsspec.core.url_to_fs(out)
    files = sorted(from_fs.find(source), key=lambda f: f.endswith(f"/{MANIFEST}"))
    for file in files:
        copy = posixpath.join(folder, posixpath.relpath(file, source))
        to_fs.makedirs(posixpath.dirname(copy), exist_ok=True)
        to_fs.pipe_file(copy, from_fs.cat_file(file))
