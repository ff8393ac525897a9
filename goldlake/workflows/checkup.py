"""What is damaged in a home, and how it is repaired from what the home holds.

Looking is read-only. A repair derives what is lost from what is there and guesses nothing; what no
part of the home tells is named with the next command.
"""

from __future__ import annotations

import hashlib
import os
import posixpath
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from goldlake.workflows import backup, derived, homes, relocate
from goldlake.workflows.copied_parts import file_sizes, folders
from goldlake.workflows.ingest import rebuild
from goldlake.workflows.names import pushed_models
from goldlake.workflows.processes import OnEvent
from goldlake_core.contracts.errors import GoldlakeError
from goldlake_core.documents import codec
from goldlake_core.documents.export import ExportManifest
from goldlake_core.documents.reports import Finding
from goldlake_core.storage import erasures
from goldlake_core.storage.deltalog import DeltaLog
from goldlake_core.storage.files import read_bytes
from goldlake_core.storage.home import Home
from goldlake_core.storage.landing import LandingZone, PageEntry, sequence_of
from goldlake_core.storage.model_versions import SAVED_MODEL_FILE, pushed_versions
from lakehouse import catalog, epochs
from lakehouse.export import MANIFEST
from metadata import database, runs
from serving import config

PARTS = ("landing", "tables", "exports", "pipelines", "models", "metadata", "runs", "logs")
RESTORE = "restore it from a copy of the home: goldlake backup"
NAMED = 3
_LEFT_ALONE_S = 3600.0  # what was written less than an hour ago may still be in the making

Repair = Callable[[OnEvent], str]
"""Repairs a finding; returns the sentence that says what was done."""


class Ailment(NamedTuple):
    """Something that was looked at, and how it is repaired.

    Attributes:
        finding: What was found.
        repair: What repairs it, or None where it is sound, or where nothing here can.
    """

    finding: Finding
    repair: Repair | None = None


def part_sizes(home: Home) -> dict[str, int]:
    """Size in bytes of each part that a home has. Read-only."""
    sizes = {part: sum(file_sizes(home, part).values()) for part in PARTS}
    return {part: size for part, size in sizes.items() if size}


def ailments(home: Home, *, is_deep: bool = False) -> list[Ailment]:
    """Looks at every part of a home; empty for a home that holds nothing. Read-only.

    Args:
        home: The home to look at.
        is_deep: Whether the contents of pages, exports and ML Metadata are read, too.
    """
    if not homes.holds_something(home.root):
        return []
    usecases = sorted({*folders(home, "landing"), *folders(home, "tables")})
    found = [*_copy(home), *_moved(home)]
    for name in usecases:
        found += [*_erasures(home, name), *_landing(home, name, is_deep=is_deep)]
        found += [*_epochs(home, name), *_tables(home, name)]
    found += [*_exports(home, is_deep=is_deep), *_models(home), *_metadata(home, is_deep=is_deep)]
    return [*found, *_leftovers(home, usecases)]


def repair(home: Home, on_event: OnEvent, *, is_deep: bool = False) -> list[str]:
    """Repairs what can be repaired, one after the other. Writes; idempotent.

    Returns:
        What was done, one sentence each.

    Raises:
        LockedError: Another process works on the store.
        StageFailed: Tables could not be made again.
    """
    done: list[str] = []
    tried: set[str] = set()
    while True:
        # One repair can make another one possible, or needless.
        ready = [a for a in ailments(home, is_deep=is_deep) if a.repair is not None]
        left = [a for a in ready if a.finding.found not in tried]
        if not left:
            return done
        tried.add(left[0].finding.found)
        assert left[0].repair is not None
        done.append(left[0].repair(on_event))


def _copy(home: Home) -> Iterator[Ailment]:
    try:
        manifest = backup.read(home)
    except GoldlakeError as error:
        yield Ailment(_bad("Copy", error.problem, "a whole copy", "goldlake backup"))
        return
    if manifest is not None and not manifest.is_complete:
        fix = f"goldlake backup {home.root} --home {manifest.home}"
        yield Ailment(_bad("Copy", f"a copy of {manifest.home}, incomplete", "a whole copy", fix))


