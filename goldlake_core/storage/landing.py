"""The landing zone: raw pages as the source sent them, their manifest, the store's owner.

    landing/USECASE/identity.json                 the source that the store belongs to
    landing/USECASE/erasures.json                 keys whose records were erased, as digests
    landing/USECASE/DATASET/pages/NAME            gzip JSON lines, one record per line
    landing/USECASE/DATASET/manifest/NAME.json    the page's `PageEntry`
    landing/USECASE/DATASET/aside/                files that nothing vouches for any more
    landing/USECASE/DATASET/packs/                many small pages in one file; see `pack`
    landing/USECASE/DATASET/restores.json         which pages count; see `restores`

The manifest line is the commit point. A page file without one is nothing, and is written over. So a
process that dies in between leaves nothing to clean up. Where the next poll begins follows from the
manifest alone.

    NAME = SEQUENCE-CURSOR-HASH.jsonl.gz
    SEQUENCE  8 digits; pages are numbered 1, 2, 3 … in the order of landing
    CURSOR    the cursor's letters and digits ("start" without one), for people
    HASH      12 hex digits of the sha256 of data set, range and cursor

Homes of earlier versions hold names without SEQUENCE and manifest lines of format 1. These stay as
they are, and are numbered by the time of landing, before all newer ones.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import posixpath
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec
import xxhash

from goldlake_core.contracts.errors import StoreError
from goldlake_core.documents.lakehouse import Identity
from goldlake_core.instants import now_text
from goldlake_core.storage.files import (
    NewerFormat,
    document,
    list_names,
    read_all,
    read_bytes,
    write_atomic,
    write_json,
)
from goldlake_core.storage.home import Home
from goldlake_core.storage.locks import require_held
from goldlake_core.storage.restores import FORMAT as RESTORES_FORMAT
from goldlake_core.storage.restores import Restores

PAGE_SUFFIX = ".jsonl.gz"
FORMAT = 2
"""Format of the manifest lines and identities that are written now."""
ERASED_FORMAT = 3
"""Format of the manifest lines of pages from which records were erased."""
_COMPRESSION = 1  # of gzip: a page is read a few times, and level 4 takes three times as long
_NAME = re.compile(r"(\d{8})-[0-9A-Za-z]*-[0-9a-f]{12}" + re.escape(PAGE_SUFFIX))


class Cursor(msgspec.Struct, frozen=True):
    """A place in the source's order; the next page begins after it.

    Attributes:
        value: What the source is ordered by, such as an update time.
        tiebreak: Tells records with the same value apart.
    """

    value: str
    tiebreak: str


class PageEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One line of the manifest.

    Attributes:
        format: Format of the line; lines of format 1 have no sequence, content and inputs.
        sequence: Number of the page in the order of landing, from 1.
        name: File name in the pages folder.
        url: The request that answered with this page.
        landed_at: When the page was landed (ISO 8601, UTC).
        rows: Records in the page.
        sha256: sha256 of the page file's bytes.
        content: Sum modulo 2**64 of the records' hashes; see `content_of`. None in format 1.
        bytes: Size of the page file, or None in format 1.
        first_cursor: Cursor after which the request began, or None for the start.
        last_cursor: Place of the last record that the request answered with.
        run_id: The run that landed it.
        since: First day of the range asked for (ISO 8601), or None.
        until: First day after the range, or None.
        identity: The source that the records come from, or None in format 1.
        address: Where the source was asked.
        inputs: What the source was made from, such as digests of files or of a generator.
        tombstones: Whether the records tell of keys that the source holds no more.
        erased: Number of records that were erased from it, by number of the erasure.
    """

    format: int = 1
    sequence: int = 0
    name: str
    url: str
    landed_at: str
    rows: int
    sha256: str
    content: int | None = None
    bytes: int | None = None
    first_cursor: Cursor | None = None
    last_cursor: Cursor | None = None
    run_id: str
    since: str | None = None
    until: str | None = None
    identity: Identity | None = None
    address: str = ""
    inputs: Identity = {}
    tombstones: bool = False
    erased: dict[str, int] = {}


