"""Maintenance of a use case, and going back to what had been landed by a run or an instant."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

from goldlake.workflows import old_versions
from goldlake.workflows.history import recorded
from goldlake.workflows.processes import OnEvent, Run
from goldlake.workflows.upkeep import Part, Upkeep
from goldlake_core.contracts.durations import is_duration, seconds_of
from goldlake_core.contracts.errors import UsageError
from goldlake_core.contracts.registry import load_usecase
from goldlake_core.contracts.sections import UseCase
from goldlake_core.documents.maintain import (
    MaintainedPart,
    MaintainReport,
    RestoreReport,
)
from goldlake_core.documents.stages import MaintainRequest, RestoreRequest
from goldlake_core.instants import of_text
from goldlake_core.stages import event_now
from goldlake_core.storage.deltalog import DeltaLog
from goldlake_core.storage.home import Home
from goldlake_core.storage.landing import PageEntry
from goldlake_core.storage.locks import CopyLock, StoreLock
from goldlake_core.storage.model_versions import pushed_versions
from lakehouse import catalog, restore, specs
from lakehouse.maintain import existing

DEFAULT_KEEP = "30d"
LEAST_KEEP = "7d"


@recorded("maintain")
def maintain(
    usecase: str,
    home: Home,
    on_event: OnEvent,
    *,
    keep: str = DEFAULT_KEEP,
    is_short_allowed: bool = False,
    dry_run: bool = False,
    drop_aside: bool = False,
    drop_orphans: bool = False,
) -> MaintainReport:
    """Makes a home smaller and its tables quicker to read; changes no row.

    Args:
        usecase: Name or path of the use case.
        home: Where everything is kept.
        on_event: Called with progress.
        keep: What is younger stays, such as ``30d``.
        is_short_allowed: Whether ``keep`` may be less than a week.
        dry_run: Whether to say only what would be done.
        drop_aside: Whether pages that were set aside go.
        drop_orphans: Whether tables go that the contract does not name.

    Returns:
        What each part of the home held before and holds now, and what can still be read.

    Raises:
        UsageError: ``keep`` is not a length of time, or is too short, or the home holds nothing.
        LockedError: Another process works on the use case.
        StageFailed: The stage ended with an error.
    """
    contract = load_usecase(usecase)
    seconds = _seconds(keep, is_short_allowed)
    if not existing(contract, home) and not specs.landing(contract, home).page_sizes():
        raise UsageError(
            f"There is nothing of {contract.name} in the home {home.root}",
            hint=f"goldlake ingest {contract.name} --source URL|live",
        )
    before = datetime.now(timezone.utc) - timedelta(seconds=seconds)
    upkeep = Upkeep(contract, home, before, drop_aside, drop_orphans)
    planned = upkeep.parts()
    sizes = {part.name: upkeep.size(part) for part in planned}
    if dry_run:
        parts = tuple(_expected(part, *sizes[part.name]) for part in planned)
        return _report(upkeep, None, parts, seconds, dry_run=True)
    run = Run.new(home)
    done = {part.name: [s.text for s in part.steps if s.act is None] for part in planned}
    with CopyLock(home, "maintain"):
        if any(done.values()):
            request = run.request(MaintainRequest, usecase, contract, keep_hours=seconds / 3600)
            run.stages("lakehouse", [request], on_event)
        with StoreLock(home, contract.name):
            for part, text in _steps(upkeep, on_event):
                done.setdefault(part.name, []).append(text)
    parts = tuple(
        _measured(part, sizes.get(part.name, (0, 0)), upkeep.size(part), done.get(part.name, []))
        for part in _all(planned, upkeep.parts())
    )
    return _report(upkeep, run.run_id, parts, seconds, dry_run=False)


@recorded("restore")
def restore_to(
    usecase: str, home: Home, to: str, on_event: OnEvent, *, dry_run: bool = False
) -> RestoreReport:
    """Goes back, or forward again, to what had been landed by a run or an instant.

    Args:
        usecase: Name or path of the use case.
        home: Where everything is kept.
        to: Id of a run, or an instant (ISO 8601; UTC if it has no zone).
        on_event: Called with the stage's events.
        dry_run: Whether to say only what would change.

    Returns:
        Which pages count, what changed, and the models that learned from rows that leave.

    Raises:
        UsageError: There is no such run, or nothing had been landed by that instant.
        StageFailed: The stage ended with an error.
    """
    contract = load_usecase(usecase)
    planned = restore.plan(specs.landing(contract, home), to)
    is_done = not planned.leaving and not planned.coming
    run_id, refined = None, None
    if not dry_run and not (is_done and _stands(contract, home)):
        run = Run.new(home)
        request = run.request(RestoreRequest, usecase, contract, to=to)
        run_id, refined = run.run_id, run.stages("lakehouse", [request], on_event)["restore"]
    return RestoreReport(
        run_id=run_id,
        home=home.root,
        usecase=contract.name,
        dry_run=dry_run,
        to=to,
        pages=len(planned.pages),
        records=_records(planned.pages),
        leaving_pages=len(planned.leaving),
        leaving_records=_records(planned.leaving),
        coming_pages=len(planned.coming),
        coming_records=_records(planned.coming),
        models=tuple(_learned(contract, home, planned.leaving)),
        refine=refined,
    )


def _seconds(keep: str, is_short_allowed: bool) -> float:
    if not is_duration(keep):
        raise UsageError(f"--keep {keep!r} is not a length of time", valid="such as 30d, 12h or 0")
    seconds = seconds_of(keep)
    if seconds < seconds_of(LEAST_KEEP) and not is_short_allowed:
        raise UsageError(
            f"--keep {keep} is shorter than a week: whoever reads a version of a table since then "
            "would lose its files",
            valid=f"{LEAST_KEEP} or longer; or {keep} with --short, when nobody reads",
        )
    return seconds


def _steps(upkeep: Upkeep, on_event: OnEvent) -> Iterator[tuple[Part, str]]:
    """Does what Spark does not do, under the store's lock."""
    on_event(event_now("maintain", "begin"))
    for part in upkeep.parts():
        for step in part.steps:
            if step.act is not None:
                on_event(event_now("maintain", "progress", f"{part.name}: {step.text}"))
                step.act()
                yield part, step.text