def _moved(home: Home) -> Iterator[Ailment]:
    for root in relocate.former_roots(home):

        def settle(on_event: OnEvent, root: str = root) -> str:
            relocate.settle(home)
            return f"paths in {root} name {home.root} now"

        found = f"models.config or ML Metadata name {root}"
        yield Ailment(_repairable("Place", found, f"paths in {home.root}", home), settle)


def _erasures(home: Home, usecase: str) -> Iterator[Ailment]:
    try:
        erasures.require_done(home, usecase)
    except GoldlakeError as error:
        wanted = "every erasure is done"
        yield Ailment(_bad(f"{usecase}", error.problem, wanted, error.hint or RESTORE))


def _landing(home: Home, usecase: str, *, is_deep: bool) -> Iterator[Ailment]:
    for dataset in folders(home, "landing", usecase):
        zone = LandingZone(home, usecase, dataset)
        try:
            entries, damaged = zone.scan_all()
        except GoldlakeError as error:
            yield Ailment(_bad(usecase, error.problem, "manifest lines", error.hint or RESTORE))
            continue
        pages = zone.page_sizes()
        names = {entry.name for entry in entries}
        last = max((entry.sequence for entry in entries), default=0)
        lost = [n for n in pages if n not in names | damaged.keys() and 0 < sequence_of(n) < last]
        if damaged or lost:
            found = f"{dataset}: {len(damaged)} damaged and {len(lost)} lost manifest lines, of "
            found += ", ".join([*damaged, *lost][:NAMED])
            finding = _repairable(usecase, found, "a manifest line per page", home)
            yield Ailment(finding, derived.lines_of(home, usecase, dataset))
        broken = [entry.name for entry in entries if _is_broken(zone, entry, pages, is_deep)]
        wanted = "each page as it was landed"
        if broken:
            found = f"{dataset}: {len(broken)} of {len(entries)} pages are missing or damaged, "
            found += ", ".join(broken[:NAMED])
            fix = f"goldlake ingest {usecase} --source SOURCE, which fetches them again"
            yield Ailment(_bad(usecase, found, wanted, fix))
        elif not damaged and not lost:
            rows = sum(entry.rows for entry in entries)
            text = f"{dataset}: {rows:,} records in {len(entries):,} landed pages"
            yield Ailment(Finding(usecase, True, text, wanted))
        yield from _identity(zone, entries)


def _is_broken(zone: LandingZone, entry: PageEntry, pages: dict[str, int], is_deep: bool) -> bool:
    if pages.get(entry.name) is None or pages[entry.name] != (entry.bytes or pages[entry.name]):
        return True
    if not is_deep:
        return False
    data = zone.page_bytes(entry.name) or b""
    return hashlib.sha256(data).hexdigest() != entry.sha256


def _identity(zone: LandingZone, entries: list[PageEntry]) -> Iterator[Ailment]:
    path = zone.home.landing(zone.usecase, "identity.json")
    problem = None if zone.fs.exists(path) or not entries else "identity.json is missing"
    try:
        zone.identity()
    except GoldlakeError as error:
        problem = error.problem
    if problem is not None:
        is_known = any(entry.identity for entry in entries)
        wanted = "the source that the store belongs to"
        if is_known:
            finding = _repairable(zone.usecase, problem, wanted, zone.home)
            yield Ailment(finding, derived.identity_of(zone))
        else:
            yield Ailment(_bad(zone.usecase, problem, wanted, RESTORE))


def _epochs(home: Home, usecase: str) -> Iterator[Ailment]:
    numbers = {epochs.table_of(name)[1] for name in folders(home, "tables", usecase, "silver")}
    try:
        book = epochs.read(home, usecase)
    except GoldlakeError as error:
        problem: str | None = error.problem
    else:
        is_lost = book is None and numbers - {epochs.FIRST}
        problem = (
            f"epochs.json is missing, and silver has epochs {sorted(numbers)}" if is_lost else None
        )
    if problem is not None:
        finding = _repairable(usecase, problem, "which epoch of silver answers", home)
        yield Ailment(finding, derived.epochs_of(home, usecase, numbers))


