"""Why a model was trained again, in ML Metadata."""

from __future__ import annotations

from collections.abc import Mapping

from goldlake_core.contracts.ids import ModelId
from goldlake_core.instants import now_text
from goldlake_core.storage.home import Home
from metadata.pushed import pushed_models
from metadata.store import Store

RETRAIN = "goldlake.Retrain"
REASON = "goldlake.RetrainReason"


def record(
    home: Home,
    model: str,
    reason: str,
    found: Mapping[str, str],
    outcome: str,
    *,
    run_id: str = "",
    version: int | None = None,
    why: str = "",
) -> int | None:
    """Records why a training began and what came of it; the pushed model is its input.

    Args:
        home: The home whose metadata is written.
        model: The model, such as ``bikes.is_late``.
        reason: The conditions that held.
        found: What was found, by condition.
        outcome: ``blessed``, ``refused`` or ``failed``.
        run_id: The run that trained, or "".
        version: The version that it pushed, or None.
        why: Why it was refused or failed, or "".

    Returns:
        Id of the reason's artifact, or None for a home whose metadata are not on this machine.
    """
    if not home.is_local:
        return None
    store = Store(home, is_writer=True)
    properties: dict[str, int | str] = {
        "model": model,
        "reason": reason,
        "found": "; ".join(f"{text}: {value}" for text, value in found.items()),
        "outcome": outcome,
        "run_id": run_id,
        "why": why,
        "time": now_text("seconds"),
    }
    inputs: list[int] = []
    if version is not None:
        properties["version"] = version
        made = pushed_models(store, ModelId.parse(model)).get(version, [])
        inputs = [each.id for each in made[-1:]]
    execution = store.put_execution(RETRAIN, properties, inputs, (REASON, properties))
    events = store.events_of_executions([execution])
    return next(event.artifact for event in events if event.is_output)
