from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from goldlake_core.contracts.sections import Threshold
from goldlake_core.documents.training import Bound
from tests.tfx_pipeline import toy
from tests.tfx_pipeline.conftest import Toy
from tfx_pipeline import scores
from tfx_pipeline.evaluation.evaluation import check_thresholds, eval_config, read_evaluation
from tfx_pipeline.spec import EvaluationSpec

AUC = Threshold("auc", minimum=0.7, max_drop=0.05)
CALIBRATION = Threshold("calibration", minimum=0.5, maximum=1.5)


def spec(*thresholds: Threshold) -> EvaluationSpec:
    return EvaluationSpec("parcels.late", toy.LABEL, thresholds, (("vehicle",), ("hour",)))


def test_bounds_of_a_first_model() -> None:
    found = check_thresholds((AUC, CALIBRATION), {"auc": 0.69, "calibration": 1.5})
    assert found == (
        Bound(metric="auc", kind="minimum", value=0.69, bound=0.7, ok=False),
        Bound(metric="calibration", kind="minimum", value=1.5, bound=0.5, ok=True),
        Bound(metric="calibration", kind="maximum", value=1.5, bound=1.5, ok=True),
    )


def test_a_drop_is_counted_from_what_serves_now() -> None:
    loss = Threshold("binary_crossentropy", max_drop=0.1)
    found = check_thresholds(
        (AUC, loss),
        {"auc": 0.8, "binary_crossentropy": 0.45},
        {"auc": 0.86, "binary_crossentropy": 0.4},
    )
    assert [(each.kind, each.ok) for each in found] == [
        ("minimum", True),
        ("max_drop", False),
        ("max_drop", True),
    ]
    assert found[1].bound == pytest.approx(0.81)
    assert found[2].bound == pytest.approx(0.5)


def test_an_undefined_metric_keeps_no_bound() -> None:
    found = check_thresholds((AUC,), {"auc": None}, {"auc": 0.8})
    assert [each.ok for each in found] == [False, False]


class Evaluated:
    """The Evaluator on the toy's test split: the pipeline's, or TFX's own."""

    def __init__(
        self,
        toy_data: Toy,
        model: Path,
        folder: Path,
        *,
        baseline: Path | None,
        is_stock: bool = False,
    ) -> None:
        from tfx.components.evaluator import executor as stock
        from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
        from tfx.types import artifact_utils, standard_artifacts
        from tfx.utils import proto_utils

        from tfx_pipeline.components.evaluator import Executor

        def artifact(kind: Any, uri: Path) -> Any:
            made = kind()
            made.uri = str(uri)
            return made

        examples = artifact(standard_artifacts.Examples, toy_data.examples)
        examples.split_names = artifact_utils.encode_split_names(["train", "eval", "test"])
        inputs = {"model": [artifact(standard_artifacts.Model, model)], "examples": [examples]}
        if baseline is not None:
            inputs["baseline_model"] = [artifact(standard_artifacts.Model, baseline)]
        evaluation = artifact(standard_artifacts.ModelEvaluation, folder / "evaluation")
        blessing = artifact(standard_artifacts.ModelBlessing, folder / "blessing")
        for each in (evaluation, blessing):
            Path(each.uri).mkdir(parents=True)
        self.uri = evaluation.uri
        self._blessing = blessing
        self._context = BaseBeamExecutor.Context(
            beam_pipeline_args=[], tmp_dir=str(folder / "tmp"), unique_id="1"
        )
        self._executor = (stock.Executor if is_stock else Executor)(self._context)
        self._inputs = inputs
        self._outputs = {"evaluation": [evaluation], "blessing": [blessing]}
        self._has_baseline = baseline is not None
        self._to_json = proto_utils.proto_to_json

    def run(self, bounds: EvaluationSpec, rows: int) -> bool:
        """Runs it; returns whether the model is blessed."""
        self.run_config(eval_config(bounds, rows=rows, has_baseline=self._has_baseline))
        return bool(self._blessing.get_int_custom_property("blessed"))

    def run_config(self, config: Any) -> None:
        """Runs it with a config of TFMA's."""
        properties = {"eval_config": self._to_json(config), "example_splits": '["test"]'}
        self._executor.Do(self._inputs, self._outputs, properties)


@pytest.mark.tfx
def test_blessed_against_what_serves_with_exact_numbers(
    toy_data: Toy, toy_model: Path, tmp_path: Path
) -> None:
    from tests.tfx_pipeline.modules.test_trainer import probabilities

    bounds = spec(AUC, CALIBRATION)
    evaluated = Evaluated(toy_data, toy_model, tmp_path, baseline=toy_model)
    assert evaluated.run(bounds, toy.ROWS["test"])
    found = read_evaluation(evaluated.uri, bounds)
    rows = toy_data.rows["test"]
    labels = np.array([row[toy.LABEL] for row in rows], "float32")
    answers = probabilities(toy_model, rows)
    for name, score in scores.SCORES.items():
        assert found.metrics[name] == pytest.approx(score(labels, answers), abs=1e-5)
    assert found.baseline == pytest.approx(found.metrics, abs=1e-5)
    assert found.is_blessed
    assert [(each.metric, each.kind, each.ok) for each in found.thresholds] == [
        ("auc", "minimum", True),
        ("auc", "max_drop", True),
        ("calibration", "minimum", True),
        ("calibration", "maximum", True),
        ("example_count", "minimum", True),
        ("example_count", "maximum", True),
    ]
    vans = [number for number, row in enumerate(rows) if row["vehicle"] == "van"]
    by_slice = {tuple(each.slice.items()): each.metrics for each in found.slices}
    of_vans = by_slice[("vehicle", "van"),]
    assert of_vans["example_count"] == len(vans)
    assert of_vans["auc"] == pytest.approx(scores.auc(labels[vans], answers[vans]), abs=1e-5)
    assert sum(("hour" in each.slice) for each in found.slices) == 24


