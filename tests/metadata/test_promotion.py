from __future__ import annotations

from pathlib import Path

import pytest

from goldlake_core.contracts.errors import UsageError
from goldlake_core.storage.home import Home
from metadata.promotion import (
    PROMOTED,
    PROMOTION,
    Attempt,
    promotions,
    record,
    record_promotion,
    served_before,
)
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
    pushed, promoted = Store(home).events_of_executions([second])
    assert (pushed.artifact, pushed.is_output) == (made["pushed"], False)
    assert promoted.is_output
    assert Store(home).artifacts([promoted.artifact])[promoted.artifact].type == PROMOTED
    assert promotions(home, "toy.color@1") == []
    assert promotions(home, "toy.shade") == []


def test_a_version_without_a_pipeline_is_recorded_too(tmp_path: Path) -> None:
    home = Home.at(tmp_path)

    number = record_promotion(home, "toy.color@7", "stable")

    assert [e.id for e in Store(home).executions_of_type(PROMOTION)] == [number]
    assert [event.is_output for event in Store(home).events_of_executions([number])] == [True]
    assert promotions(home, "toy.color@7")[0].model == "toy.color"


def test_a_promotion_needs_a_version(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'toy.color' names no version"):
        record_promotion(Home.at(tmp_path), "toy.color", "stable")


def attempt(number: int, version: int, **fields: object) -> Attempt:
    return Attempt(id=f"a{number}", model="toy.color", version=version, label="stable", **fields)  # type: ignore[arg-type]


def test_who_when_and_why_are_recorded_once(tmp_path: Path) -> None:
    home = Home.at(tmp_path)
    store = Store(home, is_writer=True)
    asked = attempt(1, 2, before=1, who="ada@desk", why="better auc")

    number = record(store, asked, "promoted")
    assert record(store, asked, "promoted") == number

    [found] = promotions(home, "toy.color")
    assert (found.before, found.who, found.why, found.kind) == (
        1,
        "ada@desk",
        "better auc",
        "promote",
    )
    [artifact] = store.artifacts_of_type(PROMOTED)
    assert artifact.properties["why"] == "better auc"
    assert artifact.properties["outcome"] == "promoted"


def test_an_attempt_that_failed_is_on_record_and_is_not_a_promotion(tmp_path: Path) -> None:
    home = Home.at(tmp_path)
    store = Store(home, is_writer=True)
    record(store, attempt(1, 2), "failed", "no signature")
    assert promotions(home, "toy.color") == []
    [execution] = store.executions_of_type(PROMOTION)
    assert execution.properties["reason"] == "no signature"


def test_rollbacks_go_further_back(tmp_path: Path) -> None:
    home = Home.at(tmp_path)
    store = Store(home, is_writer=True)

    def before(now: int | None) -> int | None:
        return served_before(promotions(home, "toy.color"), "stable", now)

    record_promotion(home, "toy.color@9", "canary")
    record(store, attempt(1, 4, before=3), "promoted")
    assert (before(4), before(7)) == (3, 4)
    for number, version in enumerate((5, 4, 6), 2):
        record(store, attempt(number, version), "promoted")
    assert before(6) == 4
    record(store, attempt(5, 4, kind="rollback"), "promoted")
    assert before(4) == 5
    record(store, attempt(6, 5, kind="rollback"), "promoted")
    record(store, attempt(7, 4, kind="rollback"), "promoted")
    record(store, attempt(8, 3, kind="rollback"), "promoted")
    assert before(3) is None


def test_what_an_earlier_version_recorded_counts(tmp_path: Path) -> None:
    home = Home.at(tmp_path)
    store = Store(home, is_writer=True)
    old = {"model": "toy.color", "version": 1, "label": "stable", "time": "2026-01-01T00:00:00Z"}
    store.put_execution(PROMOTION, old, [])
    record(store, attempt(1, 2, before=1), "promoted")
    found = promotions(home, "toy.color")
    assert [(p.version, p.kind, p.who, p.before) for p in found] == [
        (1, "promote", "", None),
        (2, "promote", "", 1),
    ]
    assert served_before(found, "stable", 2) == 1
