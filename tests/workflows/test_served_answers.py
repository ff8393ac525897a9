"""The recorded answers of a promoted version: given only while it is the same one that serves."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from goldlake.workflows import served_answers
from goldlake.workflows.processes import Run
from goldlake_core.contracts.registry import load_usecase
from goldlake_core.contracts.sections import Model, UseCase
from goldlake_core.documents.reports import Answer
from goldlake_core.storage.home import Home
from goldlake_core.storage.model_versions import push_model
from serving import config
from serving.config import ModelsConfig
from tests.tfx_pipeline.toy_export import TOY

NAME = "toy_harbour.overdue"
ANSWERS = (Answer(instance={"port": "A"}, answer=[0.25]),)


def _nothing(event: object) -> None:
    """Takes events."""


@pytest.fixture
def usecase() -> UseCase:
    return load_usecase(str(TOY))


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run in a home with two versions, of which the first serves."""
    home = Home.at(tmp_path / "home")
    for version in (1, 2):
        folder = tmp_path / f"made-{version}"
        folder.mkdir()
        (folder / "saved_model.pb").write_text(str(version))
        push_model(home, "toy_harbour", "overdue", str(folder), {})
    config.write(home.models_config, ModelsConfig())
    _serve(home, 1)
    return Run.new(home)


def _serve(home: Home, version: int) -> None:
    from goldlake.workflows.promote import Options, promote

    promote(home, f"{NAME}@{version}", config.STABLE, Options(wait_s=1.0))


def _recorded(run: Run, usecase: UseCase, model: Model, version: int = 1) -> object:
    return served_answers.recorded(run, usecase, model, version, _nothing)


def test_answers_are_given_again_with_the_run_that_asked(run: Run, usecase: UseCase) -> None:
    model = usecase.models["overdue"]
    assert _recorded(run, usecase, model) is None
    served_answers.write(run, usecase, model, 1, ANSWERS)
    later = replace(run, run_id="later")
    found = served_answers.recorded(later, usecase, model, 1, _nothing)
    assert found is not None
    promotion, record = found
    assert (record.answers, record.run_id) == (ANSWERS, run.run_id)
    assert (promotion.version, promotion.before, promotion.servers) == (1, 1, ())


def test_a_demoted_version_is_promoted_and_asked(run: Run, usecase: UseCase) -> None:
    model = usecase.models["overdue"]
    served_answers.write(run, usecase, model, 1, ANSWERS)
    _serve(run.home, 2)
    assert _recorded(run, usecase, model) is None
    assert _recorded(run, usecase, model, 2) is None
    _serve(run.home, 1)
    assert _recorded(run, usecase, model) is not None


def test_other_examples_and_other_code_are_asked(
    run: Run, usecase: UseCase, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = usecase.models["overdue"]
    served_answers.write(run, usecase, model, 1, ANSWERS)
    other = msgspec.structs.replace(model, examples=(*model.examples, {"port": "B"}))
    assert _recorded(run, usecase, other) is None
    monkeypatch.setattr(served_answers, "code_hash", lambda *entries: "other")
    assert _recorded(run, usecase, model) is None


def test_a_damaged_record_and_a_moved_home_count_as_none(run: Run, usecase: UseCase) -> None:
    model = usecase.models["overdue"]
    served_answers.write(run, usecase, model, 1, ANSWERS)
    file = Path(run.home.pipeline("toy_harbour", "overdue"), served_answers.RECORD_FILE)
    whole = file.read_bytes()
    file.write_bytes(whole[:50])
    assert _recorded(run, usecase, model) is None
    file.write_bytes(whole)
    assert _recorded(run, usecase, model) is not None
    Path(run.home.root).rename(f"{run.home.root}-moved")
    there = replace(run, home=Home.at(f"{run.home.root}-moved"))
    assert _recorded(there, usecase, model) is None
