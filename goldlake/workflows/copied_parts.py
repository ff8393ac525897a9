"""What a copy of a home consists of, part by part. Read-only.

What refers is looked at before what it refers to; see `goldlake.workflows.backup`.
"""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

import msgspec

from goldlake_core.contracts.errors import StoreError
from goldlake_core.documents.keeping import CopiedLanding, CopiedTable
from goldlake_core.storage.deltalog import DeltaLog
from goldlake_core.storage.files import file_sha256, list_names, read_bytes
from goldlake_core.storage.home import Home
from goldlake_core.storage.landing import LandingZone
from goldlake_core.storage.model_versions import SAVED_MODEL_FILE
from lakehouse import epochs
from metadata.database import copy_database
from serving import config, registry

PARTS = (
    *("landing", "tables", "clusters", "exports", "pipelines", "models", "metadata", "gate"),
    "runs",
)
"""Parts of a home that a copy holds. Logs are left out: nothing reads them."""
_EXPORT_MANIFEST = "manifest.json"
# Order of writing: what never changes, what makes it a part of the home, what changes.
_DATA, _LINES, _LOGS, _DOCUMENTS = range(4)


class Item(NamedTuple):
    """A file to copy.

    Attributes:
        path: Its place relative to the home.
        source: Where it is read.
        size: Its size in bytes.
        order: Files of a smaller order are written before; see the module.
        sha256: What its content has to be, or None where name and size tell.
        data: Its content where that was read already: a document that changes.
    """

    path: str
    source: str
    size: int
    order: int = _DATA
    sha256: str | None = None
    data: bytes | None = None


@dataclass
class Survey:
    """What a home holds, in the order in which it is to be written.

    Attributes:
        items: Every file that a copy of the home gets.
        tables: The Delta tables by folder, relative to the home.
        landed: The landing zones by folder, relative to the home.
    """

    items: list[Item] = field(default_factory=list)
    tables: dict[str, CopiedTable] = field(default_factory=dict)
    landed: dict[str, CopiedLanding] = field(default_factory=dict)


class _Path(msgspec.Struct, frozen=True):
    path: str


class _Named(msgspec.Struct, frozen=True):
    add: _Path | None = None
    remove: _Path | None = None
    cdc: _Path | None = None


def survey(home: Home, usecase: str | None, scratch: Path) -> Survey:
    """Looks at a home once, from models down to landed pages.

    Args:
        home: The home to look at.
        usecase: Only this use case, or None for all.
        scratch: Folder that takes the copy of ML Metadata.

    Raises:
        StoreError: A part is damaged.
    """
    found = Survey()
    served = list(_served(home, usecase))
    recorded = list(_metadata(home, scratch))
    for part in ("models", "pipelines", "runs"):
        found.items += _plain(home, part, usecase)
    found.items += _exports(home, usecase)
    found.items += _small(home, "gate", usecase)
    found.items += recorded
    for name in folders(home, "tables"):
        if usecase in (None, name):
            _tables(home, name, found)
    found.items += _small(home, "clusters", usecase)
    for name in folders(home, "landing"):
        if usecase in (None, name):
            _landing(home, name, found)
    found.items += served
    found.items.sort(key=lambda item: item.order)
    return found


def _served(home: Home, usecase: str | None) -> Iterator[Item]:
    data = read_bytes(home.fs, home.models_config)
    if data is None:
        return
    if usecase is not None:
        whole = config.parse(data.decode("utf-8"), home.models_config)
        mine = tuple(m for m in whole.models if m.name.startswith(f"{usecase}."))
        data = config.render(config.ModelsConfig(mine)).encode()
    yield _document(home, home.models_config, data)


def _small(home: Home, part: str, usecase: str | None) -> Iterator[Item]:
    """What the gate keeps, or what clusters were fitted to: small files, read at once."""
    for name in folders(home, part):
        if usecase in (None, name):
            for path in file_sizes(home, part, name):
                data = read_bytes(home.fs, home.path(path))
                if data is not None:
                    yield _document(home, home.path(path), data)


