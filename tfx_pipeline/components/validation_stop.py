"""ValidationStop: ends the run when the verdict is "refused". What trains a model depends on it."""

from __future__ import annotations

from tfx import types
from tfx.dsl.components.base.base_executor import BaseExecutor
from tfx.types import artifact_utils

from goldlake_core.contracts.errors import GateRefused
from tfx_pipeline.components.base import ExecProperties, component_class
from tfx_pipeline.components.validation_verdict import (
    ERROR,
    REFUSED,
    ValidationVerdict,
    Verdict,
    read_verdict,
)


class Executor(BaseExecutor):
    """Reads the verdict; writes nothing."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: ExecProperties,
    ) -> None:
        """Returns when the data may train a model.

        Raises:
            GateRefused: It may not; the message lists the anomalies.
        """
        verdict = artifact_utils.get_single_instance(input_dict["verdict"])
        if verdict.verdict == REFUSED:
            raise GateRefused(refusal(read_verdict(verdict.uri)))


ValidationStop = component_class(
    "ValidationStop",
    Executor,
    inputs={"verdict": ValidationVerdict},
    outputs={},
    parameters={},
    doc="Fails when its `ValidationVerdict` is refused.",
)


def refusal(verdict: Verdict) -> str:
    """One sentence that names every anomaly's column, split and description."""
    errors = [anomaly for anomaly in verdict.anomalies if anomaly.severity == ERROR]
    listed = "; ".join(
        f"{a.column or 'the data set'} ({a.split}, {a.kind}): {a.description.rstrip('. ')}"
        for a in errors
    )
    return f"The data was refused for {len(errors)} anomalies: {listed}"
