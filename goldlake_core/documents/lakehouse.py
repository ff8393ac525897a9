"""Results of the stages land, refine and export, and the state of tables."""

from __future__ import annotations

from typing import Literal

import msgspec

from goldlake_core.documents.codec import FORMAT
from goldlake_core.documents.export import Boundaries

Identity = dict[str, str | int | float | bool | None | list[str]]
"""What a connector says about its source. Connectors of other packages choose the fields."""


class CursorState(msgspec.Struct, frozen=True, kw_only=True):
    """A place in the source's order.

    Attributes:
        value: Value of the field that the source is ordered by, such as an update time.
        tiebreak: Tells records with the same value apart.
    """

    value: str
    tiebreak: str


class Drift(msgspec.Struct, frozen=True, kw_only=True):
    """How the fields of the source's records differ from the contract.

    Attributes:
        new: Fields of the records that no column reads.
        missing: Fields that columns read and the records do not have.
    """

    new: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


class Landed(msgspec.Struct, frozen=True, kw_only=True, tag_field="status", tag="ok"):
    """The result of the stage ``land``.

    Attributes:
        format: Format version of the file.
        pages: Number of pages landed.
        rows: Number of records in them.
        repeated: Number of records that the source sent again, byte for byte as they were landed.
        restored: Number of lost or damaged pages that were fetched again as they were.
        source_count: Number of records that the source counts from where the poll began, or null.
        missing: Number of those records that the source did not send.
        drift: How the fields of the landed records differ from the contract.
        requests: Number of requests that the connector sent.
        retries: Number of requests that it repeated.
        bytes: Size of what it received.
        cursor: Place of the last record landed, or null when nothing was landed yet.
        identity: What the source says it is.
        address: Where the source was asked.
        inputs: What the source was made from, such as digests of files.
    """

    format: int = FORMAT
    pages: int
    rows: int
    repeated: int = 0
    restored: int = 0
    source_count: int | None = None
    missing: int = 0
    drift: Drift = Drift()
    requests: int
    retries: int
    bytes: int
    cursor: CursorState | None
    identity: Identity
    address: str = ""
    inputs: Identity = {}


class Fates(msgspec.Struct, frozen=True, kw_only=True):
    """Landed records by what became of them.

    Attributes:
        landed: Number of all records; the sum of the others.
        inserted: Number of records with a new key.
        amended: Number of newer versions of a known key.
        unchanged: Number of records sent again with the same content.
        stale: Number of records older than what is known.
        quarantined: Number of records kept aside with a reason code.
        deleted: Number of records that tell of a deletion at the source.
    """

    landed: int
    inserted: int
    amended: int
    unchanged: int
    stale: int
    quarantined: int
    deleted: int


class Totals(Fates, frozen=True, kw_only=True):
    """Records by fate over all time.

    Attributes:
        silver: Number of rows in silver now.
    """

    silver: int


class TableState(msgspec.Struct, frozen=True, kw_only=True):
    """A table after a refinement.

    Attributes:
        rows: Number of rows.
        version: Version of the Delta table.
    """

    rows: int
    version: int


class Refined(msgspec.Struct, frozen=True, kw_only=True, tag_field="status", tag="ok"):
    """The result of the stage ``refine``.

    Attributes:
        format: Format version of the file.
        run_id: The run that refined.
        new_records: Number of records that this run decided on.
        fates: What became of them.
        totals: Records by fate over all time.
        reasons: Number of quarantined records of this run by reason code.
        tables: Rows and version of every table by its id.
        seconds: Duration of each step in seconds.
    """

    format: int = FORMAT
    run_id: str
    new_records: int
    fates: Fates
    totals: Totals
    reasons: dict[str, int]
    tables: dict[str, TableState]
    seconds: dict[str, float]


Activity = Literal["starting", "polling", "refining", "waiting", "failing", "stopped"]
"""What a stage ``follow`` is doing."""


