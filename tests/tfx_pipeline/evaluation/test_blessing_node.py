"""The node that blesses: answers of real SavedModels to real tf.Examples, and its artifact."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from goldlake_core.contracts.sections import Threshold
from tfx_pipeline.evaluation.answers import answers_of
from tfx_pipeline.spec import ColumnSpec, EvaluationSpec

pytestmark = pytest.mark.tfx
COLUMNS = [
    ColumnSpec("late", "boolean", False),
    ColumnSpec("x", "double", False),
    ColumnSpec("vehicle", "string", True),
    ColumnSpec("hour", "long", False),
]
ROWS = 3000
SPEC = EvaluationSpec(
    "parcels.late", "late", (Threshold("auc", minimum=0.6),), (("vehicle",), ("vehicle", "hour"))
)


def rows() -> list[dict[str, Any]]:
    random = np.random.default_rng(1)
    made: list[dict[str, Any]] = []
    for number in range(ROWS):
        x = float(np.float32(random.normal()))
        late = bool(random.random() < 1 / (1 + np.exp(-x)))
        vehicle = None if number % 10 == 9 else ("van", "bike")[number % 2]
        made.append({"late": late, "x": x, "vehicle": vehicle, "hour": number % 3})
    return made


def write_examples(folder: Path, made: list[dict[str, Any]]) -> None:
    import tensorflow as tf

    from tfx_pipeline.modules.raw_rows import serialize

    (folder / "Split-test").mkdir(parents=True)
    with tf.io.TFRecordWriter(str(folder / "Split-test" / "part-0.gz"), "GZIP") as file:
        for row in made:
            file.write(serialize(row, COLUMNS))


def write_model(folder: Path, *, bike: float) -> None:
    """A logistic model of x, with another slope for bikes."""
    import tensorflow as tf

    from tfx_pipeline.modules.saved_model import TF_EXAMPLE

    class Logistic(tf.Module):  # type: ignore[misc]
        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "examples")])
        def tf_example(self, examples: Any) -> dict[str, Any]:
            features = {
                "x": tf.io.FixedLenFeature([], tf.float32),
                "vehicle": tf.io.FixedLenFeature([], tf.string, ""),
            }
            parsed = tf.io.parse_example(examples, features)
            slope = tf.where(parsed["vehicle"] == "bike", bike, 1.0)
            return {"probability": tf.sigmoid(slope * parsed["x"])}

    module = Logistic()
    tf.saved_model.save(
        module, str(folder / "Format-Serving"), signatures={TF_EXAMPLE: module.tf_example}
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("blessing")
    write_examples(folder / "examples", rows())
    write_examples(folder / "nothing", [])
    write_model(folder / "good", bike=1.0)
    write_model(folder / "bad", bike=-1.0)
    write_model(folder / "broken", bike=float("nan"))
    return folder


def answered(made: Path, candidate: str, baseline: str | None = None) -> Any:
    return answers_of(
        [str(made / "examples" / "Split-test" / "*")],
        SPEC,
        str(made / candidate / "Format-Serving"),
        None if baseline is None else str(made / baseline / "Format-Serving"),
    )


def test_answers_are_those_of_the_models_to_the_same_rows(made: Path) -> None:
    found = answered(made, "bad", "good")
    raw = rows()
    x = np.array([row["x"] for row in raw])
    slope = np.where([row["vehicle"] == "bike" for row in raw], -1, 1)
    assert found.baseline is not None
    assert found.rows == ROWS
    assert found.baseline[0].tolist() == [int(row["late"]) for row in raw]
    assert found.baseline[1] == pytest.approx(1 / (1 + np.exp(-x)), abs=1e-6)
    assert found.candidate[1] == pytest.approx(1 / (1 + np.exp(-slope * x)), abs=1e-6)
    assert found.values["vehicle"] == [row["vehicle"] for row in raw]
    assert found.values["hour"] == [str(row["hour"]) for row in raw]
    assert answered(made, "good").baseline is None


def test_a_row_without_a_label_is_an_error(made: Path, tmp_path: Path) -> None:
    write_examples(tmp_path, [{**rows()[0], "late": None}])
    model = str(made / "good" / "Format-Serving")
    with pytest.raises(ValueError, match="A row of the test split has no label 'late'"):
        answers_of([str(tmp_path / "Split-test" / "*")], SPEC, model)


class Node:
    """The executor on artifacts. TFMA's verdict is given, as the Evaluator publishes it."""

    def __init__(self, made: Path, folder: Path) -> None:
        self._made = made
        self._folder = folder

    def run(
        self, candidate: str, baseline: str | None, *, examples: str = "examples", rows: int = ROWS
    ) -> Any:
        from tfx.types import artifact_utils, standard_artifacts

        from tfx_pipeline.components.blessing import BlessingExecutor

        def artifact(kind: Any, uri: Path) -> Any:
            found = kind()
            found.uri = str(uri)
            return found

        data = artifact(standard_artifacts.Examples, self._made / examples)
        data.split_names = artifact_utils.encode_split_names(["test"])
        verdict = artifact(standard_artifacts.ModelBlessing, self._folder / "verdict")
        verdict.set_int_custom_property("blessed", 1)
        inputs = {
            "model": [artifact(standard_artifacts.Model, self._made / candidate)],
            "examples": [data],
            "evaluation": [
                artifact(standard_artifacts.ModelEvaluation, self._folder / "evaluation")
            ],
            "verdict": [verdict],
        }
        if baseline is not None:
            served = artifact(standard_artifacts.Model, self._made / baseline)
            served.set_int_custom_property("version", 7)
            inputs["baseline_model"] = [served]
        blessing = artifact(
            standard_artifacts.ModelBlessing, self._folder / f"{candidate}-{examples}"
        )
        properties = {"spec": json.dumps(SPEC.to_json()), "rows": rows, "not_compared": ""}
        BlessingExecutor().Do(inputs, {"blessing": [blessing]}, properties)
        return blessing


