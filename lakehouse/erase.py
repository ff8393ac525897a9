"""Takes the records of one key out of landed pages and tables, for good.

A page keeps its number of lines: an erased record becomes the line ``{"$erased": "NUMBER"}``, so
that ``PAGE:LINE`` of every other record stays what it was. The manifest line says how many there
are. Bronze is written again with these lines and takes the place of the old table; silver is made
again as a new epoch from it; gold is made again from silver. Whatever held the records before is
removed from the disk, with the logs of these tables, which hold least and greatest values.

Every step is idempotent, and the request in ``erasures.json`` says what is to be done until all is.
"""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import os
import posixpath
import shutil
import zlib
from collections import defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from goldlake_core.contracts.errors import StoreError
from goldlake_core.contracts.sections import Silver, UseCase
from goldlake_core.documents.keeping import Erasure
from goldlake_core.stages import Emit
from goldlake_core.storage.deltalog import DeltaLog
from goldlake_core.storage.erasures import key_parts, marker, parts_of
from goldlake_core.storage.files import list_names, read_bytes, write_atomic, write_json
from goldlake_core.storage.home import Home
from goldlake_core.storage.landing import (
    ERASED_FORMAT,
    PAGE_SUFFIX,
    Cursor,
    LandingZone,
    PageEntry,
    content_of,
    hash_of,
    packed,
    unpacked,
)
from lakehouse import commits, delta, epochs, specs
from lakehouse.catalog import RUNS
from lakehouse.commits import BronzeCommit
from lakehouse.scores import LAYER
from lakehouse.sources import polls

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

Lines = Mapping[str, set[int]]
"""Lines to erase by page."""
_STAGED, _REPLACED = "_{}.staged", "_{}.replaced"


def rewrite(
    spark: SparkSession, usecase: UseCase, home: Home, erasure: Erasure, run_id: str, emit: Emit
) -> int:
    """Puts the erasure's line in place of its records in landed pages and bronze. Idempotent.

    Returns:
        Number of pages that hold such lines.

    Raises:
        StoreError: A page is not the one that was landed, or bronze does not hold its records.
    """
    lines: dict[str, set[int]] = defaultdict(set)
    for place in erasure.places:
        lines[place.page].add(place.line)
    zone = specs.landing(usecase, home)
    _finish_swap(specs.bronze(usecase, home).uri)
    emit("progress", f"erasing from {len(lines):,} landed pages")
    held = _texts(spark, usecase, home, lines)
    counting = {entry.name for entry in zone.manifest()}
    for entry in zone.scan_all().entries:
        numbers = lines.get(entry.name, set())
        if entry.name not in counting and not numbers:
            numbers = _found(zone, entry, usecase.silver, erasure)
        _erase_from_page(zone, entry, numbers, erasure, held)
    for entry in zone.aside():
        _erase_from_page(zone, entry, lines.get(entry.name, set()), erasure, held, is_aside=True)
    for name in zone.unfinished_packs():
        zone.fs.rm_file(zone.path("packs", name))
    _clear_aside(zone, lines, erasure)
    _forget_cursors(zone, erasure)
    emit("progress", "erasing from bronze")
    _rewrite_bronze(spark, usecase, home, lines, erasure, run_id)
    return len(lines)


def forget(usecase: UseCase, home: Home, *, gold: bool) -> None:
    """Removes the tables of all epochs but the one that answers, and gold if asked for. Idempotent.

    Args:
        usecase: The use case.
        home: Where everything is kept.
        gold: Whether gold is removed, too; the next refinement makes it again. Tables of scores go
            with it.
    """
    book = epochs.read(home, usecase.name)
    current = book.current if book else epochs.FIRST
    if book is not None and len(book.epochs) > 1:
        kept = tuple(epoch for epoch in book.epochs if epoch.number == current)
        epochs.write(home, usecase.name, msgspec.structs.replace(book, epochs=kept))
    root = home.path("tables", usecase.name)
    silver = posixpath.join(root, "silver")
    for name in os.listdir(silver) if os.path.isdir(silver) else ():
        if epochs.table_of(name)[1] != current:
            shutil.rmtree(posixpath.join(silver, name))
    for name in os.listdir(posixpath.join(root, "bronze")):
        if name.startswith("_"):  # set aside by a rebuild
            shutil.rmtree(posixpath.join(root, "bronze", name))
    if gold:
        shutil.rmtree(posixpath.join(root, "gold"), ignore_errors=True)
        # Scores have the key of what was scored. They are made again by scoring again.
        shutil.rmtree(posixpath.join(root, LAYER), ignore_errors=True)
    audit = posixpath.join(root, "audit")
    for name in os.listdir(audit) if os.path.isdir(audit) else ():
        if name != RUNS:  # fates and quarantine of before silver had epochs
            shutil.rmtree(posixpath.join(audit, name))


