"""Ingestion and export on their own: what a data engineer runs every day."""

from __future__ import annotations

from goldlake.workflows import planning
from goldlake.workflows.history import recorded
from goldlake.workflows.names import load_model, require_table
from goldlake.workflows.processes import OnEvent, Run, StageFailed
from goldlake_core.contracts.errors import UsageError
from goldlake_core.contracts.ids import TableId
from goldlake_core.contracts.registry import find_usecase, load_usecase
from goldlake_core.documents.lakehouse import Audited, Exported, QuarantineView
from goldlake_core.documents.planning import IngestPlan
from goldlake_core.documents.reports import Finding, IngestReport, RebuildReport
from goldlake_core.documents.stages import (
    AuditRequest,
    ExportRequest,
    LandRequest,
    RefineRequest,
)
from goldlake_core.storage.home import Home
from lakehouse import catalog
from lakehouse.quarantine import rejected


@recorded("ingest")
def ingest(
    usecase: str,
    home: Home,
    source: str,
    since: str | None,
    until: str | None,
    on_event: OnEvent,
    *,
    accept_rejected: bool = False,
) -> IngestReport:
    """Lands what is new at the source and refines it into bronze, silver and gold.

    Args:
        usecase: Name or path of the use case.
        home: Where everything is kept.
        source: ``live`` or a URL.
        since: First day wanted, ``YYYY-MM-DD``, or None.
        until: First day no longer wanted, or None.
        on_event: Called with the stages' events.
        accept_rejected: Whether any share of rejected records is accepted in this run.

    Returns:
        What was landed and refined.

    Raises:
        UsageError: The home cannot follow the contract; nothing was fetched.
        StageFailed: A stage ended with an error.
    """
    return _ingest(usecase, home, source, since, until, on_event, accept_rejected)


@recorded("backfill")
def backfill(
    usecase: str,
    home: Home,
    source: str,
    since: str | None,
    until: str | None,
    on_event: OnEvent,
    *,
    accept_rejected: bool = False,
) -> IngestReport:
    """Lands a range of days again and refines it; arguments and errors are those of `ingest`."""
    return _ingest(usecase, home, source, since, until, on_event, accept_rejected)


def _ingest(
    usecase: str,
    home: Home,
    source: str,
    since: str | None,
    until: str | None,
    on_event: OnEvent,
    accept_rejected: bool,
) -> IngestReport:
    contract = load_usecase(usecase)
    planning.tell(contract, home, on_event, "land")
    run = Run.new(home)
    land = run.request(LandRequest, usecase, contract, source=source, since=since, until=until)
    refine = run.request(RefineRequest, usecase, contract, accept_rejected=accept_rejected)
    results = run.stages("lakehouse", [land, refine], on_event)
    return IngestReport(
        run_id=run.run_id,
        home=home.root,
        logs=str(run.logs),
        usecase=usecase,
        land=results["land"],
        refine=results["refine"],
    )


def plan(usecase: str, home: Home, source: str, since: str | None, until: str | None) -> IngestPlan:
    """What `ingest` would do; see `goldlake.workflows.planning.plan_ingest`. Writes nothing."""
    return planning.plan_ingest(load_usecase(usecase), home, source, since, until)


@recorded("rebuild")
def rebuild(
    usecase: str,
    home: Home,
    on_event: OnEvent,
    *,
    accept_rejected: bool = False,
    refit: bool = False,
) -> RebuildReport:
    """Makes silver and gold again from bronze, under the contract as it is now.

    The tables that are there answer until the new ones are whole and their account balances.

    Args:
        usecase: Name or path of the use case.
        home: Where everything is kept.
        on_event: Called with the stage's events.
        accept_rejected: Whether any share of rejected records is accepted in this run.
        refit: Whether the clusters of gold tables are fitted anew.

    Returns:
        What became of every landed record.

    Raises:
        UsageError: The home cannot follow the contract; nothing was made.
        StageFailed: The stage ended with an error.
    """
    contract = load_usecase(usecase)
    planning.tell(contract, home, on_event, "refine", rebuild=True)
    run = Run.new(home)
    request = run.request(
        RefineRequest,
        usecase,
        contract,
        rebuild=True,
        refit=refit,
        accept_rejected=accept_rejected,
    )
    refined = run.stages("lakehouse", [request], on_event)["refine"]
    return RebuildReport(
        run_id=run.run_id, home=home.root, logs=str(run.logs), usecase=usecase, refine=refined
    )


def quarantine(
    usecase: str, home: Home, reason: str | None, record: str | None, limit: int
) -> QuarantineView:
    """The records of a use case that its contract rejects; see `lakehouse.quarantine.rejected`."""
    name = find_usecase(usecase).resolve().name
    return rejected(name, home, reason=reason, record=record, limit=limit)


def audits(home: Home, on_event: OnEvent) -> list[Finding]:
    """Compares all contents of the tables of every use case in a home.

    Args:
        home: Where everything is kept.
        on_event: Called with the stages' events.

    Returns:
        One finding per use case.
    """
    found = []
    for name in dict.fromkeys(e.id.partition(".")[0] for e in catalog.tables(None, home)):
        wanted, fix = "every landed record accounted for", f"goldlake rebuild {name}"
        try:
            contract = load_usecase(name)
        except UsageError as error:
            found.append(Finding(name, False, str(error), wanted, "goldlake check PATH"))
            continue
        run = Run.new(home)
        request = run.request(AuditRequest, name, contract)
        try:
            audited: Audited = run.stages("lakehouse", [request], on_event)["audit"]
        except StageFailed as error:
            found.append(Finding(name, False, str(error), wanted, fix))
            continue
        problem = audited.problem
        text = problem or "all contents agree: pages, bronze, versions, silver, gold"
        found.append(Finding(name, problem is None, text, wanted, fix if problem else ""))
    return found


@recorded("export")
def export(
    model: str, home: Home, version: int | None, out: str | None, on_event: OnEvent
) -> Exported:
    """Writes one gold version as the CSV hand-off.

    Args:
        model: Such as ``city_bikes.is_late``.
        home: Where everything is kept.
        version: Gold table version, or None for the newest.
        out: Folder to copy the export to, or None.
        on_event: Called with the stage's events.

    Returns:
        Where the export is and what is in it.

    Raises:
        UsageError: There is no such model, gold table or version.
        StageFailed: The stage ended with an error.
    """
    usecase, contract = load_model(model)
    require_table(TableId(usecase.name, "gold", contract.table, version), home)
    run = Run.new(home)
    reference = usecase_reference(model, usecase.name)
    request = run.request(
        ExportRequest, reference, usecase, model=contract.name, version=version, out=out
    )
    exported: Exported = run.stages("lakehouse", [request], on_event)["export"]
    return exported


def usecase_reference(model: str, name: str) -> str:
    """How another process finds the use case that ``model`` was given with: its name or path."""
    path, separator, _ = model.rpartition(":")
    return path if separator else name
