"""Lineage by events: from a pushed model back to the table version it learned from, and forth.

What an execution only compares with (inputs whose key begins with ``baseline``) is told and not
followed: the rows of an older model did not make the newer one. An execution that was answered from
the cache made nothing and is left out; the one that did the work stands for it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
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
from metadata.store import Artifact, Event, Execution, Store

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
_COMPARED = "baseline"


@dataclass
class _Graph:
    """Artifacts and executions met so far, and the events between them."""

    artifacts: set[int] = field(default_factory=set)
    executions: dict[int, Execution] = field(default_factory=dict)
    events: set[Event] = field(default_factory=set)


def lineage(home: Home, name: str) -> Lineage:
    """Which rows made a model, or which models a table's rows made. Read-only.

    Args:
        home: Whose metadata.
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
        graph = _walk(store, roots, _makers, is_backwards=True)
        found = pushed_model_id(roots[-1])
        return _document(store, str(found), "backwards", roots, graph)
    roots = _table_roots(store, wanted)
    graph = _walk(store, roots, _users, is_backwards=False)
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


# Picks, among the events of some artifacts, those to follow.
_Follow = Callable[[list[Event], dict[int, Execution]], list[Event]]


def _makers(events: list[Event], executions: dict[int, Execution]) -> list[Event]:
    """Per artifact the event of the execution that did the work."""
    best: dict[int, Event] = {}
    for event in events:
        if not event.is_output:
            continue
        known = best.get(event.artifact)
        if known is None or (
            executions[known.execution].state != "COMPLETE"
            and executions[event.execution].state == "COMPLETE"
        ):
            best[event.artifact] = event
    return list(best.values())


def _users(events: list[Event], executions: dict[int, Execution]) -> list[Event]:
    """Events of the executions that took an artifact in to make something of it."""
    return [
        event
        for event in events
        if not event.is_output
        and not event.key.startswith(_COMPARED)
        and executions[event.execution].state == "COMPLETE"
    ]


def _walk(store: Store, roots: list[Artifact], follow: _Follow, *, is_backwards: bool) -> _Graph:
    graph = _Graph()
    fresh = {artifact.id for artifact in roots}
    while fresh:
        graph.artifacts |= fresh
        events = store.events_of_artifacts(fresh)
        executions = store.executions(event.execution for event in events)
        entered = {event.execution for event in follow(events, executions)}
        fresh = set()
        for event in store.events_of_executions(entered - graph.executions.keys()):
            graph.events.add(event)
            is_next = event.is_output != is_backwards
            if is_next and not (is_backwards and event.key.startswith(_COMPARED)):
                fresh.add(event.artifact)
        graph.executions |= {number: executions[number] for number in entered}
        fresh -= graph.artifacts
    return graph


def _document(
    store: Store,
    name: str,
    direction: Literal["backwards", "forwards"],
    roots: list[Artifact],
    graph: _Graph,
) -> Lineage:
    # Inputs beside the way (a schema, a baseline) are named, not followed.
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
        inputs=ids([e for e in inputs if not e.key.startswith(_COMPARED)]),
        compared_with=ids([e for e in inputs if e.key.startswith(_COMPARED)]),
        outputs=ids([e for e in mine if e.is_output]),
    )
