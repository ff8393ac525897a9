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
import sys
from msgspec.structs import replace
from goldlake_core.contracts.registry import load_usecase
from goldlake_core.storage.home import Home
from tfx_pipeline.exports import read_manifest
from tfx_pipeline.kubeflow import compile_for_kubeflow
from tfx_pipeline.spec import pipeline_spec

usecase_folder, home, handoff, output = sys.argv[1:]
usecase = load_usecase(usecase_folder)
model = replace(usecase.models["overdue"], handoff=handoff)
export_id = "toy_harbour/overdue/v3"
manifest, sha256 = read_manifest(export_id, home=Home.at(home))
spec = pipeline_spec(
    usecase, model, manifest, export_id=export_id, manifest_sha256=sha256, baseline_version=4
)
compile_for_kubeflow(spec, output, pipeline_root="gs://bucket/root", image="goldlake:1")
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
