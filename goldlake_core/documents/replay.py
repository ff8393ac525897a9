"""The report of another try of the records in quarantine."""

from __future__ import annotations

import msgspec


class ReplayReport(msgspec.Struct, frozen=True, kw_only=True):
    """The report of `goldlake quarantine replay`.

    Attributes:
        usecase: Name of the use case.
        home: The home it worked on.
        run_id: Id of the run, or null where nothing was run.
        dry_run: Whether it was only asked what would happen.
        why: Why there was nothing to do, or null.
        changes: What differs from the contract that the records were rejected under, one line each.
        quarantined: Number of records in quarantine before.
        reasons: Number of those by reason code, most frequent first.
        concerned: Number of those with a reason that the changes concern.
        let_in: Number of those that are no longer in quarantine, or null where nothing was run.
        stayed: Number of those by the reason code that keeps them in quarantine.
        rejected: Number of records that are in quarantine now and were not before, or null.
        epoch: Number of the epoch of silver that answers now.
    """

    usecase: str
    home: str
    run_id: str | None = None
    dry_run: bool = False
    why: str | None = None
    changes: tuple[str, ...] = ()
    quarantined: int = 0
    reasons: dict[str, int] = {}
    concerned: int = 0
    let_in: int | None = None
    stayed: dict[str, int] = {}
    rejected: int | None = None
    epoch: int
