"""What Kubeflow Pipelines cannot do is refused with what to do in its place."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from goldlake_core.contracts.errors import UsageError
from goldlake_core.contracts.registry import load_usecase
from goldlake_core.contracts.sections import Kubeflow
from goldlake_core.storage.home import Home
from tests.tfx_pipeline.toy_export import TOY, write_export
from tfx_pipeline.exports import read_manifest
from tfx_pipeline.kubeflow import (
    MOST_BYTES,
    _defaults,
    _require_short_arguments,
    require_possible,
)
from tfx_pipeline.spec import PipelineSpec, pipeline_spec


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> PipelineSpec:
    folder = tmp_path_factory.mktemp("home")
    written = write_export(folder)
    manifest, sha256 = read_manifest(written.export_id, home=Home.at(str(folder)))
    usecase = load_usecase(str(TOY))
    return pipeline_spec(
        usecase,
        usecase.models["overdue"],
        manifest,
        export_id=written.export_id,
        manifest_sha256=sha256,
        baseline_version=None,
    )


def test_csv_example_gen_is_refused(spec: PipelineSpec) -> None:
    require_possible(spec)
    with pytest.raises(UsageError, match="has handoff: csv_example_gen, whose driver") as problem:
        require_possible(replace(spec, handoff="csv_example_gen"))
    assert "handoff: snapshot_example_gen, which reads the same export" in str(problem.value)


def task(size: int) -> dict[str, Any]:
    given = {
        "module": {"runtimeValue": {"constant": "x"}},
        "custom_config": {"constant": "y" * size},
    }
    return {"root": {"dag": {"tasks": {"Trainer": {"inputs": {"parameters": given}}, "Stop": {}}}}}


def test_arguments_longer_than_linux_takes_are_refused() -> None:
    _require_short_arguments(task(100_000))
    with pytest.raises(UsageError, match="Trainer would get 13") as problem:
        _require_short_arguments(task(120_000))
    text = str(problem.value)
    assert "bytes in one argument, most of them in custom_config" in text
    assert f"at most {MOST_BYTES:,} bytes" in text


def test_parameters_of_a_run_default_to_the_contract(spec: PipelineSpec) -> None:
    profile = Kubeflow(image="i:1", home="/home", parameters=("epochs", "learning_rate"))
    training = spec.training.training.sized(spec.rows["train"])
    assert _defaults(spec, profile) == {
        "epochs": training.epochs,
        "learning_rate": training.learning_rate,
    }
