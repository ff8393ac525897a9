"""What the validation gate of the pipeline last looked at for a model. Read-only, without a JVM."""

from __future__ import annotations

import os

import msgspec

from goldlake.workflows import names
from goldlake.workflows.artifact_places import inside
from goldlake_core.contracts.ids import ModelId
from goldlake_core.contracts.sections import SPLITS
from goldlake_core.storage.home import Home
from metadata.store import Store

VERDICT = "ValidationVerdict"


class ValidationView(msgspec.Struct, frozen=True, kw_only=True):
    """A verdict of the pipeline's gate and what it was made from.

    Attributes:
        model: The model, such as ``bikes.is_late``.
        verdict: ``passed`` or ``refused``.
        decided_at: Instant of the verdict, ISO 8601 in UTC.
        folder: Folder of the verdict's document.
        table: Id of the gold table.
        table_version: Version of the gold table.
        as_of: Newest change at the source that the version holds, ISO 8601 in UTC.
        export_id: The export whose rows were judged.
        manifest_sha256: Digest of the export's manifest.
        rows: Number of rows by split.
        statistics: File of TFDV's statistics by split, a ``DatasetFeatureStatisticsList``.
        schema: File of the curated schema, a ``Schema`` of TensorFlow Metadata as text.
    """

    model: str
    verdict: str
    decided_at: str
    folder: str
    table: str
    table_version: int
    as_of: str
    export_id: str
    manifest_sha256: str
    rows: dict[str, int]
    statistics: dict[str, str]
    schema: str


def validation(model: str, home: Home) -> ValidationView:
    """The newest verdict of the pipeline's gate about the data of a model.

    Args:
        model: Such as ``city_bikes.is_late``.
        home: Home that holds it.

    Raises:
        UsageError: No training of the model got as far as its gate.
    """
    wanted = ModelId.parse(model).at(None)
    root = f"/pipelines/{wanted}/"
    is_recorded = home.is_local and os.path.exists(home.mlmd)
    store = Store(home) if is_recorded else None
    verdicts = store.artifacts_of_type(VERDICT) if store else []
    found = [each for each in verdicts if root in each.uri]
    if store is None or not found:
        judged = {each.uri.partition("/pipelines/")[2].partition("/")[0] for each in verdicts}
        problem = f"No data of {wanted} was judged in {home.root}"
        hint = f"goldlake train {wanted}"
        raise names.unknown(problem, str(wanted), sorted(judged), home=home, hint=hint)
    verdict = found[-1]
    made = next(event for event in store.events_of_artifacts([verdict.id]) if event.is_output)
    events = store.events_of_executions([made.execution])
    inputs = {event.key: event.artifact for event in events if not event.is_output}
    artifacts = store.artifacts(inputs.values())
    snapshot = artifacts[inputs["snapshot"]].properties
    statistics = inside(home, artifacts[inputs["statistics"]].uri)
    return ValidationView(
        model=str(wanted),
        verdict=str(verdict.properties["verdict"]),
        decided_at=verdict.created_at,
        folder=inside(home, verdict.uri),
        table=str(snapshot["table"]),
        table_version=int(snapshot["version"]),
        as_of=str(snapshot["as_of"]),
        export_id=str(snapshot["export_id"]),
        manifest_sha256=str(snapshot["manifest_sha256"]),
        rows={split: int(snapshot[f"{split}_rows"]) for split in SPLITS},
        statistics={
            split: os.path.join(statistics, f"Split-{split}", "FeatureStats.pb") for split in SPLITS
        },
        schema=os.path.join(inside(home, artifacts[inputs["schema"]].uri), "schema.pbtxt"),
    )
