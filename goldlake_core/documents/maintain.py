"""What `goldlake maintain` and `goldlake restore` say."""

from __future__ import annotations

import msgspec

from goldlake_core.documents.codec import FORMAT
from goldlake_core.documents.lakehouse import Refined


class Maintained(msgspec.Struct, frozen=True, kw_only=True, tag_field="status", tag="ok"):
    """The result of the stage ``maintain``.

    Attributes:
        format: Format version of the file.
        compacted: Number of small files that were written into larger ones, by table id.
        kept: Why the earlier versions of a table were left as they are, by table id.
    """

    format: int = FORMAT
    compacted: dict[str, int]
    kept: dict[str, str]


class MaintainedPart(msgspec.Struct, frozen=True, kw_only=True):
    """One part of a home before and after.

    Attributes:
        part: A table id, ``landing``, ``aside``, ``epochs``, ``orphans``, ``exports`` or ``runs``.
        files_before: Number of its files.
        files_after: Number of its files afterwards; in a dry run the number expected.
        bytes_before: Size of its files.
        bytes_after: Size of its files afterwards; in a dry run the size expected.
        done: What was done, or in a dry run would be done, one sentence each.
    """

    part: str
    files_before: int
    files_after: int
    bytes_before: int
    bytes_after: int
    done: tuple[str, ...] = ()


class ReadableVersions(msgspec.Struct, frozen=True, kw_only=True):
    """Which versions of a table can be read.

    Attributes:
        table: Id of the table.
        oldest: Oldest version that can be read, with all that follow.
        oldest_at: Instant of its commit, ISO 8601 in UTC.
        newest: The newest version of the table.
    """

    table: str
    oldest: int
    oldest_at: str
    newest: int


class PinnedExport(msgspec.Struct, frozen=True, kw_only=True):
    """An export that stays because a model learned from it.

    Attributes:
        export_id: The export, such as ``bikes/is_late/3-0a1b2c3d4e5f``.
        models: Versions of the model that learned from it, such as ``bikes.is_late@2``.
        labels: Labels that these versions have.
    """

    export_id: str
    models: tuple[str, ...]
    labels: tuple[str, ...]


class MaintainReport(msgspec.Struct, frozen=True, kw_only=True):
    """The report of `goldlake maintain`.

    Attributes:
        run_id: Id of the run, or null in a dry run.
        home: The home it worked on.
        usecase: Name of the use case.
        dry_run: Whether nothing was changed.
        keep_days: Days for which earlier versions, exports and runs are kept.
        parts: What was done, part by part.
        readable: Which versions of the tables can be read afterwards.
        pinned: Exports that stay because a model learned from them.
        orphans: Folders of tables that the contract does not name.
    """

    run_id: str | None
    home: str
    usecase: str
    dry_run: bool
    keep_days: float
    parts: tuple[MaintainedPart, ...]
    readable: tuple[ReadableVersions, ...]
    pinned: tuple[PinnedExport, ...]
    orphans: tuple[str, ...]


class RestoreReport(msgspec.Struct, frozen=True, kw_only=True):
    """The report of `goldlake restore`.

    Attributes:
        run_id: Id of the run, or null in a dry run and where nothing was to be done.
        home: The home it worked on.
        usecase: Name of the use case.
        dry_run: Whether nothing was changed.
        to: The run or instant that was asked for.
        pages: Number of landed pages that count afterwards.
        records: Number of records in them.
        leaving_pages: Number of pages that do not count any more.
        leaving_records: Number of records in these.
        coming_pages: Number of pages that count again.
        coming_records: Number of records in these.
        models: Pushed versions that learned from the rows that leave, such as ``bikes.is_late@2``.
        refine: What the tables hold afterwards, or null where nothing was done.
    """

    run_id: str | None
    home: str
    usecase: str
    dry_run: bool
    to: str
    pages: int
    records: int
    leaving_pages: int
    leaving_records: int
    coming_pages: int
    coming_records: int
    models: tuple[str, ...]
    refine: Refined | None
