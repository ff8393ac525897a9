"""Training on its own: export when needed, then the TFX pipeline."""

from __future__ import annotations

from goldlake.workflows.exports import exported
from goldlake.workflows.history import recorded
from goldlake.workflows.ingest import usecase_reference
from goldlake.workflows.names import load_model, require_table
from goldlake.workflows.processes import OnEvent, Run
from goldlake_core.contracts.ids import TableId
from goldlake_core.documents.reports import TrainReport
from goldlake_core.documents.stages import TrainRequest
from goldlake_core.storage.home import Home


@recorded("train")
def train(model: str, home: Home, version: int | None, on_event: OnEvent) -> TrainReport:
    """Exports a gold version (or finds its export) and trains a model on it. Promotes nothing.

    Args:
        model: Such as ``city_bikes.is_late``.
        home: Where everything is kept.
        version: Gold table version, or None for the newest.
        on_event: Called with the stages' events.

    Returns:
        What the model was trained on, and what came of it.

    Raises:
        UsageError: There is no such model, gold table or version.
        StageFailed: A stage ended with an error; exit code 3 when the validation gate said no.
    """
    usecase, contract = load_model(model)
    require_table(TableId(usecase.name, "gold", contract.table, version), home)
    reference = usecase_reference(model, usecase.name)
    run = Run.new(home)
    name = contract.name
    export = exported(run, reference, usecase, contract, on_event, version)
    training = run.request(
        TrainRequest,
        reference,
        usecase,
        model=name,
        export_id=export.export_id,
        manifest_sha256=export.manifest_sha256,
    )
    return TrainReport(
        run_id=run.run_id,
        logs=str(run.logs),
        model=f"{usecase.name}.{name}",
        export=export,
        train=run.stages("tfx_pipeline", [training], on_event)["train"],
    )
