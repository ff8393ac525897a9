"""The manifest of an export: what the rows are, and under which contract they were written."""

from __future__ import annotations

from typing import Literal

import msgspec

from goldlake_core.documents.codec import FORMAT


class ExportedColumn(msgspec.Struct, frozen=True, kw_only=True):
    """One column of an export's CSV parts.

    Attributes:
        name: Name of the column, as in the header of each part.
        type: Type of the contract, such as ``double``.
        nullable: Whether a value may be missing.
    """

    name: str
    type: str
    nullable: bool


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One CSV file of a split.

    Attributes:
        path: Path inside the export's folder.
        rows: Number of rows, without the header.
        bytes: Size of the file.
        sha256: Digest of the file's bytes, in hexadecimal.
    """

    path: str
    rows: int
    bytes: int
    sha256: str


class SplitParts(msgspec.Struct, frozen=True, kw_only=True):
    """The files of one split.

    Attributes:
        rows: Number of rows in all parts.
        parts: The files in the order of their rows.
    """

    rows: int
    parts: tuple[Part, ...]


class Boundaries(msgspec.Struct, frozen=True, kw_only=True):
    """The instants that divide the rows by event time, ISO 8601 in UTC.

    Attributes:
        train_from: First instant of train; null when train takes all earlier rows.
        eval_from: First instant of eval.
        test_from: First instant of test.
        until: First instant after test.
        mature_until: First instant whose rows are younger than the label's maturity.
        train_until: First instant after train; not there where eval follows at once.
        eval_until: First instant after eval; not there where test follows at once.
    """

    train_from: str | None = None
    eval_from: str
    test_from: str
    until: str
    mature_until: str
    train_until: str | msgspec.UnsetType = msgspec.UNSET
    eval_until: str | msgspec.UnsetType = msgspec.UNSET


class ExportManifest(msgspec.Struct, frozen=True, kw_only=True):
    """The file ``manifest.json`` of an export.

    Attributes:
        format: Format version of the file.
        usecase: Name of the use case.
        model: Name of the model, without its use case.
        table: Id of the gold table, such as ``bikes.gold.trips``.
        table_uuid: Id that Delta gave the table when it was made.
        version: Version of the gold table.
        content_hash: Digest of all rows of that version, independent of their order.
        as_of: Newest change at the source that the version holds, ISO 8601 in UTC.
        event_end: End of the events in the version, ISO 8601 in UTC.
        maturity_days: Age in days from which a label is trusted.
        boundaries: The instants that divide the rows; null where time does not.
        columns: The columns in the order of the header.
        label: Name of the label's column.
        event_time: Name of the column with the time of an event, or "".
        key: Names of the key's columns.
        rows: Rows by split, and those left out (``immature``, ``outside``,
            ``gap``, ``unlabeled``).
        splits: The files by split.
        sections: Hashes of the contract's sections that shaped the export, by section.
        clusters: By cluster of the table what names the fits that numbered the rows; not there
            without clusters.
    """

    format: int = FORMAT
    usecase: str
    model: str
    table: str
    table_uuid: str
    version: int
    content_hash: str
    as_of: str
    event_end: str
    maturity_days: int
    boundaries: Boundaries | None = None
    columns: tuple[ExportedColumn, ...]
    label: str
    event_time: str
    key: tuple[str, ...]
    rows: dict[str, int]
    splits: dict[str, SplitParts]
    sections: dict[str, str]
    clusters: dict[str, str] | msgspec.UnsetType = msgspec.UNSET


class ExportChecked(msgspec.Struct, frozen=True, kw_only=True):
    """One export that was compared with its manifest.

    Attributes:
        export_id: Id of the export, ``usecase/model/EXPORT``.
        state: ``whole``, ``written again`` from its gold version, or ``lost``.
        problem: What was wrong, and with a lost one why it cannot be written again.
        models: Pushed versions that learned from it, such as ``bikes.is_late@7``.
    """

    export_id: str
    state: Literal["whole", "written again", "lost"]
    problem: str = ""
    models: tuple[str, ...] = ()


class ExportsVerified(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="status", tag="verified"
):
    """The report of `goldlake export --verify`.

    Attributes:
        model: The model, such as ``bikes.is_late``.
        exports: All exports that are there or that a pushed version names.
    """

    model: str
    exports: tuple[ExportChecked, ...]
