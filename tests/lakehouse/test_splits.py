"""Splits without a time, rows without a label, and labels that a head cannot learn."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import yaml
from msgspec.structs import replace

from goldlake_core.contracts.errors import PermanentError
from goldlake_core.contracts.loader import load_contract
from goldlake_core.contracts.sections import Head, Model, Split, UseCase
from goldlake_core.instants import utc_text
from lakehouse.gold.basis import Basis
from lakehouse.labels import require_learnable
from lakehouse.splits import Division

UNITS = 200


@pytest.fixture(scope="module")
def usecase(tmp_path_factory: pytest.TempPathFactory) -> UseCase:
    folder = tmp_path_factory.mktemp("splits") / "wear"
    (folder / "models").mkdir(parents=True)
    columns = {
        "unit": {"type": "long", "nullable": False},
        "cycle": {"type": "long", "nullable": False},
        "left": "double",
        "hours": {"type": "double", "nullable": False},
        "part": "string",
    }
    contract = {
        "name": "wear",
        "source": {"kind": "files", "path": "*.csv"},
        "silver": {"key": ["unit", "cycle"], "columns": columns},
    }
    model = {
        "name": "left",
        "label": "left",
        "split": {"kind": "hash", "by": ["unit"]},
        "features": {"cycle": "numeric"},
        "thresholds": {"rmse": {"over_baseline": 0.1}},
    }
    (folder / "contract.yaml").write_text(yaml.safe_dump(contract), encoding="utf-8")
    (folder / "models/left.yaml").write_text(yaml.safe_dump(model), encoding="utf-8")
    return load_contract(folder)


@pytest.fixture(scope="module")
def rows(spark: Any) -> Any:
    nan = float("nan")
    made = [
        (unit, cycle, [1.5, None, nan][0 if cycle else min(unit, 2)], float(unit % 7), text)
        for unit in range(UNITS)
        for cycle, text in enumerate(["train", "eval", "test", "spare", None])
    ]
    return spark.createDataFrame(
        made, "unit long, cycle long, left double, hours double, part string"
    ).cache()


def division(usecase: UseCase, model: Model, rows: int = 1000) -> Division:
    from datetime import datetime, timezone

    now = utc_text(datetime(2026, 1, 1, tzinfo=timezone.utc), "microseconds")
    basis = Basis(1, "u", now, now, "run", 0, 1, "c")
    return Division.of(model, usecase.gold["rows"], basis, timezone.utc, rows)


def divided(rows: Any, found: Division) -> list[tuple[int, int, str, str]]:
    columns = [found.split().alias("split"), found.part().alias("p")]
    return [tuple(row) for row in rows.select("unit", "cycle", *columns).collect()]


@pytest.mark.spark
def test_a_group_is_in_one_split_and_stays_there(rows: Any, usecase: UseCase) -> None:
    found = divided(rows, division(usecase, usecase.models["left"]))
    by_unit: dict[int, set[str]] = {}
    for unit, _, split, _ in found:
        by_unit.setdefault(unit, set()).add(split)
    assert all(len(splits - {"unlabeled"}) == 1 for splits in by_unit.values())
    counts = Counter(split for splits in by_unit.values() for split in splits - {"unlabeled"})
    assert 0.12 * UNITS < counts["test"] < 0.28 * UNITS
    assert 0.04 * UNITS < counts["eval"] < 0.17 * UNITS
    # Units 1 and more have no label in their first cycle: null, or not a number.
    assert Counter(split for *_, split, _ in found)["unlabeled"] == UNITS - 1
    some = rows.where("unit < 50")
    again = divided(some, division(usecase, usecase.models["left"]))
    assert set(again) <= set(found)


@pytest.mark.spark
def test_a_column_says_it_and_parts_are_numbered(rows: Any, usecase: UseCase) -> None:
    model = replace(usecase.models["left"], split=Split("column", column="part"))
    found = divided(rows, division(usecase, model, rows=600_000))
    assert Counter(split for *_, split, _ in found) == {
        "train": 1,
        "unlabeled": UNITS - 1,
        "eval": UNITS,
        "test": UNITS,
        "outside": 2 * UNITS,
    }
    assert {part for *_, part in found} == {"0000000", "0000001", "0000002"}


@pytest.mark.spark
def test_rows_in_a_gap_are_in_no_split(spark: Any, usecase: UseCase) -> None:
    split = Split("relative", eval_days=3, test_days=4, train_days=5, gap_days=2)
    model = replace(usecase.models["left"], split=split, event_time="at")
    days = spark.sql(
        "select timestamp '2025-12-01 00:00:00 UTC' + make_dt_interval(id) at, 1.0d left"
        " from range(31)"
    )
    found = division(usecase, model)
    rows = days.select("at", found.split().alias("split")).orderBy("at").collect()
    in_order = [row["split"] for row in rows]
    assert in_order == [
        *["outside"] * 15,
        *["train"] * 5,
        *["gap"] * 2,
        *["eval"] * 3,
        *["gap"] * 2,
        *["test"] * 4,
    ]
    counts = {(name, "2025-12"): number for name, number in Counter(in_order).items()}
    assert found.totals(counts) == {
        "train": 5,
        "eval": 3,
        "test": 4,
        "immature": 0,
        "outside": 15,
        "gap": 4,
    }


@pytest.mark.spark
def test_a_row_without_exposure_counts_as_one_without_a_label(rows: Any, usecase: UseCase) -> None:
    model = replace(usecase.models["left"], head=Head("count", exposure="hours"))
    found = divided(rows, division(usecase, model))
    without = sum(5 for unit in range(UNITS) if unit % 7 == 0)
    unlabeled = sum(1 for unit in range(1, UNITS) if unit % 7)
    assert Counter(split for *_, split, _ in found)["unlabeled"] == without + unlabeled


@pytest.mark.spark
def test_labels_that_a_head_cannot_learn(spark: Any, usecase: UseCase) -> None:
    def refused(values: list[Any], kind: str) -> str:
        labels = spark.createDataFrame([(value,) for value in values], "left long")
        model = replace(usecase.models["left"], head=Head(kind))  # type: ignore[arg-type]
        with pytest.raises(PermanentError) as caught:
            require_learnable(labels, model, "wear.left")
        return caught.value.message

    assert refused([0, 1, 2], "binary") == (
        "The label 'left' of wear.left has the values 0, 1, 2, and the head binary knows 0 and 1. "
        "Valid: head: multiclass, regression or count. Next: change the head in models/left.yaml"
    )
    assert refused([3, 3], "regression").startswith(
        "The label 'left' of wear.left is 3 in each row of the train split."
    )
    assert "has more than 1,000 values" in refused(list(range(1002)), "multiclass")
    assert "has the value -1, and the head count knows 0" in refused([-1, 3], "count")