def _metadata(home: Home, scratch: Path) -> Iterator[Item]:
    if not home.is_local or not home.fs.exists(home.mlmd):
        return
    file = scratch / "mlmd.sqlite"
    copy_database(home, str(file))
    data = file.read_bytes()
    path = posixpath.relpath(home.mlmd, home.root)
    digest = hashlib.sha256(data).hexdigest()
    yield Item(path, home.mlmd, len(data), _DOCUMENTS, digest, data)


def _plain(home: Home, part: str, usecase: str | None) -> Iterator[Item]:
    """Files of a part that are written once; unfinished ones and locks are left out."""
    for name in folders(home, part):
        if part != "runs" and usecase is not None and not name.startswith(f"{usecase}."):
            continue
        if part == "models" and name in (registry.SERVERS, registry.PROMOTIONS):
            continue  # of processes that run now, which a copy does not have
        sizes = file_sizes(home, part, name)
        # A server takes a version for whole when it finds this file.
        for path in sorted(sizes, key=lambda p: (p.endswith(SAVED_MODEL_FILE), p)):
            hidden = [each for each in path.split("/") if each.startswith(".")]
            if part == "pipelines" or not hidden:
                # A number of a version that was removed by hand is given again.
                digest = file_sha256(home.fs, home.path(path)) if part == "models" else None
                yield Item(path, home.path(path), sizes[path], sha256=digest)


def _exports(home: Home, usecase: str | None) -> Iterator[Item]:
    for name in folders(home, "exports"):
        if usecase not in (None, name):
            continue
        for model in folders(home, "exports", name):
            for export in folders(home, "exports", name, model):
                sizes = file_sizes(home, "exports", name, model, export)
                manifest = posixpath.join("exports", name, model, export, _EXPORT_MANIFEST)
                if manifest in sizes:
                    for path in sorted(sizes, key=lambda p: (p == manifest, p)):
                        yield Item(path, home.path(path), sizes[path])


def _tables(home: Home, usecase: str, found: Survey) -> None:
    path = home.path("tables", usecase, "epochs.json")
    data = read_bytes(home.fs, path)
    book = epochs.read(home, usecase)
    numbers = {epoch.number for epoch in book.epochs} if book else None
    if data is not None:
        found.items.append(_document(home, path, data))
    layers = folders(home, "tables", usecase)
    # Downstream first: gold, silver, bronze; then whatever else is there.
    for layer in sorted(layers, key=lambda name: (name == "bronze", name != "gold", name)):
        for folder in folders(home, "tables", usecase, layer):
            is_begun = layer != "silver" or numbers is None
            if is_begun or epochs.table_of(folder)[1] in (numbers or ()):
                _table(home, posixpath.join("tables", usecase, layer, folder), found)


def _table(home: Home, folder: str, found: Survey) -> None:
    log = DeltaLog(home.path(folder))
    version = log.latest()
    if version is None:
        return
    snapshot = log.snapshot(version)
    found.tables[folder] = CopiedTable(uuid=snapshot.uuid, version=version)
    sizes = {path[len(folder) + 1 :]: size for path, size in file_sizes(home, folder).items()}
    current = {file.path for file in snapshot.files}
    missing = sorted(current - sizes.keys())
    if missing:
        raise StoreError(
            f"The table {home.path(folder)} lacks {len(missing)} of its files, such as "
            f"{missing[0]}; nothing was copied",
            hint=f"goldlake doctor --home {home.root}",
        )
    named = current | set(_named(log, version))
    for name in sorted(sizes):
        base = posixpath.basename(name)
        plain = posixpath.join(posixpath.dirname(name), base.removeprefix("."))
        path = posixpath.join(folder, name)
        if name.startswith("_delta_log/"):
            # Hints of where the newest checkpoint is are left out: they may be ahead.
            number = base.removeprefix(".")[:20]
            if number.isdigit() and int(number) <= version:
                found.items.append(Item(path, home.path(path), sizes[name], _LOGS))
        elif name in named or plain.removesuffix(".crc") in named:
            found.items.append(Item(path, home.path(path), sizes[name]))


