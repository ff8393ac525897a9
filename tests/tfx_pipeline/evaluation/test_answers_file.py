from __future__ import annotations

import numpy as np
import pytest

from tfx_pipeline.evaluation.answers_file import decoded, encoded
from tfx_pipeline.evaluation.slices import Answers

ANSWERS = Answers(
    candidate=(np.array([1, 0, 1], np.int8), np.array([0.1, 0.2, np.nan], np.float32)),
    baseline=(np.array([1, 0, 1], np.int8), np.array([0.3, 0.4, 0.5], np.float32)),
    values={"vehicle": ["van", None, "ﬂoß"], "hour": ["7", "12", "7"]},
    kinds={"vehicle": "bytes", "hour": "int64"},
)


@pytest.mark.parametrize("has_baseline", [True, False])
def test_what_was_answered_is_read_again(has_baseline: bool) -> None:
    before = ANSWERS.candidate if has_baseline else None
    answers = Answers(ANSWERS.candidate, before, ANSWERS.values, ANSWERS.kinds)
    found = decoded(encoded(answers), "answers.npz")
    for one, other in zip(found.candidate, answers.candidate, strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)
    assert (found.baseline is None) == (not has_baseline)
    assert found.values == answers.values
    assert found.kinds == answers.kinds


def test_no_rows_are_answers_too() -> None:
    empty = Answers((np.array([], np.int8),), None, {"vehicle": []})
    found = decoded(encoded(empty), "answers.npz")
    assert found.rows == 0
    assert found.values == {"vehicle": []}
