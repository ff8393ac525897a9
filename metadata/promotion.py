"""Promotions in ML Metadata: when which version got which label.

What serves is what ``models.config`` says; this is its history. A promotion is an execution of type
`PROMOTION` with the pushed model as its input.
"""

from __future__ import annotations

from goldlake_core.contracts.errors import UsageError
from goldlake_core.contracts.ids import ModelId
from goldlake_core.documents.reports import PromotionRecord
from goldlake_core.instants import now_text
from goldlake_core.storage.home import Home
from metadata.pushed import pushed_models
from metadata.store import Execution, Store

PROMOTION = "goldlake.Promotion"


def record_promotion(home: Home, model_id: str, label: str) -> int:
    """Records that a version got a label now. Writes to ML Metadata; each call is one promotion.

    A version that no pipeline of this home pushed is recorded without an artifact.

    Args:
        home: The home whose metadata is written.
        model_id: A model version, such as ``toy.color@7``.
        label: Such as ``stable``.

    Returns:
        Id of the execution.

    Raises:
        UsageError: The id names no version.
    """
    model = ModelId.parse(model_id)
    if model.version is None:
        raise UsageError(f"{model_id!r} names no version", valid=f"{model}@VERSION")
    store = Store(home, is_writer=True)
    artifacts = pushed_models(store, model).get(model.version, [])
    return store.put_execution(
        PROMOTION,
        {
            "model": str(model.at(None)),
            "version": model.version,
            "label": label,
            "time": now_text(),
        },
        [artifact.id for artifact in artifacts],
    )


def promotions(home: Home, model: str) -> list[PromotionRecord]:
    """Every promotion of a model, oldest first. Read-only.

    Args:
        home: The home whose metadata is read.
        model: A model, such as ``toy.color``; a version in it narrows the answer.

    Returns:
        One record per promotion.

    Raises:
        PermanentError: Nothing is recorded yet.
    """
    return promotions_in(Store(home), ModelId.parse(model))


def promotions_in(store: Store, model: ModelId) -> list[PromotionRecord]:
    """As `promotions`, in an open store."""
    return [
        _record(execution)
        for execution in store.executions_of_type(PROMOTION)
        if execution.properties.get("model") == str(model.at(None))
        and model.version in (None, execution.properties.get("version"))
    ]


def _record(execution: Execution) -> PromotionRecord:
    properties = execution.properties
    return PromotionRecord(
        execution=execution.id,
        model=str(properties["model"]),
        version=int(properties["version"]),
        label=str(properties["label"]),
        time=str(properties["time"]),
    )
