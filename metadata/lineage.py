"""Lineage: from a pushed model back to the table version it was trained on, and forward.

How events are followed is in `metadata.walk`.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Literal

import msgspec

from goldlake_core.contracts.errors import UsageError
from goldlake_core.contracts.ids import ModelId, TableId, parse
from goldlake_core.documents.reports import (
    ArtifactRecord,
    ExecutionRecord,
    Lineage,
    LineageStep,
    PushedRecord,
    SnapshotRecord,
)
from goldlake_core.storage.home import Home
from metadata.promotion import promotions_in
from metadata.pushed import PUSHED_MODEL, pushed_model_id, pushed_models
from metadata.store import Artifact, Event, Store
from metadata.walk import Graph, backwards, forwards, is_compared

SNAPSHOT = "DataSnapshot"
_SNAPSHOT_FIELDS = (
    "table",
    "version",
    "table_uuid",
    "content_hash",
    "as_of",
    "export_id",
    "manifest_sha256",
)


def lineage(home: Home, name: str) -> Lineage:
    """Which rows made a model, or which models a table's rows made. Read-only.

    Args:
        home: The home whose metadata is read.
        name: ``USECASE.MODEL[@V]`` goes backwards, by default from the newest pushed version;
            ``USECASE.LAYER.TABLE[@V]`` goes forwards, by default from all its versions.

    Returns:
        The artifacts and executions on the way, and the table versions and models among them.

    Raises:
        UsageError: No such model, table or version was recorded; the message lists those that were.
        PermanentError: Nothing is recorded yet.
    """
    wanted = parse(name)
    store = Store(home)
    if isinstance(wanted, ModelId):
        roots = _model_roots(store, wanted)
        graph = backwards(store, roots)
        found = pushed_model_id(roots[-1])
        return _document(store, str(found), "backwards", roots, graph)
    roots = _table_roots(store, wanted)
    graph = forwards(store, roots)
    return _document(store, str(wanted), "forwards", roots, graph)


def _model_roots(store: Store, model: ModelId) -> list[Artifact]:
    versions = pushed_models(store, model.at(None))
    version = model.version if model.version is not None else max(versions, default=None)
    if version is None or version not in versions:
        raise UsageError(
            f"No pushed model {model} is recorded",
            valid=", ".join(str(model.at(v)) for v in versions) or _known_models(store),
            hint=f"goldlake train {model.at(None)}",
        )
    return versions[version]


def _table_roots(store: Store, table: TableId) -> list[Artifact]:
    known: dict[str, list[Artifact]] = {}
    for artifact in store.artifacts_of_type(SNAPSHOT):
        properties = artifact.properties
        known.setdefault(f"{properties.get('table')}@{properties.get('version')}", []).append(
            artifact
        )
    roots = [
        artifact
        for label, artifacts in known.items()
        if label == str(table) or (table.version is None and label.split("@")[0] == str(table))
        for artifact in artifacts
    ]
    if not roots:
        raise UsageError(
            f"No model was trained on {table}",
            valid=", ".join(sorted(known)) or "no table version is recorded yet",
            hint="goldlake train MODEL",
        )
    return roots


def _known_models(store: Store) -> str:
    known = {str(pushed_model_id(a) or "") for a in store.artifacts_of_type(PUSHED_MODEL)} - {""}
    return ", ".join(sorted(known)) or "no model is pushed yet"


def _document(
    store: Store,
    name: str,
    direction: Literal["backwards", "forwards"],
    roots: list[Artifact],
    graph: Graph,
) -> Lineage:
    # Inputs that are not followed (a schema, a baseline) are named only.
    artifacts = store.artifacts(graph.artifacts | {event.artifact for event in graph.events})
    on_way = [artifacts[number] for number in sorted(graph.artifacts)]
    return Lineage(
        id=name,
        direction=direction,
        roots=tuple(sorted(artifact.id for artifact in roots)),
        snapshots=tuple(_snapshot(a) for a in on_way if a.type == SNAPSHOT),
        models=tuple(
            PushedRecord(
                id=str(model),
                artifact=artifact.id,
                pushed_at=artifact.created_at,
                promotions=tuple(promotions_in(store, model)),
            )
            for artifact in on_way
            if artifact.type == PUSHED_MODEL and (model := pushed_model_id(artifact)) is not None
        ),
        artifacts=tuple(ArtifactRecord(**asdict(a)) for _, a in sorted(artifacts.items())),
        executions=tuple(ExecutionRecord(**asdict(e)) for _, e in sorted(graph.executions.items())),
        steps=tuple(_step(number, graph.events) for number in sorted(graph.executions)),
    )


def _snapshot(artifact: Artifact) -> SnapshotRecord:
    fields = {name: artifact.properties.get(name) for name in _SNAPSHOT_FIELDS}
    return msgspec.convert({**fields, "artifact": artifact.id}, SnapshotRecord)


def _step(execution: int, events: set[Event]) -> LineageStep:
    mine = [event for event in events if event.execution == execution]
    inputs = [event for event in mine if not event.is_output]

    def ids(chosen: list[Event]) -> tuple[int, ...]:
        return tuple(sorted({event.artifact for event in chosen}))

    return LineageStep(
        execution=execution,
        inputs=ids([e for e in inputs if not is_compared(e)]),
        compared_with=ids([e for e in inputs if is_compared(e)]),
        outputs=ids([e for e in mine if e.is_output]),
    )
