from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from serving import codec
from serving.answers import encode_predict
from serving.codec import decode_examples, decode_predict, read_body
from serving.errors import StatusError
from serving.messages import message_classes
from serving.signatures import NUMPY_TYPES, TensorSpec


def specs(**dtypes: str) -> dict[str, TensorSpec]:
    return {name: TensorSpec(f"{name}:0", dtype, None) for name, dtype in dtypes.items()}


def decode(body: Any, **dtypes: str) -> dict[str, np.ndarray]:
    text = body if isinstance(body, str) else json.dumps(body)
    return decode_predict(read_body(text.encode()), specs(**dtypes)).inputs


def problem(body: Any, **dtypes: str) -> str:
    with pytest.raises(StatusError) as error:
        decode(body, **dtypes)
    return error.value.text


@pytest.mark.parametrize(
    ("dtype", "values"),
    [
        ("bool", [True, False]),
        ("int8", [-128, 127]),
        ("uint8", [0, 255]),
        ("int16", [-32768, 32767]),
        ("int32", [-(2**31), 2**31 - 1]),
        ("uint32", [0, 2**32 - 1]),
        ("int64", [-(2**63), 2**63 - 1]),
        ("uint64", [0, 2**64 - 1]),
        ("float", [0.5, -3.0]),
        ("double", [0.1, 1e300]),
    ],
)
def test_rows_become_one_array_of_the_type(dtype: str, values: list[Any]) -> None:
    found = decode({"instances": values}, x=dtype)["x"]
    assert found.dtype == NUMPY_TYPES[dtype]
    assert found.tolist() == values
    matrix = decode({"inputs": {"x": [values, values]}}, x=dtype)["x"]
    assert matrix.tolist() == [values, values]


@given(
    st.sampled_from(["int8", "int32", "int64", "uint64", "double", "float", "bool"]).flatmap(
        lambda dtype: st.tuples(
            st.just(dtype),
            arrays.arrays(
                NUMPY_TYPES[dtype],
                arrays.array_shapes(max_dims=3, max_side=3),
                elements={"allow_nan": False} if dtype in ("double", "float") else None,
            ),
        )
    ),
    st.booleans(),
)
def test_every_value_survives_the_way_out_and_in(case: Any, is_row: bool) -> None:
    dtype, array = case
    answer = json.loads(encode_predict({"x": array}, is_row))
    key = "instances" if is_row else "inputs"
    back = decode({key: answer["predictions" if is_row else "outputs"]}, x=dtype)["x"]
    assert back.dtype == array.dtype
    np.testing.assert_array_equal(back, array)


@given(st.data())
def test_in_bulk_or_one_by_one_is_the_same(data: st.DataObject) -> None:
    shape = data.draw(arrays.array_shapes(min_dims=1, max_dims=2, max_side=3))
    rows = data.draw(arrays.arrays(np.int64, shape, elements=st.integers(-9, 9))).tolist()
    inputs = specs(x="float")
    singly = codec._decode_rows_singly(rows, inputs, False)["x"]
    np.testing.assert_array_equal(codec._decode_rows(rows, inputs)["x"], singly)


def test_special_floats_and_what_a_float_cannot_hold() -> None:
    body = '{"instances": [NaN, Infinity, -Infinity, 1e39, 1435774380]}'
    found = decode(body, x="float")["x"]
    np.testing.assert_array_equal(found, [np.nan, np.inf, -np.inf, np.inf, 1435774336])


def test_zero_empty_and_missing_stay_apart() -> None:
    body = '{"instances": [{"n": 0, "t": "", "d": NaN}, {"n": 1, "t": "NA", "d": 0.0}]}'
    found = decode(body, n="int64", t="string", d="float")
    assert found["n"].tolist() == [0, 1]
    assert found["t"].tolist() == [b"", b"NA"]
    np.testing.assert_array_equal(found["d"], [np.nan, 0.0])


def test_strings_are_bytes_whether_plain_or_base64() -> None:
    body = '{"instances": ["h\u00e9", {"b64": "AP8="}, {"b64": " A P 8 "}]}'
    assert decode(body, x="string")["x"].tolist() == ["h\u00e9".encode(), b"\0\xff", b"\0\xff"]
    raw = b'{"instances": ["\xff"]}'
    assert decode_predict(read_body(raw), specs(x="string")).inputs["x"].tolist() == [b"\xff"]


