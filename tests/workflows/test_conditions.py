"""The conditions of `goldlake retrain`, and what is refused with its place."""

from __future__ import annotations

import pytest

from goldlake.workflows.conditions import Condition, parsed
from goldlake_core.contracts.errors import UsageError

METRICS = {"auc": None, "recall": None}


def test_all_kinds_are_read() -> None:
    found = parsed("rows>=5000, age >= 30d,drift , metric:auc<0.88", METRICS)
    assert found == (
        Condition("rows>=5000", "rows", "", ">=", 5000),
        Condition("age >= 30d", "age", "", ">=", 30 * 86_400),
        Condition("drift", "drift"),
        Condition("metric:auc<0.88", "metric", "auc", "<", 0.88),
    )
    assert found[0].holds(5000)
    assert not found[3].holds(0.88)


def test_a_metric_may_have_a_window() -> None:
    (found,) = parsed("metric:auc[28d] < 0.88", METRICS)
    text = "metric:auc[28d] < 0.88"
    assert found == Condition(text, "metric", "auc", "<", 0.88, window="28d")
    assert parsed("metric:recall[ 4w ]<0.5", METRICS)[0].window == "4w"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "character 1: a condition is missing"),
        ("drift,", "character 7: a condition is missing"),
        ("drift, rows=5", "character 8: 'rows=5' is not a condition"),
        ("rows>=many", "character 7: 'many' is not a whole number"),
        ("rows>=1.5", "character 7: '1.5' is not a whole number"),
        ("age>=30", "character 6: '30' is not a length of time. Valid: such as 12h, 30d or 4w"),
        ("metric:auk<0.8", "character 8: the model has no metric 'auk'. Valid: auc"),
        ("metric:auc<nan", "character 12: 'nan' is not a number"),
        ("metric:auc", "character 11: metric:auc is compared with nothing"),
        ("metric:auc[28]<0.8", "character 12: '28' is not the length of a window. Valid: such as"),
        ("metric:auc[]<0.8", "character 12: '' is not the length of a window"),
        ("metric:auc[0]<0.8", "character 12: '0' is not the length of a window"),
        ("metric:auc[28d<0.8", "character 1: 'metric:auc[28d<0.8' is not a condition"),
        ("metric:auc[28d]", "character 16: metric:auc[28d] is compared with nothing"),
        ("metric:auk[28d]<0.8", "character 8: the model has no metric 'auk'"),
        ("rows[28d]>=5", "character 5: rows has no window. Valid: a window of a metric"),
        ("drift[28d]", "character 6: drift has no window"),
        ("drift>1", "character 6: drift is compared with the gate's own limits"),
        ("speed>=1", "character 1: 'speed' is nothing that can be compared"),
    ],
)
def test_a_bad_condition_is_refused_with_its_place(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parsed(text, METRICS)
    assert message in str(caught.value)
