"""The landing zone: raw pages as the API sent them, their manifest, the cursors, the store's owner.

    landing/USECASE/identity.json                 the source that the store belongs to
    landing/USECASE/DATASET/pages/NAME            gzip JSON lines, one record per line
    landing/USECASE/DATASET/manifest/NAME.json    the page's `PageEntry`
    landing/USECASE/DATASET/cursor.json           per range where the next poll begins

A page is landed by three writes, in this order: page, manifest, cursor. A process that dies in
between leaves nothing to clean up: the next one asks from the old cursor, finds the page under the
name that this cursor gives, keeps it as it is and does the missing writes.

    NAME = CURSOR-HASH.jsonl.gz
    CURSOR  the cursor's letters and digits ("start" without one), for people and for the order
    HASH    12 hex digits of the sha256 of data set, range and cursor
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from dataclasses import asdict, dataclass, replace
from typing import Any

import msgspec

from goldlake_core.contracts.errors import StoreError
from goldlake_core.documents import codec
from goldlake_core.documents.lakehouse import Identity
from goldlake_core.instants import now_text
from goldlake_core.storage.files import list_names, read_bytes, read_json, write_atomic, write_json
from goldlake_core.storage.home import Home

PAGE_SUFFIX = ".jsonl.gz"
_COMPRESSION = 4  # of gzip: 6 takes twice the time for 6 % less


@dataclass(frozen=True)
class Cursor:
    """A place in the source's order; the next page begins after it.

    Attributes:
        value: What the source is ordered by, such as an update time.
        tiebreak: Tells records with the same value apart.
    """

    value: str
    tiebreak: str


@dataclass(frozen=True)
class PageEntry:
    """One line of the manifest.

    Attributes:
        name: File name in the pages folder.
        url: The request that answered with this page.
        landed_at: When the page was landed (ISO 8601, UTC).
        rows: Records in the page.
        sha256: sha256 of the page file's bytes.
        first_cursor: Cursor after which the page began, or None for the start.
        last_cursor: Place of the last record.
        run_id: The run that landed it.
        since: First day of the range asked for (ISO 8601), or None.
        until: First day after the range, or None.
    """

    name: str
    url: str
    landed_at: str
    rows: int
    sha256: str
    first_cursor: Cursor | None
    last_cursor: Cursor | None
    run_id: str
    since: str | None = None
    until: str | None = None
    sequence: int = 0
    content: int | None = None


@dataclass(frozen=True, kw_only=True)
class RangeCursor(Cursor):
    """Where the next poll of a range begins.

    Attributes:
        since: First day of the range (ISO 8601), or None.
        until: First day after the range, or None.
        moved_at: When it was moved here (ISO 8601, UTC).
    """

    since: str | None
    until: str | None
    moved_at: str


class Cursors(msgspec.Struct, frozen=True, kw_only=True):
    """The file ``cursor.json``: a cursor for each range that was ever asked for."""

    format: int = codec.FORMAT
    cursors: tuple[RangeCursor, ...] = ()


class LandingZone:
    """The landed pages of one data set of one use case in one home."""

    def __init__(self, home: Home, usecase: str, dataset: str) -> None:
        self.home = home
        self.usecase = usecase
        self.dataset = dataset
        self.fs = home.fs

    @property
    def pages_uri(self) -> str:
        """Folder of the pages: a local path, or a URL; what Spark streams from."""
        return self.home.landing(self.usecase, self.dataset, "pages")

    @property
    def manifest_uri(self) -> str:
        """Folder of the manifest documents."""
        return self.home.landing(self.usecase, self.dataset, "manifest")

    def page_name(
        self, cursor: Cursor | None, since: str | None = None, until: str | None = None
    ) -> str:
        """The one name of the page that begins after ``cursor``."""
        place = [cursor.value, cursor.tiebreak] if cursor else None
        key = json.dumps([self.dataset, since, until, place], ensure_ascii=True)
        compact = re.sub(r"[^0-9A-Za-z]", "", cursor.value)[:40] if cursor else "start"
        return f"{compact}-{hashlib.sha256(key.encode()).hexdigest()[:12]}{PAGE_SUFFIX}"

    def page_uri(self, name: str) -> str:
        """Path or URL of a page."""
        return self.home.landing(self.usecase, self.dataset, "pages", name)

    def has_page(self, name: str) -> bool:
        """Whether the page is there, with its manifest line or without."""
        return bool(self.fs.exists(self.page_uri(name)))

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
    ) -> PageEntry:
        """Writes a page whole; same lines, same bytes. The caller's next write is the manifest.

        Args:
            name: Name of the page, from `page_name`.
            lines: Records in the source's order, each one line without its newline.
            url: The request that answered with them.
            first_cursor: Where the page begins.
            last_cursor: Place of the last record.
            run_id: The run that lands it.
            since: First day of the range asked for.
            until: First day after the range.

        Returns:
            The manifest line for `write_manifest`.
        """
        text = b"\n".join(lines) + b"\n" if lines else b""
        data = gzip.compress(text, compresslevel=_COMPRESSION, mtime=0)
        write_atomic(self.fs, self.page_uri(name), data)
        return self.entry_of(
            name,
            rows=len(lines),
            sha256=hashlib.sha256(data).hexdigest(),
            url=url,
            first_cursor=first_cursor,
            last_cursor=last_cursor,
            run_id=run_id,
            since=since,
            until=until,
        )

    def entry_of(self, name: str, **fields: Any) -> PageEntry:
        """The manifest line of a page that is landed now; takes `PageEntry`'s other fields."""
        return PageEntry(name=name, landed_at=now_text("microseconds"), **fields)

    def read_page(self, name: str) -> tuple[list[bytes], str]:
        """The lines of a page and the sha256 of its file. Read-only.

        Raises:
            StoreError: The page is missing or is not a whole gzip file.
        """
        data = read_bytes(self.fs, self.page_uri(name))
        if data is None:
            raise StoreError(
                f"The landed page {self.page_uri(name)} is missing",
                hint="restore it from a copy of the home, or land everything into another --home",
            )
        try:
            text = gzip.decompress(data)
        except (OSError, EOFError) as error:
            raise StoreError(
                f"The landed page {self.page_uri(name)} is damaged: {error}",
                hint="restore it from a copy of the home, or land everything into another --home",
            ) from error
        return text.split(b"\n")[:-1], hashlib.sha256(data).hexdigest()

    def write_manifest(self, entry: PageEntry) -> None:
        """Writes the page's manifest line; again is harmless."""
        write_json(self.fs, self._manifest_file(entry.name), asdict(entry))

    def entry(self, name: str) -> PageEntry | None:
        """The manifest line of a page, or None."""
        file = self._manifest_file(name)
        document = read_json(self.fs, file)
        return codec.typed(document, PageEntry, file) if document else None

    def manifest(self, after: int = 0) -> list[PageEntry]:
        """Manifest lines with a sequence above ``after``, in the order of landing."""
        names = list_names(self.fs, self.manifest_uri, PAGE_SUFFIX + ".json")
        entries = [self.entry(name.removesuffix(".json")) for name in names]
        ordered = sorted((e for e in entries if e), key=lambda e: (e.landed_at, e.name))
        numbered = [replace(e, sequence=n) for n, e in enumerate(ordered, 1)]
        return numbered[after:]

    def cursor(self, since: str | None = None, until: str | None = None) -> Cursor | None:
        """Where the next poll of this range begins, or None for the start."""
        for known in self._cursors():
            if (known.since, known.until) == (since, until):
                return Cursor(known.value, known.tiebreak)
        return None

    def move_cursor(
        self, cursor: Cursor, since: str | None = None, until: str | None = None
    ) -> None:
        """Stores where the next poll of this range begins. The caller holds the store's lock."""
        others = [c for c in self._cursors() if (c.since, c.until) != (since, until)]
        now = now_text("microseconds")
        moved = RangeCursor(**asdict(cursor), since=since, until=until, moved_at=now)
        write_json(self.fs, self._cursor_file, codec.plain(Cursors(cursors=(*others, moved))))

    def identity(self) -> Identity | None:
        """The source that the store belongs to, or None before the first landing."""
        document = read_json(self.fs, self._identity_file)
        return None if document is None else codec.typed(document, Identity, self._identity_file)

    def claim(self, identity: Identity) -> None:
        """Makes the store belong to a source, or checks that it does.

        Args:
            identity: ``kind`` and what tells this source from others of the kind; JSON values.

        Raises:
            StoreError: It belongs to another source; nothing was changed.
        """
        owner = self.identity()
        if owner is None:
            write_json(self.fs, self._identity_file, identity)
        elif owner != identity:
            raise StoreError(
                f"The store of {self.usecase} in {self.home.root} belongs to "
                f"{describe_identity(owner)}, and this source is {describe_identity(identity)}. "
                "Rows of two sources are never mixed",
                valid="that source, or a separate home for this one",
                hint=f"the same command with --home {_sibling(self.home.root)}",
            )

    def _cursors(self) -> tuple[RangeCursor, ...]:
        document = read_json(self.fs, self._cursor_file)
        return codec.typed(document, Cursors, self._cursor_file).cursors if document else ()

    def _manifest_file(self, name: str) -> str:
        return self.home.landing(self.usecase, self.dataset, "manifest", f"{name}.json")

    @property
    def _cursor_file(self) -> str:
        return self.home.landing(self.usecase, self.dataset, "cursor.json")

    @property
    def _identity_file(self) -> str:
        return self.home.landing(self.usecase, "identity.json")


def describe_identity(identity: Identity) -> str:
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


def _sibling(root: str) -> str:
    return root.rstrip("/") + "-2"
