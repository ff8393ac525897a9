"""Every error that a workflow raises says what, what is valid and what to type next."""

from __future__ import annotations

from pathlib import Path

import pytest

from goldlake.workflows import promote, review, run, servers
from goldlake_core.contracts.errors import GoldlakeError, PermanentError, UsageError
from goldlake_core.storage.home import Home
from goldlake_core.storage.model_versions import push_model

TOY = Path(__file__).parents[1] / "usecases" / "toy_harbour"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.at(tmp_path / "lake")


def _pushed(home: Home, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "saved_model.pb").write_text("one")
    push_model(home, "bikes", "late", str(folder), {})


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (
            "bikes.late@7",
            "There is no version 7 of bikes.late. Valid: bikes.late@1 (nearest); all: "
            "bikes.late@1. Next: goldlake promote bikes.late@1",
        ),
        (
            "bikes.late",
            "'bikes.late' names no version. Valid: bikes.late@1 (nearest); all: bikes.late@1. "
            "Next: goldlake promote bikes.late@1",
        ),
        (
            "bikes.early@1",
            "No version of bikes.early is pushed. Valid: bikes.late (nearest); all: bikes.late. "
            "Next: goldlake models",
        ),
    ],
)
def test_a_version_that_was_not_pushed(
    home: Home, tmp_path: Path, model: str, message: str
) -> None:
    _pushed(home, tmp_path)
    with pytest.raises(UsageError) as caught:
        promote.promote(home, model, "stable")
    assert caught.value.message == message


def test_promotion_moves_the_label_and_says_what_had_it(home: Home, tmp_path: Path) -> None:
    _pushed(home, tmp_path)
    first = promote.promote(home, "bikes.late@1", "stable")
    assert (first.version, first.label, first.before) == (1, "stable", None)
    assert promote.promote(home, "bikes.late@1", "stable").before == 1


def test_a_model_that_the_use_case_lacks(home: Home) -> None:
    request = run.RunRequest(usecase=str(TOY), models=("late",))
    with pytest.raises(UsageError) as caught:
        run.run_whole(request, home, lambda event: None)
    assert caught.value.message == (
        "The use case toy_harbour has no model 'late'. Valid: overdue. "
        "Next: goldlake check toy_harbour"
    )


def test_tensorboard_without_training_runs(home: Home) -> None:
    with pytest.raises(PermanentError) as caught:
        review.run_tensorboard(home, 0, lambda: None)
    assert caught.value.message == (
        f"There are no training runs in {home.root}. Next: goldlake train MODEL"
    )


def test_tensorboard_that_fails(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    Path(home.path("pipelines", "bikes.late", "Trainer", "model_run", "1", "train")).mkdir(
        parents=True
    )
    monkeypatch.setattr("goldlake.workflows.review.subprocess.call", lambda command, env: 4)
    with pytest.raises(PermanentError, match=r"^TensorBoard ended with exit status 4\.$"):
        review.run_tensorboard(home, 0, lambda: None)


def test_a_server_that_dies_before_it_is_ready(tmp_path: Path) -> None:
    log = tmp_path / "serving.log"
    with (
        pytest.raises(GoldlakeError) as caught,
        servers.embedded_server(str(tmp_path / "models.config"), log),
    ):
        pass
    assert caught.value.message.startswith("serving --model-config-file ended with exit status ")
    assert caught.value.message.endswith(f"before it was ready. Next: read {log}")
