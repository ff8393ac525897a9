"""Runs written into a real ML Metadata store, as TFX's launcher writes them."""

from __future__ import annotations

import os
from typing import Any

from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2 as pb

from goldlake_core.storage.home import Home

TABLE = "toy.gold.colors"


class Recorder:
    """Writes executions with inputs and outputs by key."""

    def __init__(self, home: Home) -> None:
        os.makedirs(os.path.dirname(home.mlmd), exist_ok=True)
        settings = pb.ConnectionConfig()
        settings.sqlite.filename_uri = home.mlmd
        settings.sqlite.connection_mode = pb.SqliteMetadataSourceConfig.READWRITE_OPENCREATE
        self.store = metadata_store.MetadataStore(settings)

    def run(
        self,
        kind: str,
        inputs: dict[str, int],
        outputs: dict[str, tuple[str, dict[str, Any]]],
        state: str = "COMPLETE",
    ) -> dict[str, int]:
        """One execution; returns the output artifacts' ids by key."""
        execution = pb.Execution(
            type_id=self.store.put_execution_type(pb.ExecutionType(name=kind)),
            last_known_state=pb.Execution.State.Value(state),
        )
        pairs = []
        for key, artifact_id in inputs.items():
            [artifact] = self.store.get_artifacts_by_id([artifact_id])
            pairs.append((artifact, _event(pb.Event.INPUT, key)))
        for key, (type_name, properties) in outputs.items():
            pairs.append((self.artifact(type_name, properties), _event(pb.Event.OUTPUT, key)))
        _, ids, _ = self.store.put_execution(execution, pairs, [])
        return dict(zip(outputs, ids[len(inputs) :], strict=True))

    def again(self, kind: str, inputs: dict[str, int], outputs: dict[str, int]) -> None:
        """An execution answered from the cache: old artifacts as its outputs."""
        execution = pb.Execution(
            type_id=self.store.put_execution_type(pb.ExecutionType(name=kind)),
            last_known_state=pb.Execution.CACHED,
        )
        known = {a.id: a for a in self.store.get_artifacts()}
        pairs = [(known[i], _event(pb.Event.INPUT, key)) for key, i in inputs.items()]
        pairs += [(known[i], _event(pb.Event.OUTPUT, key)) for key, i in outputs.items()]
        self.store.put_execution(execution, pairs, [])

    def artifact(self, type_name: str, properties: dict[str, Any]) -> Any:
        kind = pb.ArtifactType(name=type_name)
        if type_name == "DataSnapshot":
            kind.properties["table"] = pb.STRING
            kind.properties["version"] = pb.INT
        artifact = pb.Artifact(type_id=self.store.put_artifact_type(kind, can_add_fields=True))
        for name, value in properties.items():
            if name == "uri":
                artifact.uri = value
                continue
            place = artifact.properties if name in kind.properties else artifact.custom_properties
            if isinstance(value, int):
                place[name].int_value = value
            else:
                place[name].string_value = value
        return artifact


def record_training(
    recorder: Recorder, table_version: int, model_version: int, baseline: int | None = None
) -> dict[str, int]:
    """A training run from a snapshot to a pushed model; returns artifact ids by name."""
    made = recorder.run(
        "DataSnapshotGen",
        {},
        {"snapshot": ("DataSnapshot", snapshot_properties(table_version))},
    )
    made |= recorder.run(
        "SnapshotExampleGen", {"snapshot": made["snapshot"]}, {"examples": ("Examples", {})}
    )
    made |= recorder.run(
        "tfx.components.trainer.component.Trainer",
        {"examples": made["examples"]},
        {"model": ("Model", {})},
    )
    judged = {"examples": made["examples"], "model": made["model"]}
    if baseline is not None:
        judged["baseline_model"] = baseline
    made |= recorder.run("Evaluator", judged, {"blessing": ("ModelBlessing", {"blessed": 1})})
    made |= recorder.run(
        "Pusher",
        {"model": made["model"], "model_blessing": made["blessing"]},
        {
            "pushed": (
                "PushedModel",
                {
                    "pushed": 1,
                    "version": model_version,
                    "pushed_destination": f"models/toy.color/{model_version}",
                },
            )
        },
    )
    return made


def snapshot_properties(version: int) -> dict[str, Any]:
    return {
        "table": TABLE,
        "version": version,
        "table_uuid": "uuid-1",
        "content_hash": f"hash-of-{version}",
        "as_of": "2016-12-01T00:00:00.000000Z",
        "export_id": f"toy/color/{version}",
        "manifest_sha256": f"sha-of-{version}",
    }


def _event(kind: int, key: str) -> Any:
    event = pb.Event(type=kind)
    event.path.steps.add().key = key
    return event
