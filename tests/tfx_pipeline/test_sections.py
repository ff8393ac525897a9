"""An export made under another contract is refused before TensorFlow is started."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from goldlake_core.contracts.errors import StoreError, UsageError
from goldlake_core.contracts.registry import load_usecase
from goldlake_core.documents.stages import TrainRequest
from goldlake_core.storage.home import Home
from tests.tfx_pipeline.toy_export import TOY, write_export
from tfx_pipeline.exports import read_manifest
from tfx_pipeline.stages import require_same_sections, train

EXPORT = "toy_harbour/overdue/v3"


def _edited(target: Path, old: str, new: str) -> Path:
    folder = target / "toy_harbour"
    shutil.copytree(TOY, folder)
    file = folder / "models" / "overdue.yaml"
    text = file.read_text()
    assert text.count(old) == 1
    file.write_text(text.replace(old, new))
    return folder


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("eval_days: 30", "eval_days: 31", "split"),
        ("maturity_days: 14", "maturity_days: 15", "maturity_days"),
    ],
)
def test_the_key_that_changed_is_named(tmp_path: Path, old: str, new: str, key: str) -> None:
    write_export(tmp_path)
    usecase = load_usecase(str(_edited(tmp_path, old, new)))
    manifest, _ = read_manifest(EXPORT, home=Home.at(tmp_path))
    with pytest.raises(StoreError) as caught:
        require_same_sections(manifest, usecase, usecase.models["overdue"], EXPORT)
    assert caught.value.message == (
        f"The export {EXPORT} was made under another contract: {key} of toy_harbour.overdue "
        "changed since (model.overdue.export). Next: goldlake train toy_harbour.overdue"
    )


def test_the_same_contract_is_accepted(tmp_path: Path) -> None:
    write_export(tmp_path)
    usecase = load_usecase(str(TOY))
    manifest, _ = read_manifest(EXPORT, home=Home.at(tmp_path))
    require_same_sections(manifest, usecase, usecase.models["overdue"], EXPORT)


def _request(home: Path, folder: Path, **changes: str) -> TrainRequest:
    fields = {"model": "overdue", "export_id": EXPORT, **changes}
    return TrainRequest(usecase=str(folder), home=str(home), run_id="r", **fields)


def test_the_stage_refuses_such_an_export(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tfx_pipeline.stages.set_environment", lambda home, usecase: None)
    write_export(tmp_path)
    folder = _edited(tmp_path, "eval_days: 30", "eval_days: 31")
    with pytest.raises(StoreError, match="was made under another contract: split of"):
        train(_request(tmp_path, folder), lambda *a, **k: None)


def test_an_unknown_model_is_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"toy_harbour has no model 'late'\. Valid: overdue\."):
        train(_request(tmp_path, TOY, model="late"), lambda *a, **k: None)
