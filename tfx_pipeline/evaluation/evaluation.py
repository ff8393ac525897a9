"""TFMA's configuration, the bounds that bless a candidate, and TFMA's results.

Labels and slice columns are raw ones and predictions come from the signature that takes serialized
examples, so TFMA need not call Transform's layer a second time.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

import msgspec
from msgspec.structs import replace

from goldlake_core.contracts.heads import COST, METRICS, OVER_BASELINE
from goldlake_core.contracts.sections import Threshold
from goldlake_core.documents.training import Bound, Metrics
from tfx_pipeline.heads.base import COUNT
from tfx_pipeline.heads.registry import HEADS
from tfx_pipeline.modules.saved_model import TF_EXAMPLE
from tfx_pipeline.spec import EvaluationSpec

_DIFFERENCE = "_diff"
EXACT_SCORE, METRICS_MODULE = "ExactScore", "tfx_pipeline.evaluation.metrics"
"""The class of all metrics, and its module, which TFMA imports by name."""
CANDIDATE, BASELINE = "candidate", "baseline"
"""Model names in TFMA's results, which leave the name out where there is only one model."""


class Slice(msgspec.Struct, frozen=True, kw_only=True):
    """The metrics of some rows of the test split.

    Attributes:
        slice: Value by column, as text, of the rows.
        metrics: The candidate's metrics on them.
    """

    slice: dict[str, str]
    metrics: Metrics


class Evaluation(msgspec.Struct, frozen=True, kw_only=True):
    """What TFMA found about a candidate.

    Attributes:
        metrics: The candidate's metrics on the whole test split.
        baseline: The same of the model that serves now, or None where there was none.
        thresholds: The bounds with what was found; the number of rows is a bound as well.
        slices: The candidate's metrics by slice.
        is_blessed: TFMA's own verdict.
    """

    metrics: Metrics
    baseline: Metrics | None
    thresholds: tuple[Bound, ...]
    slices: tuple[Slice, ...]
    is_blessed: bool


def eval_config(spec: EvaluationSpec, *, rows: int, has_baseline: bool) -> Any:
    """TFMA's EvalConfig.

    Args:
        spec: Thresholds and slices of the contract.
        rows: Number of rows of the test split; a candidate evaluated on more or fewer is not
            blessed.
        has_baseline: Whether the candidate is compared with a model; without one, ``max_drop``
            does not count.
    """
    from tensorflow_model_analysis.proto import config_pb2

    names = [CANDIDATE, BASELINE] if has_baseline else [""]
    bounds = {bound.metric: bound for bound in _bounds(spec.thresholds)}
    bounds[COUNT] = row_count(rows)
    costs = [] if spec.costs is None else [COST]
    names_of_metrics = dict.fromkeys([*HEADS[spec.head].scores, *costs, COUNT, *bounds])
    metrics = [
        _metric(metric, spec, _tfma_threshold(bounds.get(metric), has_baseline))
        for metric in names_of_metrics
    ]
    slices = [config_pb2.SlicingSpec(feature_keys=list(columns)) for columns in spec.slices]
    models = [
        config_pb2.ModelSpec(
            name=name,
            signature_name=TF_EXAMPLE,
            label_key=spec.label,
            # Else TFMA tries to load the SavedModel as a Keras model first.
            model_type="tf_generic",
            is_baseline=name == BASELINE,
        )
        for name in names
    ]
    compared = names if has_baseline else []
    return config_pb2.EvalConfig(
        model_specs=models,
        slicing_specs=[config_pb2.SlicingSpec(), *slices],
        metrics_specs=[config_pb2.MetricsSpec(metrics=metrics, model_names=compared)],
    )


def row_count(rows: int) -> Threshold:
    """The bound of the number of rows: none of the split is lost, and none comes twice."""
    return Threshold(COUNT, minimum=rows, maximum=rows)


def _bounds(thresholds: Iterable[Threshold]) -> Iterator[Threshold]:
    """The bounds one by one; what compares with a constant answer is another metric."""
    for threshold in thresholds:
        if any(each is not None for each in (threshold.minimum, threshold.maximum)) or (
            threshold.max_drop is not None
        ):
            yield replace(threshold, over_baseline=None)
        if threshold.over_baseline is not None:
            yield Threshold(f"{threshold.metric}{OVER_BASELINE}", threshold.over_baseline)


def _metric(name: str, spec: EvaluationSpec, threshold: Any | None) -> Any:
    """A metric of every slice, whose bound holds for the whole split only."""
    from tensorflow_model_analysis.proto import config_pb2

    bounds = []
    costs = {} if spec.costs is None else {"costs": msgspec.to_builtins(spec.costs)}
    if threshold is not None:
        whole = [config_pb2.SlicingSpec()]
        bounds = [config_pb2.PerSliceMetricThreshold(slicing_specs=whole, threshold=threshold)]
    return config_pb2.MetricConfig(
        class_name=EXACT_SCORE,
        module=METRICS_MODULE,
        config=json.dumps({"name": name, "head": spec.head, **costs}),
        per_slice_thresholds=bounds,
    )


def _tfma_threshold(threshold: Threshold | None, has_baseline: bool) -> Any:
    from tensorflow_model_analysis.proto import config_pb2

    if threshold is None:
        return None
    made = config_pb2.MetricThreshold()
    if threshold.minimum is not None:
        made.value_threshold.lower_bound.value = threshold.minimum
    if threshold.maximum is not None:
        made.value_threshold.upper_bound.value = threshold.maximum
    if threshold.max_drop is not None and has_baseline:
        is_higher_better = METRICS[threshold.metric].is_better_high
        direction = "HIGHER_IS_BETTER" if is_higher_better else "LOWER_IS_BETTER"
        made.change_threshold.direction = getattr(config_pb2.MetricDirection, direction)
        drop = threshold.max_drop
        made.change_threshold.absolute.value = -drop if is_higher_better else drop
    return made


