from __future__ import annotations

import json

import numpy as np
import pytest

from serving.answers import encode_metadata, encode_predict, encode_status
from serving.errors import StatusError
from serving.jsonwrite import debug_text, double_text
from tests.serving.lines import Line


def strings(*values: bytes) -> np.ndarray:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def test_rows_of_one_output_are_bare_values() -> None:
    y = np.array([2.5, 3, 4.5], np.float32)
    assert encode_predict({"y": y}, True) == '{\n    "predictions": [2.5, 3.0, 4.5\n    ]\n}'
    matrix = np.array([[1, 2], [3, 4]], np.int32)
    text = '{\n    "predictions": [[1, 2], [3, 4]\n    ]\n}'
    assert encode_predict({"y": matrix}, True) == text
    empty = np.zeros([0, 2], np.int32)
    assert encode_predict({"y": empty}, True) == '{\n    "predictions": []\n}'


def test_rows_of_several_outputs_are_objects() -> None:
    outputs = {"a": np.array([[1, 2], [3, 4]]), "b": strings(b"x", b'"')}
    assert encode_predict(outputs, True) == (
        '{\n    "predictions": [\n'
        '        {\n            "a": [1, 2],\n            "b": "x"\n        },\n'
        '        {\n            "a": [3, 4],\n            "b": "\\""\n        }\n'
        "    ]\n}"
    )


def test_columns_put_each_value_on_a_line() -> None:
    assert encode_predict({"y": np.array([1, 2])}, False) == (
        '{\n    "outputs": [\n        1,\n        2\n    ]\n}'
    )
    assert encode_predict({"y": np.array(1.0)}, False) == '{\n    "outputs": 1.0\n}'
    outputs = {"a": np.array([True]), "b": np.zeros([0], np.float32)}
    assert encode_predict(outputs, False) == (
        '{\n    "outputs": {\n        "a": [\n            true\n        ],\n'
        '        "b": []\n    }\n}'
    )


def test_an_output_named_bytes_is_base64() -> None:
    outputs = {"y_bytes": strings(b"hello", b"\xff")}
    assert json.loads(encode_predict(outputs, True)) == {
        "predictions": [{"b64": "aGVsbG8="}, {"b64": "/w=="}]
    }


def test_strings_keep_their_bytes() -> None:
    text = encode_predict({"y": strings("é\x01\n".encode(), b"\xff")}, True)
    assert b'"\xc3\xa9\\u0001\\n", "\xff"' in text.encode("utf-8", "surrogateescape")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (9000000.0, "9e+06"),
        (999999.0, "999999.0"),
        (0.00003, "3e-05"),
        (555557.5, "555557.5"),
        (0.1, "0.1"),
        (16777217.0, "16777216.0"),
        (1 / 3, "0.333333343"),
        (0.0, "0.0"),
        (-0.0, "-0.0"),
        (np.nan, "NaN"),
        (-np.inf, "-Infinity"),
        (3.4028235e38, "3.40282347e+38"),
    ],
)
def test_floats_are_short_and_exact(value: float, text: str) -> None:
    y = np.array([value], np.float32)
    assert encode_predict({"y": y}, True) == f'{{\n    "predictions": [{text}\n    ]\n}}'


def test_what_json_cannot_hold_is_refused() -> None:
    with pytest.raises(StatusError, match="Failed to write JSON value for tensor type: complex64"):
        encode_predict({"y": np.array([1j], np.complex64)}, True)
    with pytest.raises(StatusError, match="Failed to write JSON value for tensor type: half"):
        encode_predict({"y": np.array([1], np.float16)}, False)
    with pytest.raises(StatusError, match="Tensor name: y has no shape information"):
        encode_predict({"y": np.array(1.0)}, True)
    with pytest.raises(StatusError, match="b has inconsistent batch size: 1 expecting: 2"):
        encode_predict({"a": np.zeros([2]), "b": np.zeros([1])}, True)
    with pytest.raises(StatusError, match="Cannot convert empty tensor map to JSON"):
        encode_predict({}, True)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "1.0"),
        (1e20, "100000000000000000000.0"),
        (1e21, "1e21"),
        (1.5e300, "1.5e300"),
        (123.456, "123.456"),
        (0.00001, "0.00001"),
        (1e-7, "1e-7"),
        (-1.25e-9, "-1.25e-9"),
        (-0.0, "-0.0"),
    ],
)
def test_doubles_in_messages(value: float, text: str) -> None:
    assert double_text(value) == text


def test_values_in_messages() -> None:
    assert debug_text({"a": [1, {"b": None}], "c": {}}) == (
        '{\n    "a": [1, {\n            "b": null\n        }],\n    "c": {}\n}'
    )
    assert debug_text(["x" * 300, 1, 2]) == '["' + "x" * 300 + '"'


def test_status_document() -> None:
    text = encode_status([(2, "AVAILABLE", "OK", ""), (1, "END", "NOT_FOUND", "gone")])
    assert json.loads(text) == {
        "model_version_status": [
            {
                "version": "2",
                "state": "AVAILABLE",
                "status": {"error_code": "OK", "error_message": ""},
            },
            {
                "version": "1",
                "state": "END",
                "status": {"error_code": "NOT_FOUND", "error_message": "gone"},
            },
        ]
    }


def test_metadata_document() -> None:
    document = json.loads(encode_metadata("toy.color", 3, Line(0).signatures))
    assert document["model_spec"] == {"name": "toy.color", "signature_name": "", "version": "3"}
    definitions = document["metadata"]["signature_def"]["signature_def"]
    assert definitions["serving_default"] == {
        "inputs": {
            "x": {
                "dtype": "DT_FLOAT",
                "tensor_shape": {"dim": [{"size": "-1", "name": ""}], "unknown_rank": False},
                "name": "x:0",
            }
        },
        "outputs": {
            "y": {
                "dtype": "DT_FLOAT",
                "tensor_shape": {"dim": [{"size": "-1", "name": ""}], "unknown_rank": False},
                "name": "y:0",
            }
        },
        "method_name": "tensorflow/serving/predict",
        "defaults": {},
    }