def _tables(home: Home, usecase: str) -> Iterator[Ailment]:
    broken: dict[str, str] = {}
    count = 0
    try:
        found = catalog.current_tables(home, usecase)
    except GoldlakeError:
        return  # told with the epochs
    for layer, name in found:
        folder = home.table(usecase, layer, name)
        problem = _table_damage(folder)
        count += 1
        if problem is not None:
            broken[folder] = problem
    wanted = "every file that a table's log names"
    if not broken:
        if count:
            yield Ailment(Finding(usecase, True, f"all {count} tables are whole", wanted))
        return
    folder, problem = next(iter(broken.items()))
    told = f"{len(broken)} of {count} tables are damaged: {folder} {problem}"

    def again(on_event: OnEvent) -> str:
        rebuild(usecase, home, on_event)
        return f"the tables of {usecase} were made again from the landed pages"

    is_derivable = all(_is_derivable(home, usecase, each) for each in broken)
    if is_derivable:
        yield Ailment(_repairable(usecase, told, wanted, home), again)
    else:
        yield Ailment(_bad(usecase, told, wanted, RESTORE))


def _is_derivable(home: Home, usecase: str, folder: str) -> bool:
    """Whether a table can be made again: bronze only where every landed page is there."""
    if posixpath.basename(posixpath.dirname(folder)) != "bronze":
        return True
    zones = [LandingZone(home, usecase, name) for name in folders(home, "landing", usecase)]
    for zone in zones:
        entries, damaged = zone.scan_all()
        pages = zone.page_sizes()
        if damaged or any(entry.name not in pages for entry in entries):
            return False
    return bool(zones)


def _table_damage(folder: str) -> str | None:
    log = DeltaLog(folder)
    try:
        if log.latest() is None:
            return "has no commit"
        snapshot = log.snapshot()
    except (GoldlakeError, msgspec.DecodeError, UnicodeDecodeError, OSError) as error:
        return f"has a log that cannot be read: {error}"
    for file in snapshot.files:
        path = posixpath.join(log.uri, file.path)
        if not log.fs.exists(path):
            return f"lacks {file.path}"
        if log.fs.size(path) != file.size:
            return f"has another size of {file.path}"
    return None


def _exports(home: Home, *, is_deep: bool) -> Iterator[Ailment]:
    count = 0
    for usecase in folders(home, "exports"):
        for model in folders(home, "exports", usecase):
            for name in folders(home, "exports", usecase, model):
                folder = home.export(usecase, model, name)
                problem = _export_damage(home, folder, is_deep=is_deep)
                if problem is None:
                    count += 1
                elif problem:
                    version = name.partition("-")[0]
                    fix = f"goldlake export {usecase}.{model} --version {version}"
                    wanted = "the parts that its manifest lists"
                    yield Ailment(_bad("Exports", f"{folder} {problem}", wanted, fix))
    if count:
        yield Ailment(Finding("Exports", True, f"all {count} exports are whole", ""))


def _export_damage(home: Home, folder: str, *, is_deep: bool) -> str | None:
    """What is wrong with an export, "" where it was never finished, None where nothing is."""
    path = posixpath.join(folder, MANIFEST)
    data = read_bytes(home.fs, path)
    if data is None:
        return ""
    try:
        manifest = codec.decode(data, ExportManifest, path)
    except GoldlakeError as error:
        return f"has a damaged manifest: {error.problem}"
    for split in manifest.splits.values():
        for part in split.parts:
            file = posixpath.join(folder, part.path)
            if not home.fs.exists(file):
                return f"lacks {part.path}"
            if home.fs.size(file) != part.bytes:
                return f"has another size of {part.path}"
            if is_deep and hashlib.sha256(home.fs.cat_file(file)).hexdigest() != part.sha256:
                return f"has other content in {part.path}"
    return None


