"""The whole pipeline on a hand-written export: results, cache, gate, both hand-offs, definition."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from goldlake_core.contracts.ids import ModelId
from goldlake_core.contracts.registry import load_usecase
from goldlake_core.documents import training
from goldlake_core.documents.stages import TrainRequest
from goldlake_core.storage.home import Home
from metadata import stages
from metadata.pushed import pushed_models
from metadata.store import Store
from metadata.walk import backwards
from serving import config
from tests.tfx_pipeline.examples import example_records, parsed
from tests.tfx_pipeline.toy_export import ROWS, TOY, Written, toy_rows, write_export
from tfx_pipeline import stages as runner
from tfx_pipeline.exports import read_manifest
from tfx_pipeline.spec import PipelineSpec

pytestmark = pytest.mark.tfx
MODEL_ID = "toy_harbour.overdue"
ORDER = [
    "DataSnapshotGen",
    "SnapshotExampleGen",
    "StatisticsGen",
    "ValidationVerdictGen",
    "ValidationStop",
    "Transform",
    "Trainer",
    "Evaluator",
    "Blessing",
    "Pusher",
]


@dataclasses.dataclass
class Trained:
    """A home with a trained model, and the use case's folder, which tests may edit."""

    home: Path
    folder: Path
    result: training.Trained
    events: list[tuple[str, str]]

    def train(self, export: Written, folder: Path | None = None) -> training.Trained:
        return _train(self.home, folder or self.folder, export, [])

    def edited(self, target: Path, file: str, old: str, new: str) -> Path:
        """A copy of the use case with one edit."""
        copy = target / "toy_harbour"
        shutil.copytree(self.folder, copy)
        text = (copy / file).read_text()
        assert text.count(old) == 1
        (copy / file).write_text(text.replace(old, new))
        return copy


def _train(
    home: Path, folder: Path, export: Written, events: list[tuple[str, str]]
) -> training.Trained:
    request = TrainRequest(
        usecase=str(folder),
        home=str(home),
        run_id="test",
        contract=dict(load_usecase(str(folder)).hashes),
        model="overdue",
        export_id=export.export_id,
        manifest_sha256=export.manifest_sha256,
    )
    return runner.train(request, lambda kind, message, **_: events.append((kind, message)))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trained]:
    home = tmp_path_factory.mktemp("home")
    folder = tmp_path_factory.mktemp("usecases") / "toy_harbour"
    shutil.copytree(TOY, folder, ignore=shutil.ignore_patterns("__pycache__"))
    events: list[tuple[str, str]] = []
    with pytest.MonkeyPatch.context() as patch:
        # What the stage sets for its process must not outlive this module.
        patch.setenv("GOLDLAKE_HOME", str(home))
        patch.setenv(runner.USECASE_PATH, str(folder))
        result = _train(home, folder, write_export(home), events)
        yield Trained(home, folder, result, events)


def _spec(trained: Trained, **changes: Any) -> PipelineSpec:
    usecase = load_usecase(str(trained.folder))
    model = replace(usecase.models["overdue"], **changes)
    export_id = "toy_harbour/overdue/v3"
    home = Home.at(trained.home)
    manifest, sha256 = read_manifest(export_id, home=home)
    return runner.spec_of(home, usecase, model, export_id, manifest, sha256)


def _computed(result: training.Trained) -> list[str]:
    assert {node.state for node in result.nodes} <= {"cached", "complete"}
    return [node.id for node in result.nodes if node.state == "complete"]


def test_result_says_what_happened(trained: Trained) -> None:
    result = trained.result
    assert (result.blessed, result.pushed, result.model_version) == (True, True, 1)
    assert (result.verdict, result.anomalies) == ("passed", ())
    assert result.cached == ()
    assert result.baseline_version is None
    assert result.metrics["example_count"] == ROWS["test"]
    assert result.metrics["auc"] > 0.6
    assert {bound.metric for bound in result.thresholds} >= {"auc", "binary_accuracy"}
    assert all(bound.ok for bound in result.thresholds)
    assert (Path(result.model_uri) / "saved_model.pb").is_file()
    assert (Path(result.model_uri) / "assets.extra" / "evaluation.json").is_file()
    assert (result.reasons, Path(str(result.evaluation)).is_file()) == ((), True)
    assert list(Path(result.tensorboard).rglob("events.out.tfevents*"))


