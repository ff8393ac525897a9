"""The recorded answer of a training: given only while nothing of it changed. No TensorFlow."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec
import pytest
from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2 as pb

from goldlake_core.contracts.registry import load_usecase
from goldlake_core.documents.training import NodeReport, Trained
from goldlake_core.storage.home import Home
from tests.tfx_pipeline.toy_export import TOY, write_export
from tfx_pipeline import recorded, stages
from tfx_pipeline.exports import read_manifest
from tfx_pipeline.spec import PipelineSpec


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home with an export, two artifacts that ML Metadata knows, and a pushed version."""
    home = Home.at(tmp_path / "home")
    write_export(tmp_path / "home")
    for name in ("Trainer/model/1/saved_model.pb", "Pusher/pushed/2/saved_model.pb"):
        file = Path(home.pipeline("toy_harbour", "overdue"), name)
        file.parent.mkdir(parents=True)
        file.write_text(name)
    version = Path(home.model("toy_harbour", "overdue", "1"), "saved_model.pb")
    version.parent.mkdir(parents=True)
    version.write_text("the model")
    Path(home.mlmd).parent.mkdir(parents=True)
    for uri in _artifacts(home):
        _record(home, uri)
    return home


def _artifacts(home: Home) -> list[str]:
    pipeline = home.pipeline("toy_harbour", "overdue")
    return [f"{pipeline}/Trainer/model/1", f"{pipeline}/Pusher/pushed/2"]


def _store(home: Home) -> metadata_store.MetadataStore:
    settings = pb.ConnectionConfig()
    settings.sqlite.filename_uri = home.mlmd
    return metadata_store.MetadataStore(settings)


def _record(home: Home, uri: str, state: int = pb.Artifact.LIVE) -> None:
    store = _store(home)
    kind = store.put_artifact_type(pb.ArtifactType(name="Model"))
    known = {each.uri: each.id for each in store.get_artifacts()}
    made = pb.Artifact(type_id=kind, uri=uri, state=state)
    if uri in known:
        made.id = known[uri]
    store.put_artifacts([made])


def _spec(home: Home) -> PipelineSpec:
    usecase = load_usecase(str(TOY))
    export = write_export(Path(home.root))
    manifest, sha256 = read_manifest(export.export_id, None, home)
    model = usecase.models["overdue"]
    return stages.spec_of(home, usecase, model, export.export_id, manifest, sha256)


def _trained(home: Home) -> Trained:
    return Trained(
        run_id="first",
        blessed=True,
        serving_problem=None,
        pushed=True,
        model_version=1,
        model_uri=home.model("toy_harbour", "overdue", "1"),
        verdict="passed",
        anomalies=(),
        distances=(),
        metrics={"auc": 0.8},
        thresholds=(),
        baseline_version=None,
        cached=(),
        nodes=(NodeReport(id="Trainer", state="complete", seconds=9.0),),
        tensorboard=home.path("pipelines", "toy_harbour.overdue", "Trainer"),
    )


def _written(home: Home) -> recorded.Record:
    spec = _spec(home)
    recorded.write(home, spec, recorded.key_of(spec), _artifacts(home), _trained(home))
    record = recorded.read(home, spec)
    assert record is not None
    return record


def test_the_answer_is_that_of_the_run_that_trained(home: Home) -> None:
    record = _written(home)
    assert recorded.damage(home, record) is None
    answer = recorded.answer(home, record, "second")
    assert (answer.run_id, answer.recorded, answer.metrics) == ("second", "first", {"auc": 0.8})
    assert answer.cached == ("Trainer",)
    assert answer.nodes == (NodeReport(id="Trainer", state="cached", seconds=0.0),)


@pytest.mark.parametrize(
    "name",
    [
        "models/toy_harbour.overdue/1/saved_model.pb",
        "pipelines/toy_harbour.overdue/Trainer/model/1/saved_model.pb",
    ],
)
def test_a_deleted_a_changed_and_a_foreign_file_are_named(home: Home, name: str) -> None:
    record = _written(home)
    file = Path(home.path(name))
    text = file.read_text()
    file.write_text(text[:-1] + "?")
    assert recorded.damage(home, record) == name
    file.unlink()
    assert recorded.damage(home, record) == name
    file.write_text(text)
    assert recorded.damage(home, record) is None
    other = file.with_name("variables.txt")
    other.write_text("")
    assert recorded.damage(home, record) == name.replace("saved_model.pb", "variables.txt")


def test_a_damaged_part_of_the_export_is_named(home: Home) -> None:
    record = _written(home)
    part = sorted(Path(home.path("exports")).rglob("train/*.csv"))[0]
    part.write_text(part.read_text() + "\n")
    assert recorded.damage(home, record) == str(part.relative_to(home.root))


def test_what_ml_metadata_does_not_know_is_named(home: Home) -> None:
    record = _written(home)
    _record(home, _artifacts(home)[0], pb.Artifact.DELETED)
    assert recorded.damage(home, record) == "pipelines/toy_harbour.overdue/Trainer/model/1"
    Path(home.mlmd).unlink()
    assert recorded.damage(home, record) == "pipelines/toy_harbour.overdue/Pusher/pushed/2"


def test_a_copied_home_answers_with_its_own_paths(home: Home, tmp_path: Path) -> None:
    record = _written(home)
    there = Home.at(tmp_path / "copy")
    shutil.copytree(home.root, there.root)
    answer = recorded.answer(there, record, "second")
    assert answer.model_uri == there.model("toy_harbour", "overdue", "1")
    assert answer.tensorboard == there.path("pipelines", "toy_harbour.overdue", "Trainer")


def test_the_key_depends_on_data_contract_what_serves_code_and_packages(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = _spec(home)
    key = recorded.key_of(spec)
    assert recorded.key_of(_spec(home)) == key
    rows = dict(spec.rows, train=spec.rows["train"] + 1)
    bound = msgspec.structs.replace(spec.evaluation.thresholds[0], minimum=0.99)
    evaluation = msgspec.structs.replace(
        spec.evaluation, thresholds=(bound, *spec.evaluation.thresholds[1:])
    )
    others = [
        msgspec.structs.replace(spec, **change)
        for change in (
            {"manifest_sha256": "0" * 64},
            {"rows": rows},
            {"baseline_version": 7},
            {"evaluation": evaluation},
        )
    ]
    keys = {key, *map(recorded.key_of, others)}
    monkeypatch.setattr(recorded, "code_hash", lambda *entries: "other code")
    keys.add(recorded.key_of(spec))
    monkeypatch.undo()
    monkeypatch.setattr(recorded, "packages", lambda: ["other packages"])
    keys.add(recorded.key_of(spec))
    assert len(keys) == len(others) + 3


def test_a_record_that_cannot_be_read_counts_as_none(home: Home) -> None:
    record = _written(home)
    file = Path(home.pipeline("toy_harbour", "overdue"), recorded.RECORD_FILE)
    file.write_text(file.read_text()[:40])
    assert recorded.read(home, _spec(home)) is None
    assert record.result.run_id == "first"
