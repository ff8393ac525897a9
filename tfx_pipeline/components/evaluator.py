"""TFX's Evaluator, which asks each model once: its answers also serve the node that blesses.

A leaf that imports TFX and TFMA; only `model_nodes` imports it.
"""

from __future__ import annotations

import os

import tensorflow_model_analysis as tfma
from tfx import types
from tfx.components.evaluator import constants
from tfx.components.evaluator import executor as stock
from tfx.dsl.io import fileio
from tfx.types import artifact_utils
from tfx.utils import io_utils, json_utils, path_utils, proto_utils

from tfx_pipeline.components.base import ExecProperties
from tfx_pipeline.evaluation import by_slice
from tfx_pipeline.evaluation.answers import answers_of
from tfx_pipeline.evaluation.answers_file import ANSWERS_FILE, decoded, encoded
from tfx_pipeline.evaluation.slices import Answers

_Artifacts = dict[str, list[types.Artifact]]


class Executor(stock.Executor):  # type: ignore[misc]
    """Evaluates on answers where these are enough, and as TFX does for any other EvalConfig."""

    def Do(
        self, input_dict: _Artifacts, output_dict: _Artifacts, exec_properties: ExecProperties
    ) -> None:
        """Writes TFMA's results and verdict, and the models' answers beside them."""
        config = tfma.EvalConfig()
        proto_utils.json_to_proto(str(exec_properties["eval_config"]), config)
        has_baseline = bool(input_dict.get("baseline_model"))
        config = tfma.utils.update_eval_config_with_defaults(
            config, has_baseline=has_baseline, rubber_stamp=True
        )
        asked = by_slice.asked_by(config)
        thresholds = tfma.metrics.metric_thresholds_from_metrics_specs(
            config.metrics_specs, eval_config=config
        )
        if asked is None or not thresholds:
            super().Do(input_dict, output_dict, exec_properties)
            return
        tfma.utils.verify_eval_config(config)
        folders = {spec.name: _folder(input_dict, spec.is_baseline) for spec in config.model_specs}
        splits = json_utils.loads(str(exec_properties["example_splits"]))
        uris = [
            uri
            for split in splits
            for uri in artifact_utils.get_split_uris(input_dict["examples"], split)
        ]
        baseline = [folders[spec.name] for spec in config.model_specs if spec.is_baseline]
        candidate = [folders[spec.name] for spec in config.model_specs if not spec.is_baseline]
        answers = answers_of(
            [io_utils.all_files_pattern(uri) for uri in uris], asked, *candidate, *baseline
        )
        output = artifact_utils.get_single_uri(output_dict["evaluation"])
        models = [
            tfma.default_eval_shared_model(folder, model_name=name, eval_config=config)
            for name, folder in folders.items()
        ]
        with self._make_beam_pipeline() as pipeline:
            by_slice.analyze(pipeline, answers, config, models, output)
        with fileio.open(os.path.join(output, ANSWERS_FILE), "wb") as file:
            file.write(encoded(answers))
        _publish(input_dict, output_dict, tfma.load_validation_result(output).validation_ok)


def read_answers(uri: str) -> Answers | None:
    """The answers beside an evaluation, or None where TFMA asked the models. Read-only.

    Args:
        uri: Location of the ModelEvaluation artifact.

    Raises:
        StoreError: The file is damaged.
    """
    name = os.path.join(uri, ANSWERS_FILE)
    if not fileio.exists(name):
        return None
    with fileio.open(name, "rb") as file:
        return decoded(file.read(), name)


def _folder(inputs: _Artifacts, is_baseline: bool) -> str:
    """Folder of the SavedModel of the candidate, or of the model that serves."""
    model = artifact_utils.get_single_instance(inputs["baseline_model" if is_baseline else "model"])
    return str(path_utils.serving_model_path(model.uri, path_utils.is_old_model_artifact(model)))


def _publish(inputs: _Artifacts, outputs: _Artifacts, is_blessed: bool) -> None:
    """Sets what the stock executor sets on the ModelBlessing artifact."""
    blessing = artifact_utils.get_single_instance(outputs["blessing"])
    models: dict[str, str | int] = {
        constants.ARTIFACT_PROPERTY_CURRENT_MODEL_URI_KEY: inputs["model"][0].uri,
        constants.ARTIFACT_PROPERTY_CURRENT_MODEL_ID_KEY: inputs["model"][0].id,
    }
    if inputs.get("baseline_model"):
        served = inputs["baseline_model"][0]
        models[constants.ARTIFACT_PROPERTY_BASELINE_MODEL_URI_KEY] = served.uri
        models[constants.ARTIFACT_PROPERTY_BASELINE_MODEL_ID_KEY] = served.id
    for name, value in models.items():
        if isinstance(value, int):
            blessing.set_int_custom_property(name, value)
        else:
            blessing.set_string_custom_property(name, value)
    value = constants.BLESSED_VALUE if is_blessed else constants.NOT_BLESSED_VALUE
    blessing.set_int_custom_property(constants.ARTIFACT_PROPERTY_BLESSED_KEY, value)
    name = constants.BLESSED_FILE_NAME if is_blessed else constants.NOT_BLESSED_FILE_NAME
    io_utils.write_string_file(os.path.join(blessing.uri, name), "")