def test_nodes_run_in_the_order_of_the_design(trained: Trained) -> None:
    ran = [node.id for node in trained.result.nodes]
    assert [node for node in ran if node in ORDER] == ORDER
    assert ran.index("CuratedSchema") < ran.index("ExampleValidator") < ran.index("ValidationStop")
    assert ran.index("SchemaGen") < ran.index("ValidationStop")
    assert ran.index("ServingCheck") < ran.index("Pusher")
    progress = [message for kind, message in trained.events if kind == "progress"]
    assert progress[1:] == ran


def test_lineage_leads_from_the_table_to_the_model(trained: Trained) -> None:
    store = _store(trained)
    [snapshot] = store.get_artifacts_by_type("DataSnapshot")
    assert snapshot.properties["table"].string_value == "toy_harbour.gold.call_features"
    assert snapshot.properties["version"].int_value == 3
    assert snapshot.properties["table_uuid"].string_value.startswith("9d9e8a58")
    assert snapshot.properties["train_rows"].int_value == 400
    reader = Store(Home.at(trained.home))
    [pushed] = pushed_models(reader, ModelId.parse(f"{MODEL_ID}@1"))[1]
    assert snapshot.id in backwards(reader, [pushed]).artifacts


def test_the_verdict_is_an_ancestor_of_the_model_and_the_run_says_which_code(
    trained: Trained,
) -> None:
    reader = Store(Home.at(trained.home))
    pushed = pushed_models(reader, ModelId.parse(f"{MODEL_ID}@1"))[1]
    graph = backwards(reader, pushed[:1])
    ancestors = reader.artifacts(graph.artifacts).values()
    [verdict] = [each for each in ancestors if each.type == "ValidationVerdict"]
    [trainer] = [e.id for e in graph.executions.values() if e.type.endswith(".Trainer")]
    events = {event.key: event.artifact for event in graph.events if event.execution == trainer}
    assert events["verdict"] == verdict.id
    [run] = [each for each in reader.contexts(trainer) if each.type == "pipeline_run"]
    assert run.name == "test"
    assert run.properties["run_id"] == "test"
    assert len(str(run.properties["code_sha256"])) == 64
    assert run.properties["stack"] == importlib.metadata.version("tfx")
    sections = dict(load_usecase(str(trained.folder)).hashes)
    assert json.loads(str(run.properties["contract"])) == sections


def test_second_run_is_cached(trained: Trained) -> None:
    result = trained.train(write_export(trained.home))
    assert _computed(result) == []
    assert len(result.cached) == len(result.nodes) == len(trained.result.nodes)
    assert (result.model_version, result.metrics) == (1, trained.result.metrics)
    assert (trained.result.recorded, result.recorded) == (None, trained.result.run_id)
    home = Home.at(trained.home)
    repeated = stages.pipeline_run(home, "test")
    assert re.fullmatch(r"test\.\d+", repeated)
    assert (stages.run_of(repeated), stages.pipeline_run(home, "other")) == ("test", "other")


def test_edited_comment_is_cached(trained: Trained, tmp_path: Path) -> None:
    folder = trained.edited(tmp_path, "contract.yaml", "Kind of ship.", "The kind of ship.")
    assert _computed(trained.train(write_export(trained.home), folder)) == []


def test_edited_threshold_evaluates_again_and_no_more(trained: Trained, tmp_path: Path) -> None:
    folder = trained.edited(tmp_path, "models/overdue.yaml", "{min: 0.6,", "{min: 0.999,")
    result = trained.train(write_export(trained.home), folder)
    assert _computed(result) == ["Evaluator", "Blessing", "Pusher"]
    assert (result.blessed, result.pushed, result.model_version) == (False, False, None)
    [auc] = [b for b in result.thresholds if b.metric == "auc"]
    assert (auc.bound, auc.ok) == (0.999, False)
    [reason] = result.reasons
    assert reason.startswith("auc is 0.")
    assert reason.endswith(", below the bound 0.999")


def test_promoted_version_is_what_another_candidate_is_compared_with(
    trained: Trained, tmp_path: Path
) -> None:
    _promote(trained)
    unchanged = trained.train(write_export(trained.home))
    assert (unchanged.baseline_version, _computed(unchanged)) == (None, [])
    folder = trained.edited(tmp_path, "models/overdue.yaml", "{min: 0.5}", "{min: 0.51}")
    result = trained.train(write_export(trained.home), folder)
    assert result.baseline_version == 1
    # What serves learned from these very rows: the verdict, and so the training, stay as they are.
    assert set(_computed(result)) == {"ServingModel", "Evaluator", "Blessing", "Pusher"}
    assert "drift" not in {distance.compare for distance in result.distances}
    assert "max_drop" in {bound.kind for bound in result.thresholds}
    assert (result.blessed, result.model_version) == (True, 1)


