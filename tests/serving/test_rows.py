"""Rows of any kind in batches, and what is not rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas
import polars
import pyarrow
import pytest

from goldlake_core.contracts.errors import UsageError
from serving.rows import in_batches

ROWS = [
    {"n": 1, "x": 0.5, "t": "a"},
    {"n": None, "x": None, "t": None},
    {"n": 3, "x": 2.0, "t": ""},
]
TABLE = pyarrow.Table.from_pylist(ROWS)


@pytest.mark.parametrize(
    "rows",
    [
        ROWS,
        tuple(ROWS),
        iter(ROWS),
        TABLE,
        TABLE.to_batches()[0],
        pyarrow.RecordBatchReader.from_batches(TABLE.schema, TABLE.to_batches(max_chunksize=3)),
        polars.DataFrame(ROWS),
        pandas.DataFrame(ROWS),
        pandas.DataFrame(ROWS).convert_dtypes(),
    ],
    ids=lambda rows: type(rows).__name__,
)
def test_every_kind_gives_the_same_rows(rows: Any) -> None:
    batches = list(in_batches(rows, 2, {"n"}))
    assert batches == [ROWS[:2], ROWS[2:]]
    values = [value for batch in batches for row in batch for value in row.values()]
    assert {type(value) for value in values} == {int, float, str, type(None)}
    assert type(batches[1][0]["n"]) is int


def test_numpy_scalars_become_python_values() -> None:
    row = {"n": np.int64(1), "x": np.float32(0.5), "b": np.bool_(True), "l": np.array([1, 2])}
    assert list(in_batches([row, np.float64(2)], 5)) == [
        [{"n": 1, "x": 0.5, "b": True, "l": [1, 2]}, 2.0]
    ]


def test_nothing_is_read_before_it_is_asked_for() -> None:
    read = []

    def rows() -> Any:
        for number in range(10):
            read.append(number)
            yield {"n": number}

    batches = in_batches(rows(), 2)
    assert next(batches) == [{"n": 0}, {"n": 1}]
    assert read == [0, 1]


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        ("abc", "A str holds no rows. Valid: a list of mappings, or a table."),
        ({"n": 1}, "A dict holds no rows."),
        (5, "A int holds no rows."),
        (polars.Series([1]), "polars.Series holds no rows. Valid: pandas.DataFrame, "),
        (polars.DataFrame(ROWS).lazy(), "polars.LazyFrame holds no rows."),
        (pandas.DataFrame([[1, 2]], columns=["a", "a"]), "The frame names a column twice: a, a."),
    ],
)
def test_what_holds_no_rows_is_refused(rows: Any, text: str) -> None:
    with pytest.raises(UsageError) as error:
        list(in_batches(rows, 2))
    assert error.value.message.startswith(text)


def test_no_rows_are_no_batches() -> None:
    for rows in ([], TABLE.slice(0, 0), polars.DataFrame(), pandas.DataFrame()):
        assert list(in_batches(rows, 2)) == []