def _models(home: Home) -> Iterator[Ailment]:
    versions: dict[str, list[int]] = {}
    for name in pushed_models(home):
        usecase, _, model = name.partition(".")
        try:
            versions[name] = list(pushed_versions(home, usecase, model))
        except GoldlakeError as error:
            yield Ailment(_bad("Models", error.problem, "what each version is", RESTORE))
            continue
        for number in versions[name]:
            if not home.fs.exists(home.model(usecase, model, str(number), SAVED_MODEL_FILE)):
                problem = f"{name}@{number} has no {SAVED_MODEL_FILE}"
                yield Ailment(_bad("Models", problem, "whole versions", RESTORE))
    try:
        served = config.read_or_empty(home.models_config)
    except (GoldlakeError, UnicodeDecodeError) as error:
        yield _served(home, f"{home.models_config} is damaged: {error}")
        return
    if not home.fs.exists(home.models_config):
        if derived.served_by(home).models:
            yield _served(home, f"{home.models_config} is missing, and models were promoted")
        return
    for each in served.models:
        missing = sorted({*each.versions, *each.labels.values()} - {*versions.get(each.name, ())})
        if missing and each.base_path == home.path("models", each.name):
            problem = f"models.config serves {each.name} {missing}, which are not there"
            fix = f"goldlake promote {each.name}@VERSION, or {RESTORE}"
            yield Ailment(_bad("Models", problem, "versions that are there", fix))
    count = sum(map(len, versions.values()))
    yield Ailment(Finding("Models", True, f"all {count} pushed versions are whole", ""))


def _served(home: Home, problem: str) -> Ailment:
    wanted = "what is served"
    if derived.served_by(home).models:
        return Ailment(_repairable("Models", problem, wanted, home), derived.config_of(home))
    return Ailment(_bad("Models", problem, wanted, "goldlake promote MODEL@VERSION"))


def _metadata(home: Home, *, is_deep: bool) -> Iterator[Ailment]:
    if home.is_local and home.fs.exists(home.mlmd):
        problem = database.damage(home, is_deep=is_deep)
        wanted = "a whole database"
        if problem is None:
            yield Ailment(Finding("ML Metadata", True, "the database is whole", wanted))
        else:
            yield Ailment(_bad("ML Metadata", f"{home.mlmd}: {problem}", wanted, RESTORE))


def _leftovers(home: Home, usecases: list[str]) -> Iterator[Ailment]:
    """Files of writes that were killed; what may still be in the making is left alone."""
    if not home.is_local:
        return
    found = list(_unfinished(home, usecases))
    if not found:
        return

    def clear(on_event: OnEvent) -> str:
        for path in found:
            shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)
        return f"{len(found)} leftovers of interrupted writes were removed"

    told = f"{len(found)} leftovers of interrupted writes, such as {found[0]}"
    yield Ailment(_repairable("Leftovers", told, "none", home), clear)


def _unfinished(home: Home, usecases: list[str]) -> Iterator[str]:
    root = Path(home.root)
    patterns = ["models/*/.push-*", "models/.models.config.*"]
    patterns += ["exports/*/*/*.staging", ".backup.json.*"]
    for name in usecases:
        patterns += [f"landing/{name}/.*", f"landing/{name}/*/.*", f"landing/{name}/*/*/.*"]
        patterns += [f"tables/{name}/.*"]
    now = time.time()
    for pattern in patterns:
        for path in sorted(root.glob(pattern)):
            if now - path.stat().st_mtime > _LEFT_ALONE_S:
                yield str(path)
    # Where `goldlake reproduce` was killed, the home that it made is left.
    yield from (str(path) for path in sorted(root.glob("runs/*/home")) if _has_ended(path.parent))


def _has_ended(run: Path) -> bool:
    return (run / runs.ENDED).exists()


def _bad(name: str, found: str, wanted: str, fix: str) -> Finding:
    return Finding(name, False, found, wanted, fix)


def _repairable(name: str, found: str, wanted: str, home: Home) -> Finding:
    return _bad(name, found, wanted, f"goldlake doctor --repair --home {home.root}")
