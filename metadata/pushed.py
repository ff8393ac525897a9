"""Pushed models in ML Metadata: which artifact is which version of which model."""

from __future__ import annotations

from goldlake_core.contracts.ids import ModelId
from metadata.store import Artifact, Store

PUSHED_MODEL = "PushedModel"


def pushed_model_id(artifact: Artifact) -> ModelId | None:
    """Returns the model version of a PushedModel artifact, or None if nothing was pushed.

    The model's name is the property ``model``, or the folder that its version was pushed into.
    """
    version = artifact.properties.get("version")
    if not isinstance(version, int) or artifact.properties.get("pushed") == 0:
        return None
    destination = str(artifact.properties.get("pushed_destination", ""))
    name = str(artifact.properties.get("model") or _folder(destination))
    usecase, _, model = name.rpartition(".")
    return ModelId(usecase, model, version) if usecase and model else None


def pushed_models(store: Store, model: ModelId) -> dict[int, list[Artifact]]:
    """Artifacts by version, ascending. The same model pushed again is another artifact.

    Args:
        store: The store to read.
        model: Which model; a version in it narrows the answer.
    """
    found: dict[int, list[Artifact]] = {}
    for artifact in store.artifacts_of_type(PUSHED_MODEL):
        known = pushed_model_id(artifact)
        if known is None or known.version is None or known.at(None) != model.at(None):
            continue
        if model.version in (None, known.version):
            found.setdefault(known.version, []).append(artifact)
    return dict(sorted(found.items()))


def _folder(destination: str) -> str:
    parts = destination.rstrip("/").split("/")
    return parts[-2] if len(parts) > 1 else ""
