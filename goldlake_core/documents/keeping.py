"""Documents of what keeps a home: copies of it, data that is erased, and what was repaired."""

from __future__ import annotations

import msgspec

from goldlake_core.documents.codec import FORMAT
from goldlake_core.documents.lakehouse import Totals


class CopiedFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file of a copy.

    Attributes:
        bytes: Size of the file.
        sha256: Digest of its bytes, in hexadecimal.
    """

    bytes: int
    sha256: str


class CopiedTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A Delta table of a copy.

    Attributes:
        uuid: Id that Delta gave the table.
        version: Newest version that the copy holds.
    """

    uuid: str
    version: int


class CopiedLanding(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The landing zone of a use case in a copy.

    Attributes:
        first: Name of the first page and when it was landed: no two landing zones share these.
        through: Sequence of the last page.
    """

    first: str
    through: int


class BackupManifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file ``backup.json``: what a copy holds.

    Attributes:
        format: Format version of the file.
        home: The home that was copied.
        usecase: The one use case that was copied, or null for all.
        made_at: When the copy was begun (ISO 8601, UTC).
        is_complete: Whether all of it is there; false while the copy is made.
        tables: The Delta tables by folder, relative to the home.
        landed: The landing zones by folder, relative to the home.
        files: The files by path, relative to the home.
    """

    format: int = FORMAT
    home: str
    usecase: str | None = None
    made_at: str
    is_complete: bool
    tables: dict[str, CopiedTable] = {}
    landed: dict[str, CopiedLanding] = {}
    files: dict[str, CopiedFile] = {}


class PartCopy(msgspec.Struct, frozen=True, kw_only=True):
    """One part of a home in a copy.

    Attributes:
        files: Number of files in the copy.
        bytes: Size of these files.
        new_files: Number of files that were not in the copy before.
        new_bytes: Size of these files.
    """

    files: int = 0
    bytes: int = 0
    new_files: int = 0
    new_bytes: int = 0


class BackupReport(msgspec.Struct, frozen=True, kw_only=True):
    """The report of `goldlake backup`.

    Attributes:
        home: The home that is copied.
        target: Folder of the copy.
        usecase: The one use case that is copied, or null for all.
        made_at: When the copy was begun (ISO 8601, UTC).
        is_dry_run: Whether nothing was written.
        parts: What the copy holds by part of the home.
        tables: Version of each Delta table in the copy, by its folder.
        removed_files: Number of files that left the copy because the home holds them no more.
        problems: What differs from the copy's manifest, where that was asked for.
    """

    home: str
    target: str
    usecase: str | None
    made_at: str
    is_dry_run: bool
    parts: dict[str, PartCopy]
    tables: dict[str, int]
    removed_files: int = 0
    problems: tuple[str, ...] = ()


class Place(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A landed record.

    Attributes:
        page: Name of its page.
        line: Line in that page, from 1.
    """

    page: str
    line: int


class Erasure(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An erasure: asked for, or done and then without the key.

    Attributes:
        id: Number of the erasure as text, which the erased lines name.
        key_sha256: Digest of the file's salt and the key, in hexadecimal: it tells whether a record
            has this key, and not what the key is.
        because: Why it was asked for.
        by: Account of the machine that asked for it.
        asked_at: When it was asked for (ISO 8601, UTC).
        done_at: When all of it was done, or null.
        key: Key as text while the erasure is not done, else null.
        records: Number of landed records of the key.
        places: Their places while the erasure is not done.
        rewritten: Whether landed pages and bronze hold the records no more.
        exports: Exports that held the key.
        models: Model versions that were trained on these exports.
    """

    id: str
    key_sha256: str
    because: str = ""
    by: str = ""
    asked_at: str
    done_at: str | None = None
    key: str | None = None
    records: int
    places: tuple[Place, ...] = ()
    rewritten: bool = False
    exports: tuple[str, ...] = ()
    models: tuple[str, ...] = ()


class Erasures(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file ``erasures.json`` of a use case.

    Attributes:
        format: Format version of the file.
        salt: Random text that goes before each key into its digest.
        erasures: All erasures, the oldest first.
    """

    format: int = FORMAT
    salt: str
    erasures: tuple[Erasure, ...] = ()


class Erased(msgspec.Struct, frozen=True, kw_only=True, tag_field="status", tag="ok"):
    """The result of the stage ``erase``.

    Attributes:
        format: Format version of the file.
        pages: Number of landed pages that were written again.
        epoch: Epoch of silver that answers now.
        totals: Records of that epoch by fate.
    """

    format: int = FORMAT
    pages: int
    epoch: int
    totals: Totals


class ErasureReport(msgspec.Struct, frozen=True, kw_only=True):
    """The report of `goldlake erase`; it does not hold the key.

    Attributes:
        usecase: Name of the use case.
        home: Where everything is kept.
        is_dry_run: Whether nothing was written.
        id: Number of the erasure as text, which the erased lines name.
        records: Number of landed records of the key.
        pages: Number of landed pages that hold them.
        epochs: Epochs of silver that are made again or removed.
        exports: Exports that held the key, which are removed.
        examples: Folders of training examples made from these exports, which are emptied.
        models: Model versions that were trained on these exports; they are kept.
        silver: Rows of silver afterwards, or null in a dry run.
        requests: Rows of request logs with the key as their record key, which are removed.
    """

    usecase: str
    home: str
    is_dry_run: bool
    id: str
    records: int
    pages: int
    epochs: int
    exports: tuple[str, ...]
    examples: tuple[str, ...]
    models: tuple[str, ...]
    silver: int | None
    requests: int = 0