def test_shapes_of_rows_columns_scalars_and_nothing() -> None:
    assert decode({"instances": [{"x": [[1], [2]]}]}, x="int32")["x"].shape == (1, 2, 1)
    assert decode({"inputs": 5}, x="int32")["x"].shape == ()
    assert decode({"inputs": []}, x="float")["x"].shape == (0,)
    assert decode({"instances": [[], []]}, x="float")["x"].shape == (2, 0)
    assert decode({"inputs": {"x": [1], "z": "ignored"}}, x="int32")["x"].tolist() == [1]


def test_a_body_tells_its_signature_and_format() -> None:
    body = read_body(b'{"signature_name": "other", "instances": [1]}')
    assert body.signature_name == "other"
    assert decode_predict(body, specs(x="float")).is_row is True
    body = read_body(b'{"inputs": [1]}')
    assert body.signature_name == ""
    assert decode_predict(body, specs(x="float")).is_row is False


ROW = "Failed to process element: {} of 'instances' list. Error: INVALID_ARGUMENT: "


@pytest.mark.parametrize(
    ("body", "dtype", "text"),
    [
        ("[1]", "float", "JSON Value: [1] Is not object"),
        ({}, "float", "Missing 'inputs' or 'instances' key"),
        (
            {"instances": [], "inputs": []},
            "float",
            'JSON Value: {\n    "instances": [],\n    "inputs": []\n} Not formatted correctly '
            "expecting only one of 'inputs' or 'instances' keys to exist ",
        ),
        (
            {"instances": 5},
            "float",
            "JSON Value: {\n    \"instances\": 5\n} Expecting 'instances' to be an list/array",
        ),
        (
            {"instances": []},
            "float",
            "JSON Value: {\n    \"instances\": []\n} No values in 'instances' array",
        ),
        (
            {"signature_name": 1, "instances": [1]},
            "float",
            'JSON Value: {\n    "signature_name": 1,\n    "instances": [1]\n} not formatted '
            "correctly. 'signature_name' key must be a string value.",
        ),
        (
            {"instances": ["a", 1]},
            "float",
            ROW.format(0) + 'JSON Value: "a" Type: String is not of expected type: float',
        ),
        (
            {"instances": [1, 1.0]},
            "int64",
            ROW.format(1) + "JSON Value: 1.0 Type: Number is not of expected type: int64",
        ),
        (
            {"instances": [2**31]},
            "int32",
            ROW.format(0) + "JSON Value: 2147483648 Type: Number is not of expected type: int32",
        ),
        (
            {"inputs": [True]},
            "double",
            "JSON Value: true Type: True is not of expected type: double",
        ),
        (
            {"inputs": [None]},
            "string",
            "JSON Value: null Type: Null is not of expected type: string",
        ),
        ({"inputs": [1]}, "bool", "JSON Value: 1 Type: Number is not of expected type: bool"),
        ({"inputs": [1.0]}, "half", "Conversion of JSON Value: 1.0 to type: half"),
        (
            {"instances": [[1], [1, 2]]},
            "int32",
            ROW.format(1) + "Expecting tensor size: 1 but got: 2",
        ),
        (
            {"instances": [[1, 2], [[1], [2]]]},
            "int32",
            ROW.format(1) + "Expecting shape [2] but got: [2,1]",
        ),
        (
            {"inputs": [[1, 2], [3]]},
            "int32",
            "Encountered list at unexpected size: 1 at level: 1 expected size: 2",
        ),
        (
            {"inputs": [1, [2]]},
            "int32",
            "Encountered list at unexpected level: 1 expected < 1",
        ),
        (
            {"inputs": [[1], 2]},
            "int32",
            "JSON Value: 2 found at incorrect level: 2 in the JSON DOM. Expected at level: 2",
        ),
        (
            {"instances": [1, {"x": 2}]},
            "int32",
            "Expecting value/list but got object at item 1 of input list",
        ),
        (
            {"instances": [{"x": 2}, 1]},
            "int32",
            "Expecting object but got list at item 1 of input list",
        ),
        ({"inputs": [{"b64": "A"}]}, "string", "Unable to base64 decode"),
        ({"inputs": [{"b64": "AAA=="}]}, "string", "Unable to base64 decode"),
        (
            {"inputs": [{"b": "A"}]},
            "string",
            'JSON Value: {\n    "b": "A"\n} not formatted correctly for base64 data',
        ),
    ],
)
def test_errors_are_worded_as_tf_serving_does(body: Any, dtype: str, text: str) -> None:
    assert problem(body, x=dtype) == text