def test_drifted_data_stop_the_run_with_a_verdict_on_record(trained: Trained) -> None:
    _promote(trained)
    rows = [{**row, "vessel_type": "TANKER"} for row in toy_rows(seed=2)]
    export = write_export(trained.home, rows, name="v4", version=4)
    with pytest.raises(runner.DataRefused) as caught:
        trained.train(export)
    assert caught.value.exit_code == 3
    [anomaly] = caught.value.anomalies
    assert (anomaly.column, anomaly.kind) == ("vessel_type", "drift")
    assert "refused for 1 anomalies: vessel_type (train, drift)" in caught.value.message
    store = _store(trained)
    verdict = max(store.get_artifacts_by_type("ValidationVerdict"), key=lambda a: a.id)
    assert verdict.properties["verdict"].string_value == "refused"
    last = max(store.get_executions(), key=lambda e: e.id)
    assert "ValidationStop" in store.get_execution_types_by_id([last.type_id])[0].name
    assert len(store.get_artifacts_by_type("PushedModel")) >= 1
    assert config.served_version(config.read(Home.at(trained.home).models_config), MODEL_ID) == 1


def test_both_hand_offs_give_the_same_rows(trained: Trained, tmp_path: Path) -> None:
    from tfx.orchestration.metadata import sqlite_metadata_connection_config
    from tfx.orchestration.pipeline import Pipeline

    from tfx_pipeline.local_runner import LocalRunner
    from tfx_pipeline.pipeline import BEAM_ARGS, data_nodes

    found = {}
    for handoff in ("snapshot_example_gen", "csv_example_gen"):
        nodes = data_nodes(_spec(trained, handoff=handoff)).nodes
        local = LocalRunner("test")
        local.run(
            Pipeline(
                pipeline_name=handoff,
                pipeline_root=str(tmp_path / handoff),
                components=nodes,
                metadata_connection_config=sqlite_metadata_connection_config(
                    str(tmp_path / f"{handoff}.sqlite")
                ),
                beam_pipeline_args=list(BEAM_ARGS),
            )
        )
        last = local.nodes[nodes[-1].id]
        [uri] = next(iter(last.outputs.values()))
        found[handoff] = {split: _examples(uri, split) for split in ROWS}
    assert list(local.nodes) == [
        "DataSnapshotGen",
        "CsvExampleGen",
        "ContractTypes",
    ]
    assert {split: len(rows) for split, rows in found["csv_example_gen"].items()} == ROWS
    assert found["csv_example_gen"] == found["snapshot_example_gen"]


def test_definition_names_no_place_and_every_node_holds_a_code_hash(
    trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tfx.dsl.compiler.compiler import Compiler
    from tfx.proto.orchestration import pipeline_pb2

    from tfx_pipeline import model_nodes as nodes
    from tfx_pipeline import pipeline as wiring

    for module in (wiring, nodes):
        monkeypatch.setattr(module, "code_hash", lambda *modules: "c0de")
    for handoff in ("snapshot_example_gen", "csv_example_gen"):
        spec = _spec(trained, handoff=handoff)
        made = wiring.create_pipeline(
            spec, pipeline_root="ROOT", baseline_statistics="pipelines/x/StatisticsGen/3"
        )
        definition = Compiler().compile(made)
        text = str(definition)
        for place in (trained.home, trained.folder, Path(runner.__file__).parent.parent):
            assert str(place) not in text
        deployment = pipeline_pb2.IntermediateDeploymentConfig()
        definition.deployment_config.Unpack(deployment)
        for node in definition.nodes:
            name = node.pipeline_node.node_info.id
            executor = deployment.executor_specs[name].value
            assert "c0de" in str(node.pipeline_node.parameters) or b"c0de" in executor, name


def _promote(trained: Trained) -> None:
    home = Home.at(trained.home)
    base = home.model("toy_harbour", "overdue")
    served = config.read_or_empty(home.models_config)
    served = config.with_version(served, MODEL_ID, 1, base)
    config.write(home.models_config, config.with_label(served, MODEL_ID, 1, config.STABLE, base))


def _store(trained: Trained) -> Any:
    from ml_metadata.metadata_store import MetadataStore
    from tfx.orchestration.metadata import sqlite_metadata_connection_config

    return MetadataStore(sqlite_metadata_connection_config(Home.at(trained.home).mlmd))


def _examples(uri: str, split: str) -> list[str]:
    records = example_records(uri, split)
    return sorted(
        str(sorted((name, list(values)) for name, values in parsed(record).items() if values))
        for record in records
    )
