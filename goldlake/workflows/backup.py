"""A consistent copy of a home while others read and write it.

Nothing is stopped. Each part of a home refers to parts that it was made from: models to pipelines,
gold to silver, bronze to landed pages. What refers is looked at first, so whatever it refers to is
there when that is looked at, and a part that grew meanwhile is ahead, which every command takes up.

Files that never change are copied first, then manifest lines and the logs of tables, and last the
documents that change. ``backup.json`` says at every moment whether the copy is complete. So a copy
that was killed is known as such, and the same command completes it.
"""

from __future__ import annotations

import hashlib
import os
import posixpath
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import msgspec
from fsspec import AbstractFileSystem

from goldlake.workflows import copied_parts
from goldlake.workflows.copied_parts import Item, Survey
from goldlake.workflows.processes import OnEvent
from goldlake_core.contracts.errors import StoreError, UsageError
from goldlake_core.documents import codec
from goldlake_core.documents.keeping import BackupManifest, BackupReport, CopiedFile, PartCopy
from goldlake_core.instants import now_text
from goldlake_core.stages import event_now
from goldlake_core.storage.files import document, read_bytes, write_atomic, writing
from goldlake_core.storage.home import Home
from goldlake_core.storage.locks import CopyLock

MANIFEST = "backup.json"
NAMED = 5
SPARE_BYTES = 64 << 20
NOTED_EVERY_S = 5.0
"""How often a copy that is being made says which files it has: a killed one goes on from there."""
_CHUNK_BYTES = 1 << 20
_STATE_PARTS = ("landing", "tables", "exports", "pipelines", "models", "gate", "clusters")


@dataclass(frozen=True)
class _Copy:
    """The folder of a copy, and what it held before.

    Attributes:
        home: The folder as a home.
        before: What its manifest says, or None where there is none.
    """

    home: Home
    before: BackupManifest | None

    def held(self, path: str) -> CopiedFile | None:
        """A file of the copy, where it is there in the size that the manifest says."""
        known = self.before.files.get(path) if self.before else None
        file = Path(self.home.root, path)
        is_there = known is not None and file.is_file() and file.stat().st_size == known.bytes
        return known if is_there else None


def backup(
    home: Home, target: str, usecase: str | None, on_event: OnEvent, *, is_dry_run: bool = False
) -> BackupReport:
    """Copies a home, or what is new in it since the copy was made. Idempotent.

    Args:
        home: The home to copy; it is only read.
        target: Folder on this machine: an empty one, or an earlier copy of the same home.
        usecase: Copy only this use case, or None for all.
        on_event: Called with progress.
        is_dry_run: Only says what would be copied.

    Returns:
        What the copy holds.

    Raises:
        UsageError: One of the two folders lies in the other, or the home holds nothing.
        StoreError: The folder holds something else, more than the home, or the disk is too small;
            a part of the home is damaged, or was changed while it was copied.
        LockedError: Another process copies the home, or erases from it.
    """
    copy = _opened(home, target)
    with _lock(home), tempfile.TemporaryDirectory() as folder:
        on_event(event_now("backup", "begin"))
        survey = copied_parts.survey(home, usecase, Path(folder))
        if not survey.items:
            raise UsageError(
                f"There is nothing to copy in {home.root}",
                valid="a home that holds something",
                hint="goldlake tables --home HOME",
            )
        _require_earlier(home, copy, survey, usecase)
        anew = _made_anew(copy, survey)
        wanted = [item for item in survey.items if not _is_held(copy, item, anew)]
        _require_room(copy, wanted)
        began = BackupManifest(
            home=home.root,
            usecase=usecase,
            made_at=now_text("seconds"),
            is_complete=False,
            # By these the next call knows a table that was made anew, should this one be killed.
            tables=copy.before.tables if copy.before else {},
            landed=survey.landed,
            files=copy.before.files if copy.before else {},
        )
        if is_dry_run:
            files = {item.path: CopiedFile(bytes=item.size, sha256="") for item in survey.items}
            planned = msgspec.structs.replace(began, files=files, tables=survey.tables)
            removed = len(set(began.files) - set(files))
            return _report(copy, planned, wanted, removed, is_dry_run=True)
        _write(copy, began)
        new = {item.path for item in wanted}
        known = {i.path: copy.held(i.path) for i in survey.items if i.path not in new}
        files = {path: file for path, file in known.items() if file is not None}
        total = sum(item.size for item in wanted)
        done, noted = 0, time.monotonic()
        for item in wanted:
            files[item.path] = _copied(home.fs, item, Path(copy.home.root, item.path))
            done += item.size
            on_event(event_now("backup", "progress", item.path, done=done, total=total))
            if time.monotonic() - noted > NOTED_EVERY_S:
                _write(copy, msgspec.structs.replace(began, files={**began.files, **files}))
                noted = time.monotonic()
        os.sync()
        complete = msgspec.structs.replace(
            began, is_complete=True, files=files, tables=survey.tables
        )
        _write(copy, complete)
        removed = _remove(copy, set(_files_of(copy)) - set(files))
    return _report(copy, complete, wanted, removed)


