"""Parts that a contract names: found, hashed, and at work in a trained model."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from msgspec.structs import replace

from goldlake_core.contracts.errors import ContractError, PermanentError
from goldlake_core.contracts.registry import load_usecase
from goldlake_core.contracts.sections import Feature, Model, Parts
from tests.tfx_pipeline import toy
from tests.tfx_pipeline.conftest import Toy
from tfx_pipeline.parts.named import encoders_hash, named, part_hashes
from tfx_pipeline.spec import USECASE_PATH, FeatureSpec, encoder_folder

HARBOUR = Path(__file__).parents[2] / "usecases" / "toy_harbour"
LINEAR = "tfx_pipeline.parts.linear.build_model"
OWN = '''
"""Our own trainer, and what we want to know of a model."""


def run_fn(fn_args):
    from pathlib import Path

    from tfx_pipeline.modules import trainer

    Path(fn_args.model_run_dir, "ours").parent.mkdir(parents=True, exist_ok=True)
    Path(fn_args.model_run_dir, "ours").write_text("yes")
    config = {**fn_args.custom_config, "run_fn": None}
    fn_args.custom_config = config
    trainer.run_fn(fn_args)


def eval_config(config):
    config.slicing_specs.add(feature_keys=["pilot"])
    return config
'''


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    copy = tmp_path / HARBOUR.name
    shutil.copytree(HARBOUR, copy, ignore=shutil.ignore_patterns("__pycache__"))
    (copy / "own.py").write_text(OWN, encoding="utf-8")
    monkeypatch.setenv(USECASE_PATH, str(copy))
    return copy


def test_functions_of_the_folder_and_of_packages(folder: Path) -> None:
    assert named("own.run_fn", "toy_harbour.overdue", "parts.run_fn").__name__ == "run_fn"
    assert named(LINEAR, "toy_harbour.overdue", "parts.build_model").__name__ == "build_model"
    with pytest.raises(ContractError, match="own.py has no function 'runs_fn'"):
        named("own.runs_fn", "toy_harbour.overdue", "parts.run_fn")
    with pytest.raises(PermanentError, match=r"parts.run_fn of a.b names no.such.thing, which can"):
        named("no.such.thing", "a.b", "parts.run_fn")


def test_edited_code_of_a_part_is_another_hash(folder: Path) -> None:
    usecase = load_usecase(str(folder))
    parts = Parts(build_model=LINEAR, eval_config="own.eval_config")
    model = replace(usecase.models["overdue"], parts=parts)
    first = part_hashes(usecase, model)
    assert sorted(first) == ["build_model", "eval_config"]
    (folder / "own.py").write_text(OWN.replace("pilot", "berth"), encoding="utf-8")
    second = part_hashes(usecase, model)
    assert second["build_model"] == first["build_model"]
    assert second["eval_config"] != first["eval_config"]
    with pytest.raises(PermanentError, match="no module 'no.such'"):
        part_hashes(usecase, replace(model, parts=Parts(run_fn="no.such.run_fn")))


@pytest.mark.tfx
@pytest.mark.long
def test_a_linear_model_is_trained_and_served(toy_data: Toy, tmp_path: Path) -> None:
    import numpy as np

    from tests.tfx_pipeline.modules.test_trainer import probabilities
    from tfx_pipeline import scores
    from tfx_pipeline.evaluation.serving_check import check_model
    from tfx_pipeline.modules.trainer import run_fn

    spec = replace(toy.training_spec(), build_model=LINEAR)
    run_fn(toy_data.fn_args(tmp_path, custom_config=spec.to_json()))
    rows = toy_data.rows["test"]
    labels = np.array([row[toy.LABEL] for row in rows], "float32")
    assert scores.auc(labels, probabilities(tmp_path, rows)) > 0.77
    assert check_model(str(tmp_path / "Format-Serving"), toy.COLUMNS, rows[:20]).problems == ()


@pytest.mark.tfx
@pytest.mark.long
def test_a_trainer_of_ones_own_runs_in_place_of_goldlakes(
    toy_data: Toy, tmp_path: Path, folder: Path
) -> None:
    from tfx_pipeline.modules.trainer import run_fn

    spec = replace(toy.training_spec(replace(toy.TRAINING, epochs=1)), run_fn="own.run_fn")
    run_fn(toy_data.fn_args(tmp_path, custom_config=spec.to_json()))
    assert (tmp_path / "run" / "ours").read_text() == "yes"
    assert (tmp_path / "Format-Serving" / "saved_model.pb").is_file()


@pytest.mark.tfx
def test_an_eval_config_of_ones_own_is_what_tfma_gets(folder: Path) -> None:
    from tfx_pipeline.evaluation.evaluation import eval_config
    from tfx_pipeline.spec import EvaluationSpec

    spec = EvaluationSpec("toy_harbour.overdue", "overdue", (), (), eval_config="own.eval_config")
    config = eval_config(spec, rows=3, has_baseline=False)
    own = named("own.eval_config", "toy_harbour.overdue", "parts.eval_config")
    assert [list(each.feature_keys) for each in own(config).slicing_specs] == [[], ["pilot"]]


def test_an_encoder_is_inside_the_folder_and_its_files_are_hashed(folder: Path) -> None:
    (folder / "encoder").mkdir()
    (folder / "encoder" / "saved_model.pb").write_bytes(b"1")
    usecase = load_usecase(str(folder))

    def model(encoder: str) -> Model:
        text = Feature("cargo", "text", ("cargo",), {"encoder": encoder})
        return replace(usecase.models["overdue"], features=(text,))

    def found(encoder: str) -> str:
        spec = FeatureSpec("toy_harbour.overdue", "overdue", (), model(encoder).features)
        return encoder_folder(spec, spec.features[0])

    assert found("encoder") == str((folder / "encoder").resolve())
    for wrong in ("nothing", "..", "/etc"):
        with pytest.raises(PermanentError, match="there is no SavedModel in"):
            found(wrong)
    first = encoders_hash(usecase, model("encoder"))
    assert encoders_hash(usecase, usecase.models["overdue"]) == ""
    (folder / "encoder" / "saved_model.pb").write_bytes(b"2")
    assert encoders_hash(usecase, model("encoder")) not in ("", first)
