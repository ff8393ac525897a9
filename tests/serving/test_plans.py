"""A plan takes what is usual, and gives what the way for everything gives."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving import answers, codec
from serving.errors import StatusError
from serving.plans import Plan
from serving.signatures import Signature, TensorSpec

DTYPES = ("float", "double", "string", "bool", "int8", "uint8", "int32", "int64", "uint64", "half")


def plan(inputs: dict[str, str], outputs: dict[str, str] | None = None) -> Plan:
    def specs(types: dict[str, str]) -> dict[str, TensorSpec]:
        return {name: TensorSpec(f"{name}:0", dtype, (-1,)) for name, dtype in types.items()}

    return Plan("serving_default", Signature("", specs(inputs), specs(outputs or {"y": "float"})))


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(width=64),
    st.text(max_size=5),
    st.lists(st.integers(0, 3), max_size=2),
    st.just({"b64": "AA=="}),
)
NAMES = st.sampled_from(["a", "b", "c"])


@settings(max_examples=400, deadline=None)
@given(
    types=st.dictionaries(NAMES, st.sampled_from(DTYPES), min_size=1, max_size=3),
    rows=st.lists(st.one_of(VALUES, st.dictionaries(NAMES, VALUES, max_size=3)), max_size=3),
)
def test_columns_are_those_of_the_way_for_everything(
    types: dict[str, str], rows: list[Any]
) -> None:
    made = plan(types)
    columns = made.columns({"instances": rows})
    if columns is None:
        return
    body = codec.RequestBody("", {"instances": rows})
    expected = codec.decode_predict(body, made.signature.inputs).inputs
    found = made.arrays([columns])
    assert found.keys() == expected.keys()
    for name, array in found.items():
        assert array.dtype == expected[name].dtype
        np.testing.assert_array_equal(array, expected[name])
    doubled = made.arrays([columns, columns])
    for name, array in doubled.items():
        np.testing.assert_array_equal(array, np.concatenate([expected[name]] * 2))


@pytest.mark.parametrize("dtype", DTYPES[:-1])
def test_the_usual_request_is_planned(dtype: str) -> None:
    value = {"string": "é", "bool": True, "float": 0.1, "double": math.nan}.get(dtype, 7)
    made = plan({"a": dtype, "b": "int64"})
    assert made.columns({"instances": [{"b": 1, "a": value}] * 2}) == [(value, value), (1, 1)]
    assert plan({"a": dtype}).columns({"instances": [value]}) == [[value]]
    assert plan({"a": dtype}).columns({"instances": [{"a": value}]}) == [[value]]


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"instances": []},
        {"instances": 3},
        {"instances": [{"a": 1.0}], "inputs": 1},
        {"instances": [{"a": 1.0}, {"a": "1"}]},
        {"instances": [{"a": True}]},
        {"instances": [{"a": 1.0, "c": 2}]},
        {"instances": [1.0, {"a": 1.0}]},
    ],
)
def test_what_needs_a_look_is_left(document: dict[str, Any]) -> None:
    assert plan({"a": "float"}).columns(document) is None


def test_an_object_of_base64_is_not_a_row_whatever_the_input_is_called() -> None:
    assert plan({"b64": "string"}).columns({"instances": [{"b64": "AA=="}]}) is None


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.floats(width=32), st.integers(-(2**63), 2**63 - 1), st.floats(), st.text(max_size=3)
        ),
        min_size=1,
        max_size=4,
    ),
    st.lists(st.sampled_from(["f", "i", "d", "w", "s"]), min_size=1, max_size=3, unique=True),
)
def test_texts_of_rows_make_the_answer_of_the_way_for_everything(
    rows: list[tuple[Any, ...]], names: list[str]
) -> None:
    floats, integers, doubles, texts = zip(*rows, strict=True)
    every = {
        "f": np.array(floats, np.float32),
        "i": np.array(integers, np.int64),
        "d": np.array(doubles, np.float64),
        "w": np.array([[x, x] for x in floats], np.float32),
        "s": np.array([t.encode() for t in texts], object),
    }
    outputs = {name: every[name] for name in names}
    made = plan({"x": "float"}, dict.fromkeys(names, "float"))
    found = made.row_texts(outputs)
    if found is None:
        return
    expected = answers.encode_predict(outputs, True)
    assert b'{"predictions":[%b]}' % b",".join(found) == expected


def test_names_of_outputs_may_hold_anything() -> None:
    outputs = {'"%b': np.array([1, 2]), "é": np.array([0.5, 1.5])}
    found = plan({"x": "float"}, dict.fromkeys(outputs, "float")).row_texts(outputs)
    assert found is not None
    rows = [{'"%b': 1, "é": 0.5}, {'"%b': 2, "é": 1.5}]
    assert [orjson.loads(text) for text in found] == rows


@pytest.mark.parametrize(
    "array",
    [
        np.array(["a"], object),
        np.array([np.nan]),
        np.array([True]),
        np.array([1.0], np.float16),
        np.zeros((0,)),
        np.zeros((2, 0)),
        np.zeros((1, 1, 1)),
    ],
)
def test_outputs_that_need_a_look_are_left(array: np.ndarray) -> None:
    assert plan({"x": "float"}).row_texts({"y": array}) is None


def test_only_what_has_rows_on_both_sides_can_be_batched() -> None:
    assert plan({"x": "float"}).has_rows
    for shape in (None, (), (1,), (3, -1)):
        spec = TensorSpec("x:0", "float", shape)
        rows = TensorSpec("x:0", "float", (-1,))
        assert not Plan("", Signature("", {"x": spec}, {"y": rows})).has_rows
        assert not Plan("", Signature("", {"x": rows}, {"y": spec})).has_rows
    with pytest.raises(StatusError):
        codec.decode_predict(codec.RequestBody("", {}), {})
