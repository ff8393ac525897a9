"""Blessing: whether a candidate is blessed, by its bounds and by every slice, with the reasons.

A leaf that imports TFX; only `nodes` imports it.
"""

from __future__ import annotations

import json
import os
from typing import Any

from tfx import types
from tfx.dsl.components.base.base_executor import BaseExecutor
from tfx.types import artifact_utils, standard_artifacts
from tfx.utils import io_utils, path_utils

from goldlake_core.documents import codec
from goldlake_core.documents.evaluation import EvaluationReport
from tfx_pipeline.components.base import ExecProperties, component_class
from tfx_pipeline.components.evaluator import read_answers
from tfx_pipeline.evaluation.answers import answers_of
from tfx_pipeline.evaluation.blessing import judge
from tfx_pipeline.evaluation.evaluation import failed_validations
from tfx_pipeline.spec import EvaluationSpec

REPORT_FILE = "evaluation.json"
EVALUATED_SPLIT = "test"
_LONGEST = 4000
"""Characters of a property in ML Metadata; the file has all of them."""


class BlessingExecutor(BaseExecutor):
    """Judges by what the candidate and the model that serves answer to the test split.

    The Evaluator has asked them. Where it left that to TFMA, they are asked here.
    """

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: ExecProperties,
    ) -> None:
        """Writes ``evaluation.json``; never raises for a model that is not blessed.

        The artifact has the property ``blessed`` that TFX's Evaluator sets, and says why. What TFMA
        alone refuses, such as a bound of the contract's own ``eval_config``, is a reason, too.
        """
        spec = EvaluationSpec.from_json(json.loads(str(exec_properties["spec"])))
        served = input_dict.get("baseline_model") or []
        version = served[0].get_int_custom_property("version") if served else None
        evaluation = artifact_utils.get_single_instance(input_dict["evaluation"])
        answers = read_answers(evaluation.uri)
        slicing = {name for names in spec.slices for name in names}
        # An eval_config of the contract's own may have other slices.
        if answers is None or not slicing <= answers.values.keys():
            folders = artifact_utils.get_split_uris(input_dict["examples"], EVALUATED_SPLIT)
            answers = answers_of(
                [io_utils.all_files_pattern(uri) for uri in folders],
                spec,
                saved_model(artifact_utils.get_single_instance(input_dict["model"])),
                saved_model(served[0]) if served else None,
            )
        verdict = artifact_utils.get_single_instance(input_dict["verdict"])
        is_refused = verdict.get_int_custom_property("blessed") != 1
        report = judge(
            spec,
            answers,
            rows=int(exec_properties["rows"]),
            baseline_version=version,
            not_compared=str(exec_properties["not_compared"]),
            others=failed_validations(evaluation.uri) if is_refused else (),
        )
        blessing = artifact_utils.get_single_instance(output_dict["blessing"])
        publish(report, blessing)


def publish(report: EvaluationReport, blessing: Any) -> None:
    """Writes a report into a ModelBlessing artifact, and its verdict into its properties."""
    blessing.set_int_custom_property("blessed", int(report.blessed))
    blessing.set_string_custom_property("model", report.model)
    blessing.set_string_custom_property("why", report.why[:_LONGEST])
    blessing.set_string_custom_property(
        "reasons", "\n".join(map(_one_line, report.reasons))[:_LONGEST]
    )
    if report.baseline_version is not None:
        blessing.set_int_custom_property("baseline_version", report.baseline_version)
    name = "BLESSED" if report.blessed else "NOT_BLESSED"
    io_utils.write_string_file(os.path.join(blessing.uri, name), "")
    text = codec.encode(report).decode()
    io_utils.write_string_file(os.path.join(blessing.uri, REPORT_FILE), text)


def _one_line(text: str) -> str:
    """A reason that names a value of the data, without that value's line breaks."""
    return " ".join(text.split())


def read_report(uri: str) -> EvaluationReport:
    """Reads the report of a ModelBlessing artifact; read-only.

    Raises:
        StoreError: The file does not hold what it should.
    """
    file = os.path.join(uri, REPORT_FILE)
    return codec.decode(io_utils.read_string_file(file).encode(), EvaluationReport, file)


def saved_model(model: types.Artifact) -> str:
    """Folder of the SavedModel of a Model artifact."""
    return path_utils.serving_model_path(model.uri, path_utils.is_old_model_artifact(model))


Blessing = component_class(
    "Blessing",
    BlessingExecutor,
    inputs={
        "model": standard_artifacts.Model,
        "baseline_model": standard_artifacts.Model,
        "examples": standard_artifacts.Examples,
        "evaluation": standard_artifacts.ModelEvaluation,
        "verdict": standard_artifacts.ModelBlessing,
    },
    optional={"baseline_model"},
    outputs={"blessing": standard_artifacts.ModelBlessing},
    parameters={"spec": str, "rows": int, "not_compared": str},
    doc="Judges a candidate by its bounds and slices, and says why; property ``blessed``.",
)
