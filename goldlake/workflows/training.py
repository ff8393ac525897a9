"""Training on its own: export when needed, then the TFX pipeline."""

from __future__ import annotations

from goldlake.contracts.registry import load_model
from goldlake.storage.home import Home
from goldlake.storage.rundir import Document
from goldlake.workflows.medallion import usecase_reference
from goldlake.workflows.stages import OnEvent, Run
from goldlake.workflows.whole import export_request


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
