"""Candidates that their evaluation refused, as ML Metadata has them. Read-only."""

from __future__ import annotations

import os

from goldlake_core.documents.reports import Refusal
from goldlake_core.storage.home import Home
from metadata.store import Artifact, Store

BLESSING = "ModelBlessing"
EVALUATION_NAME = "evaluation.json"


def refusals(home: Home) -> dict[str, list[Refusal]]:
    """Every refused candidate by model, the newest first; {} where nothing is recorded.

    What TFX's Evaluator refused by itself is not among them: its artifacts do not say why.
    """
    if not home.is_local or not os.path.exists(home.mlmd):
        return {}
    found: dict[str, list[Refusal]] = {}
    for artifact in reversed(Store(home).artifacts_of_type(BLESSING)):
        properties = artifact.properties
        if properties.get("blessed") == 0 and "reasons" in properties:
            found.setdefault(str(properties.get("model", "")), []).append(_refusal(artifact))
    return found


def _refusal(artifact: Artifact) -> Refusal:
    version = artifact.properties.get("baseline_version")
    return Refusal(
        artifact=artifact.id,
        time=artifact.created_at,
        baseline_version=int(version) if version is not None else None,
        reasons=tuple(str(artifact.properties["reasons"]).split("\n")),
        evaluation=os.path.join(artifact.uri, EVALUATION_NAME),
    )
