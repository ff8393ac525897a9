"""Training on its own: export when needed, then the TFX pipeline."""

from __future__ import annotations

from goldlake.workflows.ingest import usecase_reference
from goldlake.workflows.processes import OnEvent, Run
from goldlake.workflows.run import export_request
from goldlake_core.contracts.registry import load_model
from goldlake_core.stages import Document
from goldlake_core.storage.home import Home


def train(model: str, home: Home, version: int | None, on_event: OnEvent) -> Document:
    """Exports a gold version (or finds its export) and trains a model on it. Promotes nothing.

    Args:
        model: Such as ``city_bikes.is_late``.
        home: Where everything is kept.
        version: Gold table version, or None for the newest.
        on_event: Called with the stages' events.

    Returns:
        ``run_id, logs, model, export, train``.

    Raises:
        StageFailed: A stage ended with an error; exit code 3 when the validation gate said no.
    """
    usecase, contract = load_model(model)
    reference = usecase_reference(model, usecase.name)
    run = Run.new(home)
    request = export_request(reference, contract.name, version)
    exported = run.stages("lakehouse", {"export": request}, on_event)["export"]
    wish = {"usecase": reference, "model": contract.name, "export": exported}
    trained = run.stages("tfx_pipeline", {"train": wish}, on_event)["train"]
    return {
        "run_id": run.run_id,
        "logs": str(run.logs),
        "model": f"{usecase.name}.{contract.name}",
        "export": exported,
        "train": trained,
    }
