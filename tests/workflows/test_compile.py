"""`goldlake compile` says what is missing before it starts anything."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from goldlake.workflows import kfp_env, launch
from goldlake.workflows.compile import _compiled, output_file, require_profile
from goldlake.workflows.kfp_env import VARIABLE, kfp_environment
from goldlake.workflows.processes import Run
from goldlake_core.contracts.errors import PermanentError, UsageError
from goldlake_core.contracts.registry import load_usecase
from goldlake_core.contracts.sections import Kubeflow
from goldlake_core.documents.compiling import CompileRequest
from goldlake_core.storage.home import Home

TOY = Path(__file__).parents[1] / "usecases" / "toy_harbour"
TFX = importlib.metadata.version("tfx")


def python_with(folder: Path, **versions: str) -> str:
    """A real environment whose packages are names and versions only."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    (packages,) = folder.glob("lib/python3*/site-packages")
    for name, version in versions.items():
        info = packages / f"{name}-{version}.dist-info"
        info.mkdir()
        text = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        (info / "METADATA").write_text(text, encoding="utf-8")
    return str(folder / "bin" / "python")


def refusal(problem: Any, *texts: str) -> None:
    """The whole message has these texts, the next command among them."""
    for text in texts:
        assert text in str(problem.value), str(problem.value)


def test_a_model_without_a_profile() -> None:
    usecase = load_usecase(str(TOY))
    model = usecase.models["overdue"]
    with pytest.raises(UsageError) as problem:
        require_profile(usecase, model)
    refusal(
        problem,
        f"{TOY / 'models' / 'overdue.yaml'} has no key kubeflow, so that no image is known for the "
        "containers",
        "kubeflow: {image: registry.example.com/goldlake:1.0, home: gs://BUCKET/goldlake}",
    )
    require_profile(usecase, replace(model, kubeflow=Kubeflow(image="i:1", home="/home")))


@pytest.mark.parametrize("name", ["pipeline.json", "pipeline", ".yaml"])
def test_a_file_that_kubeflow_does_not_take(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError) as problem:
        output_file(str(tmp_path / name))
    refusal(problem, f"Kubeflow Pipelines does not take a file called {name}", "ends in .yaml")


def test_a_file_in_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as problem:
        output_file(str(tmp_path / "no" / "p.yaml"))
    refusal(problem, f"There is no folder {tmp_path}/no", f"mkdir -p {tmp_path}/no")


def test_a_folder_in_place_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").mkdir()
    with pytest.raises(UsageError) as problem:
        output_file(str(tmp_path / "p.yaml"))
    refusal(problem, f"{tmp_path}/p.yaml is a folder")


def test_a_file_of_somebody_else_stays(tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    file.write_text("name: mine\n", encoding="utf-8")
    with pytest.raises(UsageError) as problem:
        output_file(str(file))
    refusal(
        problem,
        f"{file} holds something that goldlake compile did not write, and stays as it is",
        "a new file",
    )
    assert file.read_text(encoding="utf-8") == "name: mine\n"


@pytest.mark.parametrize("held", [None, "", "# Compiled by `goldlake compile` from toy.x\na: 1\n"])
def test_a_new_an_empty_and_a_compiled_file_are_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held: str | None
) -> None:
    if held is not None:
        (tmp_path / "p.yml").write_text(held, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert output_file("p.yml") == tmp_path / "p.yml"


def test_no_environment_in_a_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    root = tmp_path / "checkout"
    (root / "requirements").mkdir(parents=True)
    (root / "requirements" / "setup.sh").touch()
    monkeypatch.setattr(kfp_env, "__file__", str(root / "goldlake" / "workflows" / "kfp_env.py"))
    with pytest.raises(PermanentError) as problem:
        kfp_environment()
    refusal(
        problem,
        "Compiling for Kubeflow needs kfp, which has a separate environment",
        f"{root.resolve()}/.venv-kfp/bin/python, or the Python that {VARIABLE} names",
        "make kfp-env; then the same command again",
    )
    python_with(root / ".venv-kfp", kfp="2.5.0", tfx=TFX)
    assert kfp_environment().python == str(root.resolve() / ".venv-kfp" / "bin" / "python")


def test_no_environment_of_an_installed_goldlake(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr(kfp_env, "__file__", str(tmp_path / "goldlake" / "workflows" / "k.py"))
    with pytest.raises(PermanentError) as problem:
        kfp_environment()
    refusal(problem, "Compiling for Kubeflow needs kfp", "pip install 'goldlake[kfp]'", VARIABLE)


def test_a_variable_that_names_no_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "python"))
    with pytest.raises(PermanentError) as problem:
        kfp_environment()
    refusal(problem, f"{VARIABLE}={tmp_path}/python is not a program", f"unset {VARIABLE}; ")


def test_a_python_without_kfp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python = python_with(tmp_path / "env", tfx=TFX)
    monkeypatch.setenv(VARIABLE, python)
    with pytest.raises(PermanentError) as problem:
        kfp_environment()
    refusal(problem, f"{python} has no kfp", "then the same command again")


@pytest.mark.parametrize(
    ("package", "versions", "found"),
    [
        ("TFX", {"tfx": "0.1"}, "0.1"),
        ("TFX", {}, "not at all"),
    ],
)
def test_an_environment_with_other_versions(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    package: str,
    versions: dict[str, str],
    found: str,
) -> None:
    python = python_with(tmp_path / "env", kfp="2.5.0", **versions)
    monkeypatch.setenv(VARIABLE, python)
    with pytest.raises(PermanentError) as problem:
        kfp_environment()
    refusal(
        problem,
        f"{python} has {package} {found}, and this environment has {TFX}: the steps would not be "
        "those that run here",
    )


@pytest.mark.parametrize("script", ["echo broken >&2; exit 1", "echo no document"])
def test_an_environment_whose_python_does_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    python.chmod(0o755)
    monkeypatch.setenv(VARIABLE, str(python))
    with pytest.raises(PermanentError) as problem:
        kfp_environment()
    refusal(problem, f"The environment of {python} is damaged: ", f"unset {VARIABLE}; ")
    if "broken" in script:
        refusal(problem, "damaged: broken")


def test_an_environment_whose_packages_are_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = python_with(tmp_path / "env", kfp="2.5.0", tfx=TFX)
    monkeypatch.setenv(VARIABLE, python)
    environment = kfp_environment()
    assert environment.program == (python, launch.__file__)
    run = Run.new(Home.at(str(tmp_path / "home")))
    out = tmp_path / "p.yaml"
    request = run.request(
        CompileRequest,
        str(TOY),
        load_usecase(str(TOY)),
        model="overdue",
        export_id="toy_harbour/overdue/v3",
        out=str(out),
    )
    with pytest.raises(PermanentError) as problem:
        _compiled(run, request, environment, lambda event: None)
    refusal(problem, f"The environment of {python} is damaged: compile: The process", "log: ")
    log = (run.logs / "compile.log").read_text(encoding="utf-8")
    assert "ModuleNotFoundError" in log
    assert not out.exists()
