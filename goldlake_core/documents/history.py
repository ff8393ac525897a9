"""What is known of a run afterwards: one row of the history."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, TypeAlias

import msgspec

from goldlake_core.documents.codec import FORMAT
from goldlake_core.documents.lakehouse import Identity

Limits: TypeAlias = dict[str, dict[str, Any]]
"""Numbers, durations and choices of a contract, by section and key."""

Status = Literal["ok", "refused", "failed", "interrupted", "killed"]
"""How a run ended. ``refused``: a gate said no; ``killed``: its process ended without a word."""


class RunBegan(msgspec.Struct, frozen=True, kw_only=True):
    """The file ``run.json`` in a run's folder.

    Attributes:
        format: Format version of the file.
        run_id: Name of the run.
        usecase: Name of the use case.
        reference: Name or path by which the use case was found.
        home: Folder or URL that the run worked on.
        command: Command that made the run, such as ``ingest``.
        began_at: When the run began.
        contract: Hashes of the contract's sections by section.
        limits: The limits that applied by section and key.
    """

    format: int = FORMAT
    run_id: str
    usecase: str
    reference: str
    home: str
    command: str
    began_at: datetime
    contract: dict[str, str]
    limits: Limits


class RunRow(msgspec.Struct, frozen=True, kw_only=True):
    """A run: a row of the table ``USECASE.audit.runs``, and the document of a notification.

    What a run did not do is null: one that landed nothing has no pages.

    Attributes:
        run_id: Name of the run.
        usecase: Name of the use case.
        command: Command that made the run, such as ``ingest``.
        status: How the run ended.
        began_at: When the run began.
        ended_at: When the run ended, or null where its process was killed.
        seconds: Duration of the run in seconds, or null where its process was killed.
        exit_code: Exit code of the command, or null where its process was killed.
        error: What went wrong or what a gate refused, or null.
        steps: Duration of each step in seconds by its name.
        source: What the source says it is.
        address: Where the source was asked.
        since: First day that was asked for, or null.
        until: First day that was no longer asked for, or null.
        source_count: Number of records that the source counted, or null.
        missing: Number of those records that the source did not send.
        pages: Number of pages landed.
        landed: Number of records in them.
        repeated: Number of records that the source sent again as they were landed.
        restored: Number of lost or damaged pages that were fetched again.
        bytes: Size of what the source sent.
        requests: Number of requests to the source.
        retries: Number of requests that were repeated.
        refined: Number of records whose fate the run decided.
        inserted: Number of those with a new key.
        amended: Number of those that are newer versions of a known key.
        unchanged: Number of those with the same content as before.
        stale: Number of those older than what is known.
        quarantined: Number of those kept aside with a reason code.
        deleted: Number of those that tell of a deletion at the source.
        reasons: Number of quarantined records by reason code.
        epoch: Number of the epoch of silver that answered afterwards.
        through: Number of the last page that silver held afterwards.
        tables: Version of every table afterwards by its id.
        contract: Hashes of the contract's sections by section.
        limits: The limits that applied by section and key.
    """

    run_id: str
    usecase: str
    command: str
    status: Status
    began_at: datetime
    ended_at: datetime | None = None
    seconds: float | None = None
    exit_code: int | None = None
    error: str | None = None
    steps: dict[str, float] = {}
    source: Identity = {}
    address: str | None = None
    since: str | None = None
    until: str | None = None
    source_count: int | None = None
    missing: int | None = None
    pages: int | None = None
    landed: int | None = None
    repeated: int | None = None
    restored: int | None = None
    bytes: int | None = None
    requests: int | None = None
    retries: int | None = None
    refined: int | None = None
    inserted: int | None = None
    amended: int | None = None
    unchanged: int | None = None
    stale: int | None = None
    quarantined: int | None = None
    deleted: int | None = None
    reasons: dict[str, int] = {}
    epoch: int | None = None
    through: int | None = None
    tables: dict[str, int] = {}
    contract: dict[str, str] = {}
    limits: Limits = {}


class HistoryView(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of `goldlake history`.

    Attributes:
        total: Number of runs on record.
        tables: Location of the table of runs by use case.
        runs: The newest runs, newest first.
    """

    total: int
    tables: dict[str, str] = {}
    runs: tuple[RunRow, ...]