def verify(target: str) -> BackupReport:
    """Compares every file of a copy with what its manifest says. Read-only.

    Raises:
        UsageError: The folder holds no copy.
    """
    home = Home.at(target)
    manifest = read(home)
    if manifest is None:
        raise UsageError(f"{home.root} holds no {MANIFEST}", valid="a folder of goldlake backup")
    problems = list(_differences(home, manifest))
    if not manifest.is_complete:
        problems.insert(0, f"it is incomplete: goldlake backup {home.root} --home {manifest.home}")
    report = _report(_Copy(home, manifest), manifest, (), 0)
    return msgspec.structs.replace(report, problems=tuple(problems))


def read(home: Home) -> BackupManifest | None:
    """The manifest of a folder that is a copy, or None. Read-only.

    Raises:
        StoreError: It is damaged, or was written by a newer goldlake.
    """
    path = home.path(MANIFEST)
    data = read_bytes(home.fs, path)
    if data is None:
        return None
    hint = "goldlake backup into another folder"
    return document(data, path, BackupManifest, codec.FORMAT, hint)


def _opened(home: Home, target: str) -> _Copy:
    copy = Home.at(target)
    if not copy.is_local:
        raise UsageError(f"{target} is not a folder", valid="a folder on this machine")
    for inner, outer in ((home, copy), (copy, home)):
        if f"{inner.root}/".startswith(f"{outer.root}/"):
            raise UsageError(
                f"The copy {copy.root} and the home {home.root} cannot lie in each other",
                valid="a folder outside of the home",
            )
    place = Path(copy.root)
    if place.exists() and not place.is_dir():
        raise UsageError(f"{copy.root} is a file", valid="an empty folder, or an earlier copy")
    before = read(copy)
    if before is None and place.is_dir() and any(place.iterdir()):
        raise UsageError(
            f"{copy.root} holds something that is not a copy of a home",
            valid="an empty folder, or an earlier copy of this home",
        )
    return _Copy(copy, before)


def _lock(home: Home) -> AbstractContextManager[object]:
    # Nobody can take data out of a home that is mounted read-only.
    is_written = not home.is_local or os.access(home.root, os.W_OK)
    return CopyLock(home, "backup") if is_written else nullcontext()


def _require_earlier(home: Home, copy: _Copy, survey: Survey, usecase: str | None) -> None:
    """Raises unless the folder is empty or an earlier copy of this home, which may be replaced."""
    before = copy.before
    if before is None:
        return
    other = f"goldlake backup ANOTHER-FOLDER --home {home.root}"
    firsts = [zone.first for zone in before.landed.values()]
    is_same = any(zone.first in firsts for zone in survey.landed.values())
    if not is_same and (firsts and survey.landed or before.home != home.root):
        raise StoreError(f"{copy.home.root} is a copy of another home, {before.home}", hint=other)
    if before.usecase != usecase:
        raise StoreError(
            f"{copy.home.root} is a copy of {before.usecase or 'all use cases'}",
            valid=f"--usecase {before.usecase}" if before.usecase else "no --usecase",
            hint=other,
        )
    lost = [
        f"{folder} ends with page {survey.landed[folder].through if folder in survey.landed else 0}"
        f" and its copy with page {zone.through}"
        for folder, zone in before.landed.items()
        if folder not in survey.landed or survey.landed[folder].through < zone.through
    ]
    lost += [
        f"{folder} is at version {survey.tables[folder].version} and its copy at {table.version}"
        for folder, table in before.tables.items()
        if folder in survey.tables
        and survey.tables[folder].uuid == table.uuid
        and survey.tables[folder].version < table.version
    ]
    lost += [f"{folder} is gone" for folder in before.tables if _is_lost(folder, before, survey)]
    if lost:
        raise StoreError(
            f"The home {home.root} holds less than its copy {copy.home.root}, which would lose it: "
            + "; ".join(lost[:NAMED]),
            hint=other,
        )
    foreign = sorted(set(_state_files(copy)) - set(before.files)) if before.is_complete else []
    if foreign:
        raise StoreError(
            f"{copy.home.root} was used as a home since it was made: it holds "
            f"{len(foreign)} files that it did not get from {before.home}, such as {foreign[0]}",
            hint=other,
        )


def _is_lost(folder: str, before: BackupManifest, survey: Survey) -> bool:
    """Whether a table of a layer that the home has no table of any more is in the copy."""
    layer = posixpath.dirname(folder)
    layers = {posixpath.dirname(name) for name in survey.tables}
    return folder not in survey.tables and layer not in layers and "/audit/" not in f"{layer}/"


def _made_anew(copy: _Copy, survey: Survey) -> tuple[str, ...]:
    """Folders of tables that were made anew: their files have the names of others before."""
    before = copy.before.tables if copy.before else {}
    return tuple(
        f"{folder}/"
        for folder, table in survey.tables.items()
        if folder in before and before[folder].uuid != table.uuid
    )


