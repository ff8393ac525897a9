"""Columns and models that are valid but probably not intended."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from goldlake_core.contracts.contract_file import Columns, GoldDraft
from goldlake_core.contracts.model_file import ModelDraft
from goldlake_core.contracts.sections import Column, DriftLimit, Feature, Model, Threshold, UseCase
from goldlake_core.contracts.yaml_entry import parse
from lakehouse.checks.columns import column_remarks
from lakehouse.checks.models import model_remarks


def column_said(**fields: Any) -> list[str]:
    column = Column(**{"name": "c", "type": "string", "comment": "", "nullable": False, **fields})
    return [f"{key}: {r.severity}: {r.problem} ({r.valid})" for key, r in column_remarks(column)]


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"domain": ("A", "B")},
        {"domain": ("Y",), "nullable": True},
        {"type": "long", "range": (1, 2)},
        {"type": "long", "range": (None, 2)},
        {"domain": ("A1", "B2"), "pattern": "[A-Z][0-9]"},
        {"domain": ("a", "b"), "pattern": "\\p{Lower}"},
        {"domain": ("a", "b"), "pattern": "(?i)A|B"},
    ],
)
def test_columns_that_tell_something(fields: dict[str, Any]) -> None:
    assert column_said(**fields) == []


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        (
            {"domain": ("A",)},
            "domain: warning: 'A' is the only value the column can have (two values)",
        ),
        (
            {"type": "long", "range": (3, 3)},
            "range: warning: 3 is the only value the column can have (lowest < highest)",
        ),
        (
            {"domain": ("A", "B"), "null_values": ("B",)},
            "domain: warning: 'B' of the domain is read as missing (null_values) (one of the two)",
        ),
        (
            {"domain": ("A1", "BB"), "pattern": "[A-Z][0-9]"},
            "domain: warning: 'BB' of the domain does not match the pattern '[A-Z][0-9]' "
            "(values that match the pattern)",
        ),
    ],
)
def test_columns_that_are_probably_not_intended(fields: dict[str, Any], said: str) -> None:
    assert column_said(**fields) == [said]


def model_said(usecase: UseCase, **fields: Any) -> list[tuple[str, str]]:
    model: Model = replace(usecase.models["overdue"], **fields)
    table = usecase.gold["call_features"]
    draft = ModelDraft(
        parse("name: overdue", "overdue.yaml"),
        GoldDraft(
            table.name,
            table.mode,
            Columns({column.name: column for column in table.columns}),
            key=table.key,
        ),
        model.features,
        model.thresholds,
        dict(enumerate(model.limits)),
        model.min_domain_mass,
        examples=model.examples,
    )
    found = model_remarks(draft, usecase.silver.version)
    return [(".".join(map(str, steps)), remark.problem) for steps, remark in found]


def test_the_toy_model_has_no_remarks(harbour: UseCase) -> None:
    assert model_said(harbour) == []


def test_a_feature_that_names_a_row(harbour: UseCase) -> None:
    features = (Feature("number", "text", ("call_id",)),)
    assert model_said(harbour, features=features) == [
        (
            "features.number.columns",
            "'call_id' is the key of call_features: it identifies one row, so a model learns "
            "nothing from it",
        )
    ]


def test_a_part_of_a_key_may_be_a_feature(harbour: UseCase) -> None:
    table = replace(harbour.gold["call_features"], key=("call_id", "berth"))
    assert model_said(replace(harbour, gold={"call_features": table})) == []


def test_a_feature_that_counts_amendments(harbour: UseCase) -> None:
    usecase = replace(harbour, silver=replace(harbour.silver, version="crew"))
    assert model_said(usecase) == [
        (
            "features.crew.columns",
            "'crew' is silver's version: it changes with every amendment",
        )
    ]


@pytest.mark.parametrize(
    ("threshold", "key", "problem"),
    [
        (
            Threshold("auc", 0.5),
            "min",
            "a model that guesses has an AUC of 0.5, and 0.5 blesses it",
        ),
        (
            Threshold("auc", 0.1, None, 0.1),
            "min",
            "a model that guesses has an AUC of 0.5, and 0.1",
        ),
        (Threshold("precision", 0.0), "min", "no value is below 0, so the bound refuses nothing"),
        (
            Threshold("recall", None, 1.0),
            "max",
            "no value is above 1, so the bound refuses nothing",
        ),
        (
            Threshold("recall", 0.2, None, 1.0),
            "max_drop",
            "no drop is above 1, so the bound refuses nothing",
        ),
        (
            Threshold("binary_crossentropy", None, 0.7),
            "max",
            "a model that always answers 0.5 has 0.693, and 0.7 blesses it",
        ),
    ],
)
def test_thresholds_that_bless_everything(
    harbour: UseCase, threshold: Threshold, key: str, problem: str
) -> None:
    ((place, said),) = model_said(harbour, thresholds=(threshold,))
    assert place == f"thresholds.{threshold.metric}.{key}"
    assert said.startswith(problem)


@pytest.mark.parametrize(
    "threshold",
    [
        Threshold("auc", 0.51, None, 0.01),
        Threshold("precision", 0.1, 0.99, 0.5),
        Threshold("calibration", 0.0, 1.0),
        Threshold("binary_crossentropy", None, 0.69, 2.0),
    ],
)
def test_thresholds_that_refuse_something(harbour: UseCase, threshold: Threshold) -> None:
    assert model_said(harbour, thresholds=(threshold,)) == []


def test_limits_that_stop_nothing(harbour: UseCase) -> None:
    limits = (
        DriftLimit("vessel_type", "skew", infinity_norm=0.9),
        DriftLimit("vessel_type", "drift", infinity_norm=1.0),
    )
    assert model_said(harbour, limits=limits, min_domain_mass=0.0) == [
        (
            "limits.1.infinity_norm",
            "no two distributions are further apart than 1, so the limit stops nothing",
        ),
        ("min_domain_mass", "with 0, a column may hold only values outside of its domain"),
    ]


def test_examples_unlike_every_row_of_the_table(harbour: UseCase) -> None:
    row = {"vessel_type": "TANK", "length_m": 2.0, "hour": 24, "crew": 0, "cargo": "salt"}
    assert model_said(harbour, examples=(row,)) == [
        ("examples.0.vessel_type", "'TANK' is not in the domain of vessel_type"),
        ("examples.0.length_m", "2.0 is outside of the range of length_m"),
        ("examples.0.hour", "24 is outside of the range of hour"),
    ]
