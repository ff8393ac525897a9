"""Which promoted version a candidate is compared with, and what that version learned from."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import posixpath
from collections.abc import Iterable
from typing import Any

from goldlake_core.storage.home import Home
from goldlake_core.storage.model_versions import pushed_versions
from tfx_pipeline.codehash import code_hash
from tfx_pipeline.spec import PipelineSpec

ENTRIES = (
    "tfx_pipeline.pipeline",
    "tfx_pipeline.modules.preprocessing",
    "tfx_pipeline.modules.trainer",
    "tfx_pipeline.evaluation.metrics",
)
"""Modules from which all code of a pipeline is reached: TFX is told the last three by name."""

_EXAMPLES, _STATISTICS, _PUSHED = "Examples", "ExampleStatistics", "PushedModel"


def fingerprint(spec: PipelineSpec) -> str:
    """sha256 of what a candidate is made from: data, contract sections, code; no baseline."""
    made_from = dataclasses.replace(spec, baseline_version=None).to_json()
    text = json.dumps([made_from, code_hash(*ENTRIES)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def baseline_version(home: Home, spec: PipelineSpec, served: int | None) -> int | None:
    """The version to compare with: what serves now, unless that is this very candidate.

    A run on unchanged data and code makes the version that it made before. Compared with itself it
    would say nothing, and nothing would come from TFX's cache; so it is compared with what that
    version was compared with. Read-only.

    Args:
        home: Whose ``models/`` folder.
        spec: What the candidate will be made from.
        served: The version that serves now, or None.
    """
    if served is None:
        return None
    about = pushed_versions(home, spec.usecase, spec.model).get(served)
    if about is None or about.fingerprint != fingerprint(spec):
        return served
    return about.baseline_version


def statistics_folder(store: Any, home: Home, model_id: str, version: int | None) -> str:
    """Folder, inside the home, of the ExampleStatistics behind a pushed model version. Read-only.

    Args:
        store: An open ML Metadata store.
        home: The home.
        model_id: ``usecase.model``.
        version: The promoted version, or None.

    Returns:
        A path relative to the home, or "" where there is no such version or no statistics.
    """
    if version is None:
        return ""
    pushed = _pushed_artifact(store, model_id, version)
    if pushed is None:
        return ""
    for statistics in _statistics_of(store, _ancestors(store, [pushed])):
        if statistics.startswith(home.root + "/"):
            return posixpath.relpath(statistics, home.root)
    return ""


def _pushed_artifact(store: Any, model_id: str, version: int) -> int | None:
    wanted = f"/models/{model_id}/{version}"
    for artifact in sorted(_of_type(store, _PUSHED), key=lambda a: -a.id):
        destination = artifact.custom_properties["pushed_destination"].string_value
        if f"/{destination}".endswith(wanted):
            return int(artifact.id)
    return None


def _of_type(store: Any, name: str) -> list[Any]:
    known = {kind.name for kind in store.get_artifact_types()}
    return list(store.get_artifacts_by_type(name)) if name in known else []


def _ancestors(store: Any, artifacts: Iterable[int]) -> set[int]:
    """Ids of all artifacts that the given ones were made from, over any number of executions."""
    from ml_metadata.proto import metadata_store_pb2

    made = {metadata_store_pb2.Event.OUTPUT, metadata_store_pb2.Event.INTERNAL_OUTPUT}
    seen: set[int] = set()
    fresh = set(artifacts)
    while fresh:
        seen |= fresh
        events = store.get_events_by_artifact_ids(sorted(fresh))
        makers = sorted({event.execution_id for event in events if event.type in made})
        inputs = store.get_events_by_execution_ids(makers) if makers else []
        fresh = {event.artifact_id for event in inputs if event.type not in made} - seen
    return seen


def _statistics_of(store: Any, artifacts: set[int]) -> list[str]:
    """URIs of the statistics that were made from the Examples among the artifacts, newest first."""
    from ml_metadata.proto import metadata_store_pb2

    made = metadata_store_pb2.Event.OUTPUT
    uris: list[str] = []
    examples = {artifact.id for artifact in _of_type(store, _EXAMPLES)} & artifacts
    by_id = {artifact.id: artifact.uri for artifact in _of_type(store, _STATISTICS)}
    if not examples:
        return []
    readers = {
        event.execution_id
        for event in store.get_events_by_artifact_ids(sorted(examples))
        if event.type == metadata_store_pb2.Event.INPUT
    }
    for event in store.get_events_by_execution_ids(sorted(readers)):
        if event.type == made and event.artifact_id in by_id:
            uris.append(by_id[event.artifact_id])
    return sorted(set(uris), reverse=True)