class FollowedBatch(msgspec.Struct, frozen=True, kw_only=True):
    """Records that a poll landed, and when gold had them.

    Attributes:
        rows: Number of records that were landed.
        fates: Number of them by fate.
        landed_at: When the first of them was landed, ISO 8601 in UTC.
        seconds: From then until the last gold table had them.
    """

    rows: int
    fates: Fates
    landed_at: str
    seconds: float


class Followed(msgspec.Struct, frozen=True, kw_only=True, tag_field="status", tag="ok"):
    """How a stage ``follow`` stands; when it ended, its result.

    Attributes:
        format: Format version of the file.
        polls: Number of polls that ended well.
        batches: Number of polls that landed something.
        rows: Number of records landed.
        failures: Number of polls that failed.
        activity: The step that it is in.
        problem: Error of the last poll, or null where it ended well.
        polled_at: When the last poll ended well, ISO 8601 in UTC, or null.
        batch: The last batch, or null.
    """

    format: int = FORMAT
    polls: int = 0
    batches: int = 0
    rows: int = 0
    failures: int = 0
    activity: Activity = "starting"
    problem: str | None = None
    polled_at: str | None = None
    batch: FollowedBatch | None = None


class Exported(msgspec.Struct, frozen=True, kw_only=True, tag_field="status", tag="ok"):
    """The result of the stage ``export``.

    Attributes:
        format: Format version of the file.
        export_id: Name of the export inside the home, ``usecase/model/EXPORT``.
        uri: Folder of the export.
        table: Id of the gold table.
        version: Version of the gold table.
        table_uuid: Id that Delta gave the table when it was made.
        content_hash: Digest of all rows of that version, independent of their order.
        as_of: Newest change at the source that the version holds, ISO 8601 in UTC.
        event_end: End of the events in the version, ISO 8601 in UTC.
        boundaries: The instants that divide the rows; null where time does not.
        rows: Rows by split, and those left out (``immature``, ``outside``, ``gap``,
            ``unlabeled``).
        manifest_sha256: Digest of the manifest's bytes, in hexadecimal.
        reused: Whether the export was there already.
    """

    format: int = FORMAT
    export_id: str
    uri: str
    table: str
    version: int
    table_uuid: str
    content_hash: str
    as_of: str
    event_end: str
    boundaries: Boundaries | None
    rows: dict[str, int]
    manifest_sha256: str
    reused: bool


class Rejected(msgspec.Struct, frozen=True, kw_only=True):
    """A record in quarantine.

    Attributes:
        record: Place of the record, ``PAGE:LINE``.
        key: Key of the silver table as text, or null where the record has none.
        reasons: Reason codes of the record.
        landed_at: When its page was landed, ISO 8601 in UTC.
        value: The record as it came.
    """

    record: str
    key: str | None
    reasons: tuple[str, ...]
    landed_at: str
    value: str


class QuarantineView(msgspec.Struct, frozen=True, kw_only=True):
    """The quarantine of a use case.

    Attributes:
        usecase: Name of the use case.
        total: Number of records that match.
        reasons: Number of all rejected records by reason code, most frequent first.
        records: Records that match, the newest first.
    """

    usecase: str
    total: int
    reasons: dict[str, int]
    records: tuple[Rejected, ...]


class Audited(msgspec.Struct, frozen=True, kw_only=True, tag_field="status", tag="ok"):
    """The result of the stage ``audit``.

    Attributes:
        format: Format version of the file.
        usecase: Name of the use case.
        problem: What does not agree and where, or null.
    """

    format: int = FORMAT
    usecase: str
    problem: str | None


class TableEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A Delta table of a home.

    Attributes:
        id: Id of the table, such as ``bikes.gold.trips``.
        uri: Folder of the table.
        rows: Number of rows.
        version: Version of the table.
        bytes: Size of its files.
        committed_at: Instant of that version's commit, ISO 8601 in UTC.
        as_of: Newest change at the source that a gold table holds, or null.
    """

    id: str
    uri: str
    rows: int
    version: int
    bytes: int
    committed_at: str
    as_of: str | None