def test_the_artifact_says_whether_and_why(made: Path, tmp_path: Path) -> None:
    from tfx_pipeline.components.blessing import read_report

    node = Node(made, tmp_path)
    good = node.run("good", "good")
    assert good.get_int_custom_property("blessed") == 1
    assert (Path(good.uri) / "BLESSED").is_file()
    report = read_report(good.uri)
    assert (report.blessed, report.baseline_version) == (True, 7)
    assert len(report.slices) == 1 + 2 + 6
    assert good.get_string_custom_property("why") == report.why

    bad = node.run("bad", "good")
    assert bad.get_int_custom_property("blessed") == 0
    assert (Path(bad.uri) / "NOT_BLESSED").is_file()
    report = read_report(bad.uri)
    reasons = bad.get_string_custom_property("reasons").split("\n")
    assert reasons == list(report.reasons)
    assert any(reason.startswith("vehicle=bike: auc falls from 0.") for reason in reasons)
    assert not any(reason.startswith("vehicle=van: ") for reason in reasons)
    assert bad.get_string_custom_property("model") == "parcels.late"


def test_no_rows_and_answers_that_are_no_numbers_refuse(made: Path, tmp_path: Path) -> None:
    node = Node(made, tmp_path)
    empty = node.run("good", None, examples="nothing", rows=0)
    assert empty.get_int_custom_property("blessed") == 0
    assert empty.get_string_custom_property("why") == (
        "No bound can hold: the test split has no rows"
    )
    broken = node.run("broken", None)
    assert broken.get_string_custom_property("why") == (
        "No bound can hold: the answer of the candidate is not a finite number in 1,200 of "
        "3,000 rows"
    )


def test_the_pipeline_has_the_node_between_evaluator_and_pusher(made: Path) -> None:
    from tfx.types import channel, standard_artifacts

    from tfx_pipeline.components.blessing import Blessing

    def given(kind: Any) -> Any:
        return channel.Channel(type=kind)

    arguments = {
        "model": given(standard_artifacts.Model),
        "examples": given(standard_artifacts.Examples),
        "evaluation": given(standard_artifacts.ModelEvaluation),
        "verdict": given(standard_artifacts.ModelBlessing),
        "spec": "{}",
        "rows": 3,
        "not_compared": "",
        "code_hash": "x",
    }
    alone = Blessing(**arguments, baseline_model=None)
    assert set(alone.inputs) == {"model", "examples", "evaluation", "verdict"}
    compared = Blessing(**arguments, baseline_model=given(standard_artifacts.Model))
    assert set(compared.inputs) - set(alone.inputs) == {"baseline_model"}