class Owner(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The document ``identity.json``.

    Attributes:
        format: Format of the document. Format 1 was the bare identity.
        identity: The source that the store belongs to.
        source: The contract's section ``source`` of the newest landing, as canonical JSON; "" where
            it is not known.
    """

    format: int = FORMAT
    identity: Identity
    source: str = ""


class Pack(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The document beside a pack: where each page lies in it.

    Attributes:
        format: Format of the document.
        pages: Offset and size in bytes by the page's name.
    """

    format: int = 1
    pages: dict[str, tuple[int, int]]


class Scan(NamedTuple):
    """All that a manifest folder holds.

    Attributes:
        entries: The lines by their sequence.
        damaged: Page names whose line cannot be read, and why.
    """

    entries: list[PageEntry]
    damaged: dict[str, str]


class LandingZone:
    """The landed pages of one data set of one use case in one home."""

    def __init__(self, home: Home, usecase: str, dataset: str) -> None:
        self.home = home
        self.usecase = usecase
        self.dataset = dataset
        self.fs = home.fs
        self._read_packs: dict[str, dict[str, tuple[int, int]]] = {}

    @property
    def pages_uri(self) -> str:
        """Folder of the pages: a local path, or a URL."""
        return self.path("pages")

    @property
    def manifest_uri(self) -> str:
        """Folder of the manifest documents."""
        return self.path("manifest")

    def path(self, *parts: str) -> str:
        """A path in the data set's folder."""
        return self.home.landing(self.usecase, self.dataset, *parts)

    def page_uri(self, name: str) -> str:
        """Path or URL of a page."""
        return self.path("pages", name)

    def page_name(
        self,
        cursor: Cursor | None,
        since: str | None = None,
        until: str | None = None,
        *,
        sequence: int | None = None,
    ) -> str:
        """The one name of the page that begins after ``cursor``.

        Args:
            cursor: Where the page begins.
            since: First day of the range asked for.
            until: First day after the range.
            sequence: Number of the page; None: the next one, which lists the folder.
        """
        place = [cursor.value, cursor.tiebreak] if cursor else None
        key = json.dumps([self.dataset, since, until, place], ensure_ascii=True)
        compact = re.sub(r"[^0-9A-Za-z]", "", cursor.value)[:40] if cursor else "start"
        number = self.next_sequence() if sequence is None else sequence
        digest = hashlib.sha256(key.encode()).hexdigest()[:12]
        return f"{number:08d}-{compact}-{digest}{PAGE_SUFFIX}"

    def next_sequence(self) -> int:
        """The number after the greatest that a manifest line has. The caller holds the lock."""
        numbers = [sequence_of(name) for name in self._names()]
        return max((n for n in numbers if n), default=numbers.count(0)) + 1

    def write_page(
        self,
        name: str,
        lines: list[bytes],
        *,
        url: str,
        first_cursor: Cursor | None,
        last_cursor: Cursor | None,
        run_id: str,
        since: str | None = None,
        until: str | None = None,
        identity: Identity | None = None,
        address: str = "",
        inputs: Identity | None = None,
        tombstones: bool = False,
    ) -> PageEntry:
        """Writes a page whole; same lines, same bytes. The caller's next write is the manifest.

        Args:
            name: Name of the page, from `page_name`; its number becomes the sequence.
            lines: Records in the source's order, each one line without its newline.
            url: The request that answered with them.
            first_cursor: Where the request began.
            last_cursor: Place of the last record.
            run_id: The run that lands it.
            since: First day of the range asked for.
            until: First day after the range.
            identity: The source that the records come from.
            address: Where the source was asked.
            inputs: What the source was made from.
            tombstones: Whether the records tell of keys that the source holds no more.

        Returns:
            The manifest line for `write_manifest`.
        """
        data = packed(lines)
        write_atomic(self.fs, self.page_uri(name), data)
        return PageEntry(
            format=FORMAT,
            sequence=sequence_of(name),
            name=name,
            url=url,
            landed_at=now_text("microseconds"),
            rows=len(lines),
            sha256=hashlib.sha256(data).hexdigest(),
            content=content_of(lines),
            bytes=len(data),
            first_cursor=first_cursor,
            last_cursor=last_cursor,
            run_id=run_id,
            since=since,
            until=until,
            identity=identity,
            address=address,
            inputs=inputs or {},
            tombstones=tombstones,
        )

    def read_page(self, entry: PageEntry) -> list[bytes]:
        """The records of a page. Read-only.

        Raises:
            StoreError: The page is missing, or its bytes are not those that were landed.
        """
        data = self.page_bytes(entry.name)
        if data is None:
            raise self._broken_page(entry, "is missing")
        if hashlib.sha256(data).hexdigest() != entry.sha256:
            raise self._broken_page(entry, "is damaged: its sha256 differs from the manifest's")
        return unpacked(data)

    def write_manifest(self, entry: PageEntry) -> None:
        """Writes the page's manifest line, which makes the page a part of the store."""
        require_held()
        write_json(self.fs, self._line_uri(entry.name), msgspec.to_builtins(entry))

    def manifest(self, after: int = 0) -> list[PageEntry]:
        """The manifest lines by their sequence, of the pages that count after a sequence.

        Raises:
            NewerFormat: A line was written by a newer goldlake.
            StoreError: A line is damaged.
        """
        entries, damaged = self.scan(after)
        for name, problem in damaged.items():
            raise StoreError(
                f"The manifest line {self._line_uri(name)} is damaged: {problem}",
                hint=f"goldlake ingest {self.usecase}: it fetches the page's records again",
            )
        return entries

    def scan(self, after: int = 0) -> Scan:
        """As `manifest`, with the damaged lines named instead of refused.

        Raises:
            NewerFormat: A line was written by a newer goldlake.
        """
        entries, damaged = self.scan_all(after)
        newest = self.restores().newest
        return Scan([entry for entry in entries if newest.counts(entry.sequence)], damaged)

    def names(self) -> list[tuple[str, int]]:
        """Names of the pages with a manifest line, and their numbers; 0 in earlier versions."""
        return [(name, sequence_of(name)) for name in self._names()]

    def scan_all(self, after: int = 0) -> Scan:
        """As `scan`, with the pages that a restore went back before.

        Raises:
            NewerFormat: A line was written by a newer goldlake.
        """
        names = self._names()
        old = [name for name in names if not sequence_of(name)]
        wanted = [name for name in names if sequence_of(name) > after]
        wanted += old if len(old) > after else []
        paths = [self._line_uri(name) for name in wanted]
        newer: list[PageEntry] = []
        older: list[PageEntry] = []
        damaged: dict[str, str] = {}
        for name, path, data in zip(wanted, paths, read_all(self.fs, paths), strict=True):
            try:
                entry = document(data or b"", path, PageEntry, ERASED_FORMAT, "")
                if (entry.name, entry.sequence) != (name, sequence_of(name)):
                    raise StoreError(f"{path} holds the line of {entry.name}")
            except NewerFormat:
                raise
            except StoreError as error:
                damaged[name] = error.problem
            else:
                (newer if entry.sequence else older).append(entry)
        older.sort(key=lambda entry: (entry.landed_at, entry.name))
        numbered = [msgspec.structs.replace(e, sequence=n) for n, e in enumerate(older, start=1)]
        newer.sort(key=lambda entry: entry.sequence)
        return Scan([e for e in (*numbered, *newer) if e.sequence > after], damaged)

    def left_out(self) -> set[str]:
        """Names of the pages that a restore went back before; reads no line without one."""
        newest = self.restores().newest
        if not newest.given:
            return set()
        return {e.name for e in self.scan_all().entries if not newest.counts(e.sequence)}

    def aside(self) -> list[PageEntry]:
        """The readable lines of pages that were set aside, by sequence.

        Bronze may hold the records of such a page: it was read before it was lost or damaged.
        """
        folder = self.path("aside")
        names = list_names(self.fs, folder, PAGE_SUFFIX + ".json")
        paths = [posixpath.join(folder, name) for name in names]
        found = []
        for path, data in zip(paths, read_all(self.fs, paths), strict=True):
            try:
                found.append(document(data or b"", path, PageEntry, ERASED_FORMAT, ""))
            except StoreError:  # nothing vouches for it any more
                continue
        return sorted(found, key=lambda entry: entry.sequence)

    def page_sizes(self) -> dict[str, int]:
        """Sizes of the finished pages by name, those in packs too."""
        return {**self.packed(), **self.loose_sizes()}

    def packed(self) -> dict[str, int]:
        """Sizes of the pages in packs by name."""
        return {name: size for pack in self._packs().values() for name, (_, size) in pack.items()}

    def loose_sizes(self) -> dict[str, int]:
        """Sizes of the finished files in the pages folder by name; one listing."""
        try:
            self.fs.invalidate_cache(self.pages_uri)
            listed = self.fs.ls(self.pages_uri, detail=True)
        except FileNotFoundError:
            return {}
        sizes = {posixpath.basename(str(f["name"]).rstrip("/")): int(f["size"]) for f in listed}
        return {name: size for name, size in sizes.items() if name.endswith(PAGE_SUFFIX)}

    def pack(self, entries: Sequence[PageEntry]) -> None:
        """Moves pages into one file, byte for byte. The caller holds the lock.

        A pack is a gzip file like its pages: the records of all of them, in the order of landing.
        Killed, it loses nothing: a page's own file goes after the pack and its document are there.

        Raises:
            StoreError: A page is missing or is not the one that was landed.
        """
        parts, pages, offset = [], {}, 0
        for entry in entries:
            self.read_page(entry)
            data = self.page_bytes(entry.name) or b""
            parts.append(data)
            pages[entry.name] = (offset, len(data))
            offset += len(data)
        whole = b"".join(parts)
        places = f"{entries[0].sequence:08d}-{entries[-1].sequence:08d}"
        name = f"{places}-{hashlib.sha256(whole).hexdigest()[:12]}{PAGE_SUFFIX}"
        write_atomic(self.fs, self.path("packs", name), whole)
        write_json(
            self.fs, self.path("packs", f"{name}.json"), msgspec.to_builtins(Pack(pages=pages))
        )
        for entry in entries:
            self.remove_loose(entry.name)

    def unfinished_packs(self) -> list[str]:
        """Names of packs that nothing reads: packing or unpacking them was interrupted."""
        names = list_names(self.fs, self.path("packs"))
        return [n for n in names if n.endswith(PAGE_SUFFIX) and f"{n}.json" not in names]

    def remove_loose(self, name: str) -> None:
        """Removes the file of a page that a pack holds, where it is there."""
        if self._pack_of(name) is not None and self.fs.exists(self.page_uri(name)):
            self.fs.rm_file(self.page_uri(name))

    def unpack(self, name: str) -> None:
        """Makes files again of all pages of the pack that holds a page, if one does.

        Whoever changes or moves a page calls it first. The caller holds the lock.
        """
        pack = self._pack_of(name)
        if pack is None:
            return
        for page in self._packs()[pack]:
            data = self.page_bytes(page)
            if data is not None and not self.fs.exists(self.page_uri(page)):
                write_atomic(self.fs, self.page_uri(page), data)
        self.fs.rm_file(self.path("packs", f"{pack}.json"))
        self.fs.rm_file(self.path("packs", pack))

    def restores(self) -> Restores:
        """Which pages count.

        Raises:
            NewerFormat: A newer goldlake wrote the document.
            StoreError: The document is damaged.
        """
        path = self.path("restores.json")
        data = read_bytes(self.fs, path)
        if data is None:
            return Restores()
        hint = "restore that file from a copy of the home; without it every landed page counts"
        return document(data, path, Restores, RESTORES_FORMAT, hint)

    def write_restores(self, restores: Restores) -> None:
        """Writes which pages count. The caller holds the lock."""
        write_json(self.fs, self.path("restores.json"), msgspec.to_builtins(restores))

    def set_aside(self, name: str) -> None:
        """Moves a page and its manifest line out of the store, where either is there."""
        self.unpack(name)
        for path in (self._line_uri(name), self.page_uri(name)):
            data = read_bytes(self.fs, path)
            if data is not None:
                write_atomic(self.fs, self.path("aside", posixpath.basename(path)), data)
                self.fs.rm_file(path)

    def identity(self) -> Identity | None:
        """The source that the store belongs to, or None before the first landing.

        Where ``identity.json`` is lost, the newest manifest line tells.

        Raises:
            StoreError: The document is damaged, or was written by a newer goldlake.
        """
        owner = self._owner()
        if owner is not None:
            return owner.identity
        return next((e.identity for e in reversed(self.scan_all().entries) if e.identity), None)

    def landed_under(self) -> str:
        """The contract's section ``source`` of the newest landing; see `Owner`.

        Raises:
            StoreError: The document is damaged, or was written by a newer goldlake.
        """
        owner = self._owner()
        return owner.source if owner else ""

    def require_owner(self, identity: Identity) -> None:
        """Checks that the store belongs to a source, or to none yet. Read-only.

        Args:
            identity: ``kind`` and what tells this source from others of the kind.

        Raises:
            StoreError: It belongs to another source; nothing was changed.
        """
        owner = self._owner()
        held = owner.identity if owner else self.identity()
        is_old = owner is not None and owner.format == 1
        if held is not None and not (
            _is_same_as_before(held, identity) if is_old else held == dict(identity)
        ):
            raise StoreError(
                f"The store of {self.usecase} in {self.home.root} belongs to "
                f"{describe_identity(held)}, and this source is {describe_identity(identity)}. "
                "Rows of two sources are never mixed",
                valid="that source, or a separate home for this one",
                hint=f"the same command with --home {_sibling(self.home.root)}",
            )

    def claim(self, identity: Identity, source: str = "") -> None:
        """Makes the store belong to a source, or checks that it does; see `require_owner`.

        Args:
            identity: ``kind`` and what tells this source from others of the kind.
            source: The contract's section ``source``, as canonical JSON.

        Raises:
            StoreError: It belongs to another source; nothing was changed.
        """
        self.require_owner(identity)
        owner, new = self._owner(), Owner(identity=dict(identity), source=source)
        if owner != new:
            write_json(self.fs, self._identity_uri, msgspec.to_builtins(new))

    def page_bytes(self, name: str) -> bytes | None:
        """The bytes of a page's file, or of its place in a pack; None where there is neither."""
        data = read_bytes(self.fs, self.page_uri(name))
        pack = self._pack_of(name) if data is None else None
        if pack is None:
            return data
        offset, size = self._packs()[pack][name]
        try:
            found = self.fs.cat_file(self.path("packs", pack), start=offset, end=offset + size)
        except FileNotFoundError:
            return None
        return bytes(found)

    def _pack_of(self, name: str) -> str | None:
        packs = self._packs().items()
        return next((pack for pack, pages in packs if name in pages), None)

    def _packs(self) -> dict[str, dict[str, tuple[int, int]]]:
        """The pages of each pack. A pack never changes, so each is read once."""
        hint = "restore the folder landing/ from a copy of the home"
        listed = list_names(self.fs, self.path("packs"), PAGE_SUFFIX + ".json")
        for name in listed:
            if name not in self._read_packs:
                path = self.path("packs", name)
                data = read_bytes(self.fs, path) or b""
                self._read_packs[name] = document(data, path, Pack, 1, hint).pages
        return {name.removesuffix(".json"): self._read_packs[name] for name in listed}

    def _owner(self) -> Owner | None:
        data = read_bytes(self.fs, self._identity_uri)
        if data is None:
            return None
        hint = f"remove that file; goldlake ingest {self.usecase} makes it again from the manifest"
        is_bare = not document(data, self._identity_uri, _Versioned, FORMAT, hint).format
        if is_bare:
            bare = document(data, self._identity_uri, Identity, FORMAT, hint)
            return Owner(format=1, identity=bare)
        return document(data, self._identity_uri, Owner, FORMAT, hint)

    def _broken_page(self, entry: PageEntry, problem: str) -> StoreError:
        path = self.page_uri(entry.name)
        return StoreError(
            f"The landed page {path} {problem}",
            hint=f"remove that file if it is there, then goldlake ingest {self.usecase}: it "
            "fetches the page's records again",
        )

    def _names(self) -> list[str]:
        listed = list_names(self.fs, self.manifest_uri, PAGE_SUFFIX + ".json")
        return [name.removesuffix(".json") for name in listed]

    def _line_uri(self, name: str) -> str:
        return self.path("manifest", f"{name}.json")

    @property
    def _identity_uri(self) -> str:
        return self.home.landing(self.usecase, "identity.json")


class _Versioned(msgspec.Struct):
    format: int = 0


def sequence_of(name: str) -> int:
    """The number that a page's name begins with; 0 for a name of an earlier version."""
    match = _NAME.fullmatch(name)
    return int(match[1]) if match else 0


def content_of(lines: Iterable[bytes]) -> int:
    """Sum modulo 2**64 over the lines of Spark's ``xxhash64(line: int, value: string)``."""
    return sum(hash_of(number, line) for number, line in enumerate(lines, start=1)) % 2**64


def hash_of(number: int, line: bytes) -> int:
    """Spark's ``xxhash64(line: int, value: string)`` of one record, as an unsigned number."""
    seed = xxhash.xxh64_intdigest(number.to_bytes(4, "little"), 42)
    return xxhash.xxh64_intdigest(line, seed)


def packed(lines: list[bytes], level: int = _COMPRESSION) -> bytes:
    """The bytes of a page file."""
    text = b"\n".join(lines) + b"\n" if lines else b""
    return gzip.compress(text, compresslevel=level, mtime=0)


def unpacked(data: bytes) -> list[bytes]:
    """The records in a page file's bytes; raises OSError, EOFError or zlib.error."""
    return gzip.decompress(data).split(b"\n")[:-1]


def describe_identity(identity: Mapping[str, object]) -> str:
    """An identity as a person reads it: ``kind (key value, …)``, long hashes cut to 12 digits."""
    parts = []
    for key, value in sorted(identity.items()):
        if key == "kind":
            continue
        values = value if isinstance(value, list) else [value]
        texts = [t[:12] if re.fullmatch(r"[0-9a-f]{64}", t) else t for t in map(str, values)]
        parts.append(f"{key} {' + '.join(texts)}")
    kind = identity.get("kind", "unknown")
    return f"{kind} ({', '.join(parts)})" if parts else str(kind)


def _is_same_as_before(old: Identity, new: Identity) -> bool:
    """Whether an identity of format 1, which held inputs too, is that of a source of today."""
    inputs = {"address", "files", "rows"}
    kept = {key: value for key, value in old.items() if key not in inputs}
    if re.fullmatch(r"[0-9a-f]{64}", str(kept.get("generator", ""))):
        del kept["generator"]
    return all(new.get(key) == value for key, value in kept.items())


def _sibling(root: str) -> str:
    return root.rstrip("/") + "-2"
