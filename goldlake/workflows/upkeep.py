"""The parts of a home that maintenance looks at, and what it would do to each. No JVM.

Each part says what it holds and which steps make it smaller. A step can be killed and done again.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import PurePath

import msgspec

from goldlake.workflows import old_versions
from goldlake_core.contracts.sections import UseCase
from goldlake_core.documents.maintain import PinnedExport
from goldlake_core.instants import of_text, utc_text
from goldlake_core.storage.deltalog import DeltaLog
from goldlake_core.storage.files import list_names, read_bytes
from goldlake_core.storage.home import Home
from goldlake_core.storage.landing import LandingZone, PageEntry
from goldlake_core.storage.model_versions import pushed_versions
from lakehouse import commits, epochs, maintain, specs
from serving import config

SMALL_PAGE_BYTES = 1 << 20
PACK_BYTES = 64 << 20
LEAST_PAGES = 8
"""Fewer small pages than this are left as they are."""

_RUN = re.compile(r"(\d{8}-\d{6})-[0-9a-f]{4}")


@dataclass(frozen=True)
class Step:
    """Something that is done to a part.

    Attributes:
        text: What is done, in words.
        act: Does it; None where Spark does it.
        files: By how many files the part gets smaller.
        bytes: By how many bytes the part gets smaller.
    """

    text: str
    act: Callable[[], None] | None
    files: int = 0
    bytes: int = 0


@dataclass(frozen=True)
class Part:
    """One part of a home.

    Attributes:
        name: A table id, or a word such as ``landing``.
        folders: The folders that hold it.
        steps: What there is to do.
    """

    name: str
    folders: Sequence[str]
    steps: list[Step] = field(default_factory=list)


@dataclass(frozen=True)
class Upkeep:
    """Maintenance of one use case in one home.

    Attributes:
        usecase: The use case.
        home: Where everything is kept.
        before: What is older may go.
        drop_aside: Whether pages that were set aside go.
        drop_orphans: Whether tables go that the contract does not name.
    """

    usecase: UseCase
    home: Home
    before: datetime
    drop_aside: bool = False
    drop_orphans: bool = False

    def parts(self) -> list[Part]:
        """Every part, with what there is to do. Read-only."""
        return [
            *map(self._table, maintain.existing(self.usecase, self.home)),
            self._landing(),
            self._aside(),
            self._epochs(),
            self._orphans(),
            self._exports(),
            self._runs(),
        ]

    def size(self, part: Part) -> tuple[int, int]:
        """Number of files of a part, and their size."""
        sizes = [size for folder in part.folders for size in _sizes(self.home, folder)]
        return len(sizes), sum(sizes)

    @property
    def _idle(self) -> datetime:
        """What is younger may be at work right now: runs and exports do not take the lock."""
        return min(self.before, datetime.now(timezone.utc) - timedelta(days=1))

    def orphans(self) -> list[str]:
        """Folders of tables that the contract does not name."""
        table, found = self.usecase.silver.table, []
        named = {
            "bronze": {table},
            "silver": {table, table + specs.VERSIONS},
            "gold": set(self.usecase.gold),
        }
        for layer, names in named.items():
            folder = self.home.path("tables", self.usecase.name, layer)
            for name in list_names(self.home.fs, folder):
                if epochs.table_of(name)[0] not in names:
                    found.append(posixpath.join(folder, name))
        return found

    def pinned(self) -> list[PinnedExport]:
        """Exports that pushed versions of models learned from."""
        served = config.read_or_empty(self.home.models_config)
        models: dict[str, list[str]] = {}
        labels: dict[str, list[str]] = {}
        for name in dict.fromkeys([*self.usecase.models, *_pushed(self.home, self.usecase.name)]):
            entry = served.model(f"{self.usecase.name}.{name}")
            of_version = dict(entry.labels) if entry is not None else {}
            for version, about in pushed_versions(self.home, self.usecase.name, name).items():
                if about is None or about.export_id is None:
                    continue
                models.setdefault(about.export_id, []).append(
                    f"{self.usecase.name}.{name}@{version}"
                )
                labels.setdefault(about.export_id, []).extend(
                    label for label, number in of_version.items() if number == version
                )
        return [
            PinnedExport(export_id=name, models=tuple(models[name]), labels=tuple(labels[name]))
            for name in sorted(models)
        ]

    def _table(self, spec: specs.TableSpec) -> Part:
        part = Part(spec.id, [spec.uri])
        snapshot = DeltaLog(spec.uri).snapshot()
        small = maintain.small_files(snapshot)
        if small:
            part.steps.append(Step(f"{counted(small, 'small file')} become larger ones", None))
        if maintain.lagging(self.usecase, self.home, spec):
            part.steps.append(Step("it names the version of silver that it holds", None))
        why = maintain.needed(self.usecase, self.home, spec)
        if why:
            part.steps.append(Step(f"its old versions stay: {why}", _nothing))
            return part
        old = old_versions.unused(spec.uri, self.before)
        if old:
            limit = utc_text(self.before, "seconds")
            text = f"{counted(len(old), 'file')} of versions before {limit} go"
            part.steps.append(Step(text, None, len(old), sum(f.size for f in old)))
        first = maintain.first_needed(self.usecase, self.home, spec)
        log = old_versions.old_log(spec.uri, self.before, first)
        if log:
            text = f"{counted(len(log), 'file')} of its log go"
            part.steps.append(self._removal(text, log))
        return part

    def _landing(self) -> Part:
        zone = specs.landing(self.usecase, self.home)
        part = Part("landing", [zone.pages_uri, zone.manifest_uri, zone.path("packs")])
        loose = zone.loose_sizes()
        packed = [name for name in zone.packed() if name in loose]
        if packed:

            def act() -> None:
                for name in packed:
                    zone.remove_loose(name)

            text = f"{counted(len(packed), 'page')} that packs hold go"
            part.steps.append(Step(text, act, len(packed), sum(loose[name] for name in packed)))
        if unfinished := zone.unfinished_packs():
            paths = [zone.path("packs", name) for name in unfinished]
            files = [old_versions.OldFile(path, self.home.fs.size(path)) for path in paths]
            part.steps.append(self._removal(f"{counted(len(files), 'unfinished pack')} go", files))
        for group in self._groups(zone, loose.keys() - set(packed)):
            text = f"{len(group)} small pages become one pack, {group[0].sequence} to "
            part.steps.append(
                Step(
                    f"{text}{group[-1].sequence}",
                    lambda group=group: zone.pack(group),  # type: ignore[misc]
                    len(group) - 2,
                )
            )
        return part

    def _groups(self, zone: LandingZone, loose: set[str]) -> Iterator[list[PageEntry]]:
        """Small pages, by their sequence, whose records bronze holds."""
        uri = specs.bronze(self.usecase, self.home).uri
        through = commits.newest(uri, commits.BronzeCommit).through
        group: list[PageEntry] = []
        for entry in zone.scan_all().entries:
            is_small = entry.bytes is not None and entry.bytes < SMALL_PAGE_BYTES
            if entry.name not in loose or entry.sequence > through or not is_small:
                continue
            if sum(page.bytes or 0 for page in group) > PACK_BYTES:
                yield group
                group = []
            group.append(entry)
        if len(group) >= LEAST_PAGES:
            yield group

    def _aside(self) -> Part:
        folder = specs.landing(self.usecase, self.home).path("aside")
        part = Part("aside", [folder])
        pages = [name for name in list_names(self.home.fs, folder) if not name.endswith(".json")]
        if pages and self.drop_aside:
            paths = [posixpath.join(folder, name) for name in pages]
            # Their lines stay: bronze may hold their records, and their numbers stay taken.
            files = [old_versions.OldFile(path, self.home.fs.size(path)) for path in paths]
            part.steps.append(
                self._removal(f"{counted(len(pages), 'page')} that were set aside go", files)
            )
        elif pages:
            text = (
                f"{counted(len(pages), 'page')} set aside; --drop-aside removes what was set aside"
            )
            part.steps.append(Step(text, _nothing))
        return part

    def _epochs(self) -> Part:
        folders = self._old_epochs()
        part = Part("epochs", [folder for found in folders.values() for folder in found])
        book = epochs.read(self.home, self.usecase.name)
        made = [of_text(e.made_at) for e in book.epochs if e.made_at] if book else []
        for number, found in folders.items():
            if any(at > self.before for at in (*made, *map(_committed, found))):
                part.steps.append(Step(f"epoch {number} is young and stays", _nothing))
                continue
            sizes = [size for folder in found for size in _sizes(self.home, folder)]

            def act(number: int = number, found: Sequence[str] = found) -> None:
                epochs.retire(self.home, self.usecase.name, number)
                for folder in found:
                    self.home.fs.rm(folder, recursive=True)

            text = f"epoch {number}, which does not answer any more, goes"
            part.steps.append(Step(text, act, len(sizes), sum(sizes)))
        return part

    def _old_epochs(self) -> dict[int, list[str]]:
        """Folders of the epochs that do not answer, by epoch."""
        current = epochs.current(self.home, self.usecase.name)
        found: dict[int, list[str]] = {}
        table = self.usecase.silver.table
        folder = self.home.path("tables", self.usecase.name, "silver")
        for name in list_names(self.home.fs, folder):
            base, number = epochs.table_of(name)
            if number != current and base in (table, table + specs.VERSIONS):
                found.setdefault(number, []).append(posixpath.join(folder, name))
        audit = self.home.path("tables", self.usecase.name, "audit")
        if current != epochs.FIRST:
            for name in ("fates", "quarantine"):  # of homes made before silver had epochs
                if self.home.fs.exists(posixpath.join(audit, name)):
                    found.setdefault(epochs.FIRST, []).append(posixpath.join(audit, name))
        return found

    def _orphans(self) -> Part:
        folders = self.orphans()
        part = Part("orphans", folders)
        for folder in folders:
            name = posixpath.relpath(folder, self.home.root)
            sizes = list(_sizes(self.home, folder))
            if not self.drop_orphans:
                text = f"the contract does not name {name}; --drop-orphans removes it"
                part.steps.append(Step(text, _nothing))
                continue
            act = self._folder_removal(folder)
            text = f"{name}, which the contract does not name, goes"
            part.steps.append(Step(text, act, len(sizes), sum(sizes)))
        return part

    def _exports(self) -> Part:
        root = self.home.path("exports", self.usecase.name)
        part = Part("exports", [root])
        pinned = {entry.export_id for entry in self.pinned()}
        for model in list_names(self.home.fs, root):
            names = list_names(self.home.fs, posixpath.join(root, model))
            whole = [name for name in names if not name.endswith(".staging")]
            newest = max(whole, key=_export_version, default=None)
            for name in names:
                folder = posixpath.join(root, model, name)
                is_used = name == newest or f"{self.usecase.name}/{model}/{name}" in pinned
                if is_used or self._modified(folder) > self._idle:
                    continue
                sizes = list(_sizes(self.home, folder))
                text = f"export {model}/{name}, which no model learned from, goes"
                act = self._folder_removal(folder)
                part.steps.append(Step(text, act, len(sizes), sum(sizes)))
        return part

    def _runs(self) -> Part:
        roots = [self.home.path(name) for name in ("runs", "logs")]
        old = [name for name in list_names(self.home.fs, roots[0]) if self._is_old_run(name)]
        part = Part("runs", roots)
        if old:
            folders = [posixpath.join(root, name) for root in roots for name in old]
            sizes = [size for folder in folders for size in _sizes(self.home, folder)]

            def act() -> None:
                for folder in folders:
                    if self.home.fs.exists(folder):
                        self.home.fs.rm(folder, recursive=True)

            text = f"documents and logs of {counted(len(old), 'run')} go"
            part.steps.append(Step(text, act, len(sizes), sum(sizes)))
        return part

    def _is_old_run(self, name: str) -> bool:
        """Whether a run of this use case began too long ago to be of use."""
        match = _RUN.fullmatch(name)
        if match is None:
            return False
        began = datetime.strptime(match[1], "%Y%m%d-%H%M%S").replace(tzinfo=timezone.utc)
        if began > self._idle:
            return False
        folder = self.home.run(name)
        requests = [n for n in list_names(self.home.fs, folder) if n.endswith(".request.json")]
        named = {self._usecase_of(posixpath.join(folder, request)) for request in requests}
        return named <= {self.usecase.name}

    def _usecase_of(self, path: str) -> str:
        data = read_bytes(self.home.fs, path) or b"{}"
        try:
            return PurePath(msgspec.json.decode(data, type=_Request).usecase).name
        except msgspec.DecodeError:  # whose it is, nobody knows any more
            return ""

    def _modified(self, folder: str) -> datetime:
        """When the newest file of a folder was written."""
        times = [self.home.fs.modified(path) for path in self.home.fs.find(folder)]
        return max(times) if times else self.home.fs.modified(folder)

    def _removal(self, text: str, files: Sequence[old_versions.OldFile]) -> Step:
        def act() -> None:
            for file in files:
                if self.home.fs.exists(file.path):
                    self.home.fs.rm_file(file.path)

        return Step(text, act, len(files), sum(file.size for file in files))

    def _folder_removal(self, folder: str) -> Callable[[], None]:
        return lambda: self.home.fs.rm(folder, recursive=True)


class _Request(msgspec.Struct):
    usecase: str = ""


def counted(number: int, word: str) -> str:
    """A number of things, such as ``2 files``."""
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def _nothing() -> None:
    """What a step does that only tells."""


def _committed(folder: str) -> datetime:
    """When a table got its newest version."""
    log = DeltaLog(folder)
    newest = log.latest()
    return datetime.fromtimestamp(0, timezone.utc) if newest is None else log.commit(newest).time


def _export_version(name: str) -> int:
    number = name.partition("-")[0]
    return int(number) if number.isdigit() else -1


def _pushed(home: Home, usecase: str) -> list[str]:
    """Models of a use case with a pushed version, whatever its contract names now."""
    names = list_names(home.fs, home.path("models"))
    return [name.partition(".")[2] for name in names if name.startswith(f"{usecase}.")]


def _sizes(home: Home, folder: str) -> Iterator[int]:
    if home.fs.exists(folder):
        yield from (int(info["size"]) for info in home.fs.find(folder, detail=True).values())
