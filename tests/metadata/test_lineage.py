from __future__ import annotations

from pathlib import Path

import pytest

from goldlake.cli.lineage_text import lineage_text
from goldlake_core.contracts.errors import PermanentError, UsageError
from goldlake_core.documents import codec
from goldlake_core.documents.reports import Lineage, SnapshotRecord
from goldlake_core.storage.home import Home
from metadata.lineage import lineage
from metadata.promotion import record_promotion
from tests.metadata.recorded import TABLE, Recorder, record_training


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.at(tmp_path)


def test_backwards_from_a_model_to_its_table_version(home: Home) -> None:
    recorder = Recorder(home)
    record_training(recorder, table_version=3, model_version=1)
    second = record_training(recorder, table_version=12, model_version=2)

    document = lineage(home, "toy.color@2")

    assert document.id == "toy.color@2"
    assert document.direction == "backwards"
    assert document.roots == (second["pushed"],)
    assert document.snapshots == (
        SnapshotRecord(
            table=TABLE,
            version=12,
            table_uuid="uuid-1",
            content_hash="hash-of-12",
            as_of="2016-12-01T00:00:00.000000Z",
            export_id="toy/color/12",
            manifest_sha256="sha-of-12",
            artifact=second["snapshot"],
        ),
    )
    assert {a.id for a in document.artifacts} == set(second.values())
    by_type = {e.type.rpartition(".")[2]: e.id for e in document.executions}
    assert by_type.keys() == {
        "DataSnapshotGen",
        "SnapshotExampleGen",
        "Trainer",
        "Evaluator",
        "Pusher",
    }
    steps = {step.execution: step for step in document.steps}
    assert steps[by_type["Trainer"]].inputs == (second["examples"],)
    assert steps[by_type["Trainer"]].outputs == (second["model"],)
    assert codec.decode(codec.encode(document), Lineage, "lineage") == document


def test_a_baseline_is_named_and_its_rows_are_not_called_ours(home: Home) -> None:
    recorder = Recorder(home)
    first = record_training(recorder, table_version=3, model_version=1)
    second = record_training(recorder, 12, 2, baseline=first["model"])

    document = lineage(home, "toy.color@2")

    assert [s.version for s in document.snapshots] == [12]
    compared = [step.compared_with for step in document.steps if step.compared_with]
    assert compared == [(first["model"],)]
    assert first["pushed"] not in {a.id for a in document.artifacts}
    assert f"compared with Model {first['model']}" in lineage_text(document)
    # And a table version is not blamed for a model that was only measured against its model.
    forwards = lineage(home, f"{TABLE}@3")
    assert [m.id for m in forwards.models] == ["toy.color@1"]
    assert second["pushed"] not in {a.id for a in forwards.artifacts}


def test_forwards_from_a_table_version_to_every_model(home: Home) -> None:
    recorder = Recorder(home)
    first = record_training(recorder, table_version=12, model_version=1)
    # Another model on the same snapshot, whose first nodes came from the cache.
    recorder.again("DataSnapshotGen", {}, {"snapshot": first["snapshot"]})
    recorder.again(
        "SnapshotExampleGen", {"snapshot": first["snapshot"]}, {"examples": first["examples"]}
    )
    other = recorder.run("Trainer", {"examples": first["examples"]}, {"model": ("Model", {})})
    recorder.run(
        "Pusher",
        {"model": other["model"]},
        {"pushed": ("PushedModel", {"version": 4, "model": "toy.shade"})},
    )
    record_training(recorder, table_version=13, model_version=2)
    record_promotion(home, "toy.color@1", "stable")

    document = lineage(home, f"{TABLE}@12")

    assert document.direction == "forwards"
    assert [m.id for m in document.models] == ["toy.color@1", "toy.shade@4"]
    [promotion] = document.models[0].promotions
    assert (promotion.version, promotion.label) == (1, "stable")
    assert {e.state for e in document.executions} == {"COMPLETE"}
    assert [m.id for m in lineage(home, TABLE).models] == [
        "toy.color@1",
        "toy.shade@4",
        "toy.color@2",
    ]


def test_the_work_stands_for_what_the_cache_answered(home: Home) -> None:
    recorder = Recorder(home)
    made = record_training(recorder, table_version=12, model_version=1)
    recorder.again(
        "SnapshotExampleGen", {"snapshot": made["snapshot"]}, {"examples": made["examples"]}
    )

    executions = lineage(home, "toy.color@1").executions

    states = [e.state for e in executions if e.type == "SnapshotExampleGen"]
    assert states == ["COMPLETE"]


def test_a_run_that_did_not_push_is_no_version(home: Home) -> None:
    recorder = Recorder(home)
    record_training(recorder, table_version=12, model_version=1)
    recorder.run("Pusher", {}, {"pushed": ("PushedModel", {"pushed": 0})})

    assert lineage(home, "toy.color").id == "toy.color@1"


def test_text_is_a_tree_that_draws_each_branch_once(home: Home) -> None:
    recorder = Recorder(home)
    record_training(recorder, table_version=12, model_version=2)
    record_promotion(home, "toy.color@2", "stable")

    lines = lineage_text(lineage(home, "toy.color")).splitlines()

    assert lines[0] == "toy.color@2"
    assert lines[1] == (
        f"  learned from {TABLE}@12 (table uuid-1, content hash-of-12, "
        "as of 2016-12-01T00:00:00.000000Z, export toy/color/12)"
    )
    assert lines[2].startswith("  promoted to stable at 20")
    tree = [line.split(" (20")[0] for line in lines[4:]]
    assert tree == [
        "PushedModel 5: version 2",
        "└─ Pusher 5",
        "   ├─ Model 3",
        "   │  └─ Trainer 3",
        "   │     └─ Examples 2",
        "   │        └─ SnapshotExampleGen 2",
        f"   │           └─ DataSnapshot 1: {TABLE}@12",
        "   │              └─ DataSnapshotGen 1",
        "   └─ ModelBlessing 4",
        "      └─ Evaluator 4",
        "         ├─ Examples 2 (above)",
        "         └─ Model 3 (above)",
    ]


def test_text_forwards_names_the_models(home: Home) -> None:
    recorder = Recorder(home)
    record_training(recorder, table_version=12, model_version=2)

    text = lineage_text(lineage(home, f"{TABLE}@12"))

    assert text.startswith(f"{TABLE}@12\n  made toy.color@2, pushed 20")
    assert f"\nDataSnapshot 1: {TABLE}@12\n└─ SnapshotExampleGen 2 (" in text


def test_unknown_names_list_what_there_is(home: Home) -> None:
    with pytest.raises(PermanentError, match="Nothing is recorded yet"):
        lineage(home, "toy.color")
    record_training(Recorder(home), table_version=12, model_version=2)

    with pytest.raises(UsageError, match="No pushed model toy.color@9 is recorded") as error:
        lineage(home, "toy.color@9")
    assert error.value.valid == "toy.color@2"
    with pytest.raises(UsageError, match=f"No model was trained on {TABLE}@3") as error:
        lineage(home, f"{TABLE}@3")
    assert error.value.valid == f"{TABLE}@12"


def test_a_home_that_is_not_local_is_refused() -> None:
    with pytest.raises(PermanentError, match="ML Metadata keeps it in SQLite"):
        lineage(Home.at("memory://lake"), "toy.color")
