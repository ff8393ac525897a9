"""A compiled pipeline runs step by step, each in a process, up to the pushed model."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from goldlake.workflows.compile import _compiled
from goldlake.workflows.kfp_env import kfp_environment
from goldlake.workflows.processes import Run
from goldlake_core.contracts.registry import load_usecase
from goldlake_core.contracts.sections import STEPS
from goldlake_core.documents.compiling import Compiled, CompileRequest
from goldlake_core.storage.home import Home
from serving.loader import load
from tests.kubeflow.orchestrator import Orchestrator
from tests.tfx_pipeline.toy_export import TOY, write_export

pytestmark = [pytest.mark.tfx, pytest.mark.long, pytest.mark.timeout(1800)]
ROOT = Path(__file__).parents[2]
IMAGE = "registry.example.com/harbour:1"
EPOCHS = 7
BIN = Path(sys.executable).parent


@dataclass(frozen=True)
class Made:
    """A compiled pipeline of the toy harbour.

    Attributes:
        home: The home with the export.
        folder: The use case.
        compiled: What the stage said.
        again: What it said when nothing had changed.
    """

    home: Path
    folder: Path
    compiled: Compiled
    again: Compiled

    @property
    def text(self) -> str:
        """The file."""
        return Path(self.compiled.file).read_text(encoding="utf-8")

    @property
    def spec(self) -> dict[str, Any]:
        """The PipelineSpec."""
        loaded: dict[str, Any] = yaml.safe_load(self.text)
        return loaded


def compiled(home: Path, folder: Path, out: Path) -> Compiled:
    run = Run.new(Home.at(str(home)))
    request = run.request(
        CompileRequest,
        str(folder),
        load_usecase(str(folder)),
        model="overdue",
        export_id="toy_harbour/overdue/v3",
        out=str(out),
    )
    return _compiled(run, request, kfp_environment(), lambda event: None)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    root = tmp_path_factory.mktemp("kubeflow")
    home, folder = root / "home", root / "toy_harbour"
    shutil.copytree(TOY, folder, ignore=shutil.ignore_patterns("__pycache__"))
    profile = {
        "image": IMAGE,
        "home": str(home),
        "usecase": str(folder),
        "parameters": ["epochs", "seed"],
        "cpu": 2,
        "memory_gb": 4,
        "steps": {"Trainer": {"cpu": 8, "image": f"{IMAGE}-gpu", "accelerator": "nvidia.com/gpu"}},
    }
    with (folder / "models" / "overdue.yaml").open("a", encoding="utf-8") as file:
        file.write(yaml.safe_dump({"kubeflow": profile}))
    write_export(home, folder=folder)
    out = root / "pipeline.yaml"
    return Made(home, folder, compiled(home, folder, out), compiled(home, folder, out))


@pytest.fixture(scope="module")
def ran(made: Made, tmp_path_factory: pytest.TempPathFactory) -> Orchestrator:
    """All steps of the pipeline, while no version serves."""
    run = Orchestrator(made.spec, tmp_path_factory.mktemp("artifacts"), {"epochs": EPOCHS})
    run.run()
    return run


def containers(spec: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Container by step."""
    executors = spec["deploymentSpec"]["executors"]
    return {
        name: executors[component["executorLabel"]]["container"]
        for name, component in spec["components"].items()
    }


def test_the_file_has_the_profile_and_no_path_of_this_machine(made: Made) -> None:
    assert made.compiled.is_changed
    assert made.compiled.pipeline == made.spec["pipelineInfo"]["name"] == "toy-harbour-overdue"
    assert made.compiled.steps == tuple(step for step in STEPS if step in made.compiled.steps)
    found = containers(made.spec)
    assert {name: each["image"] for name, each in found.items()} == {
        name: f"{IMAGE}-gpu" if name == "Trainer" else IMAGE for name in made.compiled.steps
    }
    assert found["Trainer"]["resources"]["cpuLimit"] == 8
    assert found["Trainer"]["resources"]["accelerator"]["type"] == "nvidia.com/gpu"
    assert found["Transform"]["resources"] == {"cpuLimit": 2, "memoryLimit": 4}
    outside = made.text.replace(str(made.home), "").replace(str(made.folder), "")
    assert str(ROOT) not in outside
    assert str(made.home.parent) not in outside


def test_the_cache_key_of_stock_components_holds_the_code(made: Made) -> None:
    found = containers(made.spec)
    for name in ("StatisticsGen", "SchemaGen", "ExampleValidator", "Transform", "Evaluator"):
        hashed = [each for each in found[name]["args"] if each.startswith("--code_hash=")]
        given = made.spec["root"]["dag"]["tasks"][name]["inputs"]["parameters"]
        assert hashed or "code_hash" in str(given), name


def test_the_same_definition_gives_the_same_bytes(made: Made) -> None:
    assert not made.again.is_changed
    data = Path(made.compiled.file).read_bytes()
    assert made.again.sha256 == made.compiled.sha256 == hashlib.sha256(data).hexdigest()


def test_each_step_runs_with_what_the_one_before_wrote(made: Made, ran: Orchestrator) -> None:
    assert set(ran.ran) == set(made.compiled.steps)
    (parameters,) = ran.artifacts["TrainingParameters", "hyperparameters"]
    given = json.loads(next(Path(parameters["uri"]).iterdir()).read_text(encoding="utf-8"))
    assert given == {"epochs": EPOCHS, "seed": 3}
    (pushed,) = ran.artifacts["Pusher", "pushed_model"]
    assert pushed["metadata"]["pushed"] == pushed["metadata"]["version"] == 1
    folder = made.home / "models" / "toy_harbour.overdue" / "1"
    text = (folder / "assets.extra" / "evaluation.json").read_text(encoding="utf-8")
    bounds = {each["metric"]: each["value"] for each in json.loads(text)["thresholds"]}
    assert bounds["auc"] > 0.6
    # Loading asks the warm-up requests.
    load(str(folder)).close()


def test_a_later_candidate_is_compared_with_the_version_that_serves(
    made: Made, ran: Orchestrator, tmp_path: Path
) -> None:
    promoted = subprocess.run(
        [BIN / "goldlake", "promote", "toy_harbour.overdue@1", "--home", made.home, "--wait", "0"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert promoted.returncode == 0, promoted.stderr
    later = compiled(made.home, made.folder, tmp_path / "later.yaml")
    assert later.baseline_version == 1
    spec = yaml.safe_load(Path(later.file).read_text(encoding="utf-8"))
    run = Orchestrator(spec, tmp_path / "artifacts", {"epochs": EPOCHS}, earlier=ran)
    run.run()
    assert {"Transform", "Trainer"} <= run.cached
    assert {"ServingModel", "Evaluator", "Blessing", "Pusher"} <= set(run.ran) - run.cached
    (blessing,) = run.artifacts["Blessing", "blessing"]
    assert blessing["metadata"]["blessed"] == 1
    assert "no version served" not in blessing["metadata"]["why"]
    (pushed,) = run.artifacts["Pusher", "pushed_model"]
    assert pushed["metadata"]["pushed"] == 1
    assert pushed["metadata"]["version"] == 2