@pytest.mark.parametrize(
    ("count", "reason"),
    [
        (200, r"^TFMA: auc of the whole test split is 0\.\d+, which its bound refuses$"),
        (0, "^TFMA: there are no rows in the whole test split, which has a bound$"),
    ],
)
def test_what_tfma_refuses_by_itself_is_a_sentence(
    count: int, reason: str, made: Path, tmp_path: Path
) -> None:
    from tests.tfx_pipeline.evaluation.test_evaluation import Evaluated
    from tfx_pipeline.evaluation.evaluation import failed_validations, read_evaluation

    write_examples(tmp_path, rows()[:count])
    for split in ("train", "eval"):
        (tmp_path / f"Split-{split}").mkdir()
    data: Any = SimpleNamespace(examples=tmp_path)
    evaluated = Evaluated(data, made / "good", tmp_path / "out", baseline=None)
    spec = replace(SPEC, thresholds=(Threshold("auc", minimum=0.99),))
    assert not evaluated.run(spec, count)
    [told] = failed_validations(evaluated.uri)
    assert re.match(reason, told), told
    found = read_evaluation(evaluated.uri, spec)
    assert found.metrics.get("example_count", 0) == count
    assert not found.is_blessed


def test_a_pushed_version_has_its_evaluation_beside_it(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tfx.types import standard_artifacts

    from goldlake.workflows import views
    from goldlake_core.documents import codec
    from goldlake_core.documents.evaluation import EvaluationReport
    from goldlake_core.storage.home import Home
    from tests.tfx_pipeline.evaluation.test_evaluation import Evaluated
    from tests.tfx_pipeline.toy_export import write_export
    from tfx_pipeline.components.model import PusherExecutor

    home = Home.at(tmp_path / "home")
    monkeypatch.setenv("GOLDLAKE_HOME", home.root)
    export = write_export(Path(home.root))
    node = Node(made, tmp_path)
    blessing = node.run("good", "good")
    data: Any = SimpleNamespace(examples=tmp_path / "data")
    write_examples(tmp_path / "data", rows())
    evaluated = Evaluated(data, made / "good", tmp_path / "out", baseline=None)
    assert evaluated.run(SPEC, ROWS)

    def artifact(kind: Any, uri: object) -> Any:
        found = kind()
        found.uri = str(uri)
        return found

    servable = artifact(standard_artifacts.InfraBlessing, tmp_path / "servable")
    servable.set_int_custom_property("blessed", 1)
    pushed = artifact(standard_artifacts.PushedModel, tmp_path / "pushed")
    Path(pushed.uri).mkdir()
    inputs = {
        "model": [artifact(standard_artifacts.Model, made / "good")],
        "evaluation": [artifact(standard_artifacts.ModelEvaluation, evaluated.uri)],
        "model_blessing": [blessing],
        "infra_blessing": [servable],
    }
    properties = {
        "usecase": "parcels",
        "model_name": "late",
        "export_id": export.export_id,
        "manifest_sha256": export.manifest_sha256,
        "fingerprint": "f",
        "recipe": "{}",
        "baseline_version": 7,
    }
    PusherExecutor().Do(inputs, {"pushed_model": [pushed]}, properties)
    file = Path(home.model("parcels", "late", "1")) / "assets.extra" / "evaluation.json"
    report = codec.decode(file.read_bytes(), EvaluationReport, str(file))
    [version] = views.models(home).models["parcels.late"].versions
    assert (version.blessed, version.why) == (True, report.why)
    assert not version.serves

    refused = node.run("bad", "good")
    inputs["model_blessing"] = [refused]
    PusherExecutor().Do(inputs, {"pushed_model": [pushed]}, properties)
    assert pushed.get_int_custom_property("pushed") == 0
    assert not Path(home.model("parcels", "late", "2")).exists()
