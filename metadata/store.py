"""Opens the ML Metadata store of a home.

It returns plain dataclasses, so that its readers do not depend on ML Metadata's messages.
``filter_query`` and ``get_lineage_subgraph`` are not used: ml-metadata 1.21 broke both.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, TypeAlias

from goldlake_core.contracts.errors import PermanentError
from goldlake_core.documents.provenance import ArtifactFacts, ExecutionFacts
from goldlake_core.instants import utc_text
from goldlake_core.storage.home import Home

RUN = "goldlake.Run"
"""Type of the context that all stages of a run have in common."""

Value: TypeAlias = int | float | str | bool

# ml_metadata.proto.Event.Type. INTERNAL events are links that TFX's resolvers make, not causes.
_INPUTS = {2, 3}  # DECLARED_INPUT, INPUT
_OUTPUTS = {1, 4}  # DECLARED_OUTPUT, OUTPUT
_INPUT, _OUTPUT = 3, 4
_COMPLETE, _CACHED = 3, 5  # ml_metadata.proto.Execution.State


@dataclass(frozen=True)
class Artifact:
    """One artifact.

    Attributes:
        id: Number in the store.
        type: Type name, such as ``Examples``.
        uri: Where its payload is.
        created_at: UTC, ISO 8601.
        properties: Properties and custom properties, by name.
    """

    id: int
    type: str
    uri: str
    created_at: str
    properties: Mapping[str, Value]


@dataclass(frozen=True)
class Execution:
    """One run of a component, or one promotion.

    Attributes:
        id: Number in the store.
        type: Type name, such as ``tfx.components.trainer.component.Trainer``.
        state: ``COMPLETE``, ``CACHED``, ``FAILED`` ….
        created_at: UTC, ISO 8601.
        properties: Properties and custom properties, by name.
    """

    id: int
    type: str
    state: str
    created_at: str
    properties: Mapping[str, Value]


@dataclass(frozen=True)
class Event:
    """An artifact going into an execution or coming out of it.

    Attributes:
        artifact: Id of the artifact.
        execution: Id of the execution.
        is_output: Whether the execution made the artifact.
        key: Name of the input or output, such as ``baseline_model``; may be empty.
    """

    artifact: int
    execution: int
    is_output: bool
    key: str


@dataclass(frozen=True)
class Context:
    """What executions have in common, such as the run of a pipeline.

    Attributes:
        type: Type name, such as ``pipeline_run``.
        name: Name that no other context of its type has.
        properties: Properties and custom properties, by name.
    """

    type: str
    name: str
    properties: Mapping[str, Value]


class Store:
    """The ML Metadata store of one home.

    Args:
        home: The home; MLMD's SQLite file must be on the local disk.
        is_writer: Open for writing, and make the file where there is none.

    Raises:
        PermanentError: The home is not local, or nothing was recorded yet (readers only).
    """

    def __init__(self, home: Home, *, is_writer: bool = False) -> None:
        if not home.is_local:
            raise PermanentError(
                f"The metadata of {home.root} cannot be opened",
                valid="a home on the local disk: ML Metadata keeps it in SQLite",
            )
        if not is_writer and not os.path.exists(home.mlmd):
            raise PermanentError(
                f"Nothing is recorded yet in {home.mlmd}", hint="goldlake train MODEL"
            )
        from ml_metadata.metadata_store import metadata_store
        from ml_metadata.proto import metadata_store_pb2 as pb

        os.makedirs(os.path.dirname(home.mlmd), exist_ok=True)
        settings = pb.ConnectionConfig()
        settings.sqlite.filename_uri = home.mlmd
        settings.sqlite.connection_mode = (
            pb.SqliteMetadataSourceConfig.READWRITE_OPENCREATE
            if is_writer
            else pb.SqliteMetadataSourceConfig.READONLY
        )
        self._pb = pb
        self._store = metadata_store.MetadataStore(settings)
        self._type_names: dict[tuple[bool, int], str] = {}

    def artifacts_of_type(self, name: str) -> list[Artifact]:
        """Every artifact of a type, oldest first; [] for a type that was never used."""
        if name not in {kind.name for kind in self._store.get_artifact_types()}:
            return []
        found = self._store.get_artifacts_by_type(name)
        return [self._artifact(a) for a in sorted(found, key=lambda a: a.id)]

    def artifacts(self, ids: Iterable[int]) -> dict[int, Artifact]:
        """Artifacts by id."""
        wanted = sorted(set(ids))
        found = self._store.get_artifacts_by_id(wanted) if wanted else []
        return {a.id: self._artifact(a) for a in found}

    def executions_of_type(self, name: str) -> list[Execution]:
        """Every execution of a type, oldest first; [] for a type that was never used."""
        if name not in {kind.name for kind in self._store.get_execution_types()}:
            return []
        found = self._store.get_executions_by_type(name)
        return [self._execution(e) for e in sorted(found, key=lambda e: e.id)]

    def executions(self, ids: Iterable[int]) -> dict[int, Execution]:
        """Executions by id."""
        wanted = sorted(set(ids))
        found = self._store.get_executions_by_id(wanted) if wanted else []
        return {e.id: self._execution(e) for e in found}

    def events_of_artifacts(self, ids: Iterable[int]) -> list[Event]:
        """Events of some artifacts, in the order of their ids."""
        wanted = sorted(set(ids))
        return _events(self._store.get_events_by_artifact_ids(wanted) if wanted else [])

    def events_of_executions(self, ids: Iterable[int]) -> list[Event]:
        """Events of some executions, in the order of their ids."""
        wanted = sorted(set(ids))
        return _events(self._store.get_events_by_execution_ids(wanted) if wanted else [])

    def put_execution(
        self,
        type_name: str,
        properties: Mapping[str, int | str],
        inputs: Iterable[int],
        output: tuple[str, Mapping[str, int | str]] | None = None,
    ) -> int:
        """Records a finished execution.

        Args:
            type_name: Its type; made with these properties where it is new.
            properties: Integers and strings.
            inputs: Ids of the artifacts it is about.
            output: Type and properties of an artifact that it made, or None.

        Returns:
            The execution's id.
        """
        kind = self._pb.ExecutionType(name=type_name)
        execution = self._pb.Execution(last_known_state=_COMPLETE)
        self._set(kind, execution, properties)
        execution.type_id = self._store.put_execution_type(
            kind, can_add_fields=True, can_omit_fields=True
        )
        pairs = [
            (artifact, self._pb.Event(type=_INPUT, artifact_id=artifact.id))
            for artifact in self._store.get_artifacts_by_id(sorted(set(inputs)))
        ]
        if output is not None:
            made = self._pb.Artifact(state=self._pb.Artifact.LIVE)
            made_kind = self._pb.ArtifactType(name=output[0])
            self._set(made_kind, made, output[1])
            made.type_id = self._store.put_artifact_type(
                made_kind, can_add_fields=True, can_omit_fields=True
            )
            pairs.append((made, self._pb.Event(type=_OUTPUT)))
        execution_id, _, _ = self._store.put_execution(execution, pairs, [])
        return int(execution_id)

    def named(self, type_name: str, name: str) -> Artifact | None:
        """The artifact of a type that has a name, or None."""
        found = self._store.get_artifact_by_type_and_name(type_name, name)
        return self._artifact(found) if found is not None else None

    def put_facts(self, facts: ExecutionFacts) -> None:
        """Records what a stage made, once: names tell whether it is there. Writes; idempotent."""
        if self._store.get_execution_by_type_and_name(facts.type, facts.name) is not None:
            return
        kind = self._pb.ExecutionType(name=facts.type)
        execution = self._pb.Execution(name=facts.name, last_known_state=_COMPLETE)
        self._set(kind, execution, facts.properties)
        execution.type_id = self._put_type(self._store.put_execution_type, kind)
        pairs = []
        for given in facts.inputs:
            source = self._store.get_artifact_by_type_and_name(given.type, given.name)
            if source is not None:
                pairs.append((source, self._event(_INPUT, given.key)))
        for key, made in facts.outputs:
            known = self._store.get_artifact_by_type_and_name(made.type, made.name)
            pairs.append((known or self._made(made), self._event(_OUTPUT, key)))
        run = self._context(RUN, facts.run_id, {})
        self._store.put_execution(execution, pairs, [run], reuse_context_if_already_exist=True)

    def add_input(self, execution: int, artifact: int, key: str) -> None:
        """Makes an artifact an input of an execution that ended. Writes; idempotent."""
        if not any(
            event.artifact == artifact and not event.is_output
            for event in self.events_of_executions([execution])
        ):
            event = self._event(_INPUT, key)
            event.artifact_id, event.execution_id = artifact, execution
            self._store.put_events([event])

    def note(self, type_name: str, name: str, properties: Mapping[str, int | str]) -> None:
        """Adds custom properties to a context that is there. Writes; idempotent."""
        context = self._store.get_context_by_type_and_name(type_name, name)
        if context is not None:
            for key, value in properties.items():
                _put(context.custom_properties[key], value)
            self._store.put_contexts([context])

    def contexts(self, execution: int) -> list[Context]:
        """The contexts of an execution, such as the run of the pipeline."""
        from ml_metadata import errors

        try:
            found = self._store.get_contexts_by_execution(execution)
        except errors.NotFoundError:  # it has none
            return []
        names = {kind.id: kind.name for kind in self._store.get_context_types()}
        return [Context(names[each.type_id], each.name, _properties(each)) for each in found]

    def has_context(self, type_name: str, name: str) -> bool:
        """Whether there is a context of a type with a name."""
        return self._store.get_context_by_type_and_name(type_name, name) is not None

    def _context(self, type_name: str, name: str, properties: Mapping[str, int | str]) -> Any:
        kind = self._pb.ContextType(name=type_name)
        context = self._pb.Context(name=name)
        self._set(kind, context, properties)
        context.type_id = self._put_type(self._store.put_context_type, kind)
        return context

    def _made(self, facts: ArtifactFacts) -> Any:
        kind = self._pb.ArtifactType(name=facts.type)
        made = self._pb.Artifact(name=facts.name, uri=facts.uri, state=self._pb.Artifact.LIVE)
        self._set(kind, made, facts.properties)
        made.type_id = self._put_type(self._store.put_artifact_type, kind)
        return made

    def _event(self, kind: int, key: str) -> Any:
        step = self._pb.Event.Path.Step(key=key)
        return self._pb.Event(type=kind, path=self._pb.Event.Path(steps=[step]))

    def _put_type(self, put: Callable[..., int], kind: Any) -> int:
        return put(kind, can_add_fields=True, can_omit_fields=True)

    def _set(self, kind: Any, message: Any, properties: Mapping[str, int | str]) -> None:
        for name, value in properties.items():
            kind.properties[name] = self._pb.INT if isinstance(value, int) else self._pb.STRING
            _put(message.properties[name], value)

    def _artifact(self, message: Any) -> Artifact:
        return Artifact(
            message.id,
            self._type_name(True, message),
            message.uri,
            _time(message.create_time_since_epoch),
            _properties(message),
        )

    def _execution(self, message: Any) -> Execution:
        state = self._pb.Execution.State.Name(message.last_known_state)
        return Execution(
            message.id,
            self._type_name(False, message),
            state,
            _time(message.create_time_since_epoch),
            _properties(message),
        )

    def _type_name(self, is_artifact: bool, message: Any) -> str:
        if (is_artifact, message.type_id) not in self._type_names:
            for is_of_artifacts, kinds in (
                (True, self._store.get_artifact_types()),
                (False, self._store.get_execution_types()),
            ):
                self._type_names |= {(is_of_artifacts, kind.id): kind.name for kind in kinds}
        return self._type_names[is_artifact, message.type_id]


def _put(field: Any, value: int | str) -> None:
    if isinstance(value, int):
        field.int_value = value
    else:
        field.string_value = value


def _events(messages: Iterable[Any]) -> list[Event]:
    found = []
    for message in messages:
        if message.type not in _INPUTS | _OUTPUTS:
            continue
        keys = [step.key for step in message.path.steps if step.WhichOneof("value") == "key"]
        found.append(
            Event(
                message.artifact_id,
                message.execution_id,
                message.type in _OUTPUTS,
                keys[0] if keys else "",
            )
        )
    return sorted(found, key=lambda e: (e.execution, e.artifact))


def _properties(message: Any) -> dict[str, Value]:
    found: dict[str, Value] = {}
    for source in (message.properties, message.custom_properties):
        for name, value in sorted(source.items()):
            kind = value.WhichOneof("value")
            if kind in ("int_value", "double_value", "string_value", "bool_value"):
                found[name] = getattr(value, kind)
    return found


def _time(epoch_ms: int) -> str:
    return utc_text(datetime.fromtimestamp(epoch_ms / 1000, timezone.utc))