def test_errors_of_several_inputs() -> None:
    two = {"a": "int32", "b": "string"}
    assert problem({"instances": [1]}, **two).startswith(
        "instances is a plain list, but expecting list of objects"
    )
    assert problem({"inputs": [1]}, **two).startswith(
        "inputs is a plain value/list, but expecting an object"
    )
    assert problem({"inputs": {"a": 1}}, **two) == "Missing named input: b in 'inputs' object."
    assert problem({"instances": [{"a": 1}]}, **two) == (
        "Failed to process element: 0 of 'instances' list. JSON object: "
        '{\n    "a": 1\n} keys must be equal to: a,b'
    )
    assert problem({"instances": [{"a": 1, "b": "", "c": 1}]}, **two) == (
        "Failed to process element: 0 key: c of 'instances' list. Error: INVALID_ARGUMENT: "
        "JSON object: does not have named input: c"
    )
    assert problem({"instances": [1]}) == "Failed to get input map for signature: DEFAULT"


def test_a_long_value_is_cut_in_a_message() -> None:
    text = problem({"instances": [{"x": "short"}, {"y": list(range(500))}]}, x="string")
    assert text.startswith("Failed to process element: 1 key: y")
    text = problem({"instances": [{"x": list(range(500))}]}, x="string", y="string")
    assert len(text) < 500
    assert "0, 1, 2, 3" not in text


def test_numbers_beyond_64_bits_are_doubles() -> None:
    assert decode('{"inputs": [18446744073709551616, NaN]}', x="double")["x"][0] == 2.0**64
    text = problem('{"inputs": [18446744073709551616]}', x="uint64")
    assert text == (
        "JSON Value: 1.8446744073709552e+19 Type: Number is not of expected type: uint64"
    )


def test_a_request_nested_beyond_reason_is_refused() -> None:
    nested = f"{'[' * 990}{']' * 990}"
    assert "rank 990 is beyond" in problem(f'{{"instances": {nested}}}', x="float")
    assert "rank 990 is beyond" in problem(f'{{"instances": [{nested}, null]}}', x="string")


def test_a_key_twice_in_a_row_adds_values_and_the_tensor_takes_the_first() -> None:
    body = '{"instances": [{"x": 1, "x": 2}, {"x": 3}]}'
    assert decode(body, x="int32")["x"].tolist() == [1, 2]
    assert "base64" in problem('{"inputs": [{"b64": "YQ==", "b64": "YQ=="}]}', x="string")


# A map field is a repeated message of a key and a value on the wire.
EXAMPLE = message_classes(
    "tests.example",
    {
        "BytesList": ["repeated bytes value = 1"],
        "FloatList": ["repeated float value = 1"],
        "Int64List": ["repeated int64 value = 1"],
        "Feature": ["BytesList bytes = 1", "FloatList floats = 2", "Int64List ints = 3"],
        "Entry": ["bytes key = 1", "Feature value = 2"],
        "Features": ["repeated Entry feature = 1"],
        "Example": ["Features features = 1"],
    },
)["Example"]


def features(serialized: bytes) -> dict[bytes, list[Any]]:
    """What an example holds, as protobuf itself reads it."""
    found = {}
    for entry in EXAMPLE.FromString(serialized).features.feature:
        lists = [field[1] for field in entry.value.ListFields()]
        assert len(lists) <= 1
        found[entry.key] = list(lists[0].value) if lists else []
    return found


def examples(body: str) -> list[dict[bytes, list[Any]]]:
    return [features(example) for example in decode_examples(read_body(body.encode()))]


@given(
    st.dictionaries(
        st.text(st.characters(exclude_categories=("Cs",))),
        st.lists(st.integers(-(2**63), 2**63 - 1))
        | st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1)
        | st.lists(st.text(st.characters(exclude_categories=("Cs",)))),
    )
)
def test_every_feature_survives_the_way_into_an_example(values: dict[str, list[Any]]) -> None:
    [found] = examples(json.dumps({"examples": [values]}))
    texts = {
        name.encode(): [v.encode() if isinstance(v, str) else v for v in some]
        for name, some in values.items()
    }
    assert found == texts


def test_a_context_stands_before_each_example() -> None:
    body = '{"context": {"c": true}, "examples": [{"x": {"b64": "AP8="}}, {}]}'
    assert examples(body) == [{b"c": [1], b"x": [b"\0\xff"]}, {b"c": [1]}]
    assert examples('{"examples": [{"x": 18446744073709551616, "y": 1e39}, {"z": []}]}') == [
        {b"x": [2.0**64], b"y": [float("inf")]},
        {b"z": []},
    ]
    assert examples('{"examples": [{"x": 1, "x": 2}]}') == [{b"x": [2]}]