_BoundKind = Literal["minimum", "maximum", "max_drop"]


def check_thresholds(
    thresholds: Iterable[Threshold],
    metrics: Metrics,
    baseline: Metrics | None = None,
) -> tuple[Bound, ...]:
    """Compares each bound of the contract with the measured value; pure.

    Args:
        thresholds: Bounds that the contract declares.
        metrics: Metrics of the candidate on the whole test split; None if a metric is undefined.
        baseline: Metrics of the serving model, or None if no model serves.

    Returns:
        What was found for each bound. The bound of ``max_drop`` is the baseline's value less the
        drop; without a baseline it is left out.
    """
    checked: list[Bound] = []

    def add(metric: str, kind: _BoundKind, bound: float | None, is_lower_bound: bool) -> None:
        value = metrics.get(metric)
        ok = False
        if value is not None and bound is not None:
            ok = value >= bound if is_lower_bound else value <= bound
        checked.append(Bound(metric=metric, kind=kind, value=value, bound=bound, ok=ok))

    for threshold in _bounds(thresholds):
        if threshold.minimum is not None:
            add(threshold.metric, "minimum", threshold.minimum, True)
        if threshold.maximum is not None:
            add(threshold.metric, "maximum", threshold.maximum, False)
        if threshold.max_drop is not None and baseline is not None:
            before = baseline.get(threshold.metric)
            is_higher_better = bool(METRICS[threshold.metric].is_better_high)
            sign = -1 if is_higher_better else 1
            bound = None if before is None else before + sign * threshold.max_drop
            add(threshold.metric, "max_drop", bound, is_higher_better)
    return tuple(checked)


def read_evaluation(uri: str, spec: EvaluationSpec | None = None) -> Evaluation:
    """Reads what TFMA wrote; read-only.

    Args:
        uri: Location of the ModelEvaluation artifact.
        spec: The bounds that were evaluated; without it ``thresholds`` is empty.
    """
    import tensorflow_model_analysis as tfma

    config = tfma.load_eval_result(uri).config
    has_baseline = any(model.is_baseline for model in config.model_specs)
    found = _metrics_by_slice(tfma, uri, CANDIDATE if has_baseline else None)
    slices = sorted(key for key in found if key)
    # Where the split has no rows, TFMA has no slice at all.
    baseline = _metrics_by_slice(tfma, uri, BASELINE).get((), {}) if has_baseline else None
    whole = found.get((), {})
    bounds = (*spec.thresholds, _count_bound(config)) if spec else ()
    return Evaluation(
        metrics=whole,
        baseline=baseline,
        thresholds=check_thresholds(bounds, whole, baseline),
        slices=tuple(Slice(slice=dict(key), metrics=found[key]) for key in slices),
        is_blessed=bool(tfma.load_validation_result(uri).validation_ok),
    )


def failed_validations(uri: str) -> tuple[str, ...]:
    """What TFMA refuses, one sentence each; at least one where it refuses anything. Read-only.

    Args:
        uri: Location of the ModelEvaluation artifact.
    """
    import tensorflow_model_analysis as tfma

    result = tfma.load_validation_result(uri)
    if result.validation_ok:
        return ()
    failures = tuple(
        f"TFMA: {failure.metric_key.name} of {_slice_text(found.slice_key)} is "
        f"{failure.metric_value.double_value.value:.4g}, which its bound refuses"
        for found in result.metric_validations_per_slice
        for failure in found.failures
    )
    missing = tuple(
        f"TFMA: there are no rows in {_slice_text(spec)}, which has a bound"
        for spec in result.missing_slices
    )
    return (*failures, *missing) or ("TFMA refuses it without naming a bound",)


def _slice_text(key: Any) -> str:
    """A slice of TFMA's messages, as the whole split where it names no column."""
    return " ".join(str(key).split()) or "the whole test split"


def _count_bound(config: Any) -> Threshold:
    """The number of rows that `eval_config` requires."""
    for metric in (metric for each in config.metrics_specs for metric in each.metrics):
        if json.loads(metric.config or "{}").get("name") == COUNT:
            bound = metric.per_slice_thresholds[0].threshold.value_threshold
            return Threshold(COUNT, bound.lower_bound.value, bound.upper_bound.value)
    raise ValueError("The evaluation was not made by this package: it does not bound its rows")


def _metrics_by_slice(
    tfma: Any, uri: str, name: str | None
) -> dict[tuple[tuple[str, str], ...], Metrics]:
    result = tfma.load_eval_result(uri, model_name=name)
    return {
        tuple((column, str(value)) for column, value in key): {
            metric: _number(value)
            for metric, value in outputs[""][""].items()
            if "doubleValue" in value and not _is_difference(metric, outputs[""][""])
        }
        for key, outputs in result.slicing_metrics
    }


def _is_difference(metric: str, metrics: Mapping[str, Any]) -> bool:
    """Whether a metric is TFMA's difference of another one from the model that serves."""
    return metric.endswith(_DIFFERENCE) and metric.removesuffix(_DIFFERENCE) in metrics


def _number(value: Mapping[str, Any]) -> float | None:
    """A metric as JSON, where a number that is not finite is a text."""
    number = value.get("doubleValue")
    return float(number) if isinstance(number, (int, float)) and math.isfinite(number) else None
