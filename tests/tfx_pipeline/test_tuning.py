"""A search for training parameters: the law that stops trials, and trials on the toy's splits."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.tfx_pipeline import toy
from tests.tfx_pipeline.conftest import Toy
from tfx_pipeline.tuning import KEYS, Median, sampled, search


def test_a_trial_behind_the_median_is_stopped() -> None:
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
    law = Median(sign=-1)
    for result in (3.0, 4.0, 5.0):
        law.begin()
        law.add(result)
        assert not law.add(result)
    law.begin()
    law.add(float("nan"))
    assert law.add(float("nan"))


def test_parameters_are_those_of_the_seed_and_valid() -> None:
    base = toy.TRAINING.sized(3000)
    one, two = (
        [sampled(random.Random(seed), base, has_batches=True) for _ in range(1)] for seed in (1, 1)
    )
    assert one == two
    chance = random.Random(2)
    found = [sampled(chance, base, has_batches=True) for _ in range(50)]
    for key in KEYS:
        assert len({str(getattr(each, key)) for each in found}) > 3
    assert all(each.epochs == base.epochs and each.seed == base.seed for each in found)
    assert all(8 <= (each.batch_rows or 0) <= 8192 for each in found)
    same = sampled(chance, base, has_batches=False)
    assert same.batch_rows == base.batch_rows


@pytest.mark.tfx
@pytest.mark.long
def test_the_best_of_some_trials_is_found_by_eval(toy_data: Toy, tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    told: list[tuple[str, int | None, int | None]] = []
    spec = toy.training_spec(replace(toy.TRAINING, epochs=2, learning_rate=1e-6))
    arguments = toy_data.fn_args(tmp_path)
    found = search(
        arguments,
        spec,
        5,
        0,
        str(tmp_path / "logs"),
        lambda kind, message, *, done=None, total=None: told.append((message, done, total)),
    )
    assert (found.metric, found.is_better_high, len(found.trials)) == ("val_auc", True, 5)
    assert found.trials[0].parameters["learning_rate"] == 1e-6
    results = [trial.result for trial in found.trials]
    assert found.trials[found.best - 1].result == max(r for r in results if r is not None)
    assert found.best > 1  # the contract's learning rate is far too small
    assert [done for _, done, _ in told] == [1, 2, 3, 4, 5]
    folders = sorted((tmp_path / "logs").iterdir())
    assert len(folders) == 5
    tags = EventAccumulator(str(folders[0])).Reload().Tags()
    assert "val_auc" in tags["tensors"] + tags["scalars"]
    assert not (tmp_path / "Format-Serving").exists()
