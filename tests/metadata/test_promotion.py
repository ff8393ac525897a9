from __future__ import annotations

from pathlib import Path

import pytest

from goldlake_core.contracts.errors import UsageError
from goldlake_core.storage.home import Home
from metadata.promotion import PROMOTION, promotions, record_promotion
from metadata.store import Store
from tests.metadata.recorded import Recorder, record_training


def test_promotions_are_kept_in_order_with_the_model_as_input(tmp_path: Path) -> None:
    home = Home.at(tmp_path)
    made = record_training(Recorder(home), table_version=12, model_version=2)

    first = record_promotion(home, "toy.color@2", "canary")
    second = record_promotion(home, "toy.color@2", "stable")

    found = promotions(home, "toy.color")
    assert [(p.execution, p.version, p.label) for p in found] == [
        (first, 2, "canary"),
        (second, 2, "stable"),
    ]
    assert found[0].time <= found[1].time
    assert found[0].time.endswith("Z")
    [event] = Store(home).events_of_executions([second])
    assert (event.artifact, event.is_output) == (made["pushed"], False)
    assert promotions(home, "toy.color@1") == []
    assert promotions(home, "toy.shade") == []


def test_a_version_without_a_pipeline_is_recorded_too(tmp_path: Path) -> None:
    home = Home.at(tmp_path)

    number = record_promotion(home, "toy.color@7", "stable")

    assert [e.id for e in Store(home).executions_of_type(PROMOTION)] == [number]
    assert Store(home).events_of_executions([number]) == []
    assert promotions(home, "toy.color@7")[0].model == "toy.color"


def test_a_promotion_needs_a_version(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'toy.color' names no version"):
        record_promotion(Home.at(tmp_path), "toy.color", "stable")