@pytest.mark.tfx
@pytest.mark.parametrize("has_baseline", [False, True])
def test_answers_by_slice_give_what_tfx_gives(
    has_baseline: bool, toy_data: Toy, toy_model: Path, tmp_path: Path
) -> None:
    """TFMA's files of both, and the answers that only ours leaves."""
    import tensorflow_model_analysis as tfma

    from tfx_pipeline.components.evaluator import read_answers

    bounds = EvaluationSpec(
        "parcels.late", toy.LABEL, (AUC, CALIBRATION), (("vehicle",), ("vehicle", "hour"))
    )
    baseline = toy_model if has_baseline else None
    found = {}
    for name in ("stock", "ours"):
        is_stock = name == "stock"
        evaluated = Evaluated(
            toy_data, toy_model, tmp_path / name, baseline=baseline, is_stock=is_stock
        )
        assert evaluated.run(bounds, toy.ROWS["test"])
        metrics = list(tfma.load_metrics(evaluated.uri))
        assert (read_answers(evaluated.uri) is None) == is_stock
        names = [
            (
                sorted(str(each.slice_key) for each in metrics),
                sorted({str(key.key) for each in metrics for key in each.metric_keys_and_values}),
                tfma.load_validation_result(evaluated.uri).validation_ok,
                tfma.load_eval_result(evaluated.uri).config,
            )
        ]
        found[name] = (read_evaluation(evaluated.uri, bounds), names)
    (ours, our_names), (theirs, their_names) = found["ours"], found["stock"]
    assert our_names == their_names
    assert ours.metrics == pytest.approx(theirs.metrics, rel=1e-6)
    assert (ours.baseline is not None) == has_baseline
    if has_baseline:
        assert ours.baseline == pytest.approx(theirs.baseline, rel=1e-6)
    for one, other in zip(ours.slices, theirs.slices, strict=True):
        assert one.slice == other.slice
        # A metric of a slice with one class is undefined.
        assert {n for n, value in one.metrics.items() if value is None} == {
            n for n, value in other.metrics.items() if value is None
        }
        defined = {n: value for n, value in other.metrics.items() if value is not None}
        assert {n: one.metrics[n] for n in defined} == pytest.approx(defined, rel=1e-6)
    assert [each.ok for each in ours.thresholds] == [each.ok for each in theirs.thresholds]
    assert len(ours.slices) > 24


@pytest.mark.tfx
def test_a_metric_of_tfma_is_computed_by_tfx(
    toy_data: Toy, toy_model: Path, tmp_path: Path
) -> None:
    import tensorflow_model_analysis as tfma

    from tfx_pipeline.components.evaluator import read_answers
    from tfx_pipeline.evaluation.by_slice import asked_by

    config = eval_config(spec(AUC), rows=toy.ROWS["test"], has_baseline=False)
    assert asked_by(config) == ("late", "binary", (("vehicle",), ("hour",)))
    config.model_specs[0].prediction_key = "probability"
    config.options.min_slice_size.value = 2
    assert asked_by(config) is None
    config.options.ClearField("min_slice_size")
    config.metrics_specs.add().metrics.add(class_name="AUC")
    assert asked_by(config) is None
    evaluated = Evaluated(toy_data, toy_model, tmp_path, baseline=None)
    evaluated.run_config(config)
    assert read_answers(evaluated.uri) is None
    metrics = tfma.load_eval_result(evaluated.uri).get_metrics_for_slice(())
    assert {"auc", "example_count"} <= metrics.keys()


@pytest.mark.tfx
def test_a_bound_that_is_missed_and_a_lost_row_refuse_the_blessing(
    toy_data: Toy, toy_model: Path, tmp_path: Path
) -> None:
    bounds = spec(Threshold("auc", minimum=0.95))
    strict = Evaluated(toy_data, toy_model, tmp_path / "strict", baseline=None)
    assert not strict.run(bounds, toy.ROWS["test"])
    found = read_evaluation(strict.uri, bounds)
    assert not found.is_blessed
    assert found.baseline is None
    assert [each.ok for each in found.thresholds] == [False, True, True]
    lost = Evaluated(toy_data, toy_model, tmp_path / "lost", baseline=None)
    assert not lost.run(spec(AUC), toy.ROWS["test"] + 1)
    thresholds = read_evaluation(lost.uri, spec(AUC)).thresholds
    assert thresholds[1] == Bound(
        metric="example_count", kind="minimum", value=800.0, bound=801.0, ok=False
    )
