"""Columns that C++ decodes are those that protobuf reads."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.tfx

ROWS: list[dict[str, list[Any]]] = [
    {"text": [b"van"], "whole": [3], "real": [0.1]},
    {"text": [], "whole": [0], "real": []},
    {"whole": [-1, 5], "real": [2.5]},
    {"text": [b"", b"second"], "whole": [3], "real": [0.1]},
]


def serialized(row: dict[str, list[Any]]) -> bytes:
    import tensorflow as tf

    lists = {"text": "bytes_list", "whole": "int64_list", "real": "float_list"}
    example = tf.train.Example()
    for name, values in row.items():
        getattr(example.features.feature[name], lists[name]).value.extend(values)
    return bytes(example.SerializeToString())


def test_the_first_value_of_each_row() -> None:
    from tfx_pipeline.evaluation.examples import columns_of

    found = columns_of(list(map(serialized, ROWS)), ["text", "whole", "real", "nowhere"])

    def values(name: str) -> list[Any]:
        column = found[name]
        return [column.distinct[place] if place >= 0 else None for place in column.places]

    assert values("text") == [b"van", None, None, b""]
    assert values("whole") == [3, 0, -1, 3]
    assert values("real") == [pytest.approx(0.1), None, 2.5, pytest.approx(0.1)]
    assert values("nowhere") == [None] * 4
    kinds = {name: column.kind for name, column in found.items()}
    assert kinds == {"text": "bytes", "whole": "int64", "real": "float", "nowhere": None}
