"""Opens the ML Metadata store of a home.

It returns plain dataclasses, so that its readers do not depend on ML Metadata's messages.
``filter_query`` and ``get_lineage_subgraph`` are not used: ml-metadata 1.21 broke both.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, TypeAlias

from goldlake_core.contracts.errors import PermanentError
from goldlake_core.instants import utc_text
from goldlake_core.storage.home import Home

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

    def _set(self, kind: Any, message: Any, properties: Mapping[str, int | str]) -> None:
        for name, value in properties.items():
            if isinstance(value, int):
                kind.properties[name] = self._pb.INT
                message.properties[name].int_value = value
            else:
                kind.properties[name] = self._pb.STRING
                message.properties[name].string_value = value

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
