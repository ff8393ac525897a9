"""TrainingParameters: training parameters that an orchestrator gives to one run.

A compiled pipeline has this step where its profile lists run-time parameters. The Trainer reads
its output as TFX's own hyperparameters.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from tfx import types
from tfx.dsl.components.base.base_component import BaseComponent
from tfx.dsl.components.base.base_executor import BaseExecutor
from tfx.types import artifact_utils, standard_artifacts
from tfx.utils import io_utils

from tfx_pipeline.components.base import ExecProperties, component_class
from tfx_pipeline.modules.run_time import KEYS, checked

PARAMETERS_FILE = "hyperparameters.txt"


class Executor(BaseExecutor):
    """Checks the values and publishes them."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: ExecProperties,
    ) -> None:
        """Writes the values as JSON.

        Raises:
            UsageError: A value is out of the bounds that the contract's key has.
        """
        uri = artifact_utils.get_single_uri(output_dict["hyperparameters"])
        text = json.dumps(checked(exec_properties), sort_keys=True)
        io_utils.write_string_file(os.path.join(uri, PARAMETERS_FILE), text)


def training_parameters(values: Mapping[str, Any], code_hash: str) -> BaseComponent:
    """A node ``TrainingParameters`` with just these parameters; output ``hyperparameters``.

    Args:
        values: A number, or TFX's RuntimeParameter, by key of ``training``.
        code_hash: Hash of the code of this module.
    """
    kind = component_class(
        "TrainingParameters",
        Executor,
        inputs={},
        outputs={"hyperparameters": standard_artifacts.HyperParameters},
        parameters={name: KEYS[name].type for name in values},
        doc="Publishes training parameters of one run as HyperParameters.",
    )
    return kind(**values, code_hash=code_hash)
