"""TFMA on answers that are known, a slice at a time. A leaf that imports TFMA.

TFMA asks the models itself, and then takes each row apart for each of its slices. Here it gets the
answers of all rows of a slice as one element: the metrics, their differences from the model that
serves, the verdict and the files are TFMA's as before.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import apache_beam as beam
import numpy as np
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.extractors import extractor, slice_key_extractor

from goldlake_core.contracts.heads import HeadKind
from tfx_pipeline.evaluation.evaluation import EXACT_SCORE, METRICS_MODULE
from tfx_pipeline.evaluation.metrics import KEPT
from tfx_pipeline.evaluation.slices import Answers, places_of
from tfx_pipeline.heads.base import Columns


class Asked(NamedTuple):
    """What an EvalConfig needs to know of the rows.

    Attributes:
        label: Name of the label.
        head: The head whose scores are its metrics.
        slices: Columns of its slices, without the whole split.
    """

    label: str
    head: HeadKind
    slices: tuple[tuple[str, ...], ...]


def asked_by(config: tfma.EvalConfig) -> Asked | None:
    """What a config asks for, or None where answers by slice are not enough for it. Pure.

    They are enough where all metrics are scores of one head, and slices are named by columns.
    """
    metrics = [metric for each in config.metrics_specs for metric in each.metrics]
    own = all(m.class_name == EXACT_SCORE and m.module == METRICS_MODULE for m in metrics)
    heads = {json.loads(metric.config)["head"] for metric in metrics} if own else set()
    labels = {model.label_key for model in config.model_specs}
    plain_models = all(
        model.label_key and not model.example_weight_key and not model.example_weight_keys
        for model in config.model_specs
    )
    plain_slices = all(
        not spec.feature_values and not spec.slice_keys_sql for spec in config.slicing_specs
    )
    options = config.options
    others = config.cross_slicing_specs or options.compute_confidence_intervals.value
    # TFMA counts elements, and here each slice has one.
    others = others or options.min_slice_size.value > 1
    if len(heads) != 1 or len(labels) != 1 or not plain_models or not plain_slices or others:
        return None
    slices = [tuple(spec.feature_keys) for spec in config.slicing_specs if spec.feature_keys]
    return Asked(labels.pop(), heads.pop(), tuple(dict.fromkeys(slices)))


def analyze(
    pipeline: beam.Pipeline,
    answers: Answers,
    config: tfma.EvalConfig,
    models: Sequence[tfma.types.EvalSharedModel],
    output: str,
) -> None:
    """Adds TFMA's analysis of answers to a pipeline, which writes TFMA's files when it runs.

    Args:
        pipeline: Beam pipeline that has not run yet.
        answers: Answers of the candidate, and of the baseline where the config has one.
        config: What to compute, with all defaults; `asked_by` says that answers are enough for it.
        models: The models as TFMA knows them; their locations are recorded, they are not loaded.
        output: Folder of the ModelEvaluation artifact.
    """
    as_they_are = extractor.Extractor(
        stage_name=slice_key_extractor.SLICE_KEY_EXTRACTOR_STAGE_NAME,
        ptransform=beam.Map(lambda extracts: extracts),
    )
    shared = list(models) if len(models) > 1 else models[0]
    _ = (
        pipeline
        | "Answers" >> beam.Create(list(extracts_of(answers, config)), reshuffle=False)
        | "ExtractEvaluateAndWriteResults"
        >> tfma.ExtractEvaluateAndWriteResults(
            eval_shared_model=shared,
            eval_config=config,
            extractors=[as_they_are],
            output_path=output,
        )
    )


def extracts_of(answers: Answers, config: tfma.EvalConfig) -> Iterator[tfma.types.Extracts]:
    """TFMA's extracts: one element with all rows of a slice, for each slice. Pure.

    A config without slices has the whole split as its only one, as TFMA has it.
    """
    for spec in config.slicing_specs or [tfma.SlicingSpec()]:
        columns = list(spec.feature_keys)
        if not columns:
            if answers.rows:
                yield _extracts(answers, config, (), None)
            continue
        for texts, rows in places_of(answers.values, columns):
            named = zip(columns, texts, strict=True)
            key = sorted((name, _typed(text, answers.kinds[name])) for name, text in named)
            yield _extracts(answers, config, tuple(key), rows)


def _extracts(
    answers: Answers, config: tfma.EvalConfig, key: Any, rows: np.ndarray | None
) -> tfma.types.Extracts:
    def part(columns: Columns) -> Columns:
        return columns if rows is None else tuple(each[rows] for each in columns)

    predictions: dict[str, dict[str, Columns]] = {}
    for model in config.model_specs:
        columns = answers.baseline if model.is_baseline else answers.candidate
        assert columns is not None, "a config with a baseline has its answers"
        predictions[model.name] = {KEPT: part(columns)}
    # TFMA leaves the names of models out where there is only one.
    only = predictions[config.model_specs[0].name]
    return {
        # TFMA counts the bytes of its input, and says for each element where it cannot.
        tfma.INPUT_KEY: b"",
        tfma.LABELS_KEY: {},
        tfma.PREDICTIONS_KEY: predictions if len(predictions) > 1 else only,
        tfma.SLICE_KEY_TYPES_KEY: [key],
    }


def _typed(text: str, kind: str) -> str | int | float:
    """A slicing value as TFMA has it in the key of a slice."""
    if kind == "int64":
        return int(text)
    return float(text) if kind == "float" else text
