"""Heads: what kind of answer a model gives, for which labels, and by which metrics it is judged.

Plain data. What a head does with tensors is in ``tfx_pipeline.heads``, one module each.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Literal, NamedTuple

from goldlake_core.contracts.column_types import ColumnType

HeadKind = Literal["binary", "multiclass", "regression", "count"]


class Metric(NamedTuple):
    """A metric that a threshold may bound.

    Attributes:
        is_better_high: Whether higher is better; None where the best value lies in the middle. Such
            a metric has no drop.
        high: Greatest value, or None without one.
        has_constant: Whether a constant answer has a value to be compared with.
    """

    is_better_high: bool | None
    high: float | None
    has_constant: bool = True


class HeadLaw(NamedTuple):
    """What a head asks of a contract.

    Attributes:
        labels: Types of the label that it can learn.
        default_for: Types of the label that have this head where the contract states none.
        metrics: The metrics of its models, the most telling first.
    """

    labels: tuple[ColumnType, ...]
    default_for: tuple[ColumnType, ...]
    metrics: Mapping[str, Metric]


_RMSE, _MAE = Metric(False, None), Metric(False, None)
_CALIBRATION = Metric(None, None, has_constant=False)

COST = "cost_per_1000"
"""Cost of the wrong answers to 1,000 rows, by the costs of the model's decision."""

HEADS: Mapping[HeadKind, HeadLaw] = {
    "binary": HeadLaw(
        ("boolean", "long"),
        ("boolean",),
        {
            "auc": Metric(True, 1),
            "auc_precision_recall": Metric(True, 1),
            "binary_accuracy": Metric(True, 1),
            "precision": Metric(True, 1, has_constant=False),
            "recall": Metric(True, 1, has_constant=False),
            "binary_crossentropy": Metric(False, None),
            "calibration": _CALIBRATION,
            COST: Metric(False, None, has_constant=False),
        },
    ),
    "multiclass": HeadLaw(
        ("string", "long"),
        ("string",),
        {
            "accuracy": Metric(True, 1),
            "macro_f1": Metric(True, 1),
            "top_3": Metric(True, 1),
            "crossentropy": Metric(False, None),
        },
    ),
    "regression": HeadLaw(
        ("double", "long"),
        ("double",),
        {"rmse": _RMSE, "mae": _MAE, "r2": Metric(True, 1, has_constant=False)},
    ),
    "count": HeadLaw(
        ("long", "double"),
        (),
        {
            "poisson_deviance": Metric(False, None),
            "rmse": _RMSE,
            "mae": _MAE,
            "calibration": _CALIBRATION,
        },
    ),
}
METRICS: Mapping[str, Metric] = {
    name: metric for law in HEADS.values() for name, metric in law.metrics.items()
}
"""The metrics of all heads; what two heads share means the same in both."""
OVER_BASELINE = "_over_baseline"
"""Ending of a metric's name: how much better it is than the best constant answer's."""


def heads_of(label: ColumnType) -> tuple[HeadKind, ...]:
    """The heads that can learn a label of this type."""
    return tuple(kind for kind, law in HEADS.items() if label in law.labels)


def default_head(label: ColumnType) -> HeadKind | None:
    """The head of a label of this type where the contract states none, or None."""
    return next((kind for kind, law in HEADS.items() if label in law.default_for), None)


def headline(metrics: Collection[str]) -> str | None:
    """The most telling metric of a model with these metrics: the first one of its head, or None."""
    law = max(HEADS.values(), key=lambda law: sum(name in metrics for name in law.metrics))
    return next((name for name in law.metrics if name in metrics), None)


def is_over_baseline(name: str) -> bool:
    """Whether a name is that of a comparison with the best constant answer."""
    return name.endswith(OVER_BASELINE)