def _named(log: DeltaLog, version: int) -> Iterator[str]:
    """Data files that the commits up to a version name, those of the change feed among them."""
    versions = [number for number in log.versions() if number <= version]
    for file in log.snapshot(versions[0]).files:
        yield file.path
    for number in versions:
        data = read_bytes(log.fs, posixpath.join(log.uri, "_delta_log", f"{number:020d}.json"))
        for line in (data or b"").splitlines():
            if line.strip():
                action = msgspec.json.decode(line, type=_Named)
                for each in (action.add, action.remove, action.cdc):
                    if each is not None:
                        yield unquote(each.path)


def _landing(home: Home, usecase: str, found: Survey) -> None:
    names = home.fs.ls(home.landing(usecase), detail=True)
    for entry in names:
        name = posixpath.basename(entry["name"].rstrip("/"))
        if entry["type"] == "directory":
            _zone(home, usecase, name, found)
        elif name.endswith(".json") and not name.startswith("."):
            path = home.landing(usecase, name)
            data = read_bytes(home.fs, path)
            if data is not None:
                found.items.append(_document(home, path, data))


def _zone(home: Home, usecase: str, dataset: str, found: Survey) -> None:
    zone = LandingZone(home, usecase, dataset)
    entries, damaged = zone.scan_all()
    if damaged:
        name, problem = next(iter(damaged.items()))
        raise StoreError(
            f"{len(damaged)} manifest lines of {usecase} are damaged, such as that of {name}: "
            f"{problem}; nothing was copied",
            hint=f"goldlake doctor --home {home.root} --repair",
        )
    packed, packs = zone.packed(), file_sizes(home, "landing", usecase, dataset, "packs")
    pages = zone.loose_sizes()  # after the packs: a page that is unpacked meanwhile is not missed
    folder = posixpath.join("landing", usecase, dataset)
    if entries:
        first, last = entries[0], entries[-1]
        mark = f"{first.name} {first.landed_at}"
        found.landed[folder] = CopiedLanding(first=mark, through=last.sequence)
    for path, size in sorted(packs.items()):
        if path.removesuffix(".json") in packs and f"{path.removesuffix('.json')}.json" in packs:
            order = _LINES if path.endswith(".json") else _DATA
            found.items.append(Item(path, home.path(path), size, order))
    for entry in entries:
        line = zone.path("manifest", f"{entry.name}.json")
        found.items.append(_document(home, line, read_bytes(home.fs, line) or b"", _LINES))
        if entry.name in pages:
            path = posixpath.join(folder, "pages", entry.name)
            size = pages[entry.name]
            found.items.append(Item(path, home.path(path), size, sha256=entry.sha256))
        elif entry.name not in packed:
            raise StoreError(
                f"The landed page {zone.page_uri(entry.name)} is missing; nothing was copied",
                hint=f"goldlake doctor --home {home.root}",
            )
    for path, size in sorted(file_sizes(home, folder, "aside").items()):
        found.items.append(Item(path, home.path(path), size))
    for name in list_names(home.fs, zone.path(), ".json"):
        path = zone.path(name)
        data = read_bytes(home.fs, path)
        if data is not None:
            found.items.append(_document(home, path, data))


def _document(home: Home, path: str, data: bytes, order: int = _DOCUMENTS) -> Item:
    digest = hashlib.sha256(data).hexdigest()
    return Item(posixpath.relpath(path, home.root), path, len(data), order, digest, data)


def file_sizes(home: Home, *parts: str) -> dict[str, int]:
    """Sizes of all files in a folder of the home, by path relative to the home."""
    home.fs.invalidate_cache()
    try:
        entries = home.fs.find(home.path(*parts), detail=True)
    except FileNotFoundError:
        return {}
    root = home.fs._strip_protocol(home.root)
    return {
        posixpath.relpath(name, root): int(entry["size"])
        for name, entry in entries.items()
        if not name.endswith(".lock")
    }


def folders(home: Home, *parts: str) -> list[str]:
    """Names of the folders in a folder of the home, sorted; none where it is not there."""
    home.fs.invalidate_cache()
    try:
        entries = home.fs.ls(home.path(*parts), detail=True)
    except FileNotFoundError:
        return []
    names = (posixpath.basename(e["name"].rstrip("/")) for e in entries if e["type"] == "directory")
    return sorted(name for name in names if not name.startswith("."))
