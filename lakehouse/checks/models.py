"""Model contracts that are valid and will not do what is meant."""

from __future__ import annotations

import math
from collections.abc import Iterator

from goldlake_core.contracts.contract_file import GoldDraft
from goldlake_core.contracts.findings import Remark, warning
from goldlake_core.contracts.model_file import ModelDraft
from goldlake_core.contracts.names import nearest
from goldlake_core.contracts.sections import Column, Feature, Threshold
from goldlake_core.contracts.sql_rules import range_text
from lakehouse.checks.places import Step

GUESSED_AUC = 0.5
GUESSED_CROSSENTROPY = math.log(2)
"""Binary cross-entropy of a model that always answers 0.5: -ln 0.5."""


def model_remarks(
    model: ModelDraft, version: str | None
) -> Iterator[tuple[tuple[Step, ...], Remark]]:
    """What is probably not intended, each with the path of the key that says it.

    Args:
        model: The model as far as it holds.
        version: Silver's version column, or None where it is not known.
    """
    for feature in model.features:
        for remark in _feature_remarks(feature, model.table, version):
            yield ("features", feature.name, "columns"), remark
    for threshold in model.thresholds:
        for key, remark in _threshold_remarks(threshold):
            yield ("thresholds", threshold.metric, key), remark
    for index, limit in model.limits.items():
        if limit.infinity_norm == 1:
            problem = "no two distributions are further apart than 1, so the limit stops nothing"
            yield ("limits", index, "infinity_norm"), warning(problem, "less than 1, such as 0.2")
    columns = model.table.columns.by_name if model.table else {}
    for index, row in enumerate(model.examples):
        for name, value in row.items():
            column = columns.get(name)
            unusual = _example_remark(value, column) if column else None
            if unusual is not None:
                yield ("examples", index, name), unusual
    if model.min_domain_mass == 0:
        problem = "with 0, a column may hold only values outside of its domain"
        yield ("min_domain_mass",), warning(problem, "more than 0, such as 0.95")


def _feature_remarks(
    feature: Feature, table: GoldDraft | None, version: str | None
) -> Iterator[Remark]:
    for column in feature.columns:
        if table is not None and table.key == (column,):  # A part of a longer key is shared.
            problem = (
                f"{column!r} is the key of {table.name}: it identifies one row, so a model "
                "learns nothing from it"
            )
            yield warning(problem, "columns that other rows share")
        elif column == version:
            problem = f"{column!r} is silver's version: it changes with every amendment"
            yield warning(problem, "columns known before the outcome")


def _example_remark(value: object, column: Column) -> Remark | None:
    """An example is meant to be a row like those that the model learned from."""
    if column.domain is not None and isinstance(value, str) and value not in column.domain:
        problem = f"{value!r} is not in the domain of {column.name}"
        return warning(problem, nearest(value, column.domain))
    if column.range is not None and isinstance(value, int | float):
        low, high = column.range
        if (low is not None and value < low) or (high is not None and value > high):
            problem = f"{value} is outside of the range of {column.name}"
            return warning(problem, range_text(column))
    return None


def _threshold_remarks(threshold: Threshold) -> Iterator[tuple[str, Remark]]:
    low, high, drop = threshold.minimum, threshold.maximum, threshold.max_drop
    if threshold.metric == "auc" and low is not None and low <= GUESSED_AUC:
        problem = f"a model that guesses has an AUC of 0.5, and {low} blesses it"
        yield "min", warning(problem, "more than 0.5, such as 0.7")
    elif low == 0 and threshold.metric != "calibration":
        yield "min", warning("no value is below 0, so the bound refuses nothing", "more than 0")
    if threshold.metric == "binary_crossentropy" and high is not None:
        if high >= GUESSED_CROSSENTROPY:
            problem = f"a model that always answers 0.5 has 0.693, and {high} blesses it"
            yield "max", warning(problem, "less than 0.693")
    elif high == 1 and threshold.metric != "calibration":
        yield "max", warning("no value is above 1, so the bound refuses nothing", "less than 1")
    if drop is not None and drop >= 1 and threshold.metric != "binary_crossentropy":
        yield "max_drop", warning("no drop is above 1, so the bound refuses nothing", "less than 1")
