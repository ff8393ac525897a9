"""DataSnapshot: the first node, which pins a run to the exact rows of one table version."""

from __future__ import annotations

import os

from tfx import types
from tfx.dsl.components.base.base_executor import BaseExecutor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils, standard_artifacts
from tfx.types.artifact import Property, PropertyType

from goldlake_core.contracts.errors import StoreError
from goldlake_core.contracts.sections import SPLITS
from goldlake_core.documents import codec
from goldlake_core.documents.export import ExportManifest
from tfx_pipeline.components.base import ExecProperties, component_class
from tfx_pipeline.exports import export_uri, read_manifest, verify_parts

MANIFEST_FILE = "manifest.json"
_STRING, _INT = Property(type=PropertyType.STRING), Property(type=PropertyType.INT)


class DataSnapshot(types.Artifact):
    """A gold table at one version, as the export that was verified; holds a copy of its manifest.

    Properties: ``table`` (``usecase.gold.NAME``), ``table_uuid`` (Delta table id), ``version``,
    ``content_hash`` (of the rows), ``as_of`` (UTC), ``export_id``, ``manifest_sha256``, and the
    rows per split.
    """

    TYPE_NAME = "DataSnapshot"
    PROPERTIES = {
        "table": _STRING,
        "table_uuid": _STRING,
        "version": _INT,
        "content_hash": _STRING,
        "as_of": _STRING,
        "export_id": _STRING,
        "manifest_sha256": _STRING,
        "train_rows": _INT,
        "eval_rows": _INT,
        "test_rows": _INT,
    }


class Executor(BaseExecutor):
    """Verifies the export against its manifest and publishes it as a snapshot."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: ExecProperties,
    ) -> None:
        """Writes the snapshot and the export's URI (for components that read files themselves).

        Raises:
            StoreError: The export is gone, was changed, or belongs to another table version.
        """
        export_id = str(exec_properties["export_id"])
        sha256 = str(exec_properties["manifest_sha256"])
        manifest, _ = read_manifest(export_id, sha256)
        verify_parts(export_id, manifest)
        for split in SPLITS:
            part = manifest.splits[split]
            listed = sum(p.rows for p in part.parts)
            if listed != part.rows:
                raise StoreError(
                    f"The manifest of export {export_id!r} says {part.rows} rows in split "
                    f"{split!r}, and {listed} in its parts"
                )
        snapshot = artifact_utils.get_single_instance(output_dict["snapshot"])
        for name in ("table", "table_uuid", "version", "content_hash", "as_of"):
            setattr(snapshot, name, getattr(manifest, name))
        snapshot.export_id = export_id
        snapshot.manifest_sha256 = sha256
        for split in SPLITS:
            setattr(snapshot, f"{split}_rows", manifest.splits[split].rows)
        with fileio.open(os.path.join(snapshot.uri, MANIFEST_FILE), "w") as file:
            file.write(codec.encode(manifest).decode())
        artifact_utils.get_single_instance(output_dict["export_uri"]).value = export_uri(export_id)


DataSnapshotGen = component_class(
    "DataSnapshotGen",
    Executor,
    inputs={},
    outputs={"snapshot": DataSnapshot, "export_uri": standard_artifacts.String},
    parameters={"export_id": str, "manifest_sha256": str},
    doc="Publishes a `DataSnapshot` for the export that ``export_id`` names inside the home.",
)


def manifest_of(snapshot: types.Artifact) -> ExportManifest:
    """The manifest a snapshot was verified against."""
    name = os.path.join(snapshot.uri, MANIFEST_FILE)
    with fileio.open(name, "rb") as file:
        return codec.decode(file.read(), ExportManifest, name)
