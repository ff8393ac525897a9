"""Promotions in ML Metadata: when which version got which label, from whom and why.

What serves is what ``models.config`` says; this is its history. A promotion is an execution of type
`PROMOTION` with the pushed model as its input, and an artifact of type `PROMOTED` that says what
became of it. Attempts that did not move the label are on record as well.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

from goldlake_core.contracts.errors import UsageError
from goldlake_core.contracts.ids import ModelId
from goldlake_core.documents.reports import PromotionRecord
from goldlake_core.instants import now_text
from goldlake_core.storage.home import Home
from metadata.pushed import pushed_models
from metadata.store import Execution, Store

PROMOTION = "goldlake.Promotion"
PROMOTED = "goldlake.Promoted"

Kind = Literal["promote", "rollback"]
Outcome = Literal["promoted", "failed", "interrupted"]


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """A promotion that was begun.

    Attributes:
        id: Name of the attempt, by which it is recorded once.
        model: The model, such as ``bikes.is_late``.
        version: Version that is to get the label.
        label: Label that is to move.
        kind: Whether a person named the version, or asked for the one before.
        before: Version that had the label, or None.
        who: User and machine that asked for it.
        why: The reason in the words of whoever asked, or "".
        began_at: When it was begun, ISO 8601 in UTC.
        is_moving: Whether ``models.config`` may hold the label at the new version already.
    """

    id: str
    model: str
    version: int
    label: str
    kind: Kind = "promote"
    before: int | None = None
    who: str = ""
    why: str = ""
    began_at: str = ""
    is_moving: bool = False


def record(store: Store, attempt: Attempt, outcome: Outcome, reason: str = "") -> int:
    """Records what became of an attempt, now. Writes to ML Metadata, once for each attempt.

    A version that no pipeline of this home pushed is recorded without an input.

    Args:
        store: The store, open for writing.
        attempt: What was asked for.
        outcome: What became of it.
        reason: Why it failed, or "".

    Returns:
        Id of the execution.
    """
    for execution in store.executions_of_type(PROMOTION):
        if execution.properties.get("attempt") == attempt.id:
            return execution.id
    properties: dict[str, int | str] = {
        "model": attempt.model,
        "version": attempt.version,
        "label": attempt.label,
        "time": now_text(),
        "kind": attempt.kind,
        "who": attempt.who,
        "why": attempt.why,
        "outcome": outcome,
        "reason": reason,
        "attempt": attempt.id,
    }
    if attempt.before is not None:
        properties["before"] = attempt.before
    model = ModelId.parse(f"{attempt.model}@{attempt.version}")
    inputs = [artifact.id for artifact in pushed_models(store, model).get(attempt.version, [])]
    return store.put_execution(PROMOTION, properties, inputs, (PROMOTED, properties))


def record_promotion(home: Home, model_id: str, label: str) -> int:
    """Records that a version got a label now; each call is one promotion.

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
    attempt = Attempt(
        id=f"{model} {label} {now_text('microseconds')}",
        model=str(model.at(None)),
        version=model.version,
        label=label,
    )
    return record(store, attempt, "promoted")


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
    """As `promotions`, in an open store; attempts that did not move the label are left out."""
    return [
        _record(execution)
        for execution in store.executions_of_type(PROMOTION)
        if execution.properties.get("model") == str(model.at(None))
        and model.version in (None, execution.properties.get("version"))
        # Earlier versions recorded what had happened, and nothing else.
        and execution.properties.get("outcome", "promoted") == "promoted"
    ]


def served_before(records: Iterable[PromotionRecord], label: str, now: int | None) -> int | None:
    """The version that a label served before the one that it serves now, or None.

    A rollback takes the newest promotion back, so that the next one goes further back.

    Args:
        records: Promotions of one model, oldest first.
        label: Label that was moved.
        now: Version that has the label now. If no promotion put it there, the newest one on record
            is the answer.
    """
    served: list[int] = []
    for promotion in records:
        if promotion.label != label:
            continue
        if promotion.kind == "rollback":
            while served and served[-1] != promotion.version:
                served.pop()
        if not served and promotion.before is not None:
            served.append(promotion.before)
        if not served or served[-1] != promotion.version:
            served.append(promotion.version)
    if served and served[-1] == now:
        served.pop()
    return served[-1] if served else None


def _record(execution: Execution) -> PromotionRecord:
    properties = execution.properties
    before = properties.get("before")
    return PromotionRecord(
        execution=execution.id,
        model=str(properties["model"]),
        version=int(properties["version"]),
        label=str(properties["label"]),
        time=str(properties["time"]),
        kind="rollback" if properties.get("kind") == "rollback" else "promote",
        before=int(before) if before is not None else None,
        who=str(properties.get("who", "")),
        why=str(properties.get("why", "")),
    )
