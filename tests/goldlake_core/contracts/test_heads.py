"""The head that a label gets, and what a contract may leave out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from goldlake_core.contracts.errors import ContractError
from goldlake_core.contracts.heads import HEADS, METRICS, HeadKind, headline
from goldlake_core.contracts.loader import load_contract
from goldlake_core.contracts.model_rules import torn_errors
from goldlake_core.contracts.sections import (
    Costs,
    Decision,
    Head,
    Model,
    Split,
    Training,
    UseCase,
)
from goldlake_core.contracts.wire import raw_inputs
from goldlake_core.contracts.yaml_entry import parse

CONTRACT = {
    "name": "shop",
    "source": {"kind": "files", "path": "*.csv"},
    "silver": {
        "columns": {
            "color": "string",
            "size": "double",
            "visits": {"type": "long", "nullable": False},
            "sold": "long",
            "is_back": "boolean",
            "part": "string",
        }
    },
}


def written(folder: Path, model: dict[str, Any]) -> UseCase:
    (folder / "shop" / "models").mkdir(parents=True)
    (folder / "shop/contract.yaml").write_text(yaml.safe_dump(CONTRACT), encoding="utf-8")
    text = yaml.safe_dump({"name": "m", **model})
    (folder / "shop/models/m.yaml").write_text(text, encoding="utf-8")
    return load_contract(folder / "shop")


def loaded(folder: Path, **model: Any) -> Model:
    given = {"features": {"visits": "numeric"}, "thresholds": {"auc": {"min": 0.6}}, **model}
    return written(folder, given).models["m"]


def refusal(folder: Path, **model: Any) -> str:
    with pytest.raises(ContractError) as caught:
        loaded(folder, **model)
    return caught.value.reason + (f". Valid: {caught.value.valid}" if caught.value.valid else "")


def test_five_lines_are_a_model(tmp_path: Path) -> None:
    model = loaded(tmp_path, label="is_back")
    assert (model.title, model.table, model.event_time) == ("m", "rows", "")
    assert model.head == Head("binary")
    assert model.split == Split("hash", eval=0.1, test=0.2)


@pytest.mark.parametrize(
    ("label", "kind", "metric"),
    [("color", "multiclass", "accuracy"), ("size", "regression", "rmse")],
)
def test_the_type_of_the_label_decides(tmp_path: Path, label: str, kind: str, metric: str) -> None:
    bound = {"over_baseline": 0.1}
    model = loaded(tmp_path, label=label, thresholds={metric: bound})
    assert model.head.kind == kind
    assert model.thresholds[0].over_baseline == 0.1


def test_a_whole_number_has_to_say_what_it_is(tmp_path: Path) -> None:
    assert refusal(tmp_path, label="sold") == (
        "a label of type long can be a class, a number or a count. Valid: head: binary or "
        "head: multiclass or head: regression or head: count"
    )


def test_an_exposure_is_an_input_of_the_served_model(tmp_path: Path) -> None:
    case = written(
        tmp_path,
        {
            "label": "sold",
            "head": {"kind": "count", "exposure": "visits"},
            "features": {"size": "numeric"},
            "thresholds": {"poisson_deviance": {"over_baseline": 0.1}},
        },
    )
    model = case.models["m"]
    assert model.feature_columns == ("size", "visits")
    assert [each.name for each in raw_inputs(model, case.gold["rows"])] == ["size", "visits"]


def test_an_exposure_is_never_missing(tmp_path: Path) -> None:
    head = {"kind": "count", "exposure": "size"}
    bounds = {"rmse": {"max": 1}}
    assert refusal(tmp_path, label="sold", head=head, thresholds=bounds) == (
        "the exposure 'size' is nullable. Valid: a column with nullable: false"
    )


def test_groups_stay_together_and_a_column_may_decide(tmp_path: Path) -> None:
    model = loaded(tmp_path / "a", label="is_back", split={"kind": "hash", "by": ["color"]})
    assert model.split.by == ("color",)
    model = loaded(tmp_path / "b", label="is_back", split={"kind": "column", "column": "part"})
    assert model.split.column == "part"


@pytest.mark.parametrize(
    ("split", "is_torn"),
    [
        (Split("relative", eval_days=1, test_days=1), True),
        (Split("hash"), True),
        (Split("hash", by=("day",)), True),
        (Split("hash", by=("unit",)), False),
        (Split("hash", by=("site", "unit")), False),
        (Split("column", column="part"), False),
    ],
)
def test_a_split_never_tears_the_rows_of_a_unit_apart(split: Split, is_torn: bool) -> None:
    entry = parse("split: x", "m.yaml")
    found = list(torn_errors(split, ("site", "unit"), entry))
    assert bool(found) is is_torn
    assert all("kind: hash with by: [site, unit]" in str(each.valid) for each in found)
    assert list(torn_errors(split, None, entry)) == []


@pytest.mark.parametrize(
    ("rows", "batch", "units"),
    [(1, 16, (16,)), (234, 16, (16,)), (5000, 64, (32, 16)), (10**6, 1024, (64, 32))],
)
def test_few_rows_get_many_steps(rows: int, batch: int, units: tuple[int, ...]) -> None:
    sized = Training().sized(rows)
    assert (sized.batch_rows, sized.hidden_units) == (batch, units)
    assert sized.epochs is not None
    assert sized.patience is not None
    steps = sized.epochs * -(-rows // batch)
    assert 200 <= steps <= 10_000
    assert 2 <= sized.patience <= 20
    assert Training(batch_rows=8, epochs=3, patience=0).sized(rows).epochs == 3


def test_metrics_of_one_name_mean_the_same() -> None:
    for law in HEADS.values():
        for name, metric in law.metrics.items():
            assert METRICS[name] == metric


def test_a_decision_and_what_balances_classes(tmp_path: Path) -> None:
    costs = {"missed": 20, "false_alarm": 1}
    model = loaded(
        tmp_path,
        label="is_back",
        decision={"costs": costs},
        training={"oversample": "smote"},
        thresholds={"cost_per_1000": {"max": 900}, "recall": {"min": 0.9}},
    )
    assert model.decision == Decision(costs=Costs(20, 1))
    assert model.training.oversample == "smote"


@pytest.mark.parametrize(
    ("model", "text"),
    [
        ({"decision": {}}, "the decision has no law, or two. Valid: recall or costs"),
        (
            {"label": "color", "decision": {"recall": 0.9}, "thresholds": {"accuracy": {"min": 0}}},
            "a model with the head multiclass decides nothing. Valid: head: binary, or no decision",
        ),
        (
            {"thresholds": {"cost_per_1000": {"max": 9}}},
            "cost_per_1000 needs what wrong answers cost. Valid: decision: {costs: {missed: 20, "
            "false_alarm: 1}}",
        ),
        (
            {"features": {"color": "categorical"}, "training": {"oversample": "smote"}},
            "smote makes rows between two rows, and between two categories there is none: color. "
            "Valid: features of kind numeric without buckets, or class_weight: balanced",
        ),
        (
            {
                "label": "size",
                "training": {"class_weight": "balanced"},
                "thresholds": {"rmse": {"max": 9}},
            },
            "the head regression has no classes to weigh. Valid: head: binary or multiclass",
        ),
        (
            {
                "label": "size",
                "training": {"calibrate": "never"},
                "thresholds": {"rmse": {"max": 9}},
            },
            "the head regression is not calibrated on eval. Valid: head: binary",
        ),
    ],
)
def test_decisions_that_do_not_hold(tmp_path: Path, model: dict[str, Any], text: str) -> None:
    assert refusal(tmp_path, **{"label": "is_back", **model}) == text


def test_parts_are_named_by_dots(tmp_path: Path) -> None:
    linear = "tfx_pipeline.parts.linear.build_model"
    model = loaded(tmp_path, label="is_back", parts={"build_model": linear})
    assert model.parts.build_model == linear


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        (
            {"preprocessing_fn": "own.preprocessing_fn"},
            "goldlake's trainer does not know the outputs of another preprocessing. Valid: a "
            "run_fn beside it",
        ),
        (
            {"run_fn": "own.run_fn", "build_model": "own.build_model"},
            "a run_fn builds its model itself. Valid: one of build_model and run_fn",
        ),
        (
            {"run_fn": "a.b.c-d"},
            "'a.b.c-d' does not name a function. Valid: package.module.function, such as "
            "tfx_pipeline.parts.linear.build_model",
        ),
    ],
)
def test_parts_that_do_not_hold(tmp_path: Path, parts: dict[str, str], text: str) -> None:
    assert refusal(tmp_path, label="is_back", parts=parts) == text


@pytest.mark.parametrize("kind", HEADS)
def test_the_most_telling_metric_is_the_first_of_the_head(kind: HeadKind) -> None:
    first, *others = HEADS[kind].metrics
    assert headline([*others, first, "example_count"]) == first


def test_without_metrics_none_is_the_most_telling() -> None:
    assert headline(["example_count"]) is None
    assert headline([]) is None
