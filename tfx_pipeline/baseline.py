"""Which promoted version a candidate is compared with, and that version's statistics."""

from __future__ import annotations

import hashlib
import json
import os
import posixpath
from collections.abc import Iterable

from goldlake_core.contracts.errors import StoreError
from goldlake_core.contracts.ids import ModelId
from goldlake_core.storage.home import Home
from goldlake_core.storage.model_versions import pushed_versions
from metadata.pushed import pushed_models
from metadata.store import Store
from metadata.walk import backwards, made_directly
from tfx_pipeline.codehash import code_hash
from tfx_pipeline.recipe import read_recipe
from tfx_pipeline.spec import ColumnSpec, PipelineSpec

ENTRIES = (
    "tfx_pipeline.pipeline",
    "tfx_pipeline.modules.preprocessing",
    "tfx_pipeline.modules.trainer",
    "tfx_pipeline.evaluation.metrics",
)
"""Modules from which all code of a pipeline is reached: TFX finds the last three by name."""

_EXAMPLES, _STATISTICS = "Examples", "ExampleStatistics"


def fingerprint(spec: PipelineSpec, run_time: Iterable[str] = ()) -> str:
    """sha256 of what a candidate is made from: data, contract sections, code; no baseline.

    Args:
        spec: The model and the export.
        run_time: Keys of ``training`` whose values come with a run. Such a candidate never counts
            as one that was made from the contract's own values.
    """
    given = [sorted(run_time)] if run_time else []
    text = json.dumps([spec.alone().to_json(), code_hash(*ENTRIES), *given], sort_keys=True)
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


def not_compared(home: Home, spec: PipelineSpec) -> str:
    """Why the version that serves cannot be asked about the candidate's test rows. Read-only.

    A model that gets no value of a column that it reads answers worse than it does, or not at all.

    Args:
        home: Whose ``models/`` folder.
        spec: What the candidate will be made from; it names the version that serves.

    Returns:
        What keeps them apart, or "" where they can be compared, where nothing serves, and where it
        is not known what that version reads: an earlier goldlake pushed it.
    """
    if spec.baseline_version is None:
        return ""
    try:
        _, served = read_recipe(home, spec.usecase, spec.model, spec.baseline_version)
    except StoreError:
        return ""
    before, now = served.features, spec.features
    if (before.label, before.head.kind) != (now.label, now.head.kind):
        return (
            f"it answers another question: {before.label} with the head {before.head.kind}, not "
            f"{now.label} with {now.head.kind}"
        )
    held = {column.name: column for column in spec.columns}
    missing = [_missing(column, held.get(column.name)) for column in before.inputs]
    found = [each for each in missing if each]
    return f"it reads {'; '.join(found)}" if found else ""


def _missing(wanted: ColumnSpec, held: ColumnSpec | None) -> str:
    """What an export lacks of a column that a model reads, or ""."""
    if held is None:
        return f"{wanted.name}, which the export does not have"
    if held.type != wanted.type:
        return f"{wanted.name} as {wanted.type}, which is {held.type} in the export"
    if held.nullable and not wanted.nullable:
        return f"{wanted.name} in each row, which may be missing in the export"
    return ""


def drift_version(home: Home, spec: PipelineSpec) -> int | None:
    """The version whose data the candidate's are compared with: the last one with other data.

    What serves may have learned from this very export. Its distance to itself would say nothing,
    and as the verdict is an input of the Trainer, an edited bound would train again. Read-only.

    Args:
        home: Whose ``models/`` folder.
        spec: What the candidate will be made from, with the version that serves.
    """
    versions = pushed_versions(home, spec.usecase, spec.model)
    version = spec.baseline_version
    while version is not None:
        about = versions.get(version)
        if about is None or about.manifest_sha256 != spec.manifest_sha256:
            return version
        # A version was compared with one that was there before it.
        earlier = about.baseline_version
        version = earlier if earlier is not None and earlier < version else None
    return None


def drift_statistics(home: Home, spec: PipelineSpec) -> str:
    """The statistics that drift is measured against; see `statistics_folder`. Read-only.

    Args:
        home: The home whose metadata is read.
        spec: What the candidate will be made from, with the version that serves.
    """
    return statistics_folder(home, ModelId(spec.usecase, spec.model, drift_version(home, spec)))


def statistics_folder(home: Home, model: ModelId) -> str:
    """Returns where the statistics of a pushed version's Examples are, inside the home. Read-only.

    Args:
        home: The home whose metadata is read.
        model: The promoted version; without a version there is nothing to compare with.

    Returns:
        A path relative to the home, or "" where there is no such version or no statistics.
    """
    if model.version is None or not os.path.exists(home.mlmd):
        return ""
    store = Store(home)
    pushed = pushed_models(store, model).get(model.version, [])
    # The same version pushed again is another artifact; the newest one counts.
    ancestors = store.artifacts(backwards(store, pushed[-1:]).artifacts).values()
    examples = [artifact for artifact in ancestors if artifact.type == _EXAMPLES]
    for statistics in made_directly(store, examples, _STATISTICS):
        if statistics.uri.startswith(home.root + "/"):
            return posixpath.relpath(statistics.uri, home.root)
    return ""
