"""A search for training parameters: the law that stops trials, and trials on the toy's splits."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace

from goldlake_core.documents.tuning import Trial
from goldlake_core.storage.home import Home
from tests.tfx_pipeline import toy
from tests.tfx_pipeline.conftest import Toy
from tfx_pipeline.modules.listening import LISTENER
from tfx_pipeline.spec import SearchSpec

pytestmark = pytest.mark.tfx
FOLDER = "pipelines/parcels.late/tune/abc"


def test_a_trial_behind_the_median_is_stopped() -> None:
    from tfx_pipeline.modules.tuner import Median

    law = Median(sign=1)
    for results in ([0.5, 0.7], [0.5, 0.8], [0.5, 0.9]):
        law.begin()
        assert [law.add(result) for result in results] == [False, False]
    law.begin()
    assert not law.add(0.1)  # too early to say
    assert law.add(0.7)
    law.begin()
    assert not law.add(0.1)
    assert not law.add(0.85)
    assert not law.add(0.1)  # the best of its epochs counts


def test_lower_is_better_and_nothing_is_worse_than_no_number() -> None:
    from tfx_pipeline.modules.tuner import Median

    law = Median(sign=-1)
    for result in (3.0, 4.0, 5.0):
        law.begin()
        law.add(result)
        assert not law.add(result)
    law.begin()
    law.add(float("nan"))
    assert law.add(float("nan"))


def values_of(seed: int, count: int, *, has_batches: bool = True) -> list[dict[str, Any]]:
    """The values of the first trials of a search."""
    import keras_tuner

    from tfx_pipeline.modules.tuner import ContractFirst, space

    base = replace(toy.TRAINING, learning_rate=1e-6).sized(3000)
    oracle = ContractFirst(
        objective=keras_tuner.Objective("val_auc", "max"),
        max_trials=count,
        seed=seed,
        hyperparameters=space(base, has_batches=has_batches),
    )
    oracle._set_project_dir("/nowhere", "kept")
    found = []
    for number in range(count):
        found.append(oracle.populate_space(str(number))["values"])
        oracle.trials[str(number)] = SimpleNamespace()
    return found


def test_the_contract_comes_first_and_the_seed_decides_the_others() -> None:
    from tfx_pipeline.modules.tuner import KEYS, parameters_of

    base = replace(toy.TRAINING, learning_rate=1e-6).sized(3000)
    one, two, other = values_of(1, 40), values_of(1, 40), values_of(2, 40)
    assert one == two
    assert one[0] == other[0]
    assert one[1:] != other[1:]
    assert parameters_of(one[0], base) == base
    found = [parameters_of(each, base) for each in one[1:]]
    for key in KEYS:
        assert len({str(getattr(each, key)) for each in found}) > 3
    assert all(each.epochs == base.epochs and each.seed == base.seed for each in found)
    assert all(8 <= (each.batch_rows or 0) <= 8192 for each in found)
    assert all(10**-3.6 < (each.learning_rate or 0) < 10**-1.6 for each in found)
    fixed = [parameters_of(each, base) for each in values_of(1, 10, has_batches=False)]
    assert {each.batch_rows for each in fixed} == {base.batch_rows}


@pytest.mark.long
def test_a_search_is_cut_off_continued_and_damaged(
    toy_data: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    from tfx_pipeline.modules import trainer, tuner
    from tfx_pipeline.tuning import result

    told: list[tuple[Trial, str]] = []
    token = LISTENER.set(lambda trial, metric: told.append((trial, metric)))
    spec = toy.training_spec(replace(toy.TRAINING, epochs=2, learning_rate=1e-6))
    arguments, home = toy_data.fn_args(tmp_path / "unused"), Home.at(tmp_path)

    def search(trials: int) -> None:
        wanted = SearchSpec(trials=trials, seed=0, folder=FOLDER, run_id="1")
        tuner.search(arguments, spec, wanted, home).search()

    fit = trainer.fit

    def cut_off(*args: Any) -> None:
        if len(told) == 2:
            raise KeyboardInterrupt
        fit(*args)

    try:
        monkeypatch.setattr(trainer, "fit", cut_off)
        with pytest.raises(KeyboardInterrupt):
            search(3)
        assert [trial.number for trial, _ in told] == [1, 2]
        monkeypatch.setattr(trainer, "fit", fit)
        search(3)
        search(5)
        search(5)
    finally:
        LISTENER.reset(token)
    assert [trial.number for trial, _ in told] == [1, 2, 3, 4, 5]
    found = result(tuner.records(home, FOLDER, 5), home.path(FOLDER))
    assert (found.metric, found.is_better_high, len(found.trials)) == ("val_auc", True, 5)
    assert found.trials == tuple(trial for trial, _ in told)
    assert found.trials[0].parameters["learning_rate"] == 1e-6
    results = [trial.result for trial in found.trials]
    assert found.trials[found.best - 1].result == max(r for r in results if r is not None)
    assert found.best > 1  # the contract's learning rate is far too small
    logs = sorted(Path(found.logs).glob("trial-*/"))
    logs = [each for each in logs if each.is_dir()]
    assert len(logs) == 5
    tags = EventAccumulator(str(logs[0])).Reload().Tags()
    assert "val_auc" in tags["tensors"] + tags["scalars"]
    state = Path(found.logs) / "search" / "oracle.json"
    state.write_text(state.read_text()[:100])
    search(1)
    assert json.loads(state.read_text())["end_order"] == ["0"]
    again = tuner.records(home, FOLDER, 1)[0].trial
    assert again.result == found.trials[0].result


@pytest.mark.long
def test_a_trial_that_fails_ends_the_search(
    toy_data: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tfx_pipeline.modules import trainer, tuner

    def fails(*args: Any) -> None:
        raise ValueError("no such loss")

    monkeypatch.setattr(trainer, "fit", fails)
    wanted = SearchSpec(trials=3, seed=0, folder=FOLDER, run_id="1")
    made = tuner.search(toy_data.fn_args(tmp_path), toy.training_spec(), wanted, Home.at(tmp_path))
    with pytest.raises(ValueError, match="no such loss"):
        made.search()