def _is_held(copy: _Copy, item: Item, anew: tuple[str, ...]) -> bool:
    held = copy.held(item.path)
    if held is None or held.bytes != item.size or item.path.startswith(anew):
        return False
    return item.sha256 is None or item.sha256 == held.sha256


def _require_room(copy: _Copy, wanted: Iterable[Item]) -> None:
    place = Path(copy.home.root)
    while not place.exists():
        place = place.parent
    needed, free = sum(item.size for item in wanted), shutil.disk_usage(place).free
    if needed + SPARE_BYTES > free:
        raise StoreError(
            f"The copy needs {needed / 2**20:,.0f} MiB more and {place} has "
            f"{free / 2**20:,.0f} MiB free; nothing was copied",
            hint="another folder, or make room there",
        )


def _copied(fs: AbstractFileSystem, item: Item, target: Path) -> CopiedFile:
    """Copies one file, whole or not at all.

    Raises:
        StoreError: It is gone, or is not what the home's manifest says: it was changed meanwhile.
    """
    digest, size = hashlib.sha256(), 0
    with writing(str(target)):
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, unfinished = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with writing(str(target)), os.fdopen(handle, "wb") as out:
            for chunk in _chunks(fs, item):
                digest.update(chunk)
                size += len(chunk)
                out.write(chunk)
        if item.sha256 not in (None, digest.hexdigest()):
            raise _changed(item)
        os.chmod(unfinished, 0o644)
        os.replace(unfinished, target)
    except BaseException:
        Path(unfinished).unlink(missing_ok=True)
        raise
    return CopiedFile(bytes=size, sha256=digest.hexdigest())


def _chunks(fs: AbstractFileSystem, item: Item) -> Iterator[bytes]:
    if item.data is not None:
        yield item.data
        return
    try:
        with fs.open(item.source, "rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                yield chunk
    except FileNotFoundError as error:
        raise _changed(item) from error


def _changed(item: Item) -> StoreError:
    return StoreError(
        f"{item.source} was changed or removed while the home was copied, or it is damaged; the "
        "copy is incomplete",
        hint="the same command again: it goes on. If it says the same: goldlake doctor --home HOME",
    )


def _write(copy: _Copy, manifest: BackupManifest) -> None:
    write_atomic(copy.home.fs, copy.home.path(MANIFEST), codec.encode_line(manifest))


def _files_of(copy: _Copy) -> Iterator[str]:
    for folder, _, names in os.walk(copy.home.root):
        for name in names:
            yield os.path.relpath(os.path.join(folder, name), copy.home.root)


def _state_files(copy: _Copy) -> Iterator[str]:
    """Files of a copy that are a home's state; checking a copy may leave locks and runs in it."""
    for path in _files_of(copy):
        name = posixpath.basename(path)
        is_kept = path.split("/")[0] in _STATE_PARTS and not name.startswith(".")
        if is_kept and name != "lock" and not name.endswith(".lock"):
            yield path


def _remove(copy: _Copy, paths: Iterable[str]) -> int:
    removed = 0
    for path in sorted(paths):
        if path != MANIFEST and path.split("/")[0] != "logs":
            Path(copy.home.root, path).unlink()
            removed += 1
    for folder, _, _ in sorted(os.walk(copy.home.root), reverse=True):
        if folder != copy.home.root and not os.listdir(folder):
            os.rmdir(folder)
    return removed


def _differences(home: Home, manifest: BackupManifest) -> Iterator[str]:
    for path, wanted in sorted(manifest.files.items()):
        file = Path(home.root, path)
        if not file.is_file():
            yield f"{path} is missing"
            continue
        digest, size = hashlib.sha256(), 0
        with file.open("rb") as data:
            while chunk := data.read(_CHUNK_BYTES):
                digest.update(chunk)
                size += len(chunk)
        if size != wanted.bytes:
            yield f"{path} has {size:,} bytes instead of {wanted.bytes:,}"
        elif digest.hexdigest() != wanted.sha256:
            yield f"{path} has other content than was copied"


def _report(
    copy: _Copy,
    manifest: BackupManifest,
    new: Iterable[Item],
    removed: int,
    *,
    is_dry_run: bool = False,
) -> BackupReport:
    return BackupReport(
        home=manifest.home,
        target=copy.home.root,
        usecase=manifest.usecase,
        made_at=manifest.made_at,
        is_dry_run=is_dry_run,
        parts=_parts(manifest.files, {item.path: item.size for item in new}),
        tables={folder: table.version for folder, table in sorted(manifest.tables.items())},
        removed_files=removed,
    )


def _parts(files: Mapping[str, CopiedFile], new: Mapping[str, int]) -> dict[str, PartCopy]:
    found: dict[str, PartCopy] = {}
    for path, file in files.items():
        part = path.split("/")[0]
        one = found.get(part, PartCopy())
        found[part] = PartCopy(
            files=one.files + 1,
            bytes=one.bytes + file.bytes,
            new_files=one.new_files + (path in new),
            new_bytes=one.new_bytes + new.get(path, 0),
        )
    return {part: found[part] for part in copied_parts.PARTS if part in found}