def _all(planned: list[Part], now: list[Part]) -> list[Part]:
    """The parts of now; of those that list folders, the folders of before."""
    before = {part.name: part for part in planned}
    return [before.get(part.name, part) for part in now]


def _expected(part: Part, files: int, size: int) -> MaintainedPart:
    return MaintainedPart(
        part=part.name,
        files_before=files,
        files_after=files - sum(step.files for step in part.steps),
        bytes_before=size,
        bytes_after=size - sum(step.bytes for step in part.steps),
        done=tuple(step.text for step in part.steps),
    )


def _measured(
    part: Part, before: tuple[int, int], after: tuple[int, int], done: list[str]
) -> MaintainedPart:
    return MaintainedPart(
        part=part.name,
        files_before=before[0],
        files_after=after[0],
        bytes_before=before[1],
        bytes_after=after[1],
        done=tuple(done),
    )


def _report(
    upkeep: Upkeep,
    run_id: str | None,
    parts: tuple[MaintainedPart, ...],
    seconds: float,
    *,
    dry_run: bool,
) -> MaintainReport:
    tables = existing(upkeep.usecase, upkeep.home)
    return MaintainReport(
        run_id=run_id,
        home=upkeep.home.root,
        usecase=upkeep.usecase.name,
        dry_run=dry_run,
        keep_days=round(seconds / 86_400, 3),
        parts=parts,
        readable=tuple(old_versions.readable(spec.id, spec.uri) for spec in tables),
        pinned=tuple(upkeep.pinned()),
        orphans=tuple(upkeep.orphans()),
    )


def _stands(usecase: UseCase, home: Home) -> bool:
    """Whether bronze has followed the landing zone."""
    from lakehouse import commits

    zone = specs.landing(usecase, home)
    held = commits.newest(specs.bronze(usecase, home).uri, commits.BronzeCommit)
    last = max((entry.sequence for entry in zone.manifest()), default=0)
    return held.through == last and zone.restores().agreed(held.restore, last) == last


def _learned(usecase: UseCase, home: Home, leaving: tuple[PageEntry, ...]) -> Iterator[str]:
    """Pushed versions that learned from gold that was made after the first leaving page came."""
    if not leaving:
        return
    since = min(of_text(entry.landed_at) for entry in leaving)
    for name in usecase.models:
        for version, about in pushed_versions(home, usecase.name, name).items():
            if about is None or about.table is None or about.table_version is None:
                continue
            table = about.table.rpartition(".")[2]
            log = DeltaLog(catalog.location(home, usecase.name, "gold", table))
            made = of_text(about.pushed_at)
            with contextlib.suppress(FileNotFoundError):  # its log entry was cleaned
                made = log.commit(about.table_version).time
            if made >= since:
                yield f"{usecase.name}.{name}@{version}"


def _records(entries: tuple[PageEntry, ...]) -> int:
    return sum(entry.rows for entry in entries)
