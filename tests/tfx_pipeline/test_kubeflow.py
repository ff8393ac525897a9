"""The definition compiles for Kubeflow, in the environment that has its compiler."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.tfx_pipeline.toy_export import TOY, write_export

pytestmark = [pytest.mark.tfx, pytest.mark.long]
ROOT = Path(__file__).parent.parent.parent
PYTHON = ROOT / ".venv-kfp" / "bin" / "python"
SCRIPT = """
import dataclasses, sys
from goldlake_core.contracts.registry import load_usecase
from goldlake_core.storage.home import Home
from tfx_pipeline import kubeflow, runner

usecase_folder, home, handoff, output = sys.argv[1:]
usecase = load_usecase(usecase_folder)
model = replace(usecase.models["overdue"], handoff=handoff)
spec = runner._spec(Home.at(home), usecase, model, "toy_harbour/overdue/v3")
spec = replace(spec, baseline_version=4)
kubeflow.compile_for_kubeflow(spec, output, pipeline_root="gs://bucket/root", image="goldlake:1")
"""


@pytest.mark.parametrize("handoff", ["snapshot_example_gen", "csv_example_gen"])
def test_definition_compiles_without_a_path_of_this_machine(tmp_path: Path, handoff: str) -> None:
    if not PYTHON.exists():
        pytest.skip("there is no .venv-kfp; run: make kfp-env")
    write_export(tmp_path)
    output = tmp_path / "pipeline.json"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(
        [str(PYTHON), "-c", SCRIPT, str(TOY), str(tmp_path), handoff, str(output)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    text = output.read_text()
    for place in (ROOT, tmp_path):
        assert str(place) not in text
    job = json.loads(text)
    tasks = job["pipelineSpec"]["root"]["dag"]["tasks"]
    example_gen = "SnapshotExampleGen" if handoff == "snapshot_example_gen" else "CsvExampleGen"
    assert {example_gen, "ValidationStop", "Transform", "Trainer", "Evaluator", "Pusher"} <= set(
        tasks
    )
    assert job["pipelineSpec"]["pipelineInfo"]["name"] == "toy-harbour-overdue"
    assert "ValidationStop" in tasks["Transform"]["dependentTasks"]
