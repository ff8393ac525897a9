"""A search for training parameters: export where needed, trials, and the best as an edit."""

from __future__ import annotations

import difflib
from pathlib import Path

import yaml

from goldlake.workflows.exports import exported
from goldlake.workflows.history import recorded
from goldlake.workflows.ingest import usecase_reference
from goldlake.workflows.names import load_model, require_table
from goldlake.workflows.processes import OnEvent, Run
from goldlake_core.contracts.ids import TableId
from goldlake_core.contracts.loader import MODELS
from goldlake_core.contracts.yaml_text import written
from goldlake_core.documents.tuning import Parameters, Tuned, TuneReport, TuneRequest
from goldlake_core.storage.home import Home


@recorded("tune")
def tune(model: str, trials: int, seed: int, home: Home, on_event: OnEvent) -> TuneReport:
    """Tries training parameters of a model on its newest export. Changes no file and no model.

    Args:
        model: Such as ``city_bikes.is_late``.
        trials: Number of trials; the first has the contract's own parameters.
        seed: Seed of the parameters that are tried.
        home: Where everything is kept.
        on_event: Called with the stages' events.

    Raises:
        UsageError: There is no such model or gold table.
        StageFailed: A stage ended with an error; exit code 3 when the validation gate said no.
    """
    usecase, contract = load_model(model)
    require_table(TableId(usecase.name, "gold", contract.table), home)
    reference = usecase_reference(model, usecase.name)
    run = Run.new(home)
    export = exported(run, reference, usecase, contract, on_event)
    asked = run.request(
        TuneRequest,
        reference,
        usecase,
        model=contract.name,
        export_id=export.export_id,
        manifest_sha256=export.manifest_sha256,
        trials=trials,
        seed=seed,
    )
    tuned: Tuned = run.stages("tfx_pipeline", [asked], on_event)["tune"]
    best = next(trial for trial in tuned.trials if trial.number == tuned.best)
    file = usecase.folder / MODELS / f"{contract.name}.yaml"
    return TuneReport(
        run_id=run.run_id,
        logs=str(run.logs),
        model=f"{usecase.name}.{contract.name}",
        export=export,
        tune=tuned,
        diff=training_diff(file, best.parameters) if best.number > 1 else "",
    )


def training_diff(file: Path, parameters: Parameters) -> str:
    """The edit of a model's file that gives it training parameters, as a unified diff. Read-only.

    Other keys of ``training`` stay what they are.

    Args:
        file: The model's file.
        parameters: Values by key of ``training``.
    """
    text = file.read_text(encoding="utf-8")
    lines = text.splitlines(keepends=True)
    root = yaml.compose(text)
    assert isinstance(root, yaml.MappingNode), "the contract was read before"
    found = [(key, value) for key, value in root.value if key.value == "training"]
    given = yaml.safe_load(text).get("training") or {}
    new = f"training: {written({**given, **parameters})}\n"
    if found:
        key, value = found[0]
        changed = [*lines[: key.start_mark.line], new, *lines[_last_line(value) + 1 :]]
    else:
        changed = [*lines, new]
    name = f"{file.parent.name}/{file.name}"
    return "".join(difflib.unified_diff(lines, changed, name, name))


def _last_line(node: yaml.Node) -> int:
    """The last line that a value is written on; a block ends where the next key begins."""
    if not isinstance(node, yaml.CollectionNode) or node.flow_style:
        return int(node.end_mark.line)
    parts = [part for pair in node.value for part in (pair if isinstance(pair, tuple) else (pair,))]
    return max((_last_line(part) for part in parts), default=int(node.start_mark.line))
