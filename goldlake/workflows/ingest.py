"""Ingestion and export on their own: what a data engineer runs every day."""

from __future__ import annotations

from goldlake.workflows.processes import OnEvent, Run
from goldlake_core.contracts.registry import load_model, load_usecase
from goldlake_core.stages import Document
from goldlake_core.storage.home import Home


def ingest(
    usecase: str,
    home: Home,
    source: str,
    since: str | None,
    until: str | None,
    on_event: OnEvent,
) -> Document:
    """Lands what is new at the source and refines it into bronze, silver and gold.

    Args:
        usecase: Name or path of the use case.
        home: Where everything is kept.
        source: ``live`` or a URL.
        since: First day wanted, ``YYYY-MM-DD``, or None.
        until: First day no longer wanted, or None.
        on_event: Called with the stages' events.

    Returns:
        ``run_id, home, logs, usecase, land, refine``.

    Raises:
        StageFailed: A stage ended with an error.
    """
    load_usecase(usecase)
    run = Run.new(home)
    land = {"usecase": usecase, "source": source, "since": since, "until": until}
    results = run.stages("lakehouse", {"land": land, "refine": {"usecase": usecase}}, on_event)
    return {
        "run_id": run.run_id,
        "home": home.root,
        "logs": str(run.logs),
        "usecase": usecase,
        **results,
    }


def export(
    model: str, home: Home, version: int | None, out: str | None, on_event: OnEvent
) -> Document:
    """Writes one gold version as the CSV hand-off.

    Args:
        model: Such as ``city_bikes.is_late``.
        home: Where everything is kept.
        version: Gold table version, or None for the newest.
        out: Folder to copy the export to, or None.
        on_event: Called with the stage's events.

    Returns:
        The stage's result document.

    Raises:
        StageFailed: The stage ended with an error.
    """
    usecase, contract = load_model(model)
    request = {
        "usecase": usecase_reference(model, usecase.name),
        "model": contract.name,
        "version": version,
        "out": out,
    }
    return Run.new(home).stages("lakehouse", {"export": request}, on_event)["export"]


def usecase_reference(model: str, name: str) -> str:
    """How another process finds the use case that ``model`` was given with: its name or path."""
    path, separator, _ = model.rpartition(":")
    return path if separator else name
