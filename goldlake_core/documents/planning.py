"""What commands say before and of what they do to a home and a source."""

from __future__ import annotations

import msgspec

from goldlake_core.contracts.keys import Change
from goldlake_core.documents.lakehouse import CursorState, Identity, Refined

_TEXT_WIDTH = 60


class ChangedKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key of a contract that has another value than when a table was made.

    Attributes:
        key: Path of the key, such as ``silver.columns.ward.type``.
        before: The value that the table was made under, as JSON, or "" where there was none.
        after: The value now, as JSON, or "" where it is gone.
        consequence: What it means: ``follow``, ``rebuild`` or ``refuse``.
    """

    key: str
    before: str
    after: str
    consequence: Change

    def __str__(self) -> str:
        """The change as one line for a person."""
        return f"{self.key}: {_short(self.before)} -> {_short(self.after)} ({self.consequence})"


class Outlook(msgspec.Struct, frozen=True, kw_only=True):
    """What the contract of a use case means for a home.

    Attributes:
        home: The home, as a path or a URL.
        epoch: Number of the epoch of silver that holds, or will hold, the rows.
        is_new: Whether that epoch has to be begun.
        why: Why another epoch than the current one is meant; "" where it is the current one.
        changes: Keys that differ from the contract that the home was made under.
        is_refused: Whether the home cannot follow the contract at all.
    """

    home: str
    epoch: int
    is_new: bool
    why: str
    changes: tuple[ChangedKey, ...]
    is_refused: bool


class IngestPlan(msgspec.Struct, frozen=True, kw_only=True, tag_field="status", tag="planned"):
    """What `goldlake ingest` or `goldlake backfill` would do.

    Attributes:
        usecase: Name of the use case.
        outlook: What the contract means for the home.
        identity: What the source says it is.
        address: Where the source was asked.
        since: First day of the range, or null.
        until: First day after the range, or null.
        begins: Place at which the poll would begin; null for the start of the source.
        told: What a person should know of that place; "" for nothing.
        parts: Names of the parts, such as files or months, that would be landed.
        records: How many records the source counts from there, or null. Those that are landed
            already, byte for byte, are left out.
        pages: How many pages that are, or null.
        restored: Number of lost or damaged pages that would be fetched again.
        unrefined: Number of landed records that silver does not hold yet.
        bytes: Estimate of what the landed pages and tables would need besides, or null.
        free: Number of free bytes on the disk of the home, or null where it is not local.
    """

    usecase: str
    outlook: Outlook
    identity: Identity
    address: str
    since: str | None
    until: str | None
    begins: CursorState | None
    told: str
    parts: tuple[str, ...]
    records: int | None
    pages: int | None
    restored: int
    unrefined: int
    bytes: int | None
    free: int | None


class Reconciled(msgspec.Struct, frozen=True, kw_only=True):
    """The report of `goldlake reconcile`.

    Attributes:
        run_id: Id of the run; null where nothing was refined.
        home: The home it worked on.
        usecase: Name of the use case.
        dry_run: Whether nothing was to be written.
        identity: What the source says it is.
        address: Where the source was asked.
        source_keys: Number of different keys at the source.
        silver_rows: Number of rows that silver held before.
        deleted: Number of rows whose key the source does not hold.
        keys: Some of these keys, as silver has them.
        never_landed: Number of keys at the source that no landed record has.
        returned: Number of keys that were deleted once and that the source holds again.
        unreadable: Number of records at the source that tell no key.
        requests: Number of requests that were sent.
        bytes: Size of what was received.
        refine: What became of the tombstones, or null.
    """

    run_id: str | None
    home: str
    usecase: str
    dry_run: bool
    identity: Identity
    address: str
    source_keys: int
    silver_rows: int
    deleted: int
    keys: tuple[str, ...]
    never_landed: int
    returned: int
    unreadable: int
    requests: int
    bytes: int
    refine: Refined | None


def _short(text: str) -> str:
    shown = text if len(text) <= _TEXT_WIDTH else text[: _TEXT_WIDTH - 1] + "…"
    return shown or "nothing"
