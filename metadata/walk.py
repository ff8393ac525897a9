"""Follows the events of ML Metadata from artifacts to what made them, or to what they made.

What an execution only compares with (inputs whose key begins with ``baseline``) is not followed:
the rows of an older model did not make the newer one. An execution that was answered from the
cache made nothing and is left out; the execution that did the work is followed instead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from metadata.store import Artifact, Event, Execution, Store

_COMPARED = "baseline"


@dataclass
class Graph:
    """What a walk met.

    Attributes:
        artifacts: Ids of the artifacts that were followed, with those it began at.
        executions: The executions between them, by id.
        events: All events of these executions.
    """

    artifacts: set[int] = field(default_factory=set)
    executions: dict[int, Execution] = field(default_factory=dict)
    events: set[Event] = field(default_factory=set)


def backwards(store: Store, roots: Iterable[Artifact]) -> Graph:
    """Returns everything that artifacts were made from. Read-only."""
    return _walk(store, roots, _makers, is_backwards=True)


def forwards(store: Store, roots: Iterable[Artifact]) -> Graph:
    """Returns everything that was made from artifacts. Read-only."""
    return _walk(store, roots, _users, is_backwards=False)


def made_directly(store: Store, sources: Iterable[Artifact], type_name: str) -> list[Artifact]:
    """Returns the artifacts of a type that executions made from artifacts in one step. Read-only.

    Args:
        store: The store to read.
        sources: Inputs of the executions.
        type_name: Such as ``ExampleStatistics``.

    Returns:
        The newest artifact first.
    """
    events = store.events_of_artifacts(artifact.id for artifact in sources)
    executions = store.executions(event.execution for event in events)
    users = {event.execution for event in _users(events, executions)}
    outputs = {event.artifact for event in store.events_of_executions(users) if event.is_output}
    found = [a for a in store.artifacts(outputs).values() if a.type == type_name]
    return sorted(found, key=lambda artifact: -artifact.id)


def is_compared(event: Event) -> bool:
    """Whether an execution took the artifact in only to compare with it."""
    return event.key.startswith(_COMPARED)


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
    """Events of the executions that took an artifact in to make something from it."""
    return [
        event
        for event in events
        if not event.is_output
        and not is_compared(event)
        and executions[event.execution].state == "COMPLETE"
    ]


def _walk(store: Store, roots: Iterable[Artifact], follow: _Follow, *, is_backwards: bool) -> Graph:
    graph = Graph()
    fresh = {artifact.id for artifact in roots}
    while fresh:
        graph.artifacts |= fresh
        events = store.events_of_artifacts(fresh)
        executions = store.executions(event.execution for event in events)
        entered = {event.execution for event in follow(events, executions)}
        fresh = set()
        for event in store.events_of_executions(entered - graph.executions.keys()):
            graph.events.add(event)
            # Backwards the inputs of an execution come next, forwards its outputs. Only backwards
            # a compared input could be met here: forwards `_users` left such executions out.
            is_next = event.is_output != is_backwards
            if is_next and not (is_backwards and is_compared(event)):
                fresh.add(event.artifact)
        graph.executions |= {number: executions[number] for number in entered}
        fresh -= graph.artifacts
    return graph
