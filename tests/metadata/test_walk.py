"""What a walk over events follows and what it leaves out."""

from __future__ import annotations

from pathlib import Path

import pytest

from goldlake_core.contracts.ids import ModelId
from goldlake_core.storage.home import Home
from metadata.pushed import pushed_models
from metadata.store import Artifact, Store
from metadata.walk import backwards, forwards, made_directly
from tests.metadata.recorded import Recorder, record_training


@pytest.fixture
def recorder(tmp_path: Path) -> Recorder:
    return Recorder(Home.at(tmp_path))


def artifact(store: Store, number: int) -> Artifact:
    return store.artifacts([number])[number]


def test_what_was_compared_with_is_not_an_ancestor(recorder: Recorder, tmp_path: Path) -> None:
    old = record_training(recorder, 3, 1)
    new = record_training(recorder, 4, 2, baseline=old["model"])
    store = Store(Home.at(tmp_path))
    [pushed] = pushed_models(store, ModelId.parse("toy.color@2"))[2]
    assert backwards(store, [pushed]).artifacts == set(new.values())
    assert forwards(store, [artifact(store, old["snapshot"])]).artifacts == set(old.values())


def test_artifacts_made_in_one_step_come_newest_first(recorder: Recorder, tmp_path: Path) -> None:
    made = record_training(recorder, 3, 1)
    outputs = {"statistics": ("ExampleStatistics", {})}
    source = {"examples": made["examples"]}
    first = recorder.run("StatisticsGen", source, outputs)["statistics"]
    second = recorder.run("StatisticsGen", source, outputs)["statistics"]
    recorder.again("StatisticsGen", source, {"statistics": first})
    compared = recorder.run("StatisticsGen", {"baseline": made["examples"]}, outputs)["statistics"]
    failed = recorder.run("StatisticsGen", source, outputs, "FAILED")["statistics"]
    store = Store(Home.at(tmp_path))
    found = made_directly(store, [artifact(store, made["examples"])], "ExampleStatistics")
    assert [each.id for each in found] == [second, first]
    assert compared not in (first, second)
    assert failed not in (first, second)
    assert made_directly(store, [], "ExampleStatistics") == []
