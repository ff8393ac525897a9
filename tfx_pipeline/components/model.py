"""TFX components around the model: the one that serves now, the serving check, the pusher.

A leaf that imports TFX; only `nodes` imports it.
"""

from __future__ import annotations

import json
import os

from tfx import types
from tfx.dsl.components.base.base_executor import BaseExecutor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils, standard_artifacts
from tfx.utils import io_utils, path_utils

from goldlake_core.documents import codec
from goldlake_core.storage.home import Home
from goldlake_core.storage.model_versions import (
    EVALUATION_FILE,
    RECIPE_FILE,
    copy_version,
    push_model,
)
from serving import warmup
from tfx_pipeline.components.base import ExecProperties, component_class
from tfx_pipeline.components.blessing import REPORT_FILE as EVALUATION_NAME
from tfx_pipeline.components.blessing import saved_model
from tfx_pipeline.evaluation.evaluation import read_evaluation
from tfx_pipeline.evaluation.serving_check import check_model, sample_rows, warmup_requests
from tfx_pipeline.exports import read_manifest
from tfx_pipeline.heads.registry import HEADS
from tfx_pipeline.spec import FeatureSpec, ServingSpec

REPORT_FILE = "serving_check.json"
SAMPLED_SPLIT = "test"
_Artifacts = dict[str, list[types.Artifact]]


class ServingModelExecutor(BaseExecutor):
    """Publishes the version that serves now as a Model artifact."""

    def Do(
        self, input_dict: _Artifacts, output_dict: _Artifacts, exec_properties: ExecProperties
    ) -> None:
        """Copies the version out of the home.

        Raises:
            PermanentError: The version is not there.
        """
        usecase, model = str(exec_properties["usecase"]), str(exec_properties["model_name"])
        version = int(exec_properties["version"])
        artifact = artifact_utils.get_single_instance(output_dict["model"])
        folder = path_utils.serving_model_dir(artifact.uri)
        copy_version(Home.at(), usecase, model, version, folder)
        artifact.set_int_custom_property("version", version)


class ServingCheckExecutor(BaseExecutor):
    """Publishes whether the candidate serves, as InfraValidator would."""

    def Do(
        self, input_dict: _Artifacts, output_dict: _Artifacts, exec_properties: ExecProperties
    ) -> None:
        """Writes the report; never raises for a model that does not serve.

        For one that serves it records warm-up requests in TF Serving's format; the pusher puts them
        into the version.
        """
        spec = FeatureSpec.from_json(json.loads(str(exec_properties["features"])))
        model = artifact_utils.get_single_instance(input_dict["model"])
        folders = artifact_utils.get_split_uris(input_dict["examples"], SAMPLED_SPLIT)
        rows = sample_rows([io_utils.all_files_pattern(uri) for uri in folders], spec.inputs)
        bounds = ServingSpec.from_json(json.loads(str(exec_properties["bounds"])))
        head = HEADS[spec.head.kind]
        report = check_model(saved_model(model), spec.inputs, rows, bounds, head)
        blessing = artifact_utils.get_single_instance(output_dict["blessing"])
        blessing.set_int_custom_property("blessed", int(report.is_servable))
        blessing.set_string_custom_property("problem", "; ".join(report.problems)[:1000])
        name = "INFRA_BLESSED" if report.is_servable else "INFRA_NOT_BLESSED"
        io_utils.write_string_file(os.path.join(blessing.uri, name), "")
        text = codec.encode(report).decode()
        io_utils.write_string_file(os.path.join(blessing.uri, REPORT_FILE), text)
        if report.is_servable:
            warmup.write(blessing.uri, spec.model_id, warmup_requests(spec.inputs, rows))


class PusherExecutor(BaseExecutor):
    """Pushes a model that `Blessing` and the serving check blessed."""

    def Do(
        self, input_dict: _Artifacts, output_dict: _Artifacts, exec_properties: ExecProperties
    ) -> None:
        """Pushes, or records that it did not; see `pusher` for where and how."""
        model = artifact_utils.get_single_instance(input_dict["model"])
        evaluation = artifact_utils.get_single_instance(input_dict["evaluation"])
        pushed = artifact_utils.get_single_instance(output_dict["pushed_model"])
        blessings = [
            artifact_utils.get_single_instance(input_dict[name])
            for name in ("model_blessing", "infra_blessing")
        ]
        if any(blessing.get_int_custom_property("blessed") != 1 for blessing in blessings):
            pushed.set_int_custom_property("pushed", 0)
            return
        usecase, name = str(exec_properties["usecase"]), str(exec_properties["model_name"])
        export_id = str(exec_properties["export_id"])
        sha256 = str(exec_properties["manifest_sha256"])
        manifest, _ = read_manifest(export_id, sha256)
        about = {
            "model_artifact_id": model.id,
            "export_id": export_id,
            "manifest_sha256": sha256,
            "table": manifest.table,
            "table_uuid": manifest.table_uuid,
            "table_version": manifest.version,
            "content_hash": manifest.content_hash,
            "as_of": manifest.as_of,
            "metrics": read_evaluation(evaluation.uri).metrics,
            "fingerprint": exec_properties["fingerprint"],
            "baseline_version": exec_properties["baseline_version"] or None,
            "why": blessings[0].get_string_custom_property("why") or None,
        }
        home = Home.at()
        infra = artifact_utils.get_single_instance(input_dict["infra_blessing"])
        recipe = os.path.join(pushed.uri, os.path.basename(RECIPE_FILE))
        io_utils.write_string_file(recipe, str(exec_properties["recipe"]))
        extra = {
            warmup.FILE: os.path.join(infra.uri, warmup.FILE),
            EVALUATION_FILE: os.path.join(blessings[0].uri, EVALUATION_NAME),
            RECIPE_FILE: recipe,
        }
        document = push_model(home, usecase, name, saved_model(model), about, extra)
        version = document.version
        pushed.set_int_custom_property("pushed", 1)
        pushed.set_int_custom_property("version", version)
        pushed.set_string_custom_property("pushed_version", str(version))
        destination = home.model(usecase, name, str(version))
        pushed.set_string_custom_property("pushed_destination", destination)
        with fileio.open(os.path.join(pushed.uri, "goldlake.json"), "w") as file:
            file.write(codec.encode(document).decode())


ServingModel = component_class(
    "ServingModel",
    ServingModelExecutor,
    inputs={},
    outputs={"model": standard_artifacts.Model},
    parameters={"usecase": str, "model_name": str, "version": int},
    doc="The version that serves now, as a Model artifact with the property ``version``.",
)

ServingCheck = component_class(
    "ServingCheck",
    ServingCheckExecutor,
    inputs={"model": standard_artifacts.Model, "examples": standard_artifacts.Examples},
    outputs={"blessing": standard_artifacts.InfraBlessing},
    parameters={"features": str, "bounds": str},
    doc="Restores the model as TF Serving does and compares its signatures on test rows.",
)

Pusher = component_class(
    "Pusher",
    PusherExecutor,
    inputs={
        "model": standard_artifacts.Model,
        "evaluation": standard_artifacts.ModelEvaluation,
        "model_blessing": standard_artifacts.ModelBlessing,
        "infra_blessing": standard_artifacts.InfraBlessing,
    },
    outputs={"pushed_model": standard_artifacts.PushedModel},
    parameters={
        "usecase": str,
        "model_name": str,
        "export_id": str,
        "manifest_sha256": str,
        "fingerprint": str,
        "recipe": str,
        "baseline_version": int,
    },
    doc="Pushes a blessed model to the home's next version; properties ``pushed``, ``version``.",
)
