"""Runs a compiled pipeline as Kubeflow Pipelines does: one process for each step.

It resolves the PipelineSpec like the driver and the launcher of open-source Kubeflow Pipelines:
input artifacts come without their type, with a number as name, and with the metadata that the step
before wrote; output artifacts have a type and a folder.
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

Json = dict[str, Any]
INPUT = "{{$}}"


class StepFailed(Exception):
    """The process of a step ended with an error."""


@dataclass
class Orchestrator:
    """One run of a compiled pipeline.

    Attributes:
        spec: The PipelineSpec.
        root: Folder of the run's artifacts.
        parameters: Values of this run by run-time parameter; others have their default.
        earlier: A run whose steps are taken over where nothing changed, as by Kubeflow's cache.
        artifacts: What steps wrote, by step and output.
        ran: Steps that ended well, in order.
        cached: Steps that were taken over.
    """

    spec: Json
    root: Path
    parameters: Mapping[str, float]
    earlier: Orchestrator | None = None
    artifacts: dict[tuple[str, str], list[Json]] = field(default_factory=dict)
    ran: list[str] = field(default_factory=list)
    cached: set[str] = field(default_factory=set)
    _ids: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def definition(self, name: str) -> tuple[Json, Json, Json]:
        """Task, component and container of a step; all empty where there is no such step."""
        task = self.spec["root"]["dag"]["tasks"].get(name)
        if task is None:
            return {}, {}, {}
        component = self.spec["components"][task["componentRef"]["name"]]
        executor = self.spec["deploymentSpec"]["executors"][component["executorLabel"]]
        return task, component, executor["container"]

    def run(self) -> None:
        """Runs every step after those that it depends on.

        Raises:
            StepFailed: A step ended with an error; later ones did not run.
        """
        left = dict(self.spec["root"]["dag"]["tasks"])
        while left:
            ready = [
                name
                for name, task in left.items()
                if set(task.get("dependentTasks", ())) <= set(self.ran)
            ]
            assert ready, f"nothing can run of {sorted(left)}"
            for name in ready:
                del left[name]
                if not self._take_over(name):
                    self._run_step(name)
                self.ran.append(name)

    def _take_over(self, name: str) -> bool:
        """Whether the earlier run had the same step with the same inputs; takes its outputs."""
        before = self.earlier
        inputs = set(self.definition(name)[0].get("dependentTasks", ()))
        if before is None or before.parameters != self.parameters or not inputs <= self.cached:
            return False
        if before.definition(name) != self.definition(name):
            return False
        self.artifacts.update({key: v for key, v in before.artifacts.items() if key[0] == name})
        self.cached.add(name)
        return True

    def _run_step(self, name: str) -> None:
        task, component, container = self.definition(name)
        folder = self.root / name
        folder.mkdir(parents=True)
        given = self._input(name, task, component)
        arguments = [json.dumps(given) if each == INPUT else each for each in container["args"]]
        assert not any("{{$" in each for each in arguments if each != json.dumps(given))
        env = {each["name"]: each["value"] for each in container["env"]}
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        with (folder / "log").open("w", encoding="utf-8") as log:
            done = subprocess.run(
                [*container["command"], *arguments],
                cwd=folder,
                env={"PATH": path, "HOME": str(self.root), **env},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                check=False,
            )
        if done.returncode:
            end = (folder / "log").read_text(encoding="utf-8")[-3000:]
            raise StepFailed(f"{name} ended with {done.returncode}: {end}")
        self._publish(name, given["outputs"])

    def _input(self, name: str, task: Json, component: Json) -> Json:
        """The ExecutorInput of a step."""
        inputs = task.get("inputs", {})
        artifacts = {
            key: {"artifacts": self._artifacts_of(each["taskOutputArtifact"])}
            for key, each in inputs.get("artifacts", {}).items()
        }
        values = {key: self._value(each) for key, each in inputs.get("parameters", {}).items()}
        outputs = {}
        declared = component.get("outputDefinitions", {}).get("artifacts", {})
        for key, definition in declared.items():
            place = self.root / name / "out" / key
            is_file = _title(definition["artifactType"]) == "tfx.String"
            (place.parent if is_file else place).mkdir(parents=True, exist_ok=True)
            outputs[key] = {
                "artifacts": [{"name": key, "uri": str(place), "type": definition["artifactType"]}]
            }
        return {
            "inputs": {"artifacts": artifacts, "parameterValues": values},
            "outputs": {
                "artifacts": outputs,
                "outputFile": str(self.root / name / "executor_output.json"),
            },
        }

    def _artifacts_of(self, source: Json) -> list[Json]:
        written = self.artifacts[source["producerTask"], source["outputArtifactKey"]]
        assert all("type" not in each for each in written)
        return written

    def _value(self, parameter: Json) -> Any:
        if "componentInputParameter" in parameter:
            name = parameter["componentInputParameter"]
            declared = self.spec["root"]["inputDefinitions"]["parameters"][name]
            return self.parameters.get(name, declared["defaultValue"])
        return parameter["runtimeValue"]["constant"]

    def _publish(self, name: str, outputs: Json) -> None:
        written = json.loads(Path(outputs["outputFile"]).read_text(encoding="utf-8"))
        for key, prepared in outputs["artifacts"].items():
            found = written.get("artifacts", {}).get(key, prepared)["artifacts"]
            self.artifacts[name, key] = [
                {
                    "name": str(next(self._ids)),
                    "uri": each["uri"],
                    "metadata": each.get("metadata", {}),
                }
                for each in found
            ]


def _title(artifact_type: Json) -> str:
    """Name of an artifact type."""
    if "schemaTitle" in artifact_type:
        return str(artifact_type["schemaTitle"])
    return str(yaml.safe_load(artifact_type["instanceSchema"])["title"])