def _found(zone: LandingZone, entry: PageEntry, silver: Silver, erasure: Erasure) -> set[int]:
    """Lines of a page that no table holds, because it does not count, that have the key."""
    path = zone.page_uri(entry.name)
    data = zone.page_bytes(entry.name)
    if data is None:
        return set()
    key, erased = key_parts(silver, erasure.key or ""), marker(erasure.id)
    records = enumerate(_unpacked(data, path, zone.usecase), start=1)
    return {n for n, line in records if line == erased or parts_of(line, silver) == key}


def _texts(
    spark: SparkSession, usecase: UseCase, home: Home, lines: Lines
) -> dict[tuple[str, int], bytes]:
    """The records to erase as bronze holds them, by page and line."""
    bronze = delta.read(spark, specs.bronze(usecase, home).uri)
    rows = bronze.join(_places(spark, lines), ["file", "line"]).select("file", "line", "value")
    return {(row["file"], row["line"]): row["value"].encode() for row in rows.collect()}


def _places(spark: SparkSession, lines: Lines) -> DataFrame:
    from pyspark.sql import functions as F

    places = [(page, line) for page, numbers in lines.items() for line in sorted(numbers)]
    return F.broadcast(spark.createDataFrame(places, "file string, line int"))


def _erase_from_page(
    zone: LandingZone,
    entry: PageEntry,
    numbers: set[int],
    erasure: Erasure,
    held: Mapping[tuple[str, int], bytes],
    *,
    is_aside: bool = False,
) -> None:
    """Rewrites a page and its line; the line of any page that names the key as a cursor."""
    changed = msgspec.structs.replace(
        entry,
        first_cursor=_without(entry.first_cursor, erasure),
        last_cursor=_without(entry.last_cursor, erasure),
    )
    folder = zone.path("aside") if is_aside else zone.pages_uri
    if numbers and erasure.id not in entry.erased:
        zone.unpack(entry.name)
        changed = _rewritten(zone, changed, folder, numbers, erasure, held)
    if changed != entry:
        place = zone.path("aside" if is_aside else "manifest", f"{entry.name}.json")
        stored = changed if entry.format > 1 else msgspec.structs.replace(changed, sequence=0)
        write_json(zone.fs, place, msgspec.to_builtins(stored))


def _rewritten(
    zone: LandingZone,
    entry: PageEntry,
    folder: str,
    numbers: set[int],
    erasure: Erasure,
    held: Mapping[tuple[str, int], bytes],
) -> PageEntry:
    """Writes the page again; returns its manifest line, which the caller writes next."""
    line = marker(erasure.id)
    path = posixpath.join(folder, entry.name)
    data = read_bytes(zone.fs, path)
    sha256, content, size = entry.sha256, entry.content, entry.bytes
    if data is None:  # bronze holds its records, and the manifest line their sum
        if content is not None:
            old = sum(hash_of(n, held[entry.name, n]) for n in numbers)
            content = (content - old + sum(hash_of(n, line) for n in numbers)) % 2**64
    else:
        before = _unpacked(data, path, zone.usecase)
        lines = [line if n in numbers else text for n, text in enumerate(before, start=1)]
        new = packed(lines)
        if hashlib.sha256(data).hexdigest() != sha256 and before != lines:
            raise _damaged(path, zone.usecase)
        write_atomic(zone.fs, path, new)
        sha256, size = hashlib.sha256(new).hexdigest(), len(new) if size is not None else None
        content = content_of(lines) if content is not None else None
    return msgspec.structs.replace(
        entry,
        # A reader of before would take the field for damage; it says "newer" instead.
        format=ERASED_FORMAT if entry.format > 1 else entry.format,
        sha256=sha256,
        content=content,
        bytes=size,
        erased={**entry.erased, erasure.id: len(numbers)} if entry.format > 1 else {},
    )


