"""Versions of a home in a real MLflow server, read back by MLflow's own client."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

import goldlake
from goldlake.workflows import relocate
from goldlake.workflows.mlflow import copy_to_mlflow
from goldlake_core.storage.home import Home
from goldlake_core.storage.model_versions import ABOUT_FILE
from metadata.mlflow import Mlflow
from serving import config
from tests.end_to_end.commands import goldlake_json

ROOT = Path(__file__).parents[2]
MLFLOW = ROOT / ".venv-mlflow" / "bin"
ARCHIVE = ROOT / "tests" / "homes" / "before_goldlake_core.tar.xz"
MODEL = "chicago_crime.arrest"
READ = """
import json, sys, mlflow
client = mlflow.MlflowClient(sys.argv[1])
[experiment] = [e for e in client.search_experiments() if e.name == sys.argv[2]]
runs = client.search_runs([experiment.experiment_id])
version = client.get_model_version(sys.argv[2], sys.argv[3])
run = client.get_run(version.run_id)
sha256 = run.data.tags["goldlake.model_sha256"]
report = client.download_artifacts(version.run_id, "report.html")
print(json.dumps({
    "runs": sum(each.data.tags["goldlake.model_sha256"] == sha256 for each in runs),
    "status": run.info.status, "name": run.info.run_name,
    "metrics": run.data.metrics, "parameters": run.data.params, "tags": run.data.tags,
    "loss": [(m.step, m.value) for m in client.get_metric_history(run.info.run_id, "eval.loss")],
    "model": sorted(a.path for a in client.list_artifacts(run.info.run_id, "model")),
    "report": open(report, encoding="utf-8").read(),
    "aliases": sorted(client.get_registered_model(sys.argv[2]).aliases.items()),
    "source": version.source, "number": version.version,
}))
"""

pytestmark = [pytest.mark.long, pytest.mark.tfx]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    folder = tmp_path_factory.mktemp("home")
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(folder, filter="data")
    found = Home.at(folder / "var")
    relocate.settle(found)
    return found


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An `mlflow server` on a free port, with SQLite and its artifacts in a folder."""
    if not MLFLOW.is_dir():
        pytest.fail("There is no .venv-mlflow. Next: make mlflow-env", pytrace=False)
    folder = tmp_path_factory.mktemp("mlflow")
    options = ["--host", "127.0.0.1", "--port", "0", "--workers", "1"]
    options += ["--backend-store-uri", f"sqlite:///{folder}/mlflow.db"]
    options += ["--artifacts-destination", str(folder / "artifacts")]
    log = folder / "server.log"
    with log.open("w") as sink:
        process = subprocess.Popen(
            [str(MLFLOW / "mlflow"), "server", *options],
            cwd=folder,
            env={**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"},
            stdout=sink,
            stderr=sink,
            start_new_session=True,
        )
    try:
        yield _address(process, log)
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(60)


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    while process.poll() is None:
        text = log.read_text()
        if found := re.search(r"Uvicorn running on (http://127\.0\.0\.1:[1-9]\d*)", text):
            return found[1]
        time.sleep(0.5)
    pytest.fail(log.read_text())


def in_mlflow(uri: str, number: int) -> Any:
    command = [str(MLFLOW / "python"), "-c", READ, uri, MODEL, str(number)]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    return json.loads(answer.stdout)


def test_a_copy_that_is_cut_off_is_completed_and_a_second_one_changes_nothing(
    home: Home, uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut_off(*arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Mlflow, "_upload", cut_off)
        with pytest.raises(KeyboardInterrupt):
            copy_to_mlflow(home, uri, lambda event: None)
    folder = Path(home.root).parent
    first = goldlake_json("models", "--mlflow", uri, "--home", home.root, folder=folder)
    [copied] = first["copies"]
    assert (copied["id"], copied["is_new"]) == (f"{MODEL}@1", True)
    [again] = copy_to_mlflow(home, uri, lambda event: None).copies
    assert (again.run_id, again.version, again.is_new) == (
        copied["run_id"],
        copied["version"],
        False,
    )

    found = in_mlflow(uri, again.version)
    pushed = goldlake.open(home.root).models[MODEL].versions[1]
    assert (found["runs"], found["status"], found["name"]) == (1, "FINISHED", f"{MODEL}@1")
    metrics = {k: v for k, v in pushed.metrics.items() if v is not None}
    assert {k: found["metrics"][k] for k in metrics} == pytest.approx(metrics)
    assert [step for step, _ in found["loss"]] == list(range(len(found["loss"])))
    assert len(found["loss"]) > 1
    assert int(found["parameters"]["epochs"]) >= len(found["loss"])
    assert found["tags"]["goldlake.table_version"] == str(pushed.table_version)
    assert "model/saved_model.pb" in found["model"]
    assert found["source"].endswith("/artifacts/model")
    assert "<html" in found["report"]
    assert f"{MODEL}@1" in found["report"]
    assert found["aliases"] == [["stable", str(found["number"])]]


def test_aliases_follow_labels_and_those_of_people_stay(home: Home, uri: str) -> None:
    def copied_as(label: str | None) -> Any:
        found = config.ModelsConfig()
        for each in filter(None, ("stable", label)):
            found = config.with_label(found, MODEL, 1, each, home.path("models", MODEL))
        config.write(home.models_config, found)
        copy_to_mlflow(home, uri, lambda event: None)
        return in_mlflow(uri, number)["aliases"]

    number = copy_to_mlflow(home, uri, lambda event: None).copies[0].version
    name = {"name": MODEL, "alias": "mine", "version": str(number)}
    requests.post(f"{uri}/api/2.0/mlflow/registered-models/alias", json=name).raise_for_status()
    assert [alias for alias, _ in copied_as("canary")] == ["canary", "mine", "stable"]
    assert [alias for alias, _ in copied_as(None)] == ["mine", "stable"]


def test_two_at_once_make_one_run(home: Home, uri: str, tmp_path: Path) -> None:
    """In a copy of the home that MLflow has another model of."""
    other = tmp_path / "var"
    shutil.copytree(home.root, other)
    document = other / "models" / MODEL / "1" / ABOUT_FILE
    text = document.read_text()
    digest = json.loads(text)["model_sha256"]
    document.write_text(text.replace(digest, digest[::-1]))
    relocate.settle(Home.at(other))
    command = [str(Path(os.sys.executable)), "-m", "goldlake.cli.main", "models", "--json"]
    command += ["--mlflow", uri, "--home", str(other)]
    both = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) for _ in range(2)]
    found = [json.loads(each.communicate()[0])["copies"][0] for each in both]
    assert found[0]["run_id"] == found[1]["run_id"]
    assert sorted(each["is_new"] for each in found) == [False, True]