def _clear_aside(zone: LandingZone, lines: Lines, erasure: Erasure) -> None:
    """Removes pages that were set aside and may hold the key; nothing reads them any more."""
    key = (erasure.key or "").encode()
    for name in list_names(zone.fs, zone.path("aside"), PAGE_SUFFIX):
        data = read_bytes(zone.fs, zone.path("aside", name)) or b""
        try:
            may_hold = key in gzip.decompress(data)
        except (OSError, EOFError, zlib.error):
            may_hold = True
        if may_hold and name not in lines:
            zone.fs.rm_file(zone.path("aside", name))


def _forget_cursors(zone: LandingZone, erasure: Erasure) -> None:
    """Takes the key out of ``cursor.json``, a cache."""
    memory = polls.remembered(zone, lambda kind, message, **_: None)
    polled = tuple(
        msgspec.structs.replace(poll, cursor=_without(poll.cursor, erasure))
        for poll in memory.polls
    )
    if polled != memory.polls:
        polls.remember(zone, msgspec.structs.replace(memory, polls=polled))


def _without(cursor: Cursor | None, erasure: Erasure) -> Cursor | None:
    """A cursor that does not name the erased record; it begins at the first of its value."""
    is_key = cursor is not None and cursor.tiebreak == erasure.key
    return Cursor(cursor.value, "") if cursor is not None and is_key else cursor


def _rewrite_bronze(
    spark: SparkSession,
    usecase: UseCase,
    home: Home,
    lines: Lines,
    erasure: Erasure,
    run_id: str,
) -> None:
    from pyspark.sql import functions as F

    spec = specs.bronze(usecase, home)
    staged = dataclasses.replace(spec, uri=_beside(spec.uri, _STAGED))
    shutil.rmtree(staged.uri, ignore_errors=True)
    before = commits.newest(spec.uri, BronzeCommit)
    places = _places(spark, lines).withColumn("_is_erased", F.lit(True))
    text = F.when(F.col("_is_erased"), F.lit(marker(erasure.id).decode())).otherwise(F.col("value"))
    rows = delta.read(spark, spec.uri).join(places, ["file", "line"], "left")
    delta.create(spark, staged)
    made = msgspec.structs.replace(before, run_id=run_id)
    rows = rows.withColumn("value", text).select(*spec.names)
    delta.append(rows, staged.uri, metadata=commits.metadata(made))
    found = DeltaLog(staged.uri).snapshot().rows
    if found != before.rows:
        raise StoreError(
            f"{spec.id} without the erased records would have {found:,} rows instead of "
            f"{before.rows:,}; it was not replaced",
            hint="goldlake doctor --deep",
        )
    os.rename(spec.uri, _beside(spec.uri, _REPLACED))
    _finish_swap(spec.uri)


def _finish_swap(uri: str) -> None:
    """Puts the staged table in place where the old one is away; removes what is left over."""
    staged, replaced = _beside(uri, _STAGED), _beside(uri, _REPLACED)
    if not os.path.exists(uri) and os.path.exists(replaced):
        os.rename(staged, uri)
    shutil.rmtree(replaced, ignore_errors=True)
    shutil.rmtree(staged, ignore_errors=True)


def _beside(uri: str, pattern: str) -> str:
    folder, name = posixpath.split(uri)
    return posixpath.join(folder, pattern.format(name))


def _unpacked(data: bytes, path: str, usecase: str) -> list[bytes]:
    try:
        return unpacked(data)
    except (OSError, EOFError, zlib.error) as error:
        raise _damaged(path, usecase) from error


def _damaged(path: str, usecase: str) -> StoreError:
    return StoreError(
        f"The landed page {path} is not the one that was landed, so nothing can be erased from it",
        hint=f"remove that file, then goldlake erase {usecase}: bronze holds its records",
    )
